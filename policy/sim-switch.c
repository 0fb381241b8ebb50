/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sim.c's actions on the switch in a PF: its mode shows and takes away the
 * ports of its VFs, and a group that has members does not go. And bridges. */

#include <string.h>

#include "policy/priv.h"

static struct pol_group *find_group(struct pol_switch *sw, const char *name)
{
	for (unsigned i = 0; i < sw->n_groups; i++)
		if (!strcmp(sw->group[i].name, name))
			return &sw->group[i];
	return NULL;
}

void sim_new_port(const struct pol_pf *pf, struct pol_vf *v)
{
	const uint32_t ports = POL_HAS_GROUP | POL_HAS_PORT | POL_HAS_PORT_VLAN;

	v->set &= ~ports;
	v->rate_group[0] = '\0';
	v->port = (struct pol_port){ .up = false };
	if (pf->set & POL_HAS_ESWITCH && pf->sw.switchdev)
		v->set |= POL_HAS_GROUP | POL_HAS_PORT;
}

static int set_mode(struct pol_pf *pf, const struct pol_action *a)
{
	if (!a->number && pf->sw.n_groups)
		return -EBUSY;
	pf->sw.switchdev = a->number;
	pf->set |= POL_HAS_ESWITCH;
	for (size_t i = 0; i < pf->n_vfs; i++)
		sim_new_port(pf, &pf->vf[i]);
	return 0;
}

static bool change_param(struct pol_param_value *p, size_t n,
                         const struct pol_param_value *to)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(p[i].name, to->name) && p[i].init == to->init) {
			p[i] = *to;
			return true;
		}
	return false;
}

static int set_param(struct pol_pf *pf, const struct pol_action *a)
{
	(void)change_param(pf->sw.all, pf->sw.n_all, &a->param);
	return change_param(pf->sw.param, pf->sw.n_params, &a->param) ? 0
	                                                              : -EINVAL;
}

static int set_group(struct pol_pf *pf, const struct pol_action *a)
{
	struct pol_group *g = find_group(&pf->sw, a->group.name);

	if (!!g != !!a->number || !pf->sw.switchdev)
		return -EOPNOTSUPP;
	if (!g && pf->sw.n_groups == POL_GROUPS_MAX)
		return -ERANGE;
	if (!g) {
		g = &pf->sw.group[pf->sw.n_groups++];
		*g = (struct pol_group){ .set = POL_GROUP_ALL };
		copy_text(g->name, sizeof(g->name), a->group.name);
	}
	g->share = a->group.set & POL_GROUP_SHARE ? a->group.share : g->share;
	g->max = a->group.set & POL_GROUP_MAX ? a->group.max : g->max;
	g->priority = a->group.set & POL_GROUP_PRIORITY ? a->group.priority
	                                                : g->priority;
	g->weight =
		a->group.set & POL_GROUP_WEIGHT ? a->group.weight : g->weight;
	return 0;
}

static int del_group(struct pol_pf *pf, const struct pol_action *a)
{
	struct pol_group *g = find_group(&pf->sw, a->group.name);

	for (size_t i = 0; i < pf->n_vfs; i++)
		if (!strcmp(pf->vf[i].rate_group, a->group.name))
			return -EBUSY;
	if (!g)
		return -ENODEV;
	*g = pf->sw.group[--pf->sw.n_groups];
	return 0;
}

static int join_group(struct pol_pf *pf, struct pol_vf *v,
                      const struct pol_action *a)
{
	if (!v || !(v->set & POL_HAS_GROUP) ||
	    (*a->group.name && !find_group(&pf->sw, a->group.name)))
		return -ENODEV;
	copy_text(v->rate_group, sizeof(v->rate_group), a->group.name);
	return 0;
}

static int set_port(struct pol_port *p, uint32_t *set, bool raise,
                    const struct pol_action *a)
{
	bool joins = strcmp(p->bridge, a->port.bridge) != 0;

	copy_text(p->bridge, sizeof(p->bridge), a->port.bridge);
	p->ovs = a->port.ovs;
	if (raise)
		p->up = a->port.up;
	*set |= POL_HAS_PORT;
	if (!*p->bridge) {
		*set &= ~(uint32_t)POL_HAS_PORT_VLAN;
		p->n_tagged = 0;
		return 0;
	}
	*set |= POL_HAS_PORT_VLAN;
	if (a->port_set & POL_HAS_PORT_VLAN) {
		p->pvid = a->port.pvid;
		p->n_tagged = a->port.n_tagged;
		memcpy(p->tagged, a->port.tagged, sizeof(p->tagged));
	} else if (joins && p->ovs) {
		pol_ovs_set_all(p);
	} else if (joins) {
		p->pvid = 1;
		p->n_tagged = 0;
	}
	return 0;
}

int sim_switch(struct pol_pf *pf, struct pol_vf *v, const struct pol_action *a)
{
	switch (a->op) {
	case POL_OP_ESWITCH:
		return set_mode(pf, a);
	case POL_OP_PARAM:
		return set_param(pf, a);
	case POL_OP_GROUP:
		return set_group(pf, a);
	case POL_OP_GROUP_DEL:
		return del_group(pf, a);
	case POL_OP_VF_GROUP:
		return join_group(pf, v, a);
	case POL_OP_VF_MSIX:
		if (!v)
			return -ENODEV;
		v->msix = (uint16_t)a->number;
		v->set |= POL_HAS_MSIX;
		return 0;
	case POL_OP_VF_RESOURCES:
		return sim_resources(pf, v, a);
	case POL_OP_NVME_KEEP:
		return sim_keep(pf, a);
	case POL_OP_PORT:
		if (v)
			return v->set & POL_HAS_PORT
			               ? set_port(&v->port, &v->set, true, a)
			               : -ENODEV;
		return set_port(&pf->sw.port, &pf->set, false, a);
	default:
		return -EOPNOTSUPP;
	}
}

struct pol_link *sim_link(struct pol_state *s, const char *name)
{
	for (size_t i = 0; *name && i < s->n_links; i++)
		if (!strcmp(s->link[i].name, name))
			return &s->link[i];
	return NULL;
}

static void drop_link(struct pol_state *s, const char *name)
{
	struct pol_link *l = sim_link(s, name);

	if (!l)
		return;
	free(l->address);
	s->n_links--;
	memmove(l, l + 1, (size_t)(&s->link[s->n_links] - l) * sizeof(*l));
}

int sim_over(struct pol_state *s, const struct pol_action *a)
{
	for (size_t i = 0; i < s->n_overs; i++) {
		struct pol_over *o = &s->over[i];

		if (strcmp(o->o.bridge, a->over->o.bridge) != 0)
			continue;
		o->there = a->op == POL_OP_OVERLAY;
		if (!o->there) {
			drop_link(s, o->o.bridge);
			drop_link(s, o->o.dev);
		}
		/* One that is not there has nothing but its name. */
		o->bare = o->there && a->over->bare;
		o->o = o->there ? a->over->o
		                : (struct pol_overlay){ .ovs = o->o.ovs };
		copy_text(o->o.bridge, sizeof(o->o.bridge), a->over->o.bridge);
		if (o->there && o->o.ovs && !o->o.datapath)
			o->o.datapath = POL_OVS_SYSTEM;
		return 0;
	}
	return -ENODEV;
}
