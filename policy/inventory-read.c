/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An inventory (inventory.c) becomes a state. People write and cut these files,
 * so every line that is wrong is said with its number, and what a plan would
 * miss is named: no key is made up.
 */

#include "policy/inventory.h"

#include <stdio.h>
#include <string.h>

#define FUNCTIONS_MAX (1u << 20)
#define PFS_MAX 4096u
#define KEYS_MAX 64

/* PCI Code and ID Assignment 1.11: host and PCI-to-PCI bridges. */
static bool is_bridge(uint16_t class_code)
{
	return class_code == 0x0600 || class_code == 0x0604;
}

/* ---- keys ---------------------------------------------------------------- */

static void unknown_key(struct in *in, const char *key,
                        const struct fields *const *t, size_t n)
{
	const char *names[KEYS_MAX], *near;
	struct diag *d = pol_err(in->errs, in->pos, FL_POL_INVENTORY,
	                         "inventory: unknown key '%.40s'", key);
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < t[i]->n && k < KEYS_MAX; j++)
			if (t[i]->field[j].flags & FIELD_SEEN)
				names[k++] = t[i]->field[j].key;
	near = nearest_word(key, names, k);
	if (near)
		diag_mend(d, "did you mean '%s'?", near);
	else
		diag_mend(d, "leave it out, or use the fairlead that wrote it");
}

/* Every key is one of the tables', or `own`. */
static void check_keys(struct in *in, json_t *o, const struct fields *const *t,
                       size_t n, const char *const *own)
{
	const char *key;
	json_t *v;

	json_object_foreach(o, key, v)
	{
		bool known = false;

		for (size_t i = 0; i < n; i++) {
			const struct field *f = field_find(t[i], key);

			known |= f && f->flags & FIELD_SEEN;
		}
		for (size_t i = 0; own[i]; i++)
			known |= !strcmp(key, own[i]);
		if (!known)
			unknown_key(in, key, t, n);
	}
}

/* `f`: of fields_get(). */
static bool fields_good(struct in *in, const struct field *f, bool missing)
{
	struct diag *d;

	if (!f)
		return true;
	d = pol_err(in->errs, in->pos,
	            missing ? FL_POL_INVENTORY_LACKS : FL_POL_INVENTORY,
	            "inventory: %s '%s'",
	            missing ? "it does not say" : "a wrong value of", f->key);
	diag_why(d, "it must be %s", f->form->is);
	diag_mend(d, "correct the line; docs/inventory.md has its keys");
	return false;
}

/* The line's members, which members_read() has found. */
static bool read_fields(struct in *in, const struct fields *t, unsigned of,
                        void *obj)
{
	bool missing;
	const struct field *f =
		fields_take(t, FIELD_SEEN, in->members.v[of], obj, &missing);

	return fields_good(in, f, missing);
}

/* ---- lines --------------------------------------------------------------- */

void *inventory_more(void *array, size_t n, size_t *room, size_t size)
{
	size_t more = *room ? 2 * *room : 8;

	if (n < *room)
		return array;
	array = reallocarray(array, more, size);
	if (array)
		*room = more;
	return array;
}

static struct pol_pf *find_pf(struct in *in, struct bdf b)
{
	/* VFs come below their PF. */
	for (size_t i = in->s->n_pfs; i--;)
		if (bdf_equal(in->s->pf[i].bdf, b))
			return &in->s->pf[i];
	return NULL;
}

bool inventory_object(struct in *in, json_t *o, const struct fields *t,
                      void *obj)
{
	static const char *const own[] = { NULL };
	const struct field *f;
	bool missing;

	check_keys(in, o, &t, 1, own);
	f = fields_get(t, FIELD_SEEN, o, obj, &missing);
	return fields_good(in, f, missing);
}

