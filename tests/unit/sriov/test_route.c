/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which functions the host's default route goes through. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sriov/sriov.h"
#include "tests/unit/sriov/tree.h"

#define HEAD "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU\n"
#define NIC "0000:04:00.0"

static void add_net(const struct tree *t, const char *name, const char *bdf)
{
	char target[TREE_PATH];

	snprintf(target, sizeof(target), "../../../bus/pci/devices/%s",
	         bdf ? bdf : "");
	if (bdf)
		tree_link(t, target, "sys/class/net/%s/device", name);
	else
		tree_put(t, "", "sys/class/net/%s/flags", name);
}

/* "0000:01:00.0 ..." */
static const char *functions(const struct tree *t)
{
	static const char *const also[] = { "hop2" };
	static char text[256];
	struct bdf b[SRIOV_ROUTE_MAX];
	size_t n = 0;

	assert_int_equal(sriov_route_functions(t->root_fd, also, 1, b, &n), 0);
	text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		char one[BDF_STRLEN];

		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		         "%s%s", i ? " " : "", bdf_format(b[i], one));
	}
	return text;
}

static void test_none(void **state)
{
	struct tree *t = *state;

	assert_string_equal(functions(t), "");
	tree_put(t, HEAD "eth0 0004A8C0 0 0001 0 0 0 00FFFFFF 0\n",
	         "proc/net/route");
	add_net(t, "eth0", NIC);
	assert_string_equal(functions(t), "");
}

static void test_itself(void **state)
{
	struct tree *t = *state;

	tree_put(t,
	         HEAD "eth1 0004A8C0 0 0001 0 0 0 00FFFFFF 0\n"
	              "eth0 00000000 0104A8C0 0003 0 0 0 00000000 0\n"
	              "eth0 00000000 0104A8C0 0003 0 0 9 00000000 0\n",
	         "proc/net/route");
	add_net(t, "eth0", NIC);
	add_net(t, "eth1", PF);
	assert_string_equal(functions(t), NIC);
}

/* Another next hop, which the file does not show. */
static void test_hops(void **state)
{
	struct tree *t = *state;

	tree_put(t, HEAD "eth0 00000000 0104A8C0 0003 0 0 0 00000000 0\n",
	         "proc/net/route");
	add_net(t, "eth0", NIC);
	add_net(t, "hop2", PF);
	assert_string_equal(functions(t), NIC " " PF);
}

#define ZERO32 "00000000000000000000000000000000"

/* The kernel's own ::/0 of lo is a refusal; one without a gateway is none. */
static void test_ipv6(void **state)
{
	struct tree *t = *state;

	tree_put(t,
	         ZERO32 " 00 " ZERO32 " 00 fe8000000000000000000000000000"
	                "01 00000400 00000001 00000000 00000003 eth0\n" ZERO32
	                " 00 " ZERO32 " 00 " ZERO32
	                " ffffffff 00000001 00000000 00200200 eth1\n" ZERO32
	                " 00 " ZERO32 " 00 " ZERO32
	                " 00000400 00000001 00000000 00000001 eth2\n",
	         "proc/net/ipv6_route");
	add_net(t, "eth0", NIC);
	add_net(t, "eth1", PF);
	add_net(t, "eth2", "0000:05:00.0");
	assert_string_equal(functions(t), NIC " 0000:05:00.0");
}

/* vlan5 of br0 of bond0 of eth0 and a VF; and a ring. */
static void test_below(void **state)
{
	struct tree *t = *state;

	tree_add_pf(t, 7, 1);
	tree_add_vf(t, 0, "igbvf");
	tree_put(t, HEAD "vlan5 00000000 0104A8C0 0003 0 0 0 00000000 0\n",
	         "proc/net/route");
	tree_link(t, "../br0", "sys/class/net/vlan5/lower_br0");
	tree_link(t, "../bond0", "sys/class/net/br0/lower_bond0");
	tree_link(t, "../vlan5", "sys/class/net/br0/lower_vlan5");
	tree_link(t, "../eth0", "sys/class/net/bond0/lower_eth0");
	tree_link(t, "../ethv", "sys/class/net/bond0/lower_ethv");
	add_net(t, "eth0", NIC);
	add_net(t, "ethv", "0000:01:10.0");
	assert_string_equal(functions(t), NIC " " PF);
}

/* What is no line of a route, and what is no function. */
static void test_rubbish(void **state)
{
	struct tree *t = *state;

	tree_put(t,
	         HEAD "\n\n/../x 00000000 0 0 0 0 0 00000000 0\nshort\n"
	              "tun0 00000000 0 0003 0 0 0 00000000 0\n",
	         "proc/net/route");
	tree_put(t, "what\n", "proc/net/ipv6_route");
	add_net(t, "tun0", NULL);
	assert_string_equal(functions(t), "");
}

/* A table that cannot be read is not an empty one. */
static void test_unread(void **state)
{
	struct tree *t = *state;
	struct bdf b[SRIOV_ROUTE_MAX];
	size_t n = 0;

	tree_put(t, "", "proc/net/route/x");
	assert_int_equal(sriov_route_functions(t->root_fd, NULL, 0, b, &n),
	                 -EISDIR);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)
	const struct CMUnitTest tests[] = {
		T(test_none),  T(test_itself),  T(test_ipv6),   T(test_hops),
		T(test_below), T(test_rubbish), T(test_unread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
