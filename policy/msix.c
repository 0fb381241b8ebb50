/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSI-X vectors of VFs, where a PF has a pool of them (sriov_vf_total_msix;
 * that the file is there says nothing, a number above 0 does). Who says how
 * many: the guest's nic, else an override, else the nic's msix-budget. A guest
 * with N vCPUs gets N + 1: a queue pair for each, and one for the device's own
 * events.
 *
 * The kernel takes a number only while no driver has the VF. In a plan those
 * that lose vectors come before those that gain them.
 */

#include <string.h>

#include "policy/plan.h"

static const struct range range_vectors = { 1, POL_MSIX_MAX };

/* ---- keys ---------------------------------------------------------------- */

/* A word, or a number. False where it is neither (said), or told. */
static bool word_or_number(struct read *r, const struct key *k,
                           const struct node *v, const struct range *range,
                           const struct words *words, unsigned *ret_word,
                           uint32_t *ret_number)
{
	*ret_number = 0;
	if (told_number(r, v, range->min, range->max)) {
		told_words(r, v, words);
		return false;
	}
	if (v->kind == NODE_SCALAR && v->text[0] >= '0' && v->text[0] <= '9')
		return scalar_u32(r, k, v, range, ret_number);
	return scalar_word(r, k, v, words, ret_word);
}

