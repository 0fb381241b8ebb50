/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iommufd: one IOAS a guest. Order: the IOAS first; a device is bound to the
 * iommufd (which opens and resets it, and checks interrupt isolation), then
 * attached to the IOAS, which adds the device's reserved regions to it.
 */

#include <fcntl.h>
#include <string.h>

#include "iommu/priv.h"

static int iommufd_open(struct iommu_space *s, struct diag *d)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	int r = iommu_call(s->fd, IOMMU_IOAS_ALLOC, &alloc);

	if (r < 0) {
		diag_fail(d, r, FL_IOMMU_OPEN,
		          "make a DMA address space in /dev/iommu");
		diag_why(d, "IOMMU_IOAS_ALLOC: %s", strerror(-r));
		diag_mend(d, "modprobe iommufd");
		return r;
	}
	s->ioas = alloc.out_ioas_id;
	return 0;
}

/* ---- attach ---- */

/* One errno, two causes: the check for isolation, and the claim of the group's
 * DMA while a host driver or another owner has it. Who can see sysfs tells
 * them apart (iommu_group_check, irq_facts_read); this process cannot. */
static int fail_bind_perm(struct diag *d, const char *bdf)
{
	diag_fail(d, -EPERM, FL_IOMMU_NO_IR, "attach %s", bdf);
	diag_why(d, "VFIO_DEVICE_BIND_IOMMUFD: EPERM: its interrupts are not "
	            "isolated (no interrupt remapping), or another function of "
	            "its IOMMU group is in use by a host driver or another "
	            "process");
	diag_mend(d,
	          "fairlead doctor %s tells which; remapping: enable it in "
	          "the firmware, no intremap=off or nointremap on the "
	          "command line",
	          bdf);
	return -EPERM;
}

static int fail_bind(struct diag *d, int err, const char *bdf)
{
	switch (err) {
	case -EPERM:
		return fail_bind_perm(d, bdf);
	case -EINVAL: /* the cdev may be bound once only */
		diag_fail(d, -EBUSY, FL_IOMMU_BUSY, "attach %s", bdf);
		diag_why(d, "VFIO_DEVICE_BIND_IOMMUFD: another process has the "
		            "device open");
		diag_mend(d, "stop the other user: fairlead doctor %s names it",
		          bdf);
		return -EBUSY;
	case -EBUSY:
		diag_fail(d, -EBUSY, FL_IOMMU_GROUP, "attach %s", bdf);
		diag_why(d, "its IOMMU group is not viable: another function "
		            "of the group is bound to a host driver, or the "
		            "group is open through /dev/vfio/N");
		diag_mend(d,
		          "fairlead doctor %s names it; bind every function "
		          "of the group to vfio-pci",
		          bdf);
		return -EBUSY;
	default:
		return iommu_fail_attach(d, err, bdf,
		                         "VFIO_DEVICE_BIND_IOMMUFD");
	}
}

static int fail_attach_pt(struct diag *d, int err, const char *bdf)
{
	if (err == -EADDRINUSE) {
		diag_fail(d, -EADDRNOTAVAIL, FL_IOMMU_RESERVED, "attach %s",
		          bdf);
		diag_why(d, "its reserved regions meet memory that is mapped "
		            "already");
		diag_mend(d, "give the guest this device from the start");
		return -EADDRNOTAVAIL;
	}
	iommu_fail_attach(d, err, bdf, "VFIO_DEVICE_ATTACH_IOMMUFD_PT");
	if (err == -EPERM)
		diag_mend(d, "firmware has reserved memory for this device "
		             "(RMRR; dmesg tells): it cannot be assigned");
	return err;
}

static int iommufd_attach(struct iommu_space *s, const char *bdf, int fd,
                          int *ret_device_fd, struct diag *d)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = s->fd,
	};
	struct vfio_device_attach_iommufd_pt pt = {
		.argsz = sizeof(pt),
		.pt_id = s->ioas,
	};
	_cleanup_close_ int device = -1;
	int r;

	/* A duplicate, so that the caller's borrowed descriptor and the
	 * device we return can be closed each by its owner. */
	device = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (device < 0)
		return iommu_fail_attach(d, -errno, bdf, "F_DUPFD_CLOEXEC");
	r = iommu_call(device, VFIO_DEVICE_BIND_IOMMUFD, &bind);
	if (r < 0)
		return fail_bind(d, r, bdf);
	r = iommu_call(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &pt);
	if (r < 0)
		return fail_attach_pt(d, r, bdf);
	*ret_device_fd = TAKE_FD(device);
	return 0;
}

/* ---- maps ---- */

static uint32_t map_flags(const struct iommu_region *r)
{
	return (uint32_t)IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
	       (r->writable ? (uint32_t)IOMMU_IOAS_MAP_WRITEABLE : 0);
}

/* By file the kernel pins folios of the page cache, without walking this
 * process's page tables. */
static int map_file(struct iommu_space *s, const struct iommu_region *r)
{
	struct iommu_ioas_map_file map = {
		.size = sizeof(map),
		.flags = map_flags(r),
		.ioas_id = s->ioas,
		.fd = r->memfd,
		.start = r->memfd_off,
		.length = r->size,
		.iova = r->iova.v,
	};

	return iommu_call(s->fd, IOMMU_IOAS_MAP_FILE, &map);
}

static int map_memory(struct iommu_space *s, const struct iommu_region *r)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = map_flags(r),
		.ioas_id = s->ioas,
		.user_va = (uintptr_t)r->hva,
		.length = r->size,
		.iova = r->iova.v,
	};

	return iommu_call(s->fd, IOMMU_IOAS_MAP, &map);
}

static int iommufd_map(struct iommu_space *s, const struct iommu_region *r)
{
	int err;

	if (r->memfd < 0 || s->no_map_file)
		return map_memory(s, r);
	err = map_file(s, r);
	if (err == -ENOTTY || err == -EOPNOTSUPP) {
		s->no_map_file = true;
		return map_memory(s, r);
	}
	if (!err)
		s->stats.by_file = true;
	return err;
}

static int iommufd_unmap(struct iommu_space *s, struct iova iova, uint64_t size)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = s->ioas,
		.iova = iova.v,
		.length = size,
	};
	int r = iommu_call(s->fd, IOMMU_IOAS_UNMAP, &unmap);

	if (r < 0)
		return r;
	return unmap.length == size ? 0 : -ENOENT;
}

/* The kernel writes its ranges straight into ours. */
CHECK_SIZE(struct iommu_range, sizeof(struct iommu_iova_range));
_Static_assert(offsetof(struct iommu_range, last) ==
                       offsetof(struct iommu_iova_range, last),
               "ranges differ");

static int iommufd_learn(struct iommu_space *s)
{
	struct iommu_ioas_iova_ranges ask = {
		.size = sizeof(ask),
		.ioas_id = s->ioas,
		.num_iovas = IOMMU_RANGES_MAX,
		.allowed_iovas = (uintptr_t)s->range,
	};
	int r = iommu_call(s->fd, IOMMU_IOAS_IOVA_RANGES, &ask);

	if (r < 0)
		return r;
	s->n_ranges = MIN((size_t)ask.num_iovas, (size_t)IOMMU_RANGES_MAX);
	return 0;
}

const struct iommu_ops iommu_ops_iommufd = {
	.name = "iommufd",
	.open = iommufd_open,
	.attach = iommufd_attach,
	.map = iommufd_map,
	.unmap = iommufd_unmap,
	.learn = iommufd_learn,
};
