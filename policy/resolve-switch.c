/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is wanted of the switch in a physical function, and of the interfaces
 * at it: the representors of the VFs that guests have, and the function's own,
 * which is their way to the wire. The latter carries the VLANs of all of them,
 * tagged, and frames without a VLAN as its bridge has it.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

static bool is_switchdev(const struct pol_nic *nic)
{
	return nic->switchdev.given == POL_GIVEN && nic->switchdev.v;
}

/* ---- the PF -------------------------------------------------------------- */

static void no_instance(struct resolve *r, const struct pol_nic *nic,
                        const struct pol_pf *pf, const char *what)
{
	char b[BDF_STRLEN];
	struct diag *d = pol_err(r->errs, nic->pos, FL_POL_DEVLINK,
	                         "nic %s: %s cannot be set on %s", nic->name,
	                         what, bdf_format(pf->bdf, b));

	diag_why(d,
	         "no devlink instance has its interface: driver %s has no "
	         "switch or parameter that could be set",
	         *pf->driver ? pf->driver : "(none)");
	diag_mend(d, "leave it out; see `devlink port show`");
}

static void check_instance(struct resolve *r, const struct pol_nic *nic,
                           const struct pol_pf *pf)
{
	if (pf->sw.instance || pf->unasked)
		return;
	/* Legacy is what a function without devlink is in. */
	if (is_switchdev(nic))
		no_instance(r, nic, pf, "embedded-switch-mode: switchdev");
	else if (nic->n_params)
		no_instance(r, nic, pf, "devlink-params");
}

void check_unasked(struct resolve *r, const struct pol_nic *nic,
                   const struct pol_pf *pf)
{
	char b[BDF_STRLEN];
	struct diag *d;

	if (!r->only || !pf->unasked || !is_switchdev(nic))
		return;
	d = pol_err(r->errs, nic->switchdev_pos, FL_POL_STUCK,
	            "nic %s: the switch in %s cannot be asked", nic->name,
	            bdf_format(pf->bdf, b));
	diag_why(d, "devlink does not answer: some driver has not come back "
	            "from a change over it");
	diag_mend(d, "see `dmesg`, and `fairlead status` for what hangs; then "
	             "try again");
}

/* Their drivers would find the switch changed under them. */
static void check_unbound(struct resolve *r, const struct pol_nic *nic,
                          const struct pol_pf *pf, const struct pol_pf *w)
{
	bool autoprobe = nic->autoprobe.given ? w->autoprobe : pf->autoprobe;
	struct diag *d;

	if (!is_switchdev(nic) || !w->num_vfs || !autoprobe ||
	    !switch_order(pf->driver)->unbound ||
	    (pf->set & POL_HAS_ESWITCH && pf->sw.switchdev) || pf->unasked)
		return;
	d = pol_err(r->errs, nic->switchdev_pos, FL_POL_VFS_BOUND,
	            "nic %s: VFs would have drivers while its switch changes",
	            nic->name);
	diag_why(d,
	         "driver %s makes VFs first, and goes to switchdev when "
	         "nothing is bound to them",
	         pf->driver);
	diag_mend(d, "add `drivers-autoprobe: false` to the nic");
}

static void want_params(const struct pol_nic *nic, struct pol_switch *sw)
{
	for (size_t i = 0; i < nic->n_params; i++) {
		struct pol_param_value *p = &sw->param[sw->n_params++];

		copy_text(p->name, sizeof(p->name), nic->param[i].name);
		copy_text(p->value, sizeof(p->value), nic->param[i].value);
		p->init = nic->param[i].init;
	}
}

static void want_groups(const struct pol_nic *nic, struct pol_switch *sw)
{
	for (size_t i = 0; i < nic->n_rates; i++)
		sw->group[sw->n_groups++] = nic->rates[i];
}

/* A driver that makes VFs only while its PF is up: plan.c raises the link, but
 * only where the policy says what it is to be in the end. */
