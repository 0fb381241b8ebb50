/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_APPLY_H
#define FL_NETD_APPLY_H

/*
 * A plan done: shared by apply.c (in which order) and apply-side.c (side by
 * side).
 *
 * A plan is a list. What is not of a PF (whole functions change hands before
 * the PFs, and after them; networks around them) is a barrier: it is done
 * alone, when all before it has ended. Between two barriers the actions of one
 * PF are a part: in their order, and independent of other PFs' parts, since
 * drivers share no state that a plan touches. Parts are done side by side, each
 * in a process:
 *   - a PF whose driver is slow costs its own time, not the sum;
 *   - one whose driver does not come back costs its process. It is killed at
 *     its deadline, the PF is noted as stuck (stuck.h), and the others go on.
 * At most APPLY_AT_ONCE at a time, in the plan's order.
 *
 * An error ends its part. Parts that have begun are let finish, since half a
 * part is harder to undo than a whole one; no further one is begun, nor a
 * barrier passed, unless `go_on`. Then it is the caller's to go back: all PFs,
 * and not only the one that failed. A policy is one statement, its guests and
 * networks lie over PFs; with some PFs of the old and some of the new one no
 * text would say what the machine is. A stuck PF is no error of that kind:
 * nothing can be done of it, nor undone, and whoever waits for it waits
 * perhaps for ever; so the others are done, and stay.
 */

#include "netd/priv.h"

#define APPLY_AT_ONCE 16u

/* The actions of one PF. */
struct apply_part {
	size_t first, n;
	int r;
	struct diag d;
};
struct apply_run {
	const struct apply_ops *ops;
	void *ctx;
	const struct pol_plan *plan;
	uint8_t *outcome;
	const struct apply_how *how;
};
/* The action i, here, or of n from it on those that go together. */
_must_check_ int apply_some(const struct apply_run *run, size_t i, size_t n,
                            size_t *ret_done, struct diag *d);
/* A part, here; its r and d. */
void apply_part_here(const struct apply_run *run, struct apply_part *p);
/* Parts in processes of their own. */
void apply_side_by_side(const struct apply_run *run, struct apply_part *parts,
                        size_t n);

#endif
