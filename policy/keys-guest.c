/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guests. A guest NIC gets its VF here, as it is read: the pool's next one,
 * in the file's order.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

/* ---- a guest's nics ------------------------------------------------------ */

size_t find_named(struct read *r, const struct key *k, const char *what,
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
	            what, node_show(v, text));
	if (!d)
		return SIZE_MAX;
	near = nearest_word(v->text, names, n);
	if (near)
		diag_mend(d, "did you mean '%s'?", near);
	else
		diag_mend(d, "add it under '%ss'", what);
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
	size_t pool = find_named(r, k, k->name, v, p->pool, sizeof(*p->pool),
	                         p->n_pools);
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

	nic->network = find_named(r, k, k->name, v, p->network,
	                          sizeof(*p->network), p->n_networks);
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
	{ .name = "slot", .read = read_slot,
	  .at = offsetof(struct pol_guest_nic, slot) },
	{ .name = "on-dma-fault", .read = read_on_fault,
	  .at = offsetof(struct pol_guest_nic, on_fault) },
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

/* ---- a guest's devices --------------------------------------------------- */

static READER(read_use)
{
	const struct pol_policy *p = r->policy;
	struct pol_guest_device *dev = obj;
	size_t i = find_named(r, k, "device", v, p->device, sizeof(*p->device),
	                      p->n_devices);

	if (i == SIZE_MAX)
		return;
	dev->device = i;
	copy_text(dev->name, sizeof(dev->name), p->device[i].name);
}

static void guest_device_init(void *item)
{
	struct pol_guest_device *dev = item;

	dev->device = SIZE_MAX;
}

CHECK_NAMED(pol_guest_device);
// clang-format off
static const struct key guest_device_keys[] = {
	{ .name = "use", .flags = KEY_REQUIRED, .read = read_use },
	{ .name = "slot", .read = read_slot,
	  .at = offsetof(struct pol_guest_device, slot) },
};
static const struct table guest_device_table = {
	.what = "guest device", .keys = guest_device_keys,
	.n = ARRAY_SIZE(guest_device_keys),
};
static const struct list guest_devices = {
	.item = &guest_device_table, .size = sizeof(struct pol_guest_device),
	.count = offsetof(struct pol_guest, n_devices),
	.max = POL_GUEST_DEVICES_MAX, .init = guest_device_init, .name = "use",
};
// clang-format on

/* One guest has a device; and no nic of the guest bears its name, because
 * attach and detach know them by that. */
static void check_device(struct read *r, const struct node *use,
                         const struct pol_guest *g,
                         const struct pol_guest_device *dev)
{
	struct diag *d;

	for (size_t i = 0; i < g->n_nics; i++) {
		if (strcmp(g->nic[i].name, dev->name) != 0)
			continue;
		d = pol_err(r->errs, use->pos, FL_POL_DUPLICATE,
		            "a nic of the guest is named '%s', too", dev->name);
		diag_why(d, "it is in line %u", g->nic[i].pos.line);
		diag_mend(d, "name one of them otherwise");
	}
	for (const struct pol_guest *o = r->policy->guest; o < g; o++)
		for (size_t i = 0; i < o->n_devices; i++) {
			if (o->device[i].device != dev->device)
				continue;
			d = pol_err(r->errs, use->pos, FL_POL_CONFLICT,
			            "device %s is another guest's", dev->name);
			diag_why(d, "guest %s has it (line %u)", o->name,
			         o->device[i].pos.line);
			diag_mend(d, "a whole function is one guest's only; "
			             "for more, cut it into VFs (nics, "
			             "pools)");
		}
}

static void check_devices(struct read *r, const struct node *map,
                          const struct pol_guest *g)
{
	const struct node *item;
	size_t i = 0;

	if (!g->n_devices)
		return;
	item = node_get(map, "devices")->first;
	for (; i < g->n_devices; i++, item = item->next)
		if (g->device[i].device != SIZE_MAX)
			check_device(r, node_get(item, "use"), g,
			             &g->device[i]);
}

/* ---- cpus ---------------------------------------------------------------- */

/* "cpus: 2" and "cpus: { count: 2 }" are the same. */
static READER(read_cpu_count)
{
	static const struct range range = { 1, POL_CPUS_MAX };
	struct pol_guest *g = obj;

	scalar_u32(r, k, v, &range, &g->cpus);
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
// clang-format on

static READER(read_cpus)
{
	if (v->kind == NODE_SCALAR)
		read_cpu_count(r, k, v, obj);
	else
		read_map(r, v, &cpus_table, obj);
}

/* ---- guests -------------------------------------------------------------- */

void guest_init(void *item)
{
	struct pol_guest *g = item;

	g->cpus = 1;
	g->spare = POL_SPARE_DEFAULT;
}

static void guest_done(struct read *r, const struct node *map, void *obj)
{
	struct pol_guest *g = obj;

	check_devices(r, map, g);
	place_slots(r, map, g);
}

/* null: no limit. */
static READER(read_number)
{
	uint32_t *n = field(k, obj);

	if (!node_is_null(v))
		scalar_u32(r, k, v, k->arg, n);
}

static const struct range range_spare = { 0, POL_SLOTS };
static const struct range range_interrupts = { 100, 100000000 };

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
	{ .name = "devices", .flags = KEY_NULL, .read = read_list,
	  .arg = &guest_devices, .at = offsetof(struct pol_guest, device) },
	{ .name = "hotplug-slots", .read = read_number,
	  .at = offsetof(struct pol_guest, spare), .arg = &range_spare },
	{ .name = "interrupt-limit", .flags = KEY_NULL, .read = read_number,
	  .at = offsetof(struct pol_guest, interrupts),
	  .arg = &range_interrupts },
	{ .name = "balloon", .flags = KEY_NEVER, .read = read_never,
	  .arg = never_balloon },
	{ .name = "ksm", .flags = KEY_NEVER, .read = read_never,
	  .arg = never_ksm },
	{ .name = "free-page-reporting", .flags = KEY_NEVER,
	  .read = read_never, .arg = never_reporting },
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
