/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions that are no network cards, and the guests that use them: what they
 * become as they are read. See keys-function.h for why.
 */

#include <stdio.h>
#include <string.h>

#include "policy/keys-function.h"

/* A VF of it is called NAME#255 towards the guest. */
#define NAME_MAX_LEN (POL_NAME - 5)

const char *pol_kind_name(enum pol_kind kind)
{
	static const char *const name[] = {
		[POL_KIND_NIC] = "nic",
		[POL_KIND_DEVICE] = "device",
		[POL_KIND_GPU] = "gpu",
		[POL_KIND_NVME] = "nvme",
	};

	return (size_t)kind < ARRAY_SIZE(name) ? name[kind] : "unknown";
}

const char *kind_list(enum pol_kind kind)
{
	static const char *const name[] = {
		[POL_KIND_NIC] = "nics",
		[POL_KIND_DEVICE] = "devices",
		[POL_KIND_GPU] = "gpus",
		[POL_KIND_NVME] = "nvme",
	};

	return name[kind];
}

const char *pool_word(const struct pol_pool *pool)
{
	return pool->kind == POL_KIND_NIC ? "pool" : pol_kind_name(pool->kind);
}

/* ---- one key each -------------------------------------------------------- */

READER(read_function_name)
{
	struct pol_function *f = obj;

	if (told_text(r, v, TOLD_TEXT, "^[A-Za-z][A-Za-z0-9_.-]{0,26}$"))
		return;
	if (v->kind == NODE_SCALAR && v->len > NAME_MAX_LEN)
		diag_mend(refused_value(r, k, v,
		                        "it has at most 27 characters: its "
		                        "VFs are called NAME#0 and so on"),
		          "a shorter one");
	else
		scalar_name(r, k, v, f->whole.name);
}

READER(read_shared)
{
	struct pol_function *f = obj;
	unsigned value;

	if (scalar_word(r, k, v, k->arg, &value))
		f->share = (enum pol_shared)value;
}

READER(read_function_vfs)
{
	static const struct range range = { 0, POL_VFS_MAX };
	struct pol_function *f = obj;
	struct key at = *k;

	at.arg = &range;
	at.at = offsetof(struct pol_function, vf_count);
	f->vf_count_pos = v->pos;
	read_u32(r, &at, v, obj);
}

void function_only(struct read *r, const struct node *map,
                   const struct pol_function *f, enum pol_shared with,
                   const char *const *keys, size_t n)
{
	bool whole = f->share == POL_SHARED_WHOLE;

	for (size_t i = 0; f->share != with && i < n; i++) {
		const struct node *v = node_get(map, keys[i]);
		struct diag *d;

		if (!v)
			continue;
		d = pol_err(r->errs, v->key->pos, FL_POL_CONFLICT,
		            "%s %s: '%s' beside `share: %s`",
		            pol_kind_name(f->whole.kind), f->whole.name,
		            keys[i], whole ? "whole" : "sriov");
		diag_why(d, "it is said of %s",
		         whole ? "VFs" : "a function that is given whole");
		diag_mend(d, "remove it, or write `share: %s`",
		          whole ? "sriov" : "whole");
	}
}

/* ---- what it becomes ----------------------------------------------------- */

static bool taken(struct read *r, const struct node *map,
                  const struct pol_function *f, const char *what,
                  const void *other, enum pol_kind kind)
{
	struct named n;
	struct diag *d;

	memcpy(&n, other, sizeof(n));
	/* Two of one list: read_list() has said so. */
	if (kind == f->whole.kind || strcmp(n.name, f->whole.name) != 0)
		return false;
	d = pol_err(r->errs, node_get(map, "name")->pos, FL_POL_DUPLICATE,
	            "a %s is named '%s', too", what, n.name);
	diag_why(d,
	         "it is in %s; guests and the command line know both by "
	         "their names",
	         WHERE(r->policy, n.pos, map->pos));
	diag_mend(d, "name one of them otherwise");
	return true;
}

/* Whatever it is to be, its name is nobody's else. */
static bool name_taken(struct read *r, const struct node *map,
                       const struct pol_function *f)
{
	const struct pol_policy *p = r->policy;
	bool any = false;

	for (size_t i = 0; !any && i < p->n_devices; i++)
		any = taken(r, map, f, pol_kind_name(p->device[i].kind),
		            &p->device[i], p->device[i].kind);
	for (size_t i = 0; !any && i < p->n_nics; i++)
		any = taken(r, map, f, pol_kind_name(p->nic[i].kind),
		            &p->nic[i], p->nic[i].kind);
	for (size_t i = 0; !any && i < p->n_pools; i++)
		any = taken(r, map, f, pool_word(&p->pool[i]), &p->pool[i],
		            p->pool[i].kind);
	return any;
}

