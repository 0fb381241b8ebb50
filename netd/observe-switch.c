/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The switches of all PFs: two dumps of devlink (ports, rates), two of
 * rtnetlink (links, bridge ports), and one question for each PF that has an
 * instance. Where no function has one, the first dump is all.
 */

#include <linux/devlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "netd/bridge.h"
#include "netd/devlink.h"
#include "netd/switch.h"

struct view {
	struct devlink *dl;
	struct devlink_view v;
	struct net_view n;
};

static void view_close(struct view *w)
{
	net_view_free(&w->n);
	devlink_view_free(&w->v);
	devlink_close(w->dl);
}

/* ---- ports --------------------------------------------------------------- */

static uint32_t see_port(const struct view *w, const struct net_link *l,
                         struct pol_port *ret)
{
	net_port_see(&w->n, l, ret);
	return POL_HAS_PORT |
	       (*ret->bridge && !ret->strange ? POL_HAS_PORT_VLAN : 0u);
}

static const struct devlink_rate *leaf_of(const struct devlink_view *v,
                                          const struct devlink_port *p)
{
	for (size_t i = 0; i < v->n_rates; i++)
		if (!v->rate[i].node && v->rate[i].port == p->index &&
		    devlink_same(&v->rate[i].h, &p->h))
			return &v->rate[i];
	return NULL;
}

static void see_function(const struct view *w, const struct devlink_port *p,
                         struct pol_vf *v)
{
	const struct devlink_rate *leaf = leaf_of(&w->v, p);

	if (p->has_mac) {
		memcpy(v->mac, p->mac, sizeof(v->mac));
		v->set |= POL_HAS_MAC;
	}
	if (!leaf || leaf->strange)
		return;
	snprintf(v->rate_group, sizeof(v->rate_group), "%s", leaf->parent);
	v->set |= POL_HAS_GROUP;
}

/* The number that the PF has in its switch is in its VFs' ports; without them
 * it is the function's. */
static void see_vf(const struct view *w, const struct devlink_handle *h,
                   const struct net_link *link, const struct pol_pf *p,
                   struct pol_vf *v)
{
	const struct devlink_port *port = devlink_vf_port(&w->v, h, v->index);
	const struct net_link *l = net_representor(
		&w->n, link, port ? port->pf : p->bdf.fn, v->index);

	if (port)
		see_function(w, port, v);
	if (l)
		v->set |= see_port(w, l, &v->port);
}

/* ---- the switch ---------------------------------------------------------- */

/* A group in a group, one with a name that is longer than ours, too many: then
 * they are not ours to change. */
static void see_groups(const struct view *w, const struct devlink_handle *h,
                       struct pol_pf *p)
{
	struct pol_switch *sw = &p->sw;

	if (!w->v.rates_known)
		return;
	sw->n_groups = 0;
	for (size_t i = 0; i < w->v.n_rates; i++) {
		const struct devlink_rate *r = &w->v.rate[i];

		if (!r->node || !devlink_same(&r->h, h))
			continue;
		if (*r->parent || sw->n_groups == POL_GROUPS_MAX)
			return;
		sw->group[sw->n_groups++] = r->group;
	}
	p->set |= POL_HAS_GROUPS;
}

static void see_switch(const struct view *w, struct pol_pf *p)
{
	unsigned ifindex = *p->ifname ? if_nametoindex(p->ifname) : 0;
	const struct devlink_handle *h = devlink_of(&w->v, ifindex);
	const struct net_link *link = h ? net_find(&w->n, ifindex) : NULL;
	struct devlink_eswitch e = { 0 };

	if (!link)
		return;
	p->sw.instance = true;
	p->set |= see_port(w, link, &p->sw.port);
	if (devlink_eswitch_read(w->dl, h, &e) || !e.has_mode)
		return;
	p->sw.switchdev = e.mode == DEVLINK_ESWITCH_MODE_SWITCHDEV;
	p->set |= POL_HAS_ESWITCH;
	see_groups(w, h, p);
	for (size_t i = 0; p->sw.switchdev && i < p->n_vfs; i++)
		see_vf(w, h, link, p, &p->vf[i]);
}

void observe_switches(struct rtnl *rtnl, struct pol_state *s)
{
	struct view w = { 0 };

	if (!s->n_pfs || devlink_open(&w.dl, NULL) ||
	    devlink_view_read(w.dl, &w.v)) {
		view_close(&w);
		return;
	}
	if (w.v.n_ports && !net_view_read(rtnl, &w.n, NULL))
		for (size_t i = 0; i < s->n_pfs; i++)
			see_switch(&w, &s->pf[i]);
	view_close(&w);
}

/* ---- what is wanted ------------------------------------------------------ */

static void see_param(const struct view *w, const struct devlink_handle *h,
                      const struct pol_param_value *p, struct pol_switch *sw)
{
	uint8_t cmode = p->init ? DEVLINK_PARAM_CMODE_DRIVERINIT
	                        : DEVLINK_PARAM_CMODE_RUNTIME;
	struct pol_param_value *to = &sw->param[sw->n_params];
	struct devlink_param now = { .type = 0 };

	if (sw->n_params == POL_PARAMS_MAX ||
	    devlink_param_read(w->dl, h, p->name, &now) ||
	    !now.value[cmode].has)
		return;
	*to = *p;
	memcpy(to->value, now.value[cmode].text, sizeof(to->value));
	sw->n_params++;
}

static void see_wanted(const struct view *w, const struct pol_pf *want,
                       struct pol_pf *p)
{
	unsigned ifindex = *p->ifname ? if_nametoindex(p->ifname) : 0;
	const struct devlink_handle *h = devlink_of(&w->v, ifindex);
	const struct net_link *bridge;

	if (h && want->set & POL_HAS_PARAMS) {
		p->sw.n_params = 0;
		p->set |= POL_HAS_PARAMS;
		for (unsigned i = 0; i < want->sw.n_params; i++)
			see_param(w, h, &want->sw.param[i], &p->sw);
	}
	if (!(want->set & POL_HAS_BRIDGE))
		return;
	bridge = net_find_name(&w->n, want->sw.bridge);
	memcpy(p->sw.bridge, want->sw.bridge, sizeof(p->sw.bridge));
	p->sw.bridge_there = bridge && bridge->bridge;
	p->sw.filtering = bridge && bridge->filtering;
	p->set |= POL_HAS_BRIDGE;
}

int observe_switch_more(struct rtnl *rtnl, struct pol_state *seen,
                        const struct pol_state *want)
{
	struct view w = { 0 };
	uint32_t asked = 0;
	int r;

	for (size_t i = 0; i < want->n_pfs; i++)
		asked |= want->pf[i].set & (POL_HAS_PARAMS | POL_HAS_BRIDGE);
	if (!asked)
		return 0;
	r = devlink_open(&w.dl, NULL);
	if (!r)
		r = devlink_view_read(w.dl, &w.v);
	if (!r)
		r = net_view_read(rtnl, &w.n, NULL);
	for (size_t i = 0; !r && i < want->n_pfs; i++)
		for (size_t k = 0; k < seen->n_pfs; k++)
			if (bdf_equal(seen->pf[k].bdf, want->pf[i].bdf))
				see_wanted(&w, &want->pf[i], &seen->pf[k]);
	view_close(&w);
	return r;
}