static void check_link(struct resolve *r, const struct pol_nic *nic,
                       const struct pol_pf *pf, const struct pol_pf *w)
{
	bool mode = w->set & POL_HAS_ESWITCH &&
	            (!(pf->set & POL_HAS_ESWITCH) ||
	             pf->sw.switchdev != w->sw.switchdev);
	bool count = nic->vf_count.given && w->num_vfs != pf->num_vfs;
	struct diag *d;

	if (!switch_order(pf->driver)->link_first || nic->link_up.given ||
	    !(pf->set & POL_HAS_LINK) || pf->link_up ||
	    (!count && !(mode && pf->num_vfs + w->num_vfs)))
		return;
	d = pol_err(r->errs, nic->pos, FL_POL_PF_DRIVER,
	            "%s %s: %s makes and removes no VFs while %s is down",
	            pol_kind_name(nic->kind), nic->name, pf->driver,
	            *pf->ifname ? pf->ifname : nic->name);
	diag_why(d, "it is down, and the policy says nothing of its link");
	diag_mend(d, "add `link: up` to the nic; it is set before the VFs");
}

void resolve_switch(struct resolve *r, size_t i, const struct pol_pf *pf,
                    struct pol_pf *w)
{
	const struct pol_nic *nic = &r->p->nic[i];

	check_instance(r, nic, pf);
	if (nic->switchdev.given &&
	    (pf->sw.instance || pf->unasked || is_switchdev(nic))) {
		w->set |= POL_HAS_ESWITCH;
		w->sw.switchdev = is_switchdev(nic);
		check_unbound(r, nic, pf, w);
	}
	check_link(r, nic, pf, w);
	if (nic->n_params) {
		w->set |= POL_HAS_PARAMS;
		want_params(nic, &w->sw);
	}
	if (nic->rates_given && is_switchdev(nic)) {
		w->set |= POL_HAS_GROUPS;
		want_groups(nic, &w->sw);
	}
	/* Open vSwitch's is wanted as those are that netd makes. */
	if (!*nic->bridge.name || nic->bridge.ovs)
		return;
	w->set |= POL_HAS_BRIDGE;
	w->sw.bridge[w->sw.n_bridges++] = (struct pol_bridge){
		.there = true,
		.given = nic->bridge.filtering.given,
		.filtering = nic->bridge.filtering.v,
	};
	copy_text(w->sw.bridge[0].name, POL_IFNAME, nic->bridge.name);
}

/* ---- a VF's representor -------------------------------------------------- */

static void trunk_port(struct pol_port *p, const struct pol_vlan *vlan)
{
	p->pvid = vlan->native;
	for (unsigned i = 0; i < vlan->n_trunk; i++) {
		struct pol_vlan_range t = vlan->trunk[i];

		/* The native one goes untagged: it parts its range. */
		if (vlan->native < t.first || vlan->native > t.last) {
			p->tagged[p->n_tagged++] = t;
			continue;
		}
		if (vlan->native > t.first)
			p->tagged[p->n_tagged++] = (struct pol_vlan_range){
				t.first, (uint16_t)(vlan->native - 1)
			};
		if (vlan->native < t.last && p->n_tagged < POL_VLAN_RANGES_MAX)
			p->tagged[p->n_tagged++] = (struct pol_vlan_range){
				(uint16_t)(vlan->native + 1), t.last
			};
	}
}

/* In the bridge of its network's overlay, else in its nic's. In Open vSwitch's
 * a port of which nothing is said is in all VLANs: so that it is in none is
 * said where the policy says nothing. */
void want_port(const struct resolve *r, size_t i, struct pol_vf *w,
               const struct pol_vlan *vlan, const struct pol_network *n)
{
	const struct pol_nic *nic = &r->p->nic[i];
	bool overlay = n && n->overlay.id;
	const char *bridge = overlay ? n->overlay.bridge : nic->bridge.name;

	if (!is_switchdev(nic) || !*bridge)
		return;
	w->set |= POL_HAS_PORT;
	w->port = (struct pol_port){ .up = true,
		                     .ovs = !overlay && nic->bridge.ovs };
	copy_text(w->port.bridge, sizeof(w->port.bridge), bridge);
	w->set &= ~(uint32_t)POL_HAS_VLAN;
	if (!vlan->given && !w->port.ovs)
		return;
	w->set |= POL_HAS_PORT_VLAN;
	/* No VLAN: as a port is that has just joined. */
	if (vlan->n_trunk)
		trunk_port(&w->port, vlan);
	else
		w->port.pvid = vlan->id ? vlan->id : 1;
}

