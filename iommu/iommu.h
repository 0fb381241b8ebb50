/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_IOMMU_H
#define FL_IOMMU_H

/*
 * iommu: DMA remapping through VFIO, and what the host's IOMMU can do.
 *
 * Theory of operation
 *   A guest has one DMA address space (struct iommu_space), in which IOVA
 *   equals guest physical address. Two kernel interfaces give one: iommufd
 *   (an IOAS) and the VFIO type1 container. Both stand behind one const ops
 *   table; nothing outside this folder knows which is in use, except to
 *   report it.
 *
 *   Order (kernel rules, see docs/architecture.md):
 *     iommu_space_open -> iommu_attach (each device) -> iommu_map (each RAM
 *     region, once) -> the device may be made bus master.
 *   type1 cannot map before a group is attached; iommufd learns the reserved
 *   regions only by attaching. So attach comes first for both.
 *   KVM_DEV_VFIO_FILE_ADD is the caller's and comes before iommu_attach.
 *   iommu_map_peer, for device memory, comes any time after: once the memory
 *   it maps answers (decode is on), and until before it goes.
 *   iommu_attach opens the device, and the kernel resets it then (FLR): the
 *   one function level reset of an attach.
 *
 *   Facts and groups are read from sysfs and procfs through a root_fd, so
 *   recorded trees test them.
 *
 * Accounting: memory that is mapped is pinned, and counts for RLIMIT_MEMLOCK;
 * device memory does not. A guest takes IOMMU_RAM_REGIONS maps and one for each
 * window of device memory; type1 allows dma_entry_limit of them a container,
 * iommufd any number. limits.c tells both before an attach.
 *
 * Faults: what a device asked for and the IOMMU refused is in the kernel's log
 * and nowhere else; fault.c knows its lines.
 *
 * Threads: mapping and unmapping may be done by several at once; opening,
 * attaching and closing by one, while no other is in here.
 *
 * Descriptors: functions here borrow descriptors unless they say "takes".
 * Limits: IOMMU_RANGES_MAX reserved or usable ranges, IOMMU_GROUP_MAX
 * members in a group, IOMMU_PEERS_MAX windows of device memory in a space.
 */

#include "base/base.h"

/* ---- errors: FL-03xx ---- */
enum {
	FL_IOMMU_NONE = 301,  /* host has no IOMMU, or it is off */
	FL_IOMMU_NO_IR = 302, /* no interrupt remapping: refused */
	FL_IOMMU_GROUP =
		303, /* a member of the group is bound to a host driver */
	FL_IOMMU_OPEN = 304, /* back end refused: version, extension */
	FL_IOMMU_ATTACH = 305,
	FL_IOMMU_MAP = 306,
	FL_IOMMU_RESERVED = 307, /* guest memory meets a reserved region */
	FL_IOMMU_MEMLOCK = 308,  /* RLIMIT_MEMLOCK below what is to be pinned */
	FL_IOMMU_BUSY = 309,     /* another process holds the device */
	FL_IOMMU_PEER = 310, /* device memory not mapped for other devices */
};

enum iommu_backend {
	IOMMU_IOMMUFD,
	IOMMU_TYPE1
};
const char *iommu_backend_name(enum iommu_backend b); /* "iommufd", "group" */

struct iommu_space;

/* Takes `fd` (/dev/iommu or /dev/vfio/vfio) on success. */
_must_check_ int iommu_space_open(enum iommu_backend b, int fd,
                                  struct iommu_space **ret, struct diag *d);
/* Closes; NULL is allowed. Devices must be closed before. The kernel unmaps
 * and unpins with the last descriptor that uses the space: for type1 that is
 * the groups' too. */
void iommu_space_close(struct iommu_space *s);
enum iommu_backend iommu_space_backend(const struct iommu_space *s);

