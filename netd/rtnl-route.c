/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Default routes of several next hops: rtnl-route.h. */

#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "netd/rtnl-route.h"

static void add(struct rtnl_hops *all, int ifindex)
{
	if (ifindex <= 0)
		return;
	for (size_t i = 0; i < all->n; i++)
		if (all->ifindex[i] == (unsigned)ifindex)
			return;
	all->more |= all->n == ROUTE_HOPS_MAX;
	if (all->n < ROUTE_HOPS_MAX)
		all->ifindex[all->n++] = (unsigned)ifindex;
}

/* RTA_MULTIPATH: struct rtnexthop, each with attributes of its own behind. */
static void add_hops(struct rtnl_hops *all, struct nlattr *list)
{
	const char *at = nla_data(list);
	size_t left = (size_t)nla_len(list);

	while (left >= sizeof(struct rtnexthop)) {
		struct rtnexthop hop;
		size_t len;

		memcpy(&hop, at, sizeof(hop));
		len = (size_t)RTNH_ALIGN((int)hop.rtnh_len);
		if (hop.rtnh_len < sizeof(hop) || hop.rtnh_len > left)
			return;
		add(all, hop.rtnh_ifindex);
		if (len >= left)
			return;
		at += len;
		left -= len;
	}
}

int rtnl_hops_decode(struct nlmsghdr *h, void *ret)
{
	const struct rtmsg *r = nlmsg_data(h);
	struct nlattr *list, *table;
	uint32_t id;

	if (h->nlmsg_type != RTM_NEWROUTE ||
	    h->nlmsg_len < NLMSG_HDRLEN + sizeof(*r) || r->rtm_dst_len ||
	    r->rtm_type != RTN_UNICAST ||
	    (r->rtm_family != AF_INET && r->rtm_family != AF_INET6))
		return 0;
	table = nlmsg_find_attr(h, sizeof(*r), RTA_TABLE);
	id = table && nla_len(table) >= 4 ? nla_get_u32(table) : r->rtm_table;
	list = nlmsg_find_attr(h, sizeof(*r), RTA_MULTIPATH);
	if (list && id == RT_TABLE_MAIN)
		add_hops(ret, list);
	return 0;
}

static int dump(struct rtnl *r, struct rtnl_hops *ret)
{
	const struct rtmsg all = { .rtm_family = AF_UNSPEC };
	struct nl_msg *m = nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_DUMP);

	if (!m)
		return -ENOMEM;
	if (nlmsg_append(m, (void *)(uintptr_t)&all, sizeof(all),
	                 NLMSG_ALIGNTO) < 0) {
		nlmsg_free(m);
		return -ENOMEM;
	}
	return rtnl_dump(r, m, rtnl_hops_decode, ret, NULL);
}

int rtnl_hops_read(struct rtnl_hops *ret, struct diag *d)
{
	struct rtnl *rtnl = NULL;
	int r = rtnl_open(&rtnl, d);

	*ret = (struct rtnl_hops){ .n = 0 };
	if (!r)
		r = dump(rtnl, ret);
	rtnl_close(rtnl);
	return r ? r : ret->more ? -E2BIG : 0;
}