static int take_host(struct in *in, json_t *o)
{
	static const struct fields *const t[] = { &host_fields };
	static const char *const own[] = { INVENTORY_MAGIC, "by", NULL };
	const json_t *v = json_object_get(o, INVENTORY_MAGIC);
	const struct field *f;
	bool missing;

	if (in->has_host || json_integer_value(v) != INVENTORY_VERSION) {
		struct diag *d = pol_err(in->errs, in->pos, FL_POL_INVENTORY,
		                         "inventory: not of version %d, or two "
		                         "in one",
		                         INVENTORY_VERSION);

		diag_mend(d, "record it anew with this fairlead");
		return 0;
	}
	in->has_host = true;
	check_keys(in, o, t, ARRAY_SIZE(t), own);
	f = fields_get(&host_fields, FIELD_SEEN, o, in->s, &missing);
	(void)fields_good(in, f, missing);
	return 0;
}

/* It is the state's from then on. */
static int add_pf(struct in *in, struct pol_pf *pf)
{
	struct pol_pf *all = inventory_more(in->s->pf, in->s->n_pfs,
	                                    &in->pf_room, sizeof(*all));

	if (!all) {
		free(pf->sw.all);
		return -ENOMEM;
	}
	in->s->pf = all;
	pf->pos = in->pos; /* while reading only */
	/* Its own interface is the port. */
	if (pf->set & POL_HAS_PORT)
		copy_text(pf->sw.port.ifname, sizeof(pf->sw.port.ifname),
		          pf->ifname);
	pf->vf = pf->num_vfs ? calloc(pf->num_vfs, sizeof(*pf->vf)) : NULL;
	/* A VF that no line tells of is one without an address. */
	pf->n_vfs = pf->vf ? pf->num_vfs : 0;
	all[in->s->n_pfs++] = *pf;
	return pf->num_vfs && !pf->vf ? -ENOMEM : 0;
}

static int read_pf(struct in *in)
{
	struct pol_pf pf = { 0 };
	bool good = read_fields(in, &pf_fields, MEMBERS_PF, &pf);

	if (good && !find_pf(in, pf.bdf) && in->s->n_pfs < PFS_MAX)
		return add_pf(in, &pf);
	if (good)
		diag_mend(pol_err(in->errs, in->pos, FL_POL_INVENTORY,
		                  "inventory: it is there twice, or there are "
		                  "too many"),
		          "remove the line");
	free(pf.sw.all);
	return 0;
}

static bool is_told(const struct pol_vf *v)
{
	return bdf_key(v->bdf);
}

static void no_such_pf(struct in *in, const char *pf)
{
	struct diag *d = pol_err(in->errs, in->pos, FL_POL_INVENTORY_LACKS,
	                         "inventory: no %.20s above this line", pf);

	diag_why(d, "a VF's line is below its PF's, which has 'total-vfs'");
	diag_mend(d, "add that line, or remove this one");
}

static void read_vf(struct in *in, const json_t *o)
{
	const char *text =
		json_string_value(json_object_get(o, INVENTORY_VF_OF));
	struct pol_vf v = { .group = -1 };
	struct pol_pf *pf;
	struct bdf b;

	if (!read_fields(in, &vf_fields, MEMBERS_VF, &v))
		return;
	pf = text && !bdf_parse(text, &b) ? find_pf(in, b) : NULL;
	if (!pf) {
		no_such_pf(in, text ? text : "PF");
		return;
	}
	if (v.index >= pf->n_vfs || is_told(&pf->vf[v.index])) {
		struct diag *d =
			pol_err(in->errs, in->pos, FL_POL_INVENTORY,
		                "inventory: VF %u of %s", v.index, text);

		diag_why(d, "%s",
		         v.index >= pf->n_vfs
		                 ? "its PF's 'num-vfs' is not that large"
		                 : "there is one with that index above");
		diag_mend(d, "correct 'num-vfs' or the index");
		return;
	}
	pf->vf[v.index] = v;
}

