/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_KERNELS_PRIV_H
#define FL_NETD_KERNELS_PRIV_H

/* Shared by kernels.c (found, made) and kernels-room.c (removed). */

#include "netd/kernels.h"

#define KERNELS_HASH 64u /* hex digits */
#define KERNELS_TEXT 160 /* of a name, or a link */
#define KERNELS_IS ".is"
#define KERNELS_AT "at-"
#define KERNELS_NONE "none"
#define KERNELS_NEW "new"

bool kernels_is_hash(const char *name);
/* -ENOENT, or another errno of readlink(2). */
_must_check_ int kernels_link_read(int dir, const char *name,
                                   char ret[static KERNELS_TEXT]);
void kernels_drop(int dir, const char *hash);
/* Removes what is of no more use, and as many entries as it takes for one more
 * of `bytes`. */
void kernels_room(int dir, uint64_t bytes);

#endif
