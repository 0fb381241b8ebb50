/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_LOAN_H
#define FL_NETD_LOAN_H

/* Shared by loan.c (what is done) and loan-choose.c (with which VF). */

#include "netd/grant.h"

struct loan {
	struct guest_run r;
	struct pol_guest nobody; /* whom the VF is resolved for: r.guest */
	struct pol_guest_nic nic;
	const struct pol_pool *pool;
	struct pol_lending lending;
	struct bdf vf;
	bool scrubbed;     /* just now: r.seen has it as it was before */
	struct diag unfit; /* why the first that is not there is not */
	/* Why this VF, and not the others of the pool. */
	char why[DIAG_LINE], others[DIAG_LINE];
};

/* -> NULL: FL_NETD_LOAN. */
const struct pol_pool *
loan_find_pool(struct work *w, const struct pol_policy *p, const char *name);
/* l->r.want: what the pool says of that VF alone. 1 = done; 0 = its PF hangs,
 * or is not there: that keeps none from VFs of others. */
_must_check_ int loan_resolve(struct work *w, struct loan *l, struct pol_fn fn);
struct pol_vf *loan_wanted(struct loan *l);
/* l->vf as it was seen. */
const struct pol_vf *loan_seen(const struct loan *l, struct bdf *ret_pf);
/* A VF for who asks, clean: l->vf, and what is wanted of it. -ENOSPC
 * FL_NETD_LOAN: none is left for him; -EEXIST: he has one. */
_must_check_ int loan_choose(struct work *w, struct loan *l);

#endif
