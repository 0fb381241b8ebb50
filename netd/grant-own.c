/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device that the VMM itself is, for a guest that runs: a disk, an emulated
 * nic, a vsock or an rng that the applied policy gives the guest and the
 * guest has not. What it takes is opened as for a lease; nothing of it is a
 * function of the host, so nothing is put right before, or after.
 */

#include <string.h>

#include "netd/grant.h"
#include "netd/macvtap.h"

bool grant_find_own(const struct guest_run *r, const char *name,
                    struct pol_own *ret)
{
	for (size_t i = 0; pol_guest_own(r->policy, r->guest, i, ret); i++)
		if (!strcmp(ret->name, name))
			return true;
	return false;
}

/* A pair's interface in the guest is the standby's (Linux: net_failover), with
 * the addresses: without it, and with another, the guest's network is lost. A
 * console is what its viewers are attached to. */
static int check_kind(struct work *w, const struct pol_own *o)
{
	if (!o->standby && o->kind != POL_OWN_CONSOLE &&
	    o->kind != POL_OWN_WATCHDOG)
		return 0;
	diag_fail(&w->diag, -EOPNOTSUPP, FL_NETD_DEVICE,
	          "guest %s: %s comes and goes with the guest only",
	          w->req.guest, o->name);
	diag_why(&w->diag, "%s",
	         o->standby ? "the guest's pair hangs on its standby: its "
	                      "VF is what is detached and attached"
	         : o->kind == POL_OWN_CONSOLE
	                 ? "whoever looks at it hangs on it"
	                 : "it watches the whole life");
	diag_mend(&w->diag, "start the guest anew");
	return -EOPNOTSUPP;
}

/* ---- where --------------------------------------------------------------- */

static uint32_t used_ports(const struct lease *l)
{
	uint32_t used = 0;

	for (size_t i = 0; i < l->n; i++)
		used |= BIT(l->device[i].slot);
	for (size_t i = 0; i < l->n_own; i++)
		used |= BIT(l->own[i].slot);
	return used;
}

/* What may come back, since the policy says where it is. */
static uint32_t claimed_ports(const struct pol_policy *p,
                              const struct pol_guest *g)
{
	uint32_t claimed = 0;
	struct pol_own o;

	for (size_t i = 0; i < g->n_nics; i++)
		claimed |= BIT(g->nic[i].slot);
	for (size_t i = 0; i < g->n_devices; i++)
		claimed |= BIT(g->device[i].slot);
	for (size_t i = 0; pol_guest_own(p, g, i, &o); i++)
		claimed |= BIT(o.slot);
	return claimed;
}

uint8_t grant_port(const struct guest_run *r, const struct lease *l,
                   uint8_t wish)
{
	uint32_t left = l ? l->ports & ~used_ports(l) : 0;
	uint32_t best = left & ~claimed_ports(r->policy, r->guest);

	if (wish && left & BIT(wish))
		return wish;
	if (!best)
		best = left;
	return best ? (uint8_t)__builtin_ctz(best) : 0;
}

/* ---- given --------------------------------------------------------------- */

int grant_rest(struct work *w, struct guest_run *r)
{
	int e = open_own(w, r->m.rtnl, r->policy, r->guest);

	if (!e && w->req.log)
		e = words_open(w);
	/* Last: a name in the file system does not go with its descriptor. */
	if (!e)
		e = control_open(w);
	/* Nor does a macvtap, and there will be no lease whose end removes it.
	 */
	if (e)
		macvtap_sweep(w, r->m.rtnl, w->req.guest, NULL);
	return e;
}

int grant_own(struct work *w, struct guest_run *r, const struct lease *l,
              struct pol_own *o)
{
	int e = check_kind(w, o);

	if (!e && lease_has(l, o->name))
		e = grant_has(w, o->name);
	if (e)
		return e;
	o->slot = grant_port(r, l, o->slot);
	if (!o->slot)
		return grant_no_slot(w, r->guest, o->name);
	e = machine_open(w->env, &r->m, &w->diag);
	if (!e)
		e = open_own_one(w, r->m.rtnl, o);
	return e;
}
