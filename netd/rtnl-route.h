/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_RTNL_ROUTE_H
#define FL_NETD_RTNL_ROUTE_H

/*
 * The next hops of default routes that have several: /proc/net/route shows the
 * first alone (net/ipv4/fib_trie.c), as does ipv6_route of a next hop group.
 * Of the main table; a route by a group of `ip nexthop` only where the kernel
 * spells it out (net.ipv4.nexthop_compat_mode, on by default).
 */

#include <net/if.h>

#include "netd/rtnl.h"

#define ROUTE_HOPS_MAX 32
struct rtnl_hops {
	unsigned ifindex[ROUTE_HOPS_MAX];
	size_t n;
	bool more; /* than that */
};
struct nlmsghdr;
/* Pure: adds those of one RTM_NEWROUTE; twice is as once. Always 0. */
int rtnl_hops_decode(struct nlmsghdr *h, void *ret);
/* -E2BIG where there are more. */
_must_check_ int rtnl_hops_read(struct rtnl_hops *ret, struct diag *d);

#endif
