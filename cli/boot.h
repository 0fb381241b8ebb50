/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_CLI_BOOT_H
#define FL_CLI_BOOT_H

/*
 * Guests that go with the machine (`boot: auto` in the applied policy): all of
 * them up, or down, one after the other. boot.c does that with what starts and
 * stops one; each of those prints what came of it.
 */

#include "cli/cli.h"

/* up.c, control.c; an enum cli_exit, or of guest_up() the VMM's status. */
int guest_up(const struct cli *c, const char *name);
int guest_stop(const struct cli *c, const char *name);
/* Gives each of a list of running guests its "boot", as the applied policy has
 * it; null where netd cannot be asked, or has no such guest. */
void boot_mark(const struct cli *c, json_t *guests);

#endif
