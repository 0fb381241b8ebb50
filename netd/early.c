/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of a policy waits for the host's network; early.h. */

#include <stdio.h>
#include <string.h>

#include "netd/early.h"
#include "netd/ovs.h"

static void leave_port(const struct pol_port *p, uint32_t *set,
                       const char *bridge)
{
	if (*set & POL_HAS_PORT && !strcmp(p->bridge, bridge))
		*set &= ~(uint32_t)(POL_HAS_PORT | POL_HAS_PORT_VLAN);
}

static void leave_bridge(struct pol_switch *sw, const char *bridge)
{
	unsigned n = 0;

	for (unsigned i = 0; i < sw->n_bridges; i++)
		if (strcmp(sw->bridge[i].name, bridge) != 0)
			sw->bridge[n++] = sw->bridge[i];
	sw->n_bridges = (uint8_t)n;
}

/* All that goes into it, and what is wanted of itself. */
static void leave_pfs(struct pol_state *s, const char *bridge)
{
	for (size_t i = 0; i < s->n_pfs; i++) {
		struct pol_pf *p = &s->pf[i];

		leave_port(&p->sw.port, &p->set, bridge);
		for (size_t k = 0; k < p->n_vfs; k++)
			leave_port(&p->vf[k].port, &p->vf[k].set, bridge);
		leave_bridge(&p->sw, bridge);
		if (!p->sw.n_bridges)
			p->set &= ~(uint32_t)POL_HAS_BRIDGE;
	}
}

static void leave_over(struct pol_state *s, const char *bridge)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_overs; i++)
		if (strcmp(s->over[i].o.bridge, bridge) != 0)
			s->over[n++] = s->over[i];
	s->n_overs = n;
}

/* `bridge` may be in what is left out: it is copied. */
static void leave(struct pol_state *want, const char *bridge, const char *why,
                  json_t *reply)
{
	json_t *waits = json_object_get(reply, "waits");
	char name[POL_IFNAME];

	snprintf(name, sizeof(name), "%s", bridge);
	if (!waits) {
		waits = json_array();
		json_object_set_new(reply, "waits", waits);
	}
	json_array_append_new(waits, json_string(name));
	reply_warn(reply, "left for later: what goes into bridge %s: %s", name,
	           why);
	leave_pfs(want, name);
	leave_over(want, name);
}

void early_ovs(const struct env *e, struct pol_state *want, json_t *reply)
{
	if (ovs_is_there(e))
		return;
	for (size_t i = want->n_overs; i-- > 0;)
		if (want->over[i].o.ovs)
			leave(want, want->over[i].o.bridge,
			      "Open vSwitch does not run yet", reply);
}

static void rest_overs(struct pol_state *want, struct pol_state *seen,
                       json_t *reply)
{
	for (size_t i = want->n_overs; i-- > 0;) {
		const struct pol_over *w = &want->over[i];
		const struct pol_over *s = state_over(seen, w->o.bridge);

		if (w->o.ovs || !s || *s->foreign || s->outer_mtu)
			continue;
		leave_over(seen, w->o.bridge);
		leave(want, w->o.bridge,
		      "its overlay has nothing to go over yet", reply);
	}
}

static void rest_bridges(struct pol_state *want, struct pol_state *seen,
                         json_t *reply)
{
	for (size_t i = 0; i < want->n_pfs; i++) {
		const struct pol_pf *s = state_find_pf(seen, want->pf[i].bdf);

		if (!s || !(want->pf[i].set & s->set & POL_HAS_BRIDGE))
			continue;
		for (unsigned k = s->sw.n_bridges; k-- > 0;) {
			const struct pol_bridge b = s->sw.bridge[k];

			if (b.there)
				continue;
			leave(want, b.name, "there is no such bridge yet",
			      reply);
			leave_pfs(seen, b.name);
		}
	}
}

void early_rest(struct pol_state *want, struct pol_state *seen, json_t *reply)
{
	rest_overs(want, seen, reply);
	rest_bridges(want, seen, reply);
}
