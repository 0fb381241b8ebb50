/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is said to the kernel of a PF and its VFs, in how many messages, and
 * what becomes of a refusal. rtnl_talk() is a kernel of memory here: it takes
 * the attributes of an RTM_SETLINK one by one and stops at the first that its
 * driver does not do, as do_setvfinfo() does.
 */

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

#define VFS 7
#define IFNAME "lo" /* its index must be found */

struct rtnl {
	/* the machine */
	bool up;
	uint32_t mtu;
	struct rtnl_vf vf[VFS];
	/* the driver: types of IFLA_VF_* it refuses, takes and forgets, does
	 * not report */
	uint32_t refuses, forgets, silent;
	int err;
	/* what was asked */
	unsigned sets, gets, attributes;
	uint16_t order[64];
};

/* ---- the kernel ---------------------------------------------------------- */

static void take(struct rtnl *r, unsigned vf, struct nlattr *at)
{
	void *data = nla_data(at);
	const struct ifla_vf_rate *rate = data;
	const struct ifla_vf_spoofchk *one = data;
	const struct ifla_vf_mac *mac = data;
	struct rtnl_vf *v = &r->vf[vf];

	if (r->forgets & BIT(nla_type(at)))
		return;
	switch (nla_type(at)) {
	case IFLA_VF_MAC:
		memcpy(v->mac, mac->mac, 6);
		break;
	case IFLA_VF_VLAN_LIST:
		v->vlan = (uint16_t)((struct ifla_vf_vlan_info *)nla_data(data))
		                  ->vlan;
		break;
	case IFLA_VF_RATE:
		v->rate_min = rate->min_tx_rate;
		v->rate_max = rate->max_tx_rate;
		break;
	case IFLA_VF_SPOOFCHK:
		v->spoof = one->setting;
		break;
	case IFLA_VF_TRUST:
		v->trust = one->setting;
		break;
	case IFLA_VF_RSS_QUERY_EN:
		v->rss = one->setting;
		break;
	case IFLA_VF_LINK_STATE:
		v->link_state = (enum pol_link_state)one->setting;
		break;
	default:
		fail_msg("attribute %d?", nla_type(at));
	}
}

static int take_info(struct rtnl *r, struct nlattr *info)
{
	struct nlattr *at = nla_data(info);
	const uint32_t *vf = nla_type(at) == IFLA_VF_VLAN_LIST
	                             ? nla_data(nla_data(at))
	                             : nla_data(at);

	assert_int_equal(nla_type(info), IFLA_VF_INFO);
	assert_int_equal(nla_len(info), nla_total_size(nla_len(at)));
	if (*vf >= VFS)
		return -EINVAL;
	if (r->refuses & BIT(nla_type(at)))
		return r->err;
	r->order[r->attributes++ % 64] = (uint16_t)nla_type(at);
	take(r, *vf, at);
	return 0;
}

static int set_link(struct rtnl *r, struct nlmsghdr *h)
{
	const struct ifinfomsg *i = nlmsg_data(h);
	struct nlattr *mtu = nlmsg_find_attr(h, sizeof(*i), IFLA_MTU);
	struct nlattr *list = nlmsg_find_attr(h, sizeof(*i), IFLA_VFINFO_LIST);
	struct nlattr *info;
	int left, e = 0;

	r->sets++;
	if (mtu && nla_get_u32(mtu) > 9000)
		return -EINVAL;
	if (mtu)
		r->mtu = nla_get_u32(mtu);
	if (i->ifi_change & IFF_UP)
		r->up = i->ifi_flags & IFF_UP;
	for (info = list ? nla_data(list) : NULL,
	    left = list ? nla_len(list) : 0;
	     !e && list && nla_ok(info, left); info = nla_next(info, &left))
		e = take_info(r, info);
	return e;
}

