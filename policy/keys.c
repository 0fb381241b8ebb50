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

/* The statement that `nic` and one before it are the same device. */
static void nic_done(struct read *r, const struct node *map, void *obj)
{
	const struct pol_nic *nic = obj;
	char text[BDF_STRLEN];

	(void)map;
	for (const struct pol_nic *o = r->policy->nic; o < nic; o++) {
		if (!nic->match.by_pci || !o->match.by_pci ||
		    !bdf_equal(nic->match.pci, o->match.pci))
			continue;
		struct diag *d = pol_err(r->errs, nic->match.pos,
		                         FL_POL_CONFLICT, "two nics match %s",
		                         bdf_format(o->match.pci, text));
		diag_why(d, "the first is in line %u", o->match.pos.line);
		diag_mend(d, "put both into one nic");
		return;
	}
}

CHECK_NAMED(pol_nic);
static const struct range range_vfs = { 0, POL_VFS_MAX };
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
	{ .name = "ifname",               .flags = KEY_LATER },
	{ .name = "manage",               .flags = KEY_LATER },
	{ .name = "embedded-switch-mode", .flags = KEY_LATER },
	{ .name = "mtu",                  .flags = KEY_LATER },
	{ .name = "devlink-params",       .flags = KEY_LATER },
	{ .name = "rate-groups",          .flags = KEY_LATER },
	{ .name = "msix-budget",          .flags = KEY_LATER },
	{ .name = "bridge",               .flags = KEY_LATER },
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

static READER(read_vlan_id)
{
	static const struct range range = { 0, 4094 };
	struct pol_vlan *vlan = obj;
	uint32_t id;

	if (scalar_u32(r, k, v, &range, &id))
		vlan->id = (uint16_t)id;
}

static READER(read_vlan_qos)
{
	static const struct range range = { 0, 7 };
	struct pol_vlan *vlan = obj;
	uint32_t qos;

	if (scalar_u32(r, k, v, &range, &qos))
		vlan->qos = (uint8_t)qos;
}

static READER(read_vlan_protocol)
{
	static const struct word word[] = {
		{ .text = "802.1q", .value = ETH_P_8021Q },
		{ .text = "802.1ad", .value = ETH_P_8021AD },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_vlan *vlan = obj;
	unsigned proto;

	if (scalar_word(r, k, v, &words, &proto))
		vlan->proto = (uint16_t)proto;
}

/* Id 0 is "no VLAN" to the kernel, so it can carry no priority. */
static void vlan_done(struct read *r, const struct node *map, void *obj)
{
	const struct node *id = node_get(map, "id");
	struct pol_vlan *vlan = obj;
	struct diag *d;

	if (!vlan->proto)
		vlan->proto = ETH_P_8021Q;
	if (!id || id->kind != NODE_SCALAR || strcmp(id->text, "0") != 0 ||
	    !vlan->qos)
		return;
	d = pol_err(r->errs, node_get(map, "qos")->key->pos, FL_POL_CONFLICT,
	            "'qos' without a VLAN: id is 0");
	diag_mend(d, "remove 'qos', or give an id from 1 to 4094");
}

// clang-format off
static const struct key vlan_keys[] = {
	{ .name = "id",       .flags = KEY_REQUIRED, .read = read_vlan_id },
	{ .name = "qos",      .read = read_vlan_qos },
	{ .name = "protocol", .read = read_vlan_protocol },
	{ .name = "trunk",    .flags = KEY_LATER },
	{ .name = "native",   .flags = KEY_LATER },
};
static const struct table vlan_table = {
	.what = "vlan", .keys = vlan_keys, .n = ARRAY_SIZE(vlan_keys),
	.done = vlan_done,
};
// clang-format on

static READER(read_vlan)
{
	struct pol_vlan *vlan = field(k, obj);

	if (node_is_null(v)) {
		*vlan = (struct pol_vlan){ .given = POL_DEFAULT,
			                   .proto = ETH_P_8021Q };
		return;
	}
	vlan->given = POL_GIVEN;
	read_map(r, v, &vlan_table, vlan);
}

CHECK_NAMED(pol_network);
// clang-format off
static const struct key network_keys[] = {
	{ .name = "name", .flags = KEY_REQUIRED, .read = read_name,
	  .at = offsetof(struct pol_network, name) },
	{ .name = "vlan", .flags = KEY_NULL, .read = read_vlan,
	  .at = offsetof(struct pol_network, vlan) },
	{ .name = "spoof-check", .flags = KEY_NULL, .read = read_bool,
	  .at = offsetof(struct pol_network, spoof_check) },
	{ .name = "trust", .flags = KEY_NULL, .read = read_bool,
	  .at = offsetof(struct pol_network, trust) },
	{ .name = "link-state",  .flags = KEY_LATER },
	{ .name = "tx-rate",     .flags = KEY_LATER },
	{ .name = "query-rss",   .flags = KEY_LATER },
	{ .name = "unsupported", .flags = KEY_LATER },
	{ .name = "mtu",         .flags = KEY_LATER },
};
static const struct table network_table = {
	.what = "network", .keys = network_keys, .n = ARRAY_SIZE(network_keys),
};
static const struct list networks = {
	.item = &network_table, .size = sizeof(struct pol_network),
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
	{ .name = "nics", .flags = KEY_NULL, .read = read_list, .arg = &nics,
	  .at = offsetof(struct pol_policy, nic) },
	{ .name = "networks", .flags = KEY_NULL, .read = read_list,
	  .arg = &networks, .at = offsetof(struct pol_policy, network) },
	{ .name = "pools", .flags = KEY_NULL, .read = read_list, .arg = &pools,
	  .at = offsetof(struct pol_policy, pool) },
	{ .name = "devices", .flags = KEY_NULL, .read = read_list,
	  .arg = &devices, .at = offsetof(struct pol_policy, device) },
	{ .name = "guests", .flags = KEY_NULL, .read = read_list,
	  .arg = &guests, .at = offsetof(struct pol_policy, guest) },
	{ .name = "host",      .flags = KEY_LATER },
	{ .name = "overrides", .flags = KEY_LATER },
	{ .name = "gpus",      .flags = KEY_LATER },
	{ .name = "nvme",      .flags = KEY_LATER },
};
// clang-format on
const struct table table_policy = {
	.what = "the policy",
	.keys = policy_keys,
	.n = ARRAY_SIZE(policy_keys),
};
