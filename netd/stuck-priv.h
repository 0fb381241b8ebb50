/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_STUCK_PRIV_H
#define FL_NETD_STUCK_PRIV_H

/* Shared by stuck.c and stuck-look.c. */

#include "netd/stuck.h"

/* `pid` hangs in it. `pf` NULL: devlink. */
void stuck_note(const struct env *e, const struct bdf *pf, const char *what,
                pid_t pid);
/* stuck_look(), where devlink is asked by `ports`: how many there are, or a
 * negative errno. For tests. */
enum stuck_devlink stuck_look_by(const struct env *e, unsigned ms,
                                 int (*ports)(void), struct stuck_pfs *ret);

#endif
