/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_CLI_INVENTORY_H
#define FL_CLI_INVENTORY_H

/*
 * The machine as policy/ knows it, in the command: recorded now, or read from
 * DIR of `--sim DIR`. Each returns an enum cli_exit, with its error printed.
 */

#include "cli/cli.h"
#include "policy/policy.h"

/* In DIR; DIR may also be the file itself. */
#define INVENTORY_FILE "inventory.jsonl"
#define INVENTORY_MAX (64u << 20)

/* Of this machine: netd's, or where it does not run, what `fairlead-netd
 * --observe` prints. *ret is the caller's. */
int inventory_record(const struct cli *c, char **ret, size_t *ret_len);
/* From c->sim, or recorded where that is NULL. */
int inventory_state(const struct cli *c, struct pol_state **ret);

#endif
