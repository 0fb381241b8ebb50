/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plan done in its order (apply.h), and undone. Knows no device: the ops do.
 */

#include <string.h>

#include "netd/apply.h"

/* Of n, those that the ops do at once, or one. */
static int do_some(const struct apply_run *run, const struct pol_action *a,
                   size_t n, size_t *ret_done, struct diag *d)
{
	const struct apply_ops *ops = run->ops;
	int r;

	if (ops->together && ops->together(a, n) > 1)
		return ops->many(run->ctx, a, ops->together(a, n), ret_done, d);
	r = a->op < POL_OP_MAX && ops->act[a->op]
	            ? ops->act[a->op](run->ctx, a, d)
	            : -EOPNOTSUPP;
	*ret_done = r >= 0;
	return r;
}

int apply_some(const struct apply_run *run, size_t i, size_t n,
               size_t *ret_done, struct diag *d)
{
	size_t done = 0;
	int r = do_some(run, &run->plan->action[i], n, &done, d);

	memset(run->outcome + i, APPLY_DONE, done);
	if (r < 0 && done < n)
		run->outcome[i + done] = APPLY_FAILED;
	*ret_done = done;
	return MIN(r, 0);
}

void apply_part_here(const struct apply_run *run, struct apply_part *p)
{
	size_t done;

	for (size_t i = 0; !p->r && i < p->n; i += done)
		p->r = apply_some(run, p->first + i, p->n - i, &done, &p->d);
}

/* ---- parts and barriers -------------------------------------------------- */

static bool is_barrier(const struct pol_action *a)
{
	return a->op == POL_OP_DEV_DRIVER || a->op == POL_OP_OVERLAY ||
	       a->op == POL_OP_OVERLAY_GONE;
}

/* Of the actions from `first` on up to the next barrier: *ret_n parts, which
 * are the caller's to free. Returns where that barrier is. */
static size_t split(const struct pol_plan *plan, size_t first,
                    struct apply_part **ret, size_t *ret_n)
{
	size_t end = first, n = 0;
	struct apply_part *p;

	while (end < plan->n && !is_barrier(&plan->action[end]))
		end++;
	p = calloc(MAX(end - first, (size_t)1), sizeof(*p));
	for (size_t i = first; p && i < end; i++) {
		if (!n ||
		    !bdf_equal(plan->action[i].pf, plan->action[i - 1].pf))
			p[n++].first = i;
		p[n - 1].n++;
	}
	*ret = p;
	*ret_n = n;
	return end;
}

/* What did not come back, and hangs: its outcome says so. Else it is an error
 * like others, only a late one. */
static bool hangs(const struct apply_run *run, struct apply_part *p)
{
	size_t i = p->first;

	if (p->r != -ETIMEDOUT || p->d.code != FL_SRIOV_STUCK ||
	    !run->ops->hangs)
		return false;
	while (run->outcome[i] == APPLY_DONE && i + 1 < p->first + p->n)
		i++;
	if (!run->ops->hangs(run->ctx, run->plan->action[i].pf, p->d.what))
		return false;
	run->outcome[i] = APPLY_STUCK;
	return true;
}

static int say_stuck(const struct pol_action *a, const struct diag *of,
                     struct diag *d)
{
	char b[BDF_STRLEN];

	diag_fail(d, -ETIMEDOUT, FL_NETD_STUCK, "%s is stuck",
	          bdf_format(a->pf, b));
	diag_why(d, "%s: %s", of->what, of->why);
	diag_mend(d,
	          "see `dmesg | grep %s`; what holds the device must let "
	          "go; then `fairlead apply FILE`",
	          b);
	return -ETIMEDOUT;
}

/* The first error in the plan's order, or that a PF hangs. */
static int judge(const struct apply_run *run, struct apply_part *parts,
                 size_t n, int *ret_stuck, struct diag *ret_stuck_diag,
                 struct diag *d)
{
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		struct apply_part *p = &parts[i];

		if (!p->r)
			continue;
		if (hangs(run, p)) {
			if (!*ret_stuck)
				*ret_stuck =
					say_stuck(&run->plan->action[p->first],
				                  &p->d, ret_stuck_diag);
			continue;
		}
		if (!r) {
			r = p->r;
			*d = p->d;
		}
	}
	return r;
}

static void do_parts(const struct apply_run *run, struct apply_part *parts,
                     size_t n)
{
	if (run->ops->enter && !run->how->here) {
		apply_side_by_side(run, parts, n);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		apply_part_here(run, &parts[i]);
		if (parts[i].r && parts[i].d.code != FL_SRIOV_STUCK &&
		    !run->how->go_on)
			return;
	}
}

