/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_FAILOVER_H
#define FL_NETD_FAILOVER_H

/*
 * failover: a guest's VF is taken away, while its standby carries the network,
 * and given back, as one request. Main's part only: what it does is detach and
 * attach, in this order, on one queue.
 *
 *     job "foresee"                     where a "function" is asked for: could
 *                                       it be given? (failover-vf.c)
 *     VMM asked to let the VF go        the standby takes over (standby.c)
 *     VMM: done                         the VF leaves the lease
 *     job "release"                     its settings are as the policy says
 *     job "attach"                      its VF is looked at, opened, given; or
 *                                       another (failover-vf.c)
 *     VMM: done                         the answer
 *
 * "way" of the request: "cycle" (or none) does all of it; "to-standby" ends
 * with the job "release"; "back" begins with the job "attach". Where the nic is
 * there already, the answer says so and nothing is done, so that whoever does
 * not know may say it twice. A cycle of a nic whose VF is away gives it back; a
 * "function" that it has not is a reason to take away the one that it has.
 *
 * Whatever fails: before the VMM has let go, the guest has its VF as it had;
 * and nobody asks it to for a VF that it cannot have, as far as that can be
 * told. After that it has the standby, which carries the network and of which
 * nothing is taken here, ever: without a standby in the lease the request is
 * refused before anything is done. A client that goes away changes nothing:
 * once begun it is brought to its end, since a guest whose VF is away is the
 * worse case.
 *
 * Argued against: "why not let the command do detach, then attach?" It may be
 * killed between the two; a second one may come between them; and the VF may be
 * leased by another meanwhile. Here the attach is queued in the same moment in
 * which the detach ends, behind nothing but the release.
 */

#include "netd/server.h"

/* Begins; negative: refused, nothing was done. */
_must_check_ int failover_begin(struct server *s, struct client *c,
                                struct client *vmm, const struct request *r,
                                struct diag *d);
/* What is asked for could be given: the VF that the guest has is taken away. */
void failover_foreseen(struct server *s, struct client *c,
                       const struct request *r);
/* The VF has gone: it is given back. `c` NULL: nobody waits any more. */
struct ask;
void failover_back(struct server *s, struct client *c, const char *guest,
                   const struct ask *a);

#endif
