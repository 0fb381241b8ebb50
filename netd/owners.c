/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Other owners of what a plan changes. A worker's. owners.h says why. */

#include <stdio.h>
#include <string.h>

#include "netd/owners.h"

static int owned(const struct pol_action *a, const struct sriov_owner *o,
                 struct diag *d)
{
	char b[BDF_STRLEN];

	bdf_format(a->pf, b);
	diag_fail(d, -EBUSY, FL_NETD_OWNED, "%s%s%s%s is %s's, too", b,
	          *a->ifname ? " (" : "", a->ifname, *a->ifname ? ")" : "",
	          o->who);
	diag_why(d, "it %s: %s", o->what, o->file);
	diag_mend(d,
	          "%s; or `fairlead apply --force FILE`, and the two may "
	          "undo one another",
	          o->mend);
	return -EBUSY;
}

/* Only the first action of each function asks. */
static bool asked_before(const struct pol_plan *plan, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (bdf_equal(plan->action[k].pf, plan->action[i].pf))
			return true;
	return false;
}

int owners_check(const struct env *e, const struct pol_plan *plan, bool force,
                 json_t *reply, struct diag *d)
{
	struct sriov_owner o[SRIOV_OWNERS];

	for (size_t i = 0; i < plan->n; i++) {
		const struct pol_action *a = &plan->action[i];
		size_t n = asked_before(plan, i)
		                   ? 0
		                   : sriov_owners(e->root_fd, a->pf, a->ifname,
		                                  o, ARRAY_SIZE(o));

		if (n && !force)
			return owned(a, &o[0], d);
		for (size_t k = 0; k < n; k++)
			reply_warn(reply, "%s %s: %s", o[k].who, o[k].what,
			           o[k].file);
	}
	return 0;
}

void owners_suspect(const struct env *e, struct bdf pf, const char *ifname,
                    char ret[static OWNER_TEXT])
{
	struct sriov_owner o[1];

	ret[0] = '\0';
	if (sriov_owners(e->root_fd, pf, ifname, o, 1))
		snprintf(ret, OWNER_TEXT, "perhaps %s, %s", o[0].who,
		         o[0].file);
}