static int read_whole(struct in *in)
{
	struct pol_whole w = { .group = -1 }, *all;

	if (!read_fields(in, &whole_fields, MEMBERS_WHOLE, &w))
		return 0;
	w.bridge = is_bridge(w.class_code);
	if (in->s->n_wholes == FUNCTIONS_MAX)
		return -ENOMEM;
	all = inventory_more(in->s->whole, in->s->n_wholes, &in->whole_room,
	                     sizeof(*all));
	if (!all)
		return -ENOMEM;
	in->s->whole = all;
	in->s->whole[in->s->n_wholes++] = w;
	return 0;
}

static int read_function(struct in *in, json_t *o)
{
	static const char *const own[] = { INVENTORY_VF_OF, NULL };
	bool vf = json_object_get(o, INVENTORY_VF_OF);
	bool pf = json_object_get(o, "total-vfs");
	const struct fields *const t[] = { &whole_fields,
		                           vf ? &vf_fields : &pf_fields };
	unsigned of = 1u << MEMBERS_WHOLE | (vf ? 1u << MEMBERS_VF : 0u) |
	              (!vf && pf ? 1u << MEMBERS_PF : 0u);
	int r = 0;

	/* Which of them it is, is said. */
	if (!members_read(&in->members, o, of))
		check_keys(in, o, t, vf || pf ? 2 : 1, own);
	/* Without a class it went while the rest was recorded. */
	if (json_object_get(o, "class") || (!vf && !pf))
		r = read_whole(in);
	if (vf)
		read_vf(in, o);
	else if (!r && pf)
		r = read_pf(in);
	return r;
}

/* Nearly all lines are of functions. */
static int read_object(struct in *in, json_t *o)
{
	if (json_object_get(o, "bdf"))
		return read_function(in, o);
	if (json_object_get(o, INVENTORY_MAGIC))
		return take_host(in, o);
	if (json_object_get(o, INVENTORY_LINK))
		return inventory_read_link(in, o);
	if (json_object_get(o, INVENTORY_OVER))
		return inventory_read_over(in, o, false);
	if (json_object_get(o, INVENTORY_OVS))
		return inventory_read_over(in, o, true);
	return read_function(in, o);
}

static int read_line(struct in *in, const char *line, size_t len)
{
	json_error_t e;
	json_t *o;
	int r;

	while (len && (*line == ' ' || *line == '\t' || *line == '\r')) {
		line++;
		len--;
	}
	if (!len || *line == '#')
		return 0;
	o = json_loadb(line, len, JSON_REJECT_DUPLICATES, &e);
	if (!json_is_object(o)) {
		struct diag *d = pol_err(in->errs, in->pos, FL_POL_INVENTORY,
		                         "inventory: not one JSON object");

		if (!o)
			diag_why(d, "%.160s", e.text);
		json_decref(o);
		/* Another file altogether: once will do. */
		if (in->has_host)
			return 0;
		diag_mend(d, "name what `fairlead record` wrote");
		return -EINVAL;
	}
	r = read_object(in, o);
	json_decref(o);
	return r;
}

/* ---- what follows from several lines ------------------------------------- */

static int order_wholes(const void *va, const void *vb)
{
	const struct pol_whole *a = va, *b = vb;
	uint64_t ka = bdf_key(a->bdf), kb = bdf_key(b->bdf);

	return (ka > kb) - (ka < kb);
}

static int order_keys(const void *va, const void *vb)
{
	const uint64_t *a = va, *b = vb;

	return (*a > *b) - (*a < *b);
}

static void twice(struct in *in, uint64_t key)
{
	diag_mend(pol_err(in->errs, in->pos, FL_POL_INVENTORY,
	                  "inventory: %04x:%02x:%02x.%x is there twice",
	                  (unsigned)(key >> 16), (unsigned)(key >> 8 & 0xff),
	                  (unsigned)(key >> 3 & 31), (unsigned)(key & 7)),
	          "remove one of the two lines");
}

