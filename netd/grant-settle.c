/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions of a guest, or of a loan, as they are to be: a plan for them alone,
 * empty where nothing drifted. What is done is told as all changes are, with
 * what was and what is (history.h): a lease that puts a VLAN right, and a CNI
 * plugin that sets one, must be found by whoever asks why the VF has it.
 */

#include <string.h>

#include "netd/audit.h"
#include "netd/grant.h"
#include "netd/history.h"

#define SETTLE_LOCK_MS 10000u /* of a lease's 30 s */

static bool was_tried(const struct pol_plan *plan, const uint8_t *outcome)
{
	for (size_t i = 0; i < plan->n; i++)
		if (outcome[i] != APPLY_NOT_TRIED)
			return true;
	return false;
}

static json_t *actions(const struct work *w, const struct settled *s)
{
	json_t *e = json_object(), *list;

	history_actions(e, s->plan, NULL, s->before);
	for (size_t i = 0; i < s->plan->n; i++)
		history_outcome(e, i, (enum apply_outcome)s->outcome[i]);
	if (s->after)
		history_after(e, s->after);
	list = json_incref(json_object_get(e, "actions"));
	json_decref(e);
	/* A borrower is no guest. */
	for (size_t i = 0; *w->req.holder && i < json_array_size(list); i++)
		json_object_set_new(json_array_get(list, i), "label",
		                    json_string(""));
	return list;
}

/* What guests and borrowers need is not refused for want of an entry. */
void settle_tell(struct work *w, const struct settled *s)
{
	const struct history_head h = {
		.verb = w->permit->verb,
		.who = w->peer.pid ? asker_of(w->env->root_fd, &w->peer)
		                   : w->req.who,
		.holder = w->req.holder,
	};
	struct diag said = { 0 };
	json_t *entry = NULL;

	if (!was_tried(s->plan, s->outcome))
		return;
	if (history_note(w->env->state_fd, &h, actions(w, s),
	                 s->e < 0 ? HISTORY_FAILED : HISTORY_DONE,
	                 s->e < 0 ? &w->diag : NULL, &entry, &said))
		log_diag(w->env->log, LOG_LVL_WARN, &said);
	else
		audit_entry(w->env->log, w->env->journal, entry);
	json_decref(entry);
}

/* As it is now, for who goes on with it, and to be told. What hangs is not
 * asked again. */
static int look_after(struct work *w, struct guest_run *r, int e)
{
	struct diag said = w->diag;
	int looked = -EBUSY;

	if (!e || said.code != FL_SRIOV_STUCK)
		looked = grant_look_again(w, r);
	if (e)
		w->diag = said;
	return looked;
}

static int do_plan(struct work *w, struct guest_run *r,
                   const struct pol_plan *plan, size_t *ret_n)
{
	_cleanup_free_ uint8_t *outcome = calloc(plan->n, 1);
	const struct apply_how how = { .here = true };
	struct settled s = { .plan = plan, .outcome = outcome };
	struct pol_state *before = NULL;
	int looked;

	if (!outcome)
		return -ENOMEM;
	s.e = state_of(r->seen, r->want, &before);
	if (s.e)
		return s.e;
	s.before = before;
	s.e = apply_plan(&machine_ops, &r->m, plan, outcome, &how, &w->diag);
	*ret_n = apply_done(plan, outcome);
	looked = look_after(w, r, s.e);
	s.after = looked ? NULL : r->seen;
	settle_tell(w, &s);
	pol_state_free(before);
	return s.e < 0 ? s.e : looked;
}

/* With the lock: a write of an earlier change may just have come back, so
 * the plan is made from what is now. */
static int settle_locked(struct work *w, struct guest_run *r, size_t *ret_n)
{
	_cleanup_close_ int lock = -1;
	struct pol_plan *plan = NULL;
	int e = journal_lock(w->env->state_fd, SETTLE_LOCK_MS, &lock, &w->diag);

	if (!e)
		e = grant_look_again(w, r);
	if (!e)
		e = pol_plan(r->want, r->seen, &plan, &w->diag);
	if (!e && plan->n)
		e = do_plan(w, r, plan, ret_n);
	pol_plan_free(plan);
	return e;
}

int grant_settle(struct work *w, struct guest_run *r, size_t *ret_n)
{
	struct pol_plan *plan = NULL;
	int e = pol_plan(r->want, r->seen, &plan, &w->diag);
	size_t n = e ? 0 : plan->n;

	pol_plan_free(e ? NULL : plan);
	return e || !n ? e : settle_locked(w, r, ret_n);
}
