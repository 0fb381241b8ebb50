/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links and bridge ports as the kernel tells them, and the representor among
 * them. */

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "netd/bridge.h"

static struct nl_msg *message(unsigned char family, int ifindex)
{
	struct ifinfomsg i = { .ifi_family = family,
		               .ifi_index = ifindex,
		               .ifi_flags = IFF_UP };
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWLINK, 0);

	nlmsg_append(m, &i, sizeof(i), NLMSG_ALIGNTO);
	return m;
}

static struct nl_msg *representor(void)
{
	static const uint8_t id[] = { 0xde, 0xad, 1, 2, 3, 4, 5, 6 };
	struct nl_msg *m = message(AF_UNSPEC, 12);

	nla_put_string(m, IFLA_IFNAME, "eth7");
	nla_put_u32(m, IFLA_MASTER, 30);
	nla_put_string(m, IFLA_PHYS_PORT_NAME, "pf0vf3");
	nla_put(m, IFLA_PHYS_SWITCH_ID, sizeof(id), id);
	return m;
}

static struct nl_msg *bridge(uint8_t filtering)
{
	struct nl_msg *m = message(AF_UNSPEC, 30);
	struct nlattr *info, *data;

	nla_put_string(m, IFLA_IFNAME, "br-fast");
	info = nla_nest_start(m, IFLA_LINKINFO);
	nla_put_string(m, IFLA_INFO_KIND, "bridge");
	data = nla_nest_start(m, IFLA_INFO_DATA);
	nla_put_u8(m, IFLA_BR_VLAN_FILTERING, filtering);
	nla_nest_end(m, data);
	nla_nest_end(m, info);
	return m;
}

static void test_link(void **state)
{
	struct nl_msg *m = representor();
	struct net_link l;

	(void)state;
	assert_int_equal(net_decode_link(nlmsg_hdr(m), &l), 0);
	assert_int_equal(l.ifindex, 12);
	assert_int_equal(l.master, 30);
	assert_string_equal(l.name, "eth7");
	assert_string_equal(l.port_name, "pf0vf3");
	assert_int_equal(l.n_switch_id, 8);
	assert_true(l.up);
	assert_false(l.bridge);
	nlmsg_free(m);
	m = bridge(1);
	assert_int_equal(net_decode_link(nlmsg_hdr(m), &l), 0);
	assert_true(l.bridge && l.filtering);
	nlmsg_free(m);
	m = bridge(0);
	assert_int_equal(net_decode_link(nlmsg_hdr(m), &l), 0);
	assert_true(l.bridge && !l.filtering);
	nlmsg_free(m);
}

static void test_port_name(void **state)
{
	unsigned pf = 9, vf = 9;

	(void)state;
	assert_true(net_port_name("pf0vf3", &pf, &vf));
	assert_int_equal(pf, 0);
	assert_int_equal(vf, 3);
	assert_true(net_port_name("pf1vf127", &pf, &vf));
	assert_int_equal(vf, 127);
	assert_false(net_port_name("p0", &pf, &vf));
	assert_false(net_port_name("pf0", &pf, &vf));
	assert_false(net_port_name("pf0sf3", &pf, &vf));
	assert_false(net_port_name("pf0vf3x", &pf, &vf));
	assert_false(net_port_name("pfvf", &pf, &vf));
	assert_false(net_port_name("pf0vf70000", &pf, &vf));
	/* Of the host that a SmartNIC is in. */
	assert_false(net_port_name("c1pf0vf3", &pf, &vf));
}

/* ---- VLANs --------------------------------------------------------------- */

struct entry {
	uint16_t flags, vid;
};

static struct nl_msg *port(const struct entry *e, size_t n)
{
	struct nl_msg *m = message(AF_BRIDGE, 12);
	struct nlattr *spec = nla_nest_start(m, IFLA_AF_SPEC);

	for (size_t i = 0; i < n; i++) {
		struct bridge_vlan_info v = { e[i].flags, e[i].vid };

		nla_put(m, IFLA_BRIDGE_VLAN_INFO, sizeof(v), &v);
	}
	nla_nest_end(m, spec);
	return m;
}

static struct pol_port said(const struct entry *e, size_t n)
{
	struct nl_msg *m = port(e, n);
	struct pol_port p = { 0 };
	struct net_port raw;

	assert_int_equal(net_decode_port(nlmsg_hdr(m), &raw), 0);
	assert_int_equal(raw.ifindex, 12);
	net_port_say(&raw, &p);
	nlmsg_free(m);
	return p;
}

#define PVID (BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED)

static void test_vlans(void **state)
{
	const struct entry e[] = {
		{ PVID, 10 },
		{ BRIDGE_VLAN_INFO_RANGE_BEGIN, 20 },
		{ BRIDGE_VLAN_INFO_RANGE_END, 29 },
		{ 0, 100 },
		{ 0, 101 },
		{ 0, 4094 },
	};
	struct pol_port p = said(e, ARRAY_SIZE(e));

	(void)state;
	assert_false(p.strange);
	assert_int_equal(p.pvid, 10);
	assert_int_equal(p.n_tagged, 3);
	assert_int_equal(p.tagged[0].first, 20);
	assert_int_equal(p.tagged[0].last, 29);
	assert_int_equal(p.tagged[1].first, 100);
	assert_int_equal(p.tagged[1].last, 101);
	assert_int_equal(p.tagged[2].first, 4094);
}

