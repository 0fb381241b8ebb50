/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a plan asks of the machine by name once it knows what is wanted, of all
 * that a policy could name: parameters of devlink, the host's interfaces with
 * their addresses, overlays, bridges of Open vSwitch. policy/inventory-ask.c
 * finds there what overlay-read.c, observe-switch.c and ovs-set.c find here.
 *
 * A dump each, however many PFs there are. What devlink or Open vSwitch do not
 * tell is not known, and the rest is recorded nevertheless.
 */

#include <ifaddrs.h>
#include <linux/devlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "netd/devlink.h"
#include "netd/overlay.h"
#include "netd/ovs.h"
#include "netd/record.h"
#include "netd/rtnl-make.h"
#include "netd/switch.h"

#define LINKS_MAX 65536u
#define TRIES 3 /* of a dump that changes under way */

/* ---- parameters ---------------------------------------------------------- */

struct params {
	struct pol_state *s;
	const struct devlink_handle **of; /* each PF's; NULL = it has none */
	bool failed;
};

/* Room for one more; they are counted by n_all while the dump lasts. */
static struct pol_param_value *more_params(struct pol_switch *sw)
{
	if (sw->n_all == POL_PARAMS_SEEN)
		return NULL;
	if (!sw->all)
		sw->all = calloc(POL_PARAMS_SEEN, sizeof(*sw->all));
	return sw->all ? &sw->all[sw->n_all++] : NULL;
}

bool record_param(const struct devlink_param *p, struct pol_switch *sw)
{
	static const uint8_t named[] = { DEVLINK_PARAM_CMODE_RUNTIME,
		                         DEVLINK_PARAM_CMODE_DRIVERINIT };

	for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
		struct pol_param_value *to;

		if (!p->value[named[i]].has)
			continue;
		to = more_params(sw);
		if (!to)
			return false;
		to->init = named[i] == DEVLINK_PARAM_CMODE_DRIVERINIT;
		memcpy(to->name, p->name, sizeof(to->name));
		memcpy(to->value, p->value[named[i]].text, sizeof(to->value));
	}
	return true;
}

static void add_param(const struct devlink_param *p, void *arg)
{
	struct params *ps = arg;

	for (size_t i = 0; i < ps->s->n_pfs; i++)
		if (ps->of[i] && devlink_same(ps->of[i], &p->h))
			ps->failed |= !record_param(p, &ps->s->pf[i].sw);
}

static void forget_params(struct pol_switch *sw)
{
	free(sw->all);
	sw->all = NULL;
	sw->n_all = 0;
}

/* As many as a policy can name are where observe() has them. */
void record_params_done(struct pol_pf *p)
{
	struct pol_switch *sw = &p->sw;

	p->set |= POL_HAS_PARAMS;
	if (sw->n_all > POL_PARAMS_MAX)
		return;
	sw->n_params = (uint8_t)sw->n_all;
	for (size_t i = 0; i < sw->n_all; i++)
		sw->param[i] = sw->all[i];
	forget_params(sw);
}

static void dump_params(struct devlink *dl, struct params *ps)
{
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < TRIES; i++) {
		for (size_t k = 0; k < ps->s->n_pfs; k++)
			forget_params(&ps->s->pf[k].sw);
		r = devlink_params_each(dl, add_param, ps);
	}
	/* A kernel without parameters has none. */
	ps->failed |= r && r != -EOPNOTSUPP;
	for (size_t k = 0; k < ps->s->n_pfs; k++) {
		if (ps->failed || !ps->of[k])
			forget_params(&ps->s->pf[k].sw);
		else
			record_params_done(&ps->s->pf[k]);
	}
}

static void see_params(struct pol_state *s)
{
	struct params ps = { .s = s };
	struct devlink_view v = { .n_ports = 0 };
	struct devlink *dl = NULL;

	ps.of = calloc(s->n_pfs + 1, sizeof(struct devlink_handle *));
	if (ps.of && !devlink_open(&dl, NULL) && dl &&
	    !devlink_view_read(dl, &v)) {
		for (size_t i = 0; i < s->n_pfs; i++)
			if (s->pf[i].sw.instance)
				ps.of[i] = devlink_of(
					&v, if_nametoindex(s->pf[i].ifname));
		dump_params(dl, &ps);
	}
	devlink_view_free(&v);
	devlink_close(dl);
	free(ps.of);
}

/* ---- interfaces ---------------------------------------------------------- */

struct at { /* beside the state's link of the same place */
	int ifindex, master;
	bool vxlan;
};
struct net {
	struct pol_state *s;
	struct at *at;
	size_t room;
};

static int make_room(struct net *n)
{
	size_t room = n->room ? 2 * n->room : 64;
	struct pol_link *link;
	struct at *at;

	if (n->s->n_links < n->room)
		return 0;
	if (room > LINKS_MAX)
		return -ERANGE;
	link = reallocarray(n->s->link, room, sizeof(*link));
	if (link)
		n->s->link = link;
	at = reallocarray(n->at, room, sizeof(*at));
	if (at)
		n->at = at;
	if (!link || !at)
		return -ENOMEM;
	n->room = room;
	return 0;
}

