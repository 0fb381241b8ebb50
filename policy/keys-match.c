/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * match: which function of the host is meant. One set of readers, a table for
 * nics and one for whole devices.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

static READER(read_pci)
{
	struct pol_match *m = obj;

	if (told_text(r, v, TOLD_TEXT,
	              "^[0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[01][0-9A-Fa-f]"
	              "[.][0-7]$") ||
	    !want_quoted(r, k, v))
		return;
	if (bdf_parse(v->text, &m->pci))
		bad_value(r, k, v, "a full PCI address: \"0000:3b:00.0\"");
	else
		m->by_pci = true;
}

static const char id_form[] = "four hex digits: \"8086\"";

/* Four hex digits, as lspci -nn prints them. */
static bool read_id(struct read *r, const struct key *k, const struct node *v,
                    const char *form, uint16_t *ret)
{
	char hex[2 + 4 + 1];
	uint64_t id;

	if (told_text(r, v, TOLD_TEXT, "^[0-9A-Fa-f]{4}$") ||
	    !want_quoted(r, k, v))
		return false;
	if (v->len == 4) {
		snprintf(hex, sizeof(hex), "0x%.4s", v->text);
		if (!parse_u64(hex, UINT16_MAX, &id)) {
			*ret = (uint16_t)id;
			return true;
		}
	}
	bad_value(r, k, v, form);
	return false;
}

static READER(read_vendor)
{
	struct pol_match *m = obj;

	m->by_vendor = read_id(r, k, v, id_form, &m->vendor);
}

static READER(read_device)
{
	struct pol_match *m = obj;

	m->by_device = read_id(r, k, v, id_form, &m->device);
}

static READER(read_match_driver)
{
	struct pol_match *m = obj;

	m->by_driver = scalar_name(r, k, v, m->driver);
}

/* As the kernel's dev_valid_name() has it: up to 15 bytes, no '/', no ':',
 * no blank, not "." nor "..". */
static READER(read_match_ifname)
{
	struct pol_match *m = obj;

	if (told_text(r, v, TOLD_LOOSE, "^[^/: \\t]{1,15}$") ||
	    !want_scalar(r, k, v))
		return;
	if (!v->len || v->len > 15 || strpbrk(v->text, "/: \t") ||
	    !strcmp(v->text, ".") || !strcmp(v->text, "..")) {
		bad_value(r, k, v, "a network interface's name");
		return;
	}
	memcpy(m->ifname, v->text, v->len + 1);
	m->by_ifname = true;
}

/* Nothing to match by would match everything. Whether it is so is asked of
 * the file, so that a wrong value is not complained about twice. */
static void match_done(struct read *r, const struct node *map, void *obj)
{
	struct pol_match *m = obj;
	struct diag *d;

	m->pos = map->pos;
	if (!map->n) {
		d = pol_err(r->errs, map->pos, FL_POL_MISSING,
		            "match says nothing");
		diag_mend(d, "add 'pci', or another key that tells the "
		             "device");
	} else if (node_get(map, "device-id") && !node_get(map, "vendor-id")) {
		d = pol_err(r->errs, node_get(map, "device-id")->key->pos,
		            FL_POL_MISSING,
		            "'device-id' needs 'vendor-id' beside it");
		diag_why(d, "each vendor numbers its devices by itself");
	}
}

/* "0108": base class and subclass, as lspci -n prints them. */
static READER(read_class)
{
	struct pol_match *m = obj;

	m->by_class =
		read_id(r, k, v, "four hex digits: \"0108\"", &m->class_code);
}

// clang-format off
static const struct key nic_keys[] = {
	{ .name = "pci",       .read = read_pci },
	{ .name = "vendor-id", .read = read_vendor },
	{ .name = "device-id", .read = read_device },
	{ .name = "driver",    .read = read_match_driver },
	{ .name = "ifname",    .read = read_match_ifname },
	{ .name = "serial",    .flags = KEY_LATER },
};
static const struct key device_keys[] = {
	{ .name = "pci",       .read = read_pci },
	{ .name = "vendor-id", .read = read_vendor },
	{ .name = "device-id", .read = read_device },
	{ .name = "class",     .read = read_class },
	{ .name = "driver",    .read = read_match_driver },
	{ .name = "serial",    .flags = KEY_LATER },
};
// clang-format on
const struct table table_match_nic = {
	.what = "match",
	.keys = nic_keys,
	.n = ARRAY_SIZE(nic_keys),
	.done = match_done,
};
const struct table table_match_device = {
	.what = "match",
	.keys = device_keys,
	.n = ARRAY_SIZE(device_keys),
	.done = match_done,
};

READER(read_match)
{
	read_map(r, v, k->arg, field(k, obj));
}
