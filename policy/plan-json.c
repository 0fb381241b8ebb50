/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plans as JSON: what netd answers, and what `plan --sim` prints by itself. A
 * NULL from jansson is out of memory; the *_new functions pass it on. */

#include "policy/priv.h"

static json_t *guests_json(const struct pol_action *a)
{
	json_t *list = json_array();
	char guest[POL_NAME];
	size_t at = 0;

	while (pol_action_guest(a, &at, guest))
		json_array_append_new(list, json_string(guest));
	return list;
}

json_t *pol_plan_to_json(const struct pol_plan *plan)
{
	json_t *list = json_array();
	char text[2 * DIAG_LINE], command[8 * DIAG_LINE];

	for (size_t i = 0; i < plan->n; i++) {
		const struct pol_action *a = &plan->action[i];

		pol_action_text(a, text, sizeof(text));
		pol_action_command(a, command, sizeof(command));
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:s, s:o}", "op",
		                        pol_op_name(a->op), "text", text,
		                        "command", command, "disruption",
		                        pol_disruption_name(a->disruption),
		                        "guests", guests_json(a)));
	}
	return list;
}

static json_t *own_json(const struct pol_guest *g, const struct pol_own *o)
{
	char text[2 * DIAG_LINE], command[2 * DIAG_LINE];
	char guard[POL_GUARD_SCRIPT];
	json_t *j;

	pol_own_text(o, text, sizeof(text));
	pol_own_command(o, command, sizeof(command));
	j = json_pack("{s:s, s:s, s:s}", "guest", g->name, "text", text,
	              "command", command);
	if (pol_own_guarded(o)) {
		pol_guard_script(o, guard, sizeof(guard));
		json_object_set_new(j, "guard", json_string(guard));
	}
	return j;
}

static json_t *why_json(const struct pol_policy *p, const struct pol_guest *g,
                        const struct pol_guest_nic *n)
{
	char why[DIAG_LINE], others[DIAG_LINE];

	pol_why_text(p, n, why, sizeof(why));
	pol_others_text(p, n, others, sizeof(others));
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:s}", "guest",
	                 g->name, "nic", n->name, "pool", p->pool[n->pool].name,
	                 "of", p->nic[n->fn.nic].name, "vf", n->fn.vf, "why",
	                 why, "others", others);
}

static void put_address(const struct pol_guest *g,
                        const struct pol_guest_nic *n,
                        const struct pol_state *want, json_t *o)
{
	char label[2 * POL_NAME], b[BDF_STRLEN];

	snprintf(label, sizeof(label), "%s/%s", g->name, n->name);
	for (size_t i = 0; i < want->n_pfs; i++) {
		const struct pol_vf *v = state_vf(&want->pf[i], n->fn.vf);

		if (!v || strcmp(v->label, label) != 0)
			continue;
		json_object_set_new(o, "bdf",
		                    json_string(bdf_format(v->bdf, b)));
		return;
	}
}

json_t *pol_placement_to_json(const struct pol_policy *p,
                              const struct pol_state *want)
{
	json_t *list = json_array();

	for (size_t g = 0; g < p->n_guests; g++)
		for (size_t i = 0; i < p->guest[g].n_nics; i++) {
			const struct pol_guest_nic *n = &p->guest[g].nic[i];
			json_t *o;

			if (n->pool == SIZE_MAX)
				continue;
			o = why_json(p, &p->guest[g], n);
			put_address(&p->guest[g], n, want, o);
			json_array_append_new(list, o);
		}
	return list;
}

json_t *pol_at_start_to_json(const struct pol_policy *p)
{
	json_t *list = json_array();
	struct pol_own o;

	for (size_t g = 0; g < p->n_guests; g++)
		for (size_t i = 0; pol_guest_own(p, &p->guest[g], i, &o); i++)
			if (o.kind != POL_OWN_RNG) /* nearly all have one */
				json_array_append_new(
					list, own_json(&p->guest[g], &o));
	return list;
}
