/* SPDX-License-Identifier: GPL-2.0-or-later */
/* More events than the socket holds: the kernel says that some are lost
 * (ENOBUFS), and what they were of is not asked: all is looked at. A group of
 * NETLINK_USERSOCK plays the kernel's, since anybody may write to it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "netd/server.h"

#define GROUP 1

struct rig {
	struct server s;
	struct env env;
	int sender;
};

static int netlink(unsigned groups)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
	                NETLINK_USERSOCK);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		close_fd(&fd);
	return fd;
}

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	static const struct log log = { .fd = -1 };

	r->env.log = &log;
	r->s.env = &r->env;
	for (unsigned i = 0; i < EVENT_SOCKETS; i++)
		r->s.events.sock[i].fd = netlink(GROUP);
	r->s.events.timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC);
	r->s.events.file = -1;
	r->s.reconcile.active = r->s.reconcile.on_event = true;
	r->sender = netlink(0);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	events_close(&r->s);
	close_fd(&r->sender);
	free(r);
	return 0;
}

static void send_events(const struct rig *r, int n)
{
	const struct sockaddr_nl to = { .nl_family = AF_NETLINK,
		                        .nl_groups = GROUP };
	char text[4096] = "add@/devices/x";

	for (int i = 0; i < n; i++)
		(void)!sendto(r->sender, text, sizeof(text), 0,
		              (const struct sockaddr *)&to, sizeof(to));
}

static bool look_is_due(const struct rig *r)
{
	struct itimerspec t = { 0 };

	assert_int_equal(timerfd_gettime(r->s.events.timer, &t), 0);
	return t.it_value.tv_sec || t.it_value.tv_nsec;
}

static void each_overrun(void **state, unsigned which)
{
	struct rig *r = *state;
	int fd = r->s.events.sock[which].fd;

	if (fd < 0)
		skip();
	/* Not the kernel's words, and none are lost: nothing to look at. */
	send_events(r, 3);
	events_heard(&r->s, which);
	assert_int_equal(r->s.reconcile.overruns, 0);
	assert_false(look_is_due(r));
	send_events(r, 4096);
	events_heard(&r->s, which);
	assert_int_equal(r->s.reconcile.overruns, 1);
	assert_true(look_is_due(r));
	/* And it is heard on. */
	assert_int_equal(r->s.events.sock[which].fd, fd);
	for (int i = 0; i < 4096; i++)
		events_heard(&r->s, which);
	send_events(r, 4096);
	events_heard(&r->s, which);
	assert_int_equal(r->s.reconcile.overruns, 2);
}

static void test_rtnl(void **state)
{
	each_overrun(state, EVENT_RTNL);
}

static void test_uevent(void **state)
{
	each_overrun(state, EVENT_UEVENT);
}

static void test_devlink(void **state)
{
	each_overrun(state, EVENT_DEVLINK);
}

/* Without a policy, or where it says so, nothing is looked at. */
static void test_not_wanted(void **state)
{
	struct rig *r = *state;

	if (r->s.events.sock[EVENT_RTNL].fd < 0)
		skip();
	r->s.reconcile.on_event = false;
	send_events(r, 4096);
	events_heard(&r->s, EVENT_RTNL);
	assert_int_equal(r->s.reconcile.overruns, 1);
	assert_false(look_is_due(r));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_rtnl),
		T(test_uevent),
		T(test_devlink),
		T(test_not_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
