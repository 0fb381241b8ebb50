/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Structures as JSON objects, by tables: fields.h. */

#include "policy/fields.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static const void *at(const struct field *f, const void *obj)
{
	return (const char *)obj + f->at;
}

static void *at_mut(const struct field *f, void *obj)
{
	return (char *)obj + f->at;
}

static uint32_t load(const struct field *f, const void *obj)
{
	uint32_t v = 0;

	/* Little-endian only, as all of fairlead. */
	memcpy(&v, at(f, obj), f->size);
	return v;
}

static void store(const struct field *f, void *obj, uint32_t v)
{
	memcpy(at_mut(f, obj), &v, f->size);
}

/* ---- forms --------------------------------------------------------------- */

static const char *text_of(const json_t *v, size_t size)
{
	return json_is_string(v) && json_string_length(v) < size
	               ? json_string_value(v)
	               : NULL;
}

static json_t *put_bdf(const struct field *f, const void *obj)
{
	char b[BDF_STRLEN];
	struct bdf bdf;

	memcpy(&bdf, at(f, obj), sizeof(bdf));
	return json_string(bdf_format(bdf, b));
}

static bool get_bdf(const struct field *f, const json_t *v, void *obj)
{
	const char *text = text_of(v, BDF_STRLEN);

	return text && !bdf_parse(text, at_mut(f, obj));
}
const struct form form_bdf = { put_bdf, get_bdf,
	                       "a PCI address: \"0000:3b:00.0\"" };

static json_t *put_text(const struct field *f, const void *obj)
{
	return json_string(at(f, obj));
}

static bool get_text(const struct field *f, const json_t *v, void *obj)
{
	const char *text = text_of(v, f->size);

	if (text)
		memcpy(at_mut(f, obj), text, strlen(text) + 1);
	return text;
}
const struct form form_text = { put_text, get_text, "a short text" };

static json_t *put_bool(const struct field *f, const void *obj)
{
	return *(const bool *)at(f, obj) ? json_true() : json_false();
}

static bool get_bool(const struct field *f, const json_t *v, void *obj)
{
	*(bool *)at_mut(f, obj) = json_is_true(v);
	return json_is_boolean(v);
}
const struct form form_flag = { put_bool, get_bool, "true or false" };

static json_t *put_number(const struct field *f, const void *obj)
{
	return json_integer(load(f, obj));
}

static bool get_number(const struct field *f, const json_t *v, void *obj)
{
	json_int_t max = f->max        ? f->max
	                 : f->size < 4 ? (json_int_t)BIT(8 * f->size) - 1
	                               : UINT32_MAX;

	if (!json_is_integer(v) || json_integer_value(v) < 0 ||
	    json_integer_value(v) > max)
		return false;
	store(f, obj, (uint32_t)json_integer_value(v));
	return true;
}
const struct form form_number = { put_number, get_number,
	                          "a number within its limits" };

/* Of 16 bits, as lspci -n prints them. */
static json_t *put_hex(const struct field *f, const void *obj)
{
	char text[12];

	snprintf(text, sizeof(text), "%04x", load(f, obj));
	return json_string(text);
}

static bool get_hex(const struct field *f, const json_t *v, void *obj)
{
	const char *text = text_of(v, 5);
	char hex[8];
	uint64_t n;

	if (!text || strlen(text) != 4)
		return false;
	snprintf(hex, sizeof(hex), "0x%s", text);
	if (parse_u64(hex, UINT16_MAX, &n))
		return false;
	store(f, obj, (uint32_t)n);
	return true;
}
const struct form form_hex = { put_hex, get_hex, "four hex digits: \"8086\"" };

static json_t *put_int(const struct field *f, const void *obj)
{
	return json_integer(*(const int *)at(f, obj));
}

static bool get_int(const struct field *f, const json_t *v, void *obj)
{
	if (!json_is_integer(v) || json_integer_value(v) < 0 ||
	    json_integer_value(v) > INT_MAX)
		return false;
	*(int *)at_mut(f, obj) = (int)json_integer_value(v);
	return true;
}
/* -1 = in none; nobody = 0. */
const struct form form_group = { put_int, get_int, "a group's number" };
const struct form form_pid = { put_int, get_int, "a process's number" };

static json_t *put_mac(const struct field *f, const void *obj)
{
	char mac[MAC_STRLEN];

	return json_string(mac_format(at(f, obj), mac));
}

static bool get_mac(const struct field *f, const json_t *v, void *obj)
{
	const char *text = text_of(v, MAC_STRLEN);

	return text && !mac_parse(text, at_mut(f, obj));
}
const struct form form_mac = { put_mac, get_mac,
	                       "a MAC: \"02:00:00:00:00:01\"" };

/* Three fields, known together. */
static json_t *put_vlan(const struct field *f, const void *obj)
{
	const struct pol_vf *v = obj;

	(void)f;
	return json_pack("{s:i, s:i, s:i}", "id", v->vlan, "qos", v->qos,
	                 "proto", v->proto);
}

