/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_OVS_H
#define FL_NETD_OVS_H

/*
 * ovs: bridges of Open vSwitch, by its own tool (tool.h). A worker's.
 *
 * Theory of operation
 *   The database says what bridges and ports there are to be, and
 *   ovs-vswitchd does it. ovs-vsctl writes the one and waits for the other. All
 *   that is wanted to know is asked for by one call: three tables, as JSON.
 *
 *   A host whose database has no socket is asked nothing: then no port is in
 *   such a bridge, and only who wants one is refused.
 *
 *   A port is put by one transaction: out of where it is, into its bridge, with
 *   its VLANs; ovs-vswitchd sees but the outcome, so that what stays in its
 *   bridge is never out of it. Then it is read back: that the database says so,
 *   and that ovs-vswitchd found no fault with the interface.
 *
 *   What netd made bears a mark: a bridge, which goes when nothing is in it,
 *   and the port of a tap or representor. Its record outlives the interface,
 *   and would take the next of that name: so it goes when a lease ends, and
 *   when VFs come or go.
 *
 * Against itself
 *   - "The database is not the kernel." True, and of a port's VLANs the kernel
 *     has no list: flows are made of them as frames come. The fault that
 *     ovs-vswitchd has noted is what can be known.
 *   - What a port's record has beyond VLANs (QoS, a bond, a type, options)
 *     could not be put back: such a port is strange, and not moved.
 */

#include "netd/priv.h"

#define OVS_FAULT 64

struct ovs_bridge {
	char name[POL_IFNAME];
	bool ours;
	enum pol_ovs_datapath datapath;
};
struct ovs_port { /* but the one that a bridge itself is */
	char name[POL_IFNAME];
	size_t bridge; /* of the view's */
	bool ours;
	struct pol_port said; /* its VLANs, and whether it is strange */
	char fault[OVS_FAULT];
};
struct ovs_view {
	struct ovs_bridge *bridge;
	size_t n_bridges;
	struct ovs_port *port;
	size_t n_ports;
};
/* Pure: the three tables, one after the other. -EBADMSG. */
_must_check_ int ovs_parse(const char *text, struct ovs_view *ret);
/* Is there a database to ask? */
bool ovs_is_there(const struct env *e);
/* Empty where there is none. FL_NETD_OVS. */
_must_check_ int ovs_view_read(const struct env *e, struct ovs_view *ret,
                               struct diag *d);
void ovs_view_free(struct ovs_view *v);
const struct ovs_bridge *ovs_find_bridge(const struct ovs_view *v,
                                         const char *name);
const struct ovs_port *ovs_find_port(const struct ovs_view *v,
                                     const char *name);
/* `p` is as a Linux bridge has it, with its ifname. */
void ovs_port_see(const struct ovs_view *v, struct pol_port *p);
/* The same, of one port. */
void ovs_where(const struct env *e, struct pol_port *p);

/* ---- ovs-set.c: FL_NETD_OVS, FL_NETD_NO_OVS ------------------------------ */

#define OVS_TOOL "usr/bin/ovs-vsctl"
/* "cannot WHAT NAME"; returns err. */
int ovs_failed(int err, const char *what, const char *name, const char *said,
               struct diag *d);
/* Is the bridge of `s` there, whose is it, and is a port in it that no PF of
 * `seen` has? FL_NETD_NO_OVS where `wanted` and there is nobody to ask. */
_must_check_ int ovs_bridge_see(const struct env *e,
                                const struct pol_state *seen, bool wanted,
                                struct pol_over *s, struct diag *d);
/* Each of them, into s->over; s->ovs where there is somebody to ask. */
_must_check_ int ovs_bridges_see(const struct env *e, struct pol_state *s);
_must_check_ int ovs_bridge_make(const struct env *e,
                                 const struct pol_overlay *o, struct diag *d);
/* One that is not ours, or has a port, stays. */
_must_check_ int ovs_bridge_remove(const struct env *e,
                                   const struct pol_overlay *o, struct diag *d);
/* As bridge_port_set(), where it is in such a bridge or is to be. */
_must_check_ int ovs_port_set(const struct env *e, struct rtnl *r,
                              unsigned ifindex, const struct pol_port *want,
                              uint32_t set, bool raise, struct diag *d);
/* A tap's, marked; `vlan` 0 = frames without a tag. */
_must_check_ int ovs_tap_put(const struct env *e, const char *ifname,
                             const char *bridge, uint16_t vlan, struct diag *d);
/* Ports of ours go whose interface has gone. */
void ovs_sweep(const struct env *e);
/* False = it is in no such bridge. Else that one forgets where it has seen
 * which MAC. */
bool ovs_forget(const struct env *e, const char *ifname);

#endif