/* What cannot be put back is not to be lost unseen. */
static void test_strange(void **state)
{
	const struct entry untagged[] = { { PVID, 1 },
		                          { BRIDGE_VLAN_INFO_UNTAGGED, 2 } };
	const struct entry pvid[] = { { BRIDGE_VLAN_INFO_PVID, 2 } };
	struct entry many[POL_VLAN_RANGES_MAX + 1];

	(void)state;
	assert_true(said(untagged, 2).strange);
	assert_true(said(pvid, 1).strange);
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct entry){ 0, (uint16_t)(2 * i + 2) };
	assert_false(said(many, POL_VLAN_RANGES_MAX).strange);
	assert_true(said(many, ARRAY_SIZE(many)).strange);
}

static void test_there_and_back(void **state)
{
	const struct pol_port want = { .pvid = 10,
		                       .tagged = { { 20, 29 }, { 31, 31 } },
		                       .n_tagged = 2 };
	struct pol_port back = { 0 };
	struct net_port raw;

	(void)state;
	net_port_plan(&want, &raw);
	net_port_say(&raw, &back);
	assert_int_equal(back.pvid, 10);
	assert_int_equal(back.n_tagged, 2);
	assert_memory_equal(back.tagged, want.tagged,
	                    2 * sizeof(want.tagged[0]));
}

static void test_bad_vlans(void **state)
{
	const struct entry e[] = {
		{ BRIDGE_VLAN_INFO_RANGE_END, 5 }, /* without a beginning */
		{ 0, 4096 },
		{ 0, UINT16_MAX },
		{ BRIDGE_VLAN_INFO_RANGE_BEGIN, 9 },
		{ BRIDGE_VLAN_INFO_RANGE_END, 8 }, /* ends before it begins */
	};
	struct nl_msg *m = port(e, ARRAY_SIZE(e));
	const struct nlmsghdr *h = nlmsg_hdr(m);

	(void)state;
	for (uint32_t len = NLMSG_HDRLEN; len <= h->nlmsg_len; len++) {
		struct nlmsghdr *cut = malloc(len);
		struct net_port raw;
		struct net_link l;

		memcpy(cut, h, len);
		cut->nlmsg_len = len;
		(void)!net_decode_port(cut, &raw);
		(void)!net_decode_link(cut, &l);
		free(cut);
	}
	nlmsg_free(m);
}

/* ---- all of them --------------------------------------------------------- */

static void test_representor(void **state)
{
	struct net_link link[] = {
		{ .ifindex = 4,
		  .name = "ens1f0",
		  .switch_id = { 1, 2 },
		  .n_switch_id = 2,
		  .port_name = "p0" },
		{ .ifindex = 5,
		  .name = "pf0vf0",
		  .port_name = "pf0vf1",
		  .switch_id = { 1, 2 },
		  .n_switch_id = 2 },
		{ .ifindex = 6,
		  .name = "eth0",
		  .port_name = "pf0vf0",
		  .switch_id = { 1, 3 },
		  .n_switch_id = 2 },
		{ .ifindex = 7,
		  .name = "eth1",
		  .port_name = "pf1vf0",
		  .switch_id = { 1, 2 },
		  .n_switch_id = 2 },
		{ .ifindex = 8,
		  .name = "eth2",
		  .port_name = "pf0vf0",
		  .switch_id = { 1, 2 },
		  .n_switch_id = 2,
		  .master = 9 },
		{ .ifindex = 9, .name = "br-fast", .bridge = true },
		{ .ifindex = 10, .name = "bond0" },
		{ .ifindex = 11, .name = "eth3", .master = 10 },
	};
	struct net_bridge_port port = { .ifindex = 8, .said = { .pvid = 100 } };
	const struct net_view v = { .link = link,
		                    .n_links = ARRAY_SIZE(link),
		                    .port = &port,
		                    .n_ports = 1 };
	struct pol_port p;

	(void)state;
	/* By what it is, not by what it is called. */
	assert_ptr_equal(net_representor(&v, &link[0], 0, 0), &link[4]);
	assert_ptr_equal(net_representor(&v, &link[0], 0, 1), &link[1]);
	assert_ptr_equal(net_representor(&v, &link[0], 1, 0), &link[3]);
	assert_null(net_representor(&v, &link[0], 0, 2));
	assert_null(net_representor(&v, &link[5], 0, 0)); /* no switch */
	net_port_see(&v, &link[4], &p);
	assert_string_equal(p.bridge, "br-fast");
	assert_int_equal(p.pvid, 100);
	assert_false(p.strange);
	net_port_see(&v, &link[7], &p);
	assert_true(p.strange);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_port_name),
		cmocka_unit_test(test_vlans),
		cmocka_unit_test(test_strange),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_bad_vlans),
		cmocka_unit_test(test_representor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
