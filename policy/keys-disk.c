/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's disks and its socket to the host: what the VMM itself is, beside
 * NICs (keys-nic.c). Files are looked at when the guest is started, not here.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

READER(read_flag)
{
	bool *to = field(k, obj);
	struct pol_bool yes = { .v = false };
	struct key at_zero = *k;

	at_zero.at = 0;
	read_bool(r, &at_zero, v, &yes);
	*to = yes.v;
}

/* As the kernel's dev_valid_name(), without what a shell would take apart. */
READER(read_ifname)
{
	static const char bad[] = "/: \t\n\"'\\$`*?;&|<>()%";
	bool ok;

	if (told_text(r, v, TOLD_LOOSE,
	              "^[!#+,.0-9=@A-Z_a-z{}~^\\[\\]]"
	              "[!#+,.0-9=@A-Z_a-z{}~^\\[\\]-]{0,14}$") ||
	    !want_scalar(r, k, v))
		return;
	ok = v->len && v->len < POL_IFNAME && !strpbrk(v->text, bad) &&
	     strcmp(v->text, ".") != 0 && strcmp(v->text, "..") != 0 &&
	     v->text[0] != '-';
	for (size_t i = 0; ok && i < v->len; i++)
		ok = v->text[i] > ' ' && v->text[i] < 0x7f;
	if (ok)
		memcpy(field(k, obj), v->text, v->len + 1);
	else
		bad_value(r, k, v,
		          "an interface's name: at most 15 characters, none "
		          "of them a space, ':' or '/'",
		          "net0");
}

/* ---- disks --------------------------------------------------------------- */

static READER(read_serial)
{
	struct pol_disk *disk = obj;
	bool ok = v->len && v->len < POL_SERIAL;

	if (told_text(r, v, TOLD_LOOSE, "^[!#-\\[\\]-~]{1,20}$") ||
	    !want_scalar(r, k, v))
		return;
	for (size_t i = 0; ok && i < v->len; i++)
		ok = v->text[i] > ' ' && v->text[i] < 0x7f &&
		     v->text[i] != '"' && v->text[i] != '\\';
	if (ok)
		memcpy(disk->serial, v->text, v->len + 1);
	else
		bad_value(r, k, v,
		          "1 to 20 printable characters without spaces, "
		          "quotes and backslashes",
		          "root-1");
}

CHECK_NAMED(pol_disk);
// clang-format off
static const struct key disk_keys[] = {
	{ .name = "name", .flags = KEY_REQUIRED, .read = read_name,
	  .at = offsetof(struct pol_disk, name) },
	{ .name = "path", .flags = KEY_REQUIRED, .read = read_path,
	  .at = offsetof(struct pol_disk, path) },
	{ .name = "read-only", .read = read_flag,
	  .at = offsetof(struct pol_disk, read_only) },
	{ .name = "direct", .read = read_flag,
	  .at = offsetof(struct pol_disk, direct) },
	{ .name = "serial", .read = read_serial },
	{ .name = "slot", .read = read_slot,
	  .at = offsetof(struct pol_disk, slot) },
	{ .name = "format", .flags = KEY_LATER },
	{ .name = "cache",  .flags = KEY_LATER },
};
static const struct table disk_table = {
	.what = "disk", .keys = disk_keys, .n = ARRAY_SIZE(disk_keys),
};
const struct list list_guest_disks = {
	.item = &disk_table, .size = sizeof(struct pol_disk),
	.count = offsetof(struct pol_guest, n_disks), .max = POL_DISKS_MAX,
};
// clang-format on

static void named_twice(struct read *r, const struct node *item,
                        const char *kind, const char *name, unsigned line)
{
	struct diag *d =
		pol_err(r->errs, node_get(item, "name")->pos, FL_POL_DUPLICATE,
	                "a %s of the guest is named '%s', too", kind, name);

	diag_why(d, "it is in line %u", line);
	diag_mend(d, "name one of them otherwise");
}

/* A name means one thing of a guest, whoever is asked about it. */
static void check_disk(struct read *r, const struct node *item,
                       const struct pol_guest *g, const char *name)
{
	for (size_t i = 0; i < g->n_nics; i++)
		if (!strcmp(g->nic[i].name, name))
			named_twice(r, item, "nic", name, g->nic[i].pos.line);
	for (size_t i = 0; i < g->n_devices; i++)
		if (!strcmp(g->device[i].name, name))
			named_twice(r, item, "device", name,
			            g->device[i].pos.line);
}

void check_disks(struct read *r, const struct node *map,
                 const struct pol_guest *g)
{
	const struct node *item =
		g->n_disks ? node_get(map, "disks")->first : NULL;

	for (size_t i = 0; i < g->n_disks; i++, item = item->next)
		if (*g->disk[i].name)
			check_disk(r, item, g, g->disk[i].name);
}

/* ---- vsock --------------------------------------------------------------- */

static READER(read_cid)
{
	static const struct range range = { POL_CID_MIN, UINT32_MAX - 1 };
	struct pol_vsock *vsock = obj;

	scalar_u32(r, k, v, &range, &vsock->cid);
}

// clang-format off
static const struct key vsock_keys[] = {
	{ .name = "cid", .flags = KEY_REQUIRED, .read = read_cid },
	{ .name = "slot", .read = read_slot,
	  .at = offsetof(struct pol_vsock, slot) },
};
static const struct table vsock_table = {
	.what = "vsock", .keys = vsock_keys, .n = ARRAY_SIZE(vsock_keys),
};
// clang-format on

READER(read_vsock)
{
	struct pol_vsock *vsock = field(k, obj);

	vsock->pos = v->pos;
	read_map(r, v, &vsock_table, vsock);
}