int apply_plan(const struct apply_ops *ops, void *ctx,
               const struct pol_plan *plan, uint8_t *outcome,
               const struct apply_how *how, struct diag *d)
{
	const struct apply_run run = { ops, ctx, plan, outcome, how };
	struct diag stuck_diag = { 0 }, later;
	int stuck = 0, r = 0;

	for (size_t i = 0; i < plan->n && (!r || how->go_on);) {
		struct apply_part *parts = NULL;
		size_t n = 0;
		int e;

		memset(&later, 0, sizeof(later));
		if (is_barrier(&plan->action[i])) {
			e = apply_some(&run, i++, 1, &n, r ? &later : d);
		} else {
			i = split(plan, i, &parts, &n);
			if (!parts)
				return diag_fail(d, -ENOMEM, FL_NETD_MEMORY,
				                 "no memory");
			do_parts(&run, parts, n);
			e = judge(&run, parts, n, &stuck, &stuck_diag,
			          r ? &later : d);
			free(parts);
		}
		r = r ? r : e;
	}
	if (!r && stuck)
		*d = stuck_diag;
	return r ? r : stuck;
}

size_t apply_done(const struct pol_plan *plan, const uint8_t *outcome)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->n; i++)
		n += outcome[i] == APPLY_DONE;
	return n;
}

static int copy_pf(const struct pol_pf *from, struct pol_pf *to)
{
	*to = *from;
	to->vf = NULL;
	if (!from->n_vfs)
		return 0;
	to->vf = calloc(from->n_vfs, sizeof(*to->vf));
	if (!to->vf) {
		to->n_vfs = 0;
		return -ENOMEM;
	}
	memcpy(to->vf, from->vf, from->n_vfs * sizeof(*to->vf));
	return 0;
}

static int copy_wholes(struct pol_state *to, const struct pol_state *from,
                       const struct pol_state *keep)
{
	if (!from->n_wholes)
		return 0;
	to->whole = calloc(from->n_wholes, sizeof(*to->whole));
	if (!to->whole)
		return -ENOMEM;
	for (size_t i = 0; i < from->n_wholes; i++)
		if (state_find_whole(keep, from->whole[i].bdf))
			to->whole[to->n_wholes++] = from->whole[i];
	return 0;
}

/* What another sets up is not ours to put back. */
static void forget_foreign(struct pol_pf *p, enum pol_manage manage)
{
	p->manage = manage;
	if (manage != POL_MANAGE_FULL)
		p->set &= ~(uint32_t)POL_HAS_NUMVFS;
	if (manage == POL_MANAGE_FUNCTIONS)
		p->set &= POL_HAS_IDENT;
}

static int copy_overs(struct pol_state *to, const struct pol_state *from,
                      const struct pol_state *keep)
{
	if (!from->n_overs)
		return 0;
	to->over = calloc(from->n_overs, sizeof(*to->over));
	if (!to->over)
		return -ENOMEM;
	for (size_t i = 0; i < from->n_overs; i++) {
		const struct pol_over *over = &from->over[i];

		if (!state_over(keep, over->o.bridge))
			continue;
		to->over[to->n_overs] = *over;
		/* A tunnel without its bridge is nothing to put back. */
		to->over[to->n_overs++].there &=
			over->o.ovs || over->bare || over->o.id;
	}
	return 0;
}

static int add_overs(struct pol_state *s, const struct pol_state *more)
{
	struct pol_over *o =
		realloc(s->over, (s->n_overs + more->n_overs + 1) * sizeof(*o));

	if (!o)
		return -ENOMEM;
	s->over = o;
	for (size_t i = 0; i < more->n_overs; i++)
		if (!state_over(s, more->over[i].o.bridge))
			o[s->n_overs++] = more->over[i];
	return 0;
}

int state_of(const struct pol_state *s, const struct pol_state *keep,
             struct pol_state **ret)
{
	struct pol_state *c = calloc(1, sizeof(*c));
	int r = 0;

	if (c)
		c->pf = calloc(MAX(s->n_pfs, (size_t)1), sizeof(*c->pf));
	if (!c || !c->pf) {
		pol_state_free(c);
		return -ENOMEM;
	}
	c->iommu = s->iommu;
	c->remapping = s->remapping;
	for (size_t i = 0; !r && i < s->n_pfs; i++) {
		const struct pol_pf *want = state_find_pf(keep, s->pf[i].bdf);
		struct pol_pf *to = &c->pf[c->n_pfs];

		if (!want)
			continue;
		c->n_pfs++;
		r = copy_pf(&s->pf[i], to);
		forget_foreign(to, want->manage);
	}
	if (!r)
		r = copy_wholes(c, s, keep);
	if (!r)
		r = copy_overs(c, s, keep);
	if (r)
		pol_state_free(c);
	else
		*ret = c;
	return r;
}

