/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a plan would make of a machine: each action done to a state by the
 * kernel's rules as far as a planner need know them. It is what tests hold
 * plans against, and what `apply --sim` shows.
 *
 * Where the kernel decides (which driver a VF gets by itself) the state says
 * POL_DRIVER_DEFAULT, which is no vfio driver and no word of a real one. VFs
 * that are made begin as drivers make them: no MAC, no VLAN, no rate, spoof
 * check on, trust off, the link of their PF; each in a group of its own, unless
 * their PF foretells otherwise. Interfaces that come and go with VFs are not
 * followed.
 */

#include <string.h>

#include "policy/inventory.h"

typedef int act(struct pol_state *s, struct pol_pf *pf, struct pol_vf *v,
                const struct pol_action *a);

static struct pol_pf *find_pf(struct pol_state *s, struct bdf b)
{
	for (size_t i = 0; i < s->n_pfs; i++)
		if (bdf_equal(s->pf[i].bdf, b))
			return &s->pf[i];
	return NULL;
}

static struct pol_whole *find_whole(struct pol_state *s, struct bdf b)
{
	for (size_t i = 0; i < s->n_wholes; i++)
		if (bdf_equal(s->whole[i].bdf, b))
			return &s->whole[i];
	return NULL;
}

/* ---- VFs come and go ----------------------------------------------------- */

static int last_group(const struct pol_state *s)
{
	int last = -1;

	for (size_t i = 0; i < s->n_wholes; i++)
		last = MAX(last, s->whole[i].group);
	for (size_t i = 0; i < s->n_pfs; i++)
		for (size_t j = 0; j < s->pf[i].n_vfs; j++)
			last = MAX(last, s->pf[i].vf[j].group);
	return last;
}

static void drop_vfs(struct pol_state *s, struct pol_pf *pf)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_wholes; i++) {
		bool gone = false;

		for (size_t j = 0; j < pf->n_vfs && !gone; j++)
			gone = bdf_equal(pf->vf[j].bdf, s->whole[i].bdf);
		if (!gone)
			s->whole[n++] = s->whole[i];
	}
	s->n_wholes = n;
	free(pf->vf);
	pf->vf = NULL;
	pf->n_vfs = 0;
	pf->num_vfs = 0;
}

static void new_vf(const struct pol_state *s, const struct pol_pf *pf,
                   unsigned index, int group, struct pol_vf *v)
{
	*v = (struct pol_vf){ .set = POL_HAS_DRIVER | POL_HAS_OVERRIDE,
		              .index = (uint16_t)index,
		              .proto = ETH_P_8021Q,
		              .spoof = true,
		              .group = s->iommu ? group : -1 };
	if (pf->set & POL_HAS_RESOURCES)
		v->set |= POL_HAS_RESOURCES;
	if (*pf->ifname)
		v->set |= POL_HAS_KNOBS & ~(uint32_t)POL_HAS_RSS;
	if (vf_address(pf, index, &v->bdf))
		v->bdf = pf->bdf;
	sim_new_port(pf, v);
	copy_text(v->blocker, sizeof(v->blocker), pf->blocker);
	if (pf->autoprobe)
		copy_text(v->driver, sizeof(v->driver), POL_DRIVER_DEFAULT);
}

static int make_vfs(struct pol_state *s, struct pol_pf *pf, uint32_t n)
{
	struct pol_vf *vf = calloc(n, sizeof(*vf));
	int group = last_group(s); /* of the functions where they are now */
	struct pol_whole *w =
		reallocarray(s->whole, s->n_wholes + n, sizeof(*w));

	if (w)
		s->whole = w;
	if (!vf || !w) {
		free(vf);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < n; i++) {
		new_vf(s, pf, i, ++group, &vf[i]);
		w[s->n_wholes++] = (struct pol_whole){ .set = POL_HAS_DRIVER |
			                                      POL_HAS_OVERRIDE,
			                               .bdf = vf[i].bdf,
			                               .vendor = pf->vendor,
			                               .virtual_fn = true,
			                               .group = vf[i].group };
		copy_text(w[s->n_wholes - 1].driver, POL_NAME, vf[i].driver);
	}
	pf->vf = vf;
	pf->n_vfs = n;
	pf->num_vfs = n;
	return 0;
}

