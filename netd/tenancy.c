/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VFs from tenant to tenant: the ledger and the scrub, as grants and loans use
 * them. The ledger is written after a scrub, and before a tenant.
 */

#include <stdio.h>
#include <string.h>

#include "netd/audit.h"
#include "netd/history.h"
#include "netd/ledger.h"

#define LOCK_MS 10000u /* of a lease's 30 s */

int tenancy_open(struct work *w, int *ret_lock, struct ledger *ret)
{
	int r = journal_lock(w->env->state_fd, LOCK_MS, ret_lock, &w->diag);

	return r ? r : ledger_read(w->env, ret, &w->diag);
}

static int quarantined(struct work *w, const struct ledger_fn *f)
{
	char b[BDF_STRLEN];

	bdf_format(f->bdf, b);
	diag_fail(&w->diag, -EUCLEAN, FL_NETD_QUARANTINE, "%s is in quarantine",
	          b);
	diag_why(&w->diag, "after %.60s had it: %s",
	         *f->tenant ? f->tenant : "its tenant", f->scrub.why);
	diag_mend(&w->diag,
	          f->hold ? "erase what is not for the next one, then "
	                    "`fairlead scrub %s`"
	                  : "mend that, then `fairlead scrub %s`",
	          b);
	return -EUCLEAN;
}

/* "0000:01:10.0: scrubbed after g/wan: reset, zero, verify" */
static json_t *scrub_action(const struct ledger_fn *f,
                            const struct scrub_seen *s)
{
	char b[BDF_STRLEN], pf[BDF_STRLEN], text[DIAG_LINE];
	size_t n;

	n = (size_t)snprintf(text, sizeof(text), "%s: %s after %.100s had it",
	                     bdf_format(f->bdf, b),
	                     f->scrub.proved ? "scrubbed" : "in quarantine",
	                     *f->tenant ? f->tenant : "nobody");
	for (unsigned step = 1; step & POL_SCRUB_ALL; step <<= 1)
		if (f->scrub.done & step)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
			                      ", %s", pol_scrub_name(step));
	return json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:o, s:o}", "op",
		"scrub", "text", text, "command", "", "disruption", "none",
		"pf", s->index < 0 ? "" : bdf_format(s->pf, pf), "vf",
		s->index < 0 ? json_null() : json_integer(s->index), "label",
		strchr(f->tenant, '/') ? f->tenant : "", "outcome",
		f->scrub.proved ? "done" : "failed", "before",
		s->index < 0 ? json_null() : pol_vf_to_json(&s->before),
		"after", s->verified ? pol_vf_to_json(&s->after) : json_null());
}

/* The ledger is what counts: a scrub is not worth less for want of an entry. */
static void tell_history(struct work *w, const struct ledger_fn *f,
                         const struct scrub_seen *s)
{
	const struct history_head h = {
		.verb = "scrub", .who = asker_of(w->env->root_fd, &w->peer)
	};
	bool good = f->scrub.proved;
	struct diag said = { 0 };
	json_t *e = NULL;

	if (history_note(w->env->state_fd, &h,
	                 json_pack("[o]", scrub_action(f, s)),
	                 good ? HISTORY_DONE : HISTORY_QUARANTINED,
	                 good ? NULL : &w->diag, &e, &said))
		log_diag(w->env->log, LOG_LVL_WARN, &said);
	else
		audit_entry(w->env->log, w->env->journal, e);
	json_decref(e);
}

static bool is_vf(const struct work *w, struct bdf b)
{
	struct bdf pf;

	return !sriov_pf_of(w->env->root_fd, b, &pf);
}

/* Of a nic whose representors the policy puts into no bridge, somebody else may
 * put them into his. */
static void ports_of(const struct pol_policy *p, const struct pol_nic *n,
                     struct scrub_how *how)
{
	if (n->switchdev.given != POL_GIVEN || !n->switchdev.v)
		return;
	if (!how->port)
		how->overlays = p;
	how->port = true;
	if (*n->bridge.name)
		how->overlays = NULL;
}

static struct scrub_how how_of(const struct tenancy_words *by)
{
	const struct pol_policy *p = by->policy;
	const struct pol_pool *pool = by->pool;
	struct scrub_how how = {
		.steps = pool ? pol_pool_scrub(pool) : POL_SCRUB_ALL,
		.exact = pool && pool->scrub_given != POL_ABSENT,
	};

	for (size_t i = 0; p && pool && i < pool->n_fn; i++)
		ports_of(p, &p->nic[pool->fn[i].nic], &how);
	for (size_t i = 0; p && !pool && i < p->n_nics; i++)
		ports_of(p, &p->nic[i], &how);
	return how;
}

