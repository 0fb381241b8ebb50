/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An interface put into its bridge: there first, then its VLANs, then up; and
 * read back. bridge.h says why.
 */

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "netd/bridge.h"

static const char *name_of(unsigned ifindex, char buf[static IF_NAMESIZE])
{
	if (!if_indextoname(ifindex, buf))
		snprintf(buf, IF_NAMESIZE, "#%u", ifindex);
	return buf;
}

static int refused(unsigned ifindex, const char *what, int err,
                   const char *words, struct diag *d)
{
	char name[IF_NAMESIZE];

	diag_fail(d, err, FL_NETD_BRIDGE, "cannot %s %s", what,
	          name_of(ifindex, name));
	diag_why(d, "%s%s%s", strerror(-err), *words ? ": " : "", words);
	diag_mend(d,
	          "see `ip -d link show dev %s`, `bridge vlan show` and "
	          "`dmesg`",
	          name);
	return err;
}

/* ---- messages ------------------------------------------------------------ */

static struct nl_msg *message(int type, unsigned char family, unsigned ifindex,
                              bool up)
{
	struct ifinfomsg i = { .ifi_family = family,
		               .ifi_index = (int)ifindex,
		               .ifi_change = up ? IFF_UP : 0,
		               .ifi_flags = up ? IFF_UP : 0 };
	struct nl_msg *m = nlmsg_alloc_simple(type, NLM_F_ACK);

	if (m && nlmsg_append(m, &i, sizeof(i), NLMSG_ALIGNTO) < 0) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

static int talk(struct rtnl *r, struct nl_msg *m, char words[static RTNL_WORDS])
{
	return m ? rtnl_talk(r, m, NULL, NULL, words) : -ENOMEM;
}

static int set_master(struct rtnl *r, unsigned ifindex, unsigned master,
                      char words[static RTNL_WORDS])
{
	struct nl_msg *m = message(RTM_SETLINK, AF_UNSPEC, ifindex, false);

	if (m && nla_put_u32(m, IFLA_MASTER, master) < 0) {
		nlmsg_free(m);
		m = NULL;
	}
	return talk(r, m, words);
}

static int set_flags(struct rtnl *r, unsigned ifindex, bool up,
                     char words[static RTNL_WORDS])
{
	struct nl_msg *m = message(RTM_SETLINK, AF_UNSPEC, ifindex, up);
	struct ifinfomsg *i = m ? nlmsg_data(nlmsg_hdr(m)) : NULL;

	if (i)
		i->ifi_change = IFF_UP;
	return talk(r, m, words);
}

/* VLANs first to last; RTM_SETLINK adds them, RTM_DELLINK takes them away. */
static int vlan_range(struct rtnl *r, int type, unsigned ifindex,
                      unsigned first, unsigned last, uint16_t flags,
                      char words[static RTNL_WORDS])
{
	struct bridge_vlan_info v = { flags, (uint16_t)first };
	struct nl_msg *m = message(type, AF_BRIDGE, ifindex, false);
	struct nlattr *spec = m ? nla_nest_start(m, IFLA_AF_SPEC) : NULL;
	int e = spec ? 0 : -ENOMEM;

	if (!e && first < last) {
		v.flags = flags | BRIDGE_VLAN_INFO_RANGE_BEGIN;
		e = nla_put(m, IFLA_BRIDGE_VLAN_INFO, sizeof(v), &v);
		v = (struct bridge_vlan_info){
			flags | BRIDGE_VLAN_INFO_RANGE_END, (uint16_t)last
		};
	}
	if (e >= 0)
		e = nla_put(m, IFLA_BRIDGE_VLAN_INFO, sizeof(v), &v);
	if (e < 0) {
		nlmsg_free(m);
		return -ENOMEM;
	}
	nla_nest_end(m, spec);
	return talk(r, m, words);
}

/* ---- VLANs --------------------------------------------------------------- */

/* What is to be done with VLAN `v`: 0 nothing, 1 away, 2 tagged, 3 untagged. */
static int step_of(const struct net_port *now, const struct net_port *want,
                   unsigned v)
{
	if (now->vlan[v] == want->vlan[v])
		return 0;
	return want->vlan[v] == NET_VLAN_NONE     ? 1
	       : want->vlan[v] == NET_VLAN_TAGGED ? 2
	                                          : 3;
}

static int set_vlans(struct rtnl *r, const struct net_port *now,
                     const struct net_port *want, char words[static RTNL_WORDS])
{
	static const uint16_t flags[] = {
		0, 0, 0, BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED
	};
	unsigned last;
	int e = 0;

	for (unsigned v = 1; !e && v < NET_VLANS; v = last + 1) {
		int step = step_of(now, want, v);

		last = v;
		while (step && step != 3 && last + 1 < NET_VLANS &&
		       step_of(now, want, last + 1) == step)
			last++;
		if (step)
			e = vlan_range(r, step == 1 ? RTM_DELLINK : RTM_SETLINK,
			               now->ifindex, v, last, flags[step],
			               words);
	}
	return e;
}

static int read_port(struct rtnl *r, unsigned ifindex, struct net_view *v,
                     struct net_port *ret)
{
	int e;

	memset(ret, 0, sizeof(*ret));
	ret->ifindex = ifindex;
	e = net_view_read(r, v, ret);
	if (!e && !net_find(v, ifindex))
		e = -ENODEV;
	return e;
}

static int vlans(struct rtnl *r, unsigned ifindex, const struct pol_port *want,
                 char words[static RTNL_WORDS])
{
	_cleanup_free_ struct net_port *now = calloc(2, sizeof(*now));
	struct net_view v = { 0 };
	int e = now ? read_port(r, ifindex, &v, now) : -ENOMEM;

	if (!e) {
		net_port_plan(want, &now[1]);
		e = set_vlans(r, now, &now[1], words);
	}
	net_view_free(&v);
	return e;
}

/* ---- a port -------------------------------------------------------------- */

static bool same_vlans(const struct net_port *is, const struct pol_port *want)
{
	_cleanup_free_ struct net_port *plan = calloc(1, sizeof(*plan));

	if (!plan)
		return false;
	net_port_plan(want, plan);
	return !memcmp(plan->vlan, is->vlan, sizeof(plan->vlan));
}

static int not_so(unsigned ifindex, const char *other, struct diag *d)
{
	char name[IF_NAMESIZE];

	diag_fail(d, -EIO, FL_NETD_READBACK, "cannot set up %s",
	          name_of(ifindex, name));
	diag_why(d, "the kernel accepted it, but reports another %s", other);
	diag_mend(d,
	          "see `ip -d link show dev %s`: does another program "
	          "(NetworkManager, networkd) take such interfaces?",
	          name);
	return -EIO;
}

static int read_back(struct rtnl *r, unsigned ifindex,
                     const struct pol_port *want, uint32_t set, bool raise,
                     struct diag *d)
{
	_cleanup_free_ struct net_port *now = calloc(1, sizeof(*now));
	struct net_view v = { 0 };
	const struct net_link *l;
	struct pol_port is = { 0 };
	const char *other = NULL;
	int e = now ? read_port(r, ifindex, &v, now) : -ENOMEM;

	if (!e) {
		l = net_find(&v, ifindex);
		net_port_see(&v, l, &is);
		other = strcmp(is.bridge, want->bridge) != 0 ? "bridge"
		        : raise && is.up != want->up         ? "state"
		        : set & POL_HAS_PORT_VLAN && *want->bridge &&
		                        !same_vlans(now, want)
		                ? "VLANs"
		                : NULL;
	}
	net_view_free(&v);
	if (e)
		return refused(ifindex, "read the link", e, "", d);
	return other ? not_so(ifindex, other, d) : 0;
}

static int no_bridge(unsigned ifindex, const char *bridge, struct diag *d)
{
	char name[IF_NAMESIZE];

	diag_fail(d, -ENODEV, FL_NETD_BRIDGE, "cannot put %s into %s",
	          name_of(ifindex, name), bridge);
	diag_why(d, "there is no such bridge");
	diag_mend(d, "ip link add %s type bridge vlan_filtering 1", bridge);
	return -ENODEV;
}

int bridge_port_set(struct rtnl *r, unsigned ifindex,
                    const struct pol_port *want, uint32_t set, bool raise,
                    struct diag *d)
{
	unsigned master = *want->bridge ? if_nametoindex(want->bridge) : 0;
	char words[RTNL_WORDS] = "";
	int e = 0;

	if (*want->bridge && !master)
		return no_bridge(ifindex, want->bridge, d);
	if (raise && !want->up)
		e = set_flags(r, ifindex, false, words);
	if (!e)
		e = set_master(r, ifindex, master, words);
	if (e)
		return refused(ifindex,
		               master ? "put into its bridge"
		                      : "take out of "
		                        "its bridge",
		               e, words, d);
	if (set & POL_HAS_PORT_VLAN && master)
		e = vlans(r, ifindex, want, words);
	if (e)
		return refused(ifindex, "set the VLANs of", e, words, d);
	if (raise && want->up)
		e = set_flags(r, ifindex, true, words);
	if (e)
		return refused(ifindex, "bring up", e, words, d);
	return read_back(r, ifindex, want, set, raise, d);
}

int bridge_port_raise(struct rtnl *r, unsigned ifindex, bool up, struct diag *d)
{
	char words[RTNL_WORDS] = "";
	const struct net_link *l;
	struct net_view v = { 0 };
	bool so;
	int e = set_flags(r, ifindex, up, words);

	if (!e)
		e = net_view_read(r, &v, NULL);
	if (e)
		return refused(ifindex, up ? "bring up" : "bring down", e,
		               words, d);
	l = net_find(&v, ifindex);
	so = l && l->up == up;
	net_view_free(&v);
	return so ? 0 : not_so(ifindex, "state", d);
}

/* ---- the bridge ---------------------------------------------------------- */

static struct nl_msg *filtering(unsigned ifindex, bool on)
{
	struct nl_msg *m = message(RTM_NEWLINK, AF_UNSPEC, ifindex, false);
	struct nlattr *info = m ? nla_nest_start(m, IFLA_LINKINFO) : NULL,
		      *data;

	if (info && nla_put_string(m, IFLA_INFO_KIND, "bridge") >= 0 &&
	    (data = nla_nest_start(m, IFLA_INFO_DATA)) &&
	    nla_put_u8(m, IFLA_BR_VLAN_FILTERING, on) >= 0) {
		nla_nest_end(m, data);
		nla_nest_end(m, info);
		return m;
	}
	if (m)
		nlmsg_free(m);
	return NULL;
}

int bridge_filtering_set(struct rtnl *r, const char *bridge, bool on,
                         struct diag *d)
{
	unsigned ifindex = if_nametoindex(bridge);
	char words[RTNL_WORDS] = "";
	struct net_view v = { 0 };
	const struct net_link *l;
	int e = ifindex ? talk(r, filtering(ifindex, on), words) : -ENODEV;

	if (!e)
		e = net_view_read(r, &v, NULL);
	l = e ? NULL : net_find(&v, ifindex);
	if (!e && (!l || !l->bridge || l->filtering != on))
		e = -EIO;
	net_view_free(&v);
	if (!e)
		return 0;
	diag_fail(d, e, FL_NETD_BRIDGE, "cannot set VLAN filtering of %s",
	          bridge);
	diag_why(d, "%s%s%s", strerror(-e), *words ? ": " : "", words);
	diag_mend(d, "see `ip -d link show dev %s`", bridge);
	return e;
}
