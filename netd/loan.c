/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loans: a VF of a pool for a program that is no guest of ours. ledger.h says
 * what is remembered. In order:
 *
 *   borrow   a VF of the pool that no guest of the policy has, nobody holds and
 *            none has borrowed (loan-choose.c); scrubbed, if it is not clean
 *            what he may state of it (loan-may.c)
 *            the ledger: given, a new generation
 *            what the borrower states of it, and the pool's driver; read back
 *            for VFIO: its descriptors
 *            the ledger: the loan
 *   return   the ledger: no loan any more
 *            scrubbed, then as the policy has it
 *
 * A crash in between leaves a function that is GIVEN and lent to nobody: it is
 * scrubbed when the next one wants it. While a function is lent, observe()
 * shows it as held, so that no plan takes it away or changes it.
 */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "netd/ledger.h"
#include "netd/loan.h"

#define LET_GO_TRIES 100
#define LET_GO_STEP_NS 50000000l

static void loan_clear(struct loan *l)
{
	pol_state_free(l->r.want);
	pol_state_free(l->r.seen);
	pol_free(l->r.policy);
	machine_close(&l->r.m);
}

/* ---- give ---------------------------------------------------------------- */

/* What he leaves out is as the policy's overrides have it, and so is its place
 * at the switch. */
void loan_merge(struct pol_vf *to, const struct pol_vf *attr)
{
	if (attr->set & POL_HAS_MAC)
		memcpy(to->mac, attr->mac, sizeof(to->mac));
	if (attr->set & POL_HAS_VLAN) {
		to->vlan = attr->vlan;
		to->qos = attr->qos;
		to->proto = attr->proto;
	}
	if (attr->set & POL_HAS_RATE) {
		to->rate_min = attr->rate_min;
		to->rate_max = attr->rate_max;
	}
	if (attr->set & POL_HAS_SPOOF)
		to->spoof = attr->spoof;
	if (attr->set & POL_HAS_TRUST)
		to->trust = attr->trust;
	if (attr->set & POL_HAS_RSS)
		to->rss = attr->rss;
	if (attr->set & POL_HAS_LINK_STATE)
		to->link_state = attr->link_state;
	to->set |= attr->set;
	to->set &= POL_HAS_DRIVER | POL_HAS_OVERRIDE | POL_HAS_KNOBS |
	           POL_HAS_PORT | POL_HAS_PORT_VLAN | POL_HAS_GROUP;
}

static int record(struct work *w, const struct loan *l)
{
	_cleanup_close_ int lock = -1;
	struct ledger book = { 0 };
	struct ledger_fn *f;
	struct timespec t;
	int e = tenancy_open(w, &lock, &book);

	clock_gettime(CLOCK_REALTIME, &t);
	f = e ? NULL : ledger_find(&book, l->vf);
	if (f) {
		f->loan = (struct ledger_loan){ .uid = w->peer.uid,
			                        .pid = w->peer.pid,
			                        .since = t.tv_sec,
			                        .attr = w->req.attr };
		snprintf(f->loan.holder, sizeof(f->loan.holder), "%s",
		         w->req.holder);
		snprintf(f->loan.pool, sizeof(f->loan.pool), "%s",
		         l->pool->name);
		memcpy(f->loan.why, l->why, sizeof(f->loan.why));
		memcpy(f->loan.others, l->others, sizeof(f->loan.others));
		e = ledger_write(w->env, &book, &w->diag);
	}
	ledger_free(&book);
	return e ? e : f ? 0 : -ENOENT;
}

/* Of a VF for VFIO: can it be assigned, and its descriptors. */
static int open_vf(struct work *w, struct loan *l)
{
	static const struct lease fresh;
	const struct pol_vf *s;
	struct grant *g = &l->r.give;
	struct bdf pf;
	int e;

	s = loan_seen(l, &pf);
	if (!s || !iommu_driver_is_vfio(s->driver))
		return 0;
	e = grant_host(w);
	if (!e)
		e = grant_group(w, l->vf);
	if (e)
		return e;
	g->n = 1;
	g->fn[0] = (struct grant_fn){
		.name = "vf", .bdf = l->vf, .group = s->group, .vf = s
	};
	return open_more(w, &fresh, g);
}

