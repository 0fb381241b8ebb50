/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transactions back: restore, to what was found before the first apply, and the
 * roll-back of an apply that nobody confirmed (confirm.h), to what was before
 * that one. The wanted state is one that was seen; what has gone since is
 * passed over.
 */

#include <stdio.h>

#include "netd/confirm.h"
#include "netd/macs.h"
#include "netd/refused.h"
#include "netd/stuck.h"
#include "netd/transact.h"

static void say_gone(struct bdf b, void *arg)
{
	char text[BDF_STRLEN];

	reply_warn(arg, "%s is gone; the rest is as it was",
	           bdf_format(b, text));
}

static bool is_pf(const struct transaction *t, struct bdf b)
{
	char path[64], name[BDF_STRLEN];
	uint64_t total;

	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/sriov_totalvfs",
	         bdf_format(b, name));
	return !sysfs_read_u64(t->env->root_fd, path, &total) && total;
}

/* A PF that is there and was not seen has not gone: what it is to be put back
 * to would be forgotten. */
static int check_seen(struct transaction *t, const struct run *r)
{
	char b[BDF_STRLEN];

	for (size_t i = 0; i < r->want->n_pfs; i++) {
		struct bdf pf = r->want->pf[i].bdf;

		if (state_find_pf(r->seen, pf) || !is_pf(t, pf))
			continue;
		diag_fail(t->d, -ERANGE, FL_NETD_DEVICE,
		          "%s is to be put back, and cannot be looked at",
		          bdf_format(pf, b));
		diag_why(t->d, "it is there, and has more than %d VFs",
		         SRIOV_VFS_MAX);
		diag_mend(t->d,
		          "echo 0 > /sys/bus/pci/devices/%s/sriov_numvfs; "
		          "then `fairlead restore`",
		          b);
		return -ERANGE;
	}
	return 0;
}

/* The plan back to `was`. A function that went away took its settings with it;
 * it must not keep the others from theirs. */
static int prepare_back(struct transaction *t, struct run *r,
                        const struct pol_state *was)
{
	/* As in transact-policy.c. */
	const struct observing what = { .parts = observe_for_state(was),
		                        .patient_ms = STUCK_PATIENT_MS };
	int e = pol_want_from_state(was, &r->want);

	if (!e)
		e = t->ops->observe(t->ctx, &what, &r->seen, t->d);
	if (!e)
		e = check_seen(t, r);
	if (!e) {
		state_drop_gone(r->want, r->seen, say_gone, t->reply);
		run_leave_stuck(r);
	}
	if (!e)
		e = t->ops->observe_more(t->ctx, r->seen, r->want, t->d);
	if (!e)
		e = pol_plan(r->want, r->seen, &r->plan, t->d);
	return e;
}

/* All that a prepared run has still to do but its commit. */
static int run_back(struct transaction *t, struct intent *in, struct run *r)
{
	int e;

	run_tell(t, r);
	e = run_note_before(in, r, t->d);
	if (!e)
		e = run_plan(t, in, r, NULL);
	/* What hangs is still to be put back: the intent stays. */
	if (!e && r->n_stuck) {
		*t->d = r->stuck;
		e = t->d->err;
	}
	return e;
}

/* *ret_none: never applied, or cut at the very end. No other -ENOENT may
 * pass for that: the journal goes then. */
static int prepare_restore(struct transaction *t, struct run *r, bool *ret_none)
{
	struct pol_state *original = NULL;
	int e = run_forget_stale(t);

	if (!e) {
		e = original_read(t->env->state_fd, &original, t->d);
		*ret_none = e == -ENOENT;
	}
	if (!e)
		e = prepare_back(t, r, original);
	pol_state_free(original);
	return e;
}

/* Who reads of a full disk is to know what has been done. */
static int only_files(struct transaction *t, int e)
{
	if (e)
		reply_warn(t->reply, "the machine is as it was; only files of "
		                     "the journal are left");
	return e;
}

/* What is left are files. Whoever comes over it, be it the next apply, is to
 * know that the machine is as it was: what this one began from is nothing to go
 * back to. */
static int note_back(struct transaction *t, struct intent *in)
{
	in->back = true;
	return only_files(t, intent_write(t->env->state_fd, in, t->d));
}

static int commit_restore(int state, struct diag *d)
{
	static const char *const files[] = { JOURNAL_APPLIED_FILE,
		                             JOURNAL_UNCONFIRMED,
		                             JOURNAL_ORIGINAL, JOURNAL_INTENT };
	int e = refused_forget_all(state, d);

	if (!e)
		e = macs_forget_all(state, d);
	for (size_t i = 0; !e && i < ARRAY_SIZE(files); i++)
		e = journal_drop(state, files[i], d);
	return e;
}

