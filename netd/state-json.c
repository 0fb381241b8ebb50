/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A state on disk. A key that is absent was not known; so one document says
 * both what was and what could not be seen. Only what can be put back is
 * kept: groups, holders and labels are not.
 */

#include <stdio.h>
#include <string.h>

#include "netd/priv.h"

#define STATE_PFS_MAX 4096

/* ---- to JSON ---------------------------------------------------------------
 */

static void put(json_t *o, uint32_t set, uint32_t has, const char *key,
                json_t *v)
{
	if (set & has)
		json_object_set_new(o, key, v);
	else
		json_decref(v);
}

static json_t *vf_to_json(const struct pol_vf *v)
{
	char b[BDF_STRLEN], mac[MAC_STRLEN];
	json_t *o = json_pack("{s:i, s:s}", "index", v->index, "bdf",
	                      bdf_format(v->bdf, b));

	put(o, v->set, POL_HAS_MAC, "mac",
	    json_string(mac_format(v->mac, mac)));
	put(o, v->set, POL_HAS_VLAN, "vlan",
	    json_pack("{s:i, s:i, s:i}", "id", v->vlan, "qos", v->qos, "proto",
	              v->proto));
	put(o, v->set, POL_HAS_SPOOF, "spoof-check", json_boolean(v->spoof));
	put(o, v->set, POL_HAS_TRUST, "trust", json_boolean(v->trust));
	put(o, v->set, POL_HAS_DRIVER, "driver", json_string(v->driver));
	put(o, v->set, POL_HAS_OVERRIDE, "driver-override",
	    json_string(v->override));
	return o;
}

static json_t *pf_to_json(const struct pol_pf *p)
{
	json_t *vfs = json_array();
	char b[BDF_STRLEN];
	json_t *o = json_pack("{s:s, s:s, s:s}", "bdf", bdf_format(p->bdf, b),
	                      "ifname", p->ifname, "driver", p->driver);

	put(o, p->set, POL_HAS_AUTOPROBE, "autoprobe",
	    json_boolean(p->autoprobe));
	put(o, p->set, POL_HAS_NUMVFS, "num-vfs", json_integer(p->num_vfs));
	put(o, p->set, POL_HAS_LINK, "link-up", json_boolean(p->link_up));
	for (size_t i = 0; i < p->n_vfs; i++)
		json_array_append_new(vfs, vf_to_json(&p->vf[i]));
	json_object_set_new(o, "vfs", vfs);
	return o;
}

static json_t *whole_to_json(const struct pol_whole *w)
{
	char b[BDF_STRLEN];
	json_t *o = json_pack("{s:s}", "bdf", bdf_format(w->bdf, b));

	put(o, w->set, POL_HAS_DRIVER, "driver", json_string(w->driver));
	put(o, w->set, POL_HAS_OVERRIDE, "driver-override",
	    json_string(w->override));
	return o;
}

json_t *state_to_json(const struct pol_state *s)
{
	json_t *list = json_array(), *wholes = json_array();

	for (size_t i = 0; i < s->n_wholes; i++)
		json_array_append_new(wholes, whole_to_json(&s->whole[i]));
	for (size_t i = 0; i < s->n_pfs; i++)
		json_array_append_new(list, pf_to_json(&s->pf[i]));
	return json_pack("{s:i, s:o, s:o}", "version", NETD_PROTO_VERSION,
	                 "pfs", list, "devices", wholes);
}

/* ---- from JSON: every getter notes in `bad` what is not of its form --------
 */

struct reader {
	bool bad;
};

static bool get_text(struct reader *r, const json_t *o, const char *key,
                     char *to, size_t size)
{
	const json_t *v = json_object_get(o, key);

	if (!v)
		return false;
	if (!json_is_string(v) || json_string_length(v) >= size) {
		r->bad = true;
		return false;
	}
	memcpy(to, json_string_value(v), json_string_length(v) + 1);
	return true;
}

static bool get_bool(struct reader *r, const json_t *o, const char *key,
                     bool *to)
{
	const json_t *v = json_object_get(o, key);

	if (!v)
		return false;
	r->bad |= !json_is_boolean(v);
	*to = json_is_true(v);
	return true;
}

static bool get_int(struct reader *r, const json_t *o, const char *key,
                    uint32_t max, uint32_t *to)
{
	const json_t *v = json_object_get(o, key);

	if (!v)
		return false;
	if (!json_is_integer(v) || json_integer_value(v) < 0 ||
	    json_integer_value(v) > max) {
		r->bad = true;
		return false;
	}
	*to = (uint32_t)json_integer_value(v);
	return true;
}

static bool get_bdf(struct reader *r, const json_t *o, struct bdf *to)
{
	char text[BDF_STRLEN];

	if (get_text(r, o, "bdf", text, sizeof(text)) && !bdf_parse(text, to))
		return true;
	r->bad = true;
	return false;
}

static void get_mac(struct reader *r, const json_t *o, struct pol_vf *v)
{
	char text[MAC_STRLEN];

	if (!get_text(r, o, "mac", text, sizeof(text)))
		return;
	r->bad |= mac_parse(text, v->mac) < 0;
	v->set |= POL_HAS_MAC;
}

