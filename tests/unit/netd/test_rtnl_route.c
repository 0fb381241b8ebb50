/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Next hops of default routes, in the kernel's messages. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "netd/rtnl-route.h"

/* Through interfaces 1 to `n`; the last hop says that it has `last` bytes. */
static struct nl_msg *route(struct rtmsg r, unsigned n, uint16_t last)
{
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWROUTE, 0);
	struct rtnexthop hop[ROUTE_HOPS_MAX + 1] = { 0 };

	assert_non_null(m);
	assert_true(nlmsg_append(m, &r, sizeof(r), NLMSG_ALIGNTO) >= 0);
	for (unsigned i = 0; i < n; i++) {
		hop[i].rtnh_len = i == n - 1 ? last : sizeof(hop[i]);
		hop[i].rtnh_ifindex = (int)i + 1;
	}
	assert_true(nla_put(m, RTA_MULTIPATH, (int)(n * sizeof(hop[0])), hop) >=
	            0);
	return m;
}

static size_t hops(struct rtmsg r, unsigned n, uint16_t last)
{
	struct nl_msg *m = route(r, n, last);
	struct rtnl_hops all = { .n = 0 };

	/* Twice is as once. */
	assert_int_equal(rtnl_hops_decode(nlmsg_hdr(m), &all), 0);
	assert_int_equal(rtnl_hops_decode(nlmsg_hdr(m), &all), 0);
	nlmsg_free(m);
	assert_int_equal(all.more, n > ROUTE_HOPS_MAX);
	for (size_t i = 0; i < all.n; i++)
		assert_int_equal(all.ifindex[i], i + 1);
	return all.n;
}

static void test_hops(void **state)
{
	const struct rtmsg usual = { .rtm_family = AF_INET,
		                     .rtm_type = RTN_UNICAST,
		                     .rtm_table = RT_TABLE_MAIN };
	struct rtmsg r = usual;

	(void)state;
	assert_int_equal(hops(r, 2, 8), 2);
	assert_int_equal(hops(r, ROUTE_HOPS_MAX + 1, 8), ROUTE_HOPS_MAX);
	/* Lengths that are none. */
	assert_int_equal(hops(r, 2, 0), 1);
	assert_int_equal(hops(r, 2, 9), 1);
	assert_int_equal(hops(r, 2, UINT16_MAX), 1);
	r.rtm_family = AF_INET6;
	assert_int_equal(hops(r, 2, 8), 2);
	r.rtm_dst_len = 8;
	assert_int_equal(hops(r, 2, 8), 0);
	r = usual;
	r.rtm_type = RTN_UNREACHABLE;
	assert_int_equal(hops(r, 2, 8), 0);
	r = usual;
	r.rtm_table = RT_TABLE_LOCAL;
	assert_int_equal(hops(r, 2, 8), 0);
	r = usual;
	r.rtm_family = AF_BRIDGE;
	assert_int_equal(hops(r, 2, 8), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_hops) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
