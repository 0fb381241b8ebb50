/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan, apply, restore, and recover: what their workers do. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "netd/confirm.h"
#include "netd/early.h"
#include "netd/history.h"
#include "netd/macs.h"
#include "netd/moves.h"
#include "netd/owners.h"
#include "netd/refused.h"
#include "netd/stuck.h"
#include "netd/switch.h"

/* A device write of a killed netd may take this long to come back. */
#define LOCK_MS (SRIOV_NUMVFS_MS + 5000u)

int policy_parse(const char *text, size_t len, struct pol_policy **ret,
                 struct pol_errors *errs, struct diag *d)
{
	int r = pol_parse(text, len, ret, errs);

	if (r == -ENOMEM)
		diag_fail(d, -ENOMEM, FL_NETD_MEMORY,
		          "no memory for the policy");
	return r;
}

static int no_policy(struct diag *d)
{
	diag_fail(d, -ENOENT, FL_NETD_NO_POLICY, "no policy is applied");
	diag_mend(d, "fairlead apply FILE");
	return -ENOENT;
}

int policy_applied(const struct env *e, struct pol_policy **ret,
                   struct pol_errors *errs, struct diag *d)
{
	_cleanup_free_ char *text = NULL;
	struct pol_policy *p = NULL;
	size_t len = 0;
	int r = journal_get(e->state_fd, JOURNAL_APPLIED_FILE, &text, &len, d);

	if (r == -ENOENT)
		return no_policy(d);
	if (!r)
		r = policy_parse(text, len, &p, errs, d);
	if (!r)
		r = macs_applied(e->state_fd, p, d);
	if (!r)
		r = moves_apply(e, p, NULL, d);
	if (r)
		pol_free(p);
	else
		*ret = p;
	return r;
}

/* The client's memfd must not change while it is read, nor block. */
static int read_policy(struct work *w, char **ret, size_t *ret_len)
{
	static const int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;
	int have = fcntl(w->policy_fd, F_GET_SEALS), r;

	if (have < 0 || (have & seals) != seals) {
		diag_fail(&w->diag, -EPROTO, FL_NETD_REQUEST,
		          "%s: the policy is no sealed memfd", w->permit->verb);
		diag_mend(&w->diag, "see netd/netd-proto.h");
		return -EPROTO;
	}
	r = fd_read_file(w->policy_fd, NETD_POLICY_MAX, ret, ret_len);
	if (r < 0) {
		diag_fail(&w->diag, r, FL_NETD_REQUEST,
		          "%s: cannot read the policy", w->permit->verb);
		diag_why(&w->diag, "%s", strerror(-r));
		diag_mend(&w->diag, "a policy has at most %u bytes",
		          NETD_POLICY_MAX);
	}
	return MIN(r, 0);
}

/* ---- plan ---------------------------------------------------------------- */

static void tell_left_out(const struct pol_state *want,
                          const struct pol_state *seen, json_t *reply)
{
	char b[BDF_STRLEN];

	for (size_t i = 0; i < want->n_pfs; i++) {
		const struct pol_pf *p = state_find_pf(seen, want->pf[i].bdf);

		if (p && pol_pf_stuck(&want->pf[i], p))
			reply_warn(reply, "%s is left out: %s",
			           bdf_format(p->bdf, b), pol_stuck_why(p));
	}
}

static void tell_risk(const char *text, void *reply)
{
	reply_warn(reply, "%s", text);
}

/* That an apply is to be confirmed, before it is. What cannot be told now the
 * apply says. */
static void tell_confirm(struct work *w, const struct pol_policy *p,
                         const struct pol_plan *plan)
{
	const struct intent in = { .history = 0 };
	struct diag d = { 0 };
	uint32_t within = 0;

	if (confirm_within(w->env, &in, p, plan, &within, &d))
		reply_warn(w->reply, "%s: %s", d.what, d.why);
	else if (within)
		json_object_set_new(w->reply, "confirm-within",
		                    json_integer(within));
}

