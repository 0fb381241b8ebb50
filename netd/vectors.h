/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_VECTORS_H
#define FL_NETD_VECTORS_H

/*
 * How many vectors a VF was given, where that cannot be read: the number is
 * in a capability, and the kernel shows whoever lacks CAP_SYS_ADMIN, as netd
 * does, the first 64 bytes of a configuration space alone. The driver's
 * acceptance is then all there is, and it is noted: else each plan would give
 * them once more, and be refused while the VF is held.
 *
 * A file a VF, "vectors-BDF" with the boot, the inode of the VF's folder in
 * sysfs and the number. The kernel makes a folder anew, and never with a number
 * that it has used, when it makes the VF anew: so what is noted of a VF that is
 * gone holds for none, and nobody need forget it. It is what was written last,
 * and so an undo or a restore does not take it back either, but by writing.
 */

#include "netd/priv.h"

_must_check_ int vectors_note(const struct env *e, struct bdf vf, unsigned n,
                              struct diag *d);
/* 0 = not known. */
unsigned vectors_noted(const struct env *e, struct bdf vf);

#endif
