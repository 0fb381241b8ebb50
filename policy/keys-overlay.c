/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * networks: bridge and overlay. An overlay is a bridge and a VXLAN interface in
 * it (RFC 7348), which netd makes; the taps of the network's nics are put into
 * that bridge. Whom to send what the bridge floods is said by `remote`, one by
 * one, or by a multicast `group`; with neither, and `learning: false`, somebody
 * else says it: FRR, with EVPN.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

static READER(read_local)
{
	struct pol_overlay *o = obj;

	scalar_ip(r, k, v, false, &o->local);
}

static READER(read_group)
{
	struct pol_overlay *o = obj;

	scalar_ip(r, k, v, true, &o->group);
}

static READER(read_remote)
{
	static const struct ips form = {
		.form = "`remote: [192.0.2.2]`",
		.many = "one of at most 16; beyond, use a 'group'",
		.max = POL_REMOTES_MAX,
	};
	struct pol_overlay *o = obj;

	read_ips(r, k, v, &form, o->remote, &o->n_remotes);
}

/* ---- overlay ------------------------------------------------------------- */

static READER(read_type)
{
	static const struct word word[] = { { .text = "vxlan", .value = 0 } };
	static const struct words words = { word, ARRAY_SIZE(word) };
	unsigned value;

	(void)obj;
	(void)scalar_word(r, k, v, &words, &value);
}

static READER(read_learning)
{
	struct pol_overlay *o = obj;
	struct pol_bool b = { POL_ABSENT, false };
	const struct key whole = { .name = k->name };

	read_bool(r, &whole, v, &b);
	if (b.given == POL_GIVEN)
		o->learning = b.v;
}

static READER(read_port)
{
	static const struct range range = { 1, 65535 };
	struct pol_overlay *o = obj;
	uint32_t port;

	if (scalar_u32(r, k, v, &range, &port))
		o->port = (uint16_t)port;
}

static READER(read_u32_of)
{
	scalar_u32(r, k, v, k->arg, field(k, obj));
}

static void refuse(struct read *r, struct pol_pos pos, const char *what,
                   const char *why, const char *mend)
{
	struct diag *d =
		pol_err(r->errs, pos, FL_POL_OVERLAY, "overlay: %s", what);

	diag_why(d, "%s", why);
	diag_mend(d, "%s", mend);
}

static bool families_differ(const struct pol_overlay *o)
{
	bool differ = o->group.family && o->group.family != o->local.family;

	for (size_t i = 0; i < o->n_remotes; i++)
		differ |= o->remote[i].family != o->local.family;
	return differ;
}

static void overlay_done(struct read *r, const struct node *map, void *obj)
{
	struct pol_overlay *o = obj;
	const struct node *group = node_get(map, "group");
	const struct node *remote = node_get(map, "remote");

	snprintf(o->dev, sizeof(o->dev), "vx%u", o->id);
	if (!o->id || !o->local.family)
		return; /* said */
	if (families_differ(o))
		refuse(r, map->pos, "addresses of IPv4 and IPv6",
		       "one tunnel has one of the two",
		       "write all of one family");
	if (group && remote)
		refuse(r, group->key->pos, "'group' and 'remote'",
		       "what is flooded would go there twice",
		       "remove one of the two");
	if (group && !*o->device)
		refuse(r, group->pos, "'group' without 'device'",
		       "the kernel must know where to join it",
		       "add `device: IFNAME`");
	if (!group && !remote && o->learning)
		refuse(r, map->pos, "it has nobody at the other end",
		       "neither 'remote' nor 'group' is given",
		       "add `remote: [ADDRESS]`; or `learning: false` where FRR "
		       "tells it (EVPN)");
}

static const struct range range_id = { 1, 0xffffff };
static const struct range range_mtu = { 68, 65535 };
// clang-format off
static const struct key overlay_keys[] = {
	{ .name = "type", .flags = KEY_REQUIRED, .read = read_type },
	{ .name = "id", .flags = KEY_REQUIRED, .read = read_u32_of,
	  .at = offsetof(struct pol_overlay, id), .arg = &range_id },
	{ .name = "local", .flags = KEY_REQUIRED, .read = read_local },
	{ .name = "remote", .read = read_remote },
	{ .name = "group", .read = read_group },
	{ .name = "device", .read = read_ifname,
	  .at = offsetof(struct pol_overlay, device) },
	{ .name = "port", .read = read_port },
	{ .name = "mtu", .read = read_u32_of,
	  .at = offsetof(struct pol_overlay, mtu), .arg = &range_mtu },
	{ .name = "learning", .read = read_learning },
};
static const struct table overlay_table = {
	.what = "overlay", .keys = overlay_keys, .n = ARRAY_SIZE(overlay_keys),
	.done = overlay_done,
};
// clang-format on

