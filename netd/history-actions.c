/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The actions of an entry, with what the kernel told of their attributes
 * before and after. Both are looked up in the journal's form of a state
 * (policy/machine-fields.c), so that an attribute has one form on disk.
 */

#include <string.h>

#include "netd/history.h"

enum of {
	OF_PF,
	OF_VF,
	OF_WHOLE,
};
/* Where the attribute of an action is in the journal's form. */
static const struct {
	enum of of;
	const char *key;
} attributes[POL_OP_MAX] = {
	[POL_OP_AUTOPROBE] = { OF_PF, "autoprobe" },
	[POL_OP_NUMVFS] = { OF_PF, "num-vfs" },
	[POL_OP_PF_LINK] = { OF_PF, "link-up" },
	[POL_OP_VF_MAC] = { OF_VF, "mac" },
	[POL_OP_VF_VLAN] = { OF_VF, "vlan" },
	[POL_OP_VF_SPOOF] = { OF_VF, "spoof-check" },
	[POL_OP_VF_TRUST] = { OF_VF, "trust" },
	[POL_OP_PF_MTU] = { OF_PF, "mtu" },
	[POL_OP_VF_RATE] = { OF_VF, "tx-rate" },
	[POL_OP_VF_RSS] = { OF_VF, "query-rss" },
	[POL_OP_VF_LINK] = { OF_VF, "link-state" },
	[POL_OP_VF_GROUP] = { OF_VF, "rate-group" },
	[POL_OP_GROUP] = { OF_PF, "rate-groups" },
	[POL_OP_GROUP_DEL] = { OF_PF, "rate-groups" },
	[POL_OP_VF_DRIVER] = { OF_VF, "driver" },
	[POL_OP_DEV_DRIVER] = { OF_WHOLE, "driver" },
};

static const json_t *with(const json_t *list, const char *key, const char *text)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *o = json_array_get(list, i);
		const char *have = json_string_value(json_object_get(o, key));

		if (have && !strcmp(have, text))
			return o;
	}
	return NULL;
}

/* They are in order, and mostly all of them are there. */
static const json_t *vf_of(const json_t *pf, json_int_t index)
{
	const json_t *list = json_object_get(pf, "vfs");
	size_t n = json_array_size(list);

	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_array_get(list, ((size_t)index + i) % n);

		if (json_integer_value(json_object_get(v, "index")) == index)
			return v;
	}
	return NULL;
}

/* The action's attribute in `state`; null where that has none. */
static json_t *value_of(const json_t *state, const json_t *action,
                        enum pol_op op)
{
	const char *pf = json_string_value(json_object_get(action, "pf"));
	bool whole = attributes[op].of == OF_WHOLE;
	const json_t *o, *v;

	if (!attributes[op].key)
		return json_null();
	o = with(json_object_get(state, whole ? "devices" : "pfs"), "bdf", pf);
	if (attributes[op].of == OF_VF)
		o = vf_of(o, json_integer_value(json_object_get(action, "vf")));
	v = json_object_get(o, attributes[op].key);
	return v ? json_deep_copy(v) : json_null();
}

static enum pol_op op_of(const json_t *action)
{
	const char *name = json_string_value(json_object_get(action, "op"));

	for (int i = 0; name && i < POL_OP_MAX; i++)
		if (!strcmp(pol_op_name((enum pol_op)i), name))
			return (enum pol_op)i;
	return POL_OP_MAX;
}

static void set_values(json_t *entry, const char *key,
                       const struct pol_state *s)
{
	json_t *list = json_object_get(entry, "actions");
	json_t *state = pol_state_to_json(s);

	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *a = json_array_get(list, i);
		enum pol_op op = op_of(a);

		json_object_set_new(a, key,
		                    op < POL_OP_MAX ? value_of(state, a, op)
		                                    : json_null());
	}
	json_decref(state);
}

void history_actions(json_t *entry, const struct pol_plan *plan,
                     const struct pol_state *seen)
{
	json_t *list = pol_plan_to_json(plan);
	size_t n = json_array_size(list);

	for (size_t i = 0; i < n && i < HISTORY_ACTIONS_MAX; i++) {
		const struct pol_action *a = &plan->action[i];
		json_t *o = json_array_get(list, i);
		char b[BDF_STRLEN];

		json_object_set_new(o, "pf", json_string(bdf_format(a->pf, b)));
		json_object_set_new(
			o, "vf", a->vf < 0 ? json_null() : json_integer(a->vf));
		json_object_set_new(o, "label", json_string(a->label));
		json_object_set_new(o, "outcome", json_string("not-tried"));
		json_object_set_new(o, "after", json_null());
	}
	while (json_array_size(list) > HISTORY_ACTIONS_MAX)
		json_array_remove(list, json_array_size(list) - 1);
	json_object_set_new(
		entry, "omitted",
		json_integer((json_int_t)(n - json_array_size(list))));
	json_object_set_new(entry, "actions", list);
	set_values(entry, "before", seen);
}

void history_outcome(json_t *entry, size_t action, enum apply_outcome o)
{
	static const char *const names[] = {
		[APPLY_NOT_TRIED] = "not-tried",
		[APPLY_DONE] = "done",
		[APPLY_FAILED] = "failed",
		[APPLY_STUCK] = "stuck",
	};
	json_t *a = json_array_get(json_object_get(entry, "actions"), action);

	if (a)
		json_object_set_new(a, "outcome", json_string(names[o]));
}

void history_after(json_t *entry, const struct pol_state *after)
{
	set_values(entry, "after", after);
}
