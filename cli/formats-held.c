/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a policy is in libvirt's XML, by the policy's own keys. Every key
 * that the file gives and that no row here has is said to be left out: so one
 * that a later version brings is, too, before anybody has thought of it here.
 */

#include "cli/formats.h"

#include <string.h>

struct held {
	struct format *f;
	/* Whose keys these are, among guests' nics; NULL = no nic's */
	const struct pol_guest *guest;
	const struct pol_guest_nic *nic;
	const struct pol_override *override; /* the one that is looked at */
};

static bool is_zero(const struct held *h, const char *value)
{
	(void)h;
	return !strcmp(value, "0");
}

static bool is_8021q(const struct held *h, const char *value)
{
	(void)h;
	return !strcmp(value, "802.1q");
}

static bool is_vfio(const struct held *h, const char *value)
{
	(void)h;
	return pol_driver_is_vfio(value);
}

static bool is_passthrough(const struct held *h, const char *value)
{
	(void)h;
	return !strcmp(value, "passthrough");
}

static bool never(const struct held *h, const char *value)
{
	(void)h;
	(void)value;
	return false;
}

/* The two of a pair are joined by their MAC. */
static bool in_pair(const struct held *h, const char *value)
{
	(void)value;
	return h->nic && format_in_pair(h->f, h->guest, h->nic);
}

/* A key by its whole name, lists left out; what is below a key that has no row
 * goes along row by row. */
static const struct row {
	const char *path;
	/* NULL = whatever its value */
	bool (*is)(const struct held *h, const char *value);
	const char *why; /* where it is not */
} rows[] = {
	{ .path = "version" },
	/* Which functions these are, their addresses say. */
	{ .path = "nics/name" },
	{ .path = "nics/match" },
	{ .path = "nics/ifname" },
	{ .path = "networks/name" },
	{ .path = "networks/vlan/id" },
	{ .path = "networks/vlan/qos", .is = is_zero },
	{ .path = "networks/vlan/protocol", .is = is_8021q },
	{ .path = "networks/vlan/trunk",
	  .is = never,
	  .why = "libvirt takes none for a VF" },
	{ .path = "pools/name" },
	{ .path = "pools/functions" },
	{ .path = "pools/driver", .is = is_vfio },
	{ .path = "pools/mac", .is = never, .why = "interfaces have it" },
	{ .path = "overrides/nic" },
	{ .path = "overrides/vfs/id" },
	{ .path = "overrides/vfs/mac-address" },
	{ .path = "overrides/vfs/vlan/id" },
	{ .path = "overrides/vfs/vlan/qos", .is = is_zero },
	{ .path = "overrides/vfs/vlan/protocol", .is = is_8021q },
	{ .path = "overrides/vfs/vlan/trunk",
	  .is = never,
	  .why = "libvirt takes none for a VF" },
	{ .path = "guests/name" },
	{ .path = "guests/nics/name" },
	{ .path = "guests/nics/pool" },
	{ .path = "guests/nics/network" },
	{ .path = "guests/nics/mac-address" },
	{ .path = "guests/nics/datapath", .is = is_passthrough },
	/* Of a VF it is the standby's. */
	{ .path = "guests/nics/mtu", .is = in_pair },
	{ .path = "guests/nics/failover/backend", .is = in_pair },
	{ .path = "guests/nics/failover/bridge", .is = in_pair },
	{ .path = "guests/nics/failover/queues", .is = in_pair },
	{ .path = "guests/nics/failover/tap", .is = in_pair },
};

static const struct row *find_row(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!strcmp(rows[i].path, path))
			return &rows[i];
	return NULL;
}

/* Has anything below the key a row? */
static bool is_above_rows(const char *path)
{
	size_t n = strlen(path);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!strncmp(rows[i].path, path, n) && rows[i].path[n] == '/')
			return true;
	return false;
}

static void left_out(struct format *f, const struct pol_given_key *k,
                     const char *why)
{
	format_left_out(f, "  <!-- ", " -->", "%s%s%s%s%s%s", k->of,
	                *k->of && *k->key ? ": " : "", k->key, *why ? " (" : "",
	                why, *why ? ")" : "");
}

/* ---- items of lists ------------------------------------------------------ */

static bool same_pos(struct pol_pos a, struct pol_pos b)
{
	return a.line == b.line && a.column == b.column && a.file == b.file;
}

/* Is it a guest's nic? Then what follows is of that one. */
static bool find_nic(struct held *h, struct pol_pos pos)
{
	const struct pol_policy *p = h->f->p;

	for (size_t g = 0; g < p->n_guests; g++)
		for (size_t i = 0; i < p->guest[g].n_nics; i++)
			if (same_pos(p->guest[g].nic[i].pos, pos)) {
				h->guest = &p->guest[g];
				h->nic = &p->guest[g].nic[i];
				return true;
			}
	return false;
}

static void find_override(struct held *h, struct pol_pos pos)
{
	for (size_t i = 0; i < h->f->p->n_overrides; i++)
		if (same_pos(h->f->p->override[i].pos, pos))
			h->override = &h->f->p->override[i];
}

/* What is said of a VF is its interface's; of one that no guest has it is
 * nobody's. */
static bool has_interface(const struct held *h, const char *id)
{
	const struct pol_guest_nic *nic;
	uint64_t vf;

	if (!h->override || parse_u64(id, POL_VFS_MAX, &vf))
		return false;
	nic = pol_fn_nic(h->f->p,
	                 (struct pol_fn){ h->override->nic, (uint16_t)vf },
	                 NULL);
	return nic && nic->pool < h->f->p->n_pools;
}

/* Are its keys looked at one by one? */
static bool item(struct held *h, const struct pol_given_key *k)
{
	const struct pol_policy *p = h->f->p;

	h->nic = NULL;
	if (!strcmp(k->path, "guests/nics")) {
		if (find_nic(h, k->pos) && h->nic->pool < p->n_pools)
			return true;
		left_out(h->f, k, "emulated");
		return false;
	}
	if (!strcmp(k->path, "overrides"))
		find_override(h, k->pos);
	if (!strcmp(k->path, "overrides/vfs") && !has_interface(h, k->name)) {
		left_out(h->f, k, "no guest has it");
		return false;
	}
	if (is_above_rows(k->path))
		return true;
	left_out(h->f, k, "");
	return false;
}

static bool say(const struct pol_given_key *k, void *arg)
{
	const struct row *row = find_row(k->path);
	struct held *h = arg;

	if (!*k->key)
		return item(h, k);
	if (row && !k->null && (!row->is || row->is(h, k->value)))
		return false;
	/* Lists of the policy itself may be empty. */
	if (!row && is_above_rows(k->path) && (!k->null || !*k->of))
		return true;
	left_out(h->f, k, row && row->why ? row->why : "");
	return false;
}

int format_held(struct format *f)
{
	struct held h = { .f = f };

	return pol_each_given(f->text, f->len, say, &h);
}
