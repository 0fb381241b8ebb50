/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links and bridge ports as the kernel has them. */

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "netd/bridge.h"

#define ENTRIES_MAX 65536u

/* ---- one message --------------------------------------------------------- */

static struct nlattr *attr(const struct nlmsghdr *h, int type)
{
	return nlmsg_find_attr((struct nlmsghdr *)(uintptr_t)h,
	                       sizeof(struct ifinfomsg), type);
}

static struct nlattr *inside(struct nlattr *a, int type)
{
	return a ? nla_find(nla_data(a), nla_len(a), type) : NULL;
}

static bool is_link(const struct nlmsghdr *h)
{
	return h->nlmsg_type == RTM_NEWLINK &&
	       h->nlmsg_len >= NLMSG_HDRLEN + sizeof(struct ifinfomsg);
}

static void get_text(struct nlattr *a, char *ret, size_t size)
{
	size_t len = a ? strnlen(nla_data(a), (size_t)nla_len(a)) : size;

	if (len >= size)
		return;
	memcpy(ret, nla_data(a), len);
	ret[len] = '\0';
}

static void get_kind(const struct nlmsghdr *h, struct net_link *l)
{
	struct nlattr *info = attr(h, IFLA_LINKINFO), *a;
	char kind[16] = "";

	get_text(inside(info, IFLA_INFO_KIND), kind, sizeof(kind));
	l->bridge = !strcmp(kind, "bridge");
	if (!l->bridge)
		return;
	a = inside(inside(info, IFLA_INFO_DATA), IFLA_BR_VLAN_FILTERING);
	l->filtering = a && nla_len(a) >= 1 && nla_get_u8(a);
}

int net_decode_link(const struct nlmsghdr *h, struct net_link *ret)
{
	const struct ifinfomsg *i = nlmsg_data(h);
	struct net_link l = { 0 };
	struct nlattr *a;

	if (!is_link(h) || i->ifi_family == AF_BRIDGE || i->ifi_index <= 0)
		return -EBADMSG;
	l.ifindex = (unsigned)i->ifi_index;
	l.up = i->ifi_flags & IFF_UP;
	get_text(attr(h, IFLA_IFNAME), l.name, sizeof(l.name));
	get_text(attr(h, IFLA_PHYS_PORT_NAME), l.port_name,
	         sizeof(l.port_name));
	a = attr(h, IFLA_MASTER);
	if (a && nla_len(a) >= (int)sizeof(uint32_t))
		l.master = nla_get_u32(a);
	a = attr(h, IFLA_PHYS_SWITCH_ID);
	if (a && nla_len(a) <= NET_SWITCH_ID) {
		l.n_switch_id = (uint8_t)nla_len(a);
		memcpy(l.switch_id, nla_data(a), l.n_switch_id);
	}
	get_kind(h, &l);
	*ret = l;
	return 0;
}

static enum net_vlan vlan_kind(uint16_t flags)
{
	const uint16_t both = BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED;

	return (flags & both) == both ? NET_VLAN_PVID
	       : flags & both         ? NET_VLAN_OTHER
	                              : NET_VLAN_TAGGED;
}

int net_decode_port(const struct nlmsghdr *h, struct net_port *ret)
{
	const struct ifinfomsg *i = nlmsg_data(h);
	struct nlattr *list, *a;
	unsigned first = 0;
	int left;

	if (!is_link(h) || i->ifi_family != AF_BRIDGE || i->ifi_index <= 0)
		return -EBADMSG;
	memset(ret, 0, sizeof(*ret));
	ret->ifindex = (unsigned)i->ifi_index;
	list = attr(h, IFLA_AF_SPEC);
	if (!list)
		return 0;
	nla_for_each_nested(a, list, left)
	{
		const struct bridge_vlan_info *v = nla_data(a);

		if (nla_type(a) != IFLA_BRIDGE_VLAN_INFO ||
		    nla_len(a) < (int)sizeof(*v) || v->vid >= NET_VLANS)
			continue;
		if (v->flags & BRIDGE_VLAN_INFO_RANGE_BEGIN) {
			first = v->vid;
			continue;
		}
		if (!(v->flags & BRIDGE_VLAN_INFO_RANGE_END))
			first = v->vid;
		for (unsigned n = first; n <= v->vid; n++)
			ret->vlan[n] = (uint8_t)vlan_kind(v->flags);
	}
	return 0;
}

