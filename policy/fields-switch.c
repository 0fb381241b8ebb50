/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a machine has to tell of its switches, as JSON and back: the forms that
 * are no single number or text. fields.h has the rules.
 */

#include "policy/fields.h"

#include <string.h>

static const void *at(const struct field *f, const void *obj)
{
	return (const char *)obj + f->at;
}

static void *at_mut(const struct field *f, void *obj)
{
	return (char *)obj + f->at;
}

static bool get_text(const json_t *o, const char *key, char *to, size_t size)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_string(v) || json_string_length(v) >= size)
		return false;
	memcpy(to, json_string_value(v), json_string_length(v) + 1);
	return true;
}

static bool get_number(const json_t *o, const char *key, uint64_t max,
                       uint64_t *to)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_integer(v) || json_integer_value(v) < 0 ||
	    (uint64_t)json_integer_value(v) > max)
		return false;
	*to = (uint64_t)json_integer_value(v);
	return true;
}

/* ---- the mode ------------------------------------------------------------ */

static json_t *put_eswitch(const struct field *f, const void *obj)
{
	const bool *switchdev = at(f, obj);

	return json_string(*switchdev ? "switchdev" : "legacy");
}

static bool get_eswitch(const struct field *f, const json_t *v, void *obj)
{
	const char *text = json_string_value(v);
	bool switchdev = text && !strcmp(text, "switchdev");

	*(bool *)at_mut(f, obj) = switchdev;
	return text && (switchdev || !strcmp(text, "legacy"));
}
const struct form form_eswitch = { put_eswitch, get_eswitch,
	                           "legacy or switchdev" };

/* ---- parameters ---------------------------------------------------------- */

static json_t *put_params(const struct field *f, const void *obj)
{
	const struct pol_switch *sw = at(f, obj);
	const struct pol_param_value *p = sw->n_all ? sw->all : sw->param;
	size_t n = sw->n_all ? sw->n_all : sw->n_params;
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s}", "name", p[i].name,
		                        "value", p[i].value, "cmode",
		                        p[i].init ? "driverinit" : "runtime"));
	return list;
}

static bool get_param(const json_t *o, struct pol_param_value *p)
{
	char cmode[16];

	if (!get_text(o, "name", p->name, sizeof(p->name)) ||
	    !get_text(o, "value", p->value, sizeof(p->value)) ||
	    !get_text(o, "cmode", cmode, sizeof(cmode)))
		return false;
	p->init = !strcmp(cmode, "driverinit");
	return true;
}

/* As many as a policy can name are where those are that it does. */
static bool get_params(const struct field *f, const json_t *v, void *obj)
{
	struct pol_switch *sw = at_mut(f, obj);
	struct pol_param_value *p = sw->param;
	size_t n = json_array_size(v);

	if (!json_is_array(v) || n > POL_PARAMS_SEEN)
		return false;
	if (n > POL_PARAMS_MAX) {
		p = sw->all = calloc(n, sizeof(*p));
		if (!p)
			return false;
		sw->n_all = n;
	} else {
		sw->n_params = (uint8_t)n;
	}
	for (size_t i = 0; i < n; i++)
		if (!get_param(json_array_get(v, i), &p[i]))
			return false;
	return true;
}
const struct form form_params = {
	put_params, get_params,
	"[{\"name\": \"x\", \"value\": \"1\", \"cmode\": \"runtime\"}]"
};

/* ---- rate groups --------------------------------------------------------- */

static json_t *put_groups(const struct field *f, const void *obj)
{
	const struct pol_switch *sw = at(f, obj);
	json_t *list = json_array();

	for (unsigned i = 0; i < sw->n_groups; i++) {
		const struct pol_group *g = &sw->group[i];

		json_array_append_new(list,
		                      json_pack("{s:s, s:I, s:I, s:i, s:i}",
		                                "name", g->name, "tx-share",
		                                (json_int_t)g->share, "tx-max",
		                                (json_int_t)g->max,
		                                "tx-priority", (int)g->priority,
		                                "tx-weight", (int)g->weight));
	}
	return list;
}

static bool get_group(const json_t *o, struct pol_group *g)
{
	uint64_t priority, weight;

	if (!get_text(o, "name", g->name, sizeof(g->name)) ||
	    !get_number(o, "tx-share", INT64_MAX, &g->share) ||
	    !get_number(o, "tx-max", INT64_MAX, &g->max) ||
	    !get_number(o, "tx-priority", UINT32_MAX, &priority) ||
	    !get_number(o, "tx-weight", UINT32_MAX, &weight))
		return false;
	g->priority = (uint32_t)priority;
	g->weight = (uint32_t)weight;
	g->set = POL_GROUP_ALL;
	return true;
}