/* Into `f`; the caller writes. */
static void scrub_entry(struct work *w, struct machine *m,
                        const struct scrub_how *how, struct ledger_fn *f)
{
	struct scrub_seen seen = { .index = -1 };

	if (is_vf(w, f->bdf))
		scrub_function(&machine_scrub, m, f->bdf, how, &f->scrub,
		               &seen);
	else
		scrub_whole(&machine_scrub, m, f->bdf, &f->scrub);
	f->scrub.generation = f->generation;
	f->resets += (f->scrub.done & POL_SCRUB_RESET) != 0;
	f->state = f->scrub.proved ? LEDGER_CLEAN : LEDGER_QUARANTINED;
	if (f->scrub.proved && f->hold)
		ledger_hold_back(f);
	if (!f->scrub.proved) {
		(void)quarantined(w, f);
		log_diag(w->env->log, LOG_LVL_WARN, &w->diag);
	}
	tell_history(w, f, &seen);
}

static int no_room(struct work *w)
{
	return diag_fail(&w->diag, -ENOMEM, FL_NETD_MEMORY,
	                 "no room in " LEDGER_FILE);
}

static int lent(struct work *w, const struct ledger_fn *f)
{
	char b[BDF_STRLEN];

	diag_fail(&w->diag, -EBUSY, FL_NETD_LEASED, "%s is lent",
	          bdf_format(f->bdf, b));
	diag_why(&w->diag, "%.80s has it, of pool %s", f->loan.holder,
	         f->loan.pool);
	diag_mend(&w->diag, "fairlead release %.80s, first", f->loan.holder);
	return -EBUSY;
}

/* `f` NULL: nobody has had it. */
static bool is_to_scrub(const struct scrub_how *how, const struct ledger_fn *f,
                        struct bdf vf, const struct tenancy_next *next)
{
	if (f && f->state != LEDGER_CLEAN)
		return f->state == LEDGER_GIVEN;
	if (next->tenant && (!f || !strcmp(f->tenant, next->tenant)))
		return false;
	return scrub_traces(next->seen, vf, how, ~next->stated,
	                    f ? &f->scrub : NULL);
}

static int clean(struct work *w, struct machine *m, const struct scrub_how *how,
                 struct ledger *l, struct bdf vf,
                 const struct tenancy_next *next)
{
	struct ledger_fn *f = ledger_find(l, vf);
	int r;

	if (f && *f->loan.holder)
		return lent(w, f);
	if (!is_to_scrub(how, f, vf, next))
		return f && f->state == LEDGER_QUARANTINED ? quarantined(w, f)
		                                           : 0;
	f = ledger_get(l, vf);
	if (!f)
		return no_room(w);
	scrub_entry(w, m, how, f);
	r = ledger_write(w->env, l, &w->diag);
	if (!r && f->state == LEDGER_QUARANTINED)
		r = quarantined(w, f);
	return r ? r : 1;
}

int tenancy_clean(struct work *w, struct machine *m,
                  const struct tenancy_words *by, struct bdf vf,
                  const struct tenancy_next *next)
{
	const struct scrub_how how = how_of(by);
	_cleanup_close_ int lock = -1;
	struct ledger l = { 0 };
	int r = tenancy_open(w, &lock, &l);

	if (!r)
		r = clean(w, m, &how, &l, vf, next);
	ledger_free(&l);
	return r;
}

int tenancy_fit(struct work *w, struct bdf vf)
{
	struct ledger l = { 0 };
	int r = ledger_read(w->env, &l, &w->diag);
	const struct ledger_fn *f = r ? NULL : ledger_find(&l, vf);

	if (f && f->state == LEDGER_QUARANTINED)
		r = quarantined(w, f);
	ledger_free(&l);
	return r;
}

int tenancy_give(struct work *w, struct bdf vf, const char *tenant, bool hold,
                 uint64_t *ret_generation)
{
	_cleanup_close_ int lock = -1;
	struct ledger l = { 0 };
	struct ledger_fn *f;
	int r = tenancy_open(w, &lock, &l);

	f = r ? NULL : ledger_get(&l, vf);
	if (f && *f->loan.holder)
		r = lent(w, f);
	/* A nic is in one place: what it was to have elsewhere and did not get
	 * is nothing to it any more. */
	for (size_t i = 0; !r && f && i < l.n; i++)
		if (!strcmp(l.fn[i].tenant, tenant))
			l.fn[i].moved = (struct ledger_moved){ .nic = "" };
	if (!r && f) {
		ledger_give(&l, f, tenant, hold);
		*ret_generation = f->generation;
		r = ledger_write(w->env, &l, &w->diag);
	} else if (!r) {
		r = no_room(w);
	}
	ledger_free(&l);
	return r;
}