/*
 * Attach the function `bdf` and open it. `fd` is its VFIO character device
 * (iommufd) or its group (type1); it is borrowed and must stay open as long
 * as the space. *ret_device_fd is the open device, the caller's.
 * To let go of a character device, close `fd` and *ret_device_fd both (they
 * are one open file), and unmap what was mapped of it.
 * Errors: -EPERM FL_IOMMU_NO_IR (interrupts are not isolated; iommufd answers
 * the same where the group is not viable, so check that before), -EBUSY
 * FL_IOMMU_GROUP (group not viable) or FL_IOMMU_BUSY (device is held by
 * another process), -EADDRNOTAVAIL FL_IOMMU_RESERVED (memory mapped already
 * meets what this device has reserved), others FL_IOMMU_ATTACH.
 */
_must_check_ int iommu_attach(struct iommu_space *s, const char *bdf, int fd,
                              int *ret_device_fd, struct diag *d);

/*
 * A function that was attached by `fd` has been closed, and `fd` is about to
 * be: its group, when this was the last function in use of it, is let go of.
 * True when the kernel has then dropped every map, as type1 does with the last
 * group: they are to be made anew after the next attach. iommufd keeps them.
 */
bool iommu_detach(struct iommu_space *s, int fd);

struct iommu_region {
	struct iova iova;
	uint64_t size; /* bytes, page multiple */
	void *hva;     /* where the region is mapped in this process */
	int memfd; /* -1, or the memfd that backs it: mapped by file where the
	              kernel can (IOMMU_IOAS_MAP_FILE) */
	uint64_t memfd_off;
	bool writable;
};
/*
 * One kernel call a region (one more, once a space, where the kernel has no
 * IOMMU_IOAS_MAP_FILE). Checks reserved ranges and RLIMIT_MEMLOCK before
 * asking the kernel. Errors: -EADDRNOTAVAIL FL_IOMMU_RESERVED, -ENOMEM
 * FL_IOMMU_MEMLOCK (with the bytes needed), -EINVAL (not whole pages, or
 * empty), -EEXIST and others FL_IOMMU_MAP.
 */
_must_check_ int iommu_map(struct iommu_space *s, const struct iommu_region *r,
                           struct diag *d);
/* Exactly what one iommu_map() or iommu_map_peer() mapped. */
_must_check_ int iommu_unmap(struct iommu_space *s, struct iova iova,
                             uint64_t size);

#define IOMMU_PEERS_MAX 256
/*
 * Map device memory (a window of another function's BAR, mapped in this
 * process at `hva`) for DMA, so that the devices of the space reach it at
 * `iova`. Nothing is pinned nor counted against RLIMIT_MEMLOCK.
 *
 * Linux 6.12 looks each 4 KiB page of it up: 1210 instructions a page in the
 * lab, 0.3 thousand million a GiB, and a sixth of that to undo it. The caller
 * waits, and a signal does not end it: up to a second or two for 64 GiB, each
 * time a guest turns decoding off and on. It is that guest's own CPU time; the
 * kernel gives way to others in between.
 *
 * The function whose memory it is must decode it now, and the map must be
 * undone before that function is closed: the kernel keeps no tie between the
 * two, and whatever answers at that host address later would be written to.
 *
 * Errors: -EOPNOTSUPP FL_IOMMU_PEER (iommufd up to Linux 6.18 takes no device
 * memory: devices of the guest cannot reach one another, everything else
 * works), -EADDRNOTAVAIL FL_IOMMU_RESERVED, -ENOSPC FL_IOMMU_PEER
 * (IOMMU_PEERS_MAX, or type1's dma_entry_limit), -EINVAL and others
 * FL_IOMMU_PEER.
 */
_must_check_ int iommu_map_peer(struct iommu_space *s, struct iova iova,
                                void *hva, uint64_t size, struct diag *d);

#define IOMMU_RANGES_MAX 64
struct iommu_range {
	uint64_t start, last; /* both included */
};
/* IOVA ranges that devices in the space may use, as learned at the last
 * attach. Returns the count; -ENODATA when the kernel told nothing (type1
 * before Linux 5.4, or no device attached yet). */
_must_check_ int iommu_usable(const struct iommu_space *s,
                              struct iommu_range ret[static IOMMU_RANGES_MAX]);

#define IOMMU_RAM_REGIONS 2 /* of a guest: below 4 GiB, above */
/* Before anything is attached: may this process pin that much? -ENOMEM
 * FL_IOMMU_MEMLOCK. */
