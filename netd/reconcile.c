/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One look at the machine: what of it is not as applied, and what of that is
 * put right. A worker's. Order: whole functions; the bridges that netd makes,
 * each by itself, since ports are put into them; then each PF, the plan for all
 * of it; where that is refused, of the PF itself and of each VF by itself, so
 * that a VF that somebody has keeps no other from its own.
 */

#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "netd/audit.h"
#include "netd/early.h"
#include "netd/history.h"
#include "netd/ledger.h"
#include "netd/macvtap.h"
#include "netd/owners.h"
#include "netd/reconcile.h"

#define RECONCILE_LOCK_MS 10000u

/* ---- what is safe -------------------------------------------------------- */

/* Nobody loses what is not there. But a whole function that somebody took from
 * vfio is one that the host wants back: it is not taken again by itself. */
static bool is_safe(const struct pol_action *a, const struct pol_pf *seen)
{
	if (a->op == POL_OP_DEV_DRIVER)
		return false;
	if (a->op == POL_OP_NUMVFS)
		return a->number && seen && !seen->num_vfs;
	return a->disruption == POL_DIS_NONE;
}

/* A disruptive change of the count leaves no VF that the rest could be about.
 */
static bool cuts(const struct pol_plan *plan, const struct pol_pf *seen)
{
	for (size_t i = 0; i < plan->n; i++)
		if (plan->action[i].op == POL_OP_NUMVFS &&
		    !is_safe(&plan->action[i], seen))
			return true;
	return false;
}

/* Autoprobe that is lent for a step (policy.h) is no drift; nor is it lent for
 * steps that are not taken. */
static size_t count_op(const struct pol_plan *plan, enum pol_op op, bool safe)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->n; i++)
		n += plan->action[i].op == op &&
		     (!safe || plan->action[i].disruption == POL_DIS_NONE);
	return n;
}

static bool is_helper(const struct pol_plan *plan, const struct pol_action *a)
{
	return a->op == POL_OP_AUTOPROBE &&
	       count_op(plan, POL_OP_AUTOPROBE, false) > 1;
}

static const struct pol_reconcile *rules(const struct look *l)
{
	return &l->policy->host.reconcile;
}

static enum pol_drift treatment(const struct look *l, bool safe)
{
	enum pol_drift t = safe ? rules(l)->safe : rules(l)->disruptive;

	if (t == POL_DRIFT_REPAIR && l->policy->host.mode == POL_MODE_OBSERVE)
		t = POL_DRIFT_REPORT;
	return t;
}

/* ---- found --------------------------------------------------------------- */

static void found(struct look *l, const struct pol_action *a,
                  enum drift_state state, const char *why)
{
	if (json_array_size(l->found) < (size_t)4 * DRIFT_MAX)
		json_array_append_new(l->found, drift_json(a, state, why));
}

static void fought(struct look *l, const struct pol_action *a)
{
	char who[OWNER_TEXT] = "", why[DIAG_LINE];

	if (l->env)
		owners_suspect(l->env, a, who);
	snprintf(why, sizeof(why),
	         "repaired %d times in %d minutes, and it came back: %s",
	         FIGHT_MAX, FIGHT_SECONDS / 60,
	         *who ? who : "somebody else sets it, see `ip monitor link`");
	found(l, a, DRIFT_FOUGHT, why);
}

static int act(struct look *l, const struct pol_action *a, struct diag *d)
{
	struct pol_action copy = *a;
	const struct pol_plan one = { .action = &copy, .n = 1 };
	const struct apply_how how = { .here = true };
	uint8_t outcome = APPLY_NOT_TRIED;

	return apply_plan(l->ops, l->ctx, &one, &outcome, &how, d);
}

