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
#include "netd/ovs.h"
#include "netd/switch.h"

/* One PF's, by the VFs' numbers: what the dumps have of all is looked through
 * once a PF, not once a VF. */
struct slot {
	const struct devlink_port *port;
	const struct devlink_rate *leaf;
	const struct net_link *link;
};
struct view {
	struct devlink *dl;
	struct devlink_view v;
	struct net_view n;
	struct ovs_view ovs;
	struct slot slot[POL_VFS_MAX];
};

static void view_close(struct view *w)
{
	if (!w)
		return;
	ovs_view_free(&w->ovs);
	net_view_free(&w->n);
	devlink_view_free(&w->v);
	devlink_close(w->dl);
	free(w);
}

/* ---- ports --------------------------------------------------------------- */

static uint32_t see_port(const struct view *w, const struct net_link *l,
                         struct pol_port *ret)
{
	net_port_see(&w->n, l, ret);
	ovs_port_see(&w->ovs, ret);
	return POL_HAS_PORT |
	       (*ret->bridge && !ret->strange ? POL_HAS_PORT_VLAN : 0u);
}

static void find_ports(struct view *w, const struct devlink_handle *h)
{
	for (size_t i = 0; i < w->v.n_ports; i++) {
		const struct devlink_port *p = &w->v.port[i];

		if (p->flavour == DEVLINK_PORT_FLAVOUR_PCI_VF && !p->external &&
		    p->vf < POL_VFS_MAX && devlink_same(&p->h, h))
			w->slot[p->vf].port = p;
	}
}

static void find_leaves(struct view *w, const struct devlink_handle *h,
                        size_t n_vfs)
{
	for (size_t i = 0; i < w->v.n_rates; i++) {
		const struct devlink_rate *r = &w->v.rate[i];

		if (r->node || r->strange || !devlink_same(&r->h, h))
			continue;
		for (size_t v = 0; v < n_vfs; v++)
			if (w->slot[v].port &&
			    w->slot[v].port->index == r->port)
				w->slot[v].leaf = r;
	}
}

/* The number that the PF has in its switch is in its VFs' ports; without them
 * it is the function's. */
static void find_links(struct view *w, const struct net_link *pf, unsigned fn)
{
	unsigned number, vf;

	for (size_t i = 0; pf->n_switch_id && i < w->n.n_links; i++) {
		const struct net_link *l = &w->n.link[i];
		const struct devlink_port *p;

		if (l->n_switch_id != pf->n_switch_id ||
		    memcmp(l->switch_id, pf->switch_id, l->n_switch_id) != 0 ||
		    !net_port_name(l->port_name, &number, &vf) ||
		    vf >= POL_VFS_MAX)
			continue;
		p = w->slot[vf].port;
		if (number == (p ? p->pf : fn))
			w->slot[vf].link = l;
	}
}

static void see_vf(const struct view *w, struct pol_vf *v)
{
	const struct slot *s = &w->slot[v->index];

	if (s->port && s->port->has_mac) {
		memcpy(v->mac, s->port->mac, sizeof(v->mac));
		v->set |= POL_HAS_MAC;
	}
	if (s->leaf) {
		snprintf(v->rate_group, sizeof(v->rate_group), "%s",
		         s->leaf->parent);
		v->set |= POL_HAS_GROUP;
	}
	if (s->link)
		v->set |= see_port(w, s->link, &v->port);
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

static void see_switch(struct view *w, struct pol_pf *p)
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
	if (!p->sw.switchdev || !p->n_vfs)
		return;
	memset(w->slot, 0, sizeof(w->slot));
	find_ports(w, h);
	find_leaves(w, h, p->n_vfs);
	find_links(w, link, p->bdf.fn);
	for (size_t i = 0; i < p->n_vfs; i++)
		see_vf(w, &p->vf[i]);
}

bool switch_has_port(const struct pol_state *s, const char *ifname)
{
	for (size_t i = 0; i < s->n_pfs; i++) {
		const struct pol_pf *p = &s->pf[i];

		if (!strcmp(p->sw.port.ifname, ifname))
			return true;
		for (size_t k = 0; k < p->n_vfs; k++)
			if (!strcmp(p->vf[k].port.ifname, ifname))
				return true;
	}
	return false;
}

/* What Open vSwitch does not tell is told as of the kernel alone: a port that
 * is strange. */
void observe_switches(const struct env *e, struct rtnl *rtnl,
                      struct pol_state *s)
{
	struct view *w = s->n_pfs ? calloc(1, sizeof(*w)) : NULL;

	if (w && !devlink_open(&w->dl, NULL) &&
	    !devlink_view_read(w->dl, &w->v) && w->v.n_ports &&
	    !net_view_read(rtnl, &w->n, NULL)) {
		(void)!ovs_view_read(e, &w->ovs, NULL);
		for (size_t i = 0; i < s->n_pfs; i++)
			see_switch(w, &s->pf[i]);
	}
	view_close(w);
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

static void see_bridge(const struct view *w, const struct pol_bridge *want,
                       struct pol_bridge *b)
{
	const struct net_link *l = net_find_name(&w->n, want->name);

	*b = *want;
	b->there = l && l->bridge;
	b->filtering = l && l->bridge && l->filtering;
}

static void see_wanted(const struct view *w, const struct pol_pf *want,
                       struct pol_pf *p)
{
	unsigned ifindex = *p->ifname ? if_nametoindex(p->ifname) : 0;
	const struct devlink_handle *h = devlink_of(&w->v, ifindex);

	if (h && want->set & POL_HAS_PARAMS) {
		p->sw.n_params = 0;
		p->set |= POL_HAS_PARAMS;
		for (unsigned i = 0; i < want->sw.n_params; i++)
			see_param(w, h, &want->sw.param[i], &p->sw);
	}
	if (!(want->set & POL_HAS_BRIDGE))
		return;
	p->sw.n_bridges = want->sw.n_bridges;
	for (unsigned i = 0; i < want->sw.n_bridges; i++)
		see_bridge(w, &want->sw.bridge[i], &p->sw.bridge[i]);
	p->set |= POL_HAS_BRIDGE;
}

int observe_switch_more(struct rtnl *rtnl, struct pol_state *seen,
                        const struct pol_state *want)
{
	struct view *w;
	uint32_t asked = 0;
	bool hangs = false;
	int r;

	for (size_t i = 0; i < want->n_pfs; i++)
		asked |= want->pf[i].set & (POL_HAS_PARAMS | POL_HAS_BRIDGE);
	for (size_t i = 0; i < seen->n_pfs; i++)
		hangs |= seen->pf[i].unasked;
	if (!asked || hangs)
		return 0;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	r = devlink_open(&w->dl, NULL);
	if (!r)
		r = devlink_view_read(w->dl, &w->v);
	if (!r)
		r = net_view_read(rtnl, &w->n, NULL);
	for (size_t i = 0; !r && i < want->n_pfs; i++)
		for (size_t k = 0; k < seen->n_pfs; k++)
			if (bdf_equal(seen->pf[k].bdf, want->pf[i].bdf))
				see_wanted(w, &want->pf[i], &seen->pf[k]);
	view_close(w);
	return r;
}
