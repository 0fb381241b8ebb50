/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VLANs of a bridge's port. The bridge gives each new port its default VLAN,
 * which must go: a port keeps what it has, whatever its PVID becomes, and would
 * let that VLAN's frames out.
 */

#include <linux/if_bridge.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "netd/tap.h"

static int refused(const char *ifname, const char *what, int err,
                   const char *words, struct diag *d)
{
	diag_fail(d, err, FL_NETD_VLAN, "cannot %s %s", what, ifname);
	diag_why(d, "%s%s%s", strerror(-err), *words ? ": " : "", words);
	diag_mend(d,
	          "see `bridge vlan show` and `ip -d link show type bridge`");
	return err;
}

/* ---- the bridge ---------------------------------------------------------- */

int rtnl_get_link(struct rtnl *r, unsigned ifindex,
                  int (*decode)(struct nlmsghdr *h, void *arg), void *arg)
{
	struct ifinfomsg i = { .ifi_index = (int)ifindex };
	struct nl_msg *m = nlmsg_alloc_simple(RTM_GETLINK, 0);
	char words[RTNL_WORDS];

	if (!m)
		return -ENOMEM;
	if (nlmsg_append(m, &i, sizeof(i), NLMSG_ALIGNTO) < 0) {
		nlmsg_free(m);
		return -ENOMEM;
	}
	return rtnl_talk(r, m, decode, arg, words);
}

static int decode_bridge(struct nlmsghdr *h, void *arg)
{
	struct rtnl_bridge *b = arg;
	struct nlattr *info, *kind, *data, *a;

	if (h->nlmsg_type != RTM_NEWLINK ||
	    h->nlmsg_len < NLMSG_HDRLEN + sizeof(struct ifinfomsg))
		return -EBADMSG;
	info = nlmsg_find_attr(h, sizeof(struct ifinfomsg), IFLA_LINKINFO);
	if (!info)
		return -ENODATA;
	kind = nla_find(nla_data(info), nla_len(info), IFLA_INFO_KIND);
	data = nla_find(nla_data(info), nla_len(info), IFLA_INFO_DATA);
	if (!kind || !data || nla_strcmp(kind, "bridge") != 0)
		return -ENODATA;
	a = nla_find(nla_data(data), nla_len(data), IFLA_BR_VLAN_FILTERING);
	b->filtering = a && nla_get_u8(a);
	a = nla_find(nla_data(data), nla_len(data), IFLA_BR_VLAN_PROTOCOL);
	b->proto = a ? __builtin_bswap16(nla_get_u16(a)) : 0;
	a = nla_find(nla_data(data), nla_len(data), IFLA_BR_VLAN_DEFAULT_PVID);
	b->pvid = a ? nla_get_u16(a) : 0;
	return 0;
}

int rtnl_bridge_read(struct rtnl *r, const char *name, struct rtnl_bridge *ret,
                     struct diag *d)
{
	unsigned ifindex = if_nametoindex(name);
	int e;

	*ret = (struct rtnl_bridge){ 0 };
	e = ifindex ? rtnl_get_link(r, ifindex, decode_bridge, ret) : -ENODEV;
	return e ? refused(name, "read the VLANs of bridge", e, "", d) : 0;
}

int rtnl_bridge_filtering(struct rtnl *r, const char *name, bool on,
                          char words[static RTNL_WORDS])
{
	struct ifinfomsg i = { .ifi_index = (int)if_nametoindex(name) };
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWLINK, NLM_F_ACK);
	struct nlattr *info, *data;

	if (!m)
		return -ENOMEM;
	if (nlmsg_append(m, &i, sizeof(i), NLMSG_ALIGNTO) < 0 ||
	    !(info = nla_nest_start(m, IFLA_LINKINFO)) ||
	    nla_put_string(m, IFLA_INFO_KIND, "bridge") < 0 ||
	    !(data = nla_nest_start(m, IFLA_INFO_DATA)) ||
	    nla_put_u8(m, IFLA_BR_VLAN_FILTERING, on) < 0) {
		nlmsg_free(m);
		return -ENOMEM;
	}
	nla_nest_end(m, data);
	nla_nest_end(m, info);
	return rtnl_talk(r, m, NULL, NULL, words);
}

