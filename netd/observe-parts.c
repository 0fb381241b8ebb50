/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which parts of the machine are to be looked at: observe.h. */

#include "netd/priv.h"

static bool assigns(const struct pol_policy *p)
{
	for (size_t i = 0; i < p->n_pools; i++)
		if (pol_driver_is_vfio(p->pool[i].driver))
			return true;
	return p->n_devices;
}

/* The class of a PF is told with the functions (policy/match.c). */
static bool asks_for_class(const struct pol_policy *p)
{
	for (size_t i = 0; i < p->n_nics; i++)
		if (p->nic[i].match.by_class)
			return true;
	return false;
}

/* VFs of an NVMe controller may be disks of the host's. */
static unsigned of_disks(const struct pol_policy *p)
{
	for (size_t i = 0; i < p->n_nics; i++)
		if (p->nic[i].kind == POL_KIND_NVME)
			return SEE_WHOLES | SEE_QUEUES;
	return 0;
}

static unsigned of_queues(const struct pol_state *s)
{
	for (size_t i = 0; i < s->n_pfs; i++)
		if (s->pf[i].set & POL_HAS_RESOURCES)
			return SEE_QUEUES;
	return 0;
}

/* Whatever of the policy is resolved. */
static unsigned of_any(const struct pol_policy *p)
{
	unsigned parts = SEE_SWITCH | SEE_ANSWERS | of_disks(p);

	if (asks_for_class(p))
		parts |= SEE_WHOLES;
	if (*p->host.hostname || *p->host.machine_id)
		parts |= SEE_MACHINE;
	if (p->host.sockets_pos.line)
		parts |= SEE_SOCKETS;
	if (assigns(p))
		parts |= SEE_ASSIGN;
	return parts;
}

unsigned observe_for_policy(const struct pol_policy *p)
{
	return of_any(p) |
	       (p->n_devices || p->host.deny_unlisted ? SEE_WHOLES : 0u);
}

unsigned observe_for_guest(const struct pol_policy *p,
                           const struct pol_guest *g)
{
	return of_any(p) | (g->n_devices ? SEE_WHOLES : 0u);
}

unsigned observe_for_state(const struct pol_state *was)
{
	return SEE_SWITCH | SEE_ANSWERS | (was->n_wholes ? SEE_WHOLES : 0u) |
	       of_queues(was);
}

struct observing observe_outcome(const struct pol_plan *plan,
                                 const struct pol_state *seen)
{
	struct observing what = { .plan = plan,
		                  .parts = of_queues(seen),
		                  .no_drivers = true };

	for (size_t i = 0; i < plan->n; i++) {
		if (plan->action[i].op == POL_OP_VF_DRIVER)
			what.no_drivers = false;
		if (plan->action[i].op == POL_OP_DEV_DRIVER)
			what.parts |= SEE_WHOLES;
		if (plan->action[i].op == POL_OP_ESWITCH)
			what.parts |= SEE_SWITCH;
	}
	for (size_t i = 0; i < seen->n_pfs; i++)
		if (seen->pf[i].sw.instance)
			what.parts |= SEE_SWITCH;
	return what;
}
