/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A DMA address space, whichever back end makes it. Order: what can be
 * refused without the kernel (alignment, reserved ranges, RLIMIT_MEMLOCK) is
 * refused before it is asked, so that a refusal leaves nothing to undo.
 */

#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "iommu/priv.h"

static const struct iommu_ops *const BACKEND[] = {
	[IOMMU_IOMMUFD] = &iommu_ops_iommufd,
	[IOMMU_TYPE1] = &iommu_ops_type1,
};

const char *iommu_backend_name(enum iommu_backend b)
{
	return (size_t)b < ARRAY_SIZE(BACKEND) ? BACKEND[b]->name : "?";
}

int iommu_space_open(enum iommu_backend b, int fd, struct iommu_space **ret,
                     struct diag *d)
{
	struct iommu_space *s;
	int r;

	if ((size_t)b >= ARRAY_SIZE(BACKEND) || fd < 0) {
		diag_fail(d, -EINVAL, FL_IOMMU_OPEN,
		          "open a DMA address space");
		diag_why(d, "no descriptor of /dev/iommu or /dev/vfio/vfio");
		diag_mend(d, "modprobe vfio-pci");
		return -EINVAL;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return diag_fail(d, -ENOMEM, FL_IOMMU_OPEN,
		                 "open a DMA address space");
	s->backend = b;
	s->ops = BACKEND[b];
	s->fd = fd;
	pthread_mutex_init(&s->lock, NULL);
	r = s->ops->open(s, d);
	if (r < 0) {
		pthread_mutex_destroy(&s->lock);
		free(s);
		return r;
	}
	*ret = s;
	return 0;
}

/* The kernel unmaps and unpins with the last descriptor: one call less than
 * doing it first, and the same after SIGKILL. */
void iommu_space_close(struct iommu_space *s)
{
	if (!s)
		return;
	close_fd(&s->fd);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

enum iommu_backend iommu_space_backend(const struct iommu_space *s)
{
	return s->backend;
}

struct iommu_stats iommu_space_stats(struct iommu_space *s)
{
	struct iommu_stats now;

	pthread_mutex_lock(&s->lock);
	now = s->stats;
	pthread_mutex_unlock(&s->lock);
	return now;
}

int iommu_call(int fd, unsigned long request, void *arg)
{
	int r;

	do
		r = ioctl(fd, request, arg);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

int iommu_fail_attach(struct diag *d, int err, const char *bdf,
                      const char *call)
{
	diag_fail(d, err, FL_IOMMU_ATTACH, "attach %s", bdf);
	diag_why(d, "%s: the kernel says: %s", call, strerror(-err));
	diag_mend(d, "fairlead doctor %s", bdf);
	return err;
}

int iommu_attach(struct iommu_space *s, const char *bdf, int fd,
                 int *ret_device_fd, struct diag *d)
{
	int device = -1, r;

	r = s->ops->attach(s, bdf, fd, &device, d);
	if (r < 0)
		return r;
	r = s->ops->learn(s);
	if (r < 0) {
		close_fd(&device);
		return iommu_fail_attach(d, r, bdf, "reading IOVA ranges");
	}
	*ret_device_fd = device;
	return 0;
}

bool iommu_detach(struct iommu_space *s, int fd)
{
	if (!s->ops->detach || !s->ops->detach(s, fd))
		return false;
	pthread_mutex_lock(&s->lock);
	s->stats.bytes = 0;
	s->stats.peer_bytes = 0;
	for (size_t i = 0; i < ARRAY_SIZE(s->peer); i++)
		s->peer[i].size = 0;
	pthread_mutex_unlock(&s->lock);
	return true;
}

bool iommu_range_allows(const struct iommu_range *range, size_t n,
                        uint64_t iova, uint64_t size)
{
	uint64_t last;

	if (!size || __builtin_add_overflow(iova, size - 1, &last))
		return false;
	for (size_t i = 0; i < n; i++)
		if (range[i].start <= iova && last <= range[i].last)
			return true;
	return false;
}

static int check_region(const struct iommu_space *s,
                        const struct iommu_region *r, int code, struct diag *d)
{
	uint64_t last;

	if (!r->size || !IS_ALIGNED(r->iova.v | r->size | r->memfd_off, PAGE) ||
	    !IS_ALIGNED((uintptr_t)r->hva, PAGE) ||
	    __builtin_add_overflow(r->iova.v, r->size - 1, &last)) {
		diag_fail(d, -EINVAL, code,
		          "map %#" PRIx64 " bytes at IOVA %#" PRIx64, r->size,
		          r->iova.v);
		diag_why(d, "not whole pages");
		diag_mend(d, "memory: in the policy, in whole MiB");
		return -EINVAL;
	}
	if (!s->n_ranges ||
	    iommu_range_allows(s->range, s->n_ranges, r->iova.v, r->size))
		return 0;
	diag_fail(d, -EADDRNOTAVAIL, FL_IOMMU_RESERVED,
	          "map %s %#" PRIx64 "-%#" PRIx64 " for DMA",
	          code == FL_IOMMU_PEER ? "a BAR at" : "guest memory",
	          r->iova.v, last);
	diag_why(d, "the IOMMU or a device of this guest reserves part of it "
	            "(/sys/kernel/iommu_groups/N/reserved_regions)");
	diag_mend(d, "give the guest less memory, or assign another device");
	return -EADDRNOTAVAIL;
}

/* ---- memory -------------------------------------------------------------- */

static void mend_map(int err, struct diag *d)
{
	if (err == -ENOSPC)
		diag_mend(d, "raise vfio_iommu_type1's dma_entry_limit");
	else
		diag_mend_else(d, "journalctl -k | grep -iE 'iommu|vfio'");
}

static int fail_map(const struct iommu_region *r, uint64_t pinned, int err,
                    struct diag *d)
{
	struct iommu_memlock m = iommu_memlock_read();

	/* The kernel counts more than we see: other guests of this user
	 * (iommufd), memory locked otherwise (type1). */
	if (err == -ENOMEM && !m.exempt && m.limit != UINT64_MAX)
		return iommu_memlock_fail(pinned + r->size, m.limit, d);
	diag_fail(d, err, FL_IOMMU_MAP,
	          "map %" PRIu64 " MiB of guest memory at %#" PRIx64,
	          r->size >> 20, r->iova.v);
	diag_why(d, "the kernel says: %s", strerror(-err));
	mend_map(err, d);
	return err;
}

int iommu_map(struct iommu_space *s, const struct iommu_region *r,
              struct diag *d)
{
	uint64_t pinned = iommu_space_stats(s).bytes;
	struct iommu_memlock m;
	int err;

	err = check_region(s, r, FL_IOMMU_MAP, d);
	if (err < 0)
		return err;
	m = iommu_memlock_read();
	err = iommu_memlock_check(&m, pinned, r->size, d);
	if (err < 0)
		return err;
	err = s->ops->map(s, r);
	if (err < 0)
		return fail_map(r, pinned, err, d);
	pthread_mutex_lock(&s->lock);
	s->stats.maps++;
	s->stats.bytes += r->size;
	pthread_mutex_unlock(&s->lock);
	return 0;
}

/* ---- device memory ------------------------------------------------------- */

/* The entry that is exactly so (size 0: a free one), or NULL. */
static struct iommu_peer *find_peer(struct iommu_space *s, uint64_t iova,
                                    uint64_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->peer); i++)
		if (s->peer[i].size == size &&
		    (!size || s->peer[i].iova == iova))
			return &s->peer[i];
	return NULL;
}

/* iommufd pins what it maps, and device memory has no pages to pin. */
static int fail_peer(const struct iommu_space *s, const struct iommu_region *r,
                     int err, struct diag *d)
{
	bool never = s->backend == IOMMU_IOMMUFD && err == -EFAULT;

	if (never)
		err = -EOPNOTSUPP;
	diag_fail(d, err, FL_IOMMU_PEER,
	          "let other devices reach a BAR at %#" PRIx64 " (%#" PRIx64
	          " bytes)",
	          r->iova.v, r->size);
	if (never)
		diag_why(d, "iommufd of this kernel maps no device memory: "
		            "DMA between devices of this guest is blocked; "
		            "DMA to memory and everything else works");
	else if (err == -ENOSPC)
		diag_why(d, "no entry for another DMA map is left");
	else
		diag_why(d, "the kernel says: %s", strerror(-err));
	if (never)
		diag_mend(d, "where the guest needs it, have the VFIO group "
		             "interface used: no /dev/iommu on the host");
	else
		mend_map(err, d);
	return err;
}

int iommu_map_peer(struct iommu_space *s, struct iova iova, void *hva,
                   uint64_t size, struct diag *d)
{
	const struct iommu_region r = {
		.iova = iova,
		.size = size,
		.hva = hva,
		.memfd = -1,
		.writable = true,
	};
	struct iommu_peer *p;
	int err = check_region(s, &r, FL_IOMMU_PEER, d);

	if (err < 0)
		return err;
	/* The entry is taken before the map is there, so that no map is ever
	 * without one. */
	pthread_mutex_lock(&s->lock);
	p = find_peer(s, 0, 0);
	if (p)
		*p = (struct iommu_peer){ iova.v, size };
	pthread_mutex_unlock(&s->lock);
	if (!p) {
		diag_fail(d, -ENOSPC, FL_IOMMU_PEER,
		          "let other devices reach more than %d windows of "
		          "BARs",
		          IOMMU_PEERS_MAX);
		diag_mend(d, "give the guest fewer devices");
		return -ENOSPC;
	}
	err = s->ops->map(s, &r);
	pthread_mutex_lock(&s->lock);
	if (err == 0) {
		s->stats.peer_maps++;
		s->stats.peer_bytes += size;
	} else {
		p->size = 0;
	}
	pthread_mutex_unlock(&s->lock);
	return err < 0 ? fail_peer(s, &r, err, d) : 0;
}

int iommu_unmap(struct iommu_space *s, struct iova iova, uint64_t size)
{
	int r = s->ops->unmap(s, iova, size);
	struct iommu_peer *p;

	if (r < 0)
		return r;
	pthread_mutex_lock(&s->lock);
	p = size ? find_peer(s, iova.v, size) : NULL;
	if (p) {
		p->size = 0;
		s->stats.peer_unmaps++;
		s->stats.peer_bytes -= size;
	} else {
		s->stats.unmaps++;
		s->stats.bytes -= MIN(size, s->stats.bytes);
	}
	pthread_mutex_unlock(&s->lock);
	return 0;
}

/* ---- facts --------------------------------------------------------------- */

int iommu_usable(const struct iommu_space *s,
                 struct iommu_range ret[static IOMMU_RANGES_MAX])
{
	if (!s->n_ranges)
		return -ENODATA;
	memcpy(ret, s->range, s->n_ranges * sizeof(ret[0]));
	return (int)s->n_ranges;
}
