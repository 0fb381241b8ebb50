/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slots: each nic and each device of a guest is behind a root port of its own.
 * Those that the file names are checked first, then the others get the lowest
 * free ones, nics before devices. What is left over holds the empty ports for
 * hot plug, which the VMM places.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

/* "01.0" to "1f.0": device and function of its root port, as lspci prints
 * them in the guest. */
READER(read_slot)
{
	uint8_t *slot = field(k, obj);
	char hex[2 + 2 + 1];
	uint64_t dev;

	if (!want_quoted(r, k, v))
		return;
	snprintf(hex, sizeof(hex), "0x%.2s", v->text);
	if (v->len == 4 && !strcmp(v->text + 2, ".0") &&
	    !parse_u64(hex, POL_SLOTS, &dev) && dev)
		*slot = (uint8_t)dev;
	else
		bad_value(r, k, v, "\"01.0\" to \"1f.0\"");
}

/* Who has which slot, nics first, then devices. */
struct users {
	struct {
		const char *kind, *name;
		struct pol_pos pos;
	} of[POL_SLOTS + 1];
	size_t n;
};

static void take(struct read *r, struct users *u, unsigned slot,
                 const struct node *item, const char *kind, const char *name,
                 struct pol_pos pos)
{
	u->n++;
	if (!slot)
		return;
	if (!u->of[slot].kind) {
		u->of[slot].kind = kind;
		u->of[slot].name = name;
		u->of[slot].pos = pos;
		return;
	}
	struct diag *d =
		pol_err(r->errs, node_get(item, "slot")->pos, FL_POL_CONFLICT,
	                "slot \"%02x.0\" is used twice", slot);
	diag_why(d, "%s %s has it (line %u)", u->of[slot].kind,
	         u->of[slot].name, u->of[slot].pos.line);
	diag_mend(d, "give it another, or none: it then gets a free one");
}

/* There are more slots than nics and devices, or it was refused. */
static uint8_t lowest_free(struct users *u)
{
	for (uint8_t s = 1; s <= POL_SLOTS; s++)
		if (!u->of[s].kind) {
			u->of[s].kind = "it";
			return s;
		}
	return 0;
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
	const struct node *item =
		g->n_nics ? node_get(map, "nics")->first : NULL;
	struct users u = { .n = 0 };

	for (size_t i = 0; i < g->n_nics; i++, item = item->next)
		take(r, &u, g->nic[i].slot, item, "nic", g->nic[i].name,
		     g->nic[i].pos);
	item = g->n_devices ? node_get(map, "devices")->first : NULL;
	for (size_t i = 0; i < g->n_devices; i++, item = item->next)
		take(r, &u, g->device[i].slot, item, "device",
		     g->device[i].name, g->device[i].pos);
	if (too_many(r, map, u.n, g->spare))
		return;
	for (size_t i = 0; i < g->n_nics; i++)
		if (!g->nic[i].slot)
			g->nic[i].slot = lowest_free(&u);
	for (size_t i = 0; i < g->n_devices; i++)
		if (!g->device[i].slot)
			g->device[i].slot = lowest_free(&u);
}