/* ---- one action ---------------------------------------------------------- */

static int act_autoprobe(struct pol_state *s _unused_, struct pol_pf *pf,
                         struct pol_vf *v _unused_, const struct pol_action *a)
{
	pf->autoprobe = a->number;
	pf->set |= POL_HAS_AUTOPROBE;
	return 0;
}

/* The kernel refuses n -> m, and more than there are. */
static int act_numvfs(struct pol_state *s, struct pol_pf *pf,
                      struct pol_vf *v _unused_, const struct pol_action *a)
{
	struct pol_whole *w;
	int r = 0;

	if (a->number && pf->num_vfs)
		return -EBUSY;
	if (a->number > pf->total_vfs)
		return -ERANGE;
	if (switch_order(pf->driver)->link_first && pf->set & POL_HAS_LINK &&
	    !pf->link_up)
		return -ENETDOWN;
	drop_vfs(s, pf);
	if (a->number)
		r = make_vfs(s, pf, a->number);
	w = find_whole(s, pf->bdf);
	if (w)
		w->num_vfs = pf->num_vfs;
	return r;
}

static int act_link(struct pol_state *s _unused_, struct pol_pf *pf,
                    struct pol_vf *v _unused_, const struct pol_action *a)
{
	pf->link_up = a->number;
	pf->set |= POL_HAS_LINK;
	return 0;
}

static int act_mac(struct pol_state *s _unused_, struct pol_pf *pf _unused_,
                   struct pol_vf *v, const struct pol_action *a)
{
	memcpy(v->mac, a->mac, sizeof(v->mac));
	v->set |= POL_HAS_MAC;
	return 0;
}

static int act_vlan(struct pol_state *s _unused_, struct pol_pf *pf _unused_,
                    struct pol_vf *v, const struct pol_action *a)
{
	v->vlan = a->vlan;
	v->qos = a->qos;
	v->proto = a->proto;
	v->set |= POL_HAS_VLAN;
	return 0;
}

static int act_spoof(struct pol_state *s _unused_, struct pol_pf *pf _unused_,
                     struct pol_vf *v, const struct pol_action *a)
{
	v->spoof = a->number;
	v->set |= POL_HAS_SPOOF;
	return 0;
}

static int act_mtu(struct pol_state *s, struct pol_pf *pf,
                   struct pol_vf *v _unused_, const struct pol_action *a)
{
	struct pol_link *l = sim_link(s, pf->ifname);

	if (l)
		l->mtu = a->number;
	pf->mtu = a->number;
	pf->set |= POL_HAS_MTU;
	return 0;
}

static int act_filtering(struct pol_state *s, struct pol_pf *pf,
                         struct pol_vf *v _unused_, const struct pol_action *a)
{
	struct pol_link *l = sim_link(s, a->port.bridge);

	if (l)
		l->filtering = a->number;
	for (unsigned i = 0; i < pf->sw.n_bridges; i++)
		if (!strcmp(pf->sw.bridge[i].name, a->port.bridge))
			pf->sw.bridge[i].filtering = a->number;
	return 0;
}

static int act_rate(struct pol_state *s _unused_, struct pol_pf *pf _unused_,
                    struct pol_vf *v, const struct pol_action *a)
{
	v->rate_min = a->rate_min;
	v->rate_max = a->rate_max;
	v->set |= POL_HAS_RATE;
	return 0;
}

static int act_rss(struct pol_state *s _unused_, struct pol_pf *pf _unused_,
                   struct pol_vf *v, const struct pol_action *a)
{
	v->rss = a->number;
	v->set |= POL_HAS_RSS;
	return 0;
}

static int act_link_state(struct pol_state *s _unused_,
                          struct pol_pf *pf _unused_, struct pol_vf *v,
                          const struct pol_action *a)
{
	v->link_state = (enum pol_link_state)a->number;
	v->set |= POL_HAS_LINK_STATE;
	return 0;
}

static int act_trust(struct pol_state *s _unused_, struct pol_pf *pf _unused_,
                     struct pol_vf *v, const struct pol_action *a)
{
	v->trust = a->number;
	v->set |= POL_HAS_TRUST;
	return 0;
}

