/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a policy says, key by key, for whoever puts it into other words: it can
 * tell of each key that it has no word for it, also of one that it has never
 * heard of. The file's tree is walked, and pol_parse() has taken it before: no
 * key is here that no table has.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

struct walk {
	bool (*say)(const struct pol_given_key *k, void *arg);
	void *arg;
};

/* "guests" -> "guest"; "nvme" is both. */
static void singular(const char *key, char *buf, size_t size)
{
	size_t n = strlen(key);

	snprintf(buf, size, "%s", key);
	if (n && n < size && key[n - 1] == 's')
		buf[n - 1] = '\0';
}

/* What people know the item by: "" = nothing. */
static const char *item_name(const struct node *item)
{
	static const char *const keys[] = { "name", "nic", "use", "id" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const struct node *v = node_get(item, keys[i]);

		if (v && v->kind == NODE_SCALAR)
			return v->text;
	}
	return "";
}

static void walk_map(const struct walk *w, const struct node *map,
                     const struct pol_given_key *at);

/* As deep as node_load() lets a file be. */
// NOLINTBEGIN(misc-no-recursion): POL_DEPTH_MAX

/* One of a list is of its own: "guest fw, nic wan". */
static void walk_item(const struct walk *w, const struct node *item,
                      const struct pol_given_key *list)
{
	struct pol_given_key k = *list;
	const char *key = strrchr(list->path, '/');
	const char *name = item_name(item);
	char of[sizeof(k.of)];

	singular(key ? key + 1 : list->path, of, sizeof(of));
	snprintf(k.of, sizeof(k.of), "%.90s%s%.24s%s%.60s", list->of,
	         *list->of ? ", " : "", of, *name ? " " : "", name);
	k.key[0] = '\0';
	k.name = name;
	k.value = "";
	k.null = false;
	k.pos = item->pos;
	if (w->say(&k, w->arg))
		walk_map(w, item, &k);
}

static bool has_maps(const struct node *v)
{
	return v->kind == NODE_LIST && v->first && v->first->kind == NODE_MAP;
}

static void walk_key(const struct walk *w, const struct node *v,
                     const struct pol_given_key *at)
{
	struct pol_given_key k = *at;

	snprintf(k.path, sizeof(k.path), "%.80s%s%.40s", at->path,
	         *at->path ? "/" : "", v->key->text);
	snprintf(k.key, sizeof(k.key), "%.80s%s%.40s", at->key,
	         *at->key ? " " : "", v->key->text);
	k.value = v->kind == NODE_SCALAR ? v->text : "";
	k.null = node_is_null(v);
	k.pos = v->pos;
	if (has_maps(v)) {
		for (const struct node *i = v->first; i; i = i->next)
			walk_item(w, i, &k);
		return;
	}
	if (w->say(&k, w->arg) && v->kind == NODE_MAP)
		walk_map(w, v, &k);
}

static void walk_map(const struct walk *w, const struct node *map,
                     const struct pol_given_key *at)
{
	for (const struct node *v = map->first; v; v = v->next)
		walk_key(w, v, at);
}

// NOLINTEND(misc-no-recursion)

int pol_each_given(const char *text, size_t len,
                   bool (*say)(const struct pol_given_key *k, void *arg),
                   void *arg)
{
	struct pol_errors *errs = calloc(1, sizeof(*errs));
	struct pol_policy *p = calloc(1, sizeof(*p));
	const struct walk w = { .say = say, .arg = arg };
	const struct pol_given_key top = { .value = "", .name = "" };
	struct node *root = NULL;
	int r = errs && p ? policy_load(text, len, p, &root, errs) : -ENOMEM;

	if (!r)
		walk_map(&w, root, &top);
	node_free(root);
	free(errs);
	free(p);
	return r;
}
