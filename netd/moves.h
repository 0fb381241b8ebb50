/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_MOVES_H
#define FL_NETD_MOVES_H

/*
 * A guest's nic on another VF of its pool than the policy gives it, since a
 * failover whose own VF was not to be had (failover-vf.c).
 *
 * Theory of operation
 *   Which VF a nic has follows from the policy, everywhere: in plans, leases,
 *   and when drift is looked for. A move is no second truth beside that:
 *   wherever netd has read a policy, moves_apply() puts the VF in the nic's
 *   place (pol_nic_move), and all else follows as ever.
 *   It is kept with the VF that was given, in the ledger ("moved"), and holds
 *   as long as that is GIVEN: so it ends with the scrub, by itself, however the
 *   guest ended, and with a reboot. A guest that starts has the policy's own
 *   VFs, also where an earlier netd left a move behind (grant.c).
 *
 *   One MAC, one VF: before a VF gets the guest's MAC, every other that has it
 *   loses it, and so on the way back. Two with one MAC on one switch, and no
 *   frame is sure to arrive. Also where a program holds the other one: the MAC
 *   is the guest's, and none of his.
 *
 *   The own VF stays its nic's meanwhile: no loan and no other failover has it.
 *
 * Against it
 *   "Write it into applied.yaml": that is people's text, compared by the byte.
 *   "Let the nics swap": the other guest's VF may be in use, and the own one is
 *   not to be had, which is why we are here.
 *   "A policy that gives the VF to another guest": while it is held that is
 *   refused (FL_NETD_MOVED), since the plan would take it from under the first;
 *   where nobody holds it the move is over, whatever the ledger says.
 */

#include "netd/grant.h"

/* To be called of each policy that was read, before it is resolved. `seen`
 * NULL: it is the applied one, which was asked when it was applied. -EBUSY
 * FL_NETD_MOVED. */
_must_check_ int moves_apply(const struct env *e, struct pol_policy *p,
                             const struct pol_state *seen, struct diag *d);
/* No VF that is seen but `keep` has the MAC. */
_must_check_ int moves_take_mac(struct work *w, struct guest_run *r,
                                const uint8_t mac[static 6], struct bdf keep);

/* ---- failover-vf.c: which VF a failover gives back ----------------------- */

/* As grant_ready() of the request's device; where its own VF is not to be had,
 * or another is asked for, with that. */
_must_check_ int failover_ready(struct work *w, struct guest_run *r,
                                size_t *ret_drifted);
/* Into the history: what the request came to. `e`: how it ended. */
void failover_tell(struct work *w, struct guest_run *r, int e);

#endif
