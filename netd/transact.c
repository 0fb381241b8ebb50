/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One transaction. Order:
 *   observe, resolve, plan        refusals end here; nothing was written
 *   original.json                 what was, of PFs not yet in it; fsync
 *   intent.json                   what is to be, and what was before; fsync
 *   the plan's actions
 *   applied.yaml, then intent.json goes
 * A crash before the intent: nothing was changed. After it: recovery runs the
 * intent again, from whatever it finds. An action that fails: back to
 * "before", then the intent goes; only where going back fails too (or a
 * device hangs, which nothing can undo now) does it stay, for the next start.
 *
 * Restore is the same with the wanted state from original.json, and the
 * journal's files go at its end, the intent last.
 */

#include <stdio.h>
#include <string.h>

#include "netd/owners.h"
#include "netd/refused.h"
#include "netd/reload.h"

/* What one run of the machinery needs; freed at once. */
struct run {
	struct pol_policy *policy;
	struct pol_state *seen, *want;
	struct pol_plan *plan;
};

static void run_clear(struct run *r)
{
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
	struct pol_state *seen = NULL, *want = NULL;
	bool made = false;
	int e;

	for (size_t i = 0; i < r->plan->n; i++)
		made |= r->plan->action[i].op == POL_OP_NUMVFS &&
		        r->plan->action[i].number;
	if (!made)
		return 0;
	e = t->ops->observe(t->ctx, &seen, t->d);
	if (!e)
		e = pol_resolve(r->policy, seen, &want, errs);
	if (e && errs->n)
		*t->d = errs->e[0].diag;
	pol_state_free(want);
	pol_state_free(seen);
	return e;
}