static int add_link(struct nlmsghdr *h, void *arg)
{
	struct overlay_link l = { 0 };
	struct net *n = arg;
	struct pol_link *to;
	struct nlattr *name;
	int r;

	if (overlay_link_decode(h, &l))
		return 0;
	r = make_room(n);
	name = nlmsg_find_attr(h, sizeof(struct ifinfomsg), IFLA_IFNAME);
	if (r || !name)
		return r;
	n->at[n->s->n_links] = (struct at){ l.ifindex, l.master, l.vxlan };
	to = &n->s->link[n->s->n_links++];
	*to = (struct pol_link){ .mtu = l.mtu,
		                 .bridge = l.bridge,
		                 .filtering = l.filtering,
		                 .made = l.ours };
	nla_strlcpy(to->name, name, sizeof(to->name));
	return 0;
}

static bool get_address(const struct sockaddr *a, struct pol_ip *to)
{
	const struct sockaddr_in *v4 = (const void *)a;
	const struct sockaddr_in6 *v6 = (const void *)a;

	*to = (struct pol_ip){ .family = 0 };
	if (a && a->sa_family == AF_INET) {
		to->family = 4;
		memcpy(to->b, &v4->sin_addr, 4);
	} else if (a && a->sa_family == AF_INET6 &&
	           !IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr)) {
		to->family = 6;
		memcpy(to->b, &v6->sin6_addr, 16);
	}
	return to->family;
}

static int add_address(struct net *n, const char *name, const struct pol_ip *ip)
{
	/* By its index: the name may be a label, "eth0:1". */
	int ifindex = (int)if_nametoindex(name);

	for (size_t i = 0; i < n->s->n_links; i++) {
		struct pol_link *l = &n->s->link[i];
		struct pol_ip *more;

		if (n->at[i].ifindex != ifindex)
			continue;
		more = reallocarray(l->address, l->n_addresses + 1,
		                    sizeof(*more));
		if (!more)
			return -ENOMEM;
		l->address = more;
		more[l->n_addresses++] = *ip;
		break;
	}
	return 0;
}

static int see_addresses(struct net *n)
{
	struct ifaddrs *all = NULL;
	struct pol_ip ip;
	int r = 0;

	if (getifaddrs(&all) < 0)
		return -errno;
	for (const struct ifaddrs *a = all; !r && a; a = a->ifa_next)
		if (get_address(a->ifa_addr, &ip))
			r = add_address(n, a->ifa_name, &ip);
	freeifaddrs(all);
	return r;
}

/* ---- overlays ------------------------------------------------------------ */

/* What is in the bridge: our tunnel, and one more that no PF has. */
static void find_ports(const struct net *n, size_t bridge,
                       struct pol_over *over)
{
	for (size_t i = 0; i < n->s->n_links; i++) {
		const struct pol_link *l = &n->s->link[i];

		if (n->at[i].master != n->at[bridge].ifindex)
			continue;
		if (l->made && n->at[i].vxlan && !*over->o.dev)
			memcpy(over->o.dev, l->name, sizeof(over->o.dev));
		else if (!switch_has_port(n->s, l->name))
			memcpy(over->ports, l->name, sizeof(over->ports));
	}
}

static int see_tunnel(struct rtnl *r, struct pol_over *over)
{
	struct overlay_link bridge, vx = { 0 };
	int e = overlay_link_read(r, over->o.bridge, &bridge);

	if (!e && *over->o.dev)
		e = overlay_link_read(r, over->o.dev, &vx);
	return e ? e : overlay_bridge_see(r, &bridge, &vx, over);
}

static int see_overlay(const struct net *n, struct rtnl *r, size_t bridge)
{
	struct pol_over over = { .there = true }, *more;
	int e;

	memcpy(over.o.bridge, n->s->link[bridge].name, sizeof(over.o.bridge));
	find_ports(n, bridge, &over);
	e = see_tunnel(r, &over);
	if (e)
		return e == -ENODEV ? -EAGAIN : e;
	more = reallocarray(n->s->over, n->s->n_overs + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	n->s->over = more;
	more[n->s->n_overs++] = over;
	return 0;
}

/* ---- all ----------------------------------------------------------------- */

static void forget_links(struct pol_state *s)
{
	for (size_t i = 0; i < s->n_links; i++)
		free(s->link[i].address);
	s->n_links = 0;
	s->n_overs = 0;
}

static int see_links(struct net *n, struct rtnl *r)
{
	int e;

	forget_links(n->s);
	e = rtnl_each_link(r, add_link, n, &n->s->n_links);
	if (!e)
		e = see_addresses(n);
	for (size_t i = 0; !e && i < n->s->n_links; i++)
		if (n->s->link[i].made && n->s->link[i].bridge)
			e = see_overlay(n, r, i);
	return e;
}

int record_net(const struct machine *m, struct pol_state *s)
{
	struct net n = { .s = s };
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < TRIES; i++)
		r = see_links(&n, m->rtnl);
	free(n.at);
	if (!r)
		r = ovs_bridges_see(m->env, s);
	if (!r)
		see_params(s);
	return r;
}
