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
	OF_PF_LISTED, /* a list: of it the one that the action names */
	OF_VF,
	OF_WHOLE,
	OF_OVERLAY,
};
/* Where the attribute of an action is in the journal's form. */
static const struct {
	enum of of;
	const char *key;
	const char *of_it; /* of one of a list, if it is not all of it */
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
	[POL_OP_NVME_KEEP] = { OF_PF, "queues-kept" },
	[POL_OP_VF_RESOURCES] = { OF_VF, "queues" },
	[POL_OP_VF_GROUP] = { OF_VF, "rate-group" },
	[POL_OP_VF_MSIX] = { OF_VF, "msix-vectors" },
	[POL_OP_VF_DRIVER] = { OF_VF, "driver" },
	[POL_OP_ESWITCH] = { OF_PF, "embedded-switch-mode" },
	[POL_OP_PARAM] = { OF_PF_LISTED, "devlink-params", "value" },
	[POL_OP_GROUP] = { OF_PF_LISTED, "rate-groups" },
	[POL_OP_GROUP_DEL] = { OF_PF_LISTED, "rate-groups" },
	[POL_OP_BRIDGE] = { OF_PF_LISTED, "bridge" },
	[POL_OP_PORT] = { OF_VF, "port" }, /* or of the PF itself */
	[POL_OP_OVERLAY] = { OF_OVERLAY },
	[POL_OP_OVERLAY_GONE] = { OF_OVERLAY },
	[POL_OP_DEV_DRIVER] = { OF_WHOLE, "driver" },
};

/* What it is about, where that is one of several; NULL = it is not. */
static const char *name_of(const struct pol_action *a)
{
	switch (a->op) {
	case POL_OP_PARAM:
		return a->param.name;
	case POL_OP_GROUP:
	case POL_OP_GROUP_DEL:
		return a->group.name;
	case POL_OP_BRIDGE:
		return a->port.bridge;
	case POL_OP_OVERLAY:
	case POL_OP_OVERLAY_GONE:
		return a->over->o.bridge;
	default:
		return NULL;
	}
}

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

/* The one of the list that has the name; "" = it has none such. */
static json_t *listed(const json_t *list, const char *key, const char *name,
                      const char *of_it)
{
	const json_t *o = with(list, key, name);

	if (!list)
		return json_null();
	if (!o || json_is_false(json_object_get(o, "there")))
		return json_string("");
	return json_deep_copy(of_it ? json_object_get(o, of_it) : o);
}

/* The action's attribute in `state`; null where that does not have it. */
static json_t *value_of(const json_t *state, const json_t *action,
                        enum pol_op op)
{
	const char *pf = json_string_value(json_object_get(action, "pf"));
	const char *name = json_string_value(json_object_get(action, "name"));
	json_int_t vf = json_integer_value(json_object_get(action, "vf"));
	bool whole = attributes[op].of == OF_WHOLE;
	const json_t *o, *v;

	if (attributes[op].of == OF_OVERLAY)
		return listed(json_object_get(state, "overlays"), "bridge",
		              name ? name : "", NULL);
	if (!attributes[op].key)
		return json_null();
	o = with(json_object_get(state, whole ? "devices" : "pfs"), "bdf", pf);
	if (attributes[op].of == OF_VF &&
	    json_is_integer(json_object_get(action, "vf")))
		o = vf_of(o, vf);
	v = json_object_get(o, attributes[op].key);
	if (attributes[op].of == OF_PF_LISTED)
		return listed(v, "name", name ? name : "",
		              attributes[op].of_it);
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

static void set_value(json_t *a, const char *key, const json_t *state)
{
	enum pol_op op = op_of(a);

	json_object_set_new(
		a, key, op < POL_OP_MAX ? value_of(state, a, op) : json_null());
}

static const char *outcome_name(enum apply_outcome o)
{
	static const char *const names[] = {
		[APPLY_NOT_TRIED] = "not-tried",
		[APPLY_DONE] = "done",
		[APPLY_FAILED] = "failed",
		[APPLY_STUCK] = "stuck",
	};

	return names[o];
}

/* `o` is the action as plans tell it. */
static void complete(json_t *o, const struct pol_action *a,
                     const json_t *before, enum apply_outcome outcome)
{
	char b[BDF_STRLEN];

	json_object_set_new(o, "pf", json_string(bdf_format(a->pf, b)));
	json_object_set_new(o, "vf",
	                    a->vf < 0 ? json_null() : json_integer(a->vf));
	json_object_set_new(o, "label", json_string(a->label));
	if (name_of(a))
		json_object_set_new(o, "name", json_string(name_of(a)));
	json_object_set_new(o, "outcome", json_string(outcome_name(outcome)));
	json_object_set_new(o, "after", json_null());
	set_value(o, "before", before);
}

json_t *history_action(const struct pol_action *a, const json_t *before,
                       enum apply_outcome outcome)
{
	struct pol_action copy = *a;
	const struct pol_plan one = { .action = &copy, .n = 1 };
	json_t *list = pol_plan_to_json(&one);
	json_t *o = json_incref(json_array_get(list, 0));

	json_decref(list);
	complete(o, a, before, outcome);
	return o;
}

void history_actions(json_t *entry, const struct pol_plan *plan, json_t *told,
                     const struct pol_state *seen)
{
	size_t n = MIN(plan->n, (size_t)HISTORY_ACTIONS_MAX);
	json_t *list = json_array(), *before = pol_state_to_json(seen);

	told = told ? json_incref(told) : pol_plan_to_json(plan);
	for (size_t i = 0; i < n; i++) {
		json_t *o = json_copy(json_array_get(told, i));

		complete(o, &plan->action[i], before, APPLY_NOT_TRIED);
		json_array_append_new(list, o);
	}
	json_decref(told);
	json_decref(before);
	json_object_set_new(entry, "omitted",
	                    json_integer((json_int_t)(plan->n - n)));
	json_object_set_new(entry, "actions", list);
}

void history_outcome(json_t *entry, size_t action, enum apply_outcome o)
{
	json_t *a = json_array_get(json_object_get(entry, "actions"), action);

	if (a)
		json_object_set_new(a, "outcome", json_string(outcome_name(o)));
}

void history_after(json_t *entry, const struct pol_state *after)
{
	json_t *list = json_object_get(entry, "actions");
	json_t *state = pol_state_to_json(after);

	for (size_t i = 0; i < json_array_size(list); i++)
		set_value(json_array_get(list, i), "after", state);
	json_decref(state);
}