/* Negative: what follows of this PF has lost its ground. */
static int repair(struct look *l, const struct pol_action *a)
{
	struct diag d = { 0 };
	const char *hopeless;
	char why[DIAG_LINE];
	int r;

	if (l->only) {
		l->differs = true;
		return 0;
	}
	if (drift_is_fight(l->past, a, l->now)) {
		fought(l, a);
		return a->op == POL_OP_NUMVFS ? -EBUSY : 0;
	}
	hopeless = drift_is_hopeless(l->past, a, l->now);
	if (hopeless) {
		found(l, a, DRIFT_FAILED, hopeless);
		return a->op == POL_OP_NUMVFS ? -EIO : 0;
	}
	r = act(l, a, &d);
	if (json_array_size(l->tried) < HISTORY_ACTIONS_MAX)
		json_array_append_new(
			l->tried,
			history_action(a, l->was,
		                       r < 0 ? APPLY_FAILED : APPLY_DONE));
	if (r >= 0) {
		found(l, a, DRIFT_REPAIRED, "");
		return 0;
	}
	snprintf(why, sizeof(why), "FL-%04d %.100s: %.100s", d.code, d.what,
	         d.why);
	found(l, a, DRIFT_FAILED, why);
	l->stuck |= d.code == FL_SRIOV_STUCK;
	return a->op == POL_OP_NUMVFS || l->stuck ? -EIO : 0;
}

static int helper(struct look *l, const struct pol_action *a)
{
	struct diag d = { 0 };

	return l->only ? 0 : act(l, a, &d);
}

static int treat(struct look *l, const struct pol_plan *plan,
                 const struct pol_action *a, const struct pol_pf *seen,
                 bool cut)
{
	bool safe = !cut && is_safe(a, seen);

	if (is_helper(plan, a))
		return treatment(l, true) == POL_DRIFT_REPAIR && !cut &&
		                       count_op(plan, POL_OP_VF_DRIVER, true)
		               ? helper(l, a)
		               : 0;
	switch (treatment(l, safe)) {
	case POL_DRIFT_REPAIR:
		return repair(l, a);
	case POL_DRIFT_REPORT:
		found(l, a, DRIFT_REPORTED,
		      !safe ? "it would disrupt: `fairlead apply FILE` does it"
		            : "the policy says to report it only");
		return 0;
	default:
		return 0;
	}
}

static void do_plan(struct look *l, const struct pol_plan *plan,
                    const struct pol_pf *seen)
{
	bool cut = cuts(plan, seen);

	for (size_t i = 0; i < plan->n && !l->stuck; i++)
		if (treat(l, plan, &plan->action[i], seen, cut) < 0)
			return;
}

/* ---- each PF ------------------------------------------------------------- */

/* A plan that is refused says why. `a`: what it is about. */
static void refused(struct look *l, const struct pol_action *a, json_t *text,
                    const struct diag *d)
{
	char why[DIAG_LINE];
	json_t *o;

	snprintf(why, sizeof(why), "%.100s: %.100s", d->what, d->why);
	o = drift_json(a, DRIFT_REFUSED, why);
	json_object_set_new(o, "text", text);
	json_array_append_new(l->found, o);
}

/* The VF's driver is as good a name as any for "this VF". */
static void refused_part(struct look *l, const struct pol_pf *pf,
                         const struct pol_vf *vf, const struct diag *d)
{
	struct pol_action a = { .op = vf ? POL_OP_VF_DRIVER : POL_OP_NUMVFS,
		                .pf = pf->bdf,
		                .vf = vf ? vf->index : -1 };
	char b[BDF_STRLEN];

	if (vf)
		a.vf_bdf = vf->bdf;
	bdf_format(a.pf, b);
	refused(l, &a,
	        vf ? json_sprintf("%s, VF %u is not as applied", b,
	                          (unsigned)vf->index)
	           : json_sprintf("%s is not as applied", b),
	        d);
}

/* The plan for these alone; NULL with *d where it is refused. */
static int plan_part(const struct pol_pf *want, const struct pol_state *seen,
                     struct pol_plan **ret, struct diag *d)
{
	struct pol_pf pf = *want;
	struct pol_state s = { .pf = &pf, .n_pfs = 1 };

	*ret = NULL;
	return pol_plan(&s, seen, ret, d);
}

