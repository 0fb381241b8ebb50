/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many MSI-X vectors a VF has, and may have. The kernel's files for it are
 * on every PF and VF; only a driver with a pool of vectors makes the first say
 * more than 0. The number itself is in the VF's capability (PCIe 6.0 7.7.2.2):
 * sriov_vf_msix_count is written and never read.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sriov/priv.h"

#define CONFIG 256
#define STATUS 0x06
#define STATUS_CAPS 0x10
#define CAPS 0x34
#define CAP_MSIX 0x11
#define CAPS_MAX 48 /* of 4 bytes at least, behind the header */

unsigned sriov_msix_total(int root_fd, struct bdf pf)
{
	char path[SRIOV_PATH];
	uint64_t n;

	if (sysfs_read_u64(root_fd, fn_path(path, pf, "sriov_vf_total_msix"),
	                   &n) < 0)
		return 0;
	return (unsigned)MIN(n, (uint64_t)UINT32_MAX);
}

static unsigned table_size(const uint8_t c[static CONFIG])
{
	unsigned at = c[CAPS] & ~3u;

	if (!(c[STATUS] & STATUS_CAPS))
		return 0;
	for (unsigned i = 0; at >= 0x40 && i < CAPS_MAX; i++) {
		if (c[at] == CAP_MSIX)
			return ((c[at + 2] | c[at + 3] << 8) & 0x7ff) + 1u;
		at = c[at + 1] & ~3u;
	}
	return 0;
}

unsigned sriov_msix_count(int root_fd, struct bdf vf)
{
	uint8_t config[CONFIG] = { 0 };
	_cleanup_close_ int fd = -1;
	char path[SRIOV_PATH];

	fd = openat(root_fd, fn_path(path, vf, "config"), O_RDONLY | O_CLOEXEC);
	/* Without CAP_SYS_ADMIN no more than the header is told: netd has not
	 * that capability (drivers/pci/pci-sysfs.c). */
	if (fd < 0 || pread(fd, config, sizeof(config), 0) != CONFIG)
		return 0;
	return table_size(config);
}

static int read_back(int root_fd, struct bdf vf, unsigned n, const char *what,
                     struct diag *d)
{
	unsigned now = sriov_msix_count(root_fd, vf);

	/* Where it cannot be seen the driver's acceptance is all there is. */
	if (now == n || !now)
		return 0;
	diag_fail(d, -EIO, FL_SRIOV_WRITE, "%s", what);
	diag_why(d, "the driver took the number, and the VF has %u", now);
	diag_mend(d, "write `msix-vectors: %u`, or leave it out; see `dmesg`",
	          now);
	return -EIO;
}

/* The kernel takes a number only while no driver has the VF. */
int set_msix(int root_fd, struct bdf vf, unsigned n, const struct patience *p,
             struct diag *d)
{
	char path[SRIOV_PATH], value[16], what[96], name[BDF_STRLEN];
	struct sriov_fn f;
	int r = fn_check(root_fd, vf, d);

	if (!r)
		r = sriov_fn_read(root_fd, vf, &f);
	if (!r && *f.driver)
		r = bind_to(root_fd, vf, "", f.override, p, d);
	if (r)
		return r;
	snprintf(value, sizeof(value), "%u", n);
	snprintf(what, sizeof(what), "cannot give %s %u vectors",
	         bdf_format(vf, name), n);
	r = write_attr(root_fd, fn_path(path, vf, "sriov_vf_msix_count"), value,
	               p, FL_SRIOV_WRITE, what, d);
	if (!r)
		r = read_back(root_fd, vf, n, what, d);
	else if (r != -ETIMEDOUT)
		diag_mend(d, "see `cat /sys/bus/pci/devices/PF/"
		             "sriov_vf_total_msix` for how many there are, and "
		             "`dmesg`");
	/* Whatever came of it, the VF is as it was otherwise. */
	if (*f.driver && r != -ETIMEDOUT) {
		int e = bind_to(root_fd, vf, f.driver, f.override, p,
		                r ? NULL : d);

		r = r ? r : e;
	}
	return r;
}
