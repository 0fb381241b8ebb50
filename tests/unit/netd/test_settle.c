/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a lease, a loan or a look changes by the way is told as an apply's
 * actions are: who, what, before, after; in the history, and to journald. */

#include <time.h>

#include "tests/unit/netd/daemon.h"

#include "netd/audit.h"
#include "netd/grant.h"
#include "netd/history.h"
#include "tests/unit/netd/card.h"

static const struct bdf pf = { 0, 1, 0, 0 };

struct rig {
	struct daemon *d;
	char journal[128], heard[64 * 1024];
	int fd;
};

/* In the daemon's process. */
static void to_journal(struct daemon *d, struct server *s)
{
	static struct log log;
	static char path[128];

	log = (struct log){ .fd = open("/dev/null", O_WRONLY | O_CLOEXEC),
		            .level = LOG_LVL_INFO };
	snprintf(path, sizeof(path), "%s/journal", d->dir.path);
	s->env->log = &log;
	s->env->journal = path;
}

static int rig_setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	r->d = daemon_new("policy.yaml");
	r->d->opened = to_journal;
	snprintf(r->journal, sizeof(r->journal), "%s/journal", r->d->dir.path);
	snprintf(a.sun_path, sizeof(a.sun_path), "%.100s", r->journal);
	r->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(r->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	*state = r;
	return 0;
}

static int rig_teardown(void **state)
{
	struct rig *r = *state;
	void *d = r->d;

	close(r->fd);
	free(r);
	return teardown(&d);
}

/* A message with all of these, the next one that has them. */
static const char *hear(struct rig *r, const char *a, const char *b)
{
	struct pollfd p = { .fd = r->fd, .events = POLLIN };

	while (poll(&p, 1, 10000) == 1) {
		ssize_t n = recv(r->fd, r->heard, sizeof(r->heard) - 1, 0);

		r->heard[n > 0 ? n : 0] = '\0';
		if (strstr(r->heard, a) && strstr(r->heard, b))
			return r->heard;
	}
	fail_msg("nothing with %s, %s", a, b);
	return "";
}

static void has(const struct rig *r, const char *want)
{
	if (!strstr(r->heard, want))
		fail_msg("no \"%s\" in \"%s\"", want, r->heard);
}

/* ---- settle_tell() ------------------------------------------------------- */

static void see(struct pol_state *s, struct pol_pf *p, struct pol_vf *v,
                uint16_t vlan, bool trust)
{
	*v = (struct pol_vf){ .set = POL_HAS_VLAN | POL_HAS_TRUST,
		              .vlan = vlan,
		              .trust = trust };
	*p = (struct pol_pf){ .bdf = pf, .vf = v, .n_vfs = 1 };
	*s = (struct pol_state){ .pf = p, .n_pfs = 1 };
}

static const struct permit borrow = { .verb = "borrow" },
			   lease = { .verb = "lease" };

struct told {
	struct state_dir dir;
	struct log log;
	struct env env;
	struct work w;
	struct pol_state before, after;
	struct pol_pf pfs[2];
	struct pol_vf vfs[2];
	struct pol_action action[2];
	struct pol_plan plan;
	json_t *entry;
};

static void told_begin(struct told *t, const struct permit *p)
{
	dir_make(&t->dir);
	t->log = (struct log){ .fd = memfd_create("log", MFD_CLOEXEC),
		               .level = LOG_LVL_INFO };
	t->env.state_fd = t->dir.fd;
	t->env.root_fd = t->dir.fd;
	t->env.log = &t->log;
	t->w.env = &t->env;
	t->w.permit = p;
	t->w.peer = (struct peer){ .pid = 77, .uid = 1000, .pidfd = -1 };
	see(&t->before, &t->pfs[0], &t->vfs[0], 0, false);
	see(&t->after, &t->pfs[1], &t->vfs[1], 100, false);
	t->action[0] = (struct pol_action){
		.op = POL_OP_VF_VLAN, .pf = pf, .label = "g/a", .vlan = 100
	};
	t->action[1] = (struct pol_action){
		.op = POL_OP_VF_TRUST, .pf = pf, .label = "g/a", .number = 1
	};
	t->plan = (struct pol_plan){ .action = t->action, .n = 2 };
}

static void told_end(struct told *t)
{
	json_decref(t->entry);
	close(t->log.fd);
	dir_drop(&t->dir);
	free(t);
}

static void tell(struct told *t, uint8_t first, uint8_t second, int e)
{
	const uint8_t outcome[] = { first, second };
	const struct settled s = { .plan = &t->plan,
		                   .outcome = outcome,
		                   .before = &t->before,
		                   .after = e ? NULL : &t->after,
		                   .e = e };

	settle_tell(&t->w, &s);
}

