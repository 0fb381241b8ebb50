/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What netd asks of the machine once it knows what is wanted, asked of what was
 * recorded: parameters of devlink, the bridge that a nic is put into, overlays,
 * bridges of Open vSwitch. As netd finds it (netd/observe-switch.c,
 * netd/overlay-read.c, netd/ovs-set.c): by names, and what bears its mark is
 * fairlead's.
 *
 * Where the inventory does not tell of the host's interfaces, nothing is asked,
 * and pol_inventory_lacks() says what is missing.
 */

#include "policy/inventory.h"

#include <string.h>

static const struct pol_link *find_link(const struct pol_state *s,
                                        const char *name)
{
	for (size_t i = 0; *name && i < s->n_links; i++)
		if (!strcmp(s->link[i].name, name))
			return &s->link[i];
	return NULL;
}

/* ---- parameters ---------------------------------------------------------- */

/* Those that are wanted, of more than a policy can name. */
static void ask_params(const struct pol_switch *want, struct pol_switch *sw)
{
	sw->n_params = 0;
	for (unsigned i = 0; i < want->n_params; i++)
		for (size_t k = 0; k < sw->n_all; k++) {
			if (strcmp(sw->all[k].name, want->param[i].name) != 0 ||
			    sw->all[k].init != want->param[i].init)
				continue;
			sw->param[sw->n_params++] = sw->all[k];
			break;
		}
}

/* ---- a nic's bridges ----------------------------------------------------- */

static void ask_bridges(const struct pol_state *s, const struct pol_pf *want,
                        struct pol_pf *pf)
{
	pf->sw.n_bridges = want->sw.n_bridges;
	for (unsigned i = 0; i < want->sw.n_bridges; i++) {
		struct pol_bridge *b = &pf->sw.bridge[i];
		const struct pol_link *l;

		*b = want->sw.bridge[i];
		l = find_link(s, b->name);
		b->there = l && l->bridge;
		b->filtering = l && l->bridge && l->filtering;
	}
	pf->set |= POL_HAS_BRIDGE;
}

static void ask_pf(const struct pol_state *s, const struct pol_pf *want,
                   struct pol_pf *pf)
{
	if (want->set & POL_HAS_PARAMS && pf->sw.n_all)
		ask_params(&want->sw, &pf->sw);
	if (want->set & POL_HAS_BRIDGE && s->n_links)
		ask_bridges(s, want, pf);
}

static void ask_pfs(const struct pol_state *want, struct pol_state *seen)
{
	for (size_t i = 0; i < want->n_pfs; i++)
		for (size_t k = 0; k < seen->n_pfs; k++)
			if (bdf_equal(seen->pf[k].bdf, want->pf[i].bdf))
				ask_pf(seen, &want->pf[i], &seen->pf[k]);
}

/* ---- overlays ------------------------------------------------------------ */

/* What the tunnel would go over. */
static void ask_outer(const struct pol_state *s, const struct pol_overlay *o,
                      struct pol_over *ret)
{
	const struct pol_link *l = find_link(s, o->device);

	copy_text(ret->outer, sizeof(ret->outer), o->device);
	for (size_t i = 0; !*o->device && !l && i < s->n_links; i++)
		for (size_t k = 0; !l && k < s->link[i].n_addresses; k++)
			if (pol_ip_equal(&s->link[i].address[k], &o->local))
				l = &s->link[i];
	if (!l)
		return;
	copy_text(ret->outer, sizeof(ret->outer), l->name);
	ret->outer_mtu = l->mtu;
}

static bool is_foreign(const struct pol_link *l, bool ours)
{
	return l && !l->made && !ours;
}

/* `now`: what is known of its bridge, where that is fairlead's. */
static void ask_tunnel(const struct pol_state *s, const struct pol_overlay *o,
                       const struct pol_over *now, struct pol_over *ret)
{
	const struct pol_link *bridge = find_link(s, o->bridge);
	const struct pol_link *dev = find_link(s, o->dev);
	bool same = now && !strcmp(now->o.dev, o->dev);

	copy_text(ret->o.dev, sizeof(ret->o.dev), o->dev);
	ask_outer(s, o, ret);
	if (is_foreign(bridge, now))
		copy_text(ret->foreign, sizeof(ret->foreign), o->bridge);
	else if (is_foreign(dev, same))
		copy_text(ret->foreign, sizeof(ret->foreign), o->dev);
	/* A part of it counts, too. */
	ret->there = !*ret->foreign && (bridge || dev || now);
	if (*ret->foreign || !now)
		return;
	copy_text(ret->ports, sizeof(ret->ports), now->ports);
	if (same)
		ret->o = now->o;
	else if (*now->o.dev) /* another's tunnel is in it */
		copy_text(ret->ports, sizeof(ret->ports), now->o.dev);
}

static void ask_ovs(const struct pol_state *s, const struct pol_overlay *o,
                    const struct pol_over *now, struct pol_over *ret)
{
	ret->o.ovs = true;
	if (now)
		*ret = *now;
	else if (find_link(s, o->bridge))
		copy_text(ret->foreign, sizeof(ret->foreign), o->bridge);
}

static void ask_over(struct pol_state *s, const struct pol_overlay *o)
{
	struct pol_over over = { .there = false }, *at;
	const struct pol_over *now = state_over(s, o->bridge);
	const struct pol_over *alike = now && now->o.ovs == o->ovs ? now : NULL;

	copy_text(over.o.bridge, sizeof(over.o.bridge), o->bridge);
	if (o->ovs)
		ask_ovs(s, o, alike, &over);
	else
		ask_tunnel(s, o, alike, &over);
	at = now ? &s->over[now - s->over] : &s->over[s->n_overs++];
	*at = over;
}

int pol_inventory_ask(const struct pol_state *want, struct pol_state *seen)
{
	struct pol_over *more;

	ask_pfs(want, seen);
	if (!want->n_overs)
		return 0;
	more = reallocarray(seen->over, seen->n_overs + want->n_overs,
	                    sizeof(*more));
	if (!more)
		return -ENOMEM;
	seen->over = more;
	for (size_t i = 0; i < want->n_overs; i++) {
		const struct pol_overlay *o = &want->over[i].o;

		if (o->ovs ? seen->ovs : seen->n_links > 0)
			ask_over(seen, o);
	}
	return 0;
}
