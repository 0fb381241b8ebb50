/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plan done in its order, and undone. Knows no device: the ops do. */

#include <string.h>

#include "netd/priv.h"

int apply_plan(const struct apply_ops *ops, void *ctx,
               const struct pol_plan *plan, size_t *ret_done, struct diag *d)
{
	*ret_done = 0;
	for (size_t i = 0; i < plan->n; i++) {
		const struct pol_action *a = &plan->action[i];
		int r = a->op < POL_OP_MAX && ops->act[a->op]
		                ? ops->act[a->op](ctx, a, d)
		                : -EOPNOTSUPP;

		if (r < 0)
			return r;
		(*ret_done)++;
	}
	return 0;
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

int state_of_pfs(const struct pol_state *s, const struct pol_state *keep,
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
	for (size_t i = 0; !r && i < s->n_pfs; i++)
		if (state_find_pf(keep, s->pf[i].bdf))
			r = copy_pf(&s->pf[i], &c->pf[c->n_pfs++]);
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
	int r = 0;

	if (!pf)
		return -ENOMEM;
	s->pf = pf;
	for (size_t i = 0; !r && i < more->n_pfs; i++)
		if (!state_find_pf(s, more->pf[i].bdf))
			r = copy_pf(&more->pf[i], &s->pf[s->n_pfs++]);
	return r;
}

/* "guest/nic" of that guest? */
static bool label_of(const char *label, const char *guest)
{
	size_t n = strlen(guest);

	return !strncmp(label, guest, n) && label[n] == '/';
}

int want_of_guest(const struct pol_state *want, const char *guest,
                  struct pol_state **ret)
{
	struct pol_state *w = NULL;
	int r = state_of_pfs(want, want, &w);

	if (r)
		return r;
	for (size_t i = 0; i < w->n_pfs; i++) {
		struct pol_pf *pf = &w->pf[i];
		size_t n = 0;

		pf->set = 0;
		for (size_t k = 0; k < pf->n_vfs; k++)
			if (label_of(pf->vf[k].label, guest))
				pf->vf[n++] = pf->vf[k];
		pf->n_vfs = n;
	}
	*ret = w;
	return 0;
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
	if (!r)
		r = pol_plan(back, seen, &plan, d);
	if (!r)
		r = apply_plan(ops, ctx, plan, &done, d);
	pol_plan_free(plan);
	pol_state_free(seen);
	pol_state_free(back);
	return r;
}
