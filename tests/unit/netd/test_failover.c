/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A VF is taken away and given back as one request: main's part, with a VMM
 * that is a socket and workers that find no machine. */

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "netd/failover.h"
#include "tests/unit/netd/daemon.h"

struct rig {
	struct env env;
	struct server s;
	struct client vmm, user;
	int vmm_end, user_end;
};

static void join(struct client *c, int *end)
{
	int pair[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	*c = (struct client){ .source = SOURCE_CLIENT,
		              .fd = pair[0],
		              .peer = { .pid = 7, .pidfd = -1 } };
	*end = pair[1];
}

static int begin(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	static const struct log log = { .level = LOG_LVL_ERROR, .fd = 2 };
	struct lease *l = &r->env.leases.l[0];

	r->env.leases.used = 1;
	r->env.root_fd = r->env.state_fd = r->env.guests_fd = -1;
	r->env.cache_fd = -1;
	r->env.log = &log;
	words_init(&r->env.words);
	r->s.env = &r->env;
	r->s.epoll = epoll_create1(EPOLL_CLOEXEC);
	join(&r->vmm, &r->vmm_end);
	join(&r->user, &r->user_end);
	r->s.clients = &r->vmm;
	r->vmm.next = &r->user;
	strcpy(l->guest, "g");
	strcpy(l->device[0].name, "wan");
	l->n = 1;
	strcpy(l->own[0].kind, "nic");
	strcpy(l->own[0].name, "wan:standby");
	l->n_own = 1;
	r->vmm.lease = l;
	*state = r;
	return 0;
}

static int end(void **state)
{
	struct rig *r = *state;

	jobs_close(&r->s);
	close(r->vmm.fd);
	close(r->user.fd);
	close(r->vmm_end);
	close(r->user_end);
	close(r->s.epoll);
	free(r);
	return 0;
}

static json_t *read_from(int fd)
{
	char buf[4096];
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	json_t *o = n > 0 ? json_loadb(buf, (size_t)n, 0, NULL) : NULL;

	if (!o)
		fail_msg("nothing was said");
	return o;
}

static bool silent(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

static int start(struct rig *r, const char *way, struct diag *d)
{
	struct request q = { .verb = "failover",
		             .guest = "g",
		             .device = "wan" };

	snprintf(q.way, sizeof(q.way), "%s", way);
	memset(d, 0, sizeof(*d));
	return failover_begin(&r->s, &r->user, &r->vmm, &q, d);
}

/* The id of the detach that the VMM is asked for. */
static int asked(struct rig *r)
{
	json_t *o = read_from(r->vmm_end);
	int id = (int)json_integer_value(json_object_get(o, "id"));

	assert_string_equal(json_string_value(json_object_get(o, "event")),
	                    "detach");
	assert_string_equal(json_string_value(json_object_get(o, "device")),
	                    "wan");
	json_decref(o);
	return id;
}

static void let_go(struct rig *r, int id, bool ok)
{
	char text[128];

	snprintf(text, sizeof(text), "{\"event\":\"done\",\"id\":%d,\"ok\":%s}",
	         id, ok ? "true" : "false");
	ask_heard(&r->s, &r->vmm, text, strlen(text), NULL, 0);
}

static const char *verb_of(const struct job *j)
{
	return j ? j->permit->verb : "";
}

/* Workers end: there is no machine for them. */
static void run_jobs(struct rig *r)
{
	while (r->s.jobs) {
		struct epoll_event e;

		assert_int_equal(epoll_wait(r->s.epoll, &e, 1, 5000), 1);
		job_event(&r->s, e.data.ptr);
	}
}

static void test_cycle(void **state)
{
	struct rig *r = *state;
	struct diag d;
	json_t *o;

	assert_int_equal(start(r, "cycle", &d), 0);
	let_go(r, asked(r), true);
	/* In the same moment, behind the release alone. */
	assert_false(lease_has(r->vmm.lease, "wan"));
	assert_true(lease_has_own(r->vmm.lease, "wan:standby"));
	assert_string_equal(verb_of(r->s.jobs), "release");
	assert_string_equal(verb_of(r->s.jobs->next), "attach");
	assert_ptr_equal(r->s.jobs->next->client, &r->user);
	assert_true(silent(r->user_end));
	run_jobs(r);
	o = read_from(r->user_end); /* what the attach came to */
	assert_true(json_is_false(json_object_get(o, "ok")));
	json_decref(o);
}

/* Nobody waits any more: it is brought to its end all the same. */
static void test_client_gone(void **state)
{
	struct rig *r = *state;
	struct diag d;
	int id;

	assert_int_equal(start(r, "", &d), 0);
	id = asked(r);
	ask_client_gone(&r->user);
	let_go(r, id, true);
	assert_string_equal(verb_of(r->s.jobs->next), "attach");
	assert_null(r->s.jobs->next->client);
	run_jobs(r);
	assert_true(silent(r->user_end));
}

static const struct request wish = { .verb = "failover",
	                             .guest = "g",
	                             .device = "wan",
	                             .way = "back",
	                             .function = "0000:01:10.3" };

/* Another VF than the one that it has is looked at before that one goes. */
static void test_wish(void **state)
{
	struct rig *r = *state;
	struct request q = wish;
	struct diag d = { 0 };

	r->user.peer.uid = 1000;
	r->vmm.lease->device[0].bdf = (struct bdf){ 0, 1, 0x10, 1 };
	assert_int_equal(failover_begin(&r->s, &r->user, &r->vmm, &q, &d), 0);
	assert_string_equal(verb_of(r->s.jobs), "foresee");
	assert_string_equal(r->s.jobs->req.function, "0000:01:10.3");
	q = r->s.jobs->req;
	/* It is refused, since there is no machine: the guest has its VF. */
	run_jobs(r);
	json_decref(read_from(r->user_end));
	assert_true(silent(r->vmm_end));
	assert_true(lease_has(r->vmm.lease, "wan"));
	/* Had it been found good: */
	failover_foreseen(&r->s, &r->user, &q);
	let_go(r, asked(r), true);
	assert_string_equal(verb_of(r->s.jobs), "release");
	assert_string_equal(verb_of(r->s.jobs->next), "attach");
	assert_string_equal(r->s.jobs->next->req.function, "0000:01:10.3");
	/* Also when whoever asked for it has gone. */
	assert_true(r->s.jobs->req.who.known);
	assert_int_equal(r->s.jobs->req.who.uid, 1000);
	run_jobs(r);
	json_decref(read_from(r->user_end));
}

static void test_no_wish(void **state)
{
	struct rig *r = *state;
	struct request q = wish;
	struct diag d = { 0 };

	/* One that it has is no reason. */
	r->vmm.lease->device[0].bdf = (struct bdf){ 0, 1, 0x10, 3 };
	assert_int_equal(failover_begin(&r->s, &r->user, &r->vmm, &q, &d), 0);
	json_decref(read_from(r->user_end));
	assert_true(silent(r->vmm_end));
	strcpy(q.function, "0000:01:10");
	assert_int_equal(failover_begin(&r->s, &r->user, &r->vmm, &q, &d),
	                 -EINVAL);
	assert_int_equal(d.code, FL_NETD_WISH);
	/* Its guest ends while it is looked at. */
	r->s.clients = &r->user;
	failover_foreseen(&r->s, &r->user, &q);
	json_decref(read_from(r->user_end));
	r->s.clients = &r->vmm;
}

static void test_refused(void **state)
{
	struct rig *r = *state;
	struct diag d;
	json_t *o;

	assert_int_equal(start(r, "cycle", &d), 0);
	let_go(r, asked(r), false);
	assert_true(lease_has(r->vmm.lease, "wan"));
	assert_null(r->s.jobs);
	o = read_from(r->user_end);
	assert_true(json_is_false(json_object_get(o, "ok")));
	json_decref(o);
	assert_int_equal(start(r, "sideways", &d), -EPROTO);
	r->vmm.lease->n_own = 0;
	assert_int_equal(start(r, "cycle", &d), -ENOTSUP);
	assert_int_equal(d.code, FL_NETD_FAILOVER);
	assert_true(silent(r->vmm_end));
}

static void test_already(void **state)
{
	struct rig *r = *state;
	struct diag d;
	json_t *o;

	assert_int_equal(start(r, "back", &d), 0);
	o = read_from(r->user_end);
	assert_true(json_is_true(json_object_get(o, "already")));
	json_decref(o);
	assert_int_equal(start(r, "to-standby", &d), 0);
	let_go(r, asked(r), true);
	o = read_from(r->user_end);
	assert_true(json_is_true(json_object_get(o, "ok")));
	json_decref(o);
	assert_null(r->s.jobs->next);
	run_jobs(r);
	assert_int_equal(start(r, "to-standby", &d), 0);
	o = read_from(r->user_end);
	assert_true(json_is_true(json_object_get(o, "already")));
	json_decref(o);
	/* Away: a cycle has the second half to do. */
	assert_int_equal(start(r, "cycle", &d), 0);
	assert_string_equal(verb_of(r->s.jobs), "attach");
	run_jobs(r);
	json_decref(read_from(r->user_end));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_cycle, begin, end),
		cmocka_unit_test_setup_teardown(test_client_gone, begin, end),
		cmocka_unit_test_setup_teardown(test_wish, begin, end),
		cmocka_unit_test_setup_teardown(test_no_wish, begin, end),
		cmocka_unit_test_setup_teardown(test_refused, begin, end),
		cmocka_unit_test_setup_teardown(test_already, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
