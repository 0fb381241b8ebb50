/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a driver reports of its VFs, and what it does not: messages as the
 * kernel's rtnl_fill_vfinfo() makes them. */

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "netd/priv.h"

#define UNKNOWN UINT32_MAX /* what rtnetlink starts from, per attribute */

struct vf {
	uint32_t index, spoof, trust, rss, link, rate;
	uint16_t vlan, qos, proto;
	bool list; /* with IFLA_VF_VLAN_LIST */
};

static void put_vf(struct nl_msg *m, const struct vf *v)
{
	struct ifla_vf_mac mac = { .vf = v->index, .mac = { 2, 3, 4, 5, 6 } };
	struct ifla_vf_vlan vlan = { v->index, v->vlan, v->qos };
	struct ifla_vf_vlan_info i = { v->index, v->vlan, v->qos,
		                       (uint16_t)(v->proto >> 8 |
		                                  v->proto << 8) };
	struct ifla_vf_spoofchk spoof = { v->index, v->spoof };
	struct ifla_vf_trust trust = { v->index, v->trust };
	struct ifla_vf_rss_query_en rss = { v->index, v->rss };
	struct ifla_vf_link_state link = { v->index, v->link };
	struct ifla_vf_rate rate = { v->index, v->rate / 2, v->rate };
	struct nlattr *info = nla_nest_start(m, IFLA_VF_INFO), *list;

	nla_put(m, IFLA_VF_MAC, sizeof(mac), &mac);
	nla_put(m, IFLA_VF_VLAN, sizeof(vlan), &vlan);
	nla_put(m, IFLA_VF_SPOOFCHK, sizeof(spoof), &spoof);
	nla_put(m, IFLA_VF_TRUST, sizeof(trust), &trust);
	nla_put(m, IFLA_VF_RSS_QUERY_EN, sizeof(rss), &rss);
	nla_put(m, IFLA_VF_LINK_STATE, sizeof(link), &link);
	nla_put(m, IFLA_VF_RATE, sizeof(rate), &rate);
	if (v->list) {
		list = nla_nest_start(m, IFLA_VF_VLAN_LIST);
		nla_put(m, IFLA_VF_VLAN_INFO, sizeof(i), &i);
		nla_nest_end(m, list);
	}
	nla_nest_end(m, info);
}

static struct nl_msg *link_message(const struct vf *v, size_t n)
{
	struct ifinfomsg i = { .ifi_index = 7, .ifi_flags = IFF_UP };
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWLINK, 0);
	struct nlattr *list;

	nlmsg_append(m, &i, sizeof(i), NLMSG_ALIGNTO);
	nla_put_string(m, IFLA_IFNAME, "eth0");
	nla_put_u32(m, IFLA_MTU, 9000);
	list = nla_nest_start(m, IFLA_VFINFO_LIST);
	for (size_t k = 0; k < n; k++)
		put_vf(m, &v[k]);
	nla_nest_end(m, list);
	return m;
}

static struct rtnl_link *decoded(const struct vf *v, size_t n)
{
	struct rtnl_link *l = calloc(1, sizeof(*l));
	struct nl_msg *m = link_message(v, n);

	assert_int_equal(rtnl_link_decode(nlmsg_hdr(m), l), 0);
	assert_int_equal(l->ifindex, 7);
	assert_true(l->up);
	nlmsg_free(m);
	return l;
}

static void test_all_known(void **state)
{
	const struct vf v[] = {
		{ .index = 0,
		  .spoof = 1,
		  .vlan = 100,
		  .qos = 3,
		  .proto = 0x88a8,
		  .rss = 1,
		  .link = POL_LINK_DISABLE,
		  .rate = 500,
		  .list = true },
		{ .index = 6, .trust = 1, .proto = 0x8100, .list = true },
	};
	struct rtnl_link *l = decoded(v, ARRAY_SIZE(v));
	const uint32_t all = POL_HAS_KNOBS;

	(void)state;
	assert_int_equal(l->vf[0].has, all);
	assert_memory_equal(l->vf[0].mac, "\2\3\4\5\6\0", 6);
	assert_int_equal(l->vf[0].vlan, 100);
	assert_int_equal(l->vf[0].qos, 3);
	assert_int_equal(l->vf[0].proto, 0x88a8);
	assert_true(l->vf[0].spoof);
	assert_false(l->vf[0].trust);
	assert_true(l->vf[0].rss);
	assert_int_equal(l->vf[0].link_state, POL_LINK_DISABLE);
	assert_int_equal(l->vf[0].rate_min, 250);
	assert_int_equal(l->vf[0].rate_max, 500);
	assert_int_equal(l->mtu, 9000);
	assert_int_equal(l->vf[6].has, all);
	assert_false(l->vf[6].spoof);
	assert_true(l->vf[6].trust);
	assert_int_equal(l->vf[1].has, 0); /* not in the message */
	free(l);
}