int tenancy_moved(struct work *w, struct bdf vf, const char *nic,
                  unsigned index)
{
	_cleanup_close_ int lock = -1;
	struct ledger l = { 0 };
	struct ledger_fn *f;
	int r = tenancy_open(w, &lock, &l);

	f = r ? NULL : ledger_find(&l, vf);
	if (f) {
		snprintf(f->moved.nic, sizeof(f->moved.nic), "%s", nic);
		f->moved.vf = (uint16_t)index;
		r = ledger_write(w->env, &l, &w->diag);
	}
	ledger_free(&l);
	return r;
}

int tenancy_end(struct work *w, struct machine *m,
                const struct tenancy_words *by, struct bdf vf)
{
	const struct scrub_how how = how_of(by);
	_cleanup_close_ int lock = -1;
	struct ledger l = { 0 };
	struct ledger_fn *f;
	int r = tenancy_open(w, &lock, &l);

	f = r ? NULL : ledger_find(&l, vf);
	/* One that went away is looked at when it is there again. */
	if (f && f->state == LEDGER_GIVEN &&
	    sriov_fn_exists(w->env->root_fd, vf)) {
		scrub_entry(w, m, &how, f);
		w->diag = (struct diag){ 0 };
		r = ledger_write(w->env, &l, &w->diag);
	}
	ledger_free(&l);
	return r;
}

/* ---- `scrub`: by hand, and out of quarantine ----------------------------- */

static int in_use(struct work *w, const char *who)
{
	diag_fail(&w->diag, -EBUSY, FL_NETD_LEASED, "%s is in use",
	          w->req.device);
	diag_why(&w->diag, "%s has it", who);
	diag_mend(&w->diag, "end that first; `fairlead status` shows it");
	return -EBUSY;
}

/* A whole function is scrubbed if it has had a tenant. */
static int none_such(struct work *w, struct bdf b)
{
	struct ledger l = { 0 };
	bool known = is_vf(w, b);
	int r = known ? 0 : ledger_read(w->env, &l, &w->diag);

	if (!known && !r)
		known = ledger_find(&l, b) &&
		        sriov_fn_exists(w->env->root_fd, b);
	ledger_free(&l);
	if (r || known)
		return r;
	diag_fail(&w->diag, -ENODEV, FL_NETD_DEVICE,
	          "%s is no virtual function, nor a disk that a guest had",
	          w->req.device);
	diag_mend(&w->diag, "`fairlead status` lists them");
	return -ENODEV;
}

static int check_scrub(struct work *w, struct bdf b)
{
	struct sriov_holder h = { 0 };
	const struct lease *l;
	size_t at = 0;
	int r = none_such(w, b);

	if (r)
		return r;
	l = lease_of_device(&w->env->leases, b, &at);
	if (l)
		return in_use(w, l->guest);
	r = sriov_holder(w->env->root_fd, b, &h);
	return r > 0 ? in_use(w, h.comm) : r;
}

static int scrub_now(struct work *w, struct bdf b, const struct scrub_how *how)
{
	_cleanup_close_ int lock = -1;
	struct machine m = { 0 };
	struct ledger l = { 0 };
	struct ledger_fn *f;
	int r = tenancy_open(w, &lock, &l);

	f = r ? NULL : ledger_get(&l, b);
	if (f && *f->loan.holder)
		r = in_use(w, f->loan.holder);
	if (!r)
		r = f ? machine_open(w->env, &m, &w->diag) : -ENOMEM;
	if (!r) {
		f->hold = false; /* it was waited for this */
		scrub_entry(w, &m, how, f);
		r = ledger_write(w->env, &l, &w->diag);
	}
	if (!r && f->state == LEDGER_QUARANTINED)
		r = quarantined(w, f);
	if (!r)
		json_object_set_new(w->reply, "functions", ledger_json(&l));
	machine_close(&m);
	ledger_free(&l);
	return r;
}

/* By the applied policy's words, where there is one. */
static int scrub_by_hand(struct work *w, struct bdf b)
{
	struct tenancy_words by = { NULL, NULL };
	struct pol_policy *p = NULL;
	struct scrub_how how;
	int r;

	if (!policy_applied(w->env, &p, &w->errs, &w->diag))
		by.policy = p;
	w->diag = (struct diag){ 0 };
	w->errs.n = 0;
	how = how_of(&by);
	r = scrub_now(w, b, &how);
	pol_free(p);
	return r;
}

int verb_scrub(struct work *w)
{
	struct bdf b;
	int r;

	if (bdf_parse(w->req.device, &b)) {
		diag_fail(&w->diag, -EINVAL, FL_NETD_DEVICE,
		          "%s is no PCI address", w->req.device);
		diag_mend(&w->diag, "write it as 0000:3b:10.0");
		return -EINVAL;
	}
	r = check_scrub(w, b);
	return r ? r : scrub_by_hand(w, b);
}