/* After a failed action; true when the machine is as before. */
static bool go_back(struct transaction *t, const struct intent *in)
{
	struct diag u = { 0 };

	if (t->d->code == FL_SRIOV_STUCK) {
		diag_fail(&u, -ETIMEDOUT, FL_SRIOV_STUCK,
		          "not tried: a device hangs");
		say_not_undone(t, &u);
		return false;
	}
	if (apply_undo(t->ops, t->ctx, in->before, &u) < 0) {
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
static int note_before(struct intent *in, const struct run *r, struct diag *d)
{
	struct pol_state *now = NULL;
	int e = state_of(r->seen, r->want, &now);

	if (!e)
		e = check_links(now, d);
	if (!e && in->before)
		e = state_add(in->before, now);
	else if (!e)
		in->before = TAKE_PTR(now);
	pol_state_free(now);
	return e;
}

static int end_failed(struct transaction *t, const struct intent *in, int err)
{
	int state = t->env->state_fd;
	struct diag ignored = { 0 };

	if (!go_back(t, in))
		return err;
	if (journal_drop(state, JOURNAL_INTENT, &ignored) < 0)
		return err;
	/* Nothing of ours is on the machine: then nothing is to restore. */
	if (journal_phase(state, &ignored) == JOURNAL_NONE)
		(void)!journal_drop(state, JOURNAL_ORIGINAL, &ignored);
	return err;
}

static int do_plan(struct transaction *t, const struct intent *in,
                   const struct run *r, struct pol_errors *errs)
{
	size_t done = 0;
	int e = intent_write(t->env->state_fd, in, t->d);

	if (e)
		return e;
	e = apply_plan(t->ops, t->ctx, r->plan, &done, t->d);
	if (!e && errs)
		e = check_after(t, r, errs);
	json_object_set_new(t->reply, "done", json_integer((json_int_t)done));
	return e ? end_failed(t, in, e) : 0;
}

/* ---- apply -----------------------------------------------------------------
 */

static int prepare_policy(struct transaction *t, const struct intent *in,
                          struct run *r, struct pol_errors *errs)
{
	int e = policy_parse(in->policy, in->policy_len, &r->policy, errs,
	                     t->d);

	if (!e)
		e = t->ops->observe(t->ctx, &r->seen, t->d);
	if (!e)
		e = pol_resolve(r->policy, r->seen, &r->want, errs);
	if (!e)
		e = t->ops->observe_more(t->ctx, r->seen, r->want, t->d);
	if (!e)
		e = pol_plan(r->want, r->seen, &r->plan, t->d);
	if (!e && t->mind_owners)
		e = owners_check(t->env, r->plan, t->force, t->reply, t->d);
	if (!e && t->calm)
		e = reload_calm(r->plan, t->d);
	return e;
}

static int commit_policy(struct transaction *t, const struct intent *in)
{
	int state = t->env->state_fd;
	int e = journal_put(state, JOURNAL_APPLIED_FILE, in->policy,
	                    in->policy_len, t->d);

	return e ? e : journal_drop(state, JOURNAL_INTENT, t->d);
}

/* An original.json beside neither a policy nor an intent was written by a
 * change that never began. It may be old by now: it must not pass for how
 * the machine was before this one. */
static int forget_stale(struct transaction *t)
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

int transact_policy(struct transaction *t, struct intent *in,
                    struct pol_errors *errs)
{
	int state = t->env->state_fd;
	struct run r = { 0 };
	int e = prepare_policy(t, in, &r, errs);

	if (!e) {
		json_object_set_new(t->reply, "actions",
		                    pol_plan_to_json(r.plan));
		e = note_before(in, &r, t->d);
	}
	if (!e)
		e = forget_stale(t);
	if (!e)
		e = original_add(state, in->before, r.want, t->d);
	if (!e)
		e = do_plan(t, in, &r, errs);
	if (!e)
		e = commit_policy(t, in);
	if (!e)
		refused_tell(t->env->state_fd, r.want, t->reply);
	run_clear(&r);
	intent_clear(in);
	return e;
}

/* ---- restore ---------------------------------------------------------------
 */

static void say_gone(struct bdf b, void *arg)
{
	char text[BDF_STRLEN];

	reply_warn(arg, "%s is gone; the rest is as it was found",
	           bdf_format(b, text));
}

/* *ret_none: never applied, or cut at the very end. No other -ENOENT may
 * pass for that: the journal goes then. */
static int prepare_restore(struct transaction *t, struct run *r, bool *ret_none)
{
	struct pol_state *original = NULL;
	int e = forget_stale(t);

	if (!e) {
		e = original_read(t->env->state_fd, &original, t->d);
		*ret_none = e == -ENOENT;
	}
	if (!e)
		e = pol_want_from_state(original, &r->want);
	if (!e)
		e = t->ops->observe(t->ctx, &r->seen, t->d);
	/* A function that went away took its settings with it; it must not
	 * keep the others from theirs. */
	if (!e)
		state_drop_gone(r->want, r->seen, say_gone, t->reply);
	if (!e)
		e = t->ops->observe_more(t->ctx, r->seen, r->want, t->d);
	if (!e)
		e = pol_plan(r->want, r->seen, &r->plan, t->d);
	pol_state_free(original);
	return e;
}

static int commit_restore(struct transaction *t)
{
	static const char *const files[] = { JOURNAL_APPLIED_FILE,
		                             JOURNAL_ORIGINAL, JOURNAL_INTENT };
	int e = refused_forget_all(t->env->state_fd, t->d);

	for (size_t i = 0; !e && i < ARRAY_SIZE(files); i++)
		e = journal_drop(t->env->state_fd, files[i], t->d);
	return e;
}

int transact_restore(struct transaction *t, struct intent *in)
{
	struct run r = { 0 };
	bool none = false;
	int e = prepare_restore(t, &r, &none);

	if (none) {
		json_object_set_new(t->reply, "actions", json_array());
		json_object_set_new(t->reply, "done", json_integer(0));
		e = commit_restore(t);
	} else {
		if (!e) {
			json_object_set_new(t->reply, "actions",
			                    pol_plan_to_json(r.plan));
			e = note_before(in, &r, t->d);
		}
		if (!e)
			e = do_plan(t, in, &r, NULL);
		if (!e)
			e = commit_restore(t);
	}
	run_clear(&r);
	intent_clear(in);
	return e;
}