/* Without autoprobe nothing is found for a VF. */
static int act_driver(struct pol_state *s, struct pol_pf *pf, struct pol_vf *v,
                      const struct pol_action *a)
{
	struct pol_whole *w = find_whole(s, v->bdf);
	bool none = !strcmp(a->driver, POL_DRIVER_DEFAULT) && !pf->autoprobe;

	copy_text(v->driver, sizeof(v->driver), none ? "" : a->driver);
	copy_text(v->override, sizeof(v->override), a->override);
	v->set |= POL_HAS_DRIVER | POL_HAS_OVERRIDE;
	if (w) {
		copy_text(w->driver, sizeof(w->driver), v->driver);
		copy_text(w->override, sizeof(w->override), v->override);
	}
	return 0;
}

/* A PF that changes hands takes its VFs and its interface with it. */
static int act_device(struct pol_state *s, struct pol_pf *pf,
                      struct pol_vf *v _unused_, const struct pol_action *a)
{
	struct pol_whole *w = find_whole(s, a->pf);

	if (!w)
		return -ENODEV;
	copy_text(w->driver, sizeof(w->driver), a->driver);
	copy_text(w->override, sizeof(w->override), a->override);
	w->set |= POL_HAS_DRIVER | POL_HAS_OVERRIDE;
	if (!pf)
		return 0;
	drop_vfs(s, pf);
	copy_text(pf->driver, sizeof(pf->driver), a->driver);
	if (pol_driver_is_vfio(a->driver)) {
		pf->ifname[0] = '\0';
		pf->set &= ~(uint32_t)POL_HAS_LINK;
	}
	return 0;
}

static int act_one(struct pol_state *s, const struct pol_action *a)
{
	static act *const table[POL_OP_MAX] = {
		[POL_OP_AUTOPROBE] = act_autoprobe,
		[POL_OP_PF_MTU] = act_mtu,
		[POL_OP_NUMVFS] = act_numvfs,
		[POL_OP_PF_LINK] = act_link,
		[POL_OP_BRIDGE] = act_filtering,
		[POL_OP_VF_MAC] = act_mac,
		[POL_OP_VF_VLAN] = act_vlan,
		[POL_OP_VF_RATE] = act_rate,
		[POL_OP_VF_SPOOF] = act_spoof,
		[POL_OP_VF_TRUST] = act_trust,
		[POL_OP_VF_RSS] = act_rss,
		[POL_OP_VF_LINK] = act_link_state,
		[POL_OP_VF_DRIVER] = act_driver,
		[POL_OP_DEV_DRIVER] = act_device,
	};
	struct pol_pf *pf = find_pf(s, a->pf);
	struct pol_vf *v = NULL;

	if (a->over)
		return sim_over(s, a);
	if (!pf && a->op != POL_OP_DEV_DRIVER)
		return -ENODEV;
	if (a->vf >= 0) {
		if (!pf || (size_t)a->vf >= pf->n_vfs)
			return -ENODEV;
		v = &pf->vf[a->vf];
	}
	if (a->op >= POL_OP_MAX || !table[a->op])
		return pf ? sim_switch(pf, v, a) : -EOPNOTSUPP;
	return table[a->op](s, pf, v, a);
}

int pol_sim(struct pol_state *s, const struct pol_plan *plan, struct diag *d)
{
	char text[DIAG_LINE];

	for (size_t i = 0; i < plan->n; i++) {
		int r = act_one(s, &plan->action[i]);

		if (!r)
			continue;
		pol_action_text(&plan->action[i], text, sizeof(text));
		diag_fail(d, r, FL_POL_SIM, "the kernel would refuse to %.200s",
		          text);
		diag_why(d, "%s",
		         r == -EBUSY    ? "it has VFs already"
		         : r == -ERANGE ? "it has not so many"
		         : r == -ENODEV ? "it would not be there"
		         : r == -ENOMEM ? "no memory"
		                        : "what it does is not simulated");
		diag_mend(d, "report it with the inventory: a plan must not "
		             "have such a step");
		return r;
	}
	return 0;
}
