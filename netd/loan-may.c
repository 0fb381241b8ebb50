/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a borrower that is not root may state of a VF. Which networks there are
 * is root's to say: his VLAN, trust, spoof check, rates are the policy's, and
 * of his own is at most a MAC, which is nobody else's. In order: his words,
 * before a VF is looked for; its MAC and the policy's words, once there is one.
 */

#include <stdio.h>
#include <string.h>

#include "netd/ledger.h"

int loan_may_state(struct work *w)
{
	struct pol_vf more = w->req.attr;
	json_t *o;

	more.set &= ~(uint32_t)POL_HAS_MAC;
	if (!w->peer.uid || !more.set)
		return 0;
	o = pol_vf_to_json(&more);
	diag_fail(&w->diag, -EPERM, FL_NETD_DENIED,
	          "\"%s\" of a loan is not uid %u's to state",
	          json_object_iter_key(json_object_iter(o)), w->peer.uid);
	diag_why(&w->diag, "only root says what networks a VF is in; others "
	                   "state its \"mac\" alone");
	diag_mend(&w->diag, "leave it out, and state it for the pool's VF in "
	                    "`overrides` of the policy; or as root");
	json_decref(o);
	return -EPERM;
}

/* Whose it is: a word for people, "" = nobody's. */
struct whose {
	char who[2 * POL_NAME + 16];
};

static void of_guests(const struct pol_policy *p, const uint8_t mac[static 6],
                      struct whose *ret)
{
	uint8_t m[6];

	for (size_t g = 0; g < p->n_guests; g++)
		for (size_t i = 0; i < p->guest[g].n_nics; i++) {
			const struct pol_guest *guest = &p->guest[g];

			if (pol_guest_nic_mac(p, guest, &guest->nic[i], m) &&
			    !memcmp(m, mac, 6))
				snprintf(ret->who, sizeof(ret->who), "%s/%s",
				         guest->name, guest->nic[i].name);
		}
}

static void of_overrides(const struct pol_policy *p, struct pol_fn mine,
                         const uint8_t mac[static 6], struct whose *ret)
{
	for (size_t i = 0; i < p->n_overrides; i++)
		for (size_t k = 0; k < p->override[i].n_vfs; k++) {
			const struct pol_override *o = &p->override[i];
			const struct pol_override_vf *v = &o->vf[k];

			if (v->mac.given == POL_GIVEN &&
			    !memcmp(v->mac.v, mac, 6) &&
			    (o->nic != mine.nic || v->id != mine.vf))
				snprintf(ret->who, sizeof(ret->who),
				         "VF %u of %s", v->id, o->name);
		}
}

/* Of functions as they are: another borrower's, the host's own. */
static void of_machine(const struct pol_state *s, struct bdf mine,
                       const uint8_t mac[static 6], struct whose *ret)
{
	char b[BDF_STRLEN];

	for (size_t i = 0; i < s->n_pfs; i++) {
		const struct pol_pf *pf = &s->pf[i];

		if (pf->set & POL_HAS_PERM_MAC && !memcmp(pf->id.mac, mac, 6))
			snprintf(ret->who, sizeof(ret->who), "%s",
			         bdf_format(pf->bdf, b));
		for (size_t k = 0; k < pf->n_vfs; k++)
			if (pf->vf[k].set & POL_HAS_MAC &&
			    !memcmp(pf->vf[k].mac, mac, 6) &&
			    !bdf_equal(pf->vf[k].bdf, mine))
				snprintf(ret->who, sizeof(ret->who), "%s",
				         bdf_format(pf->vf[k].bdf, b));
	}
}

static int taken(struct work *w, const struct whose *of)
{
	char text[MAC_STRLEN];

	diag_fail(&w->diag, -EEXIST, FL_NETD_LOAN, "the MAC %s is %s's",
	          mac_format(w->req.attr.mac, text), of->who);
	diag_why(&w->diag, "uid %u may not state for a loan what another has",
	         w->peer.uid);
	diag_mend(&w->diag, "leave \"mac\" out, or state one that is nobody's");
	return -EEXIST;
}

int loan_may_have(struct work *w, const struct pol_policy *p,
                  const struct pol_state *seen, struct pol_fn fn,
                  const struct pol_vf *want)
{
	static const uint8_t none[6]; /* as a new VF has it */
	struct pol_vf v = *want;
	struct whose of = { "" };

	if (!w->peer.uid)
		return 0;
	v.set &= POL_HAS_KNOBS;
	if (w->req.attr.set & POL_HAS_MAC) {
		memcpy(v.mac, w->req.attr.mac, sizeof(v.mac));
		v.set |= POL_HAS_MAC;
		if (memcmp(v.mac, none, sizeof(none)) != 0) {
			of_guests(p, v.mac, &of);
			of_overrides(p, fn, v.mac, &of);
			of_machine(seen, want->bdf, v.mac, &of);
		}
	}
	if (*of.who)
		return taken(w, &of);
	w->req.attr = v;
	return 0;
}
