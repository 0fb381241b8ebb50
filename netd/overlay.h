/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_OVERLAY_H
#define FL_NETD_OVERLAY_H

/*
 * overlay: a bridge and a VXLAN interface in it, which a network of the policy
 * has (policy/keys-overlay.c). A worker's; by libnl.
 *
 * What netd made bears a mark, its alias (`ip link` shows it): only that is
 * changed or removed. A thing is made under a name of ours, marked, and gets
 * its own name after that: so whatever a crash leaves is ours, and goes with
 * the next attempt.
 *
 * Order, so that nothing passes before it is meant to, and the host does not
 * become a part of the tenant's network: made down; no IPv6 address of its own
 * (addrgenmode none); VXLAN into the bridge, its VLAN; whom it floods to; up,
 * the bridge last. What can be changed in place is (MTU, remotes); for the rest
 * the VXLAN interface is made anew, and the bridge stays with the taps in it.
 * A VXLAN interface of ours with another id goes from the bridge before: two
 * tenants' networks in one bridge would be one.
 *
 * EVPN: `learning: false` and no remote. FRR (advertise-all-vni) then fills the
 * forwarding table; netd does not touch entries that have a MAC, only those
 * for what is flooded, and of those only where the policy says some.
 *
 * Argued against: "a guest in the overlay reaches the host by the bridge." Only
 * what somebody gives the bridge an address for; netd gives it none.
 */

#include "netd/priv.h"

/* Of all in `want`, whether and how they are, into seen->over; after
 * observe(). Bridges of Open vSwitch, too (ovs.h). FL_NETD_OVERLAY. */
_must_check_ int overlay_observe(const struct machine *m,
                                 struct pol_state *seen,
                                 const struct pol_state *want, struct diag *d);
/* To be as `over` says, and read back. FL_NETD_OVERLAY. */
_must_check_ int overlay_make(struct rtnl *r, const struct pol_over *over,
                              struct diag *d);
_must_check_ int overlay_remove(struct rtnl *r, const struct pol_over *over,
                                struct diag *d);

/* ---- inside: overlay-read.c ---- */

struct nlmsghdr;
struct overlay_link {               /* what a link says of itself */
	int ifindex, master, lower; /* 0 = none */
	uint32_t mtu;
	bool ours, bridge, vxlan, filtering, up;
	struct pol_overlay o; /* of a vxlan, but its remotes */
};
/* One RTM_NEWLINK; `arg` is the struct, zeroed. */
_must_check_ int overlay_link_decode(struct nlmsghdr *h, void *arg);
/* -ENODEV: there is none of that name. */
_must_check_ int overlay_link_read(struct rtnl *r, const char *name,
                                   struct overlay_link *ret);
/* Where it floods to, beside its group. */
_must_check_ int overlay_remotes_read(struct rtnl *r, int ifindex,
                                      struct pol_overlay *o);
/* Ours in the bridge that is not called `but`; "" = there is none. */
_must_check_ int overlay_stray(struct rtnl *r, int bridge, const char *but,
                               char ret[static POL_IFNAME]);
/* What bridge and tunnel are, both ours, whose names are in s->o; `vx` zeroed:
 * there is none. One that is in another bridge is not this one's. */
_must_check_ int overlay_bridge_see(struct rtnl *r,
                                    const struct overlay_link *bridge,
                                    const struct overlay_link *vx,
                                    struct pol_over *s);

#endif
