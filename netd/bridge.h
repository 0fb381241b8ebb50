/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_BRIDGE_H
#define FL_NETD_BRIDGE_H

/*
 * Inside netd: the host's interfaces at a switch, and their places in Linux
 * bridges. A worker's.
 *
 * Theory of operation
 *   A representor is known by what the kernel says of it: the switch that it
 *   is a port of (IFLA_PHYS_SWITCH_ID, the same as its PF's) and which port
 *   (IFLA_PHYS_PORT_NAME, "pf0vf3"). Its name is udev's and may change at any
 *   time; from here on it goes by its index.
 *
 *   Two dumps tell all of it: the links, and the bridges' ports with their
 *   VLANs. A port is set in this order: into the bridge, its VLANs, and only
 *   then up, so that no frame goes where it must not. Then it is read back.
 *
 * Against itself
 *   - A port that joins a bridge has the bridge's default VLAN until its own
 *     are set. A representor that is up already passes frames in it for that
 *     moment; one that has just been made is down.
 *   - What a port has beyond one untagged VLAN and ranges of tagged ones is
 *     "strange": it cannot be put back, so it is not changed either.
 */

#include "netd/priv.h"

#define NET_SWITCH_ID 32 /* the kernel's MAX_PHYS_ITEM_ID_LEN */
#define NET_VLANS 4096

struct net_link {
	unsigned ifindex, master; /* 0 = none */
	char name[POL_IFNAME], port_name[POL_IFNAME];
	uint8_t switch_id[NET_SWITCH_ID], n_switch_id;
	bool up;
	bool bridge, filtering; /* it is one; its vlan_filtering */
};
enum net_vlan {
	NET_VLAN_NONE,
	NET_VLAN_TAGGED,
	NET_VLAN_PVID, /* and untagged */
	NET_VLAN_OTHER,
};
struct net_port {
	unsigned ifindex;
	uint8_t vlan[NET_VLANS]; /* enum net_vlan */
};

struct nlmsghdr;
/* Pure: one RTM_NEWLINK, of the links or (family AF_BRIDGE) of a port. */
_must_check_ int net_decode_link(const struct nlmsghdr *h,
                                 struct net_link *ret);
_must_check_ int net_decode_port(const struct nlmsghdr *h,
                                 struct net_port *ret);
/* "pf0vf3", "c1pf0vf3"; the latter is another host's. */
bool net_port_name(const char *s, unsigned *ret_pf, unsigned *ret_vf);
/* Its VLANs as ranges; `strange` where they are not of that form. */
void net_port_say(const struct net_port *p, struct pol_port *ret);
/* The other way about. */
void net_port_plan(const struct pol_port *p, struct net_port *ret);

struct net_view {
	struct net_link *link;
	size_t n_links;
	struct net_bridge_port {
		unsigned ifindex;
		struct pol_port said;
	} * port;
	size_t n_ports;
	struct net_port *raw; /* while it is read */
};
/* `raw` (may be NULL): its ifindex says of which port it gets all VLANs. */
_must_check_ int net_view_read(struct rtnl *r, struct net_view *ret,
                               struct net_port *raw);
void net_view_free(struct net_view *v);
const struct net_link *net_find(const struct net_view *v, unsigned ifindex);
const struct net_link *net_find_name(const struct net_view *v,
                                     const char *name);
/* The representor of VF `vf` in the switch of `pf`, whose number there is
 * `pf_number`; NULL = none (yet). */
const struct net_link *net_representor(const struct net_view *v,
                                       const struct net_link *pf,
                                       unsigned pf_number, unsigned vf);
/* Where the interface is. */
void net_port_see(const struct net_view *v, const struct net_link *l,
                  struct pol_port *ret);

/* Into its bridge, its VLANs (POL_HAS_PORT_VLAN in `set`), up (`raise`).
 * FL_NETD_BRIDGE, FL_NETD_READBACK. */
_must_check_ int bridge_port_set(struct rtnl *r, unsigned ifindex,
                                 const struct pol_port *want, uint32_t set,
                                 bool raise, struct diag *d);
/* Up or down, and read back. FL_NETD_BRIDGE, FL_NETD_READBACK. */
_must_check_ int bridge_port_raise(struct rtnl *r, unsigned ifindex, bool up,
                                   struct diag *d);
_must_check_ int bridge_filtering_set(struct rtnl *r, const char *bridge,
                                      bool on, struct diag *d);

#endif
