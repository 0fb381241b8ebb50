/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VF that a failover gives back. Order: the nic's own; where that is not to
 * be had (gone, held by somebody, in quarantine, its driver refuses), the
 * others of its pool as they are written, but those that the policy gives to
 * guests. A VF that is asked for is the only one that is tried. Each is looked
 * at as if it were the nic's (pol_nic_move), so it comes with the guest's MAC
 * and network, and what is wrong with it is said as for any.
 *
 * One that is asked for is looked at before the guest lets its own go, too
 * (verb_foresee): all that can be told without changing it is refused then.
 *
 * The first reason counts: why the nic's own VF is not to be had is what people
 * must mend.
 */

#include <stdio.h>
#include <string.h>

#include "netd/audit.h"
#include "netd/history.h"
#include "netd/ledger.h"
#include "netd/moves.h"

#define TRIES_MAX 32u

struct search {
	struct work *w;
	struct guest_run *r;
	struct pol_guest_nic *nic;
	struct pol_fn own;
	struct bdf wish;
	int index;         /* of the VF that is asked for; -1 = any */
	struct diag first; /* why the first was not it */
	unsigned tries;
	bool foresee; /* nothing is changed */
	size_t drifted;
};

static bool same(struct pol_fn a, struct pol_fn b)
{
	return a.nic == b.nic && a.vf == b.vf;
}

static struct pol_guest_nic *nic_of(const struct guest_run *r)
{
	struct pol_guest *g = r->guest;

	for (size_t i = 0; g && r->device && i < g->n_nics; i++)
		if (g->nic[i].pool != SIZE_MAX &&
		    !strcmp(g->nic[i].name, r->device))
			return &g->nic[i];
	return NULL;
}

static const char *pool_name(const struct search *s)
{
	return s->r->policy->pool[s->nic->pool].name;
}

/* ---- one of them --------------------------------------------------------- */

/* By another than the guest itself. */
static int is_taken(struct search *s, const struct grant_fn *f)
{
	const struct pol_vf *v = f->vf;
	char b[BDF_STRLEN], own[2 * POL_NAME];

	snprintf(own, sizeof(own), "%s/%s", s->r->guest->name, s->nic->name);
	if (!(v->holder_pid || *v->holder || *v->label) ||
	    !strcmp(v->label, own))
		return 0;
	diag_fail(&s->w->diag, -EBUSY, FL_NETD_LEASED, "%s is in use",
	          bdf_format(f->bdf, b));
	diag_why(&s->w->diag, "%s has it", *v->holder ? v->holder : v->label);
	if (v->holder_pid)
		diag_mend(&s->w->diag, "stop it first: kill %d", v->holder_pid);
	else
		diag_mend(&s->w->diag, "`fairlead status` shows who has what");
	return -EBUSY;
}

static int give(struct search *s, const struct grant_fn *f)
{
	struct guest_run *r = s->r;
	const struct bdf vf = f->bdf;
	uint8_t mac[6];
	int e = 0;

	if (pol_guest_nic_mac(r->policy, r->guest, s->nic, mac))
		e = moves_take_mac(s->w, r, mac, vf);
	if (!e)
		e = grant_ready(s->w, r, &s->drifted);
	if (!e && s->nic->moved)
		e = tenancy_moved(s->w, vf, r->policy->nic[s->nic->fn.nic].name,
		                  s->nic->fn.vf);
	return e;
}

/* Of what is asked for. Where one of the pool could not be looked at, that may
 * have been it. */
static int cannot_have(struct search *s, const struct pol_guest_nic *other)
{
	struct diag *d = &s->w->diag;

	s->w->errs.n = 0;
	diag_fail(d, -ENOENT, FL_NETD_WISH, "guest %s: %s cannot have %s",
	          s->r->guest->name, s->nic->name, s->w->req.function);
	if (other)
		diag_why(d, "the policy gives it to another guest, as %s",
		         other->name);
	else if (s->first.code)
		diag_why(d, "%.120s: %.120s", s->first.what, s->first.why);
	else
		diag_why(d, "it is no VF of pool %s that is there",
		         pool_name(s));
	diag_mend(d,
	          "`fairlead status` shows the VFs; its own: fairlead failover "
	          "%s %s --back",
	          s->r->guest->name, s->nic->name);
	return -ENOENT;
}

static void not_it(struct search *s)
{
	struct work *w = s->w;

	if (w->errs.n)
		w->diag = w->errs.e[0].diag;
	if (!s->first.code)
		s->first = w->diag;
}

