/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devlink's answers, one message each. An attribute that is missing or too
 * short was not said; a text that is too long is no text of ours.
 */

#include <linux/devlink.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <string.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "netd/devlink.h"

#define STATE_ERROR 1 /* devlink-health.rst; no header has it */

/* ---- attributes ---------------------------------------------------------- */

typedef struct nlattr *attrs[DEVLINK_ATTR_MAX + 1];

static bool get_u8(struct nlattr *a, uint8_t *ret)
{
	if (!a || nla_len(a) < (int)sizeof(*ret))
		return false;
	*ret = nla_get_u8(a);
	return true;
}

static bool get_u16(struct nlattr *a, uint16_t *ret)
{
	if (!a || nla_len(a) < (int)sizeof(*ret))
		return false;
	*ret = nla_get_u16(a);
	return true;
}

static bool get_u32(struct nlattr *a, uint32_t *ret)
{
	if (!a || nla_len(a) < (int)sizeof(*ret))
		return false;
	*ret = nla_get_u32(a);
	return true;
}

static bool get_u64(struct nlattr *a, uint64_t *ret)
{
	if (!a || nla_len(a) < (int)sizeof(*ret))
		return false;
	*ret = nla_get_u64(a);
	return true;
}

static bool get_text(struct nlattr *a, char *ret, size_t size)
{
	size_t len = a ? strnlen(nla_data(a), (size_t)nla_len(a)) : 0;

	if (!a || len >= size)
		return false;
	memcpy(ret, nla_data(a), len);
	ret[len] = '\0';
	return true;
}

/* The message's attributes and the instance that it is of. */
static int parse(const struct nlmsghdr *h, attrs at, struct devlink_handle *ret)
{
	const size_t head = NLMSG_HDRLEN + GENL_HDRLEN;
	char *data;

	if (h->nlmsg_len < head)
		return -EBADMSG;
	data = (char *)(uintptr_t)h + head;
	if (nla_parse(at, DEVLINK_ATTR_MAX, (struct nlattr *)(void *)data,
	              (int)(h->nlmsg_len - head), NULL) < 0 ||
	    !get_text(at[DEVLINK_ATTR_BUS_NAME], ret->bus, sizeof(ret->bus)) ||
	    !get_text(at[DEVLINK_ATTR_DEV_NAME], ret->dev, sizeof(ret->dev)))
		return -EBADMSG;
	return 0;
}

/* ---- messages ------------------------------------------------------------ */

static void decode_function(struct nlattr *fn, struct devlink_port *p)
{
	struct nlattr *a = fn ? nla_find(nla_data(fn), nla_len(fn),
	                                 DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR)
	                      : NULL;

	if (!a || nla_len(a) != (int)sizeof(p->mac))
		return;
	memcpy(p->mac, nla_data(a), sizeof(p->mac));
	p->has_mac = true;
}

int devlink_decode_port(const struct nlmsghdr *h, struct devlink_port *ret)
{
	struct devlink_port p = { .flavour = -1 };
	uint16_t flavour;
	uint8_t external = 0;
	attrs at;
	int r = parse(h, at, &p.h);

	if (r || !get_u32(at[DEVLINK_ATTR_PORT_INDEX], &p.index))
		return -EBADMSG;
	if (get_u16(at[DEVLINK_ATTR_PORT_FLAVOUR], &flavour))
		p.flavour = flavour;
	get_u32(at[DEVLINK_ATTR_PORT_NETDEV_IFINDEX], &p.ifindex);
	/* Without its number it is the port of no VF that we know. */
	if (!get_u16(at[DEVLINK_ATTR_PORT_PCI_PF_NUMBER], &p.pf) ||
	    !get_u16(at[DEVLINK_ATTR_PORT_PCI_VF_NUMBER], &p.vf))
		p.flavour = p.flavour == DEVLINK_PORT_FLAVOUR_PCI_VF
		                    ? -1
		                    : p.flavour;
	get_u8(at[DEVLINK_ATTR_PORT_EXTERNAL], &external);
	p.external = external;
	decode_function(at[DEVLINK_ATTR_PORT_FUNCTION], &p);
	*ret = p;
	return 0;
}

int devlink_decode_rate(const struct nlmsghdr *h, struct devlink_rate *ret)
{
	struct devlink_rate v = { .port = 0 };
	uint16_t type;
	attrs at;
	int r = parse(h, at, &v.h);

	if (r || !get_u16(at[DEVLINK_ATTR_RATE_TYPE], &type))
		return -EBADMSG;
	v.node = type == DEVLINK_RATE_TYPE_NODE;
	if (v.node)
		v.strange |= !get_text(at[DEVLINK_ATTR_RATE_NODE_NAME],
		                       v.group.name, sizeof(v.group.name));
	else if (!get_u32(at[DEVLINK_ATTR_PORT_INDEX], &v.port))
		return -EBADMSG;
	if (at[DEVLINK_ATTR_RATE_PARENT_NODE_NAME])
		v.strange |= !get_text(at[DEVLINK_ATTR_RATE_PARENT_NODE_NAME],
		                       v.parent, sizeof(v.parent));
	v.group.set = POL_GROUP_ALL;
	get_u64(at[DEVLINK_ATTR_RATE_TX_SHARE], &v.group.share);
	get_u64(at[DEVLINK_ATTR_RATE_TX_MAX], &v.group.max);
	get_u32(at[DEVLINK_ATTR_RATE_TX_PRIORITY], &v.group.priority);
	get_u32(at[DEVLINK_ATTR_RATE_TX_WEIGHT], &v.group.weight);
	*ret = v;
	return 0;
}