int state_add(struct pol_state *s, struct pol_state *more)
{
	struct pol_pf *pf =
		realloc(s->pf, (s->n_pfs + more->n_pfs + 1) * sizeof(*pf));
	struct pol_whole *w;
	int r = 0;

	if (!pf)
		return -ENOMEM;
	s->pf = pf;
	w = realloc(s->whole, (s->n_wholes + more->n_wholes + 1) * sizeof(*w));
	if (!w)
		return -ENOMEM;
	s->whole = w;
	pol_learn_bridges(s, more);
	for (size_t i = 0; !r && i < more->n_pfs; i++) {
		struct pol_pf *have = (struct pol_pf *)(uintptr_t)state_find_pf(
			s, more->pf[i].bdf);

		if (have)
			r = MIN(pol_pf_learn(have, &more->pf[i]), 0);
		else
			r = copy_pf(&more->pf[i], &s->pf[s->n_pfs++]);
	}
	for (size_t i = 0; i < more->n_wholes; i++)
		if (!state_find_whole(s, more->whole[i].bdf))
			w[s->n_wholes++] = more->whole[i];
	return r ? r : add_overs(s, more);
}

/* Where another says how many VFs there are, there may be fewer by now. */
static void drop_gone_vfs(struct pol_pf *want, const struct pol_pf *now)
{
	size_t n = 0;

	if (want->set & POL_HAS_NUMVFS)
		return;
	for (size_t i = 0; i < want->n_vfs; i++)
		if (want->vf[i].index < now->num_vfs)
			want->vf[n++] = want->vf[i];
	want->n_vfs = n;
}

void state_drop_gone(struct pol_state *want, const struct pol_state *seen,
                     void (*gone)(struct bdf b, void *arg), void *arg)
{
	size_t n = 0;

	for (size_t i = 0; i < want->n_pfs; i++) {
		const struct pol_pf *now = state_find_pf(seen, want->pf[i].bdf);

		if (now) {
			drop_gone_vfs(&want->pf[i], now);
			want->pf[n++] = want->pf[i];
			continue;
		}
		if (gone)
			gone(want->pf[i].bdf, arg);
		free(want->pf[i].vf);
	}
	want->n_pfs = n;
	n = 0;
	for (size_t i = 0; i < want->n_wholes; i++) {
		if (state_find_whole(seen, want->whole[i].bdf))
			want->whole[n++] = want->whole[i];
		else if (gone)
			gone(want->whole[i].bdf, arg);
	}
	want->n_wholes = n;
}

size_t state_drop_stuck(struct pol_state *want, const struct pol_state *seen,
                        struct bdf *ret_first)
{
	size_t n = 0, dropped = 0;

	for (size_t i = 0; i < want->n_pfs; i++) {
		const struct pol_pf *s = state_find_pf(seen, want->pf[i].bdf);

		if (!s || !pol_pf_stuck(&want->pf[i], s)) {
			want->pf[n++] = want->pf[i];
			continue;
		}
		if (!dropped++)
			*ret_first = s->bdf;
		free(want->pf[i].vf);
	}
	want->n_pfs = n;
	return dropped;
}

int apply_undo(const struct apply_ops *ops, void *ctx,
               const struct pol_state *before, const struct apply_how *how,
               struct diag *d)
{
	struct apply_how all = { .go_on = true };
	struct pol_state *back = NULL, *seen = NULL;
	_cleanup_free_ uint8_t *outcome = NULL;
	struct pol_plan *plan = NULL;
	struct bdf first = { 0 };
	size_t stuck = 0;
	char b[BDF_STRLEN];
	const struct observing what = { .parts = observe_for_state(before) };
	int r = pol_want_from_state(before, &back);

	if (how) {
		all.one_by_one = how->one_by_one;
		all.action_ms = how->action_ms;
	}
	if (!r)
		r = ops->observe(ctx, &what, &seen, d);
	/* What has gone needs no undoing, and must not keep the rest from
	 * it; nor must what hangs. */
	if (!r) {
		state_drop_gone(back, seen, NULL, NULL);
		stuck = state_drop_stuck(back, seen, &first);
		r = ops->observe_more(ctx, seen, back, d);
	}
	if (!r)
		r = pol_plan(back, seen, &plan, d);
	if (!r)
		outcome = calloc(plan->n + 1, 1);
	if (!r && !outcome)
		r = -ENOMEM;
	if (!r)
		r = apply_plan(ops, ctx, plan, outcome, &all, d);
	if (!r && stuck) {
		r = diag_fail(d, -ETIMEDOUT, FL_NETD_STUCK, "%s is stuck",
		              bdf_format(first, b));
		diag_why(d, "%s hangs; all others are as before", b);
		diag_mend(d,
		          "see `dmesg | grep %s`; what holds the device must "
		          "let go; then `fairlead restore`, or `apply FILE`",
		          b);
	}
	pol_plan_free(plan);
	pol_state_free(seen);
	pol_state_free(back);
	return r;
}
