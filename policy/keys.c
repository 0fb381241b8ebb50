/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of keys: the policy itself, nics, networks. The order of rows is
 * the order of reading: what is named comes before what names it.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

/* ---- nics ---------------------------------------------------------------- */

static READER(read_vf_count)
{
	struct pol_nic *nic = obj;

	nic->vf_count_pos = v->pos;
	read_u32(r, k, v, obj);
}

static READER(read_link)
{
	static const struct word word[] = { { .text = "up", .value = 1 },
		                            { .text = "down", .value = 0 } };
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_bool *f = field(k, obj);
	unsigned up;

	if (scalar_word(r, k, v, &words, &up))
		*f = (struct pol_bool){ POL_GIVEN, up };
}

static READER(read_nic_ifname)
{
	struct pol_nic *nic = obj;

	nic->ifname_pos = v->pos;
	read_altname(r, k, v, obj);
}

static READER(read_manage)
{
	static const struct word word[] = {
		{ .text = "full", .value = POL_MANAGE_FULL },
		{ .text = "adopt", .value = POL_MANAGE_ADOPT },
		{ .text = "functions-only", .value = POL_MANAGE_FUNCTIONS },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_nic *nic = obj;
	unsigned value;

	if (scalar_word(r, k, v, &words, &value))
		nic->manage = (enum pol_manage)value;
}

/* What is another's is not stated here. Of a function that another carves, no
 * key is ours but those that say which one it is. */
static void check_manage(struct read *r, const struct node *map,
                         const struct pol_nic *nic)
{
	static const char *const ours[] = { "name", "match", "ifname",
		                            "manage" };
	bool functions = nic->manage == POL_MANAGE_FUNCTIONS;

	if (nic->manage == POL_MANAGE_FULL)
		return;
	for (const struct node *v = map->first; v; v = v->next) {
		bool is_ours = !functions &&
		               strcmp(v->key->text, "virtual-function-count");

		for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
			is_ours |= !strcmp(v->key->text, ours[i]);
		if (is_ours)
			continue;
		struct diag *d = pol_err(
			r->errs, v->key->pos, FL_POL_CONFLICT,
			"nic %s: '%s' beside `manage: %s`", nic->name,
			v->key->text, functions ? "functions-only" : "adopt");
		diag_why(d, functions
		                    ? "another sets this function up; only the "
		                      "VFs of pools are fairlead's"
		                    : "how many VFs there are is another's to "
		                      "say");
		diag_mend(d, "remove it, or write `manage: full`");
	}
}

static void nic_done(struct read *r, const struct node *map, void *obj)
{
	const struct pol_nic *nic = obj;

	check_nic_switch(r, map, nic);
	check_manage(r, map, nic);
	check_address(r, nic->kind, nic->name, &nic->match);
}

CHECK_NAMED(pol_nic);
static const struct range range_vfs = { 0, POL_VFS_MAX };
static const struct range range_mtu = { POL_MTU_MIN, POL_MTU_MAX };
// clang-format off
static const struct key nic_keys[] = {
	{ .name = "name", .flags = KEY_REQUIRED, .read = read_name,
	  .at = offsetof(struct pol_nic, name) },
	{ .name = "match", .flags = KEY_REQUIRED, .read = read_match,
	  .arg = &table_match_nic, .at = offsetof(struct pol_nic, match) },
	{ .name = "virtual-function-count", .flags = KEY_NULL,
	  .read = read_vf_count, .arg = &range_vfs,
	  .at = offsetof(struct pol_nic, vf_count) },
	{ .name = "drivers-autoprobe", .flags = KEY_NULL, .read = read_bool,
	  .at = offsetof(struct pol_nic, autoprobe) },
	{ .name = "link", .read = read_link,
	  .at = offsetof(struct pol_nic, link_up) },
	{ .name = "mtu", .read = read_u32, .arg = &range_mtu,
	  .at = offsetof(struct pol_nic, mtu) },
	{ .name = "embedded-switch-mode", .flags = KEY_NULL,
	  .read = read_switch_mode },
	{ .name = "devlink-params", .flags = KEY_NULL, .read = read_list,
	  .arg = &list_params, .at = offsetof(struct pol_nic, param) },
	{ .name = "rate-groups", .flags = KEY_NULL, .read = read_rate_groups },
	{ .name = "bridge", .read = read_nic_bridge,
	  .at = offsetof(struct pol_nic, bridge) },
	{ .name = "ifname", .read = read_nic_ifname,
	  .at = offsetof(struct pol_nic, ifname) },
	{ .name = "manage", .read = read_manage,
	  .at = offsetof(struct pol_nic, manage) },
	{ .name = "msix-budget", .read = read_msix_budget },
};
static const struct table nic_table = {
	.what = "nic", .keys = nic_keys, .n = ARRAY_SIZE(nic_keys),
	.done = nic_done,
};
static const struct list nics = {
	.item = &nic_table, .size = sizeof(struct pol_nic),
	.count = offsetof(struct pol_policy, n_nics), .max = POL_NICS_MAX,
};
// clang-format on

/* ---- networks ------------------------------------------------------------ */

// clang-format off
static const struct list networks = {
	.item = &table_network, .size = sizeof(struct pol_network),
	.count = offsetof(struct pol_policy, n_networks),
	.max = POL_NETWORKS_MAX,
};

/* ---- the policy ---------------------------------------------------------- */

static const struct list pools = {
	.item = &table_pool, .size = sizeof(struct pol_pool),
	.count = offsetof(struct pol_policy, n_pools), .max = POL_POOLS_MAX,
};
static const struct list devices = {
	.item = &table_device, .size = sizeof(struct pol_device),
	.count = offsetof(struct pol_policy, n_devices),
	.max = POL_DEVICES_MAX,
};
static const struct list guests = {
	.item = &table_guest, .size = sizeof(struct pol_guest),
	.count = offsetof(struct pol_policy, n_guests), .max = POL_GUESTS_MAX,
	.init = guest_init,
};
// clang-format on

static READER(read_version)
{
	static const struct range range = { 1, 1 };
	struct pol_policy *p = obj;

	scalar_u32(r, k, v, &range, &p->version);
}

// clang-format off
static const struct key policy_keys[] = {
	{ .name = "version", .flags = KEY_REQUIRED, .read = read_version },
	{ .name = "host", .read = read_the_host,
	  .at = offsetof(struct pol_policy, host) },
	{ .name = "nics", .flags = KEY_NULL, .read = read_list, .arg = &nics,
	  .at = offsetof(struct pol_policy, nic) },
	{ .name = "networks", .flags = KEY_NULL, .read = read_list,
	  .arg = &networks, .at = offsetof(struct pol_policy, network) },
	{ .name = "pools", .flags = KEY_NULL, .read = read_list, .arg = &pools,
	  .at = offsetof(struct pol_policy, pool) },
	{ .name = "overrides", .flags = KEY_NULL, .read = read_list,
	  .arg = &list_overrides, .at = offsetof(struct pol_policy, override) },
	{ .name = "devices", .flags = KEY_NULL, .read = read_list,
	  .arg = &devices, .at = offsetof(struct pol_policy, device) },
	{ .name = "gpus", .flags = KEY_NULL, .read = read_list,
	  .arg = &list_gpus, .at = offsetof(struct pol_policy, gpu) },
	{ .name = "nvme", .flags = KEY_NULL, .read = read_list,
	  .arg = &list_nvmes, .at = offsetof(struct pol_policy, nvme) },
	{ .name = "guests", .flags = KEY_NULL, .read = read_list,
	  .arg = &guests, .at = offsetof(struct pol_policy, guest) },
};
// clang-format on
const struct table table_policy = {
	.what = "the policy",
	.keys = policy_keys,
	.n = ARRAY_SIZE(policy_keys),
};
