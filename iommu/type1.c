/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VFIO's type1 container. Order the kernel wants: group into container
 * (VFIO_GROUP_SET_CONTAINER, which claims the group's DMA), then the IOMMU
 * type, once a container (VFIO_SET_IOMMU; checks interrupt isolation), then
 * the device out of the group (VFIO_GROUP_GET_DEVICE_FD; resets it).
 */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "iommu/priv.h"

static int type1_open(struct iommu_space *s, struct diag *d)
{
	int version = iommu_call(s->fd, VFIO_GET_API_VERSION, NULL);
	int ext;

	if (version != VFIO_API_VERSION) {
		diag_fail(d, version < 0 ? version : -EPROTO, FL_IOMMU_OPEN,
		          "open a VFIO container (/dev/vfio/vfio)");
		diag_why(d, "VFIO_GET_API_VERSION: %s",
		         version < 0 ? strerror(-version) : "unknown version");
		diag_mend(d, "modprobe vfio-pci");
		return version < 0 ? version : -EPROTO;
	}
	ext = iommu_call(s->fd, VFIO_CHECK_EXTENSION,
	                 (void *)VFIO_TYPE1v2_IOMMU);
	if (ext == 1)
		return 0;
	diag_fail(d, -EOPNOTSUPP, FL_IOMMU_OPEN, "open a VFIO container");
	diag_why(d, "the kernel has no type1 v2 IOMMU driver loaded");
	diag_mend(d, "modprobe vfio_iommu_type1");
	return -EOPNOTSUPP;
}

/* ---- attach ---- */

static bool holds_group(const struct iommu_space *s, dev_t group)
{
	for (size_t i = 0; i < s->n_groups; i++)
		if (s->group[i] == group)
			return true;
	return false;
}

static int fail_group(struct diag *d, const char *bdf)
{
	diag_fail(d, -EBUSY, FL_IOMMU_GROUP, "attach %s", bdf);
	diag_why(d, "its IOMMU group is not viable: another function of the "
	            "group is bound to a host driver");
	diag_mend(d,
	          "fairlead doctor %s names it; bind every function of the "
	          "group to vfio-pci",
	          bdf);
	return -EBUSY;
}

static int fail_no_ir(struct diag *d, const char *bdf, const char *call)
{
	diag_fail(d, -EPERM, FL_IOMMU_NO_IR, "attach %s", bdf);
	diag_why(d,
	         "%s: the kernel says EPERM: interrupts of this device are "
	         "not isolated (no interrupt remapping), or firmware has "
	         "reserved memory for it (RMRR; dmesg tells)",
	         call);
	diag_mend(d, "enable VT-d/AMD-Vi interrupt remapping in the firmware, "
	             "remove intremap=off and nointremap from the kernel's "
	             "command line; fairlead never sets "
	             "allow_unsafe_interrupts");
	return -EPERM;
}

static int fail_busy(struct diag *d, const char *bdf)
{
	diag_fail(d, -EBUSY, FL_IOMMU_BUSY, "attach %s", bdf);
	diag_why(d, "its IOMMU group belongs to another address space already");
	diag_mend(d, "stop the other user: fairlead doctor %s names it", bdf);
	return -EBUSY;
}

/* The group of a device that shares it with one of ours is in our container
 * already; one that is in another's must never be used: its DMA would go to
 * another guest's memory. */
static int join_container(struct iommu_space *s, const char *bdf, int fd,
                          struct diag *d)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return iommu_fail_attach(d, -errno, bdf, "fstat of its group");
	r = iommu_call(fd, VFIO_GROUP_GET_STATUS, &status);
	if (r < 0)
		return iommu_fail_attach(d, r, bdf, "VFIO_GROUP_GET_STATUS");
	if (status.flags & VFIO_GROUP_FLAGS_CONTAINER_SET)
		return holds_group(s, st.st_rdev) ? 0 : fail_busy(d, bdf);
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return fail_group(d, bdf);
	if (s->n_groups == TYPE1_GROUPS_MAX)
		return iommu_fail_attach(d, -E2BIG, bdf, "counting groups");
	r = iommu_call(fd, VFIO_GROUP_SET_CONTAINER, &s->fd);
	if (r == -EBUSY)
		return fail_group(d, bdf);
	/* With the IOMMU type chosen, isolation is checked here. */
	if (r == -EPERM)
		return fail_no_ir(d, bdf, "VFIO_GROUP_SET_CONTAINER");
	if (r < 0)
		return iommu_fail_attach(d, r, bdf, "VFIO_GROUP_SET_CONTAINER");
	s->group[s->n_groups++] = st.st_rdev;
	return 0;
}

static int choose_type(struct iommu_space *s, const char *bdf, struct diag *d)
{
	int r;

	if (s->chosen)
		return 0;
	r = iommu_call(s->fd, VFIO_SET_IOMMU, (void *)VFIO_TYPE1v2_IOMMU);
	if (r == -EPERM)
		return fail_no_ir(d, bdf, "VFIO_SET_IOMMU");
	if (r < 0)
		return iommu_fail_attach(d, r, bdf, "VFIO_SET_IOMMU");
	s->chosen = true;
	return 0;
}

