/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Overlays as the kernel tells them. */

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "netd/overlay.h"
#include "netd/ovs.h"
#include "netd/rtnl-make.h"
#include "netd/switch.h"
#include "netd/tap.h"

/* ---- one link ------------------------------------------------------------ */

static void get_ip(struct nlattr *v4, struct nlattr *v6, struct pol_ip *ip)
{
	if (v4 && nla_len(v4) == 4) {
		ip->family = 4;
		memcpy(ip->b, nla_data(v4), 4);
	} else if (v6 && nla_len(v6) == 16) {
		ip->family = 6;
		memcpy(ip->b, nla_data(v6), 16);
	}
}

static void decode_vxlan(struct nlattr *data, struct overlay_link *l)
{
	struct nlattr *at[IFLA_VXLAN_MAX + 1];
	struct pol_overlay *o = &l->o;

	if (nla_parse_nested(at, IFLA_VXLAN_MAX, data, NULL) < 0)
		return;
	l->vxlan = true;
	o->id = at[IFLA_VXLAN_ID] ? nla_get_u32(at[IFLA_VXLAN_ID]) : 0;
	get_ip(at[IFLA_VXLAN_LOCAL], at[IFLA_VXLAN_LOCAL6], &o->local);
	get_ip(at[IFLA_VXLAN_GROUP], at[IFLA_VXLAN_GROUP6], &o->group);
	if (at[IFLA_VXLAN_LINK])
		l->lower = (int)nla_get_u32(at[IFLA_VXLAN_LINK]);
	if (at[IFLA_VXLAN_PORT])
		o->port = ntohs(nla_get_u16(at[IFLA_VXLAN_PORT]));
	o->learning =
		at[IFLA_VXLAN_LEARNING] && nla_get_u8(at[IFLA_VXLAN_LEARNING]);
}

static void decode_kind(struct nlattr *info, struct overlay_link *l)
{
	struct nlattr *at[IFLA_INFO_MAX + 1], *a;

	if (nla_parse_nested(at, IFLA_INFO_MAX, info, NULL) < 0 ||
	    !at[IFLA_INFO_KIND])
		return;
	l->bridge = !nla_strcmp(at[IFLA_INFO_KIND], "bridge");
	if (!at[IFLA_INFO_DATA])
		return;
	if (!nla_strcmp(at[IFLA_INFO_KIND], "vxlan"))
		decode_vxlan(at[IFLA_INFO_DATA], l);
	a = nla_find(nla_data(at[IFLA_INFO_DATA]), nla_len(at[IFLA_INFO_DATA]),
	             IFLA_BR_VLAN_FILTERING);
	if (l->bridge)
		l->filtering = a && nla_get_u8(a);
}

int overlay_link_decode(struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *i = nlmsg_data(h);
	struct overlay_link *l = arg;
	struct nlattr *a;

	if (h->nlmsg_type != RTM_NEWLINK ||
	    h->nlmsg_len < NLMSG_HDRLEN + sizeof(*i))
		return -EBADMSG;
	l->ifindex = i->ifi_index;
	l->up = i->ifi_flags & IFF_UP;
	a = nlmsg_find_attr(h, sizeof(*i), IFLA_MTU);
	l->mtu = a ? nla_get_u32(a) : 0;
	a = nlmsg_find_attr(h, sizeof(*i), IFLA_MASTER);
	l->master = a ? (int)nla_get_u32(a) : 0;
	a = nlmsg_find_attr(h, sizeof(*i), IFLA_IFALIAS);
	l->ours = a && !nla_strcmp(a, POL_OVERLAY_MARK);
	a = nlmsg_find_attr(h, sizeof(*i), IFLA_LINKINFO);
	if (a)
		decode_kind(a, l);
	return 0;
}

int overlay_link_read(struct rtnl *r, const char *name,
                      struct overlay_link *ret)
{
	unsigned ifindex = *name ? if_nametoindex(name) : 0;

	*ret = (struct overlay_link){ 0 };
	return ifindex ? rtnl_get_link(r, ifindex, overlay_link_decode, ret)
	               : -ENODEV;
}

/* ---- whom it floods to --------------------------------------------------- */

struct flood {
	int ifindex;
	struct pol_overlay *o;
};

