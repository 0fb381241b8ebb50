/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_IOMMU_PRIV_H
#define FL_IOMMU_PRIV_H

/* Inside iommu: the space, and the table that the two back ends fill. */

#include "iommu/iommu.h"

#include <linux/iommufd.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <sys/types.h>

/* Linux 6.13; the struct and number are kernel ABI, absent from older
 * headers. */
#ifndef IOMMU_IOAS_MAP_FILE
struct iommu_ioas_map_file {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__s32 fd;
	__aligned_u64 start;
	__aligned_u64 length;
	__aligned_u64 iova;
};
#define IOMMU_IOAS_MAP_FILE _IO(IOMMUFD_TYPE, 0x8f)
#endif
CHECK_SIZE(struct iommu_ioas_map_file, 40);

#define PAGE 4096u
#define TYPE1_GROUPS_MAX 64

struct iommu_space;

/*
 * A back end. Errors are the kernel's, negative; those with a diag have
 * filled it, the others leave the words to space.c.
 */
struct iommu_ops {
	const char *name;
	int (*open)(struct iommu_space *s, struct diag *d);
	int (*attach)(struct iommu_space *s, const char *bdf, int fd,
	              int *ret_device_fd, struct diag *d);
	/* NULL: nothing is to be done. True when all maps are gone. */
	bool (*detach)(struct iommu_space *s, int fd);
	int (*map)(struct iommu_space *s, const struct iommu_region *r);
	int (*unmap)(struct iommu_space *s, struct iova iova, uint64_t size);
	/* Into s->range, s->n_ranges; 0 ranges = the kernel does not say. */
	int (*learn)(struct iommu_space *s);
};
extern const struct iommu_ops iommu_ops_type1, iommu_ops_iommufd;

/* Device memory that is mapped: it is not counted as memory. */
struct iommu_peer {
	uint64_t iova, size; /* size 0 = free */
};

struct iommu_space {
	enum iommu_backend backend;
	const struct iommu_ops *ops;
	int fd;
	pthread_mutex_t lock; /* of stats, peer[]; not held over kernel calls */
	struct iommu_stats stats;
	struct iommu_peer peer[IOMMU_PEERS_MAX];
	struct iommu_range range[IOMMU_RANGES_MAX];
	size_t n_ranges;
	uint64_t pgsizes; /* type1: page sizes the IOMMU has; 0 = unknown */
	/* iommufd */
	uint32_t ioas;
	bool no_map_file; /* the kernel was asked, and has none */
	/* type1 */
	bool chosen;                   /* VFIO_SET_IOMMU is done */
	dev_t group[TYPE1_GROUPS_MAX]; /* those in our container */
	size_t n_groups;
};

/* ioctl(2) as 0 or above, or negative errno. */
int iommu_call(int fd, unsigned long request, void *arg);

/* What both back ends say when the kernel refuses to open a device. */
int iommu_fail_attach(struct diag *d, int err, const char *bdf,
                      const char *call);

/* True where [iova, iova+size) lies in one of the ranges. Touching ranges are
 * not joined: the kernel gives them apart because something lies between. */
bool iommu_range_allows(const struct iommu_range *range, size_t n,
                        uint64_t iova, uint64_t size);

/* memlock.c */
struct iommu_memlock {
	uint64_t limit; /* UINT64_MAX = none */
	bool exempt;    /* CAP_IPC_LOCK: the kernel does not count */
};
struct iommu_memlock iommu_memlock_read(void);
/* `pinned` bytes are mapped, `size` more are to be. */
int iommu_memlock_check(const struct iommu_memlock *m, uint64_t pinned,
                        uint64_t size, struct diag *d);
int iommu_memlock_fail(uint64_t needed, uint64_t limit, struct diag *d);

#endif
