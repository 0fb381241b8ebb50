/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bridge that netd makes, as JSON and back, a row a field (fields.h): an
 * overlay's with its tunnel, and Open vSwitch's. In the journal one that was
 * not there has names alone; in an inventory it has no line.
 */

#include <string.h>

#include "policy/fields.h"
#include "policy/priv.h"

#define OVERS_MAX 4096

/* ---- forms --------------------------------------------------------------- */

static json_t *ip_json(const struct pol_ip *ip)
{
	char text[POL_IP_TEXT];

	return json_string(pol_ip_format(ip, text));
}

static bool ip_of(const json_t *v, struct pol_ip *to)
{
	const char *s = json_string_value(v);

	return s && (!*s || pol_ip_parse(s, to));
}

static json_t *put_ip(const struct field *f, const void *obj)
{
	return ip_json((const void *)((const char *)obj + f->at));
}

static bool get_ip(const struct field *f, const json_t *v, void *obj)
{
	return ip_of(v, (void *)((char *)obj + f->at));
}
const struct form form_ip = { put_ip, get_ip, "an address: \"192.0.2.1\"" };

static json_t *put_remotes(const struct field *f, const void *obj)
{
	const struct pol_over *over = obj;
	json_t *list = json_array();

	(void)f;
	for (size_t i = 0; i < over->o.n_remotes; i++)
		json_array_append_new(list, ip_json(&over->o.remote[i]));
	return list;
}

static bool get_remotes(const struct field *f, const json_t *v, void *obj)
{
	struct pol_overlay *o = &((struct pol_over *)obj)->o;
	size_t n = json_array_size(v);

	(void)f;
	if (!json_is_array(v) || n > POL_REMOTES_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!ip_of(json_array_get(v, i), &o->remote[i]))
			return false;
	o->n_remotes = n;
	return true;
}
const struct form form_remotes = { put_remotes, get_remotes,
	                           "a list of 16 addresses at most" };

static json_t *put_datapath(const struct field *f, const void *obj)
{
	const struct pol_over *over = obj;

	(void)f;
	return over->o.datapath
	               ? json_string(pol_ovs_datapath_name(over->o.datapath))
	               : NULL;
}

static bool get_datapath(const struct field *f, const json_t *v, void *obj)
{
	static const enum pol_ovs_datapath all[] = { POL_OVS_SYSTEM,
		                                     POL_OVS_NETDEV };
	const char *text = json_string_value(v);
	struct pol_over *over = obj;

	(void)f;
	for (size_t i = 0; text && i < ARRAY_SIZE(all); i++) {
		if (strcmp(text, pol_ovs_datapath_name(all[i])) != 0)
			continue;
		over->o.datapath = all[i];
		return true;
	}
	return false;
}
const struct form form_datapath = { put_datapath, get_datapath,
	                            "system or netdev" };

static json_t *put_ovs(const struct field *f, const void *obj)
{
	(void)f;
	(void)obj;
	return json_string("ovs");
}

static bool get_ovs(const struct field *f, const json_t *v, void *obj)
{
	const char *text = json_string_value(v);
	bool ovs = text && !strcmp(text, "ovs");

	*(bool *)(void *)((char *)obj + f->at) = ovs;
	return ovs;
}
const struct form form_ovs = { put_ovs, get_ovs, "ovs" };

/* ---- rows ---------------------------------------------------------------- */

// clang-format off
#define SAVED (FIELD_SAVED | FIELD_ALWAYS)
#define BOTH (FIELD_BOTH | FIELD_MUST_SAVED | FIELD_ALWAYS)
#define OVER(...) { ROW(pol_over, __VA_ARGS__) }
/* Journals of an earlier version do not say whether its two links are down:
 * they are up. */
static const struct field over_rows[] = {
	OVER(there, "there", flag, 0, SAVED),
	OVER(o.bridge, "bridge", text, 0, SAVED | FIELD_MUST_SAVED),
	OVER(o.bridge, "overlay", text, 0, FIELD_SEEN | FIELD_MUST_SEEN),
	OVER(bare, "bare", flag, 0, FIELD_BOTH),
	OVER(o.dev, "dev", text, 0, BOTH),
	{ ROW(pol_over, o.id, "id", number, 0, BOTH), .max = 0xffffff },
	OVER(o.local, "local", ip, 0, BOTH),
	OVER(o.group, "group", ip, 0, BOTH),
	OVER(o.remote, "remote", remotes, 0, BOTH),
	OVER(o.device, "device", text, 0, BOTH),
	OVER(o.port, "port", number, 0, BOTH),
	{ ROW(pol_over, o.mtu, "mtu", number, 0, BOTH), .max = 65535 },
	OVER(o.learning, "learning", flag, 0, FIELD_BOTH | FIELD_ALWAYS),
	{ ROW(pol_over, o.vlan, "vlan", number, 0, BOTH), .max = 4094 },
	OVER(o.dev_down, "dev-down", flag, 0, FIELD_BOTH | FIELD_ALWAYS),
	OVER(o.bridge_down, "bridge-down", flag, 0, FIELD_BOTH | FIELD_ALWAYS),
	OVER(ports, "other-port", text, 0, FIELD_SEEN),
};
const struct fields over_fields = TABLE(over_rows);

static const struct field over_ovs_rows[] = {
	OVER(there, "there", flag, 0, SAVED),
	OVER(o.bridge, "bridge", text, 0, SAVED | FIELD_MUST_SAVED),
	OVER(o.bridge, "ovs-bridge", text, 0, FIELD_SEEN | FIELD_MUST_SEEN),
	OVER(o.ovs, "type", ovs, 0, SAVED | FIELD_MUST_SAVED),
	OVER(there, "made", flag, 0, FIELD_SEEN),
	OVER(o.datapath, "datapath-type", datapath, 0,
	     FIELD_BOTH | FIELD_MUST_SEEN),
	OVER(ports, "other-port", text, 0, FIELD_SEEN),
};
const struct fields over_ovs_fields = TABLE(over_ovs_rows);
// clang-format on

/* ---- the journal's ------------------------------------------------------- */

json_t *overs_to_json(const struct pol_state *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n_overs; i++) {
		const struct pol_over *over = &s->over[i];
		json_t *o = json_object();

		fields_put(over->o.ovs ? &over_ovs_fields : &over_fields,
		           FIELD_SAVED, over, o);
		json_array_append_new(list, o);
	}
	return list;
}

static bool get_over(const json_t *j, struct pol_over *over)
{
	const char *type = json_string_value(json_object_get(j, "type"));
	bool missing;

	return !fields_get(type && !strcmp(type, "ovs") ? &over_ovs_fields
	                                                : &over_fields,
	                   FIELD_SAVED, j, over, &missing);
}

/* Journals written before there were overlays have none. */
int overs_from_json(const json_t *list, struct pol_state *s)
{
	size_t n = json_array_size(list);

	if (!list)
		return 0;
	if (!json_is_array(list) || n > OVERS_MAX)
		return -EBADMSG;
	if (!n)
		return 0;
	s->over = calloc(n, sizeof(*s->over));
	if (!s->over)
		return -ENOMEM;
	s->n_overs = n;
	for (size_t i = 0; i < n; i++)
		if (!get_over(json_array_get(list, i), &s->over[i]))
			return -EBADMSG;
	return 0;
}
