/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An overlay as the journal keeps it. One that was not there has names alone.
 */

#include <string.h>

#include "policy/fields.h"
#include "policy/priv.h"

#define OVERS_MAX 4096

static json_t *ip_json(const struct pol_ip *ip)
{
	char text[POL_IP_TEXT];

	return json_string(pol_ip_format(ip, text));
}

static json_t *ovs_json(const struct pol_over *over)
{
	const char *d = pol_ovs_datapath_name(over->o.datapath);

	return json_pack("{s:b, s:s, s:s, s:s*}", "there", over->there,
	                 "bridge", over->o.bridge, "type", "ovs",
	                 "datapath-type", over->o.datapath ? d : NULL);
}

static json_t *over_json(const struct pol_over *over)
{
	const struct pol_overlay *o = &over->o;
	json_t *list;

	if (o->ovs)
		return ovs_json(over);
	list = json_array();

	for (size_t i = 0; i < o->n_remotes; i++)
		json_array_append_new(list, ip_json(&o->remote[i]));
	return json_pack("{s:b, s:s, s:s, s:I, s:o, s:o, s:o, s:s, s:i, s:I, "
	                 "s:b, s:i, s:b, s:b}",
	                 "there", over->there, "bridge", o->bridge, "dev",
	                 o->dev, "id", (json_int_t)o->id, "local",
	                 ip_json(&o->local), "group", ip_json(&o->group),
	                 "remote", list, "device", o->device, "port", o->port,
	                 "mtu", (json_int_t)o->mtu, "learning", o->learning,
	                 "vlan", o->vlan, "dev-down", o->dev_down,
	                 "bridge-down", o->bridge_down);
}

json_t *overs_to_json(const struct pol_state *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n_overs; i++)
		json_array_append_new(list, over_json(&s->over[i]));
	return list;
}

/* ---- back ---------------------------------------------------------------- */

static bool get_name(const json_t *o, const char *key,
                     char to[static POL_IFNAME])
{
	const char *s = json_string_value(json_object_get(o, key));

	if (!s || strlen(s) >= POL_IFNAME)
		return false;
	copy_text(to, POL_IFNAME, s);
	return true;
}

static bool get_ip(const json_t *v, struct pol_ip *to)
{
	const char *s = json_string_value(v);

	return s && (!*s || pol_ip_parse(s, to));
}

static bool get_number(const json_t *o, const char *key, uint32_t max,
                       uint32_t *to)
{
	const json_t *v = json_object_get(o, key);
	json_int_t n = json_integer_value(v);

	*to = (uint32_t)n;
	return json_is_integer(v) && n >= 0 && n <= max;
}

static bool get_remotes(const json_t *list, struct pol_overlay *o)
{
	bool ok =
		json_is_array(list) && json_array_size(list) <= POL_REMOTES_MAX;

	for (size_t i = 0; ok && i < json_array_size(list); i++)
		ok = get_ip(json_array_get(list, i),
		            &o->remote[o->n_remotes++]);
	return ok;
}

static bool get_ovs(const json_t *j, struct pol_overlay *o)
{
	const json_t *v = json_object_get(j, "datapath-type");
	const char *d = json_string_value(v);

	o->ovs = true;
	if (d && !strcmp(d, pol_ovs_datapath_name(POL_OVS_NETDEV)))
		o->datapath = POL_OVS_NETDEV;
	else if (d && !strcmp(d, pol_ovs_datapath_name(POL_OVS_SYSTEM)))
		o->datapath = POL_OVS_SYSTEM;
	return get_name(j, "bridge", o->bridge) && (!v || o->datapath);
}

static bool get_over(const json_t *j, struct pol_over *over)
{
	const char *type = json_string_value(json_object_get(j, "type"));
	struct pol_overlay *o = &over->o;
	uint32_t port, vlan;

	over->there = json_is_true(json_object_get(j, "there"));
	if (type && !strcmp(type, "ovs"))
		return get_ovs(j, o);
	o->learning = json_is_true(json_object_get(j, "learning"));
	/* Journals of an earlier version do not say it: up. */
	o->dev_down = json_is_true(json_object_get(j, "dev-down"));
	o->bridge_down = json_is_true(json_object_get(j, "bridge-down"));
	if (!get_name(j, "bridge", o->bridge) || !get_name(j, "dev", o->dev) ||
	    !get_name(j, "device", o->device) ||
	    !get_ip(json_object_get(j, "local"), &o->local) ||
	    !get_ip(json_object_get(j, "group"), &o->group) ||
	    !get_remotes(json_object_get(j, "remote"), o) ||
	    !get_number(j, "id", 0xffffff, &o->id) ||
	    !get_number(j, "mtu", 65535, &o->mtu) ||
	    !get_number(j, "port", 65535, &port) ||
	    !get_number(j, "vlan", 4094, &vlan))
		return false;
	o->port = (uint16_t)port;
	o->vlan = (uint16_t)vlan;
	return true;
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
