/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an apply may disrupt: as whoever asks for it says (--allow-disruption),
 * else as host.apply.disruption-budget does; left out it is none-in-use, also
 * where the policy has no `host`. In use is what a guest leases or a process
 * holds: the VF itself, or any of the PF.
 */

#include <stdio.h>
#include <string.h>

#include "netd/transact.h"

static bool is_used(const struct pol_state *seen, const struct pol_action *a)
{
	const struct pol_pf *pf = state_find_pf(seen, a->pf);

	for (size_t i = 0; pf && i < pf->n_vfs; i++) {
		const struct pol_vf *v = &pf->vf[i];

		if ((a->vf < 0 || (unsigned)a->vf == v->index) &&
		    (v->holder_pid || *v->label))
			return true;
	}
	return false;
}

int budget_check(enum pol_budget budget, bool asked,
                 const struct pol_plan *plan, const struct pol_state *seen,
                 struct diag *d)
{
	char text[DIAG_LINE];
	size_t n = 0;

	if (budget == POL_BUDGET_ALLOW)
		return 0;
	for (size_t i = 0; i < plan->n; i++) {
		const struct pol_action *a = &plan->action[i];

		if (a->disruption == POL_DIS_NONE ||
		    (budget == POL_BUDGET_NONE_IN_USE && !is_used(seen, a)))
			continue;
		if (!n++)
			pol_action_text(a, text, sizeof(text));
	}
	if (!n)
		return 0;
	diag_fail(d, -EBUSY, FL_NETD_BUDGET,
	          "%zu action(s) disrupt more than %s allows", n,
	          asked ? "this apply" : "the policy");
	diag_why(d, "%s is %s; the first: %.120s",
	         asked ? "--allow-disruption" : "disruption-budget",
	         pol_budget_name(budget), text);
	diag_mend(d, "see `fairlead plan FILE`; stop those guests, or "
	             "`fairlead apply --allow-disruption=allow FILE`");
	return -EBUSY;
}
