/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine that reads a mapping by a table of its keys. First every key of
 * the file is looked up in the table (unknown, not supported yet, twice);
 * then every key of the table is looked up in the file and read, in the
 * table's order. A mapping has few keys, so both are plain loops.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

static const struct key *find_key(const struct table *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->keys[i].name, name))
			return &t->keys[i];
	return NULL;
}

/* "a, b, c": the keys that this version reads, cut where they do not fit. */
static void list_keys(const struct table *t, char *buf, size_t size)
{
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < t->n && at < size; i++)
		if (!(t->keys[i].flags & (KEY_LATER | KEY_NEVER)))
			at += (size_t)snprintf(buf + at, size - at, "%s%s",
			                       at ? ", " : "", t->keys[i].name);
}

static void unknown_key(struct read *r, const struct table *t,
                        const struct node *key)
{
	const char *names[WORDS_MAX], *near;
	char text[SHOWN], keys[DIAG_LINE - 16];
	struct diag *d;
	size_t n = 0;

	d = pol_err(r->errs, key->pos, FL_POL_KEY, "%s has no key '%s'",
	            t->what, node_show(key, text));
	if (!d)
		return;
	for (size_t i = 0; i < t->n && n < WORDS_MAX; i++)
		if (!(t->keys[i].flags & (KEY_LATER | KEY_NEVER)))
			names[n++] = t->keys[i].name;
	near = nearest_word(key->text, names, n);
	list_keys(t, keys, sizeof(keys));
	diag_why(d, "its keys are: %s", keys);
	if (near)
		diag_mend(d, "did you mean '%s'?", near);
	else
		diag_mend(d, "remove it, or take one of these");
}

static void later_key(struct read *r, const struct table *t,
                      const struct node *key)
{
	struct diag *d = pol_err(r->errs, key->pos, FL_POL_KEY,
	                         "%s: '%s' cannot be used", t->what, key->text);

	diag_why(d, "not supported by this version");
	diag_mend(d, "remove '%s'", key->text);
}

static void check_keys(struct read *r, const struct node *map,
                       const struct table *t)
{
	bool seen[WORDS_MAX] = { false };

	for (const struct node *v = map->first; v; v = v->next) {
		const struct key *k = find_key(t, v->key->text);
		size_t i = k ? (size_t)(k - t->keys) : 0;

		if (!k) {
			unknown_key(r, t, v->key);
		} else if (k->flags & KEY_LATER) {
			later_key(r, t, v->key);
		} else if (i < WORDS_MAX && seen[i]) {
			struct pol_pos first = node_get(map, k->name)->key->pos;
			struct diag *d = pol_err(
				r->errs, v->key->pos, FL_POL_DUPLICATE,
				"%s: '%s' is given twice", t->what, k->name);

			diag_why(d, "the first is in line %u", first.line);
			diag_mend(d, "remove one of the two");
		} else if (i < WORDS_MAX) {
			seen[i] = true;
		}
	}
}

static void read_key(struct read *r, const struct node *map,
                     const struct table *t, const struct key *k, void *obj)
{
	const struct node *v;
	struct diag *d;

	if (k->flags & KEY_LATER)
		return;
	v = node_get(map, k->name);
	if (!v && (k->flags & KEY_REQUIRED)) {
		d = pol_err(r->errs, map->pos, FL_POL_MISSING, "%s needs '%s'",
		            t->what, k->name);
		diag_mend(d, "add '%s:' to it", k->name);
	} else if (v && node_is_null(v) && !(k->flags & KEY_NULL)) {
		d = pol_err(r->errs, v->pos, FL_POL_VALUE,
		            "%s: '%s' has no value", t->what, k->name);
		diag_why(d, "null means the device's default, and this has "
		            "none");
		diag_mend(d, "give it a value%s",
		          k->flags & KEY_REQUIRED ? ""
		                                  : ", or leave the key out");
	} else if (v) {
		k->read(r, k, v, obj);
	}
}

void read_map(struct read *r, const struct node *map, const struct table *t,
              void *obj)
{
	if (r->shape) {
		if (map->kind == NODE_MAP)
			r->shape->table = t;
		return;
	}
	if (map->kind != NODE_MAP) {
		struct diag *d = pol_err(r->errs, map->pos, FL_POL_TYPE,
		                         "%s must be a mapping", t->what);

		diag_mend(d, "write it with keys, such as `%s: ...`",
		          t->keys[0].name);
		return;
	}
	check_keys(r, map, t);
	for (size_t i = 0; i < t->n; i++)
		read_key(r, map, t, &t->keys[i], obj);
	if (t->done)
		t->done(r, map, obj);
}

void read_nested(struct read *r, const struct key *k, const struct node *v,
                 void *obj)
{
	read_map(r, v, k->arg, obj);
}

/* Items are structs of several types that all begin as struct named. */
static void check_name(struct read *r, const struct node *item,
                       const struct list *l, const char *array, size_t i)
{
	size_t size = l->size;
	const char *name = array + i * size;
	struct pol_pos first;

	for (size_t j = 0; *name && j < i; j++) {
		if (strcmp(array + j * size, name) != 0)
			continue;
		memcpy(&first, array + j * size + offsetof(struct named, pos),
		       sizeof(first));
		const struct node *at =
			node_get(item, l->name ? l->name : "name");
		struct diag *d = pol_err(r->errs, at->pos, FL_POL_DUPLICATE,
		                         "a second %s is named '%s'",
		                         l->item->what, name);

		diag_why(d, "the first is in %s",
		         WHERE(r->policy, first, at->pos));
		diag_mend(d, "rename or remove one of the two");
		return;
	}
}

bool list_fits(struct read *r, const struct key *k, const struct node *v,
               size_t max)
{
	if (v->n <= max)
		return true;
	diag_mend(pol_err(r->errs, v->pos, FL_POL_VALUE,
	                  "'%s' has %zu entries, at most %zu are allowed",
	                  k->name, v->n, max),
	          "remove what is too much");
	return false;
}

void read_list(struct read *r, const struct key *k, const struct node *v,
               void *obj)
{
	const struct list *l = k->arg;
	char *array;
	size_t i = 0;

	if (r->shape) {
		if (v->kind == NODE_LIST)
			r->shape->list = l;
		return;
	}
	if (node_is_null(v) || (v->kind == NODE_LIST && !v->n))
		return;
	if (v->kind != NODE_LIST) {
		struct diag *d = pol_err(r->errs, v->pos, FL_POL_TYPE,
		                         "'%s' must be a list", k->name);

		diag_mend(d, "begin each %s with `- `", l->item->what);
		return;
	}
	if (!list_fits(r, k, v, l->max))
		return;
	array = calloc(v->n, l->size);
	if (!array) {
		r->oom = true;
		return;
	}
	for (size_t j = 0; l->init && j < v->n; j++)
		l->init(array + j * l->size);
	/* Reachable for pol_free() from here on, whatever happens. */
	memcpy(field(k, obj), &array, sizeof(array));
	memcpy((char *)obj + l->count, &v->n, sizeof(v->n));
	for (const struct node *c = v->first; c; c = c->next, i++) {
		memcpy(array + i * l->size + offsetof(struct named, pos),
		       &c->pos, sizeof(c->pos));
		read_map(r, c, l->item, array + i * l->size);
		check_name(r, c, l, array, i);
	}
}
