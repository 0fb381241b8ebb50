/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_CLI_SIM_H
#define FL_CLI_SIM_H

/*
 * `plan --sim DIR FILE`: what netd would answer on the machine that DIR is of,
 * without netd, that machine or any privilege. The planner is the same code
 * and sees the same facts (policy/inventory.c), so the plan is the same.
 */

#include "cli/cli.h"

/* *ret: as netd's answer to "plan". Returns an enum cli_exit. */
int sim_plan(const struct cli *c, const char *file, json_t **ret);
/* `apply --sim`: nothing is done; the inventory of the machine as it would be
 * is printed, for a plan on that. */
int sim_apply(const struct cli *c, const char *file);

#endif
