/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose row each member of an inventory's line is. A line has the members of
 * the one before it, nearly always and in the same order: what was found for
 * the member at this place is right again where its key is the same. Without
 * that, looking keys up in tables is a third of what reading takes.
 */

#include "policy/inventory.h"

#include <string.h>

static const struct fields *const tables[MEMBERS_TABLES] = {
	[MEMBERS_WHOLE] = &whole_fields,
	[MEMBERS_PF] = &pf_fields,
	[MEMBERS_VF] = &vf_fields,
};

static void find(struct member *m, const char *key)
{
	m->of = 0;
	for (size_t t = 0; t < MEMBERS_TABLES; t++) {
		const struct field *f = field_find(tables[t], key);

		m->row[t] = f ? (uint8_t)(f - tables[t]->field) : FIELDS_MAX;
		if (f && f->flags & FIELD_SEEN)
			m->of |= 1u << t;
	}
	/* Its readers look for it by its name. */
	if (!strcmp(key, INVENTORY_VF_OF))
		m->of = MEMBERS_ALL;
}

bool members_read(struct members *m, json_t *o, unsigned of)
{
	bool known = true;
	size_t i = 0;
	const char *key;
	json_t *v;

	memset(m->v, 0, sizeof(m->v));
	json_object_foreach(o, key, v)
	{
		struct member other, *at = i < MEMBERS_MAX ? &m->at[i] : &other;

		i++;
		if (at == &other || !*at->key || strcmp(at->key, key) != 0) {
			find(at, key);
			/* One that is longer is nobody's. */
			copy_text(at->key, sizeof(at->key), key);
		}
		known &= !!(at->of & of);
		for (size_t t = 0; t < MEMBERS_TABLES; t++)
			if (at->row[t] < FIELDS_MAX)
				m->v[t][at->row[t]] = v;
	}
	return known;
}
