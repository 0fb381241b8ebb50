/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_POLICY_INVENTORY_H
#define FL_POLICY_INVENTORY_H

/* Inside policy: what inventory.c writes and inventory-read.c reads. */

#include "policy/fields.h"
#include "policy/priv.h"

#define INVENTORY_MAGIC "fairlead-inventory"
#define INVENTORY_VERSION 1
#define INVENTORY_VF_OF "vf-of"

/* inventory-members.c: the members of a function's line, by the tables. */
enum {
	MEMBERS_WHOLE,
	MEMBERS_PF,
	MEMBERS_VF,
	MEMBERS_TABLES,
};
#define MEMBERS_ALL ((1u << MEMBERS_TABLES) - 1)
#define MEMBERS_MAX 64 /* that are remembered from line to line */
struct members {
	struct member {
		char key[40];
		unsigned of; /* a bit a table that has it in inventories */
		uint8_t row[MEMBERS_TABLES]; /* FIELDS_MAX = it has not */
	} at[MEMBERS_MAX];
	/* Of this line, by the rows of each table; NULL = it has none. */
	const json_t *v[MEMBERS_TABLES][FIELDS_MAX];
};
/* Is each of some table whose bit is in `of`? */
bool members_read(struct members *m, json_t *o, unsigned of);

static inline uint64_t bdf_key(struct bdf b)
{
	return (uint64_t)b.domain << 16 | (uint64_t)b.bus << 8 |
	       (uint64_t)b.dev << 3 | b.fn;
}

#endif
