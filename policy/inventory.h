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

/* An inventory being read. */
struct in {
	struct pol_state *s;
	struct pol_errors *errs;
	size_t pf_room, whole_room, link_room, over_room;
	struct pol_pos pos;
	bool has_host;
	struct members members;
};
/* The keys of `o` are those of the table, and their values are good. */
bool inventory_object(struct in *in, json_t *o, const struct fields *t,
                      void *obj);
/* Room for one more than `n`: the array, or a larger one that takes its place.
 * NULL = no memory. */
void *inventory_more(void *array, size_t n, size_t *room, size_t size);

/* inventory-net.c: lines of the host's interfaces and bridges. */
#define INVENTORY_LINK "interface"
#define INVENTORY_OVER "overlay"
#define INVENTORY_OVS "ovs-bridge"
_must_check_ int inventory_read_link(struct in *in, json_t *o);
_must_check_ int inventory_read_over(struct in *in, json_t *o, bool ovs);
/* What several of them say together. */
_must_check_ int inventory_check_net(struct in *in);
/* Does it have a line? */
bool inventory_has_over(const struct pol_over *over);

static inline uint64_t bdf_key(struct bdf b)
{
	return (uint64_t)b.domain << 16 | (uint64_t)b.bus << 8 |
	       (uint64_t)b.dev << 3 | b.fn;
}

#endif