/* What was applied before is the applied policy again. */
static int commit_rollback(int state, const struct unconfirmed *u,
                           struct diag *d)
{
	int e = u->policy ? journal_put(state, JOURNAL_APPLIED_FILE, u->policy,
	                                u->policy_len, d)
	                  : journal_drop(state, JOURNAL_APPLIED_FILE, d);

	/* Nothing of ours is on the machine: then nothing is to restore. */
	if (!e && !u->policy)
		e = journal_drop(state, JOURNAL_ORIGINAL, d);
	if (!e)
		e = journal_drop(state, JOURNAL_UNCONFIRMED, d);
	return e ? e : journal_drop(state, JOURNAL_INTENT, d);
}

static int commit_back(int state, const struct intent *in, struct diag *d)
{
	struct unconfirmed u = { 0 };
	int e;

	if (in->kind == INTENT_RESTORE)
		return commit_restore(state, d);
	e = unconfirmed_read(state, &u, d);
	if (!e)
		e = commit_rollback(state, &u, d);
	else if (e == -ENOENT) /* cut short at its very end */
		e = journal_drop(state, JOURNAL_INTENT, d);
	unconfirmed_clear(&u);
	return e;
}

/* The machine is back: its files go, too. */
static int end_back(struct transaction *t, const struct intent *in)
{
	return only_files(t, commit_back(t->env->state_fd, in, t->d));
}

static int restore(struct transaction *t, struct intent *in)
{
	struct run r = { 0 };
	bool none = false;
	int e = prepare_restore(t, &r, &none);

	if (none)
		run_tell(t, &r);
	else if (!e)
		e = run_back(t, in, &r);
	if (!e && !none)
		e = note_back(t, in);
	run_clear(&r);
	return none ? 0 : e;
}

int transact_restore(struct transaction *t, struct intent *in)
{
	int e = in->back ? 0 : restore(t, in);

	if (!e)
		e = end_back(t, in);
	intent_clear(in);
	return e;
}

/* ---- roll-back ----------------------------------------------------------- */

/* People are to decide: it is not tried again by itself. */
static void give_up(struct transaction *t, struct unconfirmed *u)
{
	struct diag said = { 0 };

	u->due_ns = 0;
	json_decref(u->error);
	u->error = reply_error(t->d);
	if (unconfirmed_write(t->env->state_fd, u, &said))
		reply_warn(t->reply, "%s: %s", said.what, said.why);
}

static int roll_back_to(struct transaction *t, struct intent *in,
                        struct unconfirmed *u)
{
	struct run r = { 0 };
	int e = prepare_back(t, &r, u->before);

	if (!e)
		e = run_back(t, in, &r);
	if (e && !r.n_stuck)
		give_up(t, u);
	run_clear(&r);
	return e ? e : note_back(t, in);
}

static int roll_back(struct transaction *t, struct intent *in)
{
	struct unconfirmed u = { 0 };
	int e = unconfirmed_read(t->env->state_fd, &u, t->d);

	if (!e)
		e = roll_back_to(t, in, &u);
	else if (e == -ENOENT) /* cut short at its very end */
		e = 0;
	unconfirmed_clear(&u);
	return e;
}

int transact_rollback(struct transaction *t, struct intent *in)
{
	int e = in->back ? 0 : roll_back(t, in);

	if (!e)
		e = end_back(t, in);
	intent_clear(in);
	return e;
}

/* ---- what was left unfinished -------------------------------------------- */

static int inherit(int state_fd, struct intent *old, struct intent *in,
                   struct diag *d)
{
	int r;

	if (old->back)
		return 0;
	in->before = TAKE_PTR(old->before);
	in->previous = TAKE_PTR(old->previous);
	in->previous_len = old->previous_len;
	in->history = old->history;
	/* What goes back takes the applied policy away at its very end: until
	 * then the state before is that policy's. An apply's file may be its
	 * own already. */
	if (old->kind == INTENT_APPLY || in->previous)
		return 0;
	r = journal_get(state_fd, JOURNAL_APPLIED_FILE, &in->previous,
	                &in->previous_len, d);
	return r == -ENOENT ? 0 : r;
}

int transact_inherit(int state_fd, struct intent *in, struct diag *d)
{
	struct intent old = { 0 };
	int r = intent_read(state_fd, &old, d);

	if (!r)
		r = inherit(state_fd, &old, in, d);
	else if (r == -ENOENT)
		r = 0;
	intent_clear(&old);
	return r;
}
