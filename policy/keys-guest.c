/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guests: what they are made of. Their nics are in keys-nic.c, their disks in
 * keys-disk.c, their CPUs in keys-cpus.c.
 */

#include <stdio.h>
#include <string.h>

#include "policy/keys-function.h"

/* ---- names --------------------------------------------------------------- */

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
		diag_mend(d, "add it under '%s%s'", what,
		          strcmp(what, "nvme") != 0 ? "s" : "");
	return SIZE_MAX;
}

/* ---- a guest's devices --------------------------------------------------- */

static READER(read_use)
{
	const struct pol_policy *p = r->policy;
	struct pol_guest_device *dev = obj;
	size_t i = find_named(r, k, "device", v, p->device, sizeof(*p->device),
	                      p->n_devices);

	if (i == SIZE_MAX)
		return;
	if (p->device[i].kind != POL_KIND_DEVICE) {
		enum pol_kind kind = p->device[i].kind;

		diag_mend(pol_err(r->errs, v->pos, FL_POL_REFERENCE,
		                  "'%s' is no device but a %s", v->text,
		                  pol_kind_name(kind)),
		          "write `%s: [{ use: %s }]` in the guest instead",
		          kind_list(kind), v->text);
		return;
	}
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
void check_guest_device(struct read *r, const struct node *use,
                        const struct pol_guest *g,
                        const struct pol_guest_device *dev)
{
	const char *kind = pol_kind_name(r->policy->device[dev->device].kind);
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
			            "%s %s is another guest's", kind,
			            dev->name);
			diag_why(d, "guest %s has it (%s)", o->name,
			         WHERE(r->policy, o->device[i].pos, use->pos));
			diag_mend(d, "a whole function is one guest's only; "
			             "for more, cut it into VFs");
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
			check_guest_device(r, node_get(item, "use"), g,
			                   &g->device[i]);
}

/* ---- guests -------------------------------------------------------------- */

void guest_init(void *item)
{
	struct pol_guest *g = item;

	g->cpus = 1;
	g->spare = POL_SPARE_DEFAULT;
	g->host_node = -1;
}

static void guest_done(struct read *r, const struct node *map, void *obj)
{
	struct pol_guest *g = obj;

	check_nics(r, map, g);
	check_devices(r, map, g);
	lower_uses(r, map, g);
	check_disks(r, map, g);
	check_cmdline_cpus(r, map, g);
	check_numa(r, map, g);
	place_slots(r, map, g);
}

static READER(read_console)
{
	static const struct word word[] = {
		{ .text = "serial", .value = 0 },
		{ .text = "virtio", .value = 1 },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_guest *g = obj;
	unsigned value;

	if (scalar_word(r, k, v, &words, &value))
		g->virtio_console = value;
}

static READER(read_boot)
{
	static const struct word word[] = {
		{ .text = "auto", .value = 1 },
		{ .text = "manual", .value = 0 },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_guest *g = obj;
	unsigned value;

	if (scalar_word(r, k, v, &words, &value))
		g->boot_auto = value;
}

static READER(read_unpack)
{
	static const struct word word[] = {
		{ .text = "host", .value = POL_UNPACK_HOST },
		{ .text = "guest", .value = POL_UNPACK_GUEST },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_guest *g = obj;
	unsigned value;

	if (scalar_word(r, k, v, &words, &value))
		g->unpack = (enum pol_unpack)value;
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
	{ .name = "boot", .read = read_boot },
	{ .name = "cpus", .read = read_cpus },
	{ .name = "memory", .flags = KEY_REQUIRED, .read = read_memory },
	{ .name = "numa", .read = read_numa },
	{ .name = "smbios", .read = read_smbios,
	  .at = offsetof(struct pol_guest, smbios) },
	{ .name = "kernel", .flags = KEY_REQUIRED, .read = read_path,
	  .at = offsetof(struct pol_guest, kernel) },
	{ .name = "kernel-decompression", .read = read_unpack },
	{ .name = "initrd", .read = read_path,
	  .at = offsetof(struct pol_guest, initrd) },
	{ .name = "cmdline", .read = read_cmdline,
	  .at = offsetof(struct pol_guest, cmdline) },
	/* Before the nics: VFs are chosen beside them. */
	{ .name = "devices", .flags = KEY_NULL, .read = read_list,
	  .arg = &guest_devices, .at = offsetof(struct pol_guest, device) },
	{ .name = "gpus", .flags = KEY_NULL, .read = read_list,
	  .arg = &list_guest_gpus, .at = offsetof(struct pol_guest, gpu) },
	{ .name = "nvme", .flags = KEY_NULL, .read = read_list,
	  .arg = &list_guest_nvmes, .at = offsetof(struct pol_guest, nvme) },
	{ .name = "nics", .flags = KEY_NULL, .read = read_list,
	  .arg = &list_guest_nics, .at = offsetof(struct pol_guest, nic) },
	{ .name = "disks", .flags = KEY_NULL, .read = read_list,
	  .arg = &list_guest_disks, .at = offsetof(struct pol_guest, disk) },
	{ .name = "vsock", .read = read_vsock,
	  .at = offsetof(struct pol_guest, vsock) },
	{ .name = "console", .read = read_console },
	{ .name = "watchdog", .read = read_watchdog,
	  .at = offsetof(struct pol_guest, watchdog) },
	{ .name = "on-panic", .read = read_on_panic },
	{ .name = "rng", .read = read_bool,
	  .at = offsetof(struct pol_guest, rng) },
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
};
// clang-format on
const struct table table_guest = {
	.what = "guest",
	.keys = guest_keys,
	.n = ARRAY_SIZE(guest_keys),
	.done = guest_done,
};
