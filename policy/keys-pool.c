/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pools: which VFs, what drives them, what MACs their users get. That a VF
 * exists and is no other pool's is checked as each range is read, where its
 * position is at hand.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

/* ---- functions: "fast0#0-3,5" -------------------------------------------- */

struct vf_range {
	unsigned first, last;
};

static bool parse_index(const char **s, unsigned *ret)
{
	unsigned v = 0;

	if (**s < '0' || **s > '9')
		return false;
	for (; **s >= '0' && **s <= '9'; (*s)++) {
		v = v * 10 + (unsigned)(**s - '0');
		if (v >= POL_VFS_MAX)
			return false;
	}
	*ret = v;
	return true;
}

/* One "3" or "0-3" from *s on, up to a comma or the end. */
static bool parse_range(const char **s, struct vf_range *ret)
{
	if (!parse_index(s, &ret->first))
		return false;
	ret->last = ret->first;
	if (**s == '-') {
		(*s)++;
		if (!parse_index(s, &ret->last) || ret->last < ret->first)
			return false;
	}
	return **s == ',' || **s == '\0';
}

/* Index of the nic named before the '#', SIZE_MAX with an error added. */
static size_t find_nic(struct read *r, const struct node *v, size_t len)
{
	const struct pol_policy *p = r->policy;
	const char *names[POL_NICS_MAX], *near;
	char name[POL_NAME];
	struct diag *d;

	snprintf(name, sizeof(name), "%.*s", (int)MIN(len, sizeof(name)),
	         v->text);
	for (char *c = name; *c; c++)
		if ((unsigned char)*c > 0x7e)
			*c = '?';
	for (size_t i = 0; i < p->n_nics; i++) {
		if (len < sizeof(name) && !strcmp(name, p->nic[i].name))
			return i;
		names[i] = p->nic[i].name;
		if (!*names[i])
			return SIZE_MAX; /* its name may be the wrong one */
	}
	d = pol_err(r->errs, v->pos, FL_POL_REFERENCE, "no nic is named '%s'",
	            name);
	near = nearest_word(name, names, p->n_nics);
	if (near)
		diag_mend(d, "did you mean '%s'?", near);
	else
		diag_mend(d, "add it under 'nics'");
	return SIZE_MAX;
}

static bool beyond_count(struct read *r, const struct node *v, size_t nic,
                         unsigned last)
{
	const struct pol_nic *n = &r->policy->nic[nic];
	struct diag *d;

	/* Left out: the device decides, see pol_resolve(). */
	if (n->vf_count.given == POL_ABSENT || last < n->vf_count.v)
		return false;
	d = pol_err(r->errs, v->pos, FL_POL_RANGE, "%s has no VF %u", n->name,
	            last);
	diag_why(d, "its virtual-function-count is %u (%s)", n->vf_count.v,
	         WHERE(r->policy, n->vf_count_pos, v->pos));
	diag_mend(d, "raise the count, or name VFs below it");
	return true;
}

static bool already_taken(struct read *r, const struct node *v, size_t nic,
                          unsigned vf)
{
	uint32_t *word = &r->taken[nic][vf / 32];
	struct diag *d;

	if (!(*word & BIT(vf % 32))) {
		*word |= BIT(vf % 32);
		return false;
	}
	d = pol_err(r->errs, v->pos, FL_POL_RANGE, "VF %u of %s is named twice",
	            vf, r->policy->nic[nic].name);
	diag_why(d, "a VF can be in one pool only, once");
	diag_mend(d, "remove it here, or there");
	return true;
}

static bool add_range(struct read *r, const struct node *v, size_t nic,
                      struct vf_range range, struct pol_pool *pool)
{
	size_t n = pool->n_fn + range.last - range.first + 1;
	struct pol_fn *fn;

	if (beyond_count(r, v, nic, range.last))
		return false;
	fn = reallocarray(pool->fn, n, sizeof(*fn));
	if (!fn) {
		r->oom = true;
		return false;
	}
	pool->fn = fn;
	for (unsigned vf = range.first; vf <= range.last; vf++) {
		if (already_taken(r, v, nic, vf))
			return false;
		fn[pool->n_fn++] = (struct pol_fn){ nic, (uint16_t)vf };
	}
	return true;
}

static bool add_functions(struct read *r, const struct key *k,
                          const struct node *v, struct pol_pool *pool)
{
	static const char form[] = "a nic and its VFs in ascending order, up "
				   "to 255";
	struct vf_range range = { 0, 0 };
	const char *s;
	size_t nic;

	if (told_text(r, v, TOLD_TEXT,
	              "^[^#]{1,31}#[0-9]+(-[0-9]+)?"
	              "(,[0-9]+(-[0-9]+)?)*$") ||
	    !want_scalar(r, k, v))
		return false;
	s = strchr(v->text, '#');
	if (!s || s == v->text) {
		bad_value(r, k, v, form, "\"edge0#0-3,5\"");
		return false;
	}
	nic = find_nic(r, v, (size_t)(s - v->text));
	if (nic == SIZE_MAX)
		return false;
	for (unsigned next = 0; *s++; next = range.last + 1) {
		if (!parse_range(&s, &range) || range.first < next) {
			bad_value(r, k, v, form, "\"edge0#0-3,5\"");
			return false;
		}
		if (!add_range(r, v, nic, range, pool))
			return false;
	}
	return true;
}

/* A list that is wrong anywhere counts as empty, so that the guests are not
 * told that the pool is too small as well. */
