/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is set on VFs, in an export: `overrides` of those on which something
 * is otherwise than drivers begin with, and only those keys. A MAC that two
 * VFs have cannot be said, since a policy refuses it; nor can more than the
 * link has be promised to the VFs of a PF.
 */

#include <string.h>

#include "policy/export.h"

/* ---- MACs, each once ----------------------------------------------------- */

static int order(const void *a, const void *b)
{
	return memcmp(a, b, 6);
}

static bool has_mac(const struct pol_vf *v)
{
	return v->set & POL_HAS_MAC && !mac_is_zero(v->mac);
}

static int collect_macs(struct export *e)
{
	size_t n = 1;

	for (size_t i = 0; i < e->n_nics; i++)
		n += e->nic[i].pf->n_vfs;
	e->mac = calloc(n, sizeof(*e->mac));
	if (!e->mac)
		return -ENOMEM;
	for (size_t i = 0; i < e->n_nics; i++)
		for (size_t k = 0; k < e->nic[i].pf->n_vfs; k++)
			if (has_mac(&e->nic[i].pf->vf[k]))
				memcpy(e->mac[e->n_macs++],
				       e->nic[i].pf->vf[k].mac, 6);
	qsort(e->mac, e->n_macs, sizeof(*e->mac), order);
	return 0;
}

static bool is_shared(const struct export *e, const uint8_t mac[static 6])
{
	const uint8_t(*at)[6] =
		bsearch(mac, e->mac, e->n_macs, sizeof(*e->mac), order);
	size_t k = at ? (size_t)(at - (const uint8_t(*)[6])e->mac) : 0;

	return at && ((k && !memcmp(e->mac[k - 1], mac, 6)) ||
	              (k + 1 < e->n_macs && !memcmp(e->mac[k + 1], mac, 6)));
}

/* ---- one VF -------------------------------------------------------------- */

static bool is_overpromised(const struct pol_pf *pf)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < pf->n_vfs; i++)
		if (pf->vf[i].set & POL_HAS_RATE)
			sum += pf->vf[i].rate_min;
	return pf->speed && sum > pf->speed;
}

/* Why its MAC cannot be said; NULL = it can. */
static const char *mac_unsaid(const struct export *e, const struct pol_vf *v)
{
	const char *why = mac_refused(v->mac);

	return why                    ? why
	       : is_shared(e, v->mac) ? "another VF has the same MAC"
	                              : NULL;
}

static const char *rate_unsaid(const struct pol_pf *pf, const struct pol_vf *v)
{
	return v->rate_max && v->rate_min > v->rate_max
	               ? "more is promised to it than it may send"
	       : is_overpromised(pf)
	               ? "more is promised to the VFs than the link has"
	               : NULL;
}

static bool is_set(const struct pol_vf *v, uint32_t has, bool otherwise)
{
	return v->set & has && otherwise;
}

static bool has_rate(const struct pol_vf *v)
{
	return is_set(v, POL_HAS_RATE, v->rate_min || v->rate_max);
}

/* In switchdev mode a VLAN is its bridge's, to a policy. */
static bool has_vlan(const struct pol_pf *pf, const struct pol_vf *v)
{
	return is_set(v, POL_HAS_VLAN, v->vlan) &&
	       !(pf->set & POL_HAS_ESWITCH && pf->sw.switchdev);
}

static bool says_something(const struct export *e, const struct pol_pf *pf,
                           const struct pol_vf *v)
{
	return (has_mac(v) && !mac_unsaid(e, v)) || has_vlan(pf, v) ||
	       is_set(v, POL_HAS_SPOOF, !v->spoof) ||
	       is_set(v, POL_HAS_TRUST, v->trust) ||
	       is_set(v, POL_HAS_RSS, v->rss) ||
	       is_set(v, POL_HAS_LINK_STATE, v->link_state) ||
	       (has_rate(v) && !rate_unsaid(pf, v)) ||
	       export_vf_switch_says(pf, v);
}

static void put_vlan(struct export *e, const struct pol_vf *v)
{
	put(e, ", vlan: { id: %u", v->vlan);
	if (v->qos)
		put(e, ", qos: %u", v->qos);
	if (v->proto == ETH_P_8021AD)
		put(e, ", protocol: 802.1ad");
	put(e, " }");
}

static void put_vf(struct export *e, const struct pol_pf *pf,
                   const struct pol_vf *v)
{
	char mac[MAC_STRLEN];

	put(e, "      - { id: %u", v->index);
	if (has_mac(v) && !mac_unsaid(e, v))
		put(e, ", mac-address: \"%s\"", mac_format(v->mac, mac));
	if (has_vlan(pf, v))
		put_vlan(e, v);
	if (is_set(v, POL_HAS_SPOOF, !v->spoof))
		put(e, ", spoof-check: false");
	if (is_set(v, POL_HAS_TRUST, v->trust))
		put(e, ", trust: true");
	if (is_set(v, POL_HAS_LINK_STATE, v->link_state))
		put(e, ", link-state: %s", pol_link_state_name(v->link_state));
	if (has_rate(v) && !rate_unsaid(pf, v))
		put(e, ", tx-rate: { min: %umbit, max: %umbit }", v->rate_min,
		    v->rate_max);
	if (is_set(v, POL_HAS_RSS, v->rss))
		put(e, ", query-rss: true");
	export_vf_switch(e, pf, v);
	put(e, " }\n");
}

/* What a policy has no word for, or refuses. */
static void say_rest(struct export *e, const struct pol_pf *pf,
                     const struct pol_vf *v)
{
	char mac[MAC_STRLEN];

	if (has_mac(v) && mac_unsaid(e, v))
		not_said(e, v->bdf, "VF %u has MAC %s: %s", v->index,
		         mac_format(v->mac, mac), mac_unsaid(e, v));
	if (has_rate(v) && rate_unsaid(pf, v))
		not_said(e, v->bdf, "VF %u sends %u to %u Mbit/s: %s", v->index,
		         v->rate_min, v->rate_max, rate_unsaid(pf, v));
	if (v->set & POL_HAS_VLAN && v->vlan && !has_vlan(pf, v))
		not_said(e, v->bdf, "VF %u has VLAN %u in switchdev mode",
		         v->index, v->vlan);
	if (v->set & POL_HAS_VLAN && !v->vlan && v->qos)
		not_said(e, v->bdf, "VF %u has qos %u without a VLAN", v->index,
		         v->qos);
}

/* ---- all ----------------------------------------------------------------- */

static void export_nic(struct export *e, const struct export_nic *nic)
{
	const struct pol_pf *pf = nic->pf;
	bool begun = false;

	for (size_t i = 0; *pf->ifname && i < pf->n_vfs; i++) {
		const struct pol_vf *v = &pf->vf[i];

		say_rest(e, pf, v);
		if (!says_something(e, pf, v))
			continue;
		if (!e->n_overrides++)
			put(e, "overrides:\n");
		if (!begun)
			put(e, "  - nic: \"%s\"\n    vfs:\n", nic->name);
		begun = true;
		put_vf(e, pf, v);
	}
}

void export_vfs(struct export *e)
{
	int r = collect_macs(e);

	for (size_t i = 0; !r && i < e->n_nics; i++)
		export_nic(e, &e->nic[i]);
	free(e->mac);
	e->mac = NULL;
	if (r)
		e->err = r;
}
