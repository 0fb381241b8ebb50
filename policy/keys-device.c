/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * devices: whole functions for guests. Which one is meant, who comes along,
 * what the guest sees as its ROM, and what a stray DMA of it leads to.
 */

#include <string.h>

#include "policy/priv.h"

/* A companion is called NAME:F towards the guest. */
#define NAME_MAX_LEN (POL_NAME - 3)

static READER(read_device_name)
{
	struct pol_device *dev = obj;

	if (told_text(r, v, TOLD_TEXT, "^[A-Za-z][A-Za-z0-9_.-]{0,28}$"))
		return;
	if (v->kind == NODE_SCALAR && v->len > NAME_MAX_LEN)
		refused_value(r, k, v,
		              "a device's name has at most 29 "
		              "characters");
	else
		scalar_name(r, k, v, dev->name);
}

static READER(read_group)
{
	static const struct word word[] = {
		{ .text = "alone", .value = POL_ALONE },
		{ .text = "with-companions", .value = POL_TOGETHER },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_device *dev = obj;
	unsigned value;

	if (scalar_word(r, k, v, &words, &value))
		dev->companions = (enum pol_companions)value;
}

static READER(read_rom_file)
{
	struct pol_device *dev = obj;

	read_path(r, k, v, dev->rom_file);
	if (*dev->rom_file)
		dev->rom = POL_ROM_FILE;
}

// clang-format off
static const struct key rom_keys[] = {
	{ .name = "file", .flags = KEY_REQUIRED, .read = read_rom_file },
};
static const struct table rom_table = {
	.what = "rom", .keys = rom_keys, .n = ARRAY_SIZE(rom_keys),
};
// clang-format on

static READER(read_rom)
{
	static const struct word word[] = {
		{ .text = "device", .value = POL_ROM_DEVICE },
		{ .text = "none", .value = POL_ROM_NONE },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_device *dev = obj;
	unsigned value;

	if (node_is_null(v))
		return;
	if (v->kind == NODE_MAP)
		read_map(r, v, &rom_table, dev);
	else if (scalar_word(r, k, v, &words, &value))
		dev->rom = (enum pol_rom)value;
}

READER(read_on_fault)
{
	static const struct word word[] = {
		{ .text = "stop", .value = POL_FAULT_STOP },
		{ .text = "reset", .value = POL_FAULT_RESET },
		{ .text = "go-on", .value = POL_FAULT_GO_ON },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	enum pol_on_fault *f = field(k, obj);
	unsigned value;

	if (scalar_word(r, k, v, &words, &value))
		*f = (enum pol_on_fault)value;
}

const char *pol_on_fault_name(enum pol_on_fault f)
{
	static const char *const name[] = {
		[POL_FAULT_STOP] = "stop",
		[POL_FAULT_RESET] = "reset",
		[POL_FAULT_GO_ON] = "go-on",
	};

	return (size_t)f < ARRAY_SIZE(name) ? name[f] : "unknown";
}

static READER(read_in_use)
{
	static const struct word word[] = {
		{ .text = "refuse", .value = 0 },
		{ .text = "take", .value = 1 },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_device *dev = obj;
	unsigned take;

	if (scalar_word(r, k, v, &words, &take))
		dev->take = take;
}

/* One function has one entry: addresses are compared here, the rest when the
 * machine is known. */
static void device_done(struct read *r, const struct node *map, void *obj)
{
	const struct pol_device *dev = obj;
	char text[BDF_STRLEN];
	const char *kind = NULL;
	struct pol_pos other = { 0, 0, 0 };

	(void)map;
	if (!dev->match.by_pci)
		return;
	for (const struct pol_device *o = r->policy->device; o < dev; o++)
		if (o->match.by_pci &&
		    bdf_equal(dev->match.pci, o->match.pci)) {
			kind = "another device";
			other = o->match.pos;
		}
	for (size_t i = 0; i < r->policy->n_nics; i++) {
		const struct pol_nic *nic = &r->policy->nic[i];

		if (nic->match.by_pci &&
		    bdf_equal(dev->match.pci, nic->match.pci)) {
			kind = "a nic";
			other = nic->match.pos;
		}
	}
	if (!kind)
		return;
	struct diag *d = pol_err(r->errs, dev->match.pos, FL_POL_CONFLICT,
	                         "device %s and %s match %s", dev->name, kind,
	                         bdf_format(dev->match.pci, text));
	diag_why(d,
	         "the other is in %s; a function is given as a whole, "
	         "or cut into VFs, once",
	         WHERE(r->policy, other, dev->match.pos));
	diag_mend(d, "remove one of them");
}

CHECK_NAMED(pol_device);
// clang-format off
static const struct key device_keys[] = {
	{ .name = "name", .flags = KEY_REQUIRED, .read = read_device_name },
	{ .name = "match", .flags = KEY_REQUIRED, .read = read_match,
	  .arg = &table_match_device, .at = offsetof(struct pol_device, match) },
	{ .name = "group", .read = read_group },
	{ .name = "rom", .flags = KEY_NULL, .read = read_rom },
	{ .name = "on-dma-fault", .read = read_on_fault,
	  .at = offsetof(struct pol_device, on_fault) },
	{ .name = "in-use", .read = read_in_use },
};
// clang-format on
const struct table table_device = {
	.what = "device",
	.keys = device_keys,
	.n = ARRAY_SIZE(device_keys),
	.done = device_done,
};
