/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One transaction. Order:
 *   observe, resolve, plan        refusals end here; nothing was written
 *   original.json                 what was, of PFs not yet in it; fsync
 *   history/N.json                who, what, "unfinished"; fsync (history.h)
 *   intent.json                   what is to be, and what was before; fsync
 *   the plan's actions
 *   history/N.json                what came of it; fsync
 *   applied.yaml, then intent.json goes
 * A crash before the intent: nothing was changed. After it: recovery runs the
 * intent again, from whatever it finds. An action that fails, or a file that
 * cannot be written: back to "before", the machine and then the policy's
 * files, then the intent goes; only where going back fails too (or a device
 * hangs, which nothing can undo now) does it stay, for the next start.
 *
 * A PF that hangs is left out, and the others are done and stay (apply.h,
 * stuck.h). An apply is then kept: what is missing of it is done by the next
 * one, or when netd starts. A restore is not, since the journal is all that
 * knows what is missing.
 *
 * What changes neither the machine nor the policy writes nothing at all.
 *
 * Restore is the same with the wanted state from original.json, and the
 * journal's files go at its end, the intent last.
 */

#include <stdio.h>
#include <string.h>

#include "netd/audit.h"
#include "netd/confirm.h"
#include "netd/transact.h"

void run_clear(struct run *r)
{
	json_decref(r->entry);
	free(r->original);
	free(r->outcome);
	pol_plan_free(r->plan);
	pol_state_free(r->want);
	pol_state_free(r->seen);
	pol_free(r->policy);
}

static void say_undone(struct transaction *t)
{
	struct diag *d = t->d;
	size_t len = strlen(d->why);

	snprintf(d->why + len, sizeof(d->why) - len, "%sall was put back",
	         len ? "; " : "");
	json_object_set_new(t->reply, "undo", json_pack("{s:b}", "ok", 1));
}

static void say_not_undone(struct transaction *t, const struct diag *u)
{
	struct diag *d = t->d;
	size_t len = strlen(d->why);

	snprintf(d->why + len, sizeof(d->why) - len, "%snot put back: %.100s",
	         len ? "; " : "", *u->why ? u->why : u->what);
	diag_mend(d, "free the device, then `systemctl restart fairlead-netd` "
	             "finishes it, or `fairlead restore`");
	json_object_set_new(
		t->reply, "undo",
		json_pack("{s:b, s:o}", "ok", 0, "error", reply_error(u)));
}

/* What only shows once VFs are there, such as whom they share an IOMMU group
 * with, is asked again then: a policy whose guests could never start is not
 * applied. */
static int check_after(struct transaction *t, const struct run *r,
                       struct pol_errors *errs)
{
	const struct observing what = { .parts =
		                                observe_for_policy(r->policy) };
	struct pol_state *seen = NULL, *want = NULL;
	bool made = false;
	int e;

	for (size_t i = 0; i < r->plan->n; i++)
		made |= r->plan->action[i].op == POL_OP_NUMVFS &&
		        r->plan->action[i].number;
	if (!made)
		return 0;
	e = t->ops->observe(t->ctx, &what, &seen, t->d);
	if (!e)
		e = pol_resolve(r->policy, seen, &want, errs);
	if (e && errs->n)
		*t->d = errs->e[0].diag;
	pol_state_free(want);
	pol_state_free(seen);
	return e;
}

/* After a failed action; true when the machine is as before. */
static bool go_back(struct transaction *t, const struct intent *in,
                    const struct run *r)
{
	struct diag u = { 0 };

	if (apply_undo(t->ops, t->ctx, in->before, &r->how, &u) < 0) {
		say_not_undone(t, &u);
		return false;
	}
	say_undone(t);
	return true;
}

/* original.json is written once: what it does not have of a PF's link and its
 * VFs could never be put back. */
static int check_links(const struct pol_state *now, struct diag *d)
{
	for (size_t i = 0; i < now->n_pfs; i++) {
		const struct pol_pf *p = &now->pf[i];

		if (!*p->ifname || p->set & POL_HAS_LINK ||
		    p->manage == POL_MANAGE_FUNCTIONS)
			continue;
		diag_fail(d, -EIO, FL_NETD_LINK,
		          "cannot read the link %s before changing it",
		          p->ifname);
		diag_why(d, "netlink did not answer for it");
		diag_mend(d, "see `ip -d link show dev %s`, then try again",
		          p->ifname);
		return -EIO;
	}
	return 0;
}

/* The state at the transaction's begin. A crashed one's is kept, so that
 * going back means where it began, not where it was cut; what it did not
 * know of is as seen now. */
int run_note_before(struct intent *in, const struct run *r, struct diag *d)
{
	struct pol_state *now = NULL;
	int e = state_of(r->seen, r->want, &now);

	if (!e)
		e = check_links(now, d);
	if (!e && in->before)
		e = not_learnt(state_add(in->before, now), d);
	else if (!e)
		in->before = TAKE_PTR(now);
	pol_state_free(now);
	return e;
}

/* ---- the history --------------------------------------------------------- */

static int begin_entry(struct transaction *t, struct intent *in, struct run *r)
{
	const struct history_head h = { .verb = t->verb,
		                        .file = in->file,
		                        .policy = in->policy,
		                        .policy_len = in->policy_len,
		                        .told = json_object_get(t->reply,
		                                                "actions"),
		                        .continues = in->history,
		                        .allow = t->allow,
		                        .who = in->who };
	int e = history_begin(t->env->state_fd, &h, r->plan, r->seen, &r->entry,
	                      t->d);

	if (!e)
		in->history = history_id(r->entry);
	return e;
}

