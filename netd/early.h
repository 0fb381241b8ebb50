/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_EARLY_H
#define FL_NETD_EARLY_H

/*
 * A policy before the host's network is there: `fairlead apply --early`, which
 * fairlead-carve.service does before any manager of a network begins. That is
 * when VFs are to be made: nobody has an address on them yet, and no route of
 * the host's goes through their PF. But the bridges that a manager makes, the
 * addresses that it gives and Open vSwitch come after it.
 *
 * So what waits for one of them is taken out of what is wanted, and told; all
 * else is done, and the policy counts as applied. The rest is the next apply's,
 * which fairlead-networks.service does when it can be done.
 *
 * Argued against: "netd could do the rest by itself when the bridge comes." To
 * put a PF's interface into a bridge is a risk for the host's network, and such
 * a thing is an apply's (reconcile.h). "Apply all of it late, then": a default
 * route may go through the PF by then, and managers have seen it without VFs.
 *
 * Order: early_ovs() before what `want` names is looked at (whoever asks Open
 * vSwitch must be answered), early_rest() after it.
 */

#include "netd/priv.h"

/* The reply's "waits": names of bridges that are not there, or cannot be made
 * yet, with a warning that says why. */
void early_ovs(const struct env *e, struct pol_state *want, json_t *reply);
/* In `seen`, too: how it was before is noted by who changes it. */
void early_rest(struct pol_state *want, struct pol_state *seen, json_t *reply);

#endif