/* No two PFs or VFs at one address, nor two functions. */
static int check_twice(struct in *in)
{
	const struct pol_state *s = in->s;
	size_t n = 0, all = s->n_pfs;
	uint64_t *key;

	for (size_t i = 0; i < s->n_pfs; i++)
		all += s->pf[i].n_vfs;
	key = calloc(all + 1, sizeof(*key));
	if (!key)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_pfs; i++) {
		key[n++] = bdf_key(s->pf[i].bdf);
		for (size_t j = 0; j < s->pf[i].n_vfs; j++)
			if (is_told(&s->pf[i].vf[j]))
				key[n++] = bdf_key(s->pf[i].vf[j].bdf);
	}
	qsort(key, n, sizeof(*key), order_keys);
	for (size_t i = 1; i < n; i++)
		if (key[i] == key[i - 1])
			twice(in, key[i]);
	free(key);
	for (size_t i = 1; i < s->n_wholes; i++)
		if (bdf_equal(s->whole[i].bdf, s->whole[i - 1].bdf))
			twice(in, bdf_key(s->whole[i].bdf));
	return 0;
}

static void check_vfs(struct in *in, struct pol_pf *pf)
{
	char b[BDF_STRLEN];

	for (size_t i = 0; i < pf->n_vfs; i++) {
		struct diag *d;

		if (is_told(&pf->vf[i]))
			continue;
		d = pol_err(in->errs, pf->pos, FL_POL_INVENTORY_LACKS,
		            "inventory: no line for VF %zu of %s", i,
		            bdf_format(pf->bdf, b));
		diag_why(d, "its 'num-vfs' is %u", pf->num_vfs);
		diag_mend(d, "add the line, or lower 'num-vfs'");
	}
	pf->pos = (struct pol_pos){ 0, 0, 0 };
}

static void tell_whole(struct pol_state *s, const struct pol_pf *pf)
{
	const struct pol_whole key = { .bdf = pf->bdf };
	struct pol_whole *w = s->n_wholes ? bsearch(&key, s->whole, s->n_wholes,
	                                            sizeof(*w), order_wholes)
	                                  : NULL;

	if (w)
		pol_whole_of_pf(w, pf);
}

static int finish(struct in *in)
{
	struct pol_state *s = in->s;
	int r;

	if (!in->has_host)
		diag_mend(pol_err(in->errs, in->pos, FL_POL_INVENTORY_LACKS,
		                  "inventory: no line with '" INVENTORY_MAGIC
		                  "'"),
		          "`fairlead record DIR` writes it first");
	if (s->n_wholes)
		qsort(s->whole, s->n_wholes, sizeof(*s->whole), order_wholes);
	r = check_twice(in);
	if (!r)
		r = inventory_check_net(in);
	for (size_t i = 0; !r && i < s->n_pfs; i++) {
		check_vfs(in, &s->pf[i]);
		tell_whole(s, &s->pf[i]);
	}
	return r;
}

static int read_all(struct in *in, const char *text, size_t len)
{
	int r = 0;

	in->pos = (struct pol_pos){ 0, 1, 0 };
	for (const char *end = text + len; !r && text < end;) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((eol ? eol : end) - text);

		in->pos.line++;
		r = read_line(in, text, n);
		text += n + 1;
	}
	if (!r)
		r = finish(in);
	if (!r && in->errs->n)
		r = -EINVAL;
	return r;
}

int pol_inventory_parse(const char *text, size_t len, struct pol_state **ret,
                        struct pol_errors *errs)
{
	struct in in = { .s = calloc(1, sizeof(*in.s)), .errs = errs };
	int r;

	errs->n = 0;
	errs->dropped = 0;
	r = in.s ? read_all(&in, text, len) : -ENOMEM;
	if (r)
		pol_state_free(in.s);
	else
		*ret = in.s;
	return r;
}
