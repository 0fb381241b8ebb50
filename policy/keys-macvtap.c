/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * emulated: { backend: macvtap, parent, mode }: a NIC on an interface of the
 * host without a bridge. The interface has the NIC's MAC, and sends and takes
 * frames as one more of its parent's.
 *
 *   bridge     those of one parent reach one another, and the wire
 *   private    they reach the wire only
 *   vepa       they reach one another by the switch outside, which sends back
 *   passthru   it has the parent alone, and that takes its MAC
 *
 * Neither reaches the host itself. There is no port that could have a VLAN, and
 * no hook before the parent that would guard it: a network that says so is
 * refused.
 */

#include <linux/if_link.h>

#include "policy/priv.h"

static const struct word mode_words[] = {
	{ .text = "bridge", .value = MACVLAN_MODE_BRIDGE },
	{ .text = "private", .value = MACVLAN_MODE_PRIVATE },
	{ .text = "vepa", .value = MACVLAN_MODE_VEPA },
	{ .text = "passthru", .value = MACVLAN_MODE_PASSTHRU },
};

const char *pol_macvtap_mode_name(unsigned mode)
{
	for (size_t i = 0; i < ARRAY_SIZE(mode_words); i++)
		if (mode_words[i].value == mode)
			return mode_words[i].text;
	return "unknown";
}

READER(read_macvtap_mode)
{
	static const struct words words = { mode_words,
		                            ARRAY_SIZE(mode_words) };
	struct pol_tap *t = obj;
	unsigned value;

	if (scalar_word(r, k, v, &words, &value))
		t->mode = value;
}

static void refuse(struct read *r, struct pol_pos pos, const char *what,
                   const char *why, const char *mend)
{
	struct diag *d = pol_err(r->errs, pos, FL_POL_CONFLICT, "%s", what);

	diag_why(d, "%s", why);
	diag_mend(d, "%s", mend);
}

static void only_macvtap(struct read *r, const struct node *map,
                         const char *key, const char *what)
{
	const struct node *v = node_get(map, key);

	if (v)
		refuse(r, v->key->pos, what,
		       "it is how a macvtap is on its "
		       "parent",
		       "remove it, or write `backend: macvtap`");
}

void macvtap_done(struct read *r, const struct node *map, struct pol_tap *t)
{
	struct diag *d;

	if (t->backend != POL_BACKEND_MACVTAP) {
		only_macvtap(r, map, "parent",
		             "'parent' of what is no macvtap");
		only_macvtap(r, map, "mode", "'mode' of what is no macvtap");
		return;
	}
	if (!t->mode)
		t->mode = MACVLAN_MODE_BRIDGE;
	if (node_get(map, "bridge"))
		refuse(r, node_get(map, "bridge")->key->pos,
		       "a macvtap in a bridge", "it is on its 'parent'",
		       "remove it, or write `backend: tap`");
	if (node_get(map, "parent"))
		return;
	d = pol_err(r->errs, map->pos, FL_POL_MISSING,
	            "a macvtap needs 'parent'");
	diag_mend(d, "add `parent: IFNAME`: the interface that it is on");
}

void check_macvtap(struct read *r, const struct pol_guest_nic *nic)
{
	const struct pol_network *n;

	if (nic->own.backend != POL_BACKEND_MACVTAP ||
	    nic->network >= r->policy->n_networks)
		return;
	n = &r->policy->network[nic->network];
	if (n->set.vlan.id)
		refuse(r, nic->pos, "a macvtap in a network with a VLAN",
		       "no port of a bridge tags its frames",
		       "name an interface of that VLAN as 'parent' "
		       "(eth0.100), and a network without 'vlan'");
	if (network_guards(n))
		refuse(r, nic->pos, "a macvtap in a network with spoof-check",
		       "what it sends passes no place where netd could look "
		       "at it",
		       "write `backend: tap`, or name another network");
	if (*n->bridge)
		refuse(r, nic->pos, "a macvtap in a network with a bridge",
		       "it is on its 'parent'",
		       "write `backend: tap`, or name another network");
}
