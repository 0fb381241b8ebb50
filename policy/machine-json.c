/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A state on disk. A key that is absent was not known; so one document says
 * both what was and what could not be seen. Only what can be put back is
 * kept: groups, holders and labels are not.
 */

#include "policy/fields.h"

#define STATE_PFS_MAX 4096
#define STATE_VERSION 1 /* as it was netd's own */

/* ---- to JSON ------------------------------------------------------------- */

static json_t *object(const struct fields *t, const void *obj)
{
	json_t *o = json_object();

	fields_put(t, FIELD_SAVED, obj, o);
	return o;
}

static json_t *pf_to_json(const struct pol_pf *p)
{
	json_t *o = object(&pf_fields, p), *vfs = json_array();

	for (size_t i = 0; i < p->n_vfs; i++)
		json_array_append_new(vfs, object(&vf_fields, &p->vf[i]));
	json_object_set_new(o, "vfs", vfs);
	return o;
}

json_t *pol_state_to_json(const struct pol_state *s)
{
	json_t *list = json_array(), *wholes = json_array();

	for (size_t i = 0; i < s->n_wholes; i++)
		json_array_append_new(wholes,
		                      object(&whole_fields, &s->whole[i]));
	for (size_t i = 0; i < s->n_pfs; i++)
		json_array_append_new(list, pf_to_json(&s->pf[i]));
	return json_pack("{s:i, s:o, s:o, s:o}", "version", STATE_VERSION,
	                 "pfs", list, "devices", wholes, "overlays",
	                 overs_to_json(s));
}

/* ---- from JSON ----------------------------------------------------------- */

static int get(const struct fields *t, const json_t *o, void *obj)
{
	bool missing;

	return fields_get(t, FIELD_SAVED, o, obj, &missing) ? -EBADMSG : 0;
}

static int pf_from_json(const json_t *o, struct pol_pf *p)
{
	const json_t *vfs = json_object_get(o, "vfs");
	size_t n = json_array_size(vfs);
	int r = get(&pf_fields, o, p);

	if (!json_is_array(vfs) || n > POL_VFS_MAX)
		return -EBADMSG;
	if (r || !n)
		return r;
	p->vf = calloc(n, sizeof(*p->vf));
	if (!p->vf)
		return -ENOMEM;
	p->n_vfs = n;
	for (size_t i = 0; !r && i < n; i++) {
		p->vf[i].group = -1;
		r = get(&vf_fields, json_array_get(vfs, i), &p->vf[i]);
	}
	return r;
}

/* Journals written before whole functions could be given have none. */
static int wholes_from_json(const json_t *j, struct pol_state *s)
{
	const json_t *list = json_object_get(j, "devices");
	size_t n = json_array_size(list);
	int r = 0;

	if (!list)
		return 0;
	if (!json_is_array(list) || n > STATE_PFS_MAX)
		return -EBADMSG;
	if (!n)
		return 0;
	s->whole = calloc(n, sizeof(*s->whole));
	if (!s->whole)
		return -ENOMEM;
	s->n_wholes = n;
	for (size_t i = 0; !r && i < n; i++) {
		s->whole[i].group = -1;
		r = get(&whole_fields, json_array_get(list, i), &s->whole[i]);
	}
	return r;
}

int pol_state_from_json(const json_t *j, struct pol_state **ret)
{
	const json_t *list = json_object_get(j, "pfs");
	size_t n = json_array_size(list);
	struct pol_state *s;
	int r = 0;

	if (!json_is_array(list) || n > STATE_PFS_MAX ||
	    json_integer_value(json_object_get(j, "version")) != STATE_VERSION)
		return -EBADMSG;
	s = calloc(1, sizeof(*s));
	if (s)
		s->pf = calloc(MAX(n, (size_t)1), sizeof(*s->pf));
	if (!s || !s->pf) {
		pol_state_free(s);
		return -ENOMEM;
	}
	for (size_t i = 0; !r && i < n; i++) {
		s->n_pfs = i + 1;
		r = pf_from_json(json_array_get(list, i), &s->pf[i]);
	}
	if (!r)
		r = wholes_from_json(j, s);
	if (!r)
		r = overs_from_json(json_object_get(j, "overlays"), s);
	if (r)
		pol_state_free(s);
	else
		*ret = s;
	return r;
}
