/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slots: each nic, device and disk of a guest is behind a root port of its own.
 * Those that the file names are checked first, then the others get the lowest
 * free ones: nics, devices, gpus, nvme, standbys of nics, disks. The vsock, the
 * virtio console, the watchdog and the rng get the highest, in this order. What
 * is left over holds the empty ports for hot plug, which the VMM places.
 */

#include <stdio.h>
#include <string.h>

#include "policy/keys-function.h"

/* "01.0" to "1f.0": device and function of its root port, as lspci prints
 * them in the guest. */
READER(read_slot)
{
	uint8_t *slot = field(k, obj);
	char hex[2 + 2 + 1];
	uint64_t dev;

	if (told_text(r, v, TOLD_TEXT, "^(0[1-9A-Fa-f]|1[0-9A-Fa-f])[.]0$") ||
	    !want_quoted(r, k, v))
		return;
	snprintf(hex, sizeof(hex), "0x%.2s", v->text);
	if (v->len == 4 && !strcmp(v->text + 2, ".0") &&
	    !parse_u64(hex, POL_SLOTS, &dev) && dev)
		*slot = (uint8_t)dev;
	else
		bad_value(r, k, v, "\"01.0\" to \"1f.0\"", "\"01.0\"");
}

/* Whoever wants one, in the order of giving. */
struct user {
	uint8_t *slot;          /* 0 = any */
	const struct node *map; /* that has the key, where one can be named */
	const char *kind, *name;
	struct pol_pos pos;
	bool from_top;
};
#define USERS_MAX                                                              \
	(2 * POL_GUEST_NICS_MAX + POL_GUEST_DEVICES_MAX + POL_DISKS_MAX + 4)
struct users {
	struct user u[USERS_MAX];
	size_t n;
	const struct user *at[POL_SLOTS + 1];
};

static const struct node *first_of(const struct node *map, const char *key,
                                   size_t n)
{
	const struct node *list = n ? node_get(map, key) : NULL;

	return list ? list->first : NULL;
}

static void add(struct users *all, struct user u)
{
	if (all->n < USERS_MAX)
		all->u[all->n++] = u;
}

static void add_uses(struct users *all, const struct node *map,
                     struct pol_guest *g, const char *key,
                     const struct pol_guest_use *use, size_t n)
{
	const struct node *item = first_of(map, key, n);

	for (size_t i = 0; i < n; i++, item = item->next)
		if (use_slot(g, &use[i]))
			add(all,
			    (struct user){ use_slot(g, &use[i]), item, "one of",
			                   key, use[i].pos, false });
}

/* The guest's lists first: what its uses have become is behind them. */
static void add_nics(struct users *all, const struct node *map,
                     struct pol_guest *g)
{
	const struct node *item = first_of(map, "nics", g->n_nics);

	for (size_t i = 0; item && i < g->n_nics; i++, item = item->next)
		add(all, (struct user){ &g->nic[i].slot, item, "nic",
		                        g->nic[i].name, g->nic[i].pos, false });
	item = first_of(map, "devices", g->n_devices);
	for (size_t i = 0; item && i < g->n_devices; i++, item = item->next)
		add(all, (struct user){ &g->device[i].slot, item, "device",
		                        g->device[i].name, g->device[i].pos,
		                        false });
	add_uses(all, map, g, "gpus", g->gpu, g->n_gpus);
	add_uses(all, map, g, "nvme", g->nvme, g->n_nvmes);
	item = first_of(map, "nics", g->n_nics);
	for (size_t i = 0; item && i < g->n_nics; i++, item = item->next)
		if (g->nic[i].standby.backend)
			add(all,
			    (struct user){ &g->nic[i].standby.slot,
			                   node_get(item, "failover"),
			                   "the standby of nic", g->nic[i].name,
			                   g->nic[i].standby.pos, false });
}

/* The small ones are at the other end: a disk or nic that is added does not
 * move them, nor they it. */
static void add_others(struct users *all, const struct node *map,
                       struct pol_guest *g)
{
	const struct node *item = first_of(map, "disks", g->n_disks);

	for (size_t i = 0; i < g->n_disks; i++, item = item->next)
		add(all,
		    (struct user){ &g->disk[i].slot, item, "disk",
		                   g->disk[i].name, g->disk[i].pos, false });
	if (g->vsock.cid)
		add(all, (struct user){ &g->vsock.slot, node_get(map, "vsock"),
		                        "the", "vsock", g->vsock.pos, true });
	if (g->virtio_console)
		add(all, (struct user){ &g->console_slot, map, "the", "console",
		                        g->pos, true });
	if (g->watchdog.action)
		add(all,
		    (struct user){ &g->watchdog.slot, node_get(map, "watchdog"),
		                   "the", "watchdog", g->watchdog.pos, true });
	if (g->rng.given == POL_GIVEN && g->rng.v)
		add(all, (struct user){ &g->rng_slot, map, "the", "rng", g->pos,
		                        true });
}

static void claim(struct read *r, struct users *all, const struct user *u)
{
	const struct user *other = all->at[*u->slot];
	struct diag *d;

	if (!*u->slot)
		return;
	if (!other) {
		all->at[*u->slot] = u;
		return;
	}
	d = pol_err(r->errs, node_get(u->map, "slot")->pos, FL_POL_CONFLICT,
	            "slot \"%02x.0\" is used twice", *u->slot);
	diag_why(d, "%s %s has it (line %u)", other->kind, other->name,
	         other->pos.line);
	diag_mend(d, "give it another, or none: it then gets a free one");
}

/* There are more slots than users, or it was refused. */
static void give(struct users *all, const struct user *u)
{
	for (uint8_t i = 1; !*u->slot && i <= POL_SLOTS; i++) {
		uint8_t s = u->from_top ? (uint8_t)(POL_SLOTS + 1 - i) : i;

		if (all->at[s])
			continue;
		all->at[s] = u;
		*u->slot = s;
	}
}

static bool too_many(struct read *r, const struct node *map, size_t used,
                     uint32_t spare)
{
	const struct node *at = node_get(map, "hotplug-slots");
	struct diag *d;

	if (used + spare <= POL_SLOTS)
		return false;
	d = pol_err(r->errs, at ? at->pos : map->pos, FL_POL_RANGE,
	            "%zu slots in use and %u for hot plug are too many", used,
	            spare);
	diag_why(d, "a guest has %d", POL_SLOTS);
	diag_mend(d,
	          "lower 'hotplug-slots' to %zu, or give the guest fewer "
	          "devices",
	          used < POL_SLOTS ? POL_SLOTS - used : 0);
	return true;
}

void place_slots(struct read *r, const struct node *map, struct pol_guest *g)
{
	struct users all = { .n = 0 };

	add_nics(&all, map, g);
	add_others(&all, map, g);
	for (size_t i = 0; i < all.n; i++)
		claim(r, &all, &all.u[i]);
	if (too_many(r, map, all.n, g->spare))
		return;
	/* Nobody asked for it: it takes what is left. */
	if (g->rng.given == POL_ABSENT && all.n + g->spare < POL_SLOTS)
		add(&all, (struct user){ &g->rng_slot, map, "the", "rng",
		                         g->pos, true });
	for (size_t i = 0; i < all.n; i++)
		give(&all, &all.u[i]);
}
