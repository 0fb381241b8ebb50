/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which VF a borrower gets (policy/lend.h decides), and that it is one. In
 * order: what the machine and the ledger tell of each VF of the pool; the best;
 * is its PF fit; is it clean. One that turns out not to be goes into quarantine
 * and the next best is looked at, so no more often than the pool has VFs.
 */

#include <stdio.h>
#include <string.h>

#include "netd/ledger.h"
#include "netd/loan.h"

const struct pol_pool *
loan_find_pool(struct work *w, const struct pol_policy *p, const char *name)
{
	const char *names[POL_POOLS_MAX], *near;
	size_t n = MIN(p->n_pools, (size_t)POL_POOLS_MAX);

	for (size_t i = 0; i < n; i++) {
		names[i] = p->pool[i].name;
		if (!strcmp(names[i], name))
			return &p->pool[i];
	}
	near = nearest_word(name, names, n);
	diag_fail(&w->diag, -ENOENT, FL_NETD_LOAN, "no pool \"%s\"", name);
	diag_why(&w->diag, "the applied policy has %zu pool(s), not that one",
	         p->n_pools);
	if (near)
		diag_mend(&w->diag, "did you mean \"%s\"?", near);
	else
		diag_mend(&w->diag, "add it to the policy, then fairlead apply "
		                    "FILE");
	return NULL;
}

/* ---- what is wanted, what is seen ---------------------------------------- */

static int resolve(struct work *w, struct loan *l, struct pol_fn fn)
{
	struct pol_state *want = NULL;
	int e;

	l->nic = (struct pol_guest_nic){
		.pool = (size_t)(l->pool - l->r.policy->pool),
		.network = SIZE_MAX,
		.fn = fn,
	};
	/* Without memory, to which a VF could be too far. */
	l->nobody = (struct pol_guest){ .nic = &l->nic,
		                        .n_nics = 1,
		                        .host_node = -1 };
	e = pol_resolve_guest(l->r.policy, &l->nobody, NULL, l->r.seen, &want,
	                      &w->errs);
	if (e)
		return e;
	pol_state_free(l->r.want);
	l->r.want = want;
	return 0;
}

int loan_resolve(struct work *w, struct loan *l, struct pol_fn fn)
{
	int e = resolve(w, l, fn);

	if (!e || !w->errs.n)
		return e ? e : 1;
	if (!l->unfit.code)
		l->unfit = w->errs.e[0].diag;
	w->errs.n = 0;
	w->diag = (struct diag){ 0 };
	return 0;
}

struct pol_vf *loan_wanted(struct loan *l)
{
	return l->r.want->n_pfs && l->r.want->pf[0].n_vfs
	               ? &l->r.want->pf[0].vf[0]
	               : NULL;
}

const struct pol_vf *loan_seen(const struct loan *l, struct bdf *ret_pf)
{
	for (size_t i = 0; i < l->r.seen->n_pfs; i++)
		for (size_t k = 0; k < l->r.seen->pf[i].n_vfs; k++)
			if (bdf_equal(l->r.seen->pf[i].vf[k].bdf, l->vf)) {
				*ret_pf = l->r.seen->pf[i].bdf;
				return &l->r.seen->pf[i].vf[k];
			}
	return NULL;
}

/* ---- each VF of the pool ------------------------------------------------- */

/* As the VFs before it have told, or this one does. */
static int find_pf(struct work *w, struct loan *l, size_t i)
{
	struct pol_lend_vf *v = &l->lending.vf[i];
	const struct pol_fn *fn = l->pool->fn;
	int e;

	for (size_t k = 0; k < i && !v->pf; k++)
		if (fn[k].nic == fn[i].nic)
			v->pf = l->lending.vf[k].pf;
	if (v->pf)
		return 0;
	e = loan_resolve(w, l, fn[i]);
	if (e == 1 && l->r.want->n_pfs)
		v->pf = state_find_pf(l->r.seen, l->r.want->pf[0].bdf);
	return MIN(e, 0);
}

static enum pol_lend look_vf(const struct loan *l, const struct ledger *book,
                             size_t i)
{
	const struct pol_pf *pf = l->lending.vf[i].pf;
	struct pol_fn fn = l->pool->fn[i];
	const struct pol_vf *s = pf ? state_find_vf(pf, fn.vf) : NULL;
	const struct ledger_fn *f = s ? ledger_find(book, s->bdf) : NULL;

	if (pol_fn_nic(l->r.policy, fn, NULL))
		return POL_LEND_GUEST;
	if (!s)
		return POL_LEND_GONE;
	if (s->holder_pid || *s->holder || *s->label)
		return POL_LEND_HELD;
	return f && f->state == LEDGER_QUARANTINED ? POL_LEND_QUARANTINED
	                                           : POL_LEND_FREE;
}

static int look(struct work *w, struct loan *l, const struct ledger *book)
{
	int e = 0;

	for (size_t i = 0; !e && i < l->pool->n_fn; i++) {
		e = find_pf(w, l, i);
		l->lending.vf[i].state = look_vf(l, book, i);
	}
	return e;
}

