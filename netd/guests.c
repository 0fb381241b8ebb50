/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guests of the applied policy: guests.h. */

#include "netd/guests.h"

static json_t *list(const struct env *e, const struct pol_policy *p)
{
	json_t *o = json_array();

	for (size_t i = 0; i < p->n_guests; i++) {
		const struct pol_guest *g = &p->guest[i];
		const struct lease *l = lease_find(&e->leases, g->name);

		json_array_append_new(
			o, json_pack("{s:s, s:s, s:b}", "guest", g->name,
		                     "boot", g->boot_auto ? "auto" : "manual",
		                     "running", l && !l->ending));
	}
	return o;
}

json_t *guests_json(const struct env *e)
{
	_cleanup_free_ struct pol_errors *errs = calloc(1, sizeof(*errs));
	struct pol_policy *p = NULL;
	struct diag d = { 0 };
	json_t *o;

	if (!errs || policy_applied(e, &p, errs, &d))
		return json_array();
	o = list(e, p);
	pol_free(p);
	return o;
}

int verb_guests(struct work *w)
{
	struct pol_policy *p = NULL;
	int r = policy_applied(w->env, &p, &w->errs, &w->diag);

	if (r)
		return r;
	json_object_set_new(w->reply, "guests", list(w->env, p));
	pol_free(p);
	return 0;
}