/* The machine is what counts: it is not undone for want of a last word. */
static void end_entry(struct transaction *t, struct run *r,
                      enum history_result result, const struct diag *why)
{
	const struct observing what = observe_outcome(r->plan, r->seen);
	struct pol_state *after = NULL;
	struct diag said = { 0 };
	bool touched = false;

	for (size_t i = 0; i < r->plan->n; i++) {
		history_outcome(r->entry, i, (enum apply_outcome)r->outcome[i]);
		touched |= r->outcome[i] != APPLY_NOT_TRIED;
	}
	if (touched && !t->ops->observe(t->ctx, &what, &after, &said))
		(void)!t->ops->observe_more(t->ctx, after, r->want, &said);
	if (history_end(t->env->state_fd, r->entry, result, why, after, &said))
		reply_warn(t->reply, "%s: %s", said.what, said.why);
	audit_entry(t->env->log, t->env->journal, r->entry);
	pol_state_free(after);
}

/* An apply that fails at its very end may have its files in place already. */
static int files_back(struct transaction *t, const struct intent *in,
                      const struct run *r)
{
	_cleanup_free_ char *now = NULL;
	int state = t->env->state_fd, e = 0;
	struct diag said = { 0 };
	size_t len = 0;

	if (in->kind != INTENT_APPLY)
		return 0;
	if (r->unconfirmed)
		e = journal_drop(state, JOURNAL_UNCONFIRMED, &said);
	if (e)
		return e;
	e = journal_get(state, JOURNAL_APPLIED_FILE, &now, &len, &said);
	if (e && e != -ENOENT)
		return e;
	if (!in->previous)
		return e ? 0 : journal_drop(state, JOURNAL_APPLIED_FILE, &said);
	if (!e && len == in->previous_len && !memcmp(now, in->previous, len))
		return 0;
	return journal_put(state, JOURNAL_APPLIED_FILE, in->previous,
	                   in->previous_len, &said);
}

/* What only this change was to touch is not ours to put back later: others may
 * have set it otherwise by then. Where it stays, restore says more than it
 * must, and nothing is lost. */
static void original_back(struct transaction *t, const struct run *r)
{
	struct diag ignored = { 0 };

	if (r->original)
		(void)!journal_put(t->env->state_fd, JOURNAL_ORIGINAL,
		                   r->original, r->original_len, &ignored);
}

void run_forget_unused(struct transaction *t)
{
	struct diag *d = t->d, ignored = { 0 };

	t->d = &ignored;
	(void)!run_forget_stale(t);
	t->d = d;
}

int run_failed(struct transaction *t, const struct intent *in, struct run *r,
               int err)
{
	struct diag ignored = { 0 };
	bool back = go_back(t, in, r);

	end_entry(t, r, back ? HISTORY_UNDONE : HISTORY_NOT_UNDONE, t->d);
	if (!back || files_back(t, in, r))
		return err;
	original_back(t, r);
	if (!journal_drop(t->env->state_fd, JOURNAL_INTENT, &ignored))
		run_forget_unused(t);
	return err;
}

int run_plan(struct transaction *t, struct intent *in, struct run *r,
             struct pol_errors *errs)
{
	int e;

	r->outcome = calloc(r->plan->n + 1, 1);
	if (!r->outcome)
		return diag_fail(t->d, -ENOMEM, FL_NETD_MEMORY, "no memory");
	e = begin_entry(t, in, r);
	if (e)
		return e;
	e = intent_write(t->env->state_fd, in, t->d);
	if (e)
		return run_failed(t, in, r, e);
	e = apply_plan(t->ops, t->ctx, r->plan, r->outcome, &r->how, t->d);
	if (e && t->d->code == FL_NETD_STUCK) {
		e = 0;
		r->n_stuck++;
		r->stuck = *t->d;
	}
	if (!e && errs)
		e = check_after(t, r, errs);
	json_object_set_new(
		t->reply, "done",
		json_integer((json_int_t)apply_done(r->plan, r->outcome)));
	if (e)
		return run_failed(t, in, r, e);
	if (r->n_stuck)
		end_entry(t, r, HISTORY_STUCK, &r->stuck);
	else
		end_entry(t, r, HISTORY_DONE, NULL);
	return 0;
}

void run_leave_stuck(struct run *r)
{
	struct bdf first = { 0 };
	char b[BDF_STRLEN];

	r->n_stuck = state_drop_stuck(r->want, r->seen, &first);
	if (!r->n_stuck)
		return;
	diag_fail(&r->stuck, -ETIMEDOUT, FL_NETD_STUCK, "%s is stuck",
	          bdf_format(first, b));
	diag_why(&r->stuck, "%s", pol_stuck_why(state_find_pf(r->seen, first)));
	diag_mend(&r->stuck,
	          "see `dmesg | grep %s`; what holds the device must let go; "
	          "then `fairlead apply FILE`",
	          b);
}

/* An original.json beside neither a policy nor an intent was written by a
 * change that never began. It may be old by now: it must not pass for how
 * the machine was before this one. */
int run_forget_stale(struct transaction *t)
{
	int state = t->env->state_fd;
	struct pol_state *stale = NULL;
	int e = journal_phase(state, t->d);

	if (e != JOURNAL_NONE)
		return MIN(e, 0);
	/* A damaged one is never thrown away: who knows what it was. */
	e = original_read(state, &stale, t->d);
	pol_state_free(stale);
	if (e)
		return e == -ENOENT ? 0 : e;
	return journal_drop(state, JOURNAL_ORIGINAL, t->d);
}

void run_tell(struct transaction *t, const struct run *r)
{
	json_object_set_new(t->reply, "actions",
	                    r->plan ? pol_plan_to_json(r->plan) : json_array());
	json_object_set_new(t->reply, "done", json_integer(0));
}
