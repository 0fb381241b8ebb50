/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_HISTORY_H
#define FL_NETD_HISTORY_H

/*
 * What was changed on this machine, by whom, and what came of it: for
 * `fairlead history`, and the record that goes to the system's journal.
 *
 * Theory of operation
 *   An entry is a file of its own, history/NNNNNNNN.json in the state folder,
 *   written as the journal's files are (whole or not at all). It is written
 *   twice: before the first action, with all that is going to be done and the
 *   result "unfinished"; and at the end. So nothing is done to the machine
 *   that no entry tells of, and a crash leaves one that says so; the recovery
 *   after it has an entry of its own that names it ("continues").
 *   Numbers grow and are not used twice while an entry is left. The oldest
 *   goes where there are more than HISTORY_MAX. The folder outlives restore
 *   and reboots: it says what happened, not what is.
 *
 *   What netd does of itself (drift repaired, a VF scrubbed, a guest's or a
 *   borrower's VF made as it is to be) cannot be told before it is done: such
 *   an entry is written once, at its end, and nothing of that is refused or
 *   undone for want of it; what a crash cuts short there, the next look or the
 *   next tenant does again. A busy host makes many of these, so they are
 *   counted apart (NNNNNNNN-own.json): they push out each other, and never what
 *   people asked for.
 *
 *   A change that has no action and is of the policy that is applied anyway
 *   has no entry, nor has one that was refused before anything was written:
 *   either may be asked for at any rate, and must not push out what happened.
 *
 *   Where the first writing fails, the change is refused: it would leave no
 *   trace. Where the last one does, the reply has a warning, and the entry
 *   says "unfinished".
 *
 * The one shape, on disk, in the reply of "history" and for whoever else tells
 * of changes:
 *   {"version": 1, "id": 12,
 *    "verb": "apply" | "restore" | "recover" | "rollback" | "confirm" |
 *            "reload"; counted with netd's own "reconcile" | "scrub" |
 *            "failover", and, where settings of their functions were not as
 *            they are to be, "lease" | "attach" | "release" | "borrow" |
 *            "return",
 *    "who": {"uid", "pid", "loginuid": number or null} or null: netd itself,
 *    "began", "ended": "2026-01-01T00:00:00Z" ("ended": null, unfinished),
 *    "file": name as the client gave it, "policy": "sha256:..." or null,
 *    "allow-disruption": "none" | "none-in-use" | "allow", or null: nobody
 *                        said,
 *    "continues": id of the entry that this one goes on with, or null,
 *    "holder": of the last two, whose loan it is; others have none,
 *    "result": "unfinished" | "done" | "undone" | "not-undone" | "stuck", of
 *              netd's own also "failed" (in part) | "quarantined",
 *    "error": as in replies, or null,
 *    "actions": [{"op" (a plan's, "scrub", or "failover"), "text", "command",
 *                 "disruption", "pf": "0000:01:00.0", "vf": index or null,
 *                 "label": "guest/nic" or "",
 *                 "name": of a parameter, rate group or overlay,
 *                 "outcome": "not-tried" | "done" | "failed" | "stuck",
 *                 "before", "after": the attribute as in the journal's files
 *                 (pol_state_to_json), "" = there is none, null = the kernel
 *                 did not tell; of a scrub the VF's settings; of a
 *                 failover the VF's address, or "standby"}],
 *    "omitted": actions beyond HISTORY_ACTIONS_MAX, which are not in the list}
 *   "before" is what the kernel told before the first action, "after" what it
 *   told after the last, and after what was undone; so "after" is never what
 *   was asked. "outcome" says how far the plan came, not what stayed of it.
 *
 * Argued against: "what netd repairs is in the system's journal already". That
 * is rotated, has no values, and is not asked for by `fairlead history`; and
 * whoever looks for why a VF lost its VLAN at 3 o'clock wants one place.
 *
 * All is a worker's.
 */

#include "netd/priv.h"

#define HISTORY_DIR "history"
#define HISTORY_MAX 100 /* and as many of netd's own */
#define HISTORY_ACTIONS_MAX 4096
#define HISTORY_DIGEST 72

enum history_result {
	HISTORY_UNFINISHED,
	HISTORY_DONE,
	HISTORY_UNDONE,
	HISTORY_NOT_UNDONE,
	HISTORY_STUCK,
	HISTORY_FAILED,
	HISTORY_QUARANTINED,
};

/* Who asked; `known` false: netd itself. */
_must_check_ json_t *asker_to_json(const struct asker *a);
void asker_from_json(const json_t *o, struct asker *ret);
/* `p` with the login that its process is of, while that can be told. */
struct asker asker_of(int root_fd, const struct peer *p);

struct history_head {
	const char *verb, *file;
	const char *policy; /* text, NULL = none */
	size_t policy_len;
	json_t *told;       /* the plan as it was answered, NULL = it was not */
	uint32_t continues; /* 0 = none */
	struct asker who;
	const char *holder; /* NULL or "": it is of no loan */
	struct allow allow;
};
/* Written with the plan; *ret is the entry (its "id" is set). FL_NETD_HISTORY.
 */
_must_check_ int history_begin(int state_fd, const struct history_head *h,
                               const struct pol_plan *plan,
                               const struct pol_state *seen, json_t **ret,
                               struct diag *d);
/* The action, counted from 0, has this outcome. */
void history_outcome(json_t *entry, size_t action, enum apply_outcome o);
/* Written again, with what came of it; `after` and `d` may be NULL. */
_must_check_ int history_end(int state_fd, json_t *entry,
                             enum history_result result, const struct diag *d,
                             const struct pol_state *after,
                             struct diag *ret_diag);
uint32_t history_id(const json_t *entry);
/* Of netd's own: written once. Takes `actions`; *ret is the entry. */
_must_check_ int history_note(int state_fd, const struct history_head *h,
                              json_t *actions, enum history_result result,
                              const struct diag *why, json_t **ret,
                              struct diag *d);

/* history-actions.c: the list of actions with "before"; "after" into it.
 * `told`: the plan as JSON, where it is there already, or NULL. */
void history_actions(json_t *entry, const struct pol_plan *plan, json_t *told,
                     const struct pol_state *seen);
/* One of them; `before` is a state as JSON. */
json_t *history_action(const struct pol_action *a, const json_t *before,
                       enum apply_outcome o);
void history_after(json_t *entry, const struct pol_state *after);

/* Newest first, without their actions but with "n-actions". */
_must_check_ int history_list(int state_fd, json_t **ret, struct diag *d);
/* -ENOENT FL_NETD_NO_ENTRY. */
_must_check_ int history_get(int state_fd, uint32_t id, json_t **ret,
                             struct diag *d);

#endif
