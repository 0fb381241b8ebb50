/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_TAP_H
#define FL_NETD_TAP_H

/*
 * tap: the host's end of a NIC that the VMM itself is, and its place in the
 * host's networks.
 *
 * An interface is made by opening it, and goes with its last descriptor: none
 * is persistent, so that whatever happens to the VMM, to netd or to a lease
 * half given, nothing is left. Order, so that no frame ever passes where it
 * may not:
 *
 *     made         exclusively: one that is there is somebody else's
 *     owned        by root: else anybody could add a queue of his own
 *     guard        where the network says spoof-check (guard.h)
 *     MTU, bridge
 *     VLAN         of the nic's network: the port's own (PVID, untagged), and
 *                  the bridge's default one taken away. Open vSwitch (ovs.h)
 *                  takes bridge and VLAN at once
 *     up           and all of it read back
 *     further queues, vhost
 *
 * Of a nic's network a tap takes `vlan` and `spoof-check`; what else it says is
 * a VF's.
 *
 * Argued against: "a bridge without VLAN filtering swallows the VLAN in
 * silence." It would; so it is refused, but for a nic that is also a VF (a
 * standby, or `datapath`), whose bridge may be on the VLAN as a whole and whose
 * network cannot be left out: that is told as a warning with each start.
 */

#include "netd/priv.h"

struct tap_place {
	const char *bridge; /* "" = none */
	bool ovs;           /* Open vSwitch's, which it is in already */
	uint32_t mtu;       /* 0 = as it is */
	uint16_t vlan;      /* 0 = whatever the bridge gives it */
	uint16_t pvid;      /* that, to be taken away; 0 = none */
};
/* rtnl-tap.c: as `place` says, then up; read back. FL_NETD_TAP. */
_must_check_ int rtnl_tap(struct rtnl *r, const char *ifname,
                          const struct tap_place *place, struct diag *d);

struct rtnl_bridge {
	bool filtering;
	uint16_t proto, pvid; /* ETH_P_*, host order; 0 = none */
};
/* rtnl-vlan.c. FL_NETD_VLAN. */
_must_check_ int rtnl_bridge_read(struct rtnl *r, const char *name,
                                  struct rtnl_bridge *ret, struct diag *d);
/* Negative errno alone: whoever asks says what it was for. */
_must_check_ int rtnl_bridge_filtering(struct rtnl *r, const char *name,
                                       bool on, char words[static RTNL_WORDS]);
struct rtnl_port {
	uint16_t untagged; /* its PVID, untagged; 0 = none */
	bool others;       /* it has further VLANs */
};
_must_check_ int rtnl_port_read(struct rtnl *r, const char *ifname,
                                struct rtnl_port *ret);
/* One link's RTM_NEWLINK to `decode`. */
_must_check_ int rtnl_get_link(struct rtnl *r, unsigned ifindex,
                               int (*decode)(struct nlmsghdr *h, void *arg),
                               void *arg);
/* The port's only VLAN is `vlan`, untagged. Read back. */
_must_check_ int rtnl_port_vlan(struct rtnl *r, const char *ifname,
                                uint16_t vlan, uint16_t pvid, struct diag *d);

/* open-tap.c: all queues of the nic, with vhost files. Its `mtu` becomes the
 * overlay's where the policy says none. */
_must_check_ int tap_nic(struct work *w, struct rtnl *rtnl, struct pol_own *o);
/* FL_NETD_TAP; returns err. */
int tap_fail(struct work *w, const struct pol_own *o, int err, const char *why,
             const char *mend);

#endif
