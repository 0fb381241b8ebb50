/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's own network in a plan: which of its interfaces the host uses, so
 * that what interrupts one of them is told apart from what interrupts another;
 * and whether the default route goes through one that the plan changes, so
 * that an apply is to be confirmed. Told by what the host does with a function
 * (sriov/use.c has the words). On a machine netd sees more: the way below a
 * bridge, and next hops (netd/confirm.h).
 */

#include <stdio.h>
#include <string.h>

#include "policy/plan.h"

enum host_use host_use(const struct pol_state *seen, const struct pol_pf *pf)
{
	const struct pol_whole *w = state_whole(seen, pf->bdf);

	if (!w)
		return HOST_USE_UNKNOWN;
	return *pf->ifname && w->n_uses ? HOST_USES : HOST_USES_NOT;
}

static bool is_route(const struct pol_state *seen, struct bdf b)
{
	const struct pol_whole *w = state_whole(seen, b);

	for (size_t i = 0; w && i < w->n_uses; i++)
		if (strstr(w->use[i], "default route"))
			return true;
	return false;
}

static bool touches(const struct pol_plan *plan, struct bdf b)
{
	for (size_t i = 0; i < plan->n; i++)
		if (bdf_equal(plan->action[i].pf, b))
			return true;
	return false;
}

uint32_t pol_confirm_within(const struct pol_policy *p,
                            const struct pol_state *seen,
                            const struct pol_plan *plan)
{
	if (!plan->n)
		return 0;
	if (p->host.apply.confirm_ms.given == POL_GIVEN)
		return (p->host.apply.confirm_ms.v + 999) / 1000;
	for (size_t i = 0; i < plan->n; i++)
		if (is_route(seen, plan->action[i].pf))
			return POL_CONFIRM_USUAL_S;
	return 0;
}

void pol_each_risk(const struct pol_policy *p, const struct pol_state *want,
                   const struct pol_state *seen, const struct pol_plan *plan,
                   void (*say)(const char *text, void *arg), void *arg)
{
	const struct pol_pos first = { .line = 0 };
	char text[DIAG_LINE], b[BDF_STRLEN];

	for (size_t i = 0; i < want->n_pfs; i++) {
		const struct pol_pf *w = &want->pf[i];
		const struct pol_pf *s = state_pf(seen, w->bdf);

		if (!s || !is_route(seen, w->bdf) || !touches(plan, w->bdf))
			continue;
		snprintf(text, sizeof(text),
		         "nic %s (%s, column %u): the host's default route "
		         "goes through %s, which the plan changes",
		         w->name, WHERE(p, w->pos, first), w->pos.column,
		         *s->ifname ? s->ifname : bdf_format(s->bdf, b));
		say(text, arg);
	}
}