static bool in_range(const json_t *o, const char *key, json_int_t max)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) && json_integer_value(v) >= 0 &&
	       json_integer_value(v) <= max;
}

static bool get_vlan(const struct field *f, const json_t *v, void *obj)
{
	struct pol_vf *vf = obj;

	(void)f;
	if (!in_range(v, "id", 4095) || !in_range(v, "qos", 7) ||
	    !in_range(v, "proto", UINT16_MAX))
		return false;
	vf->vlan = (uint16_t)json_integer_value(json_object_get(v, "id"));
	vf->qos = (uint8_t)json_integer_value(json_object_get(v, "qos"));
	vf->proto = (uint16_t)json_integer_value(json_object_get(v, "proto"));
	return true;
}
const struct form form_vlan = { put_vlan, get_vlan,
	                        "{\"id\": 0, \"qos\": 0, \"proto\": 33024}" };

/* Two fields, known together. */
static json_t *put_rate(const struct field *f, const void *obj)
{
	const struct pol_vf *v = obj;

	(void)f;
	return json_pack("{s:I, s:I}", "min", (json_int_t)v->rate_min, "max",
	                 (json_int_t)v->rate_max);
}

static bool get_rate(const struct field *f, const json_t *v, void *obj)
{
	struct pol_vf *vf = obj;

	(void)f;
	if (!in_range(v, "min", UINT32_MAX) || !in_range(v, "max", UINT32_MAX))
		return false;
	vf->rate_min = (uint32_t)json_integer_value(json_object_get(v, "min"));
	vf->rate_max = (uint32_t)json_integer_value(json_object_get(v, "max"));
	return true;
}
const struct form form_rate = { put_rate, get_rate,
	                        "{\"min\": 0, \"max\": 1000}" };

static json_t *put_link_state(const struct field *f, const void *obj)
{
	const struct pol_vf *v = obj;

	(void)f;
	return json_string(pol_link_state_name(v->link_state));
}

static bool get_link_state(const struct field *f, const json_t *v, void *obj)
{
	const char *text = text_of(v, 16);
	struct pol_vf *vf = obj;

	(void)f;
	for (unsigned i = 0; text && i < POL_LINK_MAX; i++) {
		enum pol_link_state s = (enum pol_link_state)i;

		if (strcmp(text, pol_link_state_name(s)) != 0)
			continue;
		vf->link_state = s;
		return true;
	}
	return false;
}
const struct form form_link_state = { put_link_state, get_link_state,
	                              "auto, enable or disable" };
/* Rows of texts, of which the first that is empty is the end. */
static json_t *put_texts(const char *row, size_t width, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n && row[i * width]; i++)
		json_array_append_new(list, json_string(row + i * width));
	return list;
}

static bool get_texts(const json_t *v, char *row, size_t width, size_t max)
{
	size_t n = json_array_size(v);

	if (!json_is_array(v) || n > max)
		return false;
	for (size_t i = 0; i < n; i++) {
		const char *text = text_of(json_array_get(v, i), width);

		if (!text)
			return false;
		memcpy(row + i * width, text, strlen(text) + 1);
	}
	return true;
}

static json_t *put_uses(const struct field *f, const void *obj)
{
	const struct pol_whole *w = obj;

	(void)f;
	return put_texts(w->use[0], sizeof(w->use[0]), w->n_uses);
}

static bool get_uses(const struct field *f, const json_t *v, void *obj)
{
	struct pol_whole *w = obj;

	(void)f;
	if (!get_texts(v, w->use[0], sizeof(w->use[0]), POL_USES))
		return false;
	w->n_uses = json_array_size(v);
	return true;
}
const struct form form_uses = { put_uses, get_uses,
	                        "a list of 4 short texts at most" };

static json_t *put_names(const struct field *f, const void *obj)
{
	return put_texts(at(f, obj), POL_ALTNAME, f->size / POL_ALTNAME);
}

static bool get_names(const struct field *f, const json_t *v, void *obj)
{
	return get_texts(v, at_mut(f, obj), POL_ALTNAME, f->size / POL_ALTNAME);
}
const struct form form_names = { put_names, get_names,
	                         "a list of 4 interface names at most" };

/* A number a node, up to the last that is known. */
static size_t known_nodes(const uint8_t *socket, size_t n)
{
	while (n && !socket[n - 1])
		n--;
	return n;
}

static json_t *put_sockets(const struct field *f, const void *obj)
{
	const uint8_t *socket = at(f, obj);
	size_t n = known_nodes(socket, f->size);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_integer(socket[i]));
	return list;
}

static bool get_sockets(const struct field *f, const json_t *v, void *obj)
{
	uint8_t *socket = at_mut(f, obj);
	size_t n = json_array_size(v);

	if (!json_is_array(v) || n > f->size)
		return false;
	for (size_t i = 0; i < n; i++) {
		const json_t *one = json_array_get(v, i);

		if (!json_is_integer(one) || json_integer_value(one) < 0 ||
		    json_integer_value(one) > UINT8_MAX)
			return false;
		socket[i] = (uint8_t)json_integer_value(one);
	}
	return true;
}
const struct form form_sockets = { put_sockets, get_sockets,
	                           "a socket, from 1, of each memory node" };

