/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guests. A guest NIC gets its VF here, as it is read: the pool's next one,
 * in the file's order.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

/* ---- a guest's nics ------------------------------------------------------ */

/* Index of the item called v->text in an array of structs that begin with a
 * name; SIZE_MAX with an error added. */
static size_t find_named(struct read *r, const struct key *k,
                         const struct node *v, const void *array, size_t size,
                         size_t n)
{
	// NOLINTNEXTLINE(bugprone-branch-clone): the limits happen to be equal
	const char *names[MAX(POL_POOLS_MAX, POL_NETWORKS_MAX)], *near;
	char text[SHOWN];
	struct diag *d;

	if (!want_scalar(r, k, v))
		return SIZE_MAX;
	for (size_t i = 0; i < n; i++) {
		names[i] = (const char *)array + i * size;
		if (!*names[i])
			return SIZE_MAX; /* its name may be the wrong one */
		if (!strcmp(names[i], v->text))
			return i;
	}
	d = pol_err(r->errs, v->pos, FL_POL_REFERENCE, "no %s is named '%s'",
	            k->name, node_show(v, text));
	if (!d)
		return SIZE_MAX;
	near = nearest_word(v->text, names, n);
	if (near)
		diag_mend(d, "did you mean '%s'?", near);
	else
		diag_mend(d, "add it under '%ss'", k->name);
	return SIZE_MAX;
}

/* How many of the pool's VFs the guest NICs read so far have. */
static size_t pool_used(const struct pol_policy *p, size_t pool)
{
	size_t n = 0;

	for (size_t g = 0; g < p->n_guests; g++)
		for (size_t i = 0; i < p->guest[g].n_nics; i++)
			n += p->guest[g].nic[i].pool == pool;
	return n;
}

static void take_function(struct read *r, const struct node *v,
                          struct pol_guest_nic *nic, size_t pool)
{
	const struct pol_pool *p = &r->policy->pool[pool];
	size_t used = pool_used(r->policy, pool);
	struct diag *d;

	if (!p->n_fn)
		return; /* an error of the pool, said there */
	if (used >= p->n_fn) {
		d = pol_err(r->errs, v->pos, FL_POL_RANGE,
		            "pool %s has no VF left", p->name);
		diag_why(d, "its %zu are all taken by guests before this",
		         p->n_fn);
		diag_mend(d, "add VFs to its 'functions' (line %u)",
		          p->pos.line);
		return;
	}
	nic->fn = p->fn[used];
	nic->pool = pool;
}

static READER(read_nic_pool)
{
	const struct pol_policy *p = r->policy;
	struct pol_guest_nic *nic = obj;
	size_t pool =
		find_named(r, k, v, p->pool, sizeof(*p->pool), p->n_pools);
	struct diag *d;

	if (pool == SIZE_MAX)
		return;
	if (*p->pool[pool].driver &&
	    !pol_driver_is_vfio(p->pool[pool].driver)) {
		d = pol_err(r->errs, v->pos, FL_POL_CONFLICT,
		            "pool %s is no guest's: its driver is %s",
		            p->pool[pool].name, p->pool[pool].driver);
		diag_why(d, "only a VF bound to a vfio driver can be given "
		            "to a guest");
		diag_mend(d, "write `driver: vfio` in the pool (line %u)",
		          p->pool[pool].pos.line);
		return;
	}
	take_function(r, v, nic, pool);
}

static READER(read_nic_network)
{
	const struct pol_policy *p = r->policy;
	struct pol_guest_nic *nic = obj;

	nic->network = find_named(r, k, v, p->network, sizeof(*p->network),
	                          p->n_networks);
}

/* "01.0" to "1f.0": device and function of its root port, as lspci prints
 * them in the guest. */
static READER(read_slot)
{
	struct pol_guest_nic *nic = obj;
	char hex[2 + 2 + 1];
	uint64_t dev;

	if (!want_quoted(r, k, v))
		return;
	snprintf(hex, sizeof(hex), "0x%.2s", v->text);
	if (v->len == 4 && !strcmp(v->text + 2, ".0") &&
	    !parse_u64(hex, 31, &dev) && dev)
		nic->slot = (uint8_t)dev;
	else
		bad_value(r, k, v, "\"01.0\" to \"1f.0\"");
}

static void guest_nic_init(void *item)
{
	struct pol_guest_nic *nic = item;

	nic->pool = SIZE_MAX;
	nic->network = SIZE_MAX;
}

CHECK_NAMED(pol_guest_nic);
// clang-format off
static const struct key guest_nic_keys[] = {
	{ .name = "name", .flags = KEY_REQUIRED, .read = read_name,
	  .at = offsetof(struct pol_guest_nic, name) },
	{ .name = "pool", .flags = KEY_REQUIRED, .read = read_nic_pool },
	{ .name = "network", .read = read_nic_network },
	{ .name = "slot", .read = read_slot },
	{ .name = "mac-address", .flags = KEY_NULL, .read = read_mac,
	  .at = offsetof(struct pol_guest_nic, mac) },
	{ .name = "emulated",     .flags = KEY_LATER },
	{ .name = "failover",     .flags = KEY_LATER },
	{ .name = "datapath",     .flags = KEY_LATER },
	{ .name = "msix-vectors", .flags = KEY_LATER },
};
static const struct table guest_nic_table = {
	.what = "guest nic", .keys = guest_nic_keys,
	.n = ARRAY_SIZE(guest_nic_keys),
};
static const struct list guest_nics = {
	.item = &guest_nic_table, .size = sizeof(struct pol_guest_nic),
	.count = offsetof(struct pol_guest, n_nics), .max = POL_GUEST_NICS_MAX,
	.init = guest_nic_init,
};
// clang-format on

