/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is set on VFs, in an export. */

#include <stdio.h>
#include <string.h>

#include "policy/export.h"

static bool is_plain(const struct pol_vf *v)
{
	return (!(v->set & POL_HAS_MAC) || mac_is_zero(v->mac)) &&
	       (!(v->set & POL_HAS_VLAN) || !v->vlan) &&
	       (!(v->set & POL_HAS_SPOOF) || v->spoof) &&
	       (!(v->set & POL_HAS_TRUST) || !v->trust) &&
	       (!(v->set & POL_HAS_RSS) || !v->rss) &&
	       (!(v->set & POL_HAS_RATE) || (!v->rate_min && !v->rate_max)) &&
	       (!(v->set & POL_HAS_LINK_STATE) || !v->link_state);
}

void export_vfs(struct export *e, const struct pol_pf *pf)
{
	char mac[MAC_STRLEN];

	for (size_t i = 0; i < pf->n_vfs; i++) {
		const struct pol_vf *v = &pf->vf[i];

		if (is_plain(v))
			continue;
		not_said(e, v->bdf,
		         "VF %u has MAC %s, VLAN %u qos %u, spoof check %s, "
		         "trust %s, rate %u to %u Mbit/s, link state %s, RSS "
		         "query %s",
		         v->index, mac_format(v->mac, mac), v->vlan, v->qos,
		         v->spoof ? "on" : "off", v->trust ? "on" : "off",
		         v->rate_min, v->rate_max,
		         pol_link_state_name(v->link_state),
		         v->rss ? "on" : "off");
	}
}
