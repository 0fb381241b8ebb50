/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The switches of a machine, in an export: their mode, their rate groups with
 * those VFs that are in them, vectors. Which bridge a representor is in is
 * said of the VFs of guests only, and an export has none.
 */

#include <string.h>

#include "policy/export.h"

#define MBIT 125000u      /* bytes a second */
#define MBIT_MAX 2000000u /* what a policy can say */

static bool is_rate(uint64_t bytes)
{
	return bytes % MBIT == 0 && bytes / MBIT <= MBIT_MAX;
}

/* Why the groups cannot be said; NULL = they can, or there are none. */
static const char *groups_unsaid(const struct pol_switch *sw)
{
	for (unsigned i = 0; i < sw->n_groups; i++) {
		const struct pol_group *g = &sw->group[i];

		if (!is_name(g->name))
			return "the name of one is none of a policy";
		if (!is_rate(g->share) || !is_rate(g->max))
			return "a rate is no whole number of Mbit/s";
		if (g->max && g->share > g->max)
			return "one is promised more than it may send";
		if (g->priority > UINT16_MAX || g->weight > UINT16_MAX)
			return "a priority or weight is beyond 65535";
	}
	return NULL;
}

static bool is_switchdev(const struct pol_pf *pf)
{
	return pf->set & POL_HAS_ESWITCH && pf->sw.switchdev;
}

bool export_has_groups(const struct pol_pf *pf)
{
	return is_switchdev(pf) && pf->set & POL_HAS_GROUPS &&
	       !groups_unsaid(&pf->sw);
}

static void put_group(struct export *e, const struct pol_group *g)
{
	put(e, "      - { name: \"%s\"", g->name);
	if (g->share)
		put(e, ", tx-share: %umbit", (unsigned)(g->share / MBIT));
	if (g->max)
		put(e, ", tx-max: %umbit", (unsigned)(g->max / MBIT));
	if (g->priority)
		put(e, ", tx-priority: %u", g->priority);
	if (g->weight)
		put(e, ", tx-weight: %u", g->weight);
	put(e, " }\n");
}

void export_switch(struct export *e, const struct pol_pf *pf)
{
	if (pf->set & POL_HAS_ESWITCH)
		put(e, "    embedded-switch-mode: %s\n",
		    pf->sw.switchdev ? "switchdev" : "legacy");
	if (!export_has_groups(pf) || !pf->sw.n_groups)
		return;
	put(e, "    rate-groups:\n");
	for (unsigned i = 0; i < pf->sw.n_groups; i++)
		put_group(e, &pf->sw.group[i]);
}

/* Comments, which may not stand within a nic. */
void export_switch_unsaid(struct export *e, const struct pol_pf *pf)
{
	const char *why = groups_unsaid(&pf->sw);

	if (is_switchdev(pf) && why)
		not_said(e, pf->bdf, "its rate groups: %s", why);
	if (pf->set & POL_HAS_PORT && *pf->sw.port.bridge)
		not_said(e, pf->bdf, "its interface is in %s",
		         pf->sw.port.bridge);
	for (size_t i = 0; i < pf->n_vfs; i++) {
		const struct pol_vf *v = &pf->vf[i];

		if (v->set & POL_HAS_PORT && *v->port.bridge)
			not_said(e, v->bdf, "the representor of VF %u is in %s",
			         v->index, v->port.bridge);
	}
}

bool export_vf_switch_says(const struct pol_pf *pf, const struct pol_vf *v)
{
	return (export_has_groups(pf) && v->set & POL_HAS_GROUP &&
	        *v->rate_group) ||
	       (pf->msix_total && v->set & POL_HAS_MSIX);
}

void export_vf_switch(struct export *e, const struct pol_pf *pf,
                      const struct pol_vf *v)
{
	if (export_has_groups(pf) && v->set & POL_HAS_GROUP && *v->rate_group)
		put(e, ", rate-group: \"%s\"", v->rate_group);
	if (pf->msix_total && v->set & POL_HAS_MSIX)
		put(e, ", msix-vectors: %u", v->msix);
}
