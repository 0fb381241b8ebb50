/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_CLI_FUNCTION_H
#define FL_CLI_FUNCTION_H

/* A PCI function as sysfs shows it, below root_fd only. Inside cli/ only. */

#include "cli/cli.h"
#include "pci-config/pci-config.h"
#include "sriov/sriov.h"

struct cli_function {
	struct sriov_fn fn;
	bool vf;
	struct bdf pf;     /* of a VF */
	size_t read;       /* bytes of configuration space that we may see */
	uint64_t rom_size; /* as the kernel decodes it; 0 = none */
	struct cfg_layout layout; /* when `read` is 256 or more */
};
/* -> 0, also where too few bytes may be seen. -ENODEV FL_CLI_DEVICE; errors of
 * cfg_layout_parse(), whose warning (chain_cut) is also in `d`. */
_must_check_ int cli_function_read(int root_fd, struct bdf b,
                                   struct cli_function *ret, struct diag *d);
/* A PCI address, or -EINVAL with FL_CLI_DEVICE. */
_must_check_ int cli_parse_bdf(const char *text, struct bdf *ret,
                               struct diag *d);
/* The tree that --root names. Descriptor, or FL_CLI_FILE. */
_must_check_ int cli_open_root(const struct cli *c, struct diag *d);

#endif
