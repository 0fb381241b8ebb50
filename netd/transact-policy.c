/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A transaction towards a policy. Where it is to be confirmed (confirm.h), the
 * file that says until when is written before applied.yaml: whoever sees the
 * new policy sees that it is not for good yet.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "netd/confirm.h"
#include "netd/early.h"
#include "netd/macs.h"
#include "netd/moves.h"
#include "netd/owners.h"
#include "netd/refused.h"
#include "netd/reload.h"
#include "netd/stuck.h"
#include "netd/transact.h"

static int check_budget(const struct transaction *t, const struct run *r)
{
	enum pol_budget b =
		t->allow.given ? t->allow.budget : r->policy->host.apply.budget;

	return budget_check(b, t->allow.given, r->plan, r->seen, t->d);
}

/* A write of a netd that was killed is let come back. */
static int observe_for(struct transaction *t, struct run *r)
{
	const struct observing what = { .parts = observe_for_policy(r->policy),
		                        .patient_ms = STUCK_PATIENT_MS };

	return t->ops->observe(t->ctx, &what, &r->seen, t->d);
}

static int prepare_policy(struct transaction *t, const struct intent *in,
                          struct run *r, struct pol_errors *errs)
{
	int e = policy_parse(in->policy, in->policy_len, &r->policy, errs,
	                     t->d);

	if (!e)
		e = macs_draw(t->env->state_fd, r->policy, t->d);
	if (!e)
		e = observe_for(t, r);
	if (!e)
		e = moves_apply(t->env, r->policy, r->seen, t->d);
	if (!e)
		e = pol_resolve(r->policy, r->seen, &r->want, errs);
	if (!e)
		run_leave_stuck(r);
	if (!e && in->early)
		early_ovs(t->env, r->want, t->reply);
	if (!e)
		e = t->ops->observe_more(t->ctx, r->seen, r->want, t->d);
	if (!e && in->early)
		early_rest(r->want, r->seen, t->reply);
	if (!e)
		e = pol_plan(r->want, r->seen, &r->plan, t->d);
	/* What was begun is brought to its end; but not by who asks anew, be it
	 * over what is unfinished. */
	if (!e && (t->mind_owners || !in->history))
		e = check_budget(t, r);
	if (!e && t->mind_owners)
		e = owners_check(t->env, r->plan, t->force, t->reply, t->d);
	if (!e && t->calm)
		e = reload_calm(r->plan, t->d);
	return e;
}

/* Until when, and what else: then applied.yaml may say so. */
static int note_unconfirmed(struct transaction *t, const struct intent *in)
{
	struct unconfirmed u = { .within_s = in->confirm_s,
		                 .policy = in->previous,
		                 .policy_len = in->previous_len,
		                 .before = in->before,
		                 .who = in->who,
		                 .history = in->history };
	int state = t->env->state_fd;

	if (!in->confirm_s)
		return faccessat(state, JOURNAL_UNCONFIRMED, F_OK, 0) < 0 &&
		                       errno == ENOENT
		               ? 0
		               : journal_drop(state, JOURNAL_UNCONFIRMED, t->d);
	memcpy(u.file, in->file, sizeof(u.file));
	u.due_ns = confirm_now_ns() + in->confirm_s * 1000000000ull;
	json_object_set_new(t->reply, "confirm-within",
	                    json_integer(in->confirm_s));
	return unconfirmed_write(state, &u, t->d);
}

/* Where it has gone and only that is not on the disk yet, a crash brings it
 * back and it is done again, which is nothing. */
static int drop_intent(struct transaction *t)
{
	int state = t->env->state_fd;
	int e = journal_drop(state, JOURNAL_INTENT, t->d);

	if (!e || journal_phase(state, NULL) == JOURNAL_APPLYING)
		return e;
	reply_warn(t->reply, "%s: %s", t->d->what, t->d->why);
	*t->d = (struct diag){ 0 };
	return 0;
}

