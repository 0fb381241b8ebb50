/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole functions in a plan: a driver each, and nobody's while it is held. */

#include <string.h>

#include "policy/priv.h"

static int in_use(const struct pol_whole *s, struct diag *d)
{
	const char *who = *s->label ? s->label : s->holder;
	char b[BDF_STRLEN];
	int r = diag_fail(d, -EBUSY, FL_POL_IN_USE,
	                  "%s is in use: its driver would change",
	                  bdf_format(s->bdf, b));

	if (!s->holder_pid) {
		diag_why(d, "%s leases it", who);
		diag_mend(d, "stop that guest, then again");
		return r;
	}
	diag_why(d, "%s (pid %d) has it open", *who ? who : "a process",
	         s->holder_pid);
	diag_mend(d, "stop it first: `kill %d`, then again", s->holder_pid);
	return r;
}

static int gone(const struct pol_whole *w, struct diag *d)
{
	char b[BDF_STRLEN];
	int r = diag_fail(d, -ENODEV, FL_POL_NO_MATCH, "%s is not there",
	                  bdf_format(w->bdf, b));

	diag_why(d, "it was when this was written down");
	diag_mend(d, "see `lspci -s %s -k`", b);
	return r;
}

static bool is_so(const struct pol_whole *w, const struct pol_whole *s)
{
	return !strcmp(w->driver, s->driver) &&
	       (!(w->set & POL_HAS_OVERRIDE) ||
	        !strcmp(w->override, s->override));
}

static bool is_host(const char *driver)
{
	return *driver && !pol_driver_is_vfio(driver);
}

static int plan_one(const struct pol_whole *w, const struct pol_whole *s,
                    struct pol_plan *plan, struct diag *d)
{
	struct pol_action *a;

	if (!s)
		return gone(w, d);
	if (!(w->set & POL_HAS_DRIVER) || is_so(w, s))
		return 0;
	if (is_held(s->holder_pid, s->holder, s->label))
		return in_use(s, d);
	a = &plan->action[plan->n++];
	a->op = POL_OP_DEV_DRIVER;
	/* Taking a host driver away takes its disk or interface away. */
	a->disruption = is_host(s->driver) && strcmp(s->driver, w->driver) != 0
	                        ? POL_DIS_HOST
	                        : POL_DIS_NONE;
	a->pf = w->bdf;
	a->vf_bdf = w->bdf;
	a->vf = -1;
	copy_text(a->driver, sizeof(a->driver), w->driver);
	copy_text(a->override, sizeof(a->override),
	          w->set & POL_HAS_OVERRIDE ? w->override : s->override);
	copy_text(a->driver_from, sizeof(a->driver_from), s->driver);
	copy_text(a->label, sizeof(a->label), w->label);
	return 0;
}

int plan_wholes(const struct pol_state *want, const struct pol_state *seen,
                bool to_host, struct pol_plan *plan, struct diag *d)
{
	int r = 0;

	for (size_t i = 0; !r && i < want->n_wholes; i++) {
		const struct pol_whole *w = &want->whole[i];

		if (is_host(w->driver) == to_host)
			r = plan_one(w, state_whole(seen, w->bdf), plan, d);
	}
	return r;
}
