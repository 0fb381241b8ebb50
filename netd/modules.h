/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_MODULES_H
#define FL_NETD_MODULES_H

/*
 * The drivers that policies want: vfio-pci, and those made for the VFs of this
 * host's cards.
 *
 * Theory of operation
 *   To load a module wants a capability that is as good as all of them, so it
 *   is done once, when netd starts, before they go: vfio-pci, which nearly
 *   every policy wants, and for each physical function the variant that its
 *   VFs have in modules.alias (sriov/variant.c). Such a module binds to nothing
 *   by itself: its ids count only where driver_override names it. Which
 *   aliases there are is kept, so that a look at the machine reads no file for
 *   it.
 *
 *   A variant counts while its driver is there. One that could not be loaded,
 *   or has been taken out, is none: `driver: vfio` is vfio-pci then, and
 *   status says which it is. Of a card that comes later the administrator
 *   loads it, or netd when it starts anew.
 */

#include "netd/priv.h"

/* NULL where there are no aliases. */
struct sriov_variants *modules_load(const struct env *e);
/* What `driver: vfio` is for the PF's VFs; "" = vfio-pci. */
void modules_variant(const struct env *e, const struct sriov_fn *pf,
                     char ret[static POL_NAME]);

#endif
