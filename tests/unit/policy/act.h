/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_TEST_POLICY_ACT_H
#define FL_TEST_POLICY_ACT_H

/* What the actions do to a VF in memory, for tests that play the kernel. It is
 * not policy/sim.c, which they test. */

#include <string.h>

#include "policy/policy.h"

/* False where the action is none of a VF's knobs. */
static inline bool act_knob(struct pol_vf *v, const struct pol_action *a)
{
	switch (a->op) {
	case POL_OP_VF_MAC:
		memcpy(v->mac, a->mac, 6);
		return true;
	case POL_OP_VF_VLAN:
		v->vlan = a->vlan;
		v->qos = a->qos;
		v->proto = a->proto;
		return true;
	case POL_OP_VF_SPOOF:
		v->spoof = a->number;
		return true;
	case POL_OP_VF_TRUST:
		v->trust = a->number;
		return true;
	case POL_OP_VF_RATE:
		v->rate_min = a->rate_min;
		v->rate_max = a->rate_max;
		return true;
	case POL_OP_VF_RSS:
		v->rss = a->number;
		return true;
	case POL_OP_VF_LINK:
		v->link_state = (enum pol_link_state)a->number;
		return true;
	default:
		return false;
	}
}

#endif