static bool take_number(const char **s, const char *word, unsigned *ret)
{
	size_t n = strlen(word);
	unsigned v = 0;

	if (strncmp(*s, word, n) != 0 || (*s)[n] < '0' || (*s)[n] > '9')
		return false;
	for (*s += n; **s >= '0' && **s <= '9'; (*s)++) {
		v = v * 10 + (unsigned)(**s - '0');
		if (v > UINT16_MAX)
			return false;
	}
	*ret = v;
	return true;
}

/* As devlink makes it of a port's attributes (__devlink_port_phys_port_name
 * of the kernel); with "c" the port is of another host's controller. */
bool net_port_name(const char *s, unsigned *ret_pf, unsigned *ret_vf)
{
	unsigned pf, vf;

	if (!take_number(&s, "pf", &pf) || !take_number(&s, "vf", &vf) || *s)
		return false;
	*ret_pf = pf;
	*ret_vf = vf;
	return true;
}

/* ---- VLANs as ranges ----------------------------------------------------- */

void net_port_say(const struct net_port *p, struct pol_port *ret)
{
	ret->pvid = 0;
	ret->n_tagged = 0;
	ret->strange = false;
	for (unsigned v = 0; v < NET_VLANS; v++) {
		enum net_vlan kind = p->vlan[v];
		struct pol_vlan_range *last =
			ret->n_tagged ? &ret->tagged[ret->n_tagged - 1] : NULL;

		if (kind == NET_VLAN_PVID) {
			ret->strange |= ret->pvid != 0;
			ret->pvid = (uint16_t)v;
		} else if (kind == NET_VLAN_TAGGED && last &&
		           last->last + 1u == v) {
			last->last = (uint16_t)v;
		} else if (kind == NET_VLAN_OTHER ||
		           (kind == NET_VLAN_TAGGED &&
		            ret->n_tagged == POL_VLAN_RANGES_MAX)) {
			ret->strange = true;
		} else if (kind == NET_VLAN_TAGGED) {
			ret->tagged[ret->n_tagged++] =
				(struct pol_vlan_range){ (uint16_t)v,
				                         (uint16_t)v };
		}
	}
}

void net_port_plan(const struct pol_port *p, struct net_port *ret)
{
	memset(ret->vlan, NET_VLAN_NONE, sizeof(ret->vlan));
	for (unsigned i = 0; i < p->n_tagged; i++)
		for (unsigned v = p->tagged[i].first;
		     v <= p->tagged[i].last && v < NET_VLANS; v++)
			ret->vlan[v] = NET_VLAN_TAGGED;
	if (p->pvid && p->pvid < NET_VLANS)
		ret->vlan[p->pvid] = NET_VLAN_PVID;
}

/* ---- all of them --------------------------------------------------------- */

/* `ext` of IFLA_EXT_MASK. */
static struct nl_msg *request(unsigned char family, uint32_t ext)
{
	struct ifinfomsg i = { .ifi_family = family };
	struct nl_msg *m = nlmsg_alloc_simple(RTM_GETLINK, NLM_F_DUMP);

