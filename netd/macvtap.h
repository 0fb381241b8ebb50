/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_MACVTAP_H
#define FL_NETD_MACVTAP_H

/*
 * macvtap: a guest's NIC on an interface of the host (policy/keys-macvtap.c).
 *
 * Unlike a tap the interface does not go with its descriptors. So it has a
 * mark, its alias, with the guest and nic that it is for, from before it has
 * its own name (rtnl-make.c); and whoever ends something removes what is
 * marked and nobody has any more: a lease's end, a detach, and, where netd or
 * the host crashed in between, the next lease of the nic or the next look at
 * the machine (reconcile.h). To a netd that was started anew a guest that runs
 * has no lease: its interface is known by who has /dev/tapN open.
 *
 *     made down, under a name of ours; no IPv6 address; marked; named
 *     MTU
 *     up; then /dev/tapN, N its number, one descriptor a pair of queues, which
 *     must be the device that sysfs says
 *
 * Argued against: "the VMM may change its MAC: the character device takes
 * SIOCSIFHWADDR of whoever has it open." The VMM's seccomp filter does not; a
 * VMM that was taken over has that one interface, and sends whatever source it
 * likes anyhow, which is why a network with spoof-check refuses macvtap.
 */

#include "netd/priv.h"

/* All queues of the nic, into w->fd. FL_NETD_MACVTAP. */
_must_check_ int macvtap_nic(struct work *w, struct rtnl *rtnl,
                             const struct pol_own *o);
/* Removes those of the guest, or of its nic alone (NULL: of all), that its
 * lease has not (any more). */
void macvtap_sweep(const struct work *w, struct rtnl *rtnl, const char *guest,
                   const char *nic);
/* Is there one that neither a lease nor a process has? Away with those. */
bool macvtap_left(const struct work *w, struct rtnl *rtnl);
void macvtap_tidy(const struct work *w);
/* The sweep, as a job: a nic has been detached. */
verb_fn verb_unlink;

#endif