/* 1 = it is not the one that is asked for, or cannot be told from it. */
static int look(struct search *s, struct pol_fn fn)
{
	const struct grant_fn *f = &s->r->give.fn[0];
	int e;

	s->w->errs.n = 0;
	memset(&s->w->diag, 0, sizeof(s->w->diag));
	grant_forget(s->r);
	pol_nic_move(s->nic, fn);
	e = grant_look(s->w, s->r);
	if (!e)
		grant_list(s->r);
	if (s->index < 0 || (e && !s->w->errs.n))
		return e;
	/* What the policy's VF lacks; it may be of another nic than that. */
	if (e)
		not_it(s);
	return e || !s->r->give.n || !bdf_equal(f->bdf, s->wish);
}

/* It is there, and free for the nic. */
static int check(struct search *s, struct pol_fn fn,
                 const struct pol_guest_nic *other)
{
	const struct grant_fn *f = &s->r->give.fn[0];
	int e = look(s, fn);

	if (e)
		return e;
	if (other)
		return cannot_have(s, other);
	if (!s->r->give.n || !f->vf)
		return grant_not_there(s->w, s->r, f);
	return is_taken(s, f);
}

/* What giving it would be refused for. */
static int foretell(struct search *s, const struct grant_fn *f)
{
	struct pol_plan *plan = NULL;
	int e = tenancy_fit(s->w, f->bdf);

	if (!e)
		e = grant_group(s->w, f->bdf);
	/* The guest's own is free only once it has let go: what it would be
	 * refused for now is no reason. */
	if (!e && !*f->vf->label)
		e = pol_plan(s->r->want, s->r->seen, &plan, &s->w->diag);
	pol_plan_free(plan);
	return e;
}

/* 1 = it is not the one that is asked for. */
static int try_one(struct search *s, struct pol_fn fn,
                   const struct pol_guest_nic *other)
{
	const struct grant_fn *f = &s->r->give.fn[0];
	int e = check(s, fn, other);

	if (e == 1)
		return 1;
	s->tries++;
	if (!e)
		e = s->foresee ? foretell(s, f) : give(s, f);
	if (e)
		not_it(s);
	return e;
}

/* ---- which --------------------------------------------------------------- */

static void say_instead(struct search *s)
{
	const struct pol_policy *p = s->r->policy;
	const char *own = p->nic[s->own.nic].name;
	char b[BDF_STRLEN], why[DIAG_LINE];

	bdf_format(s->r->give.fn[0].bdf, b);
	if (s->index >= 0)
		snprintf(why, sizeof(why), "it was asked for");
	else
		snprintf(why, sizeof(why), "%.120s: %.120s", s->first.what,
		         s->first.why);
	json_object_set_new(s->w->reply, "instead",
	                    json_pack("{s:s, s:s, s:i, s:s}", "bdf", b, "of",
	                              own, "vf", s->own.vf, "why", why));
	reply_warn(s->w->reply, "%s has VF %s, in place of VF %u of %s: %.150s",
	           s->nic->name, b, s->own.vf, own, why);
}

static int none(struct search *s)
{
	struct diag *d = &s->w->diag;
	size_t len;

	/* Not those of the last one that was tried. */
	s->w->errs.n = 0;
	*d = s->first;
	len = strlen(d->why);
	snprintf(d->why + len, sizeof(d->why) - len,
	         "%spool %s has no other VF for it", len ? "; " : "",
	         pool_name(s));
	return d->err ? d->err : -ENOSPC;
}

static int ask_pool(struct search *s)
{
	const struct pol_pool *pool = &s->r->policy->pool[s->nic->pool];

	for (size_t i = 0; i < pool->n_fn && s->tries < TRIES_MAX; i++) {
		const struct pol_guest_nic *other =
			pol_fn_nic(s->r->policy, pool->fn[i], s->nic);
		int e;

		if (s->index < 0 ? other || same(pool->fn[i], s->own)
		                 : pool->fn[i].vf != s->index)
			continue;
		e = try_one(s, pool->fn[i], other);
		if (!e || (s->index >= 0 && e != 1))
			return e;
	}
	return s->index >= 0 ? cannot_have(s, NULL) : none(s);
}

/* ---- the history --------------------------------------------------------- */

/* "g/wan: VF 0000:01:10.2 is the guest's, in place of VF 0 of e: ..." */
static void say_action(const struct work *w, const char *label, const char *vf,
                       int e, char text[static DIAG_LINE])
{
	const json_t *other = json_object_get(w->reply, "instead");
	int n = snprintf(text, DIAG_LINE, "%s: VF %s %s", label, vf,
	                 w->permit->run == verb_release
	                         ? "taken away; the guest is on its standby"
	                 : e ? "not given back; the guest is on its standby"
	                     : "is the guest's");

	if (!e && other && n > 0 && n < DIAG_LINE)
		snprintf(text + n, DIAG_LINE - (size_t)n,
		         ", in place of VF %d of %s: %s",
		         (int)json_integer_value(json_object_get(other, "vf")),
		         json_string_value(json_object_get(other, "of")),
		         json_string_value(json_object_get(other, "why")));
}

