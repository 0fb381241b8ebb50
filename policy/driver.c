/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What drivers never do for their VFs, as their sources say: told when a policy
 * is planned, and not when half of it is done. Only what no version and no
 * card of theirs does is here; all else the driver is asked, and refuses
 * (FL-0705). With `unsupported: warn` it is asked in any case.
 */

#include <string.h>

#include "policy/priv.h"

struct cannot {
	const char *driver;
	bool stacked;  /* a VLAN of 802.1ad: -EPROTONOSUPPORT */
	bool rate_min; /* -EINVAL whenever it is not 0 */
};

/* *_ndo_set_vf_vlan() and *_ndo_set_vf_bw(). */
static const struct cannot *find(const char *driver)
{
	// clang-format off
	static const struct cannot table[] = {
		{ .driver = "igb", .stacked = true },
		{ .driver = "i40e", .stacked = true, .rate_min = true },
		{ .driver = "ixgbe", .stacked = true, .rate_min = true },
	};
	// clang-format on

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (!strcmp(driver, table[i].driver))
			return &table[i];
	return NULL;
}

/* What one of its VFs has, its driver does: vendors have other versions. */
static bool has_stacked(const struct pol_pf *pf)
{
	for (size_t i = 0; i < pf->n_vfs; i++)
		if (pf->vf[i].vlan && pf->vf[i].proto == ETH_P_8021AD)
			return true;
	return false;
}

static bool has_rate_min(const struct pol_pf *pf)
{
	for (size_t i = 0; i < pf->n_vfs; i++)
		if (pf->vf[i].rate_min)
			return true;
	return false;
}

static void refuse(struct resolve *r, struct pol_pos pos,
                   const struct pol_pf *pf, const char *what)
{
	struct diag *d =
		pol_err(r->errs, pos, FL_POL_CANNOT, "VFs of %s have no %s",
	                *pf->ifname ? pf->ifname : "its nic", what);

	diag_why(d, "driver %s does not do that", pf->driver);
	diag_mend(d, "leave it out, or say `unsupported: warn` beside it");
}

void check_cannot(struct resolve *r, struct pol_pos pos,
                  const struct pol_pf *pf, const struct pol_attributes *set)
{
	const struct cannot *c = find(pf->driver);

	if (!c || r->only || set->unsupported == POL_UNSUPPORTED_WARN)
		return;
	if (c->stacked && set->vlan.id && set->vlan.proto == ETH_P_8021AD &&
	    !has_stacked(pf) &&
	    !was_said(r->errs, set->vlan.pos, FL_POL_CANNOT))
		refuse(r, set->vlan.pos, pf, "VLAN protocol 802.1ad");
	if (c->rate_min && set->rate.min && !has_rate_min(pf) &&
	    !was_said(r->errs, pos, FL_POL_CANNOT))
		refuse(r, pos, pf, "guaranteed rate (tx-rate: min)");
}