READER(read_msix_budget)
{
	static const struct word word[] = {
		{ .text = "none", .value = POL_SHARE_NONE },
		{ .text = "from-vcpus", .value = POL_SHARE_VCPUS },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	static const struct range range = { 1, POL_MSIX_MAX * POL_VFS_MAX };
	struct pol_nic *nic = obj;
	unsigned value = POL_SHARE_NONE;

	if (!word_or_number(r, k, v, &range, &words, &value, &nic->msix_total))
		return;
	nic->msix_share = (enum pol_share)value;
	nic->msix_pos = v->pos;
}

READER(read_msix_vectors)
{
	static const struct word word[] = { { .text = "per-vcpu",
		                              .value = 1 } };
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_guest_nic *nic = obj;
	unsigned value = 0;

	if (word_or_number(r, k, v, &range_vectors, &words, &value, &nic->msix))
		nic->msix_per_vcpu = value;
}

READER(read_vf_msix)
{
	struct pol_override_vf *vf = obj;

	scalar_u32(r, k, v, &range_vectors, &vf->msix);
}

/* ---- who says how many --------------------------------------------------- */

/* 0 = nobody. */
static uint32_t of_nic(const struct pol_policy *p, const struct pol_guest *g,
                       const struct pol_guest_nic *n)
{
	const struct pol_override_vf *o = pol_override_find(p, n->fn);

	if (n->msix)
		return n->msix;
	if (n->msix_per_vcpu)
		return g->cpus + 1;
	if (o && o->msix)
		return o->msix;
	return p->nic[n->fn.nic].msix_share == POL_SHARE_VCPUS ? g->cpus + 1
	                                                       : 0;
}

/* Of all VFs of the nic: those of guests, then others of overrides. */
static uint32_t stated(const struct pol_policy *p, size_t nic)
{
	uint8_t seen[POL_VFS_MAX] = { 0 };
	uint32_t sum = 0;

	for (size_t g = 0; g < p->n_guests; g++)
		for (size_t i = 0; i < p->guest[g].n_nics; i++) {
			const struct pol_guest_nic *n = &p->guest[g].nic[i];

			if (n->pool == SIZE_MAX || n->fn.nic != nic)
				continue;
			sum += of_nic(p, &p->guest[g], n);
			seen[n->fn.vf % POL_VFS_MAX] = 1;
		}
	for (size_t i = 0; i < p->n_overrides; i++)
		for (size_t k = 0;
		     p->override[i].nic == nic && k < p->override[i].n_vfs; k++)
			if (!seen[p->override[i].vf[k].id % POL_VFS_MAX])
				sum += p->override[i].vf[k].msix;
	return sum;
}

void check_msix(struct read *r)
{
	const struct pol_policy *p = r->policy;

	for (size_t i = 0; i < p->n_nics; i++) {
		const struct pol_nic *nic = &p->nic[i];
		uint32_t sum = nic->msix_total ? stated(p, i) : 0;
		struct diag *d;

		if (sum <= nic->msix_total)
			continue;
		d = pol_err(r->errs, nic->msix_pos, FL_POL_MSIX,
		            "nic %s: its VFs are to have %u vectors", nic->name,
		            sum);
		diag_why(d, "msix-budget allows %u", nic->msix_total);
		diag_mend(d, "raise it, or lower msix-vectors of its VFs");
	}
}

/* ---- the wanted VF ------------------------------------------------------- */

static void want(struct pol_vf *w, uint32_t n)
{
	if (!n)
		return;
	w->set |= POL_HAS_MSIX;
	w->msix = (uint16_t)n;
}

void want_msix(const struct resolve *r, const struct pol_guest *g,
               const struct pol_guest_nic *n, struct pol_vf *w)
{
	want(w, of_nic(r->p, g, n));
}

void want_override_msix(struct pol_vf *w, const struct pol_override_vf *o)
{
	if (!(w->set & POL_HAS_MSIX))
		want(w, o->msix);
}

static uint32_t in_all(const struct pol_pf *want, const struct pol_pf *pf,
                       bool kept, const struct pol_vf **ret_first)
{
	uint32_t sum = 0;

	for (size_t v = 0; v < want->n_vfs; v++) {
		if (!(want->vf[v].set & POL_HAS_MSIX))
			continue;
		sum += want->vf[v].msix;
		*ret_first = *ret_first ? *ret_first : &want->vf[v];
	}
	for (size_t v = 0; kept && v < pf->n_vfs; v++) {
		const struct pol_vf *w = state_vf(want, pf->vf[v].index);

		if ((!w || !(w->set & POL_HAS_MSIX)) &&
		    pf->vf[v].set & POL_HAS_MSIX)
			sum += pf->vf[v].msix;
	}
	return sum;
}

static void check_pf(struct resolve *r, size_t i)
{
	const struct pol_nic *nic = &r->p->nic[i];
	const struct pol_pf *pf = r->at[i];
	const struct pol_vf *first = NULL;
	uint32_t sum = in_all(&r->want->pf[i], pf, keeps_vfs(nic, pf), &first);
	struct pol_pos pos = nic->msix_pos.line ? nic->msix_pos : nic->pos;
	struct diag *d;

	/* Of one that is stuck it is not asked how many it has. */
	if (!first || pf->stuck || sum <= pf->msix_total)
		return;
	d = pol_err(r->errs, pos, FL_POL_MSIX, "nic %s: %u vectors for its VFs",
	            nic->name, sum);
	if (pf->msix_total)
		diag_why(d, "it has %u for all of them (sriov_vf_total_msix)",
		         pf->msix_total);
	else
		diag_why(d,
		         "its driver %s gives VFs no other number than their "
		         "own (sriov_vf_total_msix is 0)",
		         *pf->driver ? pf->driver : "(none)");
	diag_mend(d, pf->msix_total ? "lower msix-vectors of its VFs"
	                            : "leave out msix-vectors and msix-budget");
}

void check_vectors(struct resolve *r)
{
	for (size_t i = 0; !r->only && i < r->p->n_nics; i++)
		if (r->at[i])
			check_pf(r, i);
}

/* ---- the plan ------------------------------------------------------------ */

static int plan_one(struct job *j, const struct pol_vf *w, bool fewer)
{
	const struct pol_vf *s = j->fresh ? NULL : state_vf(j->seen, w->index);
	bool known = s && s->set & POL_HAS_MSIX;
	bool bound = s && *s->driver && !pol_driver_is_vfio(s->driver);
	struct pol_action *a;

	if ((known && s->msix == w->msix) ||
	    fewer != (known && w->msix < s->msix))
		return 0;
	if (plan_held(s))
		return plan_in_use(j, s, "its vectors would change");
	a = plan_add_vf(j, POL_OP_VF_MSIX, bound ? POL_DIS_HOST : POL_DIS_NONE,
	                w);
	a->number = w->msix;
	a->number_from = known ? s->msix : 0;
	return 0;
}

int plan_msix(struct job *j)
{
	return plan_fewer_first(j, POL_HAS_MSIX, plan_one);
}
