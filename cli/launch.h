/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_CLI_LAUNCH_H
#define FL_CLI_LAUNCH_H

/*
 * A guest's start, in two steps, so that `up` can put a process between them:
 * the lease, with its descriptors, and becoming the VMM with it. `run` does
 * both; of `up` the child does the second, and the parent lets go of the lease
 * and keeps the log.
 */

#include "cli/cli.h"

struct launch {
	int conn, lease, report, vmm;
	int log; /* for standard error; -1 = as it is */
	int fd[NETD_FDS_MAX];
	size_t n;
};

/* CLI_OK, or what was refused has been printed, and nothing is left open. */
int launch_lease(const struct cli *c, const char *guest, bool log,
                 struct launch *ret);
void launch_close(struct launch *l);
/* Returns when that failed, and was printed. */
int launch_become(const struct cli *c, struct launch *l);

#endif