static READER(read_functions)
{
	struct pol_pool *pool = obj;
	bool ok = true;

	if (v->kind != NODE_LIST) {
		struct diag *d = pol_err(r->errs, v->pos, FL_POL_TYPE,
		                         "'%s' must be a list", k->name);

		diag_mend(d, "write `%s: [\"edge0#0-3\"]`", k->name);
		return;
	}
	for (const struct node *c = v->first; c; c = c->next)
		ok = add_functions(r, k, c, pool) && ok;
	if (!ok)
		pool->n_fn = 0;
	if (!v->n)
		diag_mend(pol_err(r->errs, v->pos, FL_POL_VALUE,
		                  "'%s' is empty: a pool has VFs", k->name),
		          "write `%s: [\"NIC#0-3\"]`", k->name);
}

/* ---- driver -------------------------------------------------------------- */

static READER(read_driver)
{
	struct pol_pool *pool = obj;

	if (node_is_null(v))
		memcpy(pool->driver, POL_DRIVER_DEFAULT,
		       sizeof(POL_DRIVER_DEFAULT));
	else
		scalar_name(r, k, v, pool->driver);
}

static READER(read_placement)
{
	static const struct word word[] = {
		{ .text = "packed", .value = POL_PLACE_PACKED },
		{ .text = "balanced", .value = POL_PLACE_BALANCED },
		{ .text = "isolate", .value = POL_PLACE_ISOLATE },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_pool *pool = obj;
	unsigned value;

	if (scalar_word(r, k, v, &words, &value))
		pool->placement = (enum pol_placement)value;
}

/* ---- mac ----------------------------------------------------------------- */

#define EXAMPLE_PREFIX "\"02:5a:10\""

static READER(read_mac_prefix)
{
	struct pol_pool *pool = obj;
	uint8_t mac[6];
	char full[MAC_STRLEN];

	if (told_text(r, v, TOLD_TEXT,
	              "^[0-9A-Fa-f][02468ACEace](:[0-9A-Fa-f]{2}){2}$") ||
	    !want_quoted(r, k, v))
		return;
	snprintf(full, sizeof(full), "%.8s:00:00:01", v->text);
	if (v->len != 8 || mac_parse(full, mac)) {
		bad_value(r, k, v, "three pairs of hex digits", EXAMPLE_PREFIX);
		return;
	}
	if (mac_refused(mac)) {
		diag_mend(refused_value(r, k, v, mac_refused(mac)),
		          "for example `%s: " EXAMPLE_PREFIX "`", k->name);
		return;
	}
	memcpy(pool->mac_prefix, mac, sizeof(pool->mac_prefix));
	pool->mac_fixed = sizeof(pool->mac_prefix);
}

static READER(read_mac_assign)
{
	static const struct word word[] = {
		{ .text = "none", .value = POL_MAC_NONE },
		{ .text = "stable", .value = POL_MAC_STABLE },
		{ .text = "random", .value = POL_MAC_RANDOM },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_pool *pool = obj;
	unsigned assign;

	if (scalar_word(r, k, v, &words, &assign))
		pool->mac_assign = (enum pol_mac_assign)assign;
}

static void mac_done(struct read *r, const struct node *map, void *obj)
{
	const struct pol_pool *pool = obj;
	struct diag *d;

	if (pool->mac_assign != POL_MAC_STABLE || node_get(map, "prefix"))
		return;
	d = pol_err(r->errs, map->pos, FL_POL_MISSING,
	            "mac: stable needs 'prefix'");
	diag_mend(d, "add `prefix: " EXAMPLE_PREFIX "` or another of your own");
}

// clang-format off
static const struct key mac_keys[] = {
	{ .name = "prefix", .read = read_mac_prefix },
	{ .name = "assign", .read = read_mac_assign },
};
static const struct table mac_table = {
	.what = "mac", .keys = mac_keys, .n = ARRAY_SIZE(mac_keys),
	.done = mac_done,
};
// clang-format on

/* `none`, or a mapping whose assign is stable unless it says otherwise. */
static READER(read_pool_mac)
{
	struct pol_pool *pool = obj;

	if (v->kind == NODE_SCALAR && told_text(r, v, TOLD_TEXT, "^none$"))
		return;
	if (node_is_null(v) ||
	    (v->kind == NODE_SCALAR && !strcmp(v->text, "none")))
		return;
	if (v->kind == NODE_SCALAR) {
		bad_value(r, k, v, "none, or a mapping",
		          "{ prefix: " EXAMPLE_PREFIX ", assign: stable }");
		return;
	}
	pool->mac_assign = POL_MAC_STABLE;
	pool->mac_prefix[0] = MAC_LOCAL;
	pool->mac_fixed = 1;
	read_map(r, v, &mac_table, pool);
}

CHECK_NAMED(pol_pool);
// clang-format off
static const struct key pool_keys[] = {
	{ .name = "name", .flags = KEY_REQUIRED, .read = read_name,
	  .at = offsetof(struct pol_pool, name) },
	{ .name = "functions", .flags = KEY_REQUIRED, .read = read_functions },
	{ .name = "driver", .flags = KEY_NULL, .read = read_driver },
	{ .name = "mac", .flags = KEY_NULL, .read = read_pool_mac },
	{ .name = "scrub", .flags = KEY_NULL, .read = read_scrub },
	{ .name = "placement", .read = read_placement },
};
// clang-format on
const struct table table_pool = {
	.what = "pool",
	.keys = pool_keys,
	.n = ARRAY_SIZE(pool_keys),
};
