/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a PF's link and its VFs are to be: set, read back, compared. A driver
 * that takes a value and does something else is caught here and not by the
 * guest.
 *
 * Actions of one PF go in one RTM_SETLINK, each a IFLA_VF_INFO of its own in
 * the plan's order, behind the PF's MTU and flags: the kernel takes them so
 * (do_setlink()), one after the other, and stops at the first that is refused.
 * It does not say which that was. So after a refusal the link is read, and
 * what is not as wanted is set again one by one: then the errno and the
 * driver's words are of one action. What was done before it stays done; going
 * back is from what is read, not from a count (apply.c).
 *
 * RTNL_BATCH bounds how long one message holds the kernel's rtnl lock.
 */

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "netd/priv.h"

#define ETH_P_8021AD 0x88a8
#define BATCH_BYTES(n) (256 + 48 * (n)) /* a MAC takes 44 */

/* Each puts its attribute of the VF into the message. */
static int put_mac(struct nl_msg *m, const struct pol_action *a)
{
	struct ifla_vf_mac v = { .vf = (uint32_t)a->vf };

	memcpy(v.mac, a->mac, sizeof(a->mac));
	return nla_put(m, IFLA_VF_MAC, sizeof(v), &v);
}

static int put_vlan(struct nl_msg *m, const struct pol_action *a)
{
	struct ifla_vf_vlan_info v = { .vf = (uint32_t)a->vf,
		                       .vlan = a->vlan,
		                       .qos = a->qos,
		                       .vlan_proto = htons(a->proto) };
	struct nlattr *list = nla_nest_start(m, IFLA_VF_VLAN_LIST);
	int r = list ? nla_put(m, IFLA_VF_VLAN_INFO, sizeof(v), &v) : -ENOMEM;

	if (list)
		nla_nest_end(m, list);
	return r;
}

static int put_spoof(struct nl_msg *m, const struct pol_action *a)
{
	struct ifla_vf_spoofchk v = { (uint32_t)a->vf, a->number };

	return nla_put(m, IFLA_VF_SPOOFCHK, sizeof(v), &v);
}

static int put_trust(struct nl_msg *m, const struct pol_action *a)
{
	struct ifla_vf_trust v = { (uint32_t)a->vf, a->number };

	return nla_put(m, IFLA_VF_TRUST, sizeof(v), &v);
}

/* IFLA_VF_RATE has both; IFLA_VF_TX_RATE would keep the lower one. */
static int put_rate(struct nl_msg *m, const struct pol_action *a)
{
	struct ifla_vf_rate v = { (uint32_t)a->vf, a->rate_min, a->rate_max };

	return nla_put(m, IFLA_VF_RATE, sizeof(v), &v);
}

static int put_rss(struct nl_msg *m, const struct pol_action *a)
{
	struct ifla_vf_rss_query_en v = { (uint32_t)a->vf, a->number };

	return nla_put(m, IFLA_VF_RSS_QUERY_EN, sizeof(v), &v);
}

static int put_link(struct nl_msg *m, const struct pol_action *a)
{
	struct ifla_vf_link_state v = { (uint32_t)a->vf, a->number };

	return nla_put(m, IFLA_VF_LINK_STATE, sizeof(v), &v);
}

/* True where it reads as set, or where the driver does not report it. */
static bool has_mac(const struct rtnl_vf *v, const struct pol_action *a)
{
	return !(v->has & POL_HAS_MAC) || !memcmp(v->mac, a->mac, 6);
}

static bool has_vlan(const struct rtnl_vf *v, const struct pol_action *a)
{
	return !(v->has & POL_HAS_VLAN) ||
	       (v->vlan == a->vlan && v->qos == a->qos &&
	        (!a->vlan || v->proto == a->proto));
}

static bool has_spoof(const struct rtnl_vf *v, const struct pol_action *a)
{
	return !(v->has & POL_HAS_SPOOF) || v->spoof == !!a->number;
}

static bool has_trust(const struct rtnl_vf *v, const struct pol_action *a)
{
	return !(v->has & POL_HAS_TRUST) || v->trust == !!a->number;
}

static bool has_rate(const struct rtnl_vf *v, const struct pol_action *a)
{
	return !(v->has & POL_HAS_RATE) ||
	       (v->rate_min == a->rate_min && v->rate_max == a->rate_max);
}

static bool has_rss(const struct rtnl_vf *v, const struct pol_action *a)
{
	return !(v->has & POL_HAS_RSS) || v->rss == !!a->number;
}

static bool has_link(const struct rtnl_vf *v, const struct pol_action *a)
{
	return !(v->has & POL_HAS_LINK_STATE) || v->link_state == a->number;
}

