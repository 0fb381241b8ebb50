/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_TRANSACT_H
#define FL_NETD_TRANSACT_H

/* Shared by transact.c (what every transaction is), transact-policy.c (towards
 * a policy) and transact-restore.c (back: restore, and a roll-back). */

#include "netd/history.h"

/* What one run of the machinery needs; freed at once. */
struct run {
	struct pol_policy *policy;
	struct pol_state *seen, *want;
	struct pol_plan *plan;
	uint8_t *outcome; /* of each action */
	json_t *entry;    /* of the history */
	bool unconfirmed; /* it has written the file of that name */
	char *original;   /* original.json as it was; NULL = there was none */
	size_t original_len;
	struct apply_how how;
	/* PFs that hang: known before, or found so. Nothing is wanted of
	 * them, and in the end they are an error (transact.c). */
	size_t n_stuck;
	struct diag stuck;
};
void run_clear(struct run *r);
/* The reply's "actions", and "done" of them: none yet. */
void run_tell(struct transaction *t, const struct run *r);
/* The state at the transaction's begin, into the intent. */
_must_check_ int run_note_before(struct intent *in, const struct run *r,
                                 struct diag *d);
/* PFs that hang go out of r->want; to be called before it is planned. */
void run_leave_stuck(struct run *r);
/* History, intent, the plan; back to "before" where that fails. `errs` NULL:
 * the policy is not asked again once VFs are there. */
_must_check_ int run_plan(struct transaction *t, struct intent *in,
                          struct run *r, struct pol_errors *errs);
/* Back to "before", as far as it can be; said in t->d. Returns err. */
_must_check_ int run_failed(struct transaction *t, const struct intent *in,
                            struct run *r, int err);
/* As run_forget_stale(), after a failure: what that was stays said. */
void run_forget_unused(struct transaction *t);
/* An original.json beside neither a policy nor an intent is not how the
 * machine was before this change: away with it. */
_must_check_ int run_forget_stale(struct transaction *t);

/* budget.c: -EBUSY FL_NETD_BUDGET. `asked`: it is not the policy's word. */
_must_check_ int budget_check(enum pol_budget budget, bool asked,
                              const struct pol_plan *plan,
                              const struct pol_state *seen, struct diag *d);

#endif
