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
		diag_mend(refused_value(r, k, v,
		                        "a device's name has at most 29 "
		                        "characters"),
		          "a shorter one");
	else
		scalar_name(r, k, v, dev->name);
}

READER(read_companions)
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

READER(read_rom)
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

READER(read_in_use)
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

/* Of what is being read, the later ones are zeroes yet. */
static const struct named *find_other(const struct pol_policy *p,
                                      const struct pol_match *m,
                                      enum pol_kind *ret)
{
	for (size_t i = 0; i < p->n_nics; i++) {
		const struct pol_match *o = &p->nic[i].match;

		*ret = p->nic[i].kind;
		if (o != m && o->by_pci && bdf_equal(m->pci, o->pci))
			return (const struct named *)&p->nic[i];
	}
	for (size_t i = 0; i < p->n_devices; i++) {
		const struct pol_match *o = &p->device[i].match;

		*ret = p->device[i].kind;
		if (o != m && o->by_pci && bdf_equal(m->pci, o->pci))
			return (const struct named *)&p->device[i];
	}
	return NULL;
}

/* One function has one entry: addresses are compared here, the rest when the
 * machine is known. */
void check_address(struct read *r, enum pol_kind kind, const char *name,
                   const struct pol_match *m)
{
	enum pol_kind of = kind;
	const struct named *other =
		m->by_pci ? find_other(r->policy, m, &of) : NULL;
	char text[BDF_STRLEN];
	struct diag *d;

	if (!other)
		return;
	d = pol_err(r->errs, m->pos, FL_POL_CONFLICT,
	            "%s %s and %s %s match %s", pol_kind_name(kind), name,
	            pol_kind_name(of), other->name, bdf_format(m->pci, text));
	diag_why(d,
	         "the other is in %s; a function is given as a whole, or cut "
	         "into VFs, once",
	         WHERE(r->policy, other->pos, m->pos));
	diag_mend(d, "remove one of them");
}

static void device_done(struct read *r, const struct node *map, void *obj)
{
	struct pol_device *dev = obj;

	(void)map;
	dev->kind = POL_KIND_DEVICE;
	check_address(r, dev->kind, dev->name, &dev->match);
}

CHECK_NAMED(pol_device);
// clang-format off
static const struct key device_keys[] = {
	{ .name = "name", .flags = KEY_REQUIRED, .read = read_device_name },
	{ .name = "match", .flags = KEY_REQUIRED, .read = read_match,
	  .arg = &table_match_device, .at = offsetof(struct pol_device, match) },
	{ .name = "group", .read = read_companions },
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
