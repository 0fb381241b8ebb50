/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The switch in a physical function: its mode, what devlink has of parameters
 * and rate groups, the bridge of its interfaces; and what needs that switch:
 * trunks, and VLANs that are a bridge's.
 *
 * In legacy mode a VF's VLAN is the driver's (rtnetlink), in switchdev mode the
 * bridge's that has its representor. So what a network says is the same, and
 * where it goes follows from the nic.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

#define MBIT 125000u /* bytes a second */

/* ---- mode ---------------------------------------------------------------- */

READER(read_switch_mode)
{
	static const struct word word[] = {
		{ .text = "legacy", .value = 0 },
		{ .text = "switchdev", .value = 1 },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_nic *nic = obj;
	unsigned value;

	nic->switchdev_pos = v->pos;
	if (node_is_null(v))
		nic->switchdev.given = POL_DEFAULT;
	else if (scalar_word(r, k, v, &words, &value))
		nic->switchdev = (struct pol_bool){ POL_GIVEN, value };
}

/* ---- devlink-params ------------------------------------------------------ */

/* Words and numbers. What means something to a shell is in no driver's value,
 * and the plan's commands are to be typed. */
#define PARAM_CHARS                                                            \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"       \
	"_.,:+/@%=-"

static READER(read_param_value)
{
	struct pol_param *p = obj;
	bool ok = v->len && v->len < POL_PARAM_VALUE;

	if (told_text(r, v, TOLD_LOOSE, "^[A-Za-z0-9_.,:+/@%=-]{1,32}$") ||
	    !want_scalar(r, k, v))
		return;
	ok = ok && strspn(v->text, PARAM_CHARS) == v->len;
	if (ok)
		memcpy(p->value, v->text, v->len + 1);
	else
		bad_value(r, k, v,
		          "as `devlink dev param show` prints it, at most 32 "
		          "characters",
		          "smfs");
}

static READER(read_cmode)
{
	static const struct word word[] = {
		{ .text = "runtime", .value = 0 },
		{ .text = "driverinit", .value = 1 },
		{ .text = "permanent", .value = 2 },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_param *p = obj;
	unsigned value;

	if (!scalar_word(r, k, v, &words, &value))
		return;
	if (value == 2)
		diag_mend(refused_value(
				  r, k, v,
				  "the device keeps it over a restart, after "
				  "which nobody knows what it was before"),
		          "set it by `devlink dev param set` once, by hand");
	p->init = value;
}

CHECK_NAMED(pol_param);
// clang-format off
static const struct key param_keys[] = {
	{ .name = "name", .flags = KEY_REQUIRED, .read = read_name,
	  .at = offsetof(struct pol_param, name) },
	{ .name = "value", .flags = KEY_REQUIRED, .read = read_param_value },
	{ .name = "cmode", .read = read_cmode },
};
static const struct table param_table = {
	.what = "devlink parameter", .keys = param_keys,
	.n = ARRAY_SIZE(param_keys),
};
const struct list list_params = {
	.item = &param_table, .size = sizeof(struct pol_param),
	.count = offsetof(struct pol_nic, n_params), .max = POL_PARAMS_MAX,
};
// clang-format on

/* ---- rate-groups --------------------------------------------------------- */

static READER(read_share)
{
	struct pol_group *g = obj;
	uint32_t mbit;

	if (!scalar_rate(r, k, v, &mbit))
		return;
	g->set |= POL_GROUP_SHARE;
	g->share = (uint64_t)mbit * MBIT;
}

static READER(read_max)
{
	struct pol_group *g = obj;
	uint32_t mbit;

	if (!scalar_rate(r, k, v, &mbit))
		return;
	g->set |= POL_GROUP_MAX;
	g->max = (uint64_t)mbit * MBIT;
}

static READER(read_group_priority)
{
	static const struct range range = { 0, 65535 };
	struct pol_group *g = obj;

	if (scalar_u32(r, k, v, &range, &g->priority))
		g->set |= POL_GROUP_PRIORITY;
}

static READER(read_weight)
{
	static const struct range range = { 0, 65535 };
	struct pol_group *g = obj;

	if (scalar_u32(r, k, v, &range, &g->weight))
		g->set |= POL_GROUP_WEIGHT;
}

static void group_done(struct read *r, const struct node *map, void *obj)
{
	const struct pol_group *g = obj;
	struct diag *d;

	if (!g->max || g->share <= g->max)
		return;
	d = pol_err(r->errs, node_get(map, "tx-share")->pos, FL_POL_CONFLICT,
	            "rate group: tx-share is more than tx-max");
	diag_mend(d, "lower 'tx-share', or raise 'tx-max'");
}

CHECK_NAMED(pol_group);
// clang-format off
static const struct key group_keys[] = {
	{ .name = "name", .flags = KEY_REQUIRED, .read = read_name,
	  .at = offsetof(struct pol_group, name) },
	{ .name = "tx-share", .read = read_share },
	{ .name = "tx-max", .read = read_max },
	{ .name = "tx-priority", .read = read_group_priority },
	{ .name = "tx-weight", .read = read_weight },
};
static const struct table group_table = {
	.what = "rate group", .keys = group_keys, .n = ARRAY_SIZE(group_keys),
	.done = group_done,
};
static const struct list groups = {
	.item = &group_table, .size = sizeof(struct pol_group),
	.count = offsetof(struct pol_nic, n_rates), .max = POL_GROUPS_MAX,
};
// clang-format on

READER(read_rate_groups)
{
	struct key list = *k;
	struct pol_nic *nic = obj;

	nic->rates_given = true;
	list.arg = &groups;
	list.at = offsetof(struct pol_nic, rates);
	read_list(r, &list, v, obj);
}

static bool is_switchdev(const struct pol_nic *nic)
{
	return nic->switchdev.given == POL_GIVEN && nic->switchdev.v;
}

static void needs_switchdev(struct read *r, const struct node *map,
                            const char *key, const char *why)
{
	struct diag *d =
		pol_err(r->errs, node_get(map, key)->key->pos, FL_POL_SWITCHDEV,
	                "nic: '%s' without switchdev", key);

	diag_why(d, "%s", why);
	diag_mend(d, "add `embedded-switch-mode: switchdev`, or remove '%s'",
	          key);
}

void check_nic_switch(struct read *r, const struct node *map,
                      const struct pol_nic *nic)
{
	if (is_switchdev(nic))
		return;
	if (nic->n_rates)
		needs_switchdev(r, map, "rate-groups",
		                "groups of VFs are an object of the switch "
		                "that only that mode shows");
	if (node_get(map, "bridge"))
		needs_switchdev(r, map, "bridge",
		                "a legacy switch shows no interface for a VF "
		                "that could be put into a bridge");
}

/* ---- trunks -------------------------------------------------------------- */

/* "10" or "20-29". */
static bool parse_vlans(const char *s, struct pol_vlan_range *ret)
{
	char first[8] = "";
	const char *dash = strchr(s, '-');
	size_t n = dash ? (size_t)(dash - s) : strlen(s);
	uint64_t a, b;

	if (!n || n >= sizeof(first))
		return false;
	memcpy(first, s, n);
	if (parse_u64(first, 4094, &a) || !a)
		return false;
	b = a;
	if (dash && (parse_u64(dash + 1, 4094, &b) || b < a))
		return false;
	*ret = (struct pol_vlan_range){ (uint16_t)a, (uint16_t)b };
	return true;
}

static bool add_vlans(struct pol_vlan *vlan, const char *text)
{
	struct pol_vlan_range *t = vlan->trunk, new;
	unsigned n = vlan->n_trunk;

	if (n == POL_VLAN_RANGES_MAX || !parse_vlans(text, &new) ||
	    (n && new.first <= t[n - 1].last))
		return false;
	if (n && new.first == t[n - 1].last + 1)
		t[n - 1].last = new.last;
	else
		t[vlan->n_trunk++] = new;
	return true;
}

READER(read_trunk)
{
	static const char form[] = "VLANs from 1 to 4094 and ranges of them, "
				   "ascending, at most 16";
	struct pol_vlan *vlan = obj;

	if (v->kind != NODE_LIST || !v->n) {
		diag_mend(pol_err(r->errs, v->pos, FL_POL_TYPE,
		                  "'trunk' must be a list"),
		          "write `trunk: [10, 20-29]`");
		return;
	}
	for (const struct node *c = v->first; c; c = c->next) {
		if (told_text(r, c, TOLD_LOOSE, "^[0-9]+(-[0-9]+)?$") ||
		    !want_plain(r, k, c, form))
			return;
		if (!add_vlans(vlan, c->text)) {
			bad_value(r, k, c, form, "20-29");
			return;
		}
	}
}

READER(read_native)
{
	static const struct range range = { 1, 4094 };
	struct pol_vlan *vlan = obj;
	uint32_t id;

	if (scalar_u32(r, k, v, &range, &id))
		vlan->native = (uint16_t)id;
}

static bool in_trunk(const struct pol_vlan *vlan, unsigned id)
{
	for (unsigned i = 0; i < vlan->n_trunk; i++)
		if (id >= vlan->trunk[i].first && id <= vlan->trunk[i].last)
			return true;
	return false;
}

static void trunk_with(struct read *r, const struct node *map, const char *key)
{
	const struct node *v = node_get(map, key);
	struct diag *d;

	if (!v)
		return;
	d = pol_err(r->errs, v->key->pos, FL_POL_CONFLICT,
	            "vlan: '%s' beside 'trunk'", key);
	diag_why(d, "the guest tags its frames itself");
	diag_mend(d, "remove one of the two");
}

void check_trunk(struct read *r, const struct node *map,
                 const struct pol_vlan *vlan)
{
	const struct node *trunk = node_get(map, "trunk");
	const struct node *native = node_get(map, "native");
	struct diag *d;

	if (!trunk && !node_get(map, "id")) {
		d = pol_err(r->errs, map->pos, FL_POL_MISSING,
		            "vlan needs 'id' or 'trunk'");
		diag_mend(d, "add `id: N`; or `trunk: [10, 20-29]` for a guest "
		             "that tags its frames itself");
	}
	if (trunk) {
		trunk_with(r, map, "id");
		trunk_with(r, map, "qos");
		trunk_with(r, map, "protocol");
	}
	if (!native || (vlan->n_trunk && in_trunk(vlan, vlan->native)))
		return;
	d = pol_err(r->errs, native->key->pos, FL_POL_CONFLICT,
	            "vlan: 'native' is not of the trunk");
	diag_why(d, "it says which VLAN of the trunk goes untagged");
	diag_mend(d, "add it to 'trunk', or remove it");
}

/* ---- VLANs and the nics that carry them ---------------------------------- */

static void vlan_in_switchdev(struct read *r, const struct pol_nic *nic,
                              const struct pol_vlan *vlan, bool overlay)
{
	struct diag *d;

	if (!overlay && !*nic->bridge.name) {
		d = pol_err(r->errs, vlan->pos, FL_POL_SWITCHDEV,
		            "a VLAN on a VF of nic %s, which has no bridge",
		            nic->name);
		diag_why(d, "in switchdev mode a VLAN is that of the bridge "
		            "which the VF's representor is in");
		diag_mend(d,
		          "add `bridge: { type: linux, name: NAME }` to "
		          "nic %s (%s)",
		          nic->name, WHERE(r->policy, nic->pos, vlan->pos));
	} else if (vlan->qos || vlan->proto == ETH_P_8021AD) {
		d = pol_err(r->errs, vlan->pos, FL_POL_SWITCHDEV,
		            "%s on a VF of nic %s, which is in switchdev mode",
		            vlan->qos ? "a VLAN's qos" : "protocol 802.1ad",
		            nic->name);
		diag_why(d, "a port of a bridge has a VLAN's id and no more");
		diag_mend(d, "leave it out");
	} else if (!overlay && nic->bridge.ovs) {
		check_ovs_vlan(r, nic, vlan);
	}
}

/* `overlay`: its representor is in that one's bridge, whatever its nic says. */
static void check_vlan(struct read *r, const struct pol_nic *nic,
                       const struct pol_vlan *vlan, bool overlay)
{
	struct diag *d;

	if (vlan->given != POL_GIVEN)
		return;
	if (is_switchdev(nic) && (vlan->id || vlan->n_trunk)) {
		vlan_in_switchdev(r, nic, vlan, overlay);
	} else if (!is_switchdev(nic) && vlan->n_trunk) {
		d = pol_err(r->errs, vlan->pos, FL_POL_SWITCHDEV,
		            "a trunk on a VF of nic %s, which is not in "
		            "switchdev mode",
		            nic->name);
		diag_why(d, "a VF of a legacy switch has one tag or none");
		diag_mend(d,
		          "write `vlan: { id: N }`; or give nic %s "
		          "`embedded-switch-mode: switchdev` and a bridge",
		          nic->name);
	}
}

static bool has_group(const struct pol_nic *nic, const char *name)
{
	for (size_t i = 0; i < nic->n_rates; i++)
		if (!strcmp(nic->rates[i].name, name))
			return true;
	return false;
}

static void check_group(struct read *r, const struct pol_nic *nic,
                        const struct pol_override_vf *vf)
{
	struct diag *d;

	if (vf->group_given != POL_GIVEN || has_group(nic, vf->group))
		return;
	d = pol_err(r->errs, vf->pos, FL_POL_REFERENCE,
	            "VF %u of %s is to be in rate group %s, which that nic has "
	            "not",
	            vf->id, nic->name, vf->group);
	diag_mend(d, "add it to the nic's `rate-groups` (%s)",
	          WHERE(r->policy, nic->pos, vf->pos));
}

/* An interface that the VMM itself is has one VLAN of a bridge, at most. */
static void check_tap(struct read *r, const struct pol_guest_nic *n)
{
	const struct pol_vlan *vlan = &r->policy->network[n->network].set.vlan;
	struct diag *d;

	if (!vlan->n_trunk)
		return;
	d = pol_err(r->errs, n->pos, FL_POL_SWITCHDEV,
	            "nic %s is emulated, or has a standby, on a trunk",
	            n->name);
	diag_why(d, "fairlead puts a tap into one VLAN, or none");
	diag_mend(d, "take a network with `vlan: { id: N }`");
}

void check_switches(struct read *r)
{
	const struct pol_policy *p = r->policy;

	for (size_t g = 0; g < p->n_guests; g++)
		for (size_t i = 0; i < p->guest[g].n_nics; i++) {
			const struct pol_guest_nic *n = &p->guest[g].nic[i];
			struct pol_attributes set;

			pol_guest_nic_set(p, n, &set);
			if (n->pool != SIZE_MAX)
				check_vlan(r, &p->nic[n->fn.nic], &set.vlan,
				           n->network < p->n_networks &&
				                   p->network[n->network]
				                           .overlay.id);
			if (n->network != SIZE_MAX &&
			    (n->own.backend || n->standby.backend))
				check_tap(r, n);
		}
	for (size_t i = 0; i < p->n_overrides; i++) {
		const struct pol_nic *nic = &p->nic[p->override[i].nic];

		for (size_t k = 0; k < p->override[i].n_vfs; k++) {
			check_vlan(r, nic, &p->override[i].vf[k].set.vlan,
			           false);
			check_group(r, nic, &p->override[i].vf[k]);
		}
	}
}

/* ---- an override's rate group -------------------------------------------- */

READER(read_vf_group)
{
	struct pol_override_vf *vf = obj;

	if (node_is_null(v))
		vf->group_given = POL_DEFAULT;
	else if (scalar_name(r, k, v, vf->group))
		vf->group_given = POL_GIVEN;
}