struct knob {
	const char *name, *key; /* as people and the policy call it */
	uint32_t has;
	int (*put)(struct nl_msg *m, const struct pol_action *a);
	bool (*is)(const struct rtnl_vf *v, const struct pol_action *a);
};
// clang-format off
static const struct knob knobs[POL_OP_MAX] = {
	[POL_OP_VF_MAC] = { "a VF's MAC", "mac-address",
	                    POL_HAS_MAC, put_mac, has_mac },
	[POL_OP_VF_VLAN] = { "a VF's VLAN", "vlan",
	                     POL_HAS_VLAN, put_vlan, has_vlan },
	[POL_OP_VF_RATE] = { "that rate of a VF", "tx-rate",
	                     POL_HAS_RATE, put_rate, has_rate },
	[POL_OP_VF_SPOOF] = { "a VF's spoof check", "spoof-check",
	                      POL_HAS_SPOOF, put_spoof, has_spoof },
	[POL_OP_VF_TRUST] = { "a VF's trust", "trust",
	                      POL_HAS_TRUST, put_trust, has_trust },
	[POL_OP_VF_RSS] = { "a VF's query of RSS", "query-rss",
	                    POL_HAS_RSS, put_rss, has_rss },
	[POL_OP_VF_LINK] = { "a VF's link state", "link-state",
	                     POL_HAS_LINK_STATE, put_link, has_link },
};
// clang-format on

static bool of_pf(const struct pol_action *a)
{
	return a->op == POL_OP_PF_MTU || a->op == POL_OP_PF_LINK;
}

static bool of_vf(const struct pol_action *a)
{
	return a->op < POL_OP_MAX && knobs[a->op].put && a->vf >= 0 &&
	       a->vf < POL_VFS_MAX;
}

/* ---- the message --------------------------------------------------------- */

static int put_info(struct nl_msg *m, const struct pol_action *a)
{
	struct nlattr *info = nla_nest_start(m, IFLA_VF_INFO);

	if (!info || knobs[a->op].put(m, a) < 0)
		return -ENOMEM;
	nla_nest_end(m, info);
	return 0;
}

static int put_all(struct nl_msg *m, const struct pol_action *a, size_t n)
{
	struct nlattr *list;

	for (size_t i = 0; i < n; i++)
		if (a[i].op == POL_OP_PF_MTU &&
		    nla_put_u32(m, IFLA_MTU, a[i].number) < 0)
			return -ENOMEM;
	if (!n || of_pf(&a[n - 1]))
		return 0;
	list = nla_nest_start(m, IFLA_VFINFO_LIST);
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (!of_pf(&a[i]) && put_info(m, &a[i]) < 0)
			return -ENOMEM;
	nla_nest_end(m, list);
	return 0;
}

struct nl_msg *rtnl_set_message(const struct pol_action *a, size_t n,
                                unsigned ifindex)
{
	struct ifinfomsg i = { .ifi_index = (int)ifindex };
	struct nl_msg *m = nlmsg_alloc_size(BATCH_BYTES(n));
	struct nlmsghdr *h;

	if (!m)
		return NULL;
	for (size_t k = 0; k < n; k++)
		if (a[k].op == POL_OP_PF_LINK) {
			i.ifi_change = IFF_UP;
			i.ifi_flags = a[k].number ? IFF_UP : 0;
		}
	h = nlmsg_put(m, NL_AUTO_PORT, NL_AUTO_SEQ, RTM_SETLINK, 0, NLM_F_ACK);
	if (h && nlmsg_append(m, &i, sizeof(i), NLMSG_ALIGNTO) >= 0 &&
	    put_all(m, a, n) >= 0)
		return m;
	nlmsg_free(m);
	return NULL;
}

/* May `b` come behind `a` in one message? The kernel sets MTU, flags, VFs. */
static bool follows(const struct pol_action *a, const struct pol_action *b)
{
	if (!bdf_equal(a->pf, b->pf) || strcmp(a->ifname, b->ifname) != 0)
		return false;
	return of_pf(b) ? of_pf(a) && a->op < b->op : of_vf(b);
}

size_t rtnl_together(const struct pol_action *a, size_t n)
{
	size_t k = 1;

	if (!n || (!of_pf(a) && !of_vf(a)))
		return MIN(n, (size_t)1);
	while (k < n && k < RTNL_BATCH && follows(&a[k - 1], &a[k]))
		k++;
	return k;
}

/* ---- what is said of it -------------------------------------------------- */

static const char *knob_text(const struct pol_action *a)
{
	if (a->op == POL_OP_VF_VLAN && a->proto == ETH_P_8021AD)
		return "VLAN protocol 802.1ad on a VF";
	return knobs[a->op].name;
}

const char *rtnl_knob_key(enum pol_op op)
{
	return op < POL_OP_MAX ? knobs[op].key : NULL;
}

uint32_t rtnl_knob_has(enum pol_op op)
{
	return op < POL_OP_MAX ? knobs[op].has : 0;
}

bool rtnl_unsupported(const struct pol_action *a, int err)
{
	/* A rate that the link cannot have is refused in this word. */
	return err == -EOPNOTSUPP || err == -EPROTONOSUPPORT ||
	       (err == -EINVAL && a->op == POL_OP_VF_RATE);
}

