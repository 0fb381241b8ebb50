/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VF and its standby have one MAC, and the bridge of the standby is to send
 * frames where the guest takes them: Linux' net_failover drops what comes to
 * the standby as long as there is a VF, and does not announce itself when one
 * of the two takes over. So the bridge does not learn from the standby, and is
 * told:
 *
 *   VF is there    nothing: what is for the guest goes where the VF's own
 *                  frames come from, and before the first to all ports
 *   VF goes        an entry, from the moment the guest's driver has let go
 *   VF comes       the entry goes before the guest can see the VF: until its
 *                  driver has it, frames to all ports reach the standby
 *
 * The entry is static but may move: a VF that is used after all takes it.
 *
 * Open vSwitch has no port that is not learnt from, and its static entries do
 * not move: so with each change it is told to forget what it has learnt, and
 * finds the guest by what comes from it.
 */

#include <stdio.h>
#include <string.h>

#include "netd/grant.h"
#include "netd/ovs.h"

static bool find_standby(const struct guest_run *r, const char *device,
                         struct pol_own *ret)
{
	char name[POL_NAME + sizeof(":standby")];

	snprintf(name, sizeof(name), "%s:standby", device);
	for (size_t i = 0; pol_guest_own(r->policy, r->guest, i, ret); i++)
		if (ret->standby && *ret->bridge && !strcmp(ret->name, name))
			return true;
	return false;
}

void standby_way(struct work *w, const struct guest_run *r, bool here)
{
	struct pol_own o;
	struct diag d;

	if (!find_standby(r, w->req.device, &o) || ovs_forget(w->env, o.ifname))
		return;
	/* The device comes and goes all the same. */
	if (rtnl_fdb(r->m.rtnl, o.ifname, o.mac, here, &d) < 0)
		log_diag(w->env->log, LOG_LVL_WARN, &d);
}

int verb_stand_in(struct work *w)
{
	struct guest_run r = { 0 };
	int e = grant_find_guest(w, &r);

	if (!e)
		e = machine_open(w->env, &r.m, &w->diag);
	if (!e)
		standby_way(w, &r, true);
	pol_free(r.policy);
	machine_close(&r.m);
	return e;
}