/* A zeroed one at the end of an array, or NULL with an error added. */
static void *append(struct read *r, struct pol_pos pos, const char *what,
                    void **array, size_t *n, size_t size, size_t max)
{
	char *more;

	if (*n == max) {
		diag_mend(pol_err(r->errs, pos, FL_POL_RANGE,
		                  "there is no room for more %s: the limit is "
		                  "%zu",
		                  what, max),
		          "remove others");
		return NULL;
	}
	more = reallocarray(*array, *n + 1, size);
	if (!more) {
		r->oom = true;
		return NULL;
	}
	*array = more;
	more += (*n)++ * size;
	memset(more, 0, size);
	return more;
}

static void become_device(struct read *r, struct pol_function *f)
{
	struct pol_policy *p = r->policy;
	struct pol_device *dev =
		append(r, f->whole.pos, "devices", (void **)&p->device,
	               &p->n_devices, sizeof(*dev), POL_DEVICES_MAX);

	if (!dev)
		return;
	*dev = f->whole;
	f->device = p->n_devices - 1;
	check_address(r, dev->kind, dev->name, &dev->match);
}

static void become_nic(struct read *r, struct pol_function *f)
{
	struct pol_policy *p = r->policy;
	struct pol_nic *nic = append(r, f->whole.pos, "nics", (void **)&p->nic,
	                             &p->n_nics, sizeof(*nic), POL_NICS_MAX);

	if (!nic)
		return;
	nic->kind = f->whole.kind;
	copy_text(nic->name, sizeof(nic->name), f->whole.name);
	nic->pos = f->whole.pos;
	nic->match = f->whole.match;
	nic->vf_count = f->vf_count;
	nic->vf_count_pos = f->vf_count_pos;
	nic->autoprobe.given = POL_GIVEN;
	f->nic = p->n_nics - 1;
	check_address(r, nic->kind, nic->name, &nic->match);
}

static void become_pool(struct read *r, struct pol_function *f)
{
	struct pol_policy *p = r->policy;
	struct pol_pool *pool =
		append(r, f->whole.pos, "pools", (void **)&p->pool, &p->n_pools,
	               sizeof(*pool), POL_POOLS_MAX);

	if (!pool)
		return;
	pool->kind = f->whole.kind;
	copy_text(pool->name, sizeof(pool->name), f->whole.name);
	pool->pos = f->whole.pos;
	copy_text(pool->driver, sizeof(pool->driver), "vfio");
	f->pool = p->n_pools - 1;
	pool->fn =
		f->vf_count.v ? calloc(f->vf_count.v, sizeof(*pool->fn)) : NULL;
	r->oom |= f->vf_count.v && !pool->fn;
	for (uint16_t i = 0; pool->fn && i < f->vf_count.v; i++)
		pool->fn[pool->n_fn++] = (struct pol_fn){ f->nic, i };
}

static bool has_count(struct read *r, const struct node *map,
                      const struct pol_function *f)
{
	if (node_get(map, "virtual-function-count"))
		return f->vf_count.given != POL_ABSENT;
	diag_mend(pol_err(r->errs, map->pos, FL_POL_MISSING,
	                  "%s %s: `share: sriov` needs "
	                  "'virtual-function-count'",
	                  pol_kind_name(f->whole.kind), f->whole.name),
	          "add it: how many VFs it is to have");
	return false;
}

void function_done(struct read *r, const struct node *map,
                   struct pol_function *f)
{
	static const char *const of_vfs[] = { "virtual-function-count" };
	static const char *const of_whole[] = { "in-use" };

	f->device = f->nic = f->pool = SIZE_MAX;
	function_only(r, map, f, POL_SHARED_SRIOV, of_vfs, ARRAY_SIZE(of_vfs));
	function_only(r, map, f, POL_SHARED_WHOLE, of_whole,
	              ARRAY_SIZE(of_whole));
	if (!*f->whole.name || name_taken(r, map, f))
		return;
	if (f->share == POL_SHARED_WHOLE) {
		become_device(r, f);
		return;
	}
	if (has_count(r, map, f))
		become_nic(r, f);
	if (f->nic != SIZE_MAX)
		become_pool(r, f);
}

/* ---- guests -------------------------------------------------------------- */

void guest_use_init(void *item)
{
	struct pol_guest_use *use = item;

	use->function = use->nic = use->device = SIZE_MAX;
	use->vf = -1;
}

#define USE_FORM "^[A-Za-z][A-Za-z0-9_.-]{0,26}(#(0|[1-9][0-9]{0,2}))?$"

/* One spelling each, since two uses are told apart by it. */
static bool parse_vf(const char *text, uint64_t *ret)
{
	bool plain = *text && text[strspn(text, "0123456789")] == '\0' &&
	             (*text != '0' || !text[1]);

	return plain && !parse_u64(text, POL_VFS_MAX - 1, ret);
}

/* "gpu1#2" -> its name as a node of its own, and the VF. */
static bool split_use(struct read *r, const struct key *k, const struct node *v,
                      char *name, size_t size, int *vf)
{
	const char *mark = strchr(v->text, '#');
	size_t len = mark ? (size_t)(mark - v->text) : v->len;
	uint64_t n = 0;

	if (len >= size || (mark && !parse_vf(mark + 1, &n))) {
		bad_value(r, k, v, "a name, or one and its VF", "\"gpu1#2\"");
		return false;
	}
	memcpy(name, v->text, len);
	name[len] = '\0';
	*vf = mark ? (int)n : -1;
	return true;
}

