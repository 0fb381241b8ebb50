/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was before, as a later change learns it. An earlier one may have looked
 * at less of a PF: it adopted what another had set up, or stated nothing of its
 * switch. What it did not know it has not changed either, so what is seen now,
 * before the later change, is what was.
 *
 * Not so of what the switch has only in the mode that the earlier one set: its
 * groups and ports are learnt with the mode alone.
 */

#include <stdlib.h>
#include <string.h>

#include "policy/priv.h"

static bool knows_param(const struct pol_switch *sw,
                        const struct pol_param_value *p)
{
	for (unsigned i = 0; i < sw->n_params; i++)
		if (!strcmp(sw->param[i].name, p->name) &&
		    sw->param[i].init == p->init)
			return true;
	return false;
}

static const struct pol_bridge *known_bridge(const struct pol_state *have,
                                             const char *name)
{
	const struct pol_bridge *b = NULL;

	for (size_t i = 0; !b && i < have->n_pfs; i++)
		if (have->pf[i].set & POL_HAS_BRIDGE)
			b = find_bridge(&have->pf[i].sw, name);
	return b;
}

void pol_learn_bridges(const struct pol_state *have, struct pol_state *now)
{
	for (size_t i = 0; i < now->n_pfs; i++) {
		struct pol_switch *sw = &now->pf[i].sw;

		for (unsigned k = 0; k < sw->n_bridges; k++) {
			const struct pol_bridge *b =
				known_bridge(have, sw->bridge[k].name);

			if (b)
				sw->bridge[k] = *b;
		}
	}
}

static int learn_bridges(struct pol_pf *have, const struct pol_pf *now)
{
	struct pol_switch *sw = &have->sw;
	int any = 0;

	for (unsigned i = 0; now->set & POL_HAS_BRIDGE && i < now->sw.n_bridges;
	     i++) {
		if (find_bridge(sw, now->sw.bridge[i].name))
			continue;
		if (sw->n_bridges == POL_BRIDGES_MAX)
			return -E2BIG;
		sw->bridge[sw->n_bridges++] = now->sw.bridge[i];
		have->set |= POL_HAS_BRIDGE;
		any = 1;
	}
	return any;
}

static int learn_params(struct pol_pf *have, const struct pol_pf *now)
{
	struct pol_switch *sw = &have->sw;
	int any = 0;

	for (unsigned i = 0; now->set & POL_HAS_PARAMS && i < now->sw.n_params;
	     i++) {
		if (knows_param(sw, &now->sw.param[i]))
			continue;
		if (sw->n_params == POL_PARAMS_MAX)
			return -E2BIG;
		sw->param[sw->n_params++] = now->sw.param[i];
		have->set |= POL_HAS_PARAMS;
		any = 1;
	}
	return any;
}

static int learn_wanted(struct pol_pf *have, const struct pol_pf *now)
{
	int params = learn_params(have, now);
	int bridges = params < 0 ? params : learn_bridges(have, now);

	return bridges < 0 ? bridges : params | bridges;
}

static void learn_switch(struct pol_pf *have, const struct pol_pf *now,
                         uint32_t bits)
{
	if (bits & POL_HAS_ESWITCH)
		have->sw.switchdev = now->sw.switchdev;
	if (bits & POL_HAS_GROUPS) {
		memcpy(have->sw.group, now->sw.group, sizeof(now->sw.group));
		have->sw.n_groups = now->sw.n_groups;
	}
	if (bits & POL_HAS_PORT)
		have->sw.port = now->sw.port;
}

static void learn_vf(struct pol_vf *have, const struct pol_vf *now,
                     uint32_t bits)
{
	bits &= now->set & ~have->set;
	if (bits & POL_HAS_GROUP)
		copy_text(have->rate_group, sizeof(have->rate_group),
		          now->rate_group);
	if (bits & POL_HAS_PORT)
		have->port = now->port;
	if (bits & POL_HAS_RESOURCES)
		have->res = now->res;
	have->set |= bits;
}

/* Those that were there and nothing was known of. */
static int learn_number(struct pol_pf *have, const struct pol_pf *now)
{
	struct pol_vf *vf = calloc(now->n_vfs + 1, sizeof(*vf));

	if (!vf)
		return -ENOMEM;
	for (size_t i = 0; i < now->n_vfs; i++) {
		const struct pol_vf *old = state_vf(have, now->vf[i].index);

		vf[i] = old ? *old : now->vf[i];
	}
	free(have->vf);
	have->vf = vf;
	have->n_vfs = now->n_vfs;
	have->num_vfs = now->num_vfs;
	return 0;
}

int pol_pf_learn(struct pol_pf *have, const struct pol_pf *now)
{
	const uint32_t of_vfs =
		POL_HAS_GROUP | POL_HAS_PORT | POL_HAS_PORT_VLAN;
	const uint32_t of_switch =
		POL_HAS_GROUPS | POL_HAS_PORT | POL_HAS_PORT_VLAN;
	uint32_t bits = POL_HAS_AUTOPROBE | POL_HAS_NUMVFS | POL_HAS_LINK |
	                POL_HAS_MTU | POL_HAS_ESWITCH | POL_HAS_RESOURCES;
	int any = learn_wanted(have, now);

	if (any < 0)
		return any;
	bits &= now->set & ~have->set;
	if (bits & POL_HAS_ESWITCH)
		bits |= of_switch & now->set & ~have->set;
	if (bits & POL_HAS_NUMVFS && learn_number(have, now))
		return -ENOMEM;
	for (size_t i = 0; i < have->n_vfs; i++) {
		const struct pol_vf *v = state_vf(now, have->vf[i].index);

		if (v)
			learn_vf(&have->vf[i], v,
			         (bits & POL_HAS_RESOURCES) |
			                 (bits & POL_HAS_ESWITCH ? of_vfs : 0));
	}
	if (bits & POL_HAS_AUTOPROBE)
		have->autoprobe = now->autoprobe;
	if (bits & POL_HAS_LINK)
		have->link_up = now->link_up;
	if (bits & POL_HAS_MTU)
		have->mtu = now->mtu;
	if (bits & POL_HAS_RESOURCES)
		have->nvme = now->nvme;
	learn_switch(have, now, bits);
	have->set |= bits;
	return any || bits;
}