/* The nic that has `slot` among the first `n`, or NULL. */
static const struct pol_guest_nic *slot_user(const struct pol_guest *g,
                                             size_t n, unsigned slot)
{
	for (size_t i = 0; i < n; i++)
		if (g->nic[i].slot == slot)
			return &g->nic[i];
	return NULL;
}

/* Two nics in one slot; then the lowest free slot to each that named none. */
static void place_nics(struct read *r, const struct node *list,
                       struct pol_guest *g)
{
	const struct node *item = list->first;

	for (size_t i = 0; i < g->n_nics; i++, item = item->next) {
		const struct pol_guest_nic *o;

		if (!g->nic[i].slot)
			continue;
		o = slot_user(g, i, g->nic[i].slot);
		if (!o)
			continue;
		struct diag *d = pol_err(
			r->errs, node_get(item, "slot")->pos, FL_POL_CONFLICT,
			"slot \"%02x.0\" is used twice", o->slot);
		diag_why(d, "nic %s has it (line %u)", o->name, o->pos.line);
		diag_mend(d, "give it another, or none: it then gets a free "
		             "one");
	}
	/* More slots than nics: one is always found. */
	for (size_t i = 0; i < g->n_nics; i++)
		for (uint8_t s = 1; !g->nic[i].slot && s < 32; s++)
			if (!slot_user(g, g->n_nics, s))
				g->nic[i].slot = s;
}

/* ---- cpus, memory -------------------------------------------------------- */

/* "cpus: 2" and "cpus: { count: 2 }" are the same. */
static READER(read_cpu_count)
{
	static const struct range range = { 1, POL_CPUS_MAX };
	struct pol_guest *g = obj;

	scalar_u32(r, k, v, &range, &g->cpus);
}

static READER(read_memory_size)
{
	static const char form[] = "a size from 16M to 4T in steps of 2M: "
				   "512M, 16G";
	struct pol_guest *g = obj;
	uint64_t bytes;
	struct diag *d;

	if (!want_plain(r, k, v, form))
		return;
	if (!parse_size(v->text, &bytes) && bytes >= POL_MEMORY_MIN &&
	    bytes <= POL_MEMORY_MAX && IS_ALIGNED(bytes, POL_MEMORY_STEP)) {
		g->memory = bytes;
		return;
	}
	d = bad_value(r, k, v, form);
	if (!parse_size(v->text, &bytes) && bytes >= 16 && bytes < 65536 &&
	    !(bytes & 1) && bytes == strtoull(v->text, NULL, 10))
		diag_mend(d, "a plain number is bytes: write `%s: %sM`",
		          k->name, v->text);
}

// clang-format off
static const struct key cpus_keys[] = {
	{ .name = "count", .flags = KEY_REQUIRED, .read = read_cpu_count },
	{ .name = "pin",      .flags = KEY_LATER },
	{ .name = "emulator", .flags = KEY_LATER },
	{ .name = "siblings", .flags = KEY_LATER },
};
static const struct table cpus_table = {
	.what = "cpus", .keys = cpus_keys, .n = ARRAY_SIZE(cpus_keys),
};
static const struct key memory_keys[] = {
	{ .name = "size", .flags = KEY_REQUIRED, .read = read_memory_size },
	{ .name = "pages", .flags = KEY_LATER },
	{ .name = "numa",  .flags = KEY_LATER },
	{ .name = "lock",  .flags = KEY_LATER },
};
static const struct table memory_table = {
	.what = "memory", .keys = memory_keys, .n = ARRAY_SIZE(memory_keys),
};
// clang-format on

static READER(read_cpus)
{
	if (v->kind == NODE_SCALAR)
		read_cpu_count(r, k, v, obj);
	else
		read_map(r, v, &cpus_table, obj);
}

static READER(read_memory)
{
	if (v->kind == NODE_SCALAR)
		read_memory_size(r, k, v, obj);
	else
		read_map(r, v, &memory_table, obj);
}

/* ---- guests -------------------------------------------------------------- */

void guest_init(void *item)
{
	struct pol_guest *g = item;

	g->cpus = 1;
}

static void guest_done(struct read *r, const struct node *map, void *obj)
{
	struct pol_guest *g = obj;

	if (g->n_nics)
		place_nics(r, node_get(map, "nics"), g);
}

CHECK_NAMED(pol_guest);
// clang-format off
static const struct key guest_keys[] = {
	{ .name = "name", .flags = KEY_REQUIRED, .read = read_name,
	  .at = offsetof(struct pol_guest, name) },
	{ .name = "cpus", .read = read_cpus },
	{ .name = "memory", .flags = KEY_REQUIRED, .read = read_memory },
	{ .name = "kernel", .flags = KEY_REQUIRED, .read = read_path,
	  .at = offsetof(struct pol_guest, kernel) },
	{ .name = "initrd", .read = read_path,
	  .at = offsetof(struct pol_guest, initrd) },
	{ .name = "cmdline", .read = read_cmdline,
	  .at = offsetof(struct pol_guest, cmdline) },
	{ .name = "nics", .flags = KEY_NULL, .read = read_list,
	  .arg = &guest_nics, .at = offsetof(struct pol_guest, nic) },
	{ .name = "boot", .flags = KEY_LATER },
	{ .name = "numa", .flags = KEY_LATER },
	{ .name = "gpus", .flags = KEY_LATER },
	{ .name = "nvme", .flags = KEY_LATER },
};
// clang-format on
const struct table table_guest = {
	.what = "guest",
	.keys = guest_keys,
	.n = ARRAY_SIZE(guest_keys),
	.done = guest_done,
};