int devlink_decode_eswitch(const struct nlmsghdr *h,
                           struct devlink_eswitch *ret)
{
	struct devlink_eswitch e = { 0 };
	struct devlink_handle handle;
	attrs at;
	int r = parse(h, at, &handle);

	if (r)
		return r;
	e.has_mode = get_u16(at[DEVLINK_ATTR_ESWITCH_MODE], &e.mode);
	e.has_inline =
		get_u8(at[DEVLINK_ATTR_ESWITCH_INLINE_MODE], &e.inline_mode);
	e.has_encap = get_u8(at[DEVLINK_ATTR_ESWITCH_ENCAP_MODE], &e.encap);
	*ret = e;
	return 0;
}

/* Of a boolean that is false there is no data at all. */
static bool value_text(uint8_t type, struct nlattr *data, char *buf,
                       size_t size)
{
	uint32_t v = 0;
	uint16_t v16 = 0;
	uint8_t v8 = 0;

	switch (type) {
	case NLA_FLAG:
		snprintf(buf, size, "%s", data ? "true" : "false");
		return true;
	case NLA_STRING:
		return get_text(data, buf, size);
	case NLA_U8:
		if (!get_u8(data, &v8))
			return false;
		v = v8;
		break;
	case NLA_U16:
		if (!get_u16(data, &v16))
			return false;
		v = v16;
		break;
	case NLA_U32:
		if (!get_u32(data, &v))
			return false;
		break;
	default:
		return false;
	}
	snprintf(buf, size, "%u", v);
	return true;
}

static void decode_value(struct nlattr *value, struct devlink_param *p)
{
	attrs at;
	uint8_t cmode;

	if (nla_parse(at, DEVLINK_ATTR_MAX, nla_data(value), nla_len(value),
	              NULL) < 0 ||
	    !get_u8(at[DEVLINK_ATTR_PARAM_VALUE_CMODE], &cmode) ||
	    cmode >= DEVLINK_CMODES)
		return;
	p->value[cmode].has =
		value_text(p->type, at[DEVLINK_ATTR_PARAM_VALUE_DATA],
	                   p->value[cmode].text, sizeof(p->value[cmode].text));
}

int devlink_decode_param(const struct nlmsghdr *h, struct devlink_param *ret)
{
	struct devlink_param p = { .type = NLA_UNSPEC };
	struct nlattr *list, *value;
	attrs at, in;
	int r = parse(h, at, &p.h), left;

	if (r || !at[DEVLINK_ATTR_PARAM] ||
	    nla_parse(in, DEVLINK_ATTR_MAX, nla_data(at[DEVLINK_ATTR_PARAM]),
	              nla_len(at[DEVLINK_ATTR_PARAM]), NULL) < 0 ||
	    !get_text(in[DEVLINK_ATTR_PARAM_NAME], p.name, sizeof(p.name)) ||
	    !get_u8(in[DEVLINK_ATTR_PARAM_TYPE], &p.type))
		return -EBADMSG;
	list = in[DEVLINK_ATTR_PARAM_VALUES_LIST];
	if (list)
		nla_for_each_nested(value, list, left)
		{
			decode_value(value, &p);
		}
	*ret = p;
	return 0;
}

int devlink_decode_health(const struct nlmsghdr *h, struct devlink_health *ret)
{
	struct devlink_health v = { .error = false };
	uint8_t state = 0;
	attrs at, in;
	int r = parse(h, at, &v.h);

	if (r || !at[DEVLINK_ATTR_HEALTH_REPORTER] ||
	    nla_parse(in, DEVLINK_ATTR_MAX,
	              nla_data(at[DEVLINK_ATTR_HEALTH_REPORTER]),
	              nla_len(at[DEVLINK_ATTR_HEALTH_REPORTER]), NULL) < 0 ||
	    !get_text(in[DEVLINK_ATTR_HEALTH_REPORTER_NAME], v.name,
	              sizeof(v.name)))
		return -EBADMSG;
	v.error = get_u8(in[DEVLINK_ATTR_HEALTH_REPORTER_STATE], &state) &&
	          state == STATE_ERROR;
	get_u64(in[DEVLINK_ATTR_HEALTH_REPORTER_ERR_COUNT], &v.errors);
	get_u64(in[DEVLINK_ATTR_HEALTH_REPORTER_RECOVER_COUNT], &v.recoveries);
	*ret = v;
	return 0;
}