/* Of each memory node, the pages of each size. */
static const char *const page_key[POL_PAGE_SIZES] = { "2M", "1G" };

static json_t *put_pages(const struct field *f, const void *obj)
{
	const struct pol_machine *m = at(f, obj);
	json_t *list = json_array();

	for (size_t n = 0; n < m->n_pages; n++) {
		json_t *node = json_object();

		for (size_t i = 0; i < POL_PAGE_SIZES; i++)
			json_object_set_new(node, page_key[i],
			                    json_integer(m->pages[n].n[i]));
		json_array_append_new(list, node);
	}
	return list;
}

static bool get_pages(const struct field *f, const json_t *v, void *obj)
{
	struct pol_machine *m = at_mut(f, obj);
	size_t n = json_array_size(v);

	if (!json_is_array(v) || n > POL_SOCKET_NODES)
		return false;
	m->pages = calloc(MAX(n, (size_t)1), sizeof(*m->pages));
	if (!m->pages)
		return false;
	for (size_t k = 0; k < n; k++) {
		const json_t *node = json_array_get(v, k);

		for (size_t i = 0; i < POL_PAGE_SIZES; i++) {
			if (!in_range(node, page_key[i], UINT32_MAX))
				return false;
			m->pages[k].n[i] = (uint32_t)json_integer_value(
				json_object_get(node, page_key[i]));
		}
	}
	m->n_pages = n;
	return true;
}
const struct form form_pages = { put_pages, get_pages,
	                         "[{\"2M\": 512, \"1G\": 8}], of each memory "
	                         "node" };

/* ---- objects ------------------------------------------------------------- */

static bool is_empty(const struct field *f, const void *obj)
{
	const struct pol_whole *w = obj;

	if (f->form == &form_uses)
		return !w->n_uses;
	/* Of an address it is the family. */
	if (f->form == &form_text || f->form == &form_names ||
	    f->form == &form_ip || f->form == &form_remotes)
		return !*(const char *)at(f, obj);
	if (f->form == &form_addresses)
		return !((const struct pol_link *)obj)->n_addresses;
	if (f->form == &form_sockets)
		return !known_nodes(at(f, obj), f->size);
	if (f->form == &form_pages)
		return !((const struct pol_machine *)at(f, obj))->n_pages;
	if (f->form == &form_group)
		return *(const int *)at(f, obj) < 0;
	if (f->form == &form_pid)
		return !*(const int *)at(f, obj);
	if (f->form == &form_flag)
		return !*(const bool *)at(f, obj);
	if (f->form == &form_number || f->form == &form_hex)
		return !load(f, obj);
	return false;
}

static bool says(const struct field *f, unsigned which, const void *obj)
{
	unsigned always;
	uint32_t set;

	if (!(f->flags & which))
		return false;
	if (f->has) {
		memcpy(&set, obj, sizeof(set));
		return set & f->has;
	}
	always = which & FIELD_SAVED ? FIELD_ALWAYS : FIELD_MUST_SEEN;
	return f->flags & always || !is_empty(f, obj);
}

void fields_put(const struct fields *t, unsigned which, const void *obj,
                json_t *o)
{
	for (size_t i = 0; i < t->n; i++)
		if (says(&t->field[i], which, obj))
			json_object_set_new(
				o, t->field[i].key,
				t->field[i].form->put(&t->field[i], obj));
}

const struct field *fields_take(const struct fields *t, unsigned which,
                                const json_t *const *v, void *obj,
                                bool *ret_missing)
{
	unsigned must =
		which & FIELD_SAVED ? FIELD_MUST_SAVED : FIELD_MUST_SEEN;
	uint32_t set;

	for (size_t i = 0; i < t->n; i++) {
		const struct field *f = &t->field[i];

		if (!(f->flags & which))
			continue;
		*ret_missing =
			!v[i] || (which == FIELD_SEEN && json_is_null(v[i]));
		if (*ret_missing && f->flags & must)
			return f;
		if (*ret_missing)
			continue;
		if (!f->form->get(f, v[i], obj))
			return f;
		if (!f->has)
			continue;
		memcpy(&set, obj, sizeof(set));
		set |= f->has;
		memcpy(obj, &set, sizeof(set));
	}
	return NULL;
}

const struct field *fields_get(const struct fields *t, unsigned which,
                               const json_t *o, void *obj, bool *ret_missing)
{
	const json_t *v[FIELDS_MAX] = { NULL };

	for (size_t i = 0; i < t->n; i++)
		v[i] = json_object_get(o, t->field[i].key);
	return fields_take(t, which, v, obj, ret_missing);
}

const struct field *field_find(const struct fields *t, const char *key)
{
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->field[i].key, key))
			return &t->field[i];
	return NULL;
}
