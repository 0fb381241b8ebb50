/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Other owners of what a plan changes. A worker's. owners.h says why. */

#include <stdio.h>
#include <string.h>

#include "netd/owners.h"

/* A function that the plan changes. */
struct asked {
	struct bdf b;
	const char *ifname; /* "" = none */
};

static int owned(const struct asked *a, const struct sriov_owner *o,
                 struct diag *d)
{
	char b[BDF_STRLEN];

	bdf_format(a->b, b);
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

/* Only the first action of each function asks; a PF's are mostly in a row. */
static bool asked_before(const struct pol_plan *plan, size_t i)
{
	const struct pol_action *a = plan->action;

	if (i && bdf_equal(a[i - 1].pf, a[i].pf))
		return true;
	for (size_t k = 0; k < i; k++)
		if (bdf_equal(a[k].pf, a[i].pf))
			return true;
	return false;
}

/* What others say of one VF alone is which driver it has (driverctl): that
 * concerns nobody who sets its MAC. */
static bool is_of_vf(const struct pol_action *a)
{
	return a->op == POL_OP_VF_DRIVER && !bdf_equal(a->vf_bdf, a->pf);
}

/* A plan has no name for a function that is given as it is. */
static const char *name_of(const struct env *e, const struct pol_action *a,
                           struct sriov_fn *f)
{
	if (a->op != POL_OP_DEV_DRIVER)
		return a->ifname;
	return sriov_fn_look(e->root_fd, a->pf, f) ? "" : f->ifname;
}

static int check(const struct sriov_owner_files *all, const struct asked *a,
                 bool force, json_t *reply, struct diag *d)
{
	struct sriov_owner o[SRIOV_OWNERS];
	size_t n = sriov_owners_find(all, a->b, a->ifname, o, ARRAY_SIZE(o));

	if (n && !force)
		return owned(a, &o[0], d);
	for (size_t k = 0; k < n; k++)
		reply_warn(reply, "%s %s: %s", o[k].who, o[k].what, o[k].file);
	return 0;
}

static int check_all(const struct env *e, const struct sriov_owner_files *all,
                     const struct pol_plan *plan, bool force, json_t *reply,
                     struct diag *d)
{
	struct sriov_fn f;
	int r = 0;

	for (size_t i = 0; !r && i < plan->n; i++) {
		const struct pol_action *a = &plan->action[i];

		if (!asked_before(plan, i))
			r = check(all,
			          &(struct asked){ a->pf, name_of(e, a, &f) },
			          force, reply, d);
		if (!r && is_of_vf(a))
			r = check(all, &(struct asked){ a->vf_bdf, "" }, force,
			          reply, d);
	}
	return r;
}

int owners_check(const struct env *e, const struct pol_plan *plan, bool force,
                 json_t *reply, struct diag *d)
{
	struct sriov_owner_files *all = NULL;
	int r = plan->n ? sriov_owners_read(e->root_fd, &all) : 0;

	if (r)
		return diag_fail(d, -ENOMEM, FL_NETD_MEMORY, "no memory");
	r = check_all(e, all, plan, force, reply, d);
	sriov_owners_free(all);
	return r;
}

void owners_suspect(const struct env *e, const struct pol_action *a,
                    char ret[static OWNER_TEXT])
{
	struct sriov_owner_files *all = NULL;
	struct sriov_owner o[1];
	struct sriov_fn f;
	size_t n;

	ret[0] = '\0';
	if (sriov_owners_read(e->root_fd, &all))
		return;
	n = is_of_vf(a) ? sriov_owners_find(all, a->vf_bdf, "", o, 1) : 0;
	if (!n)
		n = sriov_owners_find(all, a->pf, name_of(e, a, &f), o, 1);
	sriov_owners_free(all);
	if (n)
		snprintf(ret, OWNER_TEXT, "perhaps %s, %s", o[0].who,
		         o[0].file);
}