READER(read_overlay)
{
	struct pol_overlay *o = field(k, obj);

	o->pos = v->pos;
	o->port = 4789; /* RFC 7348 8 */
	o->learning = true;
	read_map(r, v, &overlay_table, o);
}

/* ---- of the network ------------------------------------------------------ */

void overlay_network_done(struct read *r, const struct node *map, void *obj)
{
	struct pol_network *n = obj;

	if (!n->overlay.id)
		return;
	copy_text(n->overlay.bridge, sizeof(n->overlay.bridge), n->bridge);
	n->overlay.vlan = n->set.vlan.id;
	if (!*n->bridge)
		refuse(r, n->overlay.pos, "the network has no 'bridge'",
		       "an overlay is a bridge that netd makes, and the tunnel "
		       "in it",
		       "add `bridge: NAME` beside it: a name that nothing has");
	if (n->set.vlan.id && n->set.vlan.proto == ETH_P_8021AD)
		refuse(r, node_get(map, "vlan")->key->pos,
		       "a VLAN of 802.1ad in it", "its bridge filters 802.1Q",
		       "write `protocol: 802.1q`");
}

static void check_twice(struct read *r, const struct pol_network *n)
{
	char why[160];

	for (const struct pol_network *o = r->policy->network; o < n; o++) {
		if (!o->overlay.id)
			continue;
		snprintf(why, sizeof(why), "network %s has it (%s)", o->name,
		         WHERE(r->policy, o->overlay.pos, n->overlay.pos));
		if (o->overlay.id == n->overlay.id)
			refuse(r, n->overlay.pos, "its 'id' is used twice", why,
			       "give it another; or use the one network for "
			       "both");
		else if (!strcmp(o->bridge, n->bridge))
			refuse(r, n->overlay.pos, "its bridge is used twice",
			       why,
			       "two tenants in one bridge are one tenant: "
			       "name another 'bridge'");
	}
}

/* What a VF sends shows on the host only in switchdev mode. */
static void check_vf(struct read *r, const struct pol_guest_nic *nic)
{
	const struct pol_bool *mode;
	char what[128];

	if (nic->pool == SIZE_MAX)
		return; /* said */
	mode = &r->policy->nic[nic->fn.nic].switchdev;
	if (mode->given == POL_GIVEN && mode->v)
		return;
	snprintf(what, sizeof(what), "nic %s is a VF of %s", nic->name,
	         r->policy->nic[nic->fn.nic].name);
	refuse(r, nic->pos, what,
	       "without switchdev its frames leave by its card: they pass no "
	       "bridge",
	       "give that `embedded-switch-mode: switchdev`; or write "
	       "`datapath: vhost`, or another network");
}

/* A nic of such a network is in its bridge. */
static void check_nic(struct read *r, const struct pol_guest_nic *nic)
{
	const struct pol_network *n = &r->policy->network[nic->network];
	const struct pol_tap *t = &nic->own;
	char what[128];

	if (t->backend == POL_BACKEND_NONE) {
		check_vf(r, nic);
		t = &nic->standby;
	}
	if (*t->bridge && strcmp(t->bridge, n->bridge) != 0) {
		snprintf(what, sizeof(what), "nic %s is in another bridge",
		         nic->name);
		refuse(r, t->pos, what, "its network is an overlay's",
		       "remove its 'bridge', or name another network");
	}
	if (n->overlay.mtu && nic->mtu > n->overlay.mtu) {
		snprintf(what, sizeof(what), "nic %s has a larger mtu, %u",
		         nic->name, nic->mtu);
		refuse(r, nic->pos, what, "the tunnel drops what does not fit",
		       "remove it: the nic gets the overlay's");
	}
}

void check_overlays(struct read *r)
{
	const struct pol_policy *p = r->policy;

	for (size_t i = 0; i < p->n_networks; i++)
		if (p->network[i].overlay.id)
			check_twice(r, &p->network[i]);
	for (size_t g = 0; g < p->n_guests; g++)
		for (size_t i = 0; i < p->guest[g].n_nics; i++) {
			size_t n = p->guest[g].nic[i].network;

			if (n < p->n_networks && p->network[n].overlay.id)
				check_nic(r, &p->guest[g].nic[i]);
		}
}