/* ---- its port ------------------------------------------------------------ */

static int change(struct rtnl *r, int type, unsigned ifindex,
                  const struct bridge_vlan_info *v,
                  char words[static RTNL_WORDS])
{
	struct ifinfomsg i = { .ifi_family = PF_BRIDGE,
		               .ifi_index = (int)ifindex };
	struct nl_msg *m = nlmsg_alloc_simple(type, NLM_F_ACK);
	struct nlattr *spec;

	if (!m)
		return -ENOMEM;
	if (nlmsg_append(m, &i, sizeof(i), NLMSG_ALIGNTO) < 0 ||
	    !(spec = nla_nest_start(m, IFLA_AF_SPEC)) ||
	    nla_put(m, IFLA_BRIDGE_VLAN_INFO, sizeof(*v), v) < 0) {
		nlmsg_free(m);
		return -ENOMEM;
	}
	nla_nest_end(m, spec);
	return rtnl_talk(r, m, NULL, NULL, words);
}

struct port_vlans {
	unsigned ifindex;
	struct rtnl_port *port;
};

static void decode_spec(struct nlattr *spec, struct rtnl_port *p)
{
	struct nlattr *a;
	int left;

	nla_for_each_nested(a, spec, left)
	{
		const struct bridge_vlan_info *v = nla_data(a);

		if (nla_type(a) != IFLA_BRIDGE_VLAN_INFO ||
		    nla_len(a) < (int)sizeof(*v))
			continue;
		if (v->flags & BRIDGE_VLAN_INFO_PVID &&
		    v->flags & BRIDGE_VLAN_INFO_UNTAGGED)
			p->untagged = v->vid;
		else
			p->others = true;
	}
}

/* The kernel has no question of one port: it tells all. */
static int decode_port(struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *i = nlmsg_data(h);
	struct port_vlans *p = arg;
	struct nlattr *spec;

	if (h->nlmsg_type != RTM_NEWLINK ||
	    h->nlmsg_len < NLMSG_HDRLEN + sizeof(*i) ||
	    i->ifi_index != (int)p->ifindex)
		return 0;
	spec = nlmsg_find_attr(h, sizeof(*i), IFLA_AF_SPEC);
	if (spec)
		decode_spec(spec, p->port);
	return 0;
}

int rtnl_port_read(struct rtnl *r, const char *ifname, struct rtnl_port *ret)
{
	struct port_vlans p = { if_nametoindex(ifname), ret };
	struct ifinfomsg i = { .ifi_family = PF_BRIDGE };
	struct nl_msg *m = nlmsg_alloc_simple(RTM_GETLINK, NLM_F_DUMP);
	char words[RTNL_WORDS];

	if (!m)
		return -ENOMEM;
	if (nlmsg_append(m, &i, sizeof(i), NLMSG_ALIGNTO) < 0 ||
	    nla_put_u32(m, IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN) < 0) {
		nlmsg_free(m);
		return -ENOMEM;
	}
	*ret = (struct rtnl_port){ 0 };
	return rtnl_talk(r, m, decode_port, &p, words);
}

int rtnl_port_vlan(struct rtnl *r, const char *ifname, uint16_t vlan,
                   uint16_t pvid, struct diag *d)
{
	const struct bridge_vlan_info old = { .vid = pvid };
	const struct bridge_vlan_info now = {
		BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED, vlan
	};
	unsigned ifindex = if_nametoindex(ifname);
	struct rtnl_port port = { 0 };
	char words[RTNL_WORDS] = "";
	int e = ifindex ? 0 : -ENODEV;

	if (!e && pvid && pvid != vlan)
		e = change(r, RTM_DELLINK, ifindex, &old, words);
	if (!e)
		e = change(r, RTM_SETLINK, ifindex, &now, words);
	if (!e)
		e = rtnl_port_read(r, ifname, &port);
	if (e)
		return refused(ifname, "set the VLAN of", e, words, d);
	if (port.untagged == vlan && !port.others)
		return 0;
	return refused(ifname, "set the VLAN of", -EIO,
	               "the kernel accepted it, but reports others", d);
}