_must_check_ int iommu_pin_check(uint64_t bytes, struct diag *d);

struct iommu_stats {
	uint32_t maps, unmaps; /* of memory: kernel calls that succeeded */
	uint64_t bytes;        /* of memory, mapped and so pinned now */
	uint32_t peer_maps, peer_unmaps; /* of device memory */
	uint64_t peer_bytes;             /* of it, mapped now */
	bool by_file;                    /* IOMMU_IOAS_MAP_FILE is in use */
};
struct iommu_stats iommu_space_stats(struct iommu_space *s);

/* ---- faults ---- */

enum iommu_fault_kind {
	IOMMU_FAULT_READ,
	IOMMU_FAULT_WRITE,
	IOMMU_FAULT_INTERRUPT, /* a message that remapping refused */
};
const char *iommu_fault_kind_name(enum iommu_fault_kind k); /* "write" */
struct iommu_fault {
	struct bdf bdf;
	bool segment; /* it was told; else 0 is assumed, as VT-d has it */
	enum iommu_fault_kind kind;
	uint64_t addr;   /* of an interrupt with VT-d: its index */
	unsigned reason; /* VT-d: its number, 0 = not told; AMD: flags */
	char words[80];  /* the kernel's, printable */
};
/* One line of the kernel's log, from its first byte: did a device ask for what
 * the IOMMU refused? Linux 4.0 and later, VT-d and AMD-Vi. */
bool iommu_fault_parse(const char *line, struct iommu_fault *ret);

/* ---- groups ---- */

#define IOMMU_GROUP_MAX 64
struct iommu_member {
	struct bdf bdf;
	char driver[32]; /* "" = none bound */
	bool bridge;     /* PCI bridges do not count for viability */
	bool has_vfs;    /* a PF with VFs: unbinding it would remove them */
};
struct iommu_group {
	unsigned id;
	char type[24]; /* "DMA", "DMA-FQ", "identity" as the kernel says */
	struct iommu_member member[IOMMU_GROUP_MAX];
	size_t n;
};
/* -ENODEV FL_IOMMU_GROUP when there is no such function, -ENOENT
 * FL_IOMMU_NONE when it has no group, -E2BIG with more members than
 * IOMMU_GROUP_MAX. */
_must_check_ int iommu_group_read(int root_fd, struct bdf b,
                                  struct iommu_group *ret, struct diag *d);
/* 0 when every member is free for VFIO (a vfio driver, none, or a bridge);
 * -EBUSY FL_IOMMU_GROUP naming each that is not, with the mend. */
_must_check_ int iommu_group_check(const struct iommu_group *g, struct bdf b,
                                   struct diag *d);
/* "vfio-pci" and every variant driver (mlx5_vfio_pci ...). */
bool iommu_driver_is_vfio(const char *driver);

/* ---- host facts ---- */

#define IOMMU_UNITS_MAX 32
struct iommu_unit {
	char name[24]; /* "dmar0", "ivhd0" */
	bool intel;
	uint64_t cap, ecap; /* VT-d 11.4.2, 11.4.3; AMD: cap, features */
};
struct iommu_facts {
	struct iommu_unit unit[IOMMU_UNITS_MAX];
	size_t n_units; /* 0: no IOMMU is in use */
	size_t n_groups;
	bool cdev;  /* /dev/iommu exists, and VFIO has character devices */
	bool type1; /* /dev/vfio/vfio exists */
	uint64_t dma_entry_limit; /* type1; 0 = unknown */
	bool unsafe_interrupts; /* allow_unsafe_interrupts was set by someone */
};
_must_check_ int iommu_facts_read(int root_fd, struct iommu_facts *ret);
/* Does the host allow a space that many maps? -ENOSPC FL_IOMMU_MAP. */
_must_check_ int iommu_entries_check(const struct iommu_facts *f, unsigned maps,
                                     struct diag *d);
/* 0, or -ENODEV FL_IOMMU_NONE with the kernel parameter that mends it. */
_must_check_ int iommu_facts_check(const struct iommu_facts *f, struct diag *d);

#endif
