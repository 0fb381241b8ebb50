/* SPDX-License-Identifier: GPL-2.0-or-later */
/* confirm and rollback: how an apply that waits for a word ends (confirm.h). */

#include <string.h>

#include "netd/audit.h"
#include "netd/confirm.h"
#include "netd/history.h"
#include "netd/stuck.h"

static int nothing(struct diag *d)
{
	diag_fail(d, -ENOENT, FL_NETD_CONFIRMED,
	          "no apply waits for a confirmation");
	diag_why(d, "it was confirmed or rolled back already, or needed none");
	diag_mend(d, "see `fairlead history`");
	return -ENOENT;
}

static int unfinished(struct diag *d)
{
	diag_fail(d, -EAGAIN, FL_NETD_UNFINISHED,
	          "confirm: the roll-back has begun and is not finished");
	diag_why(d, "a part of what was applied is gone already");
	diag_mend(d, "fairlead apply FILE, or fairlead restore");
	return -EAGAIN;
}

/* The entry comes first: who keeps a change is a part of who made it. */
static int keep(struct work *w, const struct unconfirmed *u)
{
	const struct history_head h = { .verb = "confirm",
		                        .file = u->file,
		                        .continues = u->history,
		                        .who = asker_of(w->env->root_fd,
		                                        &w->peer) };
	const struct pol_plan none = { 0 };
	const struct pol_state unseen = { 0 };
	int state = w->env->state_fd;
	json_t *entry = NULL;
	int r = history_begin(state, &h, &none, &unseen, &entry, &w->diag);

	if (!r)
		r = journal_drop(state, JOURNAL_UNCONFIRMED, &w->diag);
	if (!r)
		r = history_end(state, entry, HISTORY_DONE, NULL, NULL,
		                &w->diag);
	if (!r)
		audit_entry(w->env->log, w->env->journal, entry);
	json_decref(entry);
	return r;
}

int verb_confirm(struct work *w)
{
	_cleanup_close_ int lock = -1;
	struct unconfirmed u = { 0 };
	int r = journal_lock(w->env->state_fd, 1000, &lock, &w->diag);
	int phase = r ? r : journal_phase(w->env->state_fd, &w->diag);

	if (phase < 0)
		return phase;
	r = unconfirmed_read(w->env->state_fd, &u, &w->diag);
	if (r == -ENOENT)
		return nothing(&w->diag);
	if (!r && phase == JOURNAL_APPLYING)
		r = unfinished(&w->diag);
	if (!r)
		r = keep(w, &u);
	if (!r)
		json_object_set_new(w->reply, "file", json_string(u.file));
	unconfirmed_clear(&u);
	return r;
}

/* Is it still to be done? It may have been confirmed while this waited. */
static int look(struct work *w, struct intent *in)
{
	struct unconfirmed u = { 0 };
	int r = unconfirmed_read(w->env->state_fd, &u, &w->diag);

	if (r)
		return r;
	if (!u.due_ns || confirm_now_ns() < u.due_ns) {
		unconfirmed_clear(&u);
		return -ENOENT;
	}
	*in = (struct intent){ .kind = INTENT_ROLLBACK,
		               .policy = TAKE_PTR(u.policy),
		               .policy_len = u.policy_len,
		               .history = u.history };
	memcpy(in->file, u.file, sizeof(in->file));
	unconfirmed_clear(&u);
	return 0;
}

static int is_stuck(struct work *w, struct bdf pf)
{
	char b[BDF_STRLEN];

	diag_fail(&w->diag, -ETIMEDOUT, FL_NETD_STUCK,
	          "the roll-back is not finished: %s is stuck",
	          bdf_format(pf, b));
	diag_why(&w->diag, "its driver has not come back");
	diag_mend(&w->diag, "see `dmesg | grep %s`", b);
	return -ETIMEDOUT;
}

/* Of those that are to be put back. */
static int still_hangs(struct work *w)
{
	struct unconfirmed u = { 0 };
	struct stuck s;
	int r = unconfirmed_read(w->env->state_fd, &u, &w->diag);

	if (r)
		return r == -ENOENT ? 0 : r;
	stuck_read(w->env, &s);
	for (size_t i = 0; !r && i < u.before->n_pfs; i++)
		if (stuck_hangs(&s, u.before->pf[i].bdf))
			r = is_stuck(w, u.before->pf[i].bdf);
	unconfirmed_clear(&u);
	return r;
}

/* It has begun, and was cut short or met what hangs: whoever was cut off by the
 * apply cannot start netd anew. Any other change is recover's. */
static int go_on(struct work *w)
{
	struct intent in = { 0 };
	int r = intent_read(w->env->state_fd, &in, &w->diag);

	if (!r && in.kind == INTENT_ROLLBACK) {
		r = still_hangs(w);
		if (!r)
			return verb_transact(w, &in);
	}
	intent_clear(&in);
	return r == -ENOENT ? 0 : r;
}

int verb_rollback(struct work *w)
{
	struct intent in = { 0 };
	int phase = journal_phase(w->env->state_fd, &w->diag);
	int r;

	/* What is unfinished comes first. */
	if (phase == JOURNAL_APPLYING)
		return go_on(w);
	if (phase != JOURNAL_UNCONFIRMED_YET)
		return MIN(phase, 0);
	r = look(w, &in);
	return r == -ENOENT ? 0 : r ? r : verb_transact(w, &in);
}
