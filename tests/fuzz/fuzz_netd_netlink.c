/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel tells over devlink and rtnetlink, decoded: nothing is read
 * beyond a message, every text ends, and a port's VLANs that can be said in
 * ranges are the same when they are read back from those.
 *
 * The first byte says whose message it is and where it is cut, the rest makes
 * its attributes.
 * fuzz: runs=200000 time=60
 */

#include <linux/devlink.h>
#include <linux/genetlink.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include <netlink/attr.h>

#include "netd/bridge.h"
#include "netd/devlink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BYTES_MAX 16384

/* As long as it is, to the byte, so that the sanitizer sees who goes on. */
static struct nlmsghdr *message(uint16_t type, const void *head, size_t n_head,
                                const uint8_t *data, size_t size)
{
	size_t len = NLMSG_HDRLEN + n_head + size;
	struct nlmsghdr *h = malloc(len);

	if (!h)
		abort();
	*h = (struct nlmsghdr){ .nlmsg_len = (uint32_t)len,
		                .nlmsg_type = type };
	memcpy((char *)h + NLMSG_HDRLEN, head, n_head);
	memcpy((char *)h + NLMSG_HDRLEN + n_head, data, size);
	return h;
}

static void is_text(const char *s, size_t size)
{
	if (strnlen(s, size) == size)
		abort();
}

static void devlink(const uint8_t *data, size_t size)
{
	const struct genlmsghdr g = { .version = 1 };
	struct nlmsghdr *h = message(0x1a, &g, sizeof(g), data, size);
	struct devlink_eswitch e;
	struct devlink_health s;
	struct devlink_param v;
	struct devlink_port p;
	struct devlink_rate r;

	if (!devlink_decode_port(h, &p)) {
		is_text(p.h.bus, sizeof(p.h.bus));
		is_text(p.h.dev, sizeof(p.h.dev));
	}
	if (!devlink_decode_rate(h, &r)) {
		is_text(r.group.name, sizeof(r.group.name));
		is_text(r.parent, sizeof(r.parent));
	}
	if (!devlink_decode_param(h, &v)) {
		is_text(v.name, sizeof(v.name));
		for (unsigned i = 0; i < DEVLINK_CMODES; i++)
			is_text(v.value[i].text, sizeof(v.value[i].text));
	}
	if (!devlink_decode_health(h, &s))
		is_text(s.name, sizeof(s.name));
	(void)!devlink_decode_eswitch(h, &e);
	free(h);
}

static void port(const struct net_port *raw)
{
	struct pol_port said = { .pvid = 0 };
	struct net_port again;

	net_port_say(raw, &said);
	if (said.n_tagged > POL_VLAN_RANGES_MAX)
		abort();
	if (said.strange)
		return;
	net_port_plan(&said, &again);
	/* VLAN 0 is none. */
	if (memcmp(again.vlan + 1, raw->vlan + 1, NET_VLANS - 1) != 0)
		abort();
}

static void link_message(unsigned char family, const uint8_t *data, size_t size)
{
	const struct ifinfomsg i = { .ifi_family = family, .ifi_index = 7 };
	struct nlmsghdr *h = message(RTM_NEWLINK, &i, sizeof(i), data, size);
	struct net_port raw;
	struct net_link l;
	unsigned pf, vf;

	if (!net_decode_link(h, &l)) {
		is_text(l.name, sizeof(l.name));
		is_text(l.port_name, sizeof(l.port_name));
		if (l.n_switch_id > NET_SWITCH_ID)
			abort();
		(void)net_port_name(l.port_name, &pf, &vf);
	}
	if (!net_decode_port(h, &raw))
		port(&raw);
	free(h);
}

/* ---- attributes of bytes ------------------------------------------------- */

struct maker {
	const uint8_t *at, *end; /* input */
	uint8_t to[BYTES_MAX];
	size_t n;
	const uint16_t *type;
	size_t n_types;
};