static int plan_policy(struct work *w, const struct machine *m,
                       struct pol_policy *p)
{
	struct pol_state *seen = NULL, *want = NULL;
	struct pol_plan *plan = NULL;
	/* Who waits to apply it asks time and again, and is not to be told of
	 * what apply does not look at. */
	const struct observing applied = { .parts = observe_for_policy(p) };
	int r = observe(w->env, m->rtnl, w->req.early ? &applied : NULL, &seen,
	                &w->diag);

	if (!r && w->policy_fd >= 0)
		r = moves_apply(w->env, p, seen, &w->diag);
	if (!r)
		r = pol_resolve(p, seen, &want, &w->errs);
	if (!r && w->req.early)
		early_ovs(w->env, want, w->reply);
	if (!r)
		r = machine_ops.observe_more((void *)(uintptr_t)m, seen, want,
		                             &w->diag);
	if (!r && w->req.early)
		early_rest(want, seen, w->reply);
	if (!r)
		r = pol_plan(want, seen, &plan, &w->diag);
	if (!r)
		refused_tell(w->env->state_fd, want, w->reply);
	if (!r)
		tell_left_out(want, seen, w->reply);
	if (!r)
		r = owners_check(w->env, plan, true, w->reply, &w->diag);
	if (!r) {
		pol_each_risk(p, want, seen, plan, tell_risk, w->reply);
		tell_confirm(w, p, plan);
	}
	if (!r)
		json_object_set_new(w->reply, "actions",
		                    pol_plan_to_json(plan));
	if (!r)
		json_object_set_new(w->reply, "at-start",
		                    pol_at_start_to_json(p));
	if (!r)
		json_object_set_new(w->reply, "placement",
		                    pol_placement_to_json(p, want));
	pol_plan_free(plan);
	pol_state_free(want);
	pol_state_free(seen);
	return r;
}

int verb_plan(struct work *w)
{
	_cleanup_free_ char *text = NULL;
	struct pol_policy *p = NULL;
	struct machine m = { 0 };
	size_t len = 0;
	int r;

	if (w->policy_fd >= 0) {
		r = read_policy(w, &text, &len);
		if (!r)
			r = policy_parse(text, len, &p, &w->errs, &w->diag);
		if (!r)
			r = macs_fill(w->env->state_fd, p, &w->diag);
	} else {
		r = policy_applied(w->env, &p, &w->errs, &w->diag);
	}
	if (!r)
		r = machine_open(w->env, &m, &w->diag);
	if (!r)
		r = plan_policy(w, &m, p);
	machine_close(&m);
	pol_free(p);
	return r;
}

/* ---- changes ------------------------------------------------------------- */

/* Lock, machine, transaction. `in` is consumed. */
static int transact_as(struct work *w, struct intent *in, bool calm)
{
	_cleanup_close_ int lock = -1;
	struct machine m = { 0 };
	struct transaction t = { .env = w->env,
		                 .ops = &machine_ops,
		                 .ctx = &m,
		                 .reply = w->reply,
		                 .d = &w->diag,
		                 .mind_owners = w->permit->run == verb_apply ||
		                                w->permit->run == verb_reload,
		                 .force = w->req.force,
		                 .allow = w->req.allow,
		                 .calm = calm,
		                 .verb = w->permit->verb };
	int r = journal_lock(w->env->state_fd, LOCK_MS, &lock, &w->diag);

	if (!r)
		r = machine_open(w->env, &m, &w->diag);
	m.lock = &lock;
	if (r)
		intent_clear(in);
	else
		r = in->kind == INTENT_APPLY ? transact_policy(&t, in, &w->errs)
		    : in->kind == INTENT_RESTORE ? transact_restore(&t, in)
		                                 : transact_rollback(&t, in);
	if (!r)
		stuck_forget(w->env);
	machine_close(&m);
	return r;
}

int verb_transact(struct work *w, struct intent *in)
{
	return transact_as(w, in, false);
}

