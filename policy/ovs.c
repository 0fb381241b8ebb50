/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A port of Open vSwitch, in its own words (ovs-vswitchd.conf.db(5), table
 * Port) and in a policy's. Frames without a tag are VLAN 0 there and VLAN 1 in
 * a Linux bridge; here it is the latter for both, and a policy names no VLAN 1
 * (keys-bridge.c).
 *
 *   one VLAN, untagged              vlan_mode=access tag=N
 *   some, tagged                    vlan_mode=trunk trunks=N,M-O
 *   some, tagged; one untagged      vlan_mode=native-untagged tag=N trunks=..
 *   all, and untagged ones          nothing: as a port is that has just joined
 *
 * The same words are what a plan prints and what netd runs.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

/* As said of a port of which nothing is said. */
static const struct pol_vlan_range all_tagged = { 2, 4094 };

bool pol_ovs_all(const struct pol_port *p)
{
	return p->pvid == 1 && p->n_tagged == 1 &&
	       p->tagged[0].first == all_tagged.first &&
	       p->tagged[0].last == all_tagged.last;
}

void pol_ovs_set_all(struct pol_port *p)
{
	p->pvid = 1;
	p->n_tagged = 1;
	p->tagged[0] = all_tagged;
}

static void put_trunks(const struct pol_port *p, struct pen *pen)
{
	pen_put(pen, "trunks=");
	for (unsigned i = 0; i < p->n_tagged; i++) {
		const struct pol_vlan_range *t = &p->tagged[i];

		pen_put(pen, "%s%u", i ? "," : "", t->first);
		if (t->last != t->first)
			pen_put(pen, "-%u", t->last);
	}
}

void pol_ovs_words(const struct pol_port *p, struct pol_ovs_words *ret)
{
	const size_t size = sizeof(ret->word[0]);
	const char *mode = !p->n_tagged ? "access"
	                   : p->pvid    ? "native-untagged"
	                                : "trunk";
	unsigned tag = p->pvid == 1 ? 0 : p->pvid;

	ret->n = 0;
	if (pol_ovs_all(p))
		return;
	snprintf(ret->word[ret->n++], size, "vlan_mode=%s", mode);
	if (p->pvid)
		snprintf(ret->word[ret->n++], size, "tag=%u", tag);
	if (p->n_tagged) {
		struct pen pen = { .buf = ret->word[ret->n++], .size = size };

		put_trunks(p, &pen);
	}
}

/* ---- the bridge ---------------------------------------------------------- */

const char *pol_ovs_datapath_name(enum pol_ovs_datapath d)
{
	return d == POL_OVS_NETDEV ? "netdev" : "system";
}

void ovs_bridge_text(const struct pol_overlay *o, bool gone, struct pen *pen)
{
	pen_put(pen, "%s Open vSwitch bridge %s", gone ? "remove" : "make",
	        o->bridge);
	if (!gone && o->datapath)
		pen_put(pen, ", datapath %s",
		        pol_ovs_datapath_name(o->datapath));
}

/* The mark is by what netd knows it again. */
void ovs_bridge_command(const struct pol_overlay *o, bool gone, struct pen *pen)
{
	if (gone) {
		pen_put(pen, "ovs-vsctl --if-exists del-br %s", o->bridge);
		return;
	}
	pen_put(pen,
	        "ovs-vsctl --may-exist add-br %s -- set bridge %s "
	        "datapath_type=%s external_ids:" POL_OVS_MARK,
	        o->bridge, o->bridge, pol_ovs_datapath_name(o->datapath));
}
