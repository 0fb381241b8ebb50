/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_POLICY_LEND_H
#define FL_POLICY_LEND_H

/*
 * Which VF of its pool a program gets that is no guest, and why. A part of
 * policy.h.
 *
 * Guests' VFs follow from the policy alone, for good (place.c). Who borrows
 * comes and goes, and asks now: so this is decided from the machine as it is,
 * from who has what of it, and by the memory nodes and root ports that the
 * kernel tells.
 */

#include "policy/machine.h"
#include "policy/model.h"

enum pol_lend {
	POL_LEND_FREE,
	POL_LEND_GUEST, /* the policy gives it to one */
	POL_LEND_GONE,
	POL_LEND_HELD,
	POL_LEND_QUARANTINED,
};
struct pol_lend_vf {
	const struct pol_pf *pf; /* observed, whose it is; NULL = not there */
	enum pol_lend state;
};
/* Where it is to be. */
struct pol_lend_wish {
	bool by_vf, by_root, by_node;
	struct bdf vf;   /* that one */
	struct bdf root; /* below that root port */
	uint16_t node;
};
struct pol_lending {
	const struct pol_policy *policy;
	const struct pol_pool *pool;
	struct pol_lend_wish wish;
	struct pol_lend_vf *vf; /* one for each of the pool's, in its order */
};

/* Which of the pool's. False = none. */
bool pol_lend_choose(const struct pol_lending *l, size_t *ret);
/* Why the one that was chosen; for people. */
int pol_lend_why(const struct pol_lending *l, size_t chosen, char *buf,
                 size_t size);
/* And the others not: "2 given to guests, 1 held"; SIZE_MAX: of all. */
int pol_lend_others(const struct pol_lending *l, size_t chosen, char *buf,
                    size_t size);

#endif
