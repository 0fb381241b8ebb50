/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a borrower states of a VF, as a JSON object: those of a state's members
 * that are settings of a VF itself, by the same table. What binds it is the
 * pool's; its port at the switch, its rate group and its vectors are the nic's,
 * and a borrower need not be root.
 */

#include "policy/fields.h"

static bool is_setting(const struct field *f)
{
	return f->has & POL_HAS_KNOBS;
}

json_t *pol_vf_to_json(const struct pol_vf *v)
{
	json_t *o = json_object();

	for (size_t i = 0; i < vf_fields.n; i++) {
		const struct field *f = &vf_fields.field[i];

		if (is_setting(f) && v->set & f->has)
			json_object_set_new(o, f->key, f->form->put(f, v));
	}
	return o;
}

int pol_vf_from_json(const json_t *o, struct pol_vf *ret)
{
	struct pol_vf v = { .group = -1 };
	const char *key;
	json_t *value;

	if (!json_is_object(o))
		return -EBADMSG;
	/* jansson's own macro casts the const away. */
	for (void *i = json_object_iter((json_t *)(uintptr_t)o); i;
	     i = json_object_iter_next((json_t *)(uintptr_t)o, i)) {
		const struct field *f;

		key = json_object_iter_key(i);
		value = json_object_iter_value(i);
		f = field_find(&vf_fields, key);
		if (!f || !is_setting(f) || !f->form->get(f, value, &v))
			return -EBADMSG;
		v.set |= f->has;
	}
	*ret = v;
	return 0;
}
