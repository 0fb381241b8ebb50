/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters of a PF's VFs, from the PF: IFLA_VF_STATS in IFLA_VFINFO_LIST. A
 * request of its own, since the answer is twice as long with them and nobody
 * else wants them.
 */

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "netd/metrics.h"
#include "netd/priv.h"

const char *const vf_stat_names[VF_STATS] = {
	[VF_RX_PACKETS] = "rx-packets", [VF_TX_PACKETS] = "tx-packets",
	[VF_RX_BYTES] = "rx-bytes",     [VF_TX_BYTES] = "tx-bytes",
	[VF_BROADCAST] = "broadcast",   [VF_MULTICAST] = "multicast",
	[VF_RX_DROPPED] = "rx-dropped", [VF_TX_DROPPED] = "tx-dropped",
};
static const int attributes[VF_STATS] = {
	[VF_RX_PACKETS] = IFLA_VF_STATS_RX_PACKETS,
	[VF_TX_PACKETS] = IFLA_VF_STATS_TX_PACKETS,
	[VF_RX_BYTES] = IFLA_VF_STATS_RX_BYTES,
	[VF_TX_BYTES] = IFLA_VF_STATS_TX_BYTES,
	[VF_BROADCAST] = IFLA_VF_STATS_BROADCAST,
	[VF_MULTICAST] = IFLA_VF_STATS_MULTICAST,
	[VF_RX_DROPPED] = IFLA_VF_STATS_RX_DROPPED,
	[VF_TX_DROPPED] = IFLA_VF_STATS_TX_DROPPED,
};

static void decode_vf(struct nlattr *const *at, unsigned n, void *arg)
{
	struct nlattr *stat[IFLA_VF_STATS_MAX + 1];
	struct link_stats *s = arg;
	struct vf_stats v = { .there = true };

	if (!at[IFLA_VF_STATS] || nla_parse_nested(stat, IFLA_VF_STATS_MAX,
	                                           at[IFLA_VF_STATS], NULL) < 0)
		return;
	for (size_t i = 0; i < VF_STATS; i++) {
		const struct nlattr *a = stat[attributes[i]];

		if (a && nla_len(a) >= (int)sizeof(v.v[i]))
			memcpy(&v.v[i], nla_data(a), sizeof(v.v[i]));
	}
	s->vf[n] = v;
}

int rtnl_stats_decode(struct nlmsghdr *h, struct link_stats *ret)
{
	return rtnl_each_vf(h, decode_vf, ret);
}

static int decode(struct nlmsghdr *h, void *arg)
{
	return rtnl_stats_decode(h, arg);
}

int rtnl_stats_read(struct rtnl *r, const char *ifname, struct link_stats *ret)
{
	struct ifinfomsg i = { .ifi_index = (int)if_nametoindex(ifname) };
	char words[RTNL_WORDS] = "";
	struct nl_msg *m;

	memset(ret, 0, sizeof(*ret));
	if (!i.ifi_index)
		return -ENODEV;
	m = nlmsg_alloc_simple(RTM_GETLINK, 0);
	if (!m)
		return -ENOMEM;
	if (nlmsg_append(m, &i, sizeof(i), NLMSG_ALIGNTO) < 0 ||
	    nla_put_u32(m, IFLA_EXT_MASK, RTEXT_FILTER_VF) < 0) {
		nlmsg_free(m);
		return -ENOMEM;
	}
	return rtnl_talk(r, m, decode, ret, words);
}

/* Drivers with ndo_get_vf_stats in Linux 6.12; fm10k and liquidio among them
 * for completeness. */
static const char *const counting[] = {
	"mlx5_core", "ice",      "i40e",  "ixgbe", "mlx4_core",
	"mlx4_en",   "liquidio", "fm10k", "ionic",
};

bool stats_counted(const struct link_stats *s, const char *driver)
{
	for (size_t i = 0; i < ARRAY_SIZE(counting); i++)
		if (!strcmp(driver, counting[i]))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(s->vf); i++)
		for (size_t k = 0; k < VF_STATS; k++)
			if (s->vf[i].v[k])
				return true;
	return false;
}
