/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_OWNERS_H
#define FL_NETD_OWNERS_H

/* Functions that another program sets, too (sriov/owner.c says how that is
 * told). Two that set one thing end in a fight: so what is owned is not changed
 * unless one insists. */

#include "netd/priv.h"

#define OWNER_TEXT 240

/* Has one of the functions that the plan changes another owner, or a VF whose
 * driver it changes? -EBUSY FL_NETD_OWNED; with `force` a warning in the reply
 * instead. Their files are read once, however many functions there are. */
_must_check_ int owners_check(const struct env *e, const struct pol_plan *plan,
                              bool force, json_t *reply, struct diag *d);
/* Who may have changed what the action puts right: "perhaps NetworkManager,
 * /etc/...", "" = nobody known. */
void owners_suspect(const struct env *e, const struct pol_action *a,
                    char ret[static OWNER_TEXT]);

#endif