static void get_vlan(struct reader *r, const json_t *o, struct pol_vf *v)
{
	const json_t *vlan = json_object_get(o, "vlan");
	uint32_t id = 0, qos = 0, proto = 0;

	if (!vlan)
		return;
	if (!get_int(r, vlan, "id", 4095, &id) ||
	    !get_int(r, vlan, "qos", 7, &qos) ||
	    !get_int(r, vlan, "proto", UINT16_MAX, &proto))
		r->bad = true;
	v->vlan = (uint16_t)id;
	v->qos = (uint8_t)qos;
	v->proto = (uint16_t)proto;
	v->set |= POL_HAS_VLAN;
}

static void vf_from_json(struct reader *r, const json_t *o, struct pol_vf *v)
{
	uint32_t index = 0;

	r->bad |= !get_int(r, o, "index", POL_VFS_MAX - 1, &index);
	v->index = (uint16_t)index;
	v->group = -1;
	get_bdf(r, o, &v->bdf);
	get_mac(r, o, v);
	get_vlan(r, o, v);
	if (get_bool(r, o, "spoof-check", &v->spoof))
		v->set |= POL_HAS_SPOOF;
	if (get_bool(r, o, "trust", &v->trust))
		v->set |= POL_HAS_TRUST;
	if (get_text(r, o, "driver", v->driver, sizeof(v->driver)))
		v->set |= POL_HAS_DRIVER;
	if (get_text(r, o, "driver-override", v->override, sizeof(v->override)))
		v->set |= POL_HAS_OVERRIDE;
}

static int pf_from_json(struct reader *r, const json_t *o, struct pol_pf *p)
{
	const json_t *vfs = json_object_get(o, "vfs");
	size_t n = json_array_size(vfs);

	get_bdf(r, o, &p->bdf);
	get_text(r, o, "ifname", p->ifname, sizeof(p->ifname));
	get_text(r, o, "driver", p->driver, sizeof(p->driver));
	if (get_bool(r, o, "autoprobe", &p->autoprobe))
		p->set |= POL_HAS_AUTOPROBE;
	if (get_int(r, o, "num-vfs", POL_VFS_MAX, &p->num_vfs))
		p->set |= POL_HAS_NUMVFS;
	if (get_bool(r, o, "link-up", &p->link_up))
		p->set |= POL_HAS_LINK;
	r->bad |= !json_is_array(vfs) || n > POL_VFS_MAX;
	if (r->bad || !n)
		return 0;
	p->vf = calloc(n, sizeof(*p->vf));
	if (!p->vf)
		return -ENOMEM;
	p->n_vfs = n;
	for (size_t i = 0; i < n; i++)
		vf_from_json(r, json_array_get(vfs, i), &p->vf[i]);
	return 0;
}

static void whole_from_json(struct reader *r, const json_t *o,
                            struct pol_whole *w)
{
	w->group = -1;
	get_bdf(r, o, &w->bdf);
	if (get_text(r, o, "driver", w->driver, sizeof(w->driver)))
		w->set |= POL_HAS_DRIVER;
	if (get_text(r, o, "driver-override", w->override, sizeof(w->override)))
		w->set |= POL_HAS_OVERRIDE;
}

/* Journals written before whole functions could be given have none. */
static int wholes_from_json(struct reader *r, const json_t *j,
                            struct pol_state *s)
{
	const json_t *list = json_object_get(j, "devices");
	size_t n = json_array_size(list);

	if (!list)
		return 0;
	r->bad |= !json_is_array(list) || n > STATE_PFS_MAX;
	if (r->bad || !n)
		return 0;
	s->whole = calloc(n, sizeof(*s->whole));
	if (!s->whole)
		return -ENOMEM;
	s->n_wholes = n;
	for (size_t i = 0; i < n; i++)
		whole_from_json(r, json_array_get(list, i), &s->whole[i]);
	return 0;
}

int state_from_json(const json_t *j, struct pol_state **ret)
{
	const json_t *list = json_object_get(j, "pfs");
	size_t n = json_array_size(list);
	struct reader r = { 0 };
	struct pol_state *s;
	int e = 0;

	if (!json_is_array(list) || n > STATE_PFS_MAX ||
	    json_integer_value(json_object_get(j, "version")) !=
	            NETD_PROTO_VERSION)
		return -EBADMSG;
	s = calloc(1, sizeof(*s));
	if (s)
		s->pf = calloc(MAX(n, (size_t)1), sizeof(*s->pf));
	if (!s || !s->pf) {
		pol_state_free(s);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n && !e && !r.bad; i++) {
		s->n_pfs = i + 1;
		e = pf_from_json(&r, json_array_get(list, i), &s->pf[i]);
	}
	if (!e)
		e = wholes_from_json(&r, j, s);
	if (!e && r.bad)
		e = -EBADMSG;
	if (e)
		pol_state_free(s);
	else
		*ret = s;
	return e;
}