	if (!m)
		return NULL;
	if (nlmsg_append(m, &i, sizeof(i), NLMSG_ALIGNTO) < 0 ||
	    nla_put_u32(m, IFLA_EXT_MASK, ext) < 0) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

static void *more(void *array, size_t n, size_t size)
{
	/* Doubled at powers of two. */
	if (n && (n & (n - 1)))
		return array;
	return n < ENTRIES_MAX ? reallocarray(array, n ? 2 * n : 1, size)
	                       : NULL;
}

static int add_link(struct nlmsghdr *h, void *arg)
{
	struct net_view *v = arg;
	struct net_link *l = more(v->link, v->n_links, sizeof(*l));

	if (!l)
		return -ENOMEM;
	v->link = l;
	if (!net_decode_link(h, &l[v->n_links]))
		v->n_links++;
	return 0;
}

static int add_port(struct nlmsghdr *h, void *arg)
{
	struct net_view *v = arg;
	struct net_bridge_port *p = more(v->port, v->n_ports, sizeof(*p));
	struct net_port port;

	if (!p)
		return -ENOMEM;
	v->port = p;
	if (net_decode_port(h, &port))
		return 0;
	p += v->n_ports++;
	*p = (struct net_bridge_port){ .ifindex = port.ifindex };
	net_port_say(&port, &p->said);
	if (v->raw && v->raw->ifindex == port.ifindex)
		*v->raw = port;
	return 0;
}

int net_view_read(struct rtnl *r, struct net_view *ret, struct net_port *raw)
{
	struct net_view v = { .raw = raw };
	int e = rtnl_dump(r, request(AF_UNSPEC, RTEXT_FILTER_SKIP_STATS),
	                  add_link, &v, &v.n_links);

	if (!e)
		e = rtnl_dump(
			r,
			request(AF_BRIDGE, RTEXT_FILTER_BRVLAN_COMPRESSED |
		                                   RTEXT_FILTER_SKIP_STATS),
			add_port, &v, &v.n_ports);
	if (e)
		net_view_free(&v);
	else
		*ret = v;
	return e;
}

void net_view_free(struct net_view *v)
{
	free(v->link);
	free(v->port);
	*v = (struct net_view){ 0 };
}

const struct net_link *net_find(const struct net_view *v, unsigned ifindex)
{
	for (size_t i = 0; i < v->n_links; i++)
		if (v->link[i].ifindex == ifindex)
			return &v->link[i];
	return NULL;
}

const struct net_link *net_find_name(const struct net_view *v, const char *name)
{
	for (size_t i = 0; i < v->n_links; i++)
		if (!strcmp(v->link[i].name, name))
			return &v->link[i];
	return NULL;
}

const struct net_link *net_representor(const struct net_view *v,
                                       const struct net_link *pf,
                                       unsigned pf_number, unsigned vf)
{
	unsigned p, n;

	for (size_t i = 0; pf->n_switch_id && i < v->n_links; i++) {
		const struct net_link *l = &v->link[i];

		if (l->n_switch_id == pf->n_switch_id &&
		    !memcmp(l->switch_id, pf->switch_id, l->n_switch_id) &&
		    net_port_name(l->port_name, &p, &n) && p == pf_number &&
		    n == vf)
			return l;
	}
	return NULL;
}

void net_port_see(const struct net_view *v, const struct net_link *l,
                  struct pol_port *ret)
{
	const struct net_link *master =
		l->master ? net_find(v, l->master) : NULL;

	*ret = (struct pol_port){ .up = l->up };
	memcpy(ret->ifname, l->name, sizeof(ret->ifname));
	if (master)
		memcpy(ret->bridge, master->name, sizeof(ret->bridge));
	/* A bond's, a VRF's, Open vSwitch's: it is not ours to take away. */
	if (l->master && (!master || !master->bridge)) {
		ret->strange = true;
		return;
	}
	for (size_t i = 0; i < v->n_ports; i++) {
		const struct pol_port *said = &v->port[i].said;

		if (v->port[i].ifindex != l->ifindex)
			continue;
		ret->pvid = said->pvid;
		memcpy(ret->tagged, said->tagged, sizeof(ret->tagged));
		ret->n_tagged = said->n_tagged;
		ret->strange = said->strange;
	}
}