static void in_log(const struct told *t, const char *want)
{
	char text[4096];
	ssize_t n = pread(t->log.fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	if (!strstr(text, want))
		fail_msg("no \"%s\" in \"%s\"", want, text);
}

static const char *in_entry(struct told *t, const char *key)
{
	struct diag d;

	if (!t->entry)
		assert_int_equal(history_get(t->dir.fd, 1, &t->entry, &d), 0);
	return json_string_value(json_object_get(t->entry, key));
}

static const char *in_action(const struct told *t, size_t i, const char *key)
{
	return json_string_value(json_object_get(
		json_array_get(json_object_get(t->entry, "actions"), i), key));
}

static void test_loan(void **state)
{
	struct told *t = calloc(1, sizeof(*t));

	(void)state;
	told_begin(t, &borrow);
	snprintf(t->w.req.holder, sizeof(t->w.req.holder), "cni/n/c/i");
	tell(t, APPLY_DONE, APPLY_DONE, 0);
	assert_string_equal(in_entry(t, "verb"), "borrow");
	assert_string_equal(in_entry(t, "result"), "done");
	assert_string_equal(in_entry(t, "holder"), "cni/n/c/i");
	/* It is no guest's, whatever the name has before a slash. */
	assert_string_equal(in_action(t, 0, "label"), "");
	in_log(t, "borrow by uid 1000, pid 77: ");
	in_log(t, "was {\"id\":0,\"qos\":0,\"proto\":0}, is "
	          "{\"id\":100,\"qos\":0,\"proto\":0}, done\n");
	/* Read back, not what was asked. */
	in_log(t, ": was false, is false, done\n");
	in_log(t, ": done, 2 action(s); fairlead history 1\n");
	told_end(t);
}

static void test_failed(void **state)
{
	struct told *t = calloc(1, sizeof(*t));

	(void)state;
	told_begin(t, &lease);
	diag_fail(&t->w.diag, -EIO, FL_NETD_LEASED, "it refused");
	tell(t, APPLY_FAILED, APPLY_NOT_TRIED, -EIO);
	assert_string_equal(in_entry(t, "result"), "failed");
	assert_null(in_entry(t, "holder"));
	assert_string_equal(in_action(t, 0, "label"), "g/a");
	assert_string_equal(in_action(t, 1, "outcome"), "not-tried");
	in_log(t, "is unknown, failed\n");
	in_log(t, ": failed, 2 action(s): it refused; fairlead history 1\n");
	/* What the client is told stays. */
	assert_int_equal(t->w.diag.code, FL_NETD_LEASED);
	told_end(t);
}

static void test_untried(void **state)
{
	struct told *t = calloc(1, sizeof(*t));
	json_t *list = NULL;
	struct diag d;

	(void)state;
	told_begin(t, &lease);
	tell(t, APPLY_NOT_TRIED, APPLY_NOT_TRIED, -EIO);
	assert_int_equal(history_list(t->dir.fd, &list, &d), 0);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
	told_end(t);
}

/* ---- the daemon ---------------------------------------------------------- */

static void ask(const struct rig *r, const char *request)
{
	int fd = dial(r->d);

	say(fd, request);
	expect(fd, 0);
	close(fd);
}

static void test_lent(void **state)
{
	struct rig *r = *state;

	put_card(r->d->dir.path, 1, -1);
	daemon_run(r->d);
	put_applied(r->d->dir.path,
	            "version: 1\nnics:\n"
	            "  - { name: e, match: { pci: \"0000:01:00.0\" } }\n"
	            "pools:\n  - { name: p, functions: [\"e#0-1\"] }\n");
	ask(r, "{\"version\":1,\"verb\":\"borrow\",\"pool\":\"p\","
	       "\"holder\":\"pod1\"}");
	hear(r, "MESSAGE=borrow pod1 (0000:01:10.0 of pool p) by pid ",
	     "FAIRLEAD_VERB=borrow\n");
	has(r, "\nFAIRLEAD_BDF=0000:01:10.0\nFAIRLEAD_HOLDER=pod1\n"
	       "FAIRLEAD_POOL=p\n");
	ask(r, "{\"version\":1,\"verb\":\"return\",\"holder\":\"pod1\"}");
	hear(r, "MESSAGE=return pod1 (0000:01:10.0 of pool p) by pid ",
	     "FAIRLEAD_VERB=return\n");
	has(r, "\nFAIRLEAD_BDF=0000:01:10.0\nFAIRLEAD_HOLDER=pod1\n"
	       "FAIRLEAD_POOL=p\n");
}

/* Drift that a look has repaired: with what it was and is. */
static void test_drift(void **state)
{
	struct rig *r = *state;

	put_card(r->d->dir.path, 1, -1);
	shell(r->d, "mkdir -p state sys/bus/pci/drivers/igb && ln -s "
	            "../../../../bus/pci/drivers/igb "
	            "sys/bus/pci/devices/0000:01:00.0/driver");
	put_applied(r->d->dir.path,
	            "version: 1\nnics:\n"
	            "  - { name: e, match: { pci: \"0000:01:00.0\" },\n"
	            "      drivers-autoprobe: false }\n");
	daemon_run(r->d);
	hear(r, "FAIRLEAD_VERB=reconcile\n", "FAIRLEAD_OP=autoprobe\n");
	has(r, "\nMESSAGE=reconcile by fairlead-netd itself: ");
	has(r, "\nFAIRLEAD_CHANGE=1\n");
	has(r, "\nFAIRLEAD_BDF=0000:01:00.0\n");
	has(r, "\nFAIRLEAD_OUTCOME=done\nFAIRLEAD_BEFORE=true\n");
	hear(r, "FAIRLEAD_VERB=reconcile\n", "FAIRLEAD_RESULT=done\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loan),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_untried),
		cmocka_unit_test_setup_teardown(test_lent, rig_setup,
		                                rig_teardown),
		cmocka_unit_test_setup_teardown(test_drift, rig_setup,
		                                rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
