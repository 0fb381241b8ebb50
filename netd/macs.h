/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_MACS_H
#define FL_NETD_MACS_H

/*
 * MACs of pools that say `assign: random`.
 *
 * Theory of operation
 *   One is drawn when an apply first meets its nic, and kept in macs.json of
 *   the state folder by the name "guest/nic". From then on it is that nic's:
 *   over leases, other policies, restarts of netd and of the host, until
 *   `restore`, which takes away all that is kept. So a guest's licence, lease
 *   of DHCP and neighbours' tables see one address, as they would of a card.
 *
 *   Drawn is what the prefix leaves (24 bits), or all behind the byte that says
 *   that it is locally administered (40 bits); one that is another's in the
 *   policy, or kept for another nic, is drawn again. A kept one that a new
 *   policy gives to somebody else by `mac-address` counts as not drawn: what
 *   is written in the policy is meant.
 *
 *   Drawing changes the policy in memory only; the file is written when the
 *   change is certain, before its intent. A crash between them costs names
 *   without use. A plan draws nothing, and says so.
 *
 *   Who finds a policy applied and its MAC missing (the file was taken away) is
 *   refused, FL_NETD_MACS, before anything is set: what nobody knows cannot be
 *   told again.
 */

#include "netd/priv.h"

/* Those that are kept, into the policy. */
_must_check_ int macs_fill(int state_fd, struct pol_policy *p, struct diag *d);
/* Of a policy that is applied: -ENODATA FL_NETD_MACS where one is not. */
_must_check_ int macs_applied(int state_fd, struct pol_policy *p,
                              struct diag *d);
/* And the others, too: drawn. */
_must_check_ int macs_draw(int state_fd, struct pol_policy *p, struct diag *d);
/* All that the policy has are kept from here on. No-op where they are. */
_must_check_ int macs_keep(int state_fd, const struct pol_policy *p,
                           struct diag *d);
_must_check_ int macs_forget_all(int state_fd, struct diag *d);

#endif