static int decode_entry(struct nlmsghdr *h, void *arg)
{
	static const uint8_t zero[6];
	const struct ndmsg *n = nlmsg_data(h);
	struct flood *f = arg;
	struct nlattr *mac, *dst;
	struct pol_ip ip = { 0 };

	if (h->nlmsg_type != RTM_NEWNEIGH ||
	    h->nlmsg_len < NLMSG_HDRLEN + sizeof(*n) ||
	    n->ndm_ifindex != f->ifindex)
		return 0;
	mac = nlmsg_find_attr(h, sizeof(*n), NDA_LLADDR);
	dst = nlmsg_find_attr(h, sizeof(*n), NDA_DST);
	if (!mac || !dst || nla_len(mac) != 6 ||
	    memcmp(nla_data(mac), zero, 6) != 0)
		return 0;
	get_ip(nla_len(dst) == 4 ? dst : NULL, dst, &ip);
	if (ip.family && !pol_ip_equal(&ip, &f->o->group) &&
	    f->o->n_remotes < POL_REMOTES_MAX)
		f->o->remote[f->o->n_remotes++] = ip;
	return 0;
}

int overlay_remotes_read(struct rtnl *r, int ifindex, struct pol_overlay *o)
{
	struct ndmsg n = { .ndm_family = PF_BRIDGE, .ndm_ifindex = ifindex };
	struct nl_msg *m = nlmsg_alloc_simple(RTM_GETNEIGH, NLM_F_DUMP);
	struct flood f = { ifindex, o };
	char words[RTNL_WORDS];

	if (!m)
		return -ENOMEM;
	if (nlmsg_append(m, &n, sizeof(n), NLMSG_ALIGNTO) < 0) {
		nlmsg_free(m);
		return -ENOMEM;
	}
	o->n_remotes = 0;
	return rtnl_talk(r, m, decode_entry, &f, words);
}

/* ---- what else is in the bridge ------------------------------------------ */

struct ports {
	int bridge;
	const char *but;
	const struct pol_state *seen; /* whose ports are not looked for */
	char name[POL_IFNAME], stray[POL_IFNAME];
};

static int decode_port(struct nlmsghdr *h, void *arg)
{
	struct overlay_link l = { 0 };
	struct ports *p = arg;
	struct nlattr *name;

	if (overlay_link_decode(h, &l))
		return 0;
	name = nlmsg_find_attr(h, sizeof(struct ifinfomsg), IFLA_IFNAME);
	if (!name || !l.master || l.master != p->bridge ||
	    !strcmp(nla_get_string(name), p->but))
		return 0;
	if (l.ours && l.vxlan)
		nla_strlcpy(p->stray, name, sizeof(p->stray));
	else if (!p->seen || !switch_has_port(p->seen, nla_get_string(name)))
		nla_strlcpy(p->name, name, sizeof(p->name));
	return 0;
}

int overlay_stray(struct rtnl *r, int bridge, const char *but,
                  char ret[static POL_IFNAME])
{
	struct ports ports = { .bridge = bridge, .but = but };
	int e = rtnl_each_link(r, decode_port, &ports, NULL);

	memcpy(ret, ports.stray, sizeof(ports.stray));
	return e;
}

/* ---- what it goes over --------------------------------------------------- */

static bool has_address(const struct ifaddrs *a, const struct pol_ip *ip)
{
	if (!a->ifa_addr)
		return false;
	if (ip->family == 4 && a->ifa_addr->sa_family == AF_INET)
		return !memcmp(
			&((struct sockaddr_in *)(void *)a->ifa_addr)->sin_addr,
			ip->b, 4);
	if (ip->family == 6 && a->ifa_addr->sa_family == AF_INET6)
		return !memcmp(&((struct sockaddr_in6 *)(void *)a->ifa_addr)
		                        ->sin6_addr,
		               ip->b, 16);
	return false;
}

static void find_outer(const struct pol_overlay *o, char to[static POL_IFNAME])
{
	struct ifaddrs *all = NULL;

	snprintf(to, POL_IFNAME, "%s", o->device);
	if (*to || getifaddrs(&all) < 0)
		return;
	for (const struct ifaddrs *a = all; a && !*to; a = a->ifa_next)
		if (has_address(a, &o->local))
			snprintf(to, POL_IFNAME, "%.15s", a->ifa_name);
	freeifaddrs(all);
}

/* ---- all ----------------------------------------------------------------- */

static int failed(struct diag *d, int err, const char *name)
{
	diag_fail(d, err, FL_NETD_OVERLAY, "cannot read what %s is", name);
	diag_why(d, "%s", strerror(-err));
	diag_mend(d, "see `ip -d link show dev %s`", name);
	return err;
}