static int commit_policy(struct transaction *t, const struct intent *in,
                         struct run *r)
{
	int state = t->env->state_fd, e;

	r->unconfirmed = in->confirm_s;
	e = note_unconfirmed(t, in);
	if (!e)
		e = journal_put(state, JOURNAL_APPLIED_FILE, in->policy,
		                in->policy_len, t->d);
	if (!e)
		e = drop_intent(t);
	return e ? run_failed(t, in, r, e) : 0;
}

/* A change that goes on after a crash has both from its begin. */
static int note_previous(struct transaction *t, struct intent *in)
{
	int e = in->history
	                ? 0
	                : journal_get(t->env->state_fd, JOURNAL_APPLIED_FILE,
	                              &in->previous, &in->previous_len, t->d);

	return e == -ENOENT ? 0 : e;
}

/* A change that goes on after a crash finds its own. */
static int note_original(struct transaction *t, struct run *r)
{
	int e = journal_get(t->env->state_fd, JOURNAL_ORIGINAL, &r->original,
	                    &r->original_len, t->d);

	return e == -ENOENT ? 0 : e;
}

static int note_confirm(struct transaction *t, struct intent *in,
                        const struct run *r)
{
	uint32_t within = 0;
	int e = confirm_within(t->env, in, r->policy, r->plan, &within, t->d);

	in->has_confirm = true;
	in->confirm_s = within;
	return e;
}

/* A journal that is being finished is never "as before". */
static bool changes_nothing(struct transaction *t, const struct intent *in,
                            const struct run *r)
{
	_cleanup_free_ char *text = NULL;
	int state = t->env->state_fd;
	struct diag ignored = { 0 };
	size_t len = 0;

	return !r->plan->n &&
	       journal_phase(state, &ignored) == JOURNAL_APPLIED &&
	       !journal_get(state, JOURNAL_APPLIED_FILE, &text, &len,
	                    &ignored) &&
	       len == in->policy_len && !memcmp(text, in->policy, len);
}

static int change_policy(struct transaction *t, struct intent *in,
                         struct run *r, struct pol_errors *errs)
{
	int e = run_note_before(in, r, t->d);

	if (!e)
		e = run_forget_stale(t);
	if (!e)
		e = note_previous(t, in);
	if (!e)
		e = note_confirm(t, in, r);
	if (!e)
		e = macs_keep(t->env->state_fd, r->policy, t->d);
	if (!e)
		e = note_original(t, r);
	if (!e)
		e = original_add(t->env->state_fd, in->before, r->want, t->d);
	r->how.one_by_one = !r->policy->host.apply.parallel;
	if (r->policy->host.apply.sysfs_ms.given == POL_GIVEN)
		r->how.action_ms = r->policy->host.apply.sysfs_ms.v;
	if (!e)
		e = run_plan(t, in, r, errs);
	return e ? e : commit_policy(t, in, r);
}

/* All that could be done was, and is kept; it is not all. */
static int say_stuck(struct transaction *t, const struct run *r)
{
	size_t len = strlen(r->stuck.why);

	if (!r->n_stuck)
		return 0;
	*t->d = r->stuck;
	snprintf(t->d->why + len, sizeof(t->d->why) - len,
	         "; all else is as the policy says");
	return t->d->err;
}

int transact_policy(struct transaction *t, struct intent *in,
                    struct pol_errors *errs)
{
	struct run r = { 0 };
	int e = prepare_policy(t, in, &r, errs);

	if (!e) {
		run_tell(t, &r);
		if (!changes_nothing(t, in, &r))
			e = change_policy(t, in, &r, errs);
		if (e)
			run_forget_unused(t);
		if (!e)
			refused_tell(t->env->state_fd, r.want, t->reply);
		if (!e)
			e = say_stuck(t, &r);
	}
	run_clear(&r);
	intent_clear(in);
	return e;
}