static int part(struct look *l, const struct pol_pf *want,
                const struct pol_vf *vf, const struct pol_state *seen)
{
	const struct pol_pf *now = state_find_pf(seen, want->bdf);
	struct pol_plan *plan;
	struct diag d = { 0 };
	int r = plan_part(want, seen, &plan, &d);

	if (r == -ENOMEM)
		return r;
	if (r)
		refused_part(l, want, vf, &d);
	else
		do_plan(l, plan, now);
	pol_plan_free(plan);
	return 0;
}

/* What was refused as a whole, in parts. */
static int in_parts(struct look *l, const struct pol_pf *want,
                    const struct pol_state *seen)
{
	const struct pol_pf *now = state_find_pf(seen, want->bdf);
	struct pol_pf pf = *want;
	int r;

	pf.n_vfs = 0;
	r = part(l, &pf, NULL, seen);
	/* VFs of a count that is not theirs are not these. */
	if (r || !now ||
	    (want->set & POL_HAS_NUMVFS && now->num_vfs != want->num_vfs))
		return r;
	pf.set = 0;
	pf.n_vfs = 1;
	for (size_t i = 0; !r && i < want->n_vfs && !l->stuck; i++) {
		pf.vf = &want->vf[i];
		r = part(l, &pf, pf.vf, seen);
	}
	return r;
}

static int each_pf(struct look *l, const struct pol_pf *want,
                   const struct pol_state *seen)
{
	struct pol_plan *plan;
	struct diag d = { 0 };
	int r = plan_part(want, seen, &plan, &d);

	if (!r)
		do_plan(l, plan, state_find_pf(seen, want->bdf));
	pol_plan_free(plan);
	return r && r != -ENOMEM ? in_parts(l, want, seen) : r;
}

static int wholes(struct look *l, const struct pol_state *want,
                  const struct pol_state *seen)
{
	struct pol_plan *plan = NULL;
	struct diag d = { 0 };
	int r = 0;

	for (size_t i = 0; !r && i < want->n_wholes && !l->stuck; i++) {
		struct pol_state one = { .whole = &want->whole[i],
			                 .n_wholes = 1 };
		const struct pol_pf pf = { .bdf = want->whole[i].bdf };

		plan = NULL;
		r = pol_plan(&one, seen, &plan, &d);
		if (!r)
			do_plan(l, plan, NULL);
		else if (r != -ENOMEM)
			refused_part(l, &pf, NULL, &d);
		r = r == -ENOMEM ? r : 0;
		pol_plan_free(plan);
	}
	return r;
}

static int bridge(struct look *l, struct pol_over *want,
                  const struct pol_state *seen)
{
	const struct pol_state one = { .over = want, .n_overs = 1 };
	const struct pol_action a = { .op = POL_OP_OVERLAY,
		                      .vf = -1,
		                      .over = want };
	struct pol_plan *plan = NULL;
	struct diag d = { 0 };
	int r = pol_plan(&one, seen, &plan, &d);

	if (!r)
		do_plan(l, plan, NULL);
	else if (r != -ENOMEM)
		refused(l, &a,
		        json_sprintf("bridge %s is not as applied",
		                     want->o.bridge),
		        &d);
	pol_plan_free(plan);
	return r == -ENOMEM ? r : 0;
}

int look_run(struct look *l, const struct pol_state *want,
             const struct pol_state *seen)
{
	int r = wholes(l, want, seen);

	for (size_t i = 0; !r && i < want->n_overs && !l->stuck; i++)
		r = bridge(l, &want->over[i], seen);
	for (size_t i = 0; !r && i < want->n_pfs && !l->stuck; i++)
		r = each_pf(l, &want->pf[i], seen);
	return r;
}

/* ---- the worker ---------------------------------------------------------- */

