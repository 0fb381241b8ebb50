/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_STUCK_PRIV_H
#define FL_NETD_STUCK_PRIV_H

/* Shared by stuck.c and stuck-look.c. */

#include "netd/stuck.h"

/* `pid` hangs in it. */
void stuck_note(const struct env *e, struct bdf pf, const char *what,
                pid_t pid);

#endif
