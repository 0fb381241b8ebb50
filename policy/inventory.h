/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_POLICY_INVENTORY_H
#define FL_POLICY_INVENTORY_H

/* Inside policy: what inventory.c writes and inventory-read.c reads. */

#include "policy/fields.h"
#include "policy/priv.h"

#define INVENTORY_MAGIC "fairlead-inventory"
#define INVENTORY_VERSION 1
#define INVENTORY_VF_OF "vf-of"

static inline uint64_t bdf_key(struct bdf b)
{
	return (uint64_t)b.domain << 16 | (uint64_t)b.bus << 8 |
	       (uint64_t)b.dev << 3 | b.fn;
}

#endif
