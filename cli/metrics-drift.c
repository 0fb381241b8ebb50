/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Series of what netd keeps in order: settings that drifted and were repaired,
 * functions that go from tenant to tenant. */

#include "cli/metrics-priv.h"

#define OF_SETTING                                                             \
	{                                                                      \
		"pciAddr", "pf", "attribute", "attribute"                      \
	}
static const struct metrics_list counters[] = {
	{ "fairlead_drift_seen_total", "counter",
	  "Settings of a PF or its VFs that were found changed.", OF_SETTING,
	  "seen" },
	{ "fairlead_drift_repairs_total", "counter", "... and were put right.",
	  OF_SETTING, "repaired" },
};

static const struct metrics_list looks = {
	.name = "fairlead_reconcile_looks_total",
	.type = "counter",
	.help = "Times that the machine was compared with the policy.",
};

static const struct metrics_list functions[] = {
	{ "fairlead_vf_state",
	  "gauge",
	  "1 for the state of a VF that has had a tenant: quarantined is given "
	  "to nobody.",
	  { "pciAddr", "bdf", "state", "state" },
	  NULL },
	{ "fairlead_vf_tenants_total",
	  "counter",
	  "Leases and loans of a VF so far.",
	  { "pciAddr", "bdf" },
	  "generation" },
	{ "fairlead_function_resets_total",
	  "counter",
	  "Resets of a function by scrubs so far, between two tenants.",
	  { "pciAddr", "bdf" },
	  "resets" },
};

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

void metrics_drift(const struct metrics_out *o)
{
	const json_t *reconcile = json_object_get(o->reply, "reconcile");

	metrics_lists(o, json_object_get(reconcile, "counters"), counters,
	              ARRAY_SIZE(counters));
	say_open(o, reconcile);
	metrics_one(o, &looks, json_object_get(reconcile, "looks"));
	metrics_lists(o, json_object_get(o->reply, "functions"), functions,
	              ARRAY_SIZE(functions));
}
