/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which VF of a pool is lent. Order: those that can be had, where the borrower
 * wants them; VFs of which the kernel does not tell the memory node come after
 * those at the node that he asks for; among equals what the pool's `placement`
 * says; among equals still, the order written.
 *
 * A VF is in use while anybody has it, and where the policy gives it to a
 * guest, whether that runs or not: it may start at any time.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

enum verdict { /* on a VF of the pool */
	VF_OTHER,
	VF_GUEST,
	VF_GONE,
	VF_HELD,
	VF_QUARANTINED,
	VF_APART,
	VF_FAR,
	VF_SHARED,
	/* It can be had; beside the one that was taken: */
	VF_UNKNOWN,
	VF_FULLER,
	VF_FREE,
	VERDICTS,
};
static const char *const words[VERDICTS] = {
	[VF_OTHER] = "not the one that is asked for",
	[VF_GUEST] = "given to guests",
	[VF_GONE] = "not there",
	[VF_HELD] = "held",
	[VF_QUARANTINED] = "in quarantine",
	[VF_APART] = "not below that root port",
	[VF_FAR] = "at another memory node",
	[VF_SHARED] = "of a nic of which others have VFs",
	[VF_UNKNOWN] = "at a memory node that is not known",
	[VF_FULLER] = "of a nic of which more are in use",
	[VF_FREE] = "as good, and later in the order written",
};
struct judging {
	const struct pol_lending *l;
	uint16_t used[POL_NICS_MAX];
};

/* ---- one of them --------------------------------------------------------- */

static const struct pol_vf *seen(const struct pol_lending *l, size_t i)
{
	const struct pol_pf *pf = l->vf[i].pf;

	return pf ? state_vf(pf, l->pool->fn[i].vf) : NULL;
}

static bool in_use(const struct pol_policy *p, size_t nic,
                   const struct pol_vf *v)
{
	return v->holder_pid || *v->holder || *v->label ||
	       pol_fn_nic(p, (struct pol_fn){ nic, v->index }, NULL);
}

static void begin(struct judging *j, const struct pol_lending *l)
{
	bool counted[POL_NICS_MAX] = { false };

	*j = (struct judging){ .l = l };
	for (size_t i = 0; i < l->pool->n_fn; i++) {
		const struct pol_pf *pf = l->vf[i].pf;
		size_t nic = l->pool->fn[i].nic;

		if (!pf || counted[nic])
			continue;
		counted[nic] = true;
		for (size_t v = 0; v < pf->n_vfs; v++)
			j->used[nic] += in_use(l->policy, nic, &pf->vf[v]);
	}
}

static enum verdict by_state(enum pol_lend state)
{
	switch (state) {
	case POL_LEND_GUEST:
		return VF_GUEST;
	case POL_LEND_GONE:
		return VF_GONE;
	case POL_LEND_HELD:
		return VF_HELD;
	case POL_LEND_QUARANTINED:
		return VF_QUARANTINED;
	case POL_LEND_FREE:
		break;
	}
	return VF_FREE;
}

static enum verdict by_place(const struct pol_lend_wish *w,
                             const struct pol_pf *pf)
{
	if (w->by_root &&
	    (!(pf->set & POL_HAS_ROOT) || !bdf_equal(pf->id.root, w->root)))
		return VF_APART;
	if (!w->by_node)
		return VF_FREE;
	if (!(pf->set & POL_HAS_NODE))
		return VF_UNKNOWN;
	return pf->id.node == w->node ? VF_FREE : VF_FAR;
}

/* VF_UNKNOWN can be had, too. */
static enum verdict judge(const struct judging *j, size_t i)
{
	const struct pol_lending *l = j->l;
	const struct pol_vf *v = seen(l, i);
	enum verdict verdict;

	if (l->wish.by_vf && (!v || !bdf_equal(v->bdf, l->wish.vf)))
		return VF_OTHER;
	verdict = by_state(l->vf[i].state);
	if (verdict != VF_FREE)
		return verdict;
	if (!v)
		return VF_GONE;
	verdict = by_place(&l->wish, l->vf[i].pf);
	if (verdict != VF_APART && verdict != VF_FAR && !l->wish.by_vf &&
	    l->pool->placement == POL_PLACE_ISOLATE &&
	    j->used[l->pool->fn[i].nic])
		return VF_SHARED;
	return verdict;
}

/* ---- of all -------------------------------------------------------------- */

static unsigned rank(const struct judging *j, size_t i, enum verdict v)
{
	unsigned r = (unsigned)(v == VF_UNKNOWN) << 16;

	return j->l->pool->placement == POL_PLACE_BALANCED
	               ? r + j->used[j->l->pool->fn[i].nic]
	               : r;
}

bool pol_lend_choose(const struct pol_lending *l, size_t *ret)
{
	unsigned best = UINT32_MAX;
	struct judging j;

	begin(&j, l);
	for (size_t i = 0; i < l->pool->n_fn; i++) {
		enum verdict v = judge(&j, i);

		if ((v != VF_FREE && v != VF_UNKNOWN) || rank(&j, i, v) >= best)
			continue;
		best = rank(&j, i, v);
		*ret = i;
	}
	return best != UINT32_MAX;
}

/* ---- in words ------------------------------------------------------------ */

static void say_place(const struct judging *j, size_t i, char *buf, size_t size)
{
	const struct pol_lend_wish *w = &j->l->wish;
	char b[BDF_STRLEN];
	int n = 0;

	buf[0] = '\0';
	if (w->by_node)
		n = snprintf(buf, size,
		             judge(j, i) == VF_UNKNOWN
		                     ? "none is free at memory node %u, "
		                     : "at memory node %u, ",
		             w->node);
	if (w->by_root)
		snprintf(buf + n, size - (size_t)n, "below root port %s, ",
		         bdf_format(w->root, b));
}

int pol_lend_why(const struct pol_lending *l, size_t chosen, char *buf,
                 size_t size)
{
	size_t nic = l->pool->fn[chosen].nic;
	const char *name = l->policy->nic[nic].name;
	struct judging j;
	char at[96];

	begin(&j, l);
	say_place(&j, chosen, at, sizeof(at));
	if (l->wish.by_vf)
		return snprintf(buf, size, "%sit was asked for", at);
	switch (l->pool->placement) {
	case POL_PLACE_BALANCED:
		return snprintf(buf, size,
		                "%sbalanced: %u VF(s) of %s are in use, and "
		                "of no other less",
		                at, j.used[nic], name);
	case POL_PLACE_ISOLATE:
		return snprintf(buf, size, "%sisolate: nobody has a VF of %s",
		                at, name);
	default:
		return snprintf(buf, size,
		                "%sthe first that is free, in the order "
		                "written",
		                at);
	}
}

int pol_lend_others(const struct pol_lending *l, size_t chosen, char *buf,
                    size_t size)
{
	const bool any = chosen < l->pool->n_fn;
	unsigned n[VERDICTS] = { 0 };
	enum verdict mine;
	struct judging j;

	begin(&j, l);
	mine = any ? judge(&j, chosen) : VF_FREE;
	for (size_t i = 0; i < l->pool->n_fn; i++) {
		enum verdict v = judge(&j, i);

		if (i == chosen)
			continue;
		if (v == VF_UNKNOWN && v == mine)
			v = VF_FREE;
		if (any && v == VF_FREE &&
		    rank(&j, i, mine) > rank(&j, chosen, mine))
			v = VF_FULLER;
		n[v]++;
	}
	return tally_text(words, n, VERDICTS, buf, size);
}