static int refused(const struct pol_action *a, int err, const char *driver,
                   const char *words, struct diag *d)
{
	bool cannot =
		err == -EOPNOTSUPP || err == -EPROTONOSUPPORT || err == -EINVAL;
	char text[DIAG_LINE];

	pol_action_text(a, text, sizeof(text));
	diag_fail(d, err, FL_NETD_LINK, "cannot %s", text);
	if (cannot && knobs[a->op].name)
		diag_why(d, "driver %s does not support %s: %s%s%s",
		         *driver ? driver : "?", knob_text(a), strerror(-err),
		         *words ? ": " : "", words);
	else
		diag_why(d, "%s%s%s", strerror(-err), *words ? ": " : "",
		         words);
	if (cannot && knobs[a->op].name)
		diag_mend(d,
		          "change or leave out %s in the policy, or write "
		          "`unsupported: warn` beside it; see `dmesg | grep "
		          "%s`",
		          knobs[a->op].key, *driver ? driver : a->ifname);
	else
		diag_mend(d, "see `ip -d link show dev %s` and `dmesg`",
		          a->ifname);
	return err;
}

static int not_as_set(const struct rtnl_link *l, const struct pol_action *a,
                      struct diag *d)
{
	char text[DIAG_LINE];

	pol_action_text(a, text, sizeof(text));
	diag_fail(d, -EIO, FL_NETD_READBACK, "cannot %s", text);
	diag_why(d, "the driver accepted it, but reports %s",
	         of_pf(a) || l->vf[a->vf].has ? "another value"
	                                      : "nothing of that VF");
	diag_mend(d, "see `ip -d link show dev %s` and `dmesg`", a->ifname);
	return -EIO;
}

/* ---- setting ------------------------------------------------------------- */

/* One attribute may not be reported by the driver; a VF of which nothing is,
 * has gone. */
static bool is_set(const struct rtnl_link *l, const struct pol_action *a)
{
	if (a->op == POL_OP_PF_LINK)
		return l->up == !!a->number;
	if (a->op == POL_OP_PF_MTU)
		return l->mtu == a->number;
	return l->vf[a->vf].has && knobs[a->op].is(&l->vf[a->vf], a);
}

/* Not only accepted: the driver says so. */
static bool is_known(const struct rtnl_link *l, const struct pol_action *a)
{
	return of_pf(a) || l->vf[a->vf].has & knobs[a->op].has;
}

struct setting {
	struct rtnl *r;
	unsigned ifindex;
	const char *driver;
	struct rtnl_link link; /* as read last */
	struct diag *d;
};

static int talk(struct setting *s, const struct pol_action *a, size_t n,
                char words[static RTNL_WORDS])
{
	struct nl_msg *m = rtnl_set_message(a, n, s->ifindex);

	words[0] = '\0';
	return m ? rtnl_talk(s->r, m, NULL, NULL, words) : -ENOMEM;
}

static int check(struct setting *s, const struct pol_action *a, size_t n,
                 size_t *ret_done)
{
	int e = rtnl_link_read(s->r, a->ifname, s->ifindex, &s->link, s->d);

	if (e)
		return e;
	for (*ret_done = 0; *ret_done < n; (*ret_done)++)
		if (!is_set(&s->link, &a[*ret_done]))
			return not_as_set(&s->link, &a[*ret_done], s->d);
	return 0;
}

static int set_one(struct setting *s, const struct pol_action *a)
{
	char words[RTNL_WORDS];
	int e = talk(s, a, 1, words);
	size_t done;

	return e ? refused(a, e, s->driver, words, s->d)
	         : check(s, a, 1, &done);
}

/* After a refusal of them together. */
static int set_each(struct setting *s, const struct pol_action *a, size_t n,
                    size_t *ret_done)
{
	int e = rtnl_link_read(s->r, a->ifname, s->ifindex, &s->link, s->d);

	for (size_t i = 0; !e && i < n; i++) {
		*ret_done = i;
		if (!is_known(&s->link, &a[i]) || !is_set(&s->link, &a[i]))
			e = set_one(s, &a[i]);
	}
	*ret_done += !e;
	return e;
}

static int set_all(struct setting *s, const struct pol_action *a, size_t n,
                   size_t *ret_done)
{
	char words[RTNL_WORDS];
	int e = talk(s, a, n, words);

	if (e && n > 1)
		return set_each(s, a, n, ret_done);
	return e ? refused(a, e, s->driver, words, s->d)
	         : check(s, a, n, ret_done);
}

int rtnl_set(struct rtnl *r, const struct pol_action *a, size_t n,
             const char *driver, size_t *ret_done, struct diag *d)
{
	_cleanup_free_ struct setting *s = calloc(1, sizeof(*s));

	*ret_done = 0;
	if (!s)
		return diag_fail(d, -ENOMEM, FL_NETD_MEMORY, "no memory");
	*s = (struct setting){ .r = r, .driver = driver, .d = d };
	if (!of_pf(a) && !of_vf(a)) {
		diag_fail(d, -EINVAL, FL_NETD_LINK, "no such VF: %d", a->vf);
		diag_mend(d, "that is an error of the planner: report it");
		return -EINVAL;
	}
	s->ifindex = if_nametoindex(a->ifname);
	if (!s->ifindex)
		return refused(a, -ENODEV, driver, "", d);
	return set_all(s, a, n, ret_done);
}