/* A driver that says nothing of a switch does not say "off". */
static void test_unknown(void **state)
{
	const struct vf v = { .index = 2,
		              .spoof = UNKNOWN,
		              .trust = UNKNOWN,
		              .rss = UNKNOWN,
		              .link = 7 };
	struct rtnl_link *l = decoded(&v, 1);

	(void)state;
	assert_int_equal(l->vf[2].has,
	                 POL_HAS_MAC | POL_HAS_VLAN | POL_HAS_RATE);
	assert_int_equal(l->vf[2].proto, 0x8100); /* no list: an old kernel */
	free(l);
}

static void test_beyond(void **state)
{
	const struct vf v[] = { { .index = POL_VFS_MAX },
		                { .index = UINT32_MAX },
		                { .index = POL_VFS_MAX - 1 } };
	struct rtnl_link *l = decoded(v, ARRAY_SIZE(v));

	(void)state;
	assert_true(l->vf[POL_VFS_MAX - 1].has & POL_HAS_MAC);
	for (unsigned i = 0; i < POL_VFS_MAX - 1; i++)
		assert_int_equal(l->vf[i].has, 0);
	free(l);
}

/* Cut anywhere: nothing is read beyond the end (the sanitizer watches). */
static void test_cut(void **state)
{
	const struct vf v = { .spoof = 1, .vlan = 1, .list = true };
	struct nl_msg *m = link_message(&v, 1);
	const struct nlmsghdr *h = nlmsg_hdr(m);

	(void)state;
	for (uint32_t len = NLMSG_HDRLEN; len < h->nlmsg_len; len++) {
		struct rtnl_link *l = calloc(1, sizeof(*l));
		struct nlmsghdr *cut = malloc(len);

		memcpy(cut, h, len);
		cut->nlmsg_len = len;
		(void)!rtnl_link_decode(cut, l);
		free(cut);
		free(l);
	}
	nlmsg_free(m);
}

static void test_other_message(void **state)
{
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWADDR, 0);
	struct rtnl_link l;

	(void)state;
	assert_int_equal(rtnl_link_decode(nlmsg_hdr(m), &l), -EBADMSG);
	nlmsg_free(m);
}

/* What the card was made with, and other names that it answers to. */
static void test_identity(void **state)
{
	static const uint8_t mac[] = { 0x52, 0x54, 0, 0, 0, 1 };
	struct ifinfomsg i = { .ifi_index = 7 };
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWLINK, 0);
	struct rtnl_link *l = calloc(1, sizeof(*l));
	struct nlattr *list;
	char name[16];

	(void)state;
	nlmsg_append(m, &i, sizeof(i), NLMSG_ALIGNTO);
	nla_put(m, IFLA_PERM_ADDRESS, sizeof(mac), mac);
	list = nla_nest_start(m, IFLA_PROP_LIST);
	for (unsigned n = 0; n < POL_ALTNAMES + 1; n++) {
		snprintf(name, sizeof(name), "alt%u", n);
		nla_put_string(m, IFLA_ALT_IFNAME, name);
	}
	nla_nest_end(m, list);
	assert_int_equal(rtnl_link_decode(nlmsg_hdr(m), l), 0);
	assert_true(l->has_perm_mac);
	assert_memory_equal(l->perm_mac, mac, sizeof(mac));
	assert_string_equal(l->altname[0], "alt0");
	assert_string_equal(l->altname[POL_ALTNAMES - 1], "alt3");
	nlmsg_free(m);
	free(l);
	/* An InfiniBand address is longer, and is no MAC. */
	l = decoded(NULL, 0);
	assert_true(!l->has_perm_mac && !*l->altname[0]);
	free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_known),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_beyond),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_other_message),
		cmocka_unit_test(test_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
