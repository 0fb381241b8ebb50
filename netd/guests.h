/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_GUESTS_H
#define FL_NETD_GUESTS_H

/*
 * The guests of the applied policy, in its order: which are started with the
 * machine (`boot: auto`), and which have a lease. Nothing of the machine is
 * looked at, so this is for who starts and stops them all (`fairlead up
 * --boot`), while devices may be slow.
 */

#include "netd/priv.h"

/* [{"guest", "boot": "auto" or "manual", "running"}]; none where no policy is
 * applied, or it cannot be read. */
json_t *guests_json(const struct env *e);
verb_fn verb_guests; /* {"guests": ...}; FL_NETD_NO_POLICY */

#endif
