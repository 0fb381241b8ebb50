/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * match: which function of the host is meant. One set of readers, a table for
 * nics and one for whole devices.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

static bool read_address(struct read *r, const struct key *k,
                         const struct node *v, struct bdf *ret)
{
	if (told_text(r, v, TOLD_TEXT,
	              "^[0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[01][0-9A-Fa-f]"
	              "[.][0-7]$") ||
	    !want_quoted(r, k, v))
		return false;
	if (!bdf_parse(v->text, ret))
		return true;
	bad_value(r, k, v, "a full PCI address", "\"0000:3b:00.0\"");
	return false;
}

static READER(read_pci)
{
	struct pol_match *m = obj;

	m->by_pci = read_address(r, k, v, &m->pci);
}

/* So many hex digits, and nothing else. */
static bool is_hex(const struct node *v, unsigned digits, uint64_t *ret)
{
	char hex[2 + 6 + 1];

	if (v->len != digits)
		return false;
	snprintf(hex, sizeof(hex), "0x%.6s", v->text);
	return !parse_u64(hex, UINT32_MAX, ret);
}

/* Four hex digits, as lspci -nn prints them. */
static bool read_id(struct read *r, const struct key *k, const struct node *v,
                    uint16_t *ret)
{
	uint64_t id;

	if (told_text(r, v, TOLD_TEXT, "^[0-9A-Fa-f]{4}$") ||
	    !want_quoted(r, k, v))
		return false;
	if (is_hex(v, 4, &id)) {
		*ret = (uint16_t)id;
		return true;
	}
	bad_value(r, k, v, "four hex digits", "\"8086\"");
	return false;
}

static READER(read_vendor)
{
	struct pol_match *m = obj;

	m->by_vendor = read_id(r, k, v, &m->vendor);
}

static READER(read_device)
{
	struct pol_match *m = obj;

	m->by_device = read_id(r, k, v, &m->device);
}

static READER(read_subvendor)
{
	struct pol_match *m = obj;

	m->by_subvendor = read_id(r, k, v, &m->subvendor);
}

static READER(read_subdevice)
{
	struct pol_match *m = obj;

	m->by_subdevice = read_id(r, k, v, &m->subdevice);
}

/* The device serial number as lspci shows it, or the SN of its VPD: which of
 * the two it is shows when a device has it. */
static READER(read_serial)
{
	struct pol_match *m = obj;
	bool ok = v->len && v->len < sizeof(m->serial);

	if (told_text(r, v, TOLD_TEXT, "^[!#-\\[\\]-~]{1,63}$") ||
	    !want_quoted(r, k, v))
		return;
	for (size_t i = 0; ok && i < v->len; i++)
		ok = v->text[i] > ' ' && v->text[i] < 0x7f &&
		     v->text[i] != '"' && v->text[i] != '\\';
	if (!ok) {
		bad_value(r, k, v,
		          "a serial number: 1 to 63 printable characters "
		          "without blanks, quotes and backslashes",
		          "\"MT2135X00000\"");
		return;
	}
	memcpy(m->serial, v->text, v->len + 1);
	m->by_serial = true;
}

static READER(read_match_mac)
{
	struct pol_match *m = obj;
	struct pol_mac mac = { 0 };
	struct key at_zero = *k;

	at_zero.at = 0;
	read_mac(r, &at_zero, v, &mac);
	m->by_mac = mac.given == POL_GIVEN;
	memcpy(m->mac, mac.v, sizeof(m->mac));
}

static READER(read_match_node)
{
	static const struct range range = { 0, POL_HOST_NODES - 1 };
	struct pol_match *m = obj;
	uint32_t node;

	m->by_node = scalar_u32(r, k, v, &range, &node);
	m->node = m->by_node ? (uint16_t)node : 0;
}

static READER(read_root)
{
	struct pol_match *m = obj;

	m->by_root = read_address(r, k, v, &m->root);
}

static READER(read_match_driver)
{
	struct pol_match *m = obj;

	m->by_driver = scalar_name(r, k, v, m->driver);
}

/* As the kernel's dev_valid_name() has it: no '/', no ':', no blank, not "."
 * nor ".."; as long as an alternative name may be. */
READER(read_altname)
{
	if (told_text(r, v, TOLD_LOOSE, "^(?![.]{1,2}$)[^/: \\t]{1,127}$") ||
	    !want_scalar(r, k, v))
		return;
	if (!v->len || v->len >= POL_ALTNAME || strpbrk(v->text, "/: \t") ||
	    !strcmp(v->text, ".") || !strcmp(v->text, ".."))
		bad_value(r, k, v, "a network interface's name", "net0");
	else
		memcpy(field(k, obj), v->text, v->len + 1);
}

static READER(read_match_ifname)
{
	struct pol_match *m = obj;
	struct key at = *k;

	at.at = offsetof(struct pol_match, ifname);
	read_altname(r, &at, v, obj);
	m->by_ifname = *m->ifname;
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
		diag_mend(d, "add 'vendor-id'; see `lspci -nn`");
	} else if (node_get(map, "subsystem-id") &&
	           !node_get(map, "subsystem-vendor-id")) {
		d = pol_err(r->errs, node_get(map, "subsystem-id")->key->pos,
		            FL_POL_MISSING,
		            "'subsystem-id' needs 'subsystem-vendor-id' beside "
		            "it");
		diag_why(d, "each vendor numbers its boards by itself");
		diag_mend(d, "add 'subsystem-vendor-id'; see `lspci -nnv`");
	}
}

/* "0108": base class and subclass, as lspci -n prints them; "010802" with the
 * programming interface behind. */
static READER(read_class)
{
	struct pol_match *m = obj;
	uint64_t n;

	if (told_text(r, v, TOLD_TEXT, "^([0-9A-Fa-f]{2}){2,3}$") ||
	    !want_quoted(r, k, v))
		return;
	m->by_interface = is_hex(v, 6, &n);
	m->by_class = m->by_interface || is_hex(v, 4, &n);
	if (!m->by_class) {
		bad_value(r, k, v, "four hex digits, or six", "\"0108\"");
		return;
	}
	m->class_code = (uint16_t)(m->by_interface ? n >> 8 : n);
	m->interface = m->by_interface ? (uint8_t)n : 0;
}

// clang-format off
#define COMMON_KEYS \
	{ .name = "driver",    .read = read_match_driver }, \
	{ .name = "subsystem-vendor-id", .read = read_subvendor }, \
	{ .name = "subsystem-id", .read = read_subdevice }, \
	{ .name = "serial",    .read = read_serial }, \
	{ .name = "numa",      .read = read_match_node }, \
	{ .name = "pcie-root", .read = read_root }
static const struct key nic_keys[] = {
	{ .name = "pci",       .read = read_pci },
	{ .name = "vendor-id", .read = read_vendor },
	{ .name = "device-id", .read = read_device },
	COMMON_KEYS,
	{ .name = "ifname",    .read = read_match_ifname },
	{ .name = "mac-address", .read = read_match_mac },
};
static const struct key device_keys[] = {
	{ .name = "pci",       .read = read_pci },
	{ .name = "vendor-id", .read = read_vendor },
	{ .name = "device-id", .read = read_device },
	{ .name = "class",     .read = read_class },
	COMMON_KEYS,
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