static json_t *action(const struct work *w, const struct guest_run *r, int e)
{
	const bool away = w->permit->run == verb_release;
	const struct grant_fn *f =
		r->give.n && r->give.fn[0].vf ? &r->give.fn[0] : NULL;
	char b[BDF_STRLEN] = "none", pf[BDF_STRLEN] = "", label[2 * POL_NAME];
	char text[DIAG_LINE];

	if (f)
		bdf_format(f->bdf, b);
	snprintf(label, sizeof(label), "%s/%s", w->req.guest, w->req.device);
	say_action(w, label, b, e, text);
	for (size_t i = 0; f && i < r->seen->n_pfs; i++)
		if (state_find_vf(&r->seen->pf[i], f->vf->index) == f->vf)
			bdf_format(r->seen->pf[i].bdf, pf);
	return json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:s}", "op",
		"failover", "text", text, "command", "", "disruption", "none",
		"pf", pf, "vf", f ? json_integer(f->vf->index) : json_null(),
		"label", label, "outcome", e ? "failed" : "done", "before",
		away ? b : "standby", "after", away || e ? "standby" : b);
}

void failover_tell(struct work *w, struct guest_run *r, int e)
{
	const struct history_head h = {
		.verb = "failover",
		.who = w->peer.pid ? asker_of(w->env->root_fd, &w->peer)
		                   : w->req.who,
	};
	struct diag said = { 0 };
	json_t *entry = NULL;

	/* Half of a cycle: the other one tells. */
	if (w->permit->run == verb_release &&
	    strcmp(w->req.way, "to-standby") != 0)
		return;
	if (r->guest && r->want && r->seen)
		grant_list(r);
	else
		r->give.n = 0;
	if (history_note(w->env->state_fd, &h,
	                 json_pack("[o]", action(w, r, e)),
	                 e ? HISTORY_FAILED : HISTORY_DONE,
	                 !e          ? NULL
	                 : w->errs.n ? &w->errs.e[0].diag
	                             : &w->diag,
	                 &entry, &said))
		log_diag(w->env->log, LOG_LVL_WARN, &said);
	else
		audit_entry(w->env->log, w->env->journal, entry);
	json_decref(entry);
}

/* -1 = it is no VF. */
static int index_of(const struct work *w, struct bdf vf)
{
	_cleanup_free_ struct sriov_pf *pf = calloc(1, sizeof(*pf));
	struct diag ignored = { 0 };
	struct bdf b;

	if (!pf || sriov_pf_of(w->env->root_fd, vf, &b) ||
	    sriov_pf_read(w->env->root_fd, b, pf, &ignored))
		return -1;
	for (unsigned i = 0; i < pf->num_vfs; i++)
		if (bdf_equal(pf->vf[i], vf))
			return (int)i;
	return -1;
}

/* What is asked for. */
static int begin(struct search *s)
{
	s->own = s->nic->moved ? s->nic->home : s->nic->fn;
	s->index = -1;
	if (bdf_parse(s->w->req.function, &s->wish))
		return 0;
	s->index = index_of(s->w, s->wish);
	return s->index < 0 ? cannot_have(s, NULL) : 0;
}

int failover_ready(struct work *w, struct guest_run *r, size_t *ret_drifted)
{
	struct search s = { .w = w, .r = r, .nic = nic_of(r) };
	int e;

	if (!s.nic)
		return grant_look_ready(w, r, ret_drifted);
	e = begin(&s);
	if (e)
		return e;
	e = s.index < 0 ? try_one(&s, s.own, NULL) : 1;
	if (e)
		e = ask_pool(&s);
	if (!e && s.nic->moved)
		say_instead(&s);
	/* Of another VF nothing was as it is to be, and that is no drift. */
	*ret_drifted = s.nic->moved ? 0 : s.drifted;
	return e;
}

int verb_foresee(struct work *w)
{
	struct guest_run r = { 0 };
	struct search s = { .w = w, .r = &r, .foresee = true };
	int e = grant_find_guest(w, &r);

	if (!e)
		e = grant_find_device(w, &r);
	s.nic = e ? NULL : nic_of(&r);
	if (s.nic)
		e = begin(&s);
	if (s.nic && !e)
		e = ask_pool(&s);
	grant_clear(&r);
	return e;
}