static void describe(struct work *w, const struct loan *l, uint64_t generation)
{
	const struct pol_vf *s;
	struct sriov_fn f = { 0 };
	char b[BDF_STRLEN], p[BDF_STRLEN];
	struct bdf pf = { 0 };
	json_t *o;

	s = loan_seen(l, &pf);
	if (sriov_fn_look(w->env->root_fd, l->vf, &f))
		f.ifname[0] = '\0';
	o = json_pack("{s:s, s:s, s:i, s:s, s:s, s:o}", "bdf",
	              bdf_format(l->vf, b), "pf", bdf_format(pf, p), "vf",
	              s ? s->index : -1, "driver", s ? s->driver : "", "ifname",
	              f.ifname, "attributes",
	              s ? pol_vf_to_json(s) : json_object());
	json_object_set_new(w->reply, "holder", json_string(w->req.holder));
	json_object_set_new(w->reply, "generation",
	                    json_integer((json_int_t)generation));
	json_object_set_new(w->reply, "pool", json_string(l->pool->name));
	json_object_set_new(w->reply, "why", json_string(l->why));
	json_object_set_new(w->reply, "others", json_string(l->others));
	json_object_set_new(w->reply, "device", o);
}

/* A host's driver reads the MAC when it takes the function: it comes after. */
static int unbind_for_mac(struct work *w, struct loan *l)
{
	const struct pol_vf *s;
	struct bdf pf;

	s = loan_seen(l, &pf);
	if (!s || !(w->req.attr.set & POL_HAS_MAC) || !*s->driver ||
	    iommu_driver_is_vfio(s->driver))
		return 0;
	return sriov_bind_to(w->env->root_fd, l->vf, "", s->override, &w->diag);
}

/* From GIVEN on: what fails is taken back. */
static int hand_over(struct work *w, struct loan *l, uint64_t generation)
{
	size_t n = 0;
	int e = l->scrubbed ? grant_look_again(w, &l->r) : 0;

	if (!e)
		e = unbind_for_mac(w, l);
	if (!e)
		e = grant_settle(w, &l->r, &n);
	if (!e && !n)
		e = grant_look_again(w, &l->r);
	if (!e)
		e = open_vf(w, l);
	if (!e)
		e = record(w, l);
	if (!e)
		describe(w, l, generation);
	return e;
}

/* One name, one loan: a process may have many connections. Another netd has
 * another start: its connections are gone. */
static void name_connection(struct work *w, const struct loan *l,
                            uint64_t generation)
{
	char b[BDF_STRLEN];

	snprintf(w->req.holder, sizeof(w->req.holder), "@%llx-%d-%s-%llu",
	         (unsigned long long)w->env->start, w->peer.pid,
	         bdf_format(l->vf, b), (unsigned long long)generation);
}

static int give(struct work *w, struct loan *l)
{
	const struct tenancy_words by = { l->r.policy, l->pool };
	uint64_t generation = 0;
	struct diag said;
	int e = tenancy_give(w, l->vf,
	                     *w->req.holder ? w->req.holder : "a connection",
	                     l->pool->hold, &generation);

	if (e)
		return e;
	if (!*w->req.holder)
		name_connection(w, l, generation);
	loan_merge(loan_wanted(l), &w->req.attr);
	e = hand_over(w, l, generation);
	if (!e)
		return 0;
	said = w->diag;
	(void)!tenancy_end(w, &l->r.m, &by, l->vf);
	w->diag = said;
	return e;
}

static int open_loan(struct work *w, struct loan *l, const char *pool)
{
	int e = grant_policy(w, &l->r.policy);

	l->pool = e ? NULL : loan_find_pool(w, l->r.policy, pool);
	if (!e && !l->pool)
		e = -ENOENT;
	l->r.guest = &l->nobody;
	if (!e)
		e = machine_open(w->env, &l->r.m, &w->diag);
	return e ? e : grant_see(w, &l->r);
}

int verb_borrow(struct work *w)
{
	_cleanup_free_ struct loan *l = calloc(1, sizeof(*l));
	int e = l ? loan_may_state(w) : -ENOMEM;

	if (!e)
		e = open_loan(w, l, w->req.pool);
	if (!e)
		e = loan_choose(w, l);
	if (!e)
		e = loan_may_have(w, l->r.policy, l->r.seen, l->nic.fn,
		                  loan_wanted(l));
	if (!e)
		e = give(w, l);
	if (l)
		loan_clear(l);
	return e;
}

/* ---- take back ----------------------------------------------------------- */

static int not_yours(struct work *w, const struct ledger_fn *f)
{
	diag_fail(&w->diag, -EPERM, FL_NETD_DENIED, "%.80s is not uid %u's",
	          f->loan.holder, w->peer.uid);
	diag_why(&w->diag, "uid %u borrowed it", f->loan.uid);
	diag_mend(&w->diag, "as that user, or as root");
	return -EPERM;
}

static int still_held(struct work *w, const struct ledger_fn *f,
                      const struct sriov_holder *h)
{
	char b[BDF_STRLEN];

	diag_fail(&w->diag, -EBUSY, FL_NETD_LEASED, "%s is still open",
	          bdf_format(f->bdf, b));
	diag_why(&w->diag, "%s (pid %d) has it", h->comm, h->pid);
	diag_mend(&w->diag, "end it: kill %d; then again", h->pid);
	return -EBUSY;
}