/* ---- the choice ---------------------------------------------------------- */

static int none_left(struct work *w, const struct loan *l)
{
	const struct request *r = &w->req;
	char others[DIAG_LINE], node[32] = "";
	bool quarantined = false, fit = false, gone = false;

	for (size_t i = 0; i < l->pool->n_fn; i++) {
		enum pol_lend state = l->lending.vf[i].state;

		quarantined |= state == POL_LEND_QUARANTINED;
		gone |= state == POL_LEND_GONE;
		fit |= state != POL_LEND_GUEST && state != POL_LEND_GONE;
	}
	if (l->unfit.code && gone && !fit) {
		w->diag = l->unfit;
		return -EINVAL;
	}
	if (r->has_node)
		snprintf(node, sizeof(node), " at memory node %u", r->node);
	pol_lend_others(&l->lending, SIZE_MAX, others, sizeof(others));
	diag_fail(&w->diag, -ENOSPC, FL_NETD_LOAN,
	          "pool %s has no VF%s%s%s%s%s", l->pool->name,
	          *r->device ? " " : " left", r->device, node,
	          *r->root ? " below " : "", r->root);
	diag_why(&w->diag, "of its %zu: %s", l->pool->n_fn, others);
	diag_mend(&w->diag, "%s",
	          quarantined ? "`fairlead scrub BDF` of those in "
	                        "quarantine: see `fairlead status`"
	                      : "`fairlead status` shows who has them; or "
	                        "add VFs to the pool");
	return -ENOSPC;
}

static int already(struct work *w, const struct ledger_fn *f)
{
	char b[BDF_STRLEN];

	diag_fail(&w->diag, -EEXIST, FL_NETD_LOAN, "%.80s holds %s already",
	          f->loan.holder, bdf_format(f->bdf, b));
	diag_why(&w->diag, "of pool %s, generation %llu", f->loan.pool,
	         (unsigned long long)f->generation);
	diag_mend(&w->diag, "fairlead release %.80s", f->loan.holder);
	return -EEXIST;
}

/* 1 = not this one, and why stands in its state. */
static int take(struct work *w, struct loan *l, size_t i)
{
	struct pol_lend_vf *v = &l->lending.vf[i];
	const struct tenancy_words by = { l->r.policy, l->pool };
	struct tenancy_next next = { .tenant = NULL };
	int e = loan_resolve(w, l, l->pool->fn[i]);

	if (e < 0)
		return e;
	if (!e || !loan_wanted(l)) {
		v->state = POL_LEND_GONE;
		return 1;
	}
	l->vf = loan_wanted(l)->bdf;
	next.seen = l->r.seen;
	next.stated = loan_wanted(l)->set | w->req.attr.set;
	e = tenancy_clean(w, &l->r.m, &by, l->vf, &next);
	l->scrubbed = e > 0;
	if (e != -EUCLEAN)
		return MIN(e, 0);
	w->diag = (struct diag){ 0 };
	v->state = POL_LEND_QUARANTINED;
	return 1;
}

static int take_best(struct work *w, struct loan *l)
{
	const struct pol_lending *of = &l->lending;
	size_t i = 0;
	int e = 1;

	while (e == 1 && pol_lend_choose(of, &i))
		e = take(w, l, i);
	if (e == 1)
		return none_left(w, l);
	if (!e) {
		pol_lend_why(of, i, l->why, sizeof(l->why));
		pol_lend_others(of, i, l->others, sizeof(l->others));
	}
	return e;
}

/* A VF that is asked for by what is no address is none. */
static struct pol_lend_wish wish_of(const struct request *r)
{
	struct pol_lend_wish wish = {
		.by_vf = *r->device,
		.by_root = *r->root,
		.by_node = r->has_node,
		.node = (uint16_t)r->node,
	};

	if (bdf_parse(r->device, &wish.vf))
		wish.vf = (struct bdf){ 0 };
	if (bdf_parse(r->root, &wish.root))
		wish.root = (struct bdf){ 0 };
	return wish;
}

int loan_choose(struct work *w, struct loan *l)
{
	_cleanup_free_ struct pol_lend_vf *vf =
		calloc(l->pool->n_fn + 1, sizeof(*vf));
	struct ledger book = { 0 };
	int e = vf ? ledger_read(w->env, &book, &w->diag) : -ENOMEM;
	const struct ledger_fn *f =
		e ? NULL : ledger_held_by(&book, w->req.holder);

	l->lending = (struct pol_lending){ .policy = l->r.policy,
		                           .pool = l->pool,
		                           .wish = wish_of(&w->req),
		                           .vf = vf };
	if (f)
		e = already(w, f);
	if (!e)
		e = look(w, l, &book);
	if (!e)
		e = take_best(w, l);
	l->lending.vf = NULL;
	ledger_free(&book);
	return e;
}
