/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PF's link and what its driver says of the VFs. IFLA_VFINFO_LIST is
 * decoded here and not by libnl-route, because "the driver does not report
 * it" (all ones, from ndo_get_vf_config) must stay apart from a value.
 */

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "netd/priv.h"

#define NOT_REPORTED UINT32_MAX
#define ETH_P_8021Q 0x8100

/* The payload as T, or NULL where it is too short for one. */
#define PAYLOAD(at, type)                                                      \
	((at) && nla_len(at) >= (int)sizeof(type) ? (const type *)nla_data(at) \
	                                          : NULL)

/* IFLA_VF_VLAN_LIST carries the protocol, which IFLA_VF_VLAN lacks; drivers
 * have one tag. */
static void decode_vlan(struct nlattr *const *at, struct rtnl_vf *vf)
{
	const struct ifla_vf_vlan *v =
		PAYLOAD(at[IFLA_VF_VLAN], struct ifla_vf_vlan);
	const struct ifla_vf_vlan_info *i = NULL;
	struct nlattr *list = at[IFLA_VF_VLAN_LIST];

	if (list)
		i = PAYLOAD(nla_find(nla_data(list), nla_len(list),
		                     IFLA_VF_VLAN_INFO),
		            struct ifla_vf_vlan_info);
	if (!i && !v)
		return;
	vf->vlan = (uint16_t)(i ? i->vlan : v->vlan);
	vf->qos = (uint8_t)(i ? i->qos : v->qos);
	vf->proto = i ? (uint16_t)(i->vlan_proto << 8 | i->vlan_proto >> 8)
	              : ETH_P_8021Q;
	vf->has |= POL_HAS_VLAN;
}

static void decode_rate(struct nlattr *const *at, struct rtnl_vf *vf)
{
	const struct ifla_vf_rate *rate =
		PAYLOAD(at[IFLA_VF_RATE], struct ifla_vf_rate);

	if (!rate)
		return;
	vf->rate_min = rate->min_tx_rate;
	vf->rate_max = rate->max_tx_rate;
	vf->has |= POL_HAS_RATE;
}

/* A driver without one is shown as "auto", which is how its VFs are. */
static void decode_link_state(struct nlattr *const *at, struct rtnl_vf *vf)
{
	const struct ifla_vf_link_state *l =
		PAYLOAD(at[IFLA_VF_LINK_STATE], struct ifla_vf_link_state);

	if (!l || l->link_state >= POL_LINK_MAX)
		return;
	vf->link_state = (enum pol_link_state)l->link_state;
	vf->has |= POL_HAS_LINK_STATE;
}

static void decode_vf(struct nlattr *const *at, unsigned n, void *arg)
{
	const struct ifla_vf_mac *mac = nla_data(at[IFLA_VF_MAC]);
	const struct ifla_vf_spoofchk *spoof =
		PAYLOAD(at[IFLA_VF_SPOOFCHK], struct ifla_vf_spoofchk);
	const struct ifla_vf_trust *trust =
		PAYLOAD(at[IFLA_VF_TRUST], struct ifla_vf_trust);
	const struct ifla_vf_rss_query_en *rss =
		PAYLOAD(at[IFLA_VF_RSS_QUERY_EN], struct ifla_vf_rss_query_en);
	struct rtnl_link *l = arg;
	struct rtnl_vf vf = { 0 };

	memcpy(vf.mac, mac->mac, sizeof(vf.mac));
	vf.has |= POL_HAS_MAC;
	decode_vlan(at, &vf);
	decode_rate(at, &vf);
	decode_link_state(at, &vf);
	if (spoof && spoof->setting != NOT_REPORTED) {
		vf.spoof = spoof->setting;
		vf.has |= POL_HAS_SPOOF;
	}
	if (trust && trust->setting != NOT_REPORTED) {
		vf.trust = trust->setting;
		vf.has |= POL_HAS_TRUST;
	}
	if (rss && rss->setting != NOT_REPORTED) {
		vf.rss = rss->setting;
		vf.has |= POL_HAS_RSS;
	}
	l->vf[n] = vf;
}

