/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes to attributes, each in a child with a deadline, and waits for what
 * the kernel does afterwards. */

#include <string.h>
#include <time.h>

#include "sriov/priv.h"

static const struct patience usual = { SRIOV_WRITE_MS, SRIOV_WAIT_MS,
	                               SRIOV_VF_MS };

int write_attr(int root_fd, const char *path, const char *value,
               const struct patience *p, int code, const char *what,
               struct diag *d)
{
	int stuck = 0;
	int r = sysfs_write_deadline(root_fd, path, value, p->write_ms, &stuck);

	if (r >= 0)
		return 0;
	if (r == -ETIMEDOUT) {
		diag_fail(d, r, FL_SRIOV_STUCK, "%s", what);
		diag_why(d, "the write to /%s did not return within %u ms%s",
		         path, p->write_ms,
		         stuck ? " and cannot be killed" : "");
		diag_mend(d, "see `dmesg` for the driver; what holds the "
		             "device must let go");
		return r;
	}
	diag_fail(d, r, code, "%s", what);
	diag_why(d, "writing \"%s\" to /%s: %s", value, path, strerror(-r));
	diag_mend(d, "see `dmesg` for the driver's reason");
	return r;
}

int wait_until(const struct patience *p, bool (*done)(const void *arg),
               const void *arg)
{
	const struct timespec step = { .tv_nsec = SRIOV_STEP_MS * 1000000L };
	uint64_t end = now_ns() + p->wait_ms * 1000000ull;

	while (!done(arg)) {
		if (now_ns() >= end)
			return -ETIMEDOUT;
		nanosleep(&step, NULL);
	}
	return 0;
}

int sriov_set_autoprobe(int root_fd, struct bdf pf, bool on, struct diag *d)
{
	char path[SRIOV_PATH];
	uint64_t now = 0;
	int r = fn_check(root_fd, pf, d);

	fn_path(path, pf, "sriov_drivers_autoprobe");
	if (!r)
		r = write_attr(root_fd, path, on ? "1" : "0", &usual,
		               FL_SRIOV_WRITE,
		               "cannot set sriov_drivers_autoprobe", d);
	if (r)
		return r;
	r = sysfs_read_u64(root_fd, path, &now);
	if (!r && now == on)
		return 0;
	diag_fail(d, r ? r : -EIO, FL_SRIOV_WRITE,
	          "cannot set sriov_drivers_autoprobe");
	diag_why(d, "/%s did not take the value %d", path, on);
	diag_mend(d, "see `dmesg`; does another program set it, too?");
	return r ? r : -EIO;
}

int sriov_set_numvfs(int root_fd, struct bdf pf, unsigned n, struct diag *d)
{
	return set_numvfs(root_fd, pf, n, &usual, d);
}

int sriov_bind_to(int root_fd, struct bdf b, const char *driver,
                  const char *override, struct diag *d)
{
	return bind_to(root_fd, b, driver, override, &usual, d);
}

int sriov_bind_default(int root_fd, struct bdf b, struct diag *d)
{
	return bind_to(root_fd, b, NULL, "", &usual, d);
}

int sriov_set_msix(int root_fd, struct bdf vf, unsigned n, struct diag *d)
{
	return set_msix(root_fd, vf, n, &usual, d);
}
