/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One attribute set, read back, compared. A driver that takes a value and
 * does something else is caught here and not by the guest.
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

struct knob {
	const char *name;
	int (*put)(struct nl_msg *m, const struct pol_action *a);
	bool (*is)(const struct rtnl_vf *v, const struct pol_action *a);
};
// clang-format off
static const struct knob knobs[POL_OP_MAX] = {
	[POL_OP_VF_MAC]   = { "a VF's MAC",         put_mac,   has_mac },
	[POL_OP_VF_VLAN]  = { "a VF's VLAN",        put_vlan,  has_vlan },
	[POL_OP_VF_SPOOF] = { "a VF's spoof check", put_spoof, has_spoof },
	[POL_OP_VF_TRUST] = { "a VF's trust",       put_trust, has_trust },
};
// clang-format on

static int put_vf(struct nl_msg *m, const struct pol_action *a)
{
	struct nlattr *list = nla_nest_start(m, IFLA_VFINFO_LIST);
	struct nlattr *info = list ? nla_nest_start(m, IFLA_VF_INFO) : NULL;

	if (!info || knobs[a->op].put(m, a) < 0)
		return -ENOMEM;
	nla_nest_end(m, info);
	nla_nest_end(m, list);
	return 0;
}

static struct nl_msg *message(const struct pol_action *a, unsigned ifindex)
{
	struct ifinfomsg i = { .ifi_index = (int)ifindex };
	struct nl_msg *m = nlmsg_alloc_simple(RTM_SETLINK, NLM_F_ACK);
	int r = -ENOMEM;

	if (a->op == POL_OP_PF_LINK) {
		i.ifi_change = IFF_UP;
		i.ifi_flags = a->number ? IFF_UP : 0;
	}
	if (m)
		r = nlmsg_append(m, &i, sizeof(i), NLMSG_ALIGNTO);
	if (m && r >= 0 && a->op != POL_OP_PF_LINK)
		r = put_vf(m, a);
	if (m && r < 0) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

static const char *knob_text(const struct pol_action *a)
{
	if (a->op == POL_OP_VF_VLAN && a->proto == ETH_P_8021AD)
		return "VLAN protocol 802.1ad on a VF";
	return knobs[a->op].name;
}

static const char *mend_key(enum pol_op op)
{
	return op == POL_OP_VF_MAC     ? "the guest nic's mac-address"
	       : op == POL_OP_VF_VLAN  ? "vlan"
	       : op == POL_OP_VF_SPOOF ? "spoof-check"
	                               : "trust";
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
		          "change or leave out %s in the policy, or see "
		          "`dmesg | grep %s`",
		          mend_key(a->op), *driver ? driver : a->ifname);
	else
		diag_mend(d, "see `ip -d link show dev %s` and `dmesg`",
		          a->ifname);
	return err;
}

static int read_back(struct rtnl *r, const struct pol_action *a, struct diag *d)
{
	_cleanup_free_ struct rtnl_link *l = calloc(1, sizeof(*l));
	char text[DIAG_LINE];
	bool same;
	int e;

	if (!l)
		return diag_fail(d, -ENOMEM, FL_NETD_MEMORY, "no memory");
	e = rtnl_link_read(r, a->ifname, l, d);
	if (e)
		return e;
	/* One attribute may not be reported by the driver; a VF of which
	 * nothing is, has gone. */
	same = a->op == POL_OP_PF_LINK
	               ? l->up == !!a->number
	               : l->vf[a->vf].has && knobs[a->op].is(&l->vf[a->vf], a);
	if (same)
		return 0;
	pol_action_text(a, text, sizeof(text));
	diag_fail(d, -EIO, FL_NETD_READBACK, "cannot %s", text);
	diag_why(d, "the driver accepted it, but reports %s",
	         a->op == POL_OP_PF_LINK || l->vf[a->vf].has
	                 ? "another value"
	                 : "nothing of that VF");
	diag_mend(d, "see `ip -d link show dev %s` and `dmesg`", a->ifname);
	return -EIO;
}

int rtnl_set(struct rtnl *r, const struct pol_action *a, const char *driver,
             struct diag *d)
{
	unsigned ifindex = if_nametoindex(a->ifname);
	char words[RTNL_WORDS] = "";
	struct nl_msg *m;
	int e;

	if (a->op != POL_OP_PF_LINK &&
	    (!knobs[a->op].put || a->vf < 0 || a->vf >= POL_VFS_MAX))
		return diag_fail(d, -EINVAL, FL_NETD_LINK, "no such VF: %d",
		                 a->vf);
	if (!ifindex)
		return refused(a, -ENODEV, driver, words, d);
	m = message(a, ifindex);
	if (!m)
		return refused(a, -ENOMEM, driver, words, d);
	e = rtnl_talk(r, m, NULL, NULL, words);
	if (e)
		return refused(a, e, driver, words, d);
	return read_back(r, a, d);
}
