/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Physical functions: those with a sriov_totalvfs attribute. Reading
 * sriov_numvfs takes the device's lock in the kernel, so it may block while
 * another process writes it; callers that must not wait read in a child.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sriov/priv.h"

static int no_cap(int root_fd, struct bdf b, struct diag *d)
{
	char name[BDF_STRLEN];
	struct bdf pf;

	diag_fail(d, -EOPNOTSUPP, FL_SRIOV_NO_CAP, "%s cannot have VFs",
	          bdf_format(b, name));
	if (!sriov_pf_of(root_fd, b, &pf)) {
		char pf_name[BDF_STRLEN];

		diag_why(d, "it is itself a virtual function, of %s",
		         bdf_format(pf, pf_name));
		diag_mend(d, "name %s instead", pf_name);
		return -EOPNOTSUPP;
	}
	diag_why(d, "it has no SR-IOV capability, or the firmware or the "
	            "kernel (pci=nosriov) turned it off");
	diag_mend(d, "turn SR-IOV on in the firmware; see `lspci -vs %s`",
	          name);
	return -EOPNOTSUPP;
}

static int unreadable(int err, struct bdf b, const char *attr, struct diag *d)
{
	char name[BDF_STRLEN];

	diag_fail(d, err, FL_SRIOV_NO_DEVICE, "cannot read %s of %s", attr,
	          bdf_format(b, name));
	diag_why(d, "%s", strerror(-err));
	diag_mend(d, "see `dmesg` for what became of the device");
	return err;
}

static int attr(int dir, struct bdf b, const char *name, uint64_t max,
                uint64_t *ret, struct diag *d)
{
	int r = sysfs_attr_u64(dir, name, ret);

	if (!r && *ret > max)
		r = -ERANGE;
	return r < 0 ? unreadable(r, b, name, d) : 0;
}

/* Linux 4.13 and later; before, drivers are always probed. Not to be readable
 * is not that. */
static int read_autoprobe(int dir, struct bdf b, uint64_t *ret, struct diag *d)
{
	int r = sysfs_attr_u64(dir, "sriov_drivers_autoprobe", ret);

	if (!r && *ret > 1)
		r = -ERANGE;
	if (r == -ENOENT)
		*ret = 1;
	return r && r != -ENOENT
	               ? unreadable(r, b, "sriov_drivers_autoprobe", d)
	               : 0;
}

/* While the kernel makes VFs, the count and the links differ. */
static int read_links(int dir, struct sriov_pf *pf, struct diag *d)
{
	char path[SRIOV_PATH], link[SRIOV_NAME], name[BDF_STRLEN];

	for (unsigned i = 0; i < pf->num_vfs; i++) {
		snprintf(link, sizeof(link), "virtfn%u", i);
		if (sysfs_link_name(dir, link, name, sizeof(name)) >= 0 &&
		    !bdf_parse(name, &pf->vf[i]))
			continue;
		diag_fail(d, -EAGAIN, FL_SRIOV_WAIT, "VF %u of %s is not there",
		          i, bdf_format(pf->fn.bdf, name));
		diag_why(d, "sriov_numvfs says %u; /%s is missing", pf->num_vfs,
		         fn_path(path, pf->fn.bdf, link));
		diag_mend(d, "try again; if it stays so see `dmesg`");
		return -EAGAIN;
	}
	return 0;
}

/* Only newer kernels show them; without, addresses cannot be foretold. */
static void read_stride(int dir, struct sriov_pf *pf)
{
	uint64_t offset, stride;

	if (attr(dir, pf->fn.bdf, "sriov_offset", UINT16_MAX, &offset, NULL) ||
	    attr(dir, pf->fn.bdf, "sriov_stride", UINT16_MAX, &stride, NULL))
		return;
	pf->offset = (uint16_t)offset;
	pf->stride = (uint16_t)stride;
}

int sriov_pf_read(int root_fd, struct bdf b, struct sriov_pf *ret,
                  struct diag *d)
{
	_cleanup_free_ struct sriov_pf *pf = calloc(1, sizeof(*pf));
	uint64_t total = 0, num = 0, autoprobe = 1;
	_cleanup_close_ int dir = -1;
	int r;

	if (!pf)
		return diag_fail(d, -ENOMEM, FL_SRIOV_NO_DEVICE, "no memory");
	dir = fn_open(root_fd, b, d);
	if (dir < 0)
		return dir;
	if (!sysfs_exists(dir, "sriov_totalvfs"))
		return no_cap(root_fd, b, d);
	r = attr(dir, b, "sriov_totalvfs", UINT16_MAX, &total, d);
	if (!r)
		r = attr(dir, b, "sriov_numvfs", SRIOV_VFS_MAX, &num, d);
	if (!r)
		r = read_autoprobe(dir, b, &autoprobe, d);
	if (!r && (r = fn_read(dir, b, &pf->fn)))
		r = unreadable(r, b, "attributes", d);
	if (r)
		return r;
	pf->total_vfs = (unsigned)total;
	pf->num_vfs = (unsigned)num;
	pf->autoprobe = autoprobe;
	read_stride(dir, pf);
	r = read_links(dir, pf, d);
	if (!r)
		*ret = *pf;
	return r;
}

int sriov_pf_look(int root_fd, struct bdf b, struct sriov_pf *ret,
                  struct diag *d)
{
	_cleanup_close_ int dir = fn_open(root_fd, b, d);
	uint64_t total = 0;
	int r = MIN(dir, 0);

	*ret = (struct sriov_pf){ .autoprobe = true };
	if (!r)
		r = attr(dir, b, "sriov_totalvfs", UINT16_MAX, &total, d);
	if (!r && (r = fn_look(dir, b, &ret->fn)))
		r = unreadable(r, b, "attributes", d);
	if (r)
		return r;
	ret->total_vfs = (unsigned)total;
	read_stride(dir, ret);
	return 0;
}

struct each {
	int dir;
	int (*fn)(struct bdf b, void *arg);
	void *arg;
};

static int visit(const char *name, void *arg)
{
	const struct each *e = arg;
	char path[SRIOV_PATH];
	uint64_t total;
	struct bdf b;
	int r;

	if (bdf_parse(name, &b) < 0)
		return 0;
	snprintf(path, sizeof(path), "%s/sriov_totalvfs", name);
	r = sysfs_attr_u64(e->dir, path, &total);
	/* No PF, or one that has just gone. What cannot be read may be one:
	 * it must not pass for gone, or nobody puts it back. */
	if (r == -ENOENT || (r == -ENODEV && !sysfs_exists(e->dir, path)))
		return 0;
	return r || !total ? MIN(r, 0) : e->fn(b, e->arg);
}

int sriov_each_pf(int root_fd, int (*fn)(struct bdf b, void *arg), void *arg)
{
	_cleanup_close_ int dir = openat(root_fd, "sys/bus/pci/devices",
	                                 O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct each e = { .dir = dir, .fn = fn, .arg = arg };

	return dir < 0 ? -errno : sysfs_each(dir, ".", visit, &e);
}