/* What is lent is to be as its borrower stated. */
static void want_loans(const struct env *e, struct pol_state *want,
                       const struct pol_state *seen)
{
	struct ledger book = { 0 };

	if (ledger_read(e, &book, NULL))
		return;
	for (size_t i = 0; i < want->n_pfs; i++)
		for (size_t k = 0; k < want->pf[i].n_vfs; k++) {
			struct pol_vf *w = &want->pf[i].vf[k];
			const struct pol_pf *pf =
				state_find_pf(seen, want->pf[i].bdf);
			const struct pol_vf *s =
				pf ? state_find_vf(pf, w->index) : NULL;
			const struct ledger_fn *f =
				s ? ledger_find(&book, s->bdf) : NULL;

			if (!f || !*f->loan.holder)
				continue;
			loan_merge(w, &f->loan.attr);
			memcpy(w->label, s->label, sizeof(w->label));
		}
	ledger_free(&book);
}

static void tell_link(json_t *list, const char *ifname)
{
	unsigned index = *ifname ? if_nametoindex(ifname) : 0;

	if (index && json_array_size(list) < DRIFT_LINKS_MAX)
		json_array_append_new(list, json_integer(index));
}

static void tell_representors(json_t *list, const struct pol_pf *want,
                              const struct pol_pf *seen)
{
	for (size_t i = 0; seen && i < want->n_vfs; i++) {
		const struct pol_vf *s = state_find_vf(seen, want->vf[i].index);

		if (s && want->vf[i].set & POL_HAS_PORT)
			tell_link(list, s->port.ifname);
	}
}

/* Whose changes are to be heard: PFs and bridges first, of which there are few.
 */
static void tell_links(struct work *w, const struct pol_state *want,
                       const struct pol_state *seen)
{
	json_t *list = json_array();

	for (size_t i = 0; i < want->n_pfs; i++) {
		const struct pol_pf *p = state_find_pf(seen, want->pf[i].bdf);

		tell_link(list, p ? p->ifname : "");
		for (unsigned k = 0; k < want->pf[i].sw.n_bridges; k++)
			tell_link(list, want->pf[i].sw.bridge[k].name);
	}
	for (size_t i = 0; i < want->n_overs; i++) {
		tell_link(list, want->over[i].o.bridge);
		tell_link(list, want->over[i].o.dev);
	}
	for (size_t i = 0; i < want->n_pfs; i++)
		tell_representors(list, &want->pf[i],
		                  state_find_pf(seen, want->pf[i].bdf));
	json_object_set_new(w->reply, "ifindex", list);
}

/* What the policy wants that the machine has not at all: told, in its words. */
static void tell_unmet(struct work *w)
{
	const struct diag *d = w->errs.n ? &w->errs.e[0].diag : &w->diag;

	json_object_set_new(w->reply, "why",
	                    json_sprintf("%.90s: %.90s", d->what, d->why));
	w->errs.n = 0;
	w->diag = (struct diag){ 0 };
}

static bool all_done(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *s = json_string_value(
			json_object_get(json_array_get(list, i), "outcome"));

		if (!s || strcmp(s, "done") != 0)
			return false;
	}
	return true;
}

/* What was repaired, with what the kernel tells of it now. events.c has a log
 * line of each that says why; here is what it was, and is. */
static void tell_history(struct work *w, struct machine *m, struct look *l,
                         const struct pol_state *want)
{
	const struct history_head h = { .verb = "reconcile" };
	/* They have just answered. */
	const struct observing what = {
		.parts = observe_for_policy(l->policy) & ~(unsigned)SEE_ANSWERS,
	};
	struct pol_state *after = NULL;
	json_t *e = json_object(), *entry = NULL;
	struct diag said = { 0 };
	bool done = all_done(l->tried);

	json_object_set(e, "actions", l->tried);
	if (!l->stuck && !machine_ops.observe(m, &what, &after, &said) &&
	    !machine_ops.observe_more(m, after, want, &said))
		history_after(e, after);
	if (history_note(w->env->state_fd, &h, json_incref(l->tried),
	                 done ? HISTORY_DONE : HISTORY_FAILED, NULL, &entry,
	                 &said))
		log_diag(w->env->log, LOG_LVL_WARN, &said);
	else
		audit_entry(w->env->log, w->env->journal, entry);
	json_decref(entry);
	json_decref(e);
	pol_state_free(after);
}