static void put_vf(struct nl_msg *m, const struct rtnl *r, unsigned i)
{
	const struct rtnl_vf *v = &r->vf[i];
	struct ifla_vf_mac mac = { .vf = i };
	struct ifla_vf_vlan vlan = { i, v->vlan, 0 };
	struct ifla_vf_rate rate = { i, v->rate_min, v->rate_max };
	struct ifla_vf_spoofchk s = { i, v->spoof }, t = { i, v->trust },
				rss = { i, r->silent & BIT(IFLA_VF_RSS_QUERY_EN)
		                                   ? UINT32_MAX
		                                   : v->rss },
				link = { i, v->link_state };
	struct nlattr *info = nla_nest_start(m, IFLA_VF_INFO);

	memcpy(mac.mac, v->mac, 6);
	nla_put(m, IFLA_VF_MAC, sizeof(mac), &mac);
	nla_put(m, IFLA_VF_VLAN, sizeof(vlan), &vlan);
	nla_put(m, IFLA_VF_RATE, sizeof(rate), &rate);
	nla_put(m, IFLA_VF_SPOOFCHK, sizeof(s), &s);
	nla_put(m, IFLA_VF_TRUST, sizeof(t), &t);
	nla_put(m, IFLA_VF_RSS_QUERY_EN, sizeof(rss), &rss);
	nla_put(m, IFLA_VF_LINK_STATE, sizeof(link), &link);
	nla_nest_end(m, info);
}

static int get_link(struct rtnl *r, int (*reply)(struct nlmsghdr *h, void *arg),
                    void *arg)
{
	struct ifinfomsg i = { .ifi_index = 1,
		               .ifi_flags = r->up ? IFF_UP : 0 };
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWLINK, 0);
	struct nlattr *list;
	int e;

	r->gets++;
	nlmsg_append(m, &i, sizeof(i), NLMSG_ALIGNTO);
	nla_put_u32(m, IFLA_MTU, r->mtu);
	list = nla_nest_start(m, IFLA_VFINFO_LIST);
	for (unsigned k = 0; k < VFS; k++)
		put_vf(m, r, k);
	nla_nest_end(m, list);
	e = reply(nlmsg_hdr(m), arg);
	nlmsg_free(m);
	return e;
}

int rtnl_talk(struct rtnl *r, struct nl_msg *msg,
              int (*reply)(struct nlmsghdr *h, void *arg), void *arg,
              char words[static RTNL_WORDS])
{
	struct nlmsghdr *h = nlmsg_hdr(msg);
	int e = h->nlmsg_type == RTM_SETLINK ? set_link(r, h)
	                                     : get_link(r, reply, arg);

	snprintf(words, RTNL_WORDS, "%s", e ? "not on this chip" : "");
	nlmsg_free(msg);
	return e;
}

/* ---- actions ------------------------------------------------------------- */

static struct pol_action action(enum pol_op op, int vf, uint32_t number)
{
	struct pol_action a = { .op = op,
		                .pf = { .bus = 1 },
		                .ifname = IFNAME,
		                .vf = vf,
		                .number = number,
		                .rate_max = number,
		                .vlan = (uint16_t)number,
		                .proto = 0x8100 };

	memcpy(a.mac, (uint8_t[]){ 2, 0, 0, 0, 0, (uint8_t)vf }, 6);
	return a;
}

static const enum pol_op vf_ops[] = { POL_OP_VF_MAC,   POL_OP_VF_VLAN,
	                              POL_OP_VF_RATE,  POL_OP_VF_SPOOF,
	                              POL_OP_VF_TRUST, POL_OP_VF_RSS,
	                              POL_OP_VF_LINK };
#define ALL (2 + ARRAY_SIZE(vf_ops) * VFS)

/* MTU, link, and every knob of every VF, in the plan's order. */
static size_t all_actions(struct pol_action a[static ALL])
{
	size_t n = 0;

	a[n++] = action(POL_OP_PF_MTU, -1, 9000);
	a[n++] = action(POL_OP_PF_LINK, -1, 1);
	for (size_t k = 0; k < ARRAY_SIZE(vf_ops); k++)
		for (int i = 0; i < VFS; i++)
			a[n++] = action(vf_ops[k], i, 1);
	return n;
}