static int see_tunnel(struct rtnl *r, const struct overlay_link *bridge,
                      const struct overlay_link *vx, struct pol_over *s)
{
	struct rtnl_port port = { 0 };
	int e = overlay_remotes_read(r, vx->ifindex, &s->o);

	s->o.mtu = vx->mtu;
	s->o.id = vx->o.id;
	s->o.local = vx->o.local;
	s->o.group = vx->o.group;
	s->o.port = vx->o.port;
	s->o.learning = vx->o.learning;
	s->o.dev_down = !vx->up;
	if (!vx->lower || !if_indextoname((unsigned)vx->lower, s->o.device))
		s->o.device[0] = '\0';
	if (!e && bridge->filtering)
		e = rtnl_port_read(r, s->o.dev, &port);
	s->o.vlan = port.untagged;
	return e;
}

int overlay_bridge_see(struct rtnl *r, const struct overlay_link *bridge,
                       const struct overlay_link *vx, struct pol_over *s)
{
	s->o.bridge_down = !bridge->up;
	s->bare = !vx->ifindex || vx->master != bridge->ifindex;
	if (!s->bare)
		return see_tunnel(r, bridge, vx, s);
	/* It filters for a network that has a VLAN. */
	s->o.vlan = bridge->filtering;
	return 0;
}

/* One of another id before that which is looked for. */
static int observe_bridge(struct rtnl *r, const struct pol_state *seen,
                          const struct overlay_link *bridge,
                          struct overlay_link *vx, struct pol_over *s)
{
	struct ports ports = { .bridge = bridge->ifindex,
		               .but = s->o.dev,
		               .seen = seen };
	int e = rtnl_each_link(r, decode_port, &ports, NULL);

	memcpy(s->ports, ports.name, sizeof(s->ports));
	if (!e && *ports.stray) {
		memcpy(s->o.dev, ports.stray, sizeof(s->o.dev));
		e = overlay_link_read(r, s->o.dev, vx);
	}
	return e ? e : overlay_bridge_see(r, bridge, vx, s);
}

static int observe_one(struct rtnl *r, const struct pol_state *seen,
                       const struct pol_over *w, struct pol_over *s,
                       struct diag *d)
{
	struct overlay_link bridge, vx, outer;
	int e, e2;

	snprintf(s->o.dev, sizeof(s->o.dev), "%s", w->o.dev);
	find_outer(&w->o, s->outer);
	if (!overlay_link_read(r, s->outer, &outer))
		s->outer_mtu = outer.mtu;
	e = overlay_link_read(r, w->o.bridge, &bridge);
	e2 = overlay_link_read(r, w->o.dev, &vx);
	if ((e && e != -ENODEV) || (e2 && e2 != -ENODEV))
		return failed(d, e && e != -ENODEV ? e : e2, w->o.bridge);
	if (!e && !bridge.ours)
		snprintf(s->foreign, sizeof(s->foreign), "%s", w->o.bridge);
	else if (!e2 && !vx.ours)
		snprintf(s->foreign, sizeof(s->foreign), "%s", w->o.dev);
	/* A part of it counts, too: it is to be completed, or to go. */
	s->there = !*s->foreign && (!e || !e2);
	if (*s->foreign || e)
		return 0;
	e = observe_bridge(r, seen, &bridge, &vx, s);
	return e ? failed(d, e, w->o.bridge) : 0;
}

int overlay_observe(const struct machine *m, struct pol_state *seen,
                    const struct pol_state *want, struct diag *d)
{
	int e = 0;

	free(seen->over);
	seen->over = NULL;
	seen->n_overs = 0;
	if (!want->n_overs)
		return 0;
	seen->over = calloc(want->n_overs, sizeof(*seen->over));
	if (!seen->over)
		return diag_fail(d, -ENOMEM, FL_NETD_MEMORY, "no memory");
	for (size_t i = 0; !e && i < want->n_overs; i++) {
		const struct pol_over *w = &want->over[i];
		struct pol_over *s = &seen->over[i];

		seen->n_overs = i + 1;
		memcpy(s->o.bridge, w->o.bridge, sizeof(s->o.bridge));
		e = w->o.ovs ? ovs_bridge_see(m->env, seen, w->there, s, d)
		             : observe_one(m->rtnl, seen, w, s, d);
	}
	return e;
}
