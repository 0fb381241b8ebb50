/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_SERIALS_H
#define FL_NETD_SERIALS_H

/*
 * Serial numbers of the host's functions, read once, when netd starts.
 *
 * Theory of operation
 *   Reading one needs CAP_SYS_ADMIN on most kernels (sriov/serial.c), which
 *   netd gives up before it listens, and a VPD takes long. So a child reads
 *   all of them before that, into memory that main and its workers share: the
 *   quick numbers of all functions first, then the VPDs. Main waits for it
 *   SERIALS_MS at most, then ends it; what it had by then is known, the rest
 *   is not.
 *
 *   A function is remembered by the inode of its folder in sysfs, too: the
 *   kernel makes a new one for a card that was pulled and plugged again, even
 *   with the same address. Such a card's number is not known until netd starts
 *   anew, and a policy that states one is refused: better than to take
 *   the new card for the old one.
 */

#include "policy/policy.h"

#define SERIALS_MS 3000
#define SERIALS_MAX 4096

struct serials;
/* NULL where there is no memory: then no number is known. */
struct serials *serials_read(int root_fd);
void serials_free(struct serials *s);
/* `s` may be NULL. Sets POL_HAS_DSN in *set where it is known. */
void serials_find(const struct serials *s, int root_fd, struct bdf b,
                  struct pol_ident *ret, uint32_t *set);

#endif
