/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a VF is to be on the wire: the words of `overrides` over those of its
 * network, each key by itself; and what of that cannot be, because of the
 * physical function it is one of.
 *
 * An override also states a VF that is no guest's, and in no pool: then its
 * words are all that is wanted of it.
 */

#include <string.h>

#include "policy/priv.h"

/* ---- whose words hold ---------------------------------------------------- */

const struct pol_override_vf *pol_override_find(const struct pol_policy *p,
                                                struct pol_fn fn)
{
	for (size_t i = 0; i < p->n_overrides; i++) {
		const struct pol_override *o = &p->override[i];

		for (size_t k = 0; o->nic == fn.nic && k < o->n_vfs; k++)
			if (o->vf[k].id == fn.vf)
				return &o->vf[k];
	}
	return NULL;
}

static void overlay(struct pol_attributes *to, const struct pol_attributes *o)
{
	if (o->vlan.given)
		to->vlan = o->vlan;
	if (o->spoof_check.given)
		to->spoof_check = o->spoof_check;
	if (o->trust.given)
		to->trust = o->trust;
	if (o->query_rss.given)
		to->query_rss = o->query_rss;
	if (o->link_state.given)
		to->link_state = o->link_state;
	if (o->rate.given)
		to->rate = o->rate;
	if (o->unsupported)
		to->unsupported = o->unsupported;
	if (o->mtu.given) {
		to->mtu = o->mtu;
		to->mtu_pos = o->mtu_pos;
	}
}

const struct pol_override_vf *pol_nic_override(const struct pol_policy *p,
                                               const struct pol_guest_nic *n)
{
	size_t pool = n->datapath ? n->idle_pool : n->pool;

	if (pool == SIZE_MAX)
		return NULL;
	return pol_override_find(p, n->moved ? n->home : n->fn);
}

void pol_guest_nic_set(const struct pol_policy *p,
                       const struct pol_guest_nic *n,
                       struct pol_attributes *ret)
{
	const struct pol_override_vf *o = pol_nic_override(p, n);

	*ret = (struct pol_attributes){ 0 };
	if (n->network < p->n_networks)
		*ret = p->network[n->network].set;
	if (o)
		overlay(ret, &o->set);
}

/* ---- the wanted VF ------------------------------------------------------- */

static void want_switch(struct pol_vf *w, uint32_t has,
                        const struct pol_bool *b, bool by_default, bool *to)
{
	if (!b->given)
		return;
	w->set |= has;
	*to = b->given == POL_DEFAULT ? by_default : b->v;
}

void want_attributes(struct pol_vf *w, const struct pol_attributes *a)
{
	if (a->vlan.given) {
		w->set |= POL_HAS_VLAN;
		w->vlan = a->vlan.id;
		w->qos = a->vlan.qos;
		w->proto = a->vlan.id ? a->vlan.proto : ETH_P_8021Q;
	}
	/* The kernel's drivers begin with spoof check on, all else off. */
	want_switch(w, POL_HAS_SPOOF, &a->spoof_check, true, &w->spoof);
	want_switch(w, POL_HAS_TRUST, &a->trust, false, &w->trust);
	want_switch(w, POL_HAS_RSS, &a->query_rss, false, &w->rss);
	if (a->rate.given) {
		w->set |= POL_HAS_RATE;
		w->rate_min = a->rate.min;
		w->rate_max = a->rate.max;
	}
	if (a->link_state.given) {
		w->set |= POL_HAS_LINK_STATE;
		w->link_state = (enum pol_link_state)a->link_state.v;
	}
	w->warn = a->unsupported == POL_UNSUPPORTED_WARN;
}

struct pol_vf *want_find_vf(const struct resolve *r, struct pol_fn fn)
{
	struct pol_pf *want = &r->want->pf[fn.nic];

	for (size_t i = 0; i < want->n_vfs; i++)
		if (want->vf[i].index == fn.vf)
			return &want->vf[i];
	return NULL;
}

struct pol_vf *want_add_vf(struct resolve *r, struct pol_fn fn)
{
	struct pol_pf *want = &r->want->pf[fn.nic];
	const struct pol_pf *pf = r->at[fn.nic];
	struct pol_vf *w = &want->vf[want->n_vfs++];

	// NOLINTNEXTLINE(clang-analyzer-core.NullDereference): room was made
	w->index = fn.vf;
	w->group = -1;
	if (vf_address(pf, fn.vf, &w->bdf))
		w->bdf = pf->bdf; /* said by check_count() */
	return w;
}

/* ---- overrides ----------------------------------------------------------- */

/* Where the policy gives the count, pol_parse() has looked. */
static bool override_exists(struct resolve *r, const struct pol_override *o,
                            const struct pol_override_vf *vf)
{
	const struct pol_pf *pf = r->at[o->nic];
	struct diag *d;

	if (vf->id < final_count(&r->p->nic[o->nic], pf))
		return true;
	d = pol_err(r->errs, vf->pos, FL_POL_RANGE,
	            "overrides: %s has no VF %u", o->name, vf->id);
	diag_why(d, "it has %u, and the policy leaves that as it is",
	         pf->num_vfs);
	diag_mend(d, "give %s a virtual-function-count of at least %u", o->name,
	          vf->id + 1u);
	return false;
}

