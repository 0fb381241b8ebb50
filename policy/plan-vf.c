/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a VF may do on the wire, in a plan: the stages between the PF's link
 * and the VFs' drivers, in the order of enum pol_op, each over all VFs.
 *
 * A new VF begins without a MAC of its own, without a rate and with the link
 * of its PF: drivers that have no such setting refuse to be told so. The
 * others of its settings are not known, and said again.
 */

#include <string.h>

#include "policy/plan.h"

/*
 * An attribute of a VF that runs may change only for the one who has it: a
 * guest put before others in the file shifts theirs, and the VF under a
 * running guest must not become another's. Who has it may be unknown (its
 * lease was given by a netd that has ended): then nothing may change.
 */
int plan_check_owner(struct job *j, const struct pol_vf *w,
                     const struct pol_vf *s)
{
	if (s && plan_held(s) &&
	    (!*s->label || strcmp(s->label, w->label) != 0))
		return plan_in_use(j, s,
		                   *w->label && *s->label
		                           ? "it would become another guest's"
		                           : "its settings would change");
	return 0;
}

/* ---- one of each --------------------------------------------------------- */

/* What a new VF has, as far as that is known of all drivers. */
static const struct pol_vf new_vf = {
	.set = POL_HAS_MAC | POL_HAS_RATE | POL_HAS_LINK_STATE,
};

static bool mac_same(const struct pol_vf *w, const struct pol_vf *s)
{
	return !w->mac_draws && !memcmp(w->mac, s->mac, sizeof(w->mac));
}

static void mac_fill(struct pol_action *a, const struct pol_vf *w,
                     const struct pol_vf *s)
{
	(void)s;
	memcpy(a->mac, w->mac, sizeof(a->mac));
	a->mac_draws = w->mac_draws;
}

static bool vlan_same(const struct pol_vf *w, const struct pol_vf *s)
{
	uint16_t wp = w->proto ? w->proto : ETH_P_8021Q;
	uint16_t sp = s->proto ? s->proto : ETH_P_8021Q;

	if (!w->vlan && !s->vlan)
		return w->qos == s->qos;
	return w->vlan == s->vlan && w->qos == s->qos && wp == sp;
}

static void vlan_fill(struct pol_action *a, const struct pol_vf *w,
                      const struct pol_vf *s)
{
	(void)s;
	a->vlan = w->vlan;
	a->qos = w->qos;
	a->proto = w->proto ? w->proto : ETH_P_8021Q;
}

static bool rate_same(const struct pol_vf *w, const struct pol_vf *s)
{
	return w->rate_min == s->rate_min && w->rate_max == s->rate_max;
}

static void rate_fill(struct pol_action *a, const struct pol_vf *w,
                      const struct pol_vf *s)
{
	(void)s;
	a->rate_min = w->rate_min;
	a->rate_max = w->rate_max;
}

#define SWITCH(name, has, field)                                               \
	static bool name##_same(const struct pol_vf *w,                        \
	                        const struct pol_vf *s)                        \
	{                                                                      \
		return w->field == s->field;                                   \
	}                                                                      \
	static void name##_fill(struct pol_action *a, const struct pol_vf *w,  \
	                        const struct pol_vf *s)                        \
	{                                                                      \
		a->number = w->field;                                          \
		a->number_from = s && s->set & (has) ? s->field : 0;           \
	}
SWITCH(spoof, POL_HAS_SPOOF, spoof)
SWITCH(trust, POL_HAS_TRUST, trust)
SWITCH(rss, POL_HAS_RSS, rss)
SWITCH(link, POL_HAS_LINK_STATE, link_state)

/* ---- all of them --------------------------------------------------------- */

struct attribute {
	enum pol_op op;
	uint32_t has;
	bool bounces; /* whoever has the VF sees its link go */
	bool (*same)(const struct pol_vf *w, const struct pol_vf *s);
	void (*fill)(struct pol_action *a, const struct pol_vf *w,
	             const struct pol_vf *s);
};
// clang-format off
static const struct attribute attributes[PLAN_VF_ATTRIBUTES] = {
	{ POL_OP_VF_MAC,   POL_HAS_MAC,   true,  mac_same,   mac_fill },
	{ POL_OP_VF_VLAN,  POL_HAS_VLAN,  true,  vlan_same,  vlan_fill },
	{ POL_OP_VF_RATE,  POL_HAS_RATE,  false, rate_same,  rate_fill },
	{ POL_OP_VF_SPOOF, POL_HAS_SPOOF, false, spoof_same, spoof_fill },
	{ POL_OP_VF_TRUST, POL_HAS_TRUST, false, trust_same, trust_fill },
	{ POL_OP_VF_RSS,   POL_HAS_RSS,   false, rss_same,   rss_fill },
	{ POL_OP_VF_LINK,  POL_HAS_LINK_STATE, true, link_same, link_fill },
};
// clang-format on

/* As it is to be; or the driver has said that it cannot be so, and the policy
 * does without. */
static bool is_done(const struct attribute *t, const struct pol_vf *w,
                    const struct pol_vf *now)
{
	return now && ((now->set & t->has && t->same(w, now)) ||
	               (w->warn && now->refused & t->has));
}

static int plan_attribute(struct job *j, const struct attribute *t,
                          const struct pol_vf *w)
{
	const struct pol_vf *s = j->fresh ? NULL : state_vf(j->seen, w->index);
	struct pol_action *a;

	if (!(w->set & t->has) || is_done(t, w, j->fresh ? &new_vf : s))
		return 0;
	/* No guest looks at its MAC twice. */
	if (t->op == POL_OP_VF_MAC && plan_held(s))
		return plan_in_use(j, s, "its MAC would change");
	if (plan_check_owner(j, w, s))
		return -EBUSY;
	a = plan_add_vf(
		j, t->op,
		t->bounces && plan_held(s) ? POL_DIS_LINK : POL_DIS_NONE, w);
	a->may_fail = w->warn;
	t->fill(a, w, s);
	return 0;
}

int plan_attributes(struct job *j)
{
	int r = 0;

	for (size_t n = 0; !r && n < ARRAY_SIZE(attributes); n++)
		for (size_t i = 0; !r && i < j->want->n_vfs; i++)
			r = plan_attribute(j, &attributes[n], &j->want->vf[i]);
	return r;
}
