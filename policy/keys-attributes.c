/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a VF may do on the wire: the keys that a network has and that
 * `overrides` have of one VF. One set of rows for both.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

/* ---- vlan ---------------------------------------------------------------- */

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
	check_trunk(r, map, vlan);
	if (!id || id->kind != NODE_SCALAR || strcmp(id->text, "0") != 0 ||
	    !vlan->qos)
		return;
	d = pol_err(r->errs, node_get(map, "qos")->key->pos, FL_POL_CONFLICT,
	            "'qos' without a VLAN: id is 0");
	diag_mend(d, "remove 'qos', or give an id from 1 to 4094");
}

// clang-format off
static const struct key vlan_keys[] = {
	{ .name = "id",       .read = read_vlan_id },
	{ .name = "qos",      .read = read_vlan_qos },
	{ .name = "protocol", .read = read_vlan_protocol },
	{ .name = "trunk",    .read = read_trunk },
	{ .name = "native",   .read = read_native },
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
	vlan->pos = v->pos;
	read_map(r, v, &vlan_table, vlan);
}

/* ---- link-state, tx-rate, unsupported, mtu ------------------------------- */

const char *pol_link_state_name(enum pol_link_state s)
{
	static const char *const name[] = {
		[POL_LINK_AUTO] = "auto",
		[POL_LINK_ENABLE] = "enable",
		[POL_LINK_DISABLE] = "disable",
	};

	_Static_assert(ARRAY_SIZE(name) == POL_LINK_MAX, "a name each");
	return (size_t)s < ARRAY_SIZE(name) ? name[s] : "unknown";
}

