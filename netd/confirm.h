/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_CONFIRM_H
#define FL_NETD_CONFIRM_H

/*
 * An apply that holds only if somebody says so in time: whoever cut themselves
 * off by it cannot, and so gets the machine back.
 *
 * Theory of operation
 *   The file `unconfirmed` of the state folder is there from the commit of such
 *   an apply until it is confirmed, rolled back or restored. It has all that
 *   the roll-back needs: the state before, the policy that was applied before
 *   (or none), and until when. It is written before applied.yaml, and the
 *   intent goes last: so after a crash either the apply is run again, with
 *   its time from then on, or the file is whole.
 *
 *   The time is of CLOCK_BOOTTIME: setting the clock neither hurries nor stops
 *   it, and sleep counts. A reboot ends it with the rest of the journal
 *   (boot.c); what was applied is gone by then anyway.
 *
 *   Main has one timer, set from the file's first line (the time in
 *   nanoseconds; the rest is JSON) when it starts and when a change has ended;
 *   no polling. When it rings, "rollback" is a job as any other change: it
 *   waits for its turn, and looks at the file anew. An apply that is confirmed
 *   in the last moment and a roll-back therefore exclude one another, and the
 *   first of them counts.
 *
 *   The roll-back is a transaction with an intent of its own. Where it fails it
 *   is undone like any other, and the file then has the time 0 and the reason:
 *   nothing tries again by itself, `status` tells it, and people decide with
 *   confirm or restore.
 *
 *   Meanwhile no guest gets a lease (those that run keep theirs): a guest that
 *   holds a VF would keep the roll-back from taking it. Nor is there another
 *   apply: there would be two states to go back to.
 *
 *   When it is on: `--confirm-within`; else the policy's host.apply
 *   confirm-within; else CONFIRM_USUAL_S where an action is of a PF that
 *   carries the host's default route, itself, by a VF, or below a bridge, bond,
 *   team or VLAN (sriov_route_functions), or is one of its next hops
 *   (rtnl-route.h).
 */

#include "netd/priv.h"

#define JOURNAL_UNCONFIRMED "unconfirmed"
#define CONFIRM_USUAL_S POL_CONFIRM_USUAL_S
#define CONFIRM_MAX_S 86400u

struct unconfirmed {
	uint64_t due_ns;   /* CLOCK_BOOTTIME; 0 = it was tried, and failed */
	uint32_t within_s; /* what was given */
	char file[NETD_NAME_MAX];
	char *policy; /* as applied before; NULL = none was */
	size_t policy_len;
	struct pol_state *before;
	struct asker who;
	uint32_t history;
	json_t *error; /* why the roll-back failed, as in replies; NULL */
};
void unconfirmed_clear(struct unconfirmed *u);
_must_check_ int unconfirmed_write(int state_fd, const struct unconfirmed *u,
                                   struct diag *d);
/* -ENOENT without a diag: nothing waits for a confirmation. */
_must_check_ int unconfirmed_read(int state_fd, struct unconfirmed *ret,
                                  struct diag *d);
/* Of the first line alone: when it is due; 0 = nothing is. */
uint64_t unconfirmed_due(int state_fd);
uint64_t confirm_now_ns(void);
/* -EAGAIN FL_NETD_UNCONFIRMED, where something waits for a confirmation. */
_must_check_ int confirm_refuse(struct work *w, const char *what);
/* How long the change may stand unconfirmed, 0 = for good. */
_must_check_ int confirm_within(const struct env *e, const struct intent *in,
                                const struct pol_policy *p,
                                const struct pol_plan *plan, uint32_t *ret_s,
                                struct diag *d);
/* For `status`: null, or {"file", "within", "left": seconds or null, "error"}.
 */
json_t *confirm_status(int state_fd);

#endif