/* ---- tests --------------------------------------------------------------- */

static void test_together(void **state)
{
	struct pol_action a[ALL + 1];
	size_t n = all_actions(a);

	(void)state;
	assert_int_equal(rtnl_together(a, 0), 0);
	assert_int_equal(rtnl_together(a, n), n);
	a[n] = action(POL_OP_VF_DRIVER, 0, 0);
	assert_int_equal(rtnl_together(a, n + 1), n);
	assert_int_equal(rtnl_together(a + n, 1), 1);
	a[20].pf.bus = 2; /* another PF's */
	assert_int_equal(rtnl_together(a, n), 20);
	assert_int_equal(rtnl_together(a + 20, n - 20), 1);
	/* The kernel would do these before the VFs. */
	a[2] = action(POL_OP_PF_LINK, -1, 0);
	assert_int_equal(rtnl_together(a, n), 2);
	a[1] = a[2];
	a[0] = a[2];
	assert_int_equal(rtnl_together(a, n), 1);
}

static void test_batch_is_bounded(void **state)
{
	static struct pol_action a[RTNL_BATCH + 10];
	struct nl_msg *m;

	(void)state;
	for (int i = 0; i < RTNL_BATCH + 10; i++)
		a[i] = action(POL_OP_VF_MAC, i % POL_VFS_MAX, 0);
	assert_int_equal(rtnl_together(a, ARRAY_SIZE(a)), RTNL_BATCH);
	m = rtnl_set_message(a, RTNL_BATCH, 1);
	assert_non_null(m);
	assert_true(nlmsg_hdr(m)->nlmsg_len > RTNL_BATCH * 40);
	nlmsg_free(m);
	for (int i = 0; i < RTNL_BATCH; i++)
		a[i] = action(POL_OP_VF_VLAN, i, 0);
	m = rtnl_set_message(a, RTNL_BATCH, 1);
	assert_non_null(m);
	nlmsg_free(m);
}

/* Fifty-one settings: one message, and one to read them back. */
static void test_one_message(void **state)
{
	struct rtnl r = { .mtu = 1500 };
	struct pol_action a[ALL];
	size_t n = all_actions(a), done;
	struct diag d = { 0 };

	(void)state;
	assert_int_equal(rtnl_set(&r, a, n, "igb", &done, &d), 0);
	assert_int_equal(done, n);
	assert_int_equal(r.sets, 1);
	assert_int_equal(r.gets, 1);
	assert_true(r.up);
	assert_int_equal(r.mtu, 9000);
	assert_int_equal(r.attributes, n - 2);
	assert_int_equal(r.order[0], IFLA_VF_MAC);
	assert_int_equal(r.order[VFS], IFLA_VF_VLAN_LIST);
	assert_int_equal(r.order[n - 3], IFLA_VF_LINK_STATE);
	for (unsigned i = 0; i < VFS; i++)
		assert_true(r.vf[i].mac[5] == i && r.vf[i].trust &&
		            r.vf[i].link_state == POL_LINK_ENABLE &&
		            r.vf[i].rate_max == 1 && r.vf[i].vlan == 1);
}