static void resolve_override(struct resolve *r, const struct pol_override *o,
                             const struct pol_override_vf *vf)
{
	struct pol_fn fn = { o->nic, (uint16_t)vf->id };
	const struct pol_guest_nic *n = pol_fn_nic(r->p, fn, NULL);
	struct pol_vf *w = want_find_vf(r, fn);

	/* Of one that is away from here it is said where it is. */
	if (n && n->moved)
		return;
	if (!w && !override_exists(r, o, vf))
		return;
	if (!w)
		w = want_add_vf(r, fn);
	if (vf->mac.given == POL_GIVEN) {
		w->set |= POL_HAS_MAC;
		memcpy(w->mac, vf->mac.v, sizeof(w->mac));
	}
	want_attributes(w, &vf->set);
	if (vf->set.vlan.given)
		want_port(r, o->nic, w, &vf->set.vlan, NULL);
	want_group(w, vf);
	want_override_msix(w, vf);
	check_mtu(r->errs, r->p, o->nic, r->at[o->nic], &vf->set);
	check_cannot(r, vf->pos, r->at[o->nic], &vf->set);
	if (w->set & POL_HAS_KNOBS)
		need_ifname(r, o->nic, vf->pos, "what this override says");
}

/* What a guest's lease wants is in its nics' words; a VF that is lent has no
 * others (netd/loan-choose.c: a guest without a name). */
static bool is_wanted(const struct resolve *r, size_t nic, uint32_t vf)
{
	const struct pol_fn fn = { nic, (uint16_t)vf };

	return !r->only || (!*r->only->name && resolve_user(r, fn));
}

void resolve_overrides(struct resolve *r)
{
	for (size_t i = 0; i < r->p->n_overrides; i++) {
		const struct pol_override *o = &r->p->override[i];

		for (size_t k = 0; r->at[o->nic] && k < o->n_vfs; k++)
			if (is_wanted(r, o->nic, o->vf[k].id))
				resolve_override(r, o, &o->vf[k]);
	}
}

/* ---- what the PF must carry ---------------------------------------------- */

bool was_said(const struct pol_errors *errs, struct pol_pos pos, int code)
{
	for (size_t i = 0; i < errs->n; i++)
		if (errs->e[i].pos.file == pos.file &&
		    errs->e[i].pos.line == pos.line &&
		    errs->e[i].pos.column == pos.column &&
		    errs->e[i].diag.code == code)
			return true;
	return false;
}

void check_mtu(struct pol_errors *errs, const struct pol_policy *p, size_t nic,
               const struct pol_pf *pf, const struct pol_attributes *set)
{
	const struct pol_nic *n = &p->nic[nic];
	bool seen = pf && pf->set & POL_HAS_MTU;
	uint32_t mtu = n->mtu.given ? n->mtu.v : seen ? pf->mtu : 0;
	struct diag *d;

	if (!set->mtu.given || !mtu || set->mtu.v <= mtu ||
	    was_said(errs, set->mtu_pos, FL_POL_MTU))
		return;
	d = pol_err(errs, set->mtu_pos, FL_POL_MTU,
	            "mtu %u is more than that of nic %s: %u", set->mtu.v,
	            n->name, mtu);
	diag_why(d, "a VF sends no larger frames than its physical function");
	diag_mend(d, "lower it, or give nic %s (%s) `mtu: %u`", n->name,
	          WHERE(p, n->pos, set->mtu_pos), set->mtu.v);
}

void check_mtus(struct read *r)
{
	const struct pol_policy *p = r->policy;

	for (size_t g = 0; g < p->n_guests; g++)
		for (size_t i = 0; i < p->guest[g].n_nics; i++) {
			const struct pol_guest_nic *n = &p->guest[g].nic[i];
			struct pol_attributes set;

			pol_guest_nic_set(p, n, &set);
			if (n->pool != SIZE_MAX)
				check_mtu(r->errs, p, n->fn.nic, NULL, &set);
		}
	for (size_t i = 0; i < p->n_overrides; i++)
		for (size_t k = 0; k < p->override[i].n_vfs; k++)
			check_mtu(r->errs, p, p->override[i].nic, NULL,
			          &p->override[i].vf[k].set);
}

/* What the VFs of nic `i` are promised in the end: those not stated keep what
 * they have. */
static uint64_t promised(const struct resolve *r, size_t i)
{
	const struct pol_pf *want = &r->want->pf[i], *pf = r->at[i];
	bool kept = keeps_vfs(&r->p->nic[i], pf);
	uint64_t sum = 0;

	for (size_t v = 0; v < want->n_vfs; v++)
		if (want->vf[v].set & POL_HAS_RATE)
			sum += want->vf[v].rate_min;
	for (size_t v = 0; kept && v < pf->n_vfs; v++) {
		const struct pol_vf *w = state_vf(want, pf->vf[v].index);

		if ((!w || !(w->set & POL_HAS_RATE)) &&
		    pf->vf[v].set & POL_HAS_RATE)
			sum += pf->vf[v].rate_min;
	}
	return sum;
}

static bool states_min(const struct pol_pf *want)
{
	for (size_t v = 0; v < want->n_vfs; v++)
		if (want->vf[v].set & POL_HAS_RATE && want->vf[v].rate_min)
			return true;
	return false;
}

/* A link that is down has no speed: then the driver has the word. */
void check_rates(struct resolve *r)
{
	for (size_t i = 0; !r->only && i < r->p->n_nics; i++) {
		const struct pol_pf *pf = r->at[i];
		struct diag *d;
		uint64_t sum;

		if (!pf || !pf->speed || !states_min(&r->want->pf[i]))
			continue;
		sum = promised(r, i);
		if (sum <= pf->speed)
			continue;
		d = pol_err(r->errs, r->p->nic[i].pos, FL_POL_RATE,
		            "nic %s: its VFs are promised %llu Mbit/s",
		            r->p->nic[i].name, (unsigned long long)sum);
		diag_why(d, "its link has %u", pf->speed);
		diag_mend(d, "lower `tx-rate: min` of their networks");
	}
}
