/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bridge of a nic: where its own interface and its VFs' representors are, in
 * switchdev mode. Linux' is there, or the plan is refused; Open vSwitch's is
 * made where it is not there, since nothing else makes one at boot.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

static READER(read_bridge_type)
{
	static const struct word word[] = {
		{ .text = "linux", .value = false },
		{ .text = "ovs", .value = true },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_nic_bridge *b = obj;
	unsigned value;

	if (scalar_word(r, k, v, &words, &value))
		b->ovs = value;
}

static READER(read_datapath_type)
{
	static const struct word word[] = {
		{ .text = "system", .value = POL_OVS_SYSTEM },
		{ .text = "netdev", .value = POL_OVS_NETDEV },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_nic_bridge *b = obj;
	unsigned value;

	if (scalar_word(r, k, v, &words, &value))
		b->datapath = (enum pol_ovs_datapath)value;
}

static void refuse(struct read *r, struct pol_pos pos, const char *what,
                   const char *why, const char *mend)
{
	struct diag *d = pol_err(r->errs, pos, FL_POL_OVS, "bridge: %s", what);

	diag_why(d, "%s", why);
	diag_mend(d, "%s", mend);
}

static void bridge_done(struct read *r, const struct node *map, void *obj)
{
	const struct pol_nic_bridge *b = obj;
	const struct node *filtering = node_get(map, "vlan-filtering");
	const struct node *datapath = node_get(map, "datapath-type");

	if (b->ovs && filtering)
		refuse(r, filtering->key->pos,
		       "'vlan-filtering' of an Open vSwitch bridge",
		       "it keeps VLANs apart by itself", "remove it");
	if (!b->ovs && datapath)
		refuse(r, datapath->key->pos,
		       "'datapath-type' of a Linux bridge",
		       "only Open vSwitch has several",
		       "remove it, or write `type: ovs`");
}

// clang-format off
static const struct key bridge_keys[] = {
	{ .name = "type", .read = read_bridge_type },
	{ .name = "name", .flags = KEY_REQUIRED, .read = read_ifname,
	  .at = offsetof(struct pol_nic_bridge, name) },
	{ .name = "vlan-filtering", .read = read_bool,
	  .at = offsetof(struct pol_nic_bridge, filtering) },
	{ .name = "datapath-type", .read = read_datapath_type },
};
static const struct table bridge_table = {
	.what = "bridge", .keys = bridge_keys, .n = ARRAY_SIZE(bridge_keys),
	.done = bridge_done,
};
// clang-format on

READER(read_nic_bridge)
{
	struct pol_nic_bridge *b = field(k, obj);

	b->pos = v->pos;
	read_map(r, v, &bridge_table, b);
}

/* ---- one bridge, said twice ---------------------------------------------- */

static void differs(struct read *r, struct pol_pos pos, const char *name,
                    const char *other)
{
	char what[128];

	snprintf(what, sizeof(what), "%s is another thing in two places", name);
	refuse(r, pos, what, other, "name another bridge in one of them");
}

/* What is left out is as the other says. */
static bool is_same(const struct pol_nic_bridge *a,
                    const struct pol_nic_bridge *b)
{
	return a->ovs == b->ovs &&
	       (!a->datapath || !b->datapath || a->datapath == b->datapath);
}

static void check_bridge(struct read *r, size_t i)
{
	const struct pol_policy *p = r->policy;
	const struct pol_nic_bridge *b = &p->nic[i].bridge;
	char other[128];

	for (size_t k = 0; k < i; k++) {
		const struct pol_nic_bridge *o = &p->nic[k].bridge;

		if (strcmp(o->name, b->name) != 0 || is_same(o, b))
			continue;
		snprintf(other, sizeof(other),
		         "nic %s says another 'type' or 'datapath-type' (%s)",
		         p->nic[k].name, WHERE(p, o->pos, b->pos));
		differs(r, b->pos, b->name, other);
		return;
	}
	for (size_t k = 0; b->ovs && k < p->n_networks; k++) {
		const struct pol_network *n = &p->network[k];

		if (!n->overlay.id || strcmp(n->bridge, b->name) != 0)
			continue;
		snprintf(other, sizeof(other),
		         "it is the overlay's of network %s (%s)", n->name,
		         WHERE(p, n->pos, b->pos));
		differs(r, b->pos, b->name, other);
	}
}

void check_bridges(struct read *r)
{
	for (size_t i = 0; i < r->policy->n_nics; i++)
		if (*r->policy->nic[i].bridge.name)
			check_bridge(r, i);
}

void check_ovs_vlan(struct read *r, const struct pol_nic *nic,
                    const struct pol_vlan *vlan)
{
	struct diag *d;

	if (vlan->id != 1 && (!vlan->n_trunk || vlan->trunk[0].first != 1))
		return;
	d = pol_err(r->errs, vlan->pos, FL_POL_OVS,
	            "VLAN 1 on a VF of nic %s, whose bridge is Open vSwitch's",
	            nic->name);
	diag_why(d, "in a Linux bridge that is where frames without a tag are; "
	            "Open vSwitch has a VLAN 1 beside them");
	diag_mend(d, "write `vlan: null` for frames without a tag, or another "
	             "id");
}