void want_group(struct pol_vf *w, const struct pol_override_vf *o)
{
	if (!o->group_given)
		return;
	w->set |= POL_HAS_GROUP;
	copy_text(w->rate_group, sizeof(w->rate_group), o->group);
}

/* ---- the PF's own interface ---------------------------------------------- */

static void mark(uint8_t *vlan, const struct pol_port *p)
{
	if (p->pvid > 1)
		vlan[p->pvid] = 1;
	for (unsigned i = 0; i < p->n_tagged; i++)
		for (unsigned v = p->tagged[i].first; v <= p->tagged[i].last;
		     v++)
			vlan[v] = 1;
}

/* False = more ranges than a port can have here. */
static bool ranges(const uint8_t *vlan, struct pol_port *p)
{
	for (unsigned v = 1; v <= 4094; v++) {
		if (!vlan[v])
			continue;
		if (p->n_tagged && p->tagged[p->n_tagged - 1].last + 1u == v) {
			p->tagged[p->n_tagged - 1].last = (uint16_t)v;
			continue;
		}
		if (p->n_tagged == POL_VLAN_RANGES_MAX)
			return false;
		p->tagged[p->n_tagged++] =
			(struct pol_vlan_range){ (uint16_t)v, (uint16_t)v };
	}
	return true;
}

static void check_uplink(struct resolve *r, const struct pol_nic *nic,
                         const struct pol_pf *pf)
{
	const struct pol_whole *whole = state_whole(r->seen, pf->bdf);
	struct diag *d;

	if (!strcmp(pf->sw.port.bridge, nic->bridge.name) || !whole ||
	    !whole->n_uses || pf->unasked)
		return;
	d = pol_err(r->errs, nic->bridge.pos, FL_POL_HOST_USE,
	            "nic %s: the host itself uses %s", nic->name,
	            *pf->ifname ? pf->ifname : "it");
	diag_why(d, "%s; in a bridge it would lose that", whole->use[0]);
	diag_mend(d, "put the host's address on %s instead", nic->bridge.name);
}

static void want_uplink(struct resolve *r, size_t i)
{
	const struct pol_nic *nic = &r->p->nic[i];
	struct pol_pf *w = &r->want->pf[i];
	uint8_t vlan[4096] = { 0 };
	bool vlans = false;
	struct diag *d;

	check_uplink(r, nic, r->at[i]);
	w->set |= POL_HAS_PORT;
	copy_text(w->sw.port.bridge, sizeof(w->sw.port.bridge),
	          nic->bridge.name);
	/* There it is in all VLANs, as it has joined. */
	w->sw.port.ovs = nic->bridge.ovs;
	if (w->sw.port.ovs)
		return;
	for (size_t v = 0; v < w->n_vfs; v++) {
		if (!(w->vf[v].set & POL_HAS_PORT_VLAN) ||
		    strcmp(w->vf[v].port.bridge, nic->bridge.name) != 0)
			continue;
		vlans = true;
		mark(vlan, &w->vf[v].port);
	}
	if (!vlans)
		return;
	w->set |= POL_HAS_PORT_VLAN;
	w->sw.port.pvid = 1;
	if (ranges(vlan, &w->sw.port))
		return;
	d = pol_err(r->errs, nic->bridge.pos, FL_POL_BRIDGE,
	            "nic %s: its VFs are in too many VLANs", nic->name);
	diag_why(d, "they are more than %d ranges together",
	         POL_VLAN_RANGES_MAX);
	diag_mend(d, "give neighbouring ids to VFs of one nic");
}

void resolve_uplinks(struct resolve *r)
{
	for (size_t i = 0; !r->only && i < r->p->n_nics; i++)
		if (r->at[i] && *r->p->nic[i].bridge.name)
			want_uplink(r, i);
}