/* The kernel does not say which of them was refused; we do, in its words. */
static void test_refusal_has_a_name(void **state)
{
	struct rtnl r = { .mtu = 1500,
		          .refuses = BIT(IFLA_VF_RSS_QUERY_EN),
		          .err = -EOPNOTSUPP };
	struct pol_action a[ALL];
	size_t n = all_actions(a), done;
	struct diag d = { 0 };

	(void)state;
	assert_int_equal(rtnl_set(&r, a, n, "igb", &done, &d), -EOPNOTSUPP);
	assert_int_equal(done, 2 + 5 * VFS);
	assert_int_equal(a[done].op, POL_OP_VF_RSS);
	assert_int_equal(d.code, FL_NETD_LINK);
	assert_non_null(strstr(d.what, "VF 0 of lo RSS query on"));
	assert_non_null(strstr(d.why, "igb does not support"));
	assert_non_null(strstr(d.why, "not on this chip"));
	assert_non_null(strstr(d.mend, "query-rss"));
	/* What came before is not set again, what was refused once is. */
	assert_int_equal(r.sets, 2);
	assert_true(rtnl_unsupported(&a[done], -EOPNOTSUPP));
	assert_true(rtnl_unsupported(&a[done], -EPROTONOSUPPORT));
	assert_false(rtnl_unsupported(&a[done], -EINVAL));
	assert_false(rtnl_unsupported(&a[done], -EBUSY));
	a[0] = action(POL_OP_VF_RATE, 0, 1);
	assert_true(rtnl_unsupported(a, -EINVAL));
}

/* Of what the driver does not report nobody knows that it was done. */
static void test_silent_is_set_again(void **state)
{
	struct rtnl r = { .refuses = BIT(IFLA_VF_LINK_STATE),
		          .silent = BIT(IFLA_VF_RSS_QUERY_EN),
		          .err = -EOPNOTSUPP };
	struct pol_action a[] = { action(POL_OP_VF_TRUST, 0, 1),
		                  action(POL_OP_VF_RSS, 0, 1),
		                  action(POL_OP_VF_LINK, 0, 1) };
	struct diag d = { 0 };
	size_t done;

	(void)state;
	assert_int_equal(rtnl_set(&r, a, 3, "x", &done, &d), -EOPNOTSUPP);
	assert_int_equal(done, 2);
	assert_int_equal(r.sets, 3); /* all, RSS, link state */
	assert_int_equal(r.order[0], IFLA_VF_TRUST);
	assert_int_equal(r.order[1], IFLA_VF_RSS_QUERY_EN);
	assert_int_equal(r.order[2], IFLA_VF_RSS_QUERY_EN);
	assert_int_equal(r.attributes, 3);
}

static void test_forgotten_is_found(void **state)
{
	struct rtnl r = { .forgets = BIT(IFLA_VF_TRUST) };
	struct pol_action a[ALL];
	size_t n = all_actions(a), done;
	struct diag d = { 0 };

	(void)state;
	assert_int_equal(rtnl_set(&r, a, n, "igb", &done, &d), -EIO);
	assert_int_equal(d.code, FL_NETD_READBACK);
	assert_int_equal(a[done].op, POL_OP_VF_TRUST);
	assert_non_null(strstr(d.why, "another value"));
}

static void test_one_alone(void **state)
{
	struct rtnl r = { .mtu = 1500 };
	struct pol_action a = action(POL_OP_PF_MTU, -1, 9001);
	struct diag d = { 0 };
	size_t done;

	(void)state;
	assert_int_equal(rtnl_set(&r, &a, 1, "igb", &done, &d), -EINVAL);
	assert_int_equal(done, 0);
	assert_non_null(strstr(d.what, "MTU of lo 9001"));
	a.number = 1400;
	assert_int_equal(rtnl_set(&r, &a, 1, "igb", &done, &d), 0);
	assert_int_equal(done, 1);
	assert_int_equal(r.mtu, 1400);
	a = action(POL_OP_VF_MAC, POL_VFS_MAX, 0);
	assert_int_equal(rtnl_set(&r, &a, 1, "igb", &done, &d), -EINVAL);
	a = action(POL_OP_VF_MAC, 0, 0);
	strcpy(a.ifname, "no-such-link");
	assert_int_equal(rtnl_set(&r, &a, 1, "igb", &done, &d), -ENODEV);
	assert_int_equal(d.code, FL_NETD_LINK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_together),
		cmocka_unit_test(test_batch_is_bounded),
		cmocka_unit_test(test_one_message),
		cmocka_unit_test(test_refusal_has_a_name),
		cmocka_unit_test(test_silent_is_set_again),
		cmocka_unit_test(test_forgotten_is_found),
		cmocka_unit_test(test_one_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
