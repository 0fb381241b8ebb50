/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_POLICY_PLAN_H
#define FL_POLICY_PLAN_H

/*
 * Between plan.c (the order, the PF, drivers), plan-vf.c (what a VF may do on
 * the wire) and plan-switch.c: one PF being planned. Actions are appended in
 * the order in which the stages run; pol_plan() has made room for one of each
 * kind a VF.
 */

#include "policy/priv.h"

/* risk.c */
enum host_use { /* what the host does with a PF's interface */
	HOST_USE_UNKNOWN,
	HOST_USES_NOT,
	HOST_USES,
};
enum host_use host_use(const struct pol_state *seen, const struct pol_pf *pf);

struct job {
	const struct pol_pf *want, *seen;
	bool fresh;  /* numvfs changes: no VF seen will be there */
	bool hold;   /* autoprobe stays off until the end */
	bool raised; /* the link, for the VFs' sake */
	enum host_use use;
	struct pol_plan *plan;
	struct diag *d;
};
struct pol_action *plan_add(struct job *j, enum pol_op op,
                            enum pol_disruption disruption);
struct pol_action *plan_add_vf(struct job *j, enum pol_op op,
                               enum pol_disruption disruption,
                               const struct pol_vf *w);
/* Somebody has it; -EBUSY FL_POL_IN_USE: "... is in use: CHANGE". */
bool plan_held(const struct pol_vf *vf);
_must_check_ int plan_in_use(struct job *j, const struct pol_vf *vf,
                             const char *change);
/* Of what VFs have from one stock, those of which `has` is wanted: those that
 * come to have fewer are planned first, as others need what they leave. */
typedef int plan_from_stock(struct job *j, const struct pol_vf *want,
                            bool fewer);
_must_check_ int plan_fewer_first(struct job *j, uint32_t has,
                                  plan_from_stock *one);

/* Kinds of actions that plan_attributes() may add to a VF. */
#define PLAN_VF_ATTRIBUTES 7
_must_check_ int plan_attributes(struct job *j);
/* A VF that somebody has changes only for him; -EBUSY. */
_must_check_ int plan_check_owner(struct job *j, const struct pol_vf *w,
                                  const struct pol_vf *s);

/* plan-switch.c: while there are no VFs, when they are made, and when they have
 * their attributes. Beside one of each a PF, at most: */
#define PLAN_VF_SWITCH 4 /* into a group, out of it, port, vectors: a VF */
#define PLAN_PF_SWITCH                                                         \
	(2 + POL_PARAMS_MAX + 2 * POL_GROUPS_MAX + POL_BRIDGES_MAX)
bool plan_mode_changes(const struct job *j);
_must_check_ int plan_switch_before(struct job *j);
_must_check_ int plan_switch_after(struct job *j);
_must_check_ int plan_groups(struct job *j);
_must_check_ int plan_ports(struct job *j);
/* msix.c */
_must_check_ int plan_msix(struct job *j);
/* nvme.c: what the controller keeps, and then what its VFs have. */
#define PLAN_VF_NVME 2
bool plan_keep_changes(const struct job *j);
_must_check_ int plan_keep(struct job *j);
_must_check_ int plan_resources(struct job *j);

#endif