/* A descriptor may be closed a moment after the connection. */
static int wait_let_go(struct work *w, const struct ledger_fn *f)
{
	const struct timespec step = { .tv_nsec = LET_GO_STEP_NS };
	struct sriov_holder h = { 0 };
	int e = 1;

	for (int i = 0; e > 0 && i < LET_GO_TRIES; i++) {
		if (i)
			nanosleep(&step, NULL);
		e = sriov_holder(w->env->root_fd, f->bdf, &h);
	}
	return e > 0 ? still_held(w, f, &h) : e;
}

static bool has_pool(const struct pol_policy *p, const char *name)
{
	for (size_t i = 0; i < p->n_pools; i++)
		if (!strcmp(p->pool[i].name, name))
			return true;
	return false;
}

/* As the policy has a spare VF of the pool; without one it stays scrubbed. */
static int settle_spare(struct work *w, struct loan *l)
{
	size_t n = 0;
	int e = grant_see(w, &l->r);

	if (e)
		return e;
	for (size_t i = 0; e >= 0 && i < l->pool->n_fn; i++) {
		e = loan_resolve(w, l, l->pool->fn[i]);
		if (e <= 0 || !loan_wanted(l) ||
		    !bdf_equal(loan_wanted(l)->bdf, l->vf))
			continue;
		e = grant_settle(w, &l->r, &n);
		break;
	}
	if (e < 0)
		log_diag(w->env->log, LOG_LVL_WARN, &w->diag);
	return 0;
}

/* The loan is out of the ledger already. */
static int clean_up(struct work *w, const struct ledger_loan *was, struct bdf b)
{
	_cleanup_free_ struct loan *l = calloc(1, sizeof(*l));
	struct tenancy_words by;
	int e = l ? 0 : -ENOMEM;

	if (!e)
		e = machine_open(w->env, &l->r.m, &w->diag);
	if (e)
		return e;
	l->vf = b;
	l->r.guest = &l->nobody;
	/* Without a policy (restored meanwhile) it is scrubbed all the same. */
	if (!policy_applied(w->env, &l->r.policy, &w->errs, &w->diag) &&
	    has_pool(l->r.policy, was->pool))
		l->pool = loan_find_pool(w, l->r.policy, was->pool);
	w->diag = (struct diag){ 0 };
	by = (struct tenancy_words){ l->r.policy, l->pool };
	e = tenancy_end(w, &l->r.m, &by, b);
	if (!e && l->pool)
		e = settle_spare(w, l);
	loan_clear(l);
	return e;
}

/* *ret: as it was. 0 = there is nothing to give back. */
static int take_loan(struct work *w, struct ledger_fn *ret)
{
	_cleanup_close_ int lock = -1;
	struct ledger book = { 0 };
	struct ledger_fn *f;
	int e = tenancy_open(w, &lock, &book);

	f = e ? NULL : ledger_held_by(&book, w->req.holder);
	if (f && w->req.generation && w->req.generation != f->generation)
		f = NULL;
	if (f && w->peer.pid && w->peer.uid && w->peer.uid != f->loan.uid)
		e = not_yours(w, f);
	if (f && !e)
		e = wait_let_go(w, f);
	if (f && !e) {
		*ret = *f;
		f->loan = (struct ledger_loan){ 0 };
		e = ledger_write(w->env, &book, &w->diag);
	}
	ledger_free(&book);
	return e ? e : f != NULL;
}

static void say_scrub(struct work *w, struct bdf b)
{
	struct ledger book = { 0 };
	struct ledger_fn *f;

	if (ledger_read(w->env, &book, &w->diag))
		return;
	f = ledger_find(&book, b);
	if (f)
		json_object_set_new(w->reply, "state",
		                    json_string(ledger_state_name(f->state)));
	if (f && !f->scrub.proved)
		reply_warn(w->reply, "%.60s: not proved to be clean: %s",
		           w->req.holder, f->scrub.why);
	ledger_free(&book);
}

int verb_return(struct work *w)
{
	struct ledger_fn was = { 0 };
	char b[BDF_STRLEN];
	int e = take_loan(w, &was);

	if (e < 0)
		return e;
	json_object_set_new(w->reply, "holder", json_string(w->req.holder));
	json_object_set_new(w->reply, "released", json_boolean(e));
	if (!e) {
		reply_warn(w->reply, "%.80s holds nothing%s: nothing was done",
		           w->req.holder,
		           w->req.generation ? " of that generation" : "");
		return 0;
	}
	json_object_set_new(w->reply, "device",
	                    json_string(bdf_format(was.bdf, b)));
	json_object_set_new(w->reply, "pool", json_string(was.loan.pool));
	e = clean_up(w, &was.loan, was.bdf);
	if (!e)
		say_scrub(w, was.bdf);
	return e;
}
