/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_RECORD_H
#define FL_NETD_RECORD_H

/*
 * The machine as text for `plan --sim` (policy.h, inventories): all that
 * observe() sees, and what a plan otherwise asks of what it is about only: the
 * driver_override of every function, parameters, bridges and overlays
 * (record-net.c). Reading the first waits for an unbind
 * that is under way; so it is a worker's, or a process of its own.
 */

#include "netd/priv.h"

/* The verb: the text goes as a sealed memfd. */
verb_fn verb_record;
/* `fairlead-netd --observe`: no socket, no journal, no lease; to `fd`. */
_must_check_ int record_print(const struct env *e, int fd, struct diag *d);

/* ---- inside: record-net.c ---- */

/* After observe(), of a machine where nothing hangs. */
_must_check_ int record_net(const struct machine *m, struct pol_state *s);
/* Pure: one parameter, of the cmodes that a policy can name; and after all of
 * a PF's. False = too many. */
struct devlink_param;
_must_check_ bool record_param(const struct devlink_param *p,
                               struct pol_switch *sw);
void record_params_done(struct pol_pf *p);

#endif
