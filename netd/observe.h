/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_OBSERVE_H
#define FL_NETD_OBSERVE_H

/*
 * The machine as a pol_state, and how much of it. A part of priv.h, and
 * included by nobody else.
 *
 * Theory of operation
 *   Physical functions and their VFs are always looked at, with who uses them.
 *   The rest costs more than all of that on a host with few PFs, and most
 *   policies never ask for it: so a caller says which parts it needs, and
 *   what was not asked for is not in the state, as on a machine without it.
 *   Who shows or records the machine asks for all.
 *
 *   After its actions a transaction asks what they have set, for the history:
 *   of the PFs of its plan alone, which have just answered.
 */

#include "policy/policy.h"

struct env;
struct rtnl;
struct sriov_fn;
struct sriov_holders;

enum {
	/* Every function of the host, and what the host does with it. */
	SEE_WHOLES = 1 << 0,
	/* The IOMMU, interrupt remapping, who shares groups. */
	SEE_ASSIGN = 1 << 1,
	/* What devlink and bridges tell of PFs. */
	SEE_SWITCH = 1 << 2,
	/* Do PFs answer? Who has just asked need not again. */
	SEE_ANSWERS = 1 << 3,
	/* Which memory nodes share a socket. */
	SEE_SOCKETS = 1 << 4,
	/* Which host this is. */
	SEE_MACHINE = 1 << 5,
	/* What VFs have of NVMe controllers: nvme.h. */
	SEE_QUEUES = 1 << 6,
	/* Huge pages of memory nodes. No policy needs them to be applied: a
	 * guest that finds none does not start, and the others do. */
	SEE_PAGES = 1 << 7,
	SEE_ALL = (1 << 8) - 1,
};
struct observing {
	unsigned parts;
	/* What its actions set, and no users; NULL = all PFs. */
	const struct pol_plan *plan;
	/* Whose VFs are is left out: no action of the plan changes drivers. */
	bool no_drivers;
	/* How long a PF may take to answer; 0 = STUCK_MS. */
	unsigned patient_ms;
};
/* NULL = everything. `rtnl` may be NULL: then nothing is known that netlink
 * tells. */
_must_check_ int observe(const struct env *e, struct rtnl *rtnl,
                         const struct observing *what, struct pol_state **ret,
                         struct diag *d);
/* What pol_resolve() needs of the machine for it, and pol_resolve_guest(); what
 * an undo to `was` does. */
unsigned observe_for_policy(const struct pol_policy *p);
unsigned observe_for_guest(const struct pol_policy *p,
                           const struct pol_guest *g);
unsigned observe_for_state(const struct pol_state *was);
/* What tells how the plan's actions have come out. */
struct observing observe_outcome(const struct pol_plan *plan,
                                 const struct pol_state *seen);

const struct pol_pf *state_find_pf(const struct pol_state *s, struct bdf b);
const struct pol_whole *state_find_whole(const struct pol_state *s,
                                         struct bdf b);
const struct pol_vf *state_find_vf(const struct pol_pf *pf, unsigned index);
uint32_t observe_speed(const struct env *e, const char *ifname); /* Mbit/s */

/* observe-whole.c: what tells the function from others of its kind. */
void see_ident(const struct env *e, const struct sriov_fn *f,
               struct pol_ident *ret, uint32_t *set);
/* After the PFs. */
_must_check_ int observe_wholes(const struct env *e,
                                const struct sriov_holders *h,
                                struct pol_state *s);
/* What observe() leaves out, of what is in `want`: whole functions' overrides,
 * and what drivers have refused before (refused.h). */
_must_check_ int observe_overrides(const struct env *e, struct pol_state *seen,
                                   const struct pol_state *want);
/* observe-nodes.c */
void observe_sockets(const struct env *e, struct pol_machine *m);
_must_check_ int observe_pages(const struct env *e, struct pol_machine *m);
void foretell_blocker(const struct env *e, struct pol_pf *p);

#endif