/* What was found counts, what was not may still be. */
static void partly(struct work *w)
{
	tell_unmet(w);
	json_object_set_new(w->reply, "partial", json_true());
}

/* Without its daemon nobody can tell what Open vSwitch has; all else can be
 * told. */
static void leave_ovs(struct work *w, struct pol_state *want)
{
	early_ovs(w->env, want, w->reply);
	if (!json_object_get(w->reply, "waits"))
		return;
	json_object_set_new(w->reply, "partial", json_true());
	if (!json_object_get(w->reply, "why"))
		json_object_set_new(
			w->reply, "why",
			json_string("Open vSwitch does not run: what goes into "
		                    "its bridges is not looked at"));
}

static int look_now(struct work *w, struct machine *m,
                    const struct pol_policy *p, json_t *list, bool only)
{
	struct look l = { .ops = &machine_ops,
		          .ctx = m,
		          .policy = p,
		          .past = w->env->reconcile,
		          .now = time(NULL),
		          .found = list,
		          .only = only,
		          .env = w->env };
	const struct observing what = { .parts = observe_for_policy(p) };
	struct pol_state *seen = NULL, *want = NULL;
	int r = observe(w->env, m->rtnl, &what, &seen, &w->diag);

	if (!r)
		r = pol_resolve_part(p, seen, &want, &w->errs);
	if (!r && w->errs.n)
		partly(w);
	if (!r)
		leave_ovs(w, want);
	if (!r)
		r = machine_ops.observe_more(m, seen, want, &w->diag);
	if (!r) {
		want_loans(w->env, want, seen);
		tell_links(w, want, seen);
		l.tried = json_array();
		l.was = only ? NULL : pol_state_to_json(seen);
		r = look_run(&l, want, seen);
	}
	if (json_array_size(l.tried))
		tell_history(w, m, &l, want);
	if (only && (l.differs || loan_orphans(w) || macvtap_left(w, m->rtnl)))
		json_object_set_new(w->reply, "differs", json_true());
	json_decref(l.was);
	json_decref(l.tried);
	pol_state_free(want);
	pol_state_free(seen);
	return r;
}

/* The lock is for who changes something. */
static int look_at(struct work *w, const struct pol_policy *p, bool only)
{
	_cleanup_close_ int lock = -1;
	json_t *list = json_array();
	struct machine m = { 0 };
	int r = only ? 0
	             : journal_lock(w->env->state_fd, RECONCILE_LOCK_MS, &lock,
	                            &w->diag);

	if (!r)
		r = machine_open(w->env, &m, &w->diag);
	if (!r)
		r = look_now(w, &m, p, list, only);
	if (r && r != -ENOMEM)
		tell_unmet(w);
	json_object_set_new(w->reply, "found", list);
	machine_close(&m);
	return r == -ENOMEM ? r : 0;
}

static int look_applied(struct work *w, bool only)
{
	int phase = journal_phase(w->env->state_fd, &w->diag);
	struct pol_policy *p = NULL;
	int r = MIN(phase, 0);

	json_object_set_new(w->reply, "active",
	                    json_boolean(phase == JOURNAL_APPLIED));
	if (r || phase != JOURNAL_APPLIED)
		return r;
	r = policy_applied(w->env, &p, &w->errs, &w->diag);
	if (r)
		return r;
	json_object_set_new(w->reply, "on-event",
	                    json_boolean(p->host.reconcile.on_event));
	json_object_set_new(w->reply, "interval-ms",
	                    json_integer(p->host.reconcile.interval_ms));
	json_object_set_new(w->reply, "repairs",
	                    json_boolean(p->host.mode == POL_MODE_ENFORCE));
	r = look_at(w, p, only);
	pol_free(p);
	return r;
}

int verb_look(struct work *w)
{
	return look_applied(w, true);
}

int verb_reconcile(struct work *w)
{
	int r = look_applied(w, false);

	/* Of an earlier netd's connections, what was still open then. */
	(void)!verb_tidy(w);
	return r;
}