static bool has_vf(struct read *r, const struct node *v,
                   const struct pol_function *f, int vf)
{
	const char *kind = pol_kind_name(f->whole.kind);
	struct diag *d;

	if (f->share == POL_SHARED_WHOLE) {
		d = pol_err(r->errs, v->pos, FL_POL_CONFLICT,
		            "%s %s is given whole: it has no VF %d", kind,
		            f->whole.name, vf);
		diag_mend(d, "write `use: %s`, or `share: sriov` in it (%s)",
		          f->whole.name,
		          WHERE(r->policy, f->whole.pos, v->pos));
		return false;
	}
	if (!f->vf_count.given || vf < (int)f->vf_count.v)
		return true;
	d = pol_err(r->errs, v->pos, FL_POL_RANGE, "%s %s has no VF %d", kind,
	            f->whole.name, vf);
	diag_why(d, "its virtual-function-count is %u (%s)", f->vf_count.v,
	         WHERE(r->policy, f->vf_count_pos, v->pos));
	diag_mend(d, "raise the count, or name a VF below it");
	return false;
}

void read_use_of(struct read *r, const struct key *k, const struct node *v,
                 struct pol_guest_use *use, enum pol_kind kind,
                 const struct pol_function *list, size_t n)
{
	char name[POL_NAME];
	struct node base = *v;
	size_t i;

	if (told_text(r, v, TOLD_TEXT, USE_FORM) || !want_scalar(r, k, v) ||
	    !split_use(r, k, v, name, sizeof(name), &use->vf))
		return;
	base.text = name;
	base.len = strlen(name);
	i = find_named(r, k, pol_kind_name(kind), &base, list, sizeof(*list),
	               n);
	if (i == SIZE_MAX || (use->vf >= 0 && !has_vf(r, v, &list[i], use->vf)))
		return;
	use->function = i;
	/* Several may ask for any VF. */
	if (use->vf >= 0 || list[i].share == POL_SHARED_WHOLE)
		copy_text(use->name, sizeof(use->name), v->text);
}

static void use_whole(struct read *r, const struct node *at,
                      struct pol_guest *g, struct pol_guest_use *use,
                      const struct pol_function *f)
{
	struct pol_guest_device *dev =
		append(r, use->pos, "devices of a guest", (void **)&g->device,
	               &g->n_devices, sizeof(*dev), POL_GUEST_DEVICES_MAX);

	if (!dev)
		return;
	*dev = (struct pol_guest_device){ .pos = use->pos,
		                          .device = f->device,
		                          .slot = use->slot };
	copy_text(dev->name, sizeof(dev->name), f->whole.name);
	use->device = g->n_devices - 1;
	check_guest_device(r, at, g, dev);
}

static void use_vf(struct read *r, const struct node *at, struct pol_guest *g,
                   struct pol_guest_use *use, const struct pol_function *f)
{
	struct pol_guest_nic *nic =
		append(r, use->pos, "nics of a guest", (void **)&g->nic,
	               &g->n_nics, sizeof(*nic), POL_GUEST_NICS_MAX);

	if (!nic)
		return;
	guest_nic_init(nic);
	nic->pos = use->pos;
	nic->slot = use->slot;
	nic->on_fault = f->whole.on_fault;
	use->nic = g->n_nics - 1;
	if (use->vf < 0)
		place_nic(r, at, nic, f->pool);
	else
		place_named(r, at, nic, f->pool, (uint16_t)use->vf);
	snprintf(nic->name, sizeof(nic->name), "%.27s#%u", f->whole.name,
	         (unsigned)nic->fn.vf % POL_VFS_MAX);
}

static void lower(struct read *r, const struct node *map, struct pol_guest *g,
                  const char *key, struct pol_guest_use *use, size_t n,
                  const struct pol_function *list, bool named)
{
	const struct node *item = n ? node_get(map, key)->first : NULL;

	for (size_t i = 0; i < n; i++, item = item->next) {
		const struct node *at = node_get(item, "use");
		const struct pol_function *f;

		if (use[i].function == SIZE_MAX || named != (use[i].vf >= 0))
			continue;
		f = &list[use[i].function];
		if (f->device != SIZE_MAX)
			use_whole(r, at, g, &use[i], f);
		else if (f->pool != SIZE_MAX)
			use_vf(r, at, g, &use[i], f);
	}
}

void lower_uses(struct read *r, const struct node *map, struct pol_guest *g)
{
	const struct pol_policy *p = r->policy;

	for (int named = 1; named >= 0; named--) {
		lower(r, map, g, "gpus", g->gpu, g->n_gpus, p->gpu, named);
		lower(r, map, g, "nvme", g->nvme, g->n_nvmes, p->nvme, named);
	}
}

uint8_t *use_slot(struct pol_guest *g, const struct pol_guest_use *use)
{
	return use->nic != SIZE_MAX      ? &g->nic[use->nic].slot
	       : use->device != SIZE_MAX ? &g->device[use->device].slot
	                                 : NULL;
}
