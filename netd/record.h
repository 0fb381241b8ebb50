/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_RECORD_H
#define FL_NETD_RECORD_H

/*
 * The machine as text for `plan --sim` (policy.h, inventories): all that
 * observe() sees, and the driver_override of every function, which a plan
 * otherwise asks of its own functions only. Reading that waits for an unbind
 * that is under way; so it is a worker's, or a process of its own.
 */

#include "netd/priv.h"

/* The verb: the text goes as a sealed memfd. */
verb_fn verb_record;
/* `fairlead-netd --observe`: no socket, no journal, no lease; to `fd`. */
_must_check_ int record_print(const struct env *e, int fd, struct diag *d);

#endif