static READER(read_link_state)
{
	static const struct word word[] = {
		{ .text = "auto", .value = POL_LINK_AUTO },
		{ .text = "enable", .value = POL_LINK_ENABLE },
		{ .text = "disable", .value = POL_LINK_DISABLE },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_u32 *f = field(k, obj);
	unsigned value;

	if (node_is_null(v))
		*f = (struct pol_u32){ POL_DEFAULT, POL_LINK_AUTO };
	else if (scalar_word(r, k, v, &words, &value))
		*f = (struct pol_u32){ POL_GIVEN, value };
}

/* rtnetlink has whole Mbit/s (struct ifla_vf_rate), of an int to the driver;
 * mbit and gbit are decimal, as tc(8) has them. */
bool scalar_rate(struct read *r, const struct key *k, const struct node *v,
                 uint32_t *ret)
{
	static const char form[] = "a whole number of mbit or gbit, at most "
				   "2000gbit";
	char digits[12] = "";
	uint64_t n, unit = 0;
	size_t len;

	if (told_text(r, v, TOLD_TEXT, "^(0|[1-9][0-9]{0,6})[mg]bit$") ||
	    !want_plain(r, k, v, form))
		return false;
	len = strspn(v->text, "0123456789");
	if (!strcmp(v->text + len, "mbit"))
		unit = 1;
	else if (!strcmp(v->text + len, "gbit"))
		unit = 1000;
	if (len < sizeof(digits))
		memcpy(digits, v->text, len);
	if (!unit || !len || (len > 1 && digits[0] == '0') ||
	    parse_u64(digits, POL_RATE_MAX, &n) || n * unit > POL_RATE_MAX) {
		bad_value(r, k, v, form, "500mbit");
		return false;
	}
	*ret = (uint32_t)(n * unit);
	return true;
}

static READER(read_rate)
{
	(void)!scalar_rate(r, k, v, field(k, obj));
}

static void rate_done(struct read *r, const struct node *map, void *obj)
{
	const struct pol_rate *rate = obj;
	struct diag *d;

	if (!map->n) {
		d = pol_err(r->errs, map->pos, FL_POL_MISSING,
		            "tx-rate says nothing");
		diag_mend(d, "add 'max' or 'min'; no limit at all is "
		             "`tx-rate: null`");
	}
	if (!rate->max || rate->min <= rate->max)
		return;
	d = pol_err(r->errs, node_get(map, "min")->pos, FL_POL_CONFLICT,
	            "tx-rate: min is more than max");
	diag_why(d, "%u Mbit/s cannot be promised to who may have %u at most",
	         rate->min, rate->max);
	diag_mend(d, "lower 'min', or raise 'max'");
}

// clang-format off
static const struct key rate_keys[] = {
	{ .name = "min", .read = read_rate,
	  .at = offsetof(struct pol_rate, min) },
	{ .name = "max", .read = read_rate,
	  .at = offsetof(struct pol_rate, max) },
};
static const struct table rate_table = {
	.what = "tx-rate", .keys = rate_keys, .n = ARRAY_SIZE(rate_keys),
	.done = rate_done,
};
// clang-format on

static READER(read_tx_rate)
{
	struct pol_rate *rate = field(k, obj);

	if (node_is_null(v)) {
		*rate = (struct pol_rate){ .given = POL_DEFAULT };
		return;
	}
	rate->given = POL_GIVEN;
	read_map(r, v, &rate_table, rate);
}

static READER(read_unsupported)
{
	static const struct word word[] = {
		{ .text = "fail", .value = POL_UNSUPPORTED_FAIL },
		{ .text = "warn", .value = POL_UNSUPPORTED_WARN },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	enum pol_unsupported *f = field(k, obj);
	unsigned value;

	if (scalar_word(r, k, v, &words, &value))
		*f = (enum pol_unsupported)value;
}

static READER(read_attribute_mtu)
{
	static const struct range range = { POL_MTU_MIN, POL_MTU_MAX };
	struct pol_attributes *set = field(k, obj);

	set->mtu_pos = v->pos;
	if (scalar_u32(r, k, v, &range, &set->mtu.v))
		set->mtu.given = POL_GIVEN;
}

// clang-format off
#define ATTRIBUTE_KEYS(type)                                                   \
	{ .name = "vlan", .flags = KEY_NULL, .read = read_vlan,                \
	  .at = offsetof(struct type, set.vlan) },                             \
	{ .name = "spoof-check", .flags = KEY_NULL, .read = read_bool,         \
	  .at = offsetof(struct type, set.spoof_check) },                      \
	{ .name = "trust", .flags = KEY_NULL, .read = read_bool,               \
	  .at = offsetof(struct type, set.trust) },                            \
	{ .name = "link-state", .flags = KEY_NULL, .read = read_link_state,    \
	  .at = offsetof(struct type, set.link_state) },                       \
	{ .name = "tx-rate", .flags = KEY_NULL, .read = read_tx_rate,          \
	  .at = offsetof(struct type, set.rate) },                             \
	{ .name = "query-rss", .flags = KEY_NULL, .read = read_bool,           \
	  .at = offsetof(struct type, set.query_rss) },                        \
	{ .name = "mtu", .read = read_attribute_mtu,                           \
	  .at = offsetof(struct type, set) },                                  \
	{ .name = "unsupported", .read = read_unsupported,                     \
	  .at = offsetof(struct type, set.unsupported) }

/* ---- networks ------------------------------------------------------------ */

CHECK_NAMED(pol_network);
static const struct key network_keys[] = {
	{ .name = "name", .flags = KEY_REQUIRED, .read = read_name,
	  .at = offsetof(struct pol_network, name) },
	{ .name = "bridge", .read = read_ifname,
	  .at = offsetof(struct pol_network, bridge) },
	ATTRIBUTE_KEYS(pol_network),
	{ .name = "overlay", .read = read_overlay,
	  .at = offsetof(struct pol_network, overlay) },
};
const struct table table_network = {
	.what = "network", .keys = network_keys, .n = ARRAY_SIZE(network_keys),
	.done = overlay_network_done,
};
// clang-format on

/* ---- overrides ----------------------------------------------------------- */

static READER(read_override_nic)
{
	const struct pol_policy *p = r->policy;
	struct pol_override *o = obj;

	o->nic = find_named(r, k, k->name, v, p->nic, sizeof(*p->nic),
	                    p->n_nics);
	if (o->nic != SIZE_MAX)
		memcpy(o->name, p->nic[o->nic].name, sizeof(o->name));
}

static READER(read_override_id)
{
	static const struct range range = { 0, POL_VFS_MAX - 1 };
	struct pol_override_vf *vf = obj;

	vf->pos = v->pos;
	scalar_u32(r, k, v, &range, &vf->id);
}

static void override_beyond(struct read *r, const struct pol_nic *nic,
                            const struct pol_override_vf *vf)
{
	struct diag *d;

	if (nic->vf_count.given == POL_ABSENT || vf->id < nic->vf_count.v)
		return;
	d = pol_err(r->errs, vf->pos, FL_POL_RANGE,
	            "overrides: %s has no VF %u", nic->name, vf->id);
	diag_why(d, "its virtual-function-count is %u (%s)", nic->vf_count.v,
	         WHERE(r->policy, nic->vf_count_pos, vf->pos));
	diag_mend(d, "raise the count, or take a VF below it");
}

static void override_done(struct read *r, const struct node *map, void *obj)
{
	const struct pol_override *o = obj;
	struct diag *d;

	(void)map;
	for (size_t i = 0; i < o->n_vfs; i++) {
		if (o->nic != SIZE_MAX)
			override_beyond(r, &r->policy->nic[o->nic], &o->vf[i]);
		for (size_t j = 0; j < i; j++) {
			if (o->vf[j].id != o->vf[i].id)
				continue;
			d = pol_err(r->errs, o->vf[i].pos, FL_POL_DUPLICATE,
			            "overrides: VF %u of %s is given twice",
			            o->vf[i].id,
			            *o->name ? o->name : "the nic");
			diag_why(d, "the first is in line %u",
			         o->vf[j].pos.line);
			diag_mend(d, "put both into one");
			break;
		}
	}
}

static void override_init(void *item)
{
	((struct pol_override *)item)->nic = SIZE_MAX;
}

CHECK_NAMED(pol_override);
CHECK_NAMED(pol_override_vf);
// clang-format off
static const struct key override_vf_keys[] = {
	{ .name = "id", .flags = KEY_REQUIRED, .read = read_override_id },
	{ .name = "mac-address", .flags = KEY_NULL, .read = read_mac,
	  .at = offsetof(struct pol_override_vf, mac) },
	ATTRIBUTE_KEYS(pol_override_vf),
	{ .name = "msix-vectors", .read = read_vf_msix },
	{ .name = "rate-group", .flags = KEY_NULL, .read = read_vf_group },
};
static const struct table override_vf_table = {
	.what = "override", .keys = override_vf_keys,
	.n = ARRAY_SIZE(override_vf_keys),
};
static const struct list vfs_of_override = {
	.item = &override_vf_table, .size = sizeof(struct pol_override_vf),
	.count = offsetof(struct pol_override, n_vfs), .max = POL_VFS_MAX,
};
static const struct key override_keys[] = {
	{ .name = "nic", .flags = KEY_REQUIRED, .read = read_override_nic },
	{ .name = "vfs", .flags = KEY_REQUIRED, .read = read_list,
	  .arg = &vfs_of_override, .at = offsetof(struct pol_override, vf) },
};
static const struct table override_table = {
	.what = "overrides", .keys = override_keys,
	.n = ARRAY_SIZE(override_keys), .done = override_done,
};
const struct list list_overrides = {
	.item = &override_table, .size = sizeof(struct pol_override),
	.count = offsetof(struct pol_policy, n_overrides), .max = POL_NICS_MAX,
	.init = override_init, .name = "nic",
};
// clang-format on