/* The kernel tells a MAC of each VF, and the VF's number with it. */
static void parse_vf(struct nlattr *info, rtnl_vf_fn fn, void *arg)
{
	struct nlattr *at[IFLA_VF_MAX + 1];
	const struct ifla_vf_mac *mac;

	if (nla_parse_nested(at, IFLA_VF_MAX, info, NULL) < 0)
		return;
	mac = PAYLOAD(at[IFLA_VF_MAC], struct ifla_vf_mac);
	if (mac && mac->vf < POL_VFS_MAX)
		fn(at, mac->vf, arg);
}

int rtnl_each_vf(struct nlmsghdr *h, rtnl_vf_fn fn, void *arg)
{
	struct nlattr *list, *info;
	int left;

	if (h->nlmsg_type != RTM_NEWLINK ||
	    h->nlmsg_len < NLMSG_HDRLEN + sizeof(struct ifinfomsg))
		return -EBADMSG;
	list = nlmsg_find_attr(h, sizeof(struct ifinfomsg), IFLA_VFINFO_LIST);
	if (!list)
		return 0;
	nla_for_each_nested(info, list, left)
	{
		if (nla_type(info) == IFLA_VF_INFO)
			parse_vf(info, fn, arg);
	}
	return 0;
}

/* Of an Ethernet device; the kernel tells it where the driver set one. */
static void decode_permanent(struct nlattr *at, struct rtnl_link *l)
{
	static const uint8_t none[6];

	if (!at || nla_len(at) != sizeof(l->perm_mac) ||
	    !memcmp(nla_data(at), none, sizeof(none)))
		return;
	memcpy(l->perm_mac, nla_data(at), sizeof(l->perm_mac));
	l->has_perm_mac = true;
}

static void decode_altnames(struct nlattr *props, struct rtnl_link *l)
{
	struct nlattr *at;
	size_t n = 0;
	int left;

	if (!props)
		return;
	nla_for_each_nested(at, props, left)
	{
		if (nla_type(at) != IFLA_ALT_IFNAME || n == POL_ALTNAMES)
			continue;
		nla_strlcpy(l->altname[n], at, sizeof(l->altname[n]));
		n += *l->altname[n] != '\0';
	}
}

int rtnl_link_decode(struct nlmsghdr *h, struct rtnl_link *ret)
{
	const struct ifinfomsg *i = nlmsg_data(h);
	struct nlattr *mtu;
	int e = rtnl_each_vf(h, decode_vf, ret);

	if (e)
		return e;
	ret->ifindex = i->ifi_index;
	ret->up = i->ifi_flags & IFF_UP;
	mtu = nlmsg_find_attr(h, sizeof(*i), IFLA_MTU);
	if (mtu && nla_len(mtu) >= (int)sizeof(uint32_t))
		ret->mtu = nla_get_u32(mtu);
	decode_permanent(nlmsg_find_attr(h, sizeof(*i), IFLA_PERM_ADDRESS),
	                 ret);
	decode_altnames(nlmsg_find_attr(h, sizeof(*i), IFLA_PROP_LIST), ret);
	return 0;
}

static int decode(struct nlmsghdr *h, void *arg)
{
	return rtnl_link_decode(h, arg);
}

static struct nl_msg *request(unsigned ifindex)
{
	struct ifinfomsg i = { .ifi_index = (int)ifindex };
	struct nl_msg *m = nlmsg_alloc_simple(RTM_GETLINK, 0);

	if (!m)
		return NULL;
	/* Counters would double the answer, which has 64 kB of room. */
	if (nlmsg_append(m, &i, sizeof(i), NLMSG_ALIGNTO) < 0 ||
	    nla_put_u32(m, IFLA_EXT_MASK,
	                RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS) < 0) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

int rtnl_link_read(struct rtnl *r, const char *ifname, unsigned ifindex,
                   struct rtnl_link *ret, struct diag *d)
{
	struct nl_msg *m = ifindex ? request(ifindex) : NULL;
	char words[RTNL_WORDS] = "";
	int e = !ifindex ? -ENODEV : -ENOMEM;

	memset(ret, 0, sizeof(*ret));
	if (m)
		e = rtnl_talk(r, m, decode, ret, words);
	if (!e)
		return 0;
	diag_fail(d, e, FL_NETD_LINK, "cannot read the link %s", ifname);
	diag_why(d, "%s%s%s", strerror(-e), *words ? ": " : "", words);
	diag_mend(d, "see `ip -d link show dev %s`", ifname);
	return e;
}