int verb_end_back(struct work *w)
{
	struct intent old = { 0 };
	int r = intent_read(w->env->state_fd, &old, &w->diag);

	if (!r && old.back)
		return verb_transact(w, &old);
	intent_clear(&old);
	return r == -ENOENT ? 0 : r;
}

int transact_again(struct work *w, struct intent *in, bool calm)
{
	int r = transact_inherit(w->env->state_fd, in, &w->diag);

	/* Nobody is there to confirm it, nor does a file confirm another: not
	 * while its roll-back is unfinished, either. */
	in->has_confirm = true;
	in->confirm_s = 0;
	if (!r)
		r = confirm_refuse(w, w->permit->verb);
	if (!r)
		return transact_as(w, in, calm);
	intent_clear(in);
	return r;
}

int verb_apply(struct work *w)
{
	struct intent in = { 0 };
	int r = read_policy(w, &in.policy, &in.policy_len);

	in.early = w->req.early;
	in.has_confirm = w->req.has_confirm;
	in.confirm_s = w->req.confirm_s;
	memcpy(in.file, w->req.file, sizeof(in.file));
	in.who = asker_of(w->env->root_fd, &w->peer);
	if (!r)
		r = verb_end_back(w);
	if (!r)
		r = transact_inherit(w->env->state_fd, &in, &w->diag);
	/* What is unfinished is finished, or gone over: never two roll-backs.
	 */
	if (!r && !in.before)
		r = confirm_refuse(w, "apply");
	if (r) {
		intent_clear(&in);
		return r;
	}
	return verb_transact(w, &in);
}

int verb_restore(struct work *w)
{
	struct intent in = { .kind = INTENT_RESTORE,
		             .who = asker_of(w->env->root_fd, &w->peer) };
	int r = transact_inherit(w->env->state_fd, &in, &w->diag);

	if (!r)
		return verb_transact(w, &in);
	intent_clear(&in);
	return r;
}

/* Some PF was stuck when the policy was applied. If it has come back, what is
 * missing is done; but not while the policy waits to be confirmed, since that
 * would stand for the confirmation. */
static int resume(struct work *w)
{
	struct intent in = { .kind = INTENT_APPLY, .has_confirm = true };
	struct stuck s;
	bool back = false;
	int r = journal_phase(w->env->state_fd, &w->diag);

	if (r < 0 || r == JOURNAL_UNCONFIRMED_YET)
		return MIN(r, 0);
	stuck_read(w->env, &s);
	back = s.devlink && !s.devlink_hangs;
	for (size_t i = 0; i < s.n; i++)
		back |= !s.pf[i].hangs;
	if (!back)
		return 0;
	r = journal_get(w->env->state_fd, JOURNAL_APPLIED_FILE, &in.policy,
	                &in.policy_len, &w->diag);
	if (r) {
		stuck_forget(w->env);
		return r == -ENOENT ? 0 : r;
	}
	log_line(w->env->log, LOG_LVL_INFO,
	         "what was stuck answers again: doing the rest");
	return verb_transact(w, &in);
}

int verb_recover(struct work *w)
{
	struct intent in = { 0 };
	int r = intent_read(w->env->state_fd, &in, &w->diag);

	if (r == -ENOENT)
		return resume(w);
	if (r)
		return r;
	log_line(w->env->log, LOG_LVL_WARN,
	         "an earlier %s%s%s was cut short: finishing it",
	         in.kind == INTENT_APPLY     ? "apply"
	         : in.kind == INTENT_RESTORE ? "restore"
	                                     : "roll-back",
	         *in.file ? " of " : "", in.file);
	return verb_transact(w, &in);
}

/* ---- history ------------------------------------------------------------- */

int verb_history(struct work *w)
{
	json_t *found = NULL;
	int r = w->req.entry ? history_get(w->env->state_fd, w->req.entry,
	                                   &found, &w->diag)
	                     : history_list(w->env->state_fd, &found, &w->diag);

	if (!r)
		json_object_set_new(w->reply,
		                    w->req.entry ? "entry" : "entries", found);
	return r;
}