static bool get_groups(const struct field *f, const json_t *v, void *obj)
{
	struct pol_switch *sw = at_mut(f, obj);
	size_t n = json_array_size(v);

	if (!json_is_array(v) || n > POL_GROUPS_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!get_group(json_array_get(v, i), &sw->group[i]))
			return false;
	sw->n_groups = (uint8_t)n;
	return true;
}
const struct form form_groups = {
	put_groups, get_groups,
	"[{\"name\": \"x\", \"tx-share\": 0, \"tx-max\": 0, \"tx-priority\": "
	"0, \"tx-weight\": 0}]"
};

/* ---- the bridges --------------------------------------------------------- */

static json_t *put_bridges(const struct field *f, const void *obj)
{
	const struct pol_switch *sw = at(f, obj);
	json_t *list = json_array();

	for (unsigned i = 0; i < sw->n_bridges; i++) {
		const struct pol_bridge *b = &sw->bridge[i];

		json_array_append_new(
			list,
			json_pack("{s:s, s:b, s:b}", "name", b->name, "there",
		                  b->there, "vlan-filtering", b->filtering));
	}
	return list;
}

static bool get_one_bridge(const json_t *v, struct pol_bridge *b)
{
	const json_t *there = json_object_get(v, "there");
	const json_t *filtering = json_object_get(v, "vlan-filtering");

	b->there = json_is_true(there);
	b->filtering = json_is_true(filtering);
	return get_text(v, "name", b->name, sizeof(b->name)) &&
	       json_is_boolean(there) && json_is_boolean(filtering);
}

/* One alone need not be in a list (docs/inventory.md). */
static bool get_bridges(const struct field *f, const json_t *v, void *obj)
{
	struct pol_switch *sw = at_mut(f, obj);
	size_t n = json_array_size(v);

	if (json_is_object(v)) {
		sw->n_bridges = 1;
		return get_one_bridge(v, sw->bridge);
	}
	if (!json_is_array(v) || n > POL_BRIDGES_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!get_one_bridge(json_array_get(v, i), &sw->bridge[i]))
			return false;
	sw->n_bridges = (uint8_t)n;
	return true;
}
const struct form form_bridges = {
	put_bridges, get_bridges,
	"[{\"name\": \"br0\", \"there\": true, \"vlan-filtering\": true}]"
};

/* ---- a port -------------------------------------------------------------- */

/* POL_HAS_PORT_VLAN: its VLANs are known, too. */
static json_t *put_port(const struct field *f, const void *obj)
{
	const struct pol_port *p = at(f, obj);
	json_t *o = json_pack("{s:s, s:b}", "bridge", p->bridge, "up", p->up);
	json_t *list;
	uint32_t set;

	if (p->ovs)
		json_object_set_new(o, "type", json_string("ovs"));
	if (p->strange)
		json_object_set_new(o, "strange", json_true());
	memcpy(&set, obj, sizeof(set));
	if (!(set & POL_HAS_PORT_VLAN))
		return o;
	list = json_array();
	for (unsigned i = 0; i < p->n_tagged; i++)
		json_array_append_new(list,
		                      json_pack("[i, i]", p->tagged[i].first,
		                                p->tagged[i].last));
	json_object_set_new(o, "untagged", json_integer(p->pvid));
	json_object_set_new(o, "tagged", list);
	return o;
}

static bool get_tagged(const json_t *list, struct pol_port *p)
{
	size_t n = json_array_size(list);

	if (!json_is_array(list) || n > POL_VLAN_RANGES_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_array_get(list, i);
		json_int_t a = json_integer_value(json_array_get(v, 0));
		json_int_t b = json_integer_value(json_array_get(v, 1));

		if (a < 1 || b < a || b > 4094)
			return false;
		p->tagged[i] =
			(struct pol_vlan_range){ (uint16_t)a, (uint16_t)b };
	}
	p->n_tagged = (uint8_t)n;
	return true;
}

static bool get_port(const struct field *f, const json_t *v, void *obj)
{
	struct pol_port *p = at_mut(f, obj);
	const json_t *up = json_object_get(v, "up");
	char type[8] = "";
	uint64_t pvid;
	uint32_t set;

	if (json_object_get(v, "type") &&
	    (!get_text(v, "type", type, sizeof(type)) ||
	     strcmp(type, "ovs") != 0))
		return false;
	p->ovs = *type;
	p->strange = json_is_true(json_object_get(v, "strange"));
	p->up = json_is_true(up);
	if (!json_is_boolean(up) ||
	    !get_text(v, "bridge", p->bridge, sizeof(p->bridge)))
		return false;
	if (!json_object_get(v, "tagged"))
		return true;
	if (!get_number(v, "untagged", 4094, &pvid) ||
	    !get_tagged(json_object_get(v, "tagged"), p))
		return false;
	p->pvid = (uint16_t)pvid;
	memcpy(&set, obj, sizeof(set));
	set |= POL_HAS_PORT_VLAN;
	memcpy(obj, &set, sizeof(set));
	return true;
}
const struct form form_port = {
	put_port, get_port,
	"{\"bridge\": \"br0\", \"up\": true, \"untagged\": 1, \"tagged\": "
	"[[20, 29]]}"
};
