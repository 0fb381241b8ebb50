/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Series of what netd keeps in order: settings that drifted and were repaired,
 * functions that go from tenant to tenant. */

#include "cli/metrics-priv.h"

#include <string.h>

static void say_drift_count(const struct metrics_out *o, const char *name,
                            const char *key, const char *help)
{
	const json_t *list = json_object_get(
		json_object_get(o->reply, "reconcile"), "counters");

	metrics_head(o, name, "counter", help);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);

		metrics_series(o, name,
		               LABELS("pciAddr", cli_text(c, "pf", ""),
		                      "attribute", cli_text(c, "attribute", ""),
		                      NULL));
		metrics_whole(o, json_integer_value(json_object_get(c, key)));
	}
}

/* How many are as they should not be, now. */
static void say_open(const struct metrics_out *o, const json_t *reconcile)
{
	static const char name[] = "fairlead_drift_open";
	const json_t *list = json_object_get(reconcile, "drift");
	json_int_t n = 0;

	metrics_head(o, name, "gauge",
	             "Settings that are not as the policy says, and are not "
	             "repaired.");
	if (!json_is_true(json_object_get(reconcile, "active")))
		return;
	for (size_t i = 0; i < json_array_size(list); i++)
		n += json_is_true(
			json_object_get(json_array_get(list, i), "open"));
	metrics_series(o, name, LABELS(NULL));
	metrics_whole(o, n);
}

static void say_looks(const struct metrics_out *o, const json_t *reconcile)
{
	static const char name[] = "fairlead_reconcile_looks_total";
	const json_t *looks = json_object_get(reconcile, "looks");

	metrics_head(o, name, "counter",
	             "Times that the machine was compared with the policy.");
	if (!json_is_integer(looks))
		return;
	metrics_series(o, name, LABELS(NULL));
	metrics_whole(o, json_integer_value(looks));
}

static void say_functions(const struct metrics_out *o)
{
	static const char state[] = "fairlead_vf_state";
	static const char tenants[] = "fairlead_vf_tenants_total";
	const json_t *list = json_object_get(o->reply, "functions");

	metrics_head(
		o, state, "gauge",
		"1 for the state of a VF that has had a tenant: quarantined "
		"is given to nobody.");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *f = json_array_get(list, i);

		metrics_series(o, state,
		               LABELS("pciAddr", cli_text(f, "bdf", ""),
		                      "state", cli_text(f, "state", ""), NULL));
		metrics_whole(o, 1);
	}
	metrics_head(o, tenants, "counter", "Leases and loans of a VF so far.");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *f = json_array_get(list, i);

		metrics_series(o, tenants,
		               LABELS("pciAddr", cli_text(f, "bdf", ""), NULL));
		metrics_whole(o, json_integer_value(
					 json_object_get(f, "generation")));
	}
}

void metrics_drift(const struct metrics_out *o)
{
	const json_t *reconcile = json_object_get(o->reply, "reconcile");

	say_drift_count(o, "fairlead_drift_seen_total", "seen",
	                "Settings of a PF or its VFs that were found changed.");
	say_drift_count(o, "fairlead_drift_repairs_total", "repaired",
	                "... and were put right.");
	say_open(o, reconcile);
	say_looks(o, reconcile);
	say_functions(o);
}
