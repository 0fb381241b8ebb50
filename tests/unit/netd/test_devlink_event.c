/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A change that nobody tells of but devlink is found and repaired: the daemon
 * hears neither rtnetlink nor uevents here, and its sweep is far away.
 * Devlink's socket is one of ours; what comes over it need say nothing, since
 * it is not believed. */

#include "tests/unit/netd/daemon.h"

#define PF "sys/bus/pci/devices/0000:01:00.0"

struct rig {
	struct daemon d; /* first: teardown() */
	int kernel, netd;
};

static void only_devlink(struct daemon *d, struct server *s)
{
	struct event_socket *w = &s->events.sock[EVENT_DEVLINK];

	for (unsigned i = 0; i < EVENT_SOCKETS; i++)
		close_fd(&s->events.sock[i].fd);
	w->fd = ((struct rig *)d)->netd;
	if (server_watch(s, w->fd, w))
		_exit(1);
}

static int begin(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct daemon *d = daemon_new("policy.yaml");
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX,
	                            SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	                            0, pair),
	                 0);
	shell(d, "mkdir -p " PF " && cd " PF
	         " && echo 7 >sriov_totalvfs && echo 0 >sriov_numvfs"
	         " && echo 0x8086 >vendor && echo 0x10c9 >device"
	         " && echo 0x020000 >class && echo 1 >sriov_drivers_autoprobe"
	         " && echo 128 >sriov_offset && echo 2 >sriov_stride"
	         " && ln -s ../../drivers/igb driver");
	r->d = *d;
	free(d);
	r->d.opened = only_devlink;
	r->kernel = pair[0];
	r->netd = pair[1];
	daemon_run(&r->d);
	*state = r;
	return 0;
}

static int end(void **state)
{
	struct rig *r = *state;

	close_fd(&r->kernel);
	close_fd(&r->netd);
	return teardown(state);
}

static char autoprobe(const struct rig *r)
{
	char path[192], c = '?';
	int fd;

	snprintf(path, sizeof(path), "%s/" PF "/sriov_drivers_autoprobe",
	         r->d.dir.path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	/* It may be written just now, which is two steps here. */
	if (read(fd, &c, 1) != 1)
		c = '?';
	close(fd);
	return c;
}

/* Of the reconciler: what it has heard, and how often it has repaired. */
static void counted(const struct rig *r, json_int_t *events,
                    json_int_t *repaired)
{
	int fd = dial(&r->d);
	const json_t *o;
	json_t *doc;

	say(fd, "{\"version\":1,\"verb\":\"metrics\"}");
	doc = receive(fd, 5000);
	o = json_object_get(doc, "reconcile");
	*events = json_integer_value(json_object_get(o, "events"));
	*repaired = json_integer_value(json_object_get(
		json_array_get(json_object_get(o, "counters"), 0), "repaired"));
	json_decref(doc);
	close(fd);
}

static void test_repair(void **state)
{
	const struct rig *r = *state;
	json_int_t events, repaired;
	int fd = dial(&r->d);

	send_policy(fd, "apply",
	            "version: 1\n"
	            "host: { reconcile: { interval: 600s } }\n"
	            "nics:\n"
	            "  - { name: e, match: { pci: \"0000:01:00.0\" },\n"
	            "      drivers-autoprobe: false }\n");
	expect(fd, 0);
	close(fd);
	assert_int_equal(autoprobe(r), '0');
	/* A look follows the apply. */
	usleep(2 * EVENT_QUIET_MS * 1000);
	wait_idle(&r->d);
	shell(&r->d, "echo 1 > " PF "/sriov_drivers_autoprobe");
	usleep(4 * EVENT_QUIET_MS * 1000);
	assert_int_equal(autoprobe(r), '1');
	counted(r, &events, &repaired);
	assert_int_equal(events, 0);
	assert_int_equal(send(r->kernel, "x", 1, 0), 1);
	for (int i = 0; i < 300 && autoprobe(r) != '0'; i++)
		usleep(20000);
	assert_int_equal(autoprobe(r), '0');
	for (int i = 0; i < 100 && !repaired; i++) {
		usleep(20000);
		counted(r, &events, &repaired);
	}
	assert_int_equal(events, 1);
	assert_int_equal(repaired, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_repair, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
