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
	       (!(v->set & POL_HAS_TRUST) || !v->trust);
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
		         "trust %s",
		         v->index, mac_format(v->mac, mac), v->vlan, v->qos,
		         v->spoof ? "on" : "off", v->trust ? "on" : "off");
	}
}
