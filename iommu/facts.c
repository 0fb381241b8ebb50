/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host's IOMMU is and which of VFIO's two interfaces it has, from
 * sysfs and the device nodes' names.
 */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "iommu/priv.h"

struct walk {
	int root_fd;
	struct iommu_facts *f;
};

/* Hex without 0x. AMD prints "efr:efr2" since 6.7; the first is ours. */
static int read_hex(int root_fd, const char *unit, const char *attr,
                    uint64_t *ret)
{
	char path[160], buf[64], *end;
	int r;

	snprintf(path, sizeof(path), "sys/class/iommu/%.64s/%s", unit, attr);
	r = sysfs_read(root_fd, path, buf, sizeof(buf));
	if (r < 0)
		return r;
	*ret = strtoull(buf, &end, 16);
	return end == buf ? -EINVAL : 0;
}

static int visit_unit(const char *name, void *arg)
{
	struct walk *w = arg;
	struct iommu_unit unit = { 0 };

	if (w->f->n_units == IOMMU_UNITS_MAX)
		return 0;
	unit.intel = !read_hex(w->root_fd, name, "intel-iommu/cap", &unit.cap);
	if (unit.intel) {
		if (read_hex(w->root_fd, name, "intel-iommu/ecap", &unit.ecap))
			unit.ecap = 0;
	} else if (read_hex(w->root_fd, name, "amd-iommu/cap", &unit.cap) ||
	           read_hex(w->root_fd, name, "amd-iommu/features",
	                    &unit.ecap)) {
		/* No unit of a kind known here (virtio-iommu): it counts. */
		unit.cap = unit.ecap = 0;
	}
	snprintf(unit.name, sizeof(unit.name), "%.23s", name);
	w->f->unit[w->f->n_units++] = unit;
	return 0;
}

static int count_entry(const char *name _unused_, void *arg)
{
	++*(size_t *)arg;
	return 0;
}

/* A VFIO device has a character device where its "dev" attribute tells the
 * number; the directory alone exists without them, too. */
static int visit_vfio_dev(const char *name, void *arg)
{
	struct walk *w = arg;
	char path[160];

	snprintf(path, sizeof(path), "sys/class/vfio-dev/%.64s/dev", name);
	w->f->cdev = sysfs_exists(w->root_fd, path);
	return 1;
}

static bool param_is_set(int root_fd, const char *module, const char *name)
{
	char path[128], buf[16];

	snprintf(path, sizeof(path), "sys/module/%s/parameters/%s", module,
	         name);
	return sysfs_read(root_fd, path, buf, sizeof(buf)) > 0 &&
	       (buf[0] == 'Y' || buf[0] == '1');
}

static void read_vfio(int root_fd, struct iommu_facts *f)
{
	struct walk w = { .root_fd = root_fd, .f = f };
	int r = 0;

	f->type1 = sysfs_exists(root_fd, "dev/vfio/vfio");
	f->cdev = sysfs_exists(root_fd, "dev/iommu");
	/* With no VFIO device yet, the node alone decides. */
	if (f->cdev)
		r = sysfs_each(root_fd, "sys/class/vfio-dev", visit_vfio_dev,
		               &w);
	if (r < 0 && r != -ENOENT)
		f->cdev = false;
	if (sysfs_read_u64(root_fd,
	                   "sys/module/vfio_iommu_type1/parameters/"
	                   "dma_entry_limit",
	                   &f->dma_entry_limit) < 0)
		f->dma_entry_limit = 0;
	f->unsafe_interrupts =
		param_is_set(root_fd, "vfio_iommu_type1",
	                     "allow_unsafe_interrupts") ||
		param_is_set(root_fd, "iommufd", "allow_unsafe_interrupts");
}

int iommu_facts_read(int root_fd, struct iommu_facts *ret)
{
	struct iommu_facts f = { 0 };
	struct walk w = { .root_fd = root_fd, .f = &f };
	struct stat st;
	int r;

	if (fstat(root_fd, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	r = sysfs_each(root_fd, "sys/class/iommu", visit_unit, &w);
	if (r < 0 && r != -ENOENT)
		return r;
	r = sysfs_each(root_fd, "sys/kernel/iommu_groups", count_entry,
	               &f.n_groups);
	if (r < 0 && r != -ENOENT)
		return r;
	read_vfio(root_fd, &f);
	*ret = f;
	return 0;
}

int iommu_facts_check(const struct iommu_facts *f, struct diag *d)
{
	if (f->n_units && f->n_groups)
		return 0;
	diag_fail(d, -ENODEV, FL_IOMMU_NONE, "find an IOMMU");
	if (f->n_units)
		diag_why(d, "the IOMMU is there, but translates for no device: "
		            "/sys/kernel/iommu_groups is empty");
	else
		diag_why(d, "/sys/class/iommu is empty: the host has none, or "
		            "it is off");
	diag_mend(d, "enable VT-d or AMD-Vi in the firmware; on Intel add "
	             "intel_iommu=on to the kernel's command line "
	             "(/etc/default/grub, update-grub); reboot");
	return -ENODEV;
}
