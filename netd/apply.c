/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plan done in its order, and undone. Knows no device: the ops do. */

#include <string.h>

#include "netd/priv.h"

static int do_some(const struct apply_ops *ops, void *ctx,
                   const struct pol_action *a, size_t n, size_t *ret_done,
                   struct diag *d)
{
	int r;

	if (ops->together && ops->together(a, n) > 1)
		return ops->many(ctx, a, ops->together(a, n), ret_done, d);
	r = a->op < POL_OP_MAX && ops->act[a->op] ? ops->act[a->op](ctx, a, d)
	                                          : -EOPNOTSUPP;
	*ret_done = r >= 0;
	return r;
}

int apply_plan(const struct apply_ops *ops, void *ctx,
               const struct pol_plan *plan, size_t *ret_done, struct diag *d)
{
	int r = 0;

	for (*ret_done = 0; r >= 0 && *ret_done < plan->n;) {
		size_t done = 0;

		r = do_some(ops, ctx, &plan->action[*ret_done],
		            plan->n - *ret_done, &done, d);
		*ret_done += done;
	}
	return MIN(r, 0);
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
		p->set &= POL_HAS_NODE | POL_HAS_DSN | POL_HAS_PERM_MAC;
}

static int copy_overs(struct pol_state *to, const struct pol_state *from,
                      const struct pol_state *keep)
{
	if (!from->n_overs)
		return 0;
	to->over = calloc(from->n_overs, sizeof(*to->over));
	if (!to->over)
		return -ENOMEM;
	for (size_t i = 0; i < from->n_overs; i++)
		if (state_over(keep, from->over[i].o.bridge))
			to->over[to->n_overs++] = from->over[i];
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

int state_add(struct pol_state *s, const struct pol_state *more)
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
	for (size_t i = 0; !r && i < more->n_pfs; i++) {
		struct pol_pf *have = (struct pol_pf *)(uintptr_t)state_find_pf(
			s, more->pf[i].bdf);

		if (have)
			pol_switch_learn(have, &more->pf[i]);
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

int apply_undo(const struct apply_ops *ops, void *ctx,
               const struct pol_state *before, struct diag *d)
{
	struct pol_state *back = NULL, *seen = NULL;
	struct pol_plan *plan = NULL;
	size_t done;
	int r = pol_want_from_state(before, &back);

	if (!r)
		r = ops->observe(ctx, &seen, d);
	/* What has gone needs no undoing, and must not keep the rest from
	 * it. */
	if (!r)
		state_drop_gone(back, seen, NULL, NULL);
	if (!r)
		r = ops->observe_more(ctx, seen, back, d);
	if (!r)
		r = pol_plan(back, seen, &plan, d);
	if (!r)
		r = apply_plan(ops, ctx, plan, &done, d);
	pol_plan_free(plan);
	pol_state_free(seen);
	pol_state_free(back);
	return r;
}
