/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A function reset, asked of the kernel. It takes the first way that the
 * function has (`reset_method`); a VF has FLR, PCIe 6.0 9.3.3.1. */

#include "sriov/priv.h"

int sriov_reset(int root_fd, struct bdf b, struct diag *d)
{
	static const struct patience usual = { SRIOV_WRITE_MS, SRIOV_WAIT_MS,
		                               SRIOV_VF_MS };
	char path[SRIOV_PATH], name[BDF_STRLEN];
	int r = fn_check(root_fd, b, d);

	if (r)
		return r;
	fn_path(path, b, "reset");
	if (sysfs_exists(root_fd, path))
		return write_attr(root_fd, path, "1", &usual, FL_SRIOV_WRITE,
		                  "cannot reset the function", d);
	diag_fail(d, -EOPNOTSUPP, FL_SRIOV_WRITE, "cannot reset %s",
	          bdf_format(b, name));
	diag_why(d, "the kernel offers no reset of it");
	return -EOPNOTSUPP;
}
