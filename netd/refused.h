/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_REFUSED_H
#define FL_NETD_REFUSED_H

/*
 * What drivers have refused to do where the policy says `unsupported: warn`.
 * A worker's.
 *
 * Theory of operation
 *   An action that may fail, and that the driver says it does not do, is
 *   passed over (ops.c), told in the answer, and noted: a file a PF in the
 *   state folder, replaced whole, so that PFs done side by side do not meet.
 *   refused_see() marks what is wanted and noted; pol_plan() leaves it out. So
 *   the plan for a machine that is as it can be is empty.
 *
 *   Why it is noted at all: rtnetlink shows the link state "auto" and a rate
 *   of 0 for a driver that has no such settings. Nothing that is read tells
 *   "refused" from "not done yet".
 *   Why it is no part of the journal's states: it is knowledge of a driver and
 *   no setting. An undo need not take it back; one that is lost, or cannot be
 *   read, costs one more refusal.
 *
 * A note holds for one VF, setting and value of one driver. It is forgotten
 * when the VFs are made anew, with `restore`, and when the machine is booted.
 * EINVAL may mean the value and not the setting (a rate, on a link that is
 * slower or down): such a note also needs the link's speed to be as it was.
 * Whoever says `unsupported: fail` is not answered from notes.
 */

#include "netd/priv.h"

struct refused_note {
	uint16_t vf;
	enum pol_op op;
	char value[40]; /* what was wanted */
	int err;
	uint32_t speed; /* of the PF's link then; 0 = none */
	char words[DIAG_LINE];
};
struct refused {
	char driver[POL_NAME];
	struct refused_note *note;
	size_t n;
};
#define _cleanup_refused_ __attribute__((cleanup(refused_clear)))
void refused_clear(struct refused *r);
/* What is noted of the PF; none where there is no file or no good one. */
_must_check_ int refused_read(int state_fd, struct bdf pf, struct refused *ret);
/* Adds what the action wanted, in place of an older note of it. */
_must_check_ int refused_add(struct refused *r, const struct pol_action *a,
                             int err, uint32_t speed, const char *words);
_must_check_ int refused_write(int state_fd, struct bdf pf,
                               const struct refused *r, struct diag *d);
/* Of one PF; of all. */
_must_check_ int refused_forget(int state_fd, struct bdf pf, struct diag *d);
_must_check_ int refused_forget_all(int state_fd, struct diag *d);
/* Marks in `seen` what of `want` is noted. */
void refused_see(int state_fd, struct pol_state *seen,
                 const struct pol_state *want);
/* Warnings for all that is left out of `want`. */
void refused_tell(int state_fd, const struct pol_state *want, json_t *reply);
/* For status: [{"setting", "value", "why"}] of one VF. */
json_t *refused_json(const struct refused *r, unsigned vf);

#endif