static int type1_attach(struct iommu_space *s, const char *bdf, int fd,
                        int *ret_device_fd, struct diag *d)
{
	size_t groups = s->n_groups;
	char name[BDF_STRLEN];
	int r;

	if (snprintf(name, sizeof(name), "%s", bdf) >= (int)sizeof(name))
		return iommu_fail_attach(d, -EINVAL, bdf, "reading its name");
	r = join_container(s, bdf, fd, d);
	if (r < 0)
		return r;
	r = choose_type(s, bdf, d);
	if (r >= 0) {
		r = iommu_call(fd, VFIO_GROUP_GET_DEVICE_FD, name);
		if (r == -EBUSY)
			r = fail_busy(d, bdf);
		else if (r < 0)
			iommu_fail_attach(d, r, bdf,
			                  "VFIO_GROUP_GET_DEVICE_FD");
	}
	if (r >= 0) {
		*ret_device_fd = r;
		return 0;
	}
	if (s->n_groups > groups &&
	    iommu_call(fd, VFIO_GROUP_UNSET_CONTAINER, NULL) >= 0) {
		s->n_groups--;
		s->chosen = s->n_groups > 0;
	}
	return r;
}

/* Refused while another function of the group is open: it stays ours. A group
 * that has left is forgotten, or one that another process has put into its
 * own container meanwhile would be taken for ours. */
static bool type1_detach(struct iommu_space *s, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !holds_group(s, st.st_rdev) ||
	    iommu_call(fd, VFIO_GROUP_UNSET_CONTAINER, NULL) < 0)
		return false;
	for (size_t i = 0; i < s->n_groups; i++)
		if (s->group[i] == st.st_rdev)
			s->group[i] = s->group[--s->n_groups];
	s->chosen = s->n_groups > 0;
	return !s->chosen;
}

/* ---- maps ---- */

static int type1_map(struct iommu_space *s, const struct iommu_region *r)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ |
		         (r->writable ? VFIO_DMA_MAP_FLAG_WRITE : 0),
		.vaddr = (uintptr_t)r->hva,
		.iova = r->iova.v,
		.size = r->size,
	};

	return iommu_call(s->fd, VFIO_IOMMU_MAP_DMA, &map);
}

static int type1_unmap(struct iommu_space *s, struct iova iova, uint64_t size)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = iova.v,
		.size = size,
	};
	int r = iommu_call(s->fd, VFIO_IOMMU_UNMAP_DMA, &unmap);

	if (r < 0)
		return r;
	return unmap.size == size ? 0 : -ENOENT;
}

/* ---- what the IOMMU says of itself ---- */

static void take_ranges(struct iommu_space *s, const void *cap, size_t room)
{
	const struct vfio_iommu_type1_info_cap_iova_range *c = cap;
	size_t n = c->nr_iovas;

	n = MIN(n, (room - sizeof(*c)) / sizeof(c->iova_ranges[0]));
	n = MIN(n, (size_t)IOMMU_RANGES_MAX);
	for (size_t i = 0; i < n; i++)
		s->range[i] = (struct iommu_range){
			.start = c->iova_ranges[i].start,
			.last = c->iova_ranges[i].end,
		};
	s->n_ranges = n;
}

/* The chain's offsets come from the kernel; still, each is checked, and the
 * chain must go forward. */
static void walk_caps(struct iommu_space *s, const char *buf, size_t size,
                      uint32_t off)
{
	while (off &&
	       range_inside(off, sizeof(struct vfio_info_cap_header), size)) {
		struct vfio_info_cap_header h;
		size_t room = size - off;

		memcpy(&h, buf + off, sizeof(h));
		if (h.id == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE &&
		    room >= sizeof(struct vfio_iommu_type1_info_cap_iova_range))
			take_ranges(s, buf + off, room);
		if (h.next <= off)
			break;
		off = h.next;
	}
}

static int type1_learn(struct iommu_space *s)
{
	struct vfio_iommu_type1_info head = { .argsz = sizeof(head) };
	_cleanup_free_ struct vfio_iommu_type1_info *info = NULL;
	size_t size;
	int r;

	/* Asked twice: the first answer says how long the chain is. */
	r = iommu_call(s->fd, VFIO_IOMMU_GET_INFO, &head);
	if (r < 0)
		return r;
	size = MAX((size_t)head.argsz, sizeof(head));
	info = calloc(1, size);
	if (!info)
		return -ENOMEM;
	info->argsz = (uint32_t)size;
	r = iommu_call(s->fd, VFIO_IOMMU_GET_INFO, info);
	if (r < 0)
		return r;
	s->n_ranges = 0;
	if (info->flags & VFIO_IOMMU_INFO_PGSIZES)
		s->pgsizes = info->iova_pgsizes;
	if (info->flags & VFIO_IOMMU_INFO_CAPS)
		walk_caps(s, (const char *)info, size, info->cap_offset);
	return 0;
}

const struct iommu_ops iommu_ops_type1 = {
	.name = "group",
	.open = type1_open,
	.attach = type1_attach,
	.detach = type1_detach,
	.map = type1_map,
	.unmap = type1_unmap,
	.learn = type1_learn,
};