static void put(struct maker *m, uint16_t type, const void *data, size_t size)
{
	const struct nlattr a = { .nla_len = (uint16_t)(NLA_HDRLEN + size),
		                  .nla_type = type };

	if (m->n + NLA_HDRLEN + NLA_ALIGN(size) > sizeof(m->to))
		return;
	memcpy(m->to + m->n, &a, sizeof(a));
	memcpy(m->to + m->n + NLA_HDRLEN, data, size);
	m->n += NLA_HDRLEN + NLA_ALIGN(size);
}

/* Two bytes an attribute: which, and how long it is, or that it has others in
 * it. */
static void make(struct maker *m, unsigned depth, unsigned most)
{
	for (; most && m->end - m->at >= 2; most--) {
		uint16_t type = m->type[m->at[0] % m->n_types];
		size_t len = m->at[1], begin = m->n;
		struct nlattr a;

		m->at += 2;
		if (len < 0xe0 || depth == 4) {
			len = MIN(len & 0x3f, (size_t)(m->end - m->at));
			put(m, type, m->at, len);
			m->at += len;
			continue;
		}
		put(m, type, "", 0);
		make(m, depth + 1, len & 0x1f);
		if (m->n < begin + NLA_HDRLEN)
			return;
		memcpy(&a, m->to + begin, sizeof(a));
		a.nla_len = (uint16_t)(m->n - begin);
		memcpy(m->to + begin, &a, sizeof(a));
	}
}

static const uint16_t of_devlink[] = {
	DEVLINK_ATTR_PORT_INDEX,
	DEVLINK_ATTR_PORT_FLAVOUR,
	DEVLINK_ATTR_PORT_NETDEV_IFINDEX,
	DEVLINK_ATTR_PORT_PCI_PF_NUMBER,
	DEVLINK_ATTR_PORT_PCI_VF_NUMBER,
	DEVLINK_ATTR_PORT_FUNCTION,
	DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR,
	DEVLINK_ATTR_ESWITCH_MODE,
	DEVLINK_ATTR_RATE_TYPE,
	DEVLINK_ATTR_RATE_NODE_NAME,
	DEVLINK_ATTR_RATE_PARENT_NODE_NAME,
	DEVLINK_ATTR_RATE_TX_SHARE,
	DEVLINK_ATTR_PARAM,
	DEVLINK_ATTR_PARAM_NAME,
	DEVLINK_ATTR_PARAM_TYPE,
	DEVLINK_ATTR_PARAM_VALUES_LIST,
	DEVLINK_ATTR_PARAM_VALUE,
	DEVLINK_ATTR_PARAM_VALUE_DATA,
	DEVLINK_ATTR_PARAM_VALUE_CMODE,
	DEVLINK_ATTR_HEALTH_REPORTER,
	DEVLINK_ATTR_HEALTH_REPORTER_NAME,
	DEVLINK_ATTR_HEALTH_REPORTER_STATE,
};
static const uint16_t of_links[] = {
	IFLA_IFNAME,           IFLA_MASTER,   IFLA_PHYS_PORT_NAME,
	IFLA_PHYS_SWITCH_ID,   IFLA_LINKINFO, IFLA_INFO_KIND,
	IFLA_INFO_DATA,        IFLA_AF_SPEC,  IFLA_BR_VLAN_FILTERING,
	IFLA_BRIDGE_VLAN_INFO,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct maker m = { .at = data + 1, .end = data + size };
	unsigned whose = size ? data[0] % 3 : 0;

	if (!size || size > BYTES_MAX / 8)
		return 0;
	m.type = whose ? of_links : of_devlink;
	m.n_types = whose ? ARRAY_SIZE(of_links) : ARRAY_SIZE(of_devlink);
	if (!whose) {
		put(&m, DEVLINK_ATTR_BUS_NAME, "pci", 4);
		put(&m, DEVLINK_ATTR_DEV_NAME, "0000:3b:00.0", 13);
	}
	make(&m, 0, UINT16_MAX);
	/* And cut anywhere. */
	if (data[0] & 0x80)
		m.n -= MIN(m.n, (size_t)(data[0] >> 2 & 0x1f));
	if (!whose)
		devlink(m.to, m.n);
	else
		link_message(whose == 1 ? AF_UNSPEC : AF_BRIDGE, m.to, m.n);
	return 0;
}
