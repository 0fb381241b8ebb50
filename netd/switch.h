/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_SWITCH_H
#define FL_NETD_SWITCH_H

/*
 * Inside netd: the switch in a PF as a state has it, and actions on it; over
 * devlink.h and bridge.h. A worker's.
 *
 * Representors come some time after the mode has changed or VFs were made,
 * and are renamed by udev then. An action on one waits for it, by its port in
 * the switch, and from there on goes by its index.
 */

#include "netd/priv.h"

/* observe-switch.c: into the PFs of `s`. What cannot be read is not known. */
void observe_switches(const struct env *e, struct rtnl *rtnl,
                      struct pol_state *s);
/* Is the interface a PF's of `s`, or a representor at one? */
bool switch_has_port(const struct pol_state *s, const char *ifname);
/* Of those PFs in `want`: the parameters and the bridge that it names. */
_must_check_ int observe_switch_more(struct rtnl *rtnl, struct pol_state *seen,
                                     const struct pol_state *want);

/* status-switch.c: into status's "pfs", in the state's order. */
void status_switches(const struct pol_state *s, json_t *pfs);
/* What the PF's device says of its health: [{"reporter", "state", "errors",
 * "recoveries"}]; null = it says nothing. */
struct devlink;
struct devlink_view;
json_t *switch_health(struct devlink *dl, const struct devlink_view *v,
                      const char *ifname);

/* ops-switch.c */
int op_param(void *ctx, const struct pol_action *a, struct diag *d);
int op_eswitch(void *ctx, const struct pol_action *a, struct diag *d);
int op_group(void *ctx, const struct pol_action *a, struct diag *d);
int op_vf_group(void *ctx, const struct pol_action *a, struct diag *d);
int op_group_del(void *ctx, const struct pol_action *a, struct diag *d);
int op_bridge(void *ctx, const struct pol_action *a, struct diag *d);
int op_port(void *ctx, const struct pol_action *a, struct diag *d);
/* The MAC of the function behind the VF's port, where it has one. */
_must_check_ int op_function_mac(const struct machine *m,
                                 const struct pol_action *a);
/* ops.c: of the action's VF, as it is now. */
_must_check_ int op_vf_address(const struct machine *m,
                               const struct pol_action *a, struct bdf *ret,
                               struct diag *d);

#endif
