/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest RAM: one sealed memfd, mapped once, seen by KVM and the IOMMU as one
 * region below the hole and one above it. And KVM's memory slots: RAM takes
 * the first, device windows any free one.
 *
 * RAM that a device may write is pinned whole when it is mapped for DMA, so it
 * is brought in first, by huge pages where the kernel can: a 4 KiB page costs
 * the kernel a fault's worth of work each, 512 times for 2 MiB.
 * Never punched, never mapped anew, not at a reset either: pinned pages would
 * then differ from what the guest sees.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "vmm/priv.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1; glibc 2.36 does not know it */
#endif
#define HUGE (2ull << 20)
#define MEMORY_MIN (16ull << 20)

static int memory_fail(struct diag *d, uint64_t bytes, const char *call)
{
	int err = -errno;

	diag_fail(d, err, FL_VMM_MEMORY, "%llu MiB of guest memory",
	          (unsigned long long)(bytes >> 20));
	diag_why(d, "%s: %s", call, strerror(-err));
	diag_mend(d, "free memory on the host (free -m), or lower memory: in "
	             "the policy");
	return err;
}

/* A file that can neither grow nor shrink: nobody can make our mapping fault
 * beyond its end. */
static int make_memfd(const char *guest, uint64_t bytes)
{
	char name[sizeof("fairlead-") + VM_NAME];
	_cleanup_close_ int fd = -1;

	snprintf(name, sizeof(name), "fairlead-%s", guest);
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return -1;
	return TAKE_FD(fd);
}

/* Huge pages need an address that is aligned as the file offset is. */
static void *map_aligned(int fd, uint64_t bytes)
{
	char *area, *at;

	area = mmap(NULL, bytes + HUGE, PROT_NONE,
	            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area == MAP_FAILED)
		return NULL;
	at = (char *)ALIGN_UP((uintptr_t)area, HUGE);
	if (at > area)
		munmap(area, (size_t)(at - area));
	munmap(at + bytes, (size_t)(area + HUGE - at));
	if (mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
	         0) == MAP_FAILED) {
		munmap(at, bytes);
		return NULL;
	}
	return at;
}

/*
 * MADV_COLLAPSE (6.1) makes huge pages of a memfd even where the host's
 * shmem_enabled says "never", as Debian's does; but it passes over a stretch
 * that is wholly empty, so each gets its first page before. In instructions,
 * for 512 MiB: so 194 million, page by page 1045 million. Only a hint: what
 * it could not bring in, the DMA map's pinning will.
 */
static void bring_in(void *hva, uint64_t bytes)
{
	for (uint64_t at = 0; at < bytes; at += HUGE)
		((volatile char *)hva)[at] = 0;
	madvise(hva, bytes, MADV_COLLAPSE);
}

static void lay_out(struct memory *m, void *hva, uint64_t bytes)
{
	uint64_t low = MIN(bytes, MAP_LOW_RAM_END);

	m->region[0] = (struct mem_region){ .size = low, .hva = hva };
	m->n = 1;
	m->mmio64 = MAP_HIGH_RAM;
	if (bytes > low) {
		m->region[1] = (struct mem_region){
			.gpa = { MAP_HIGH_RAM },
			.size = bytes - low,
			.hva = (char *)hva + low,
			.memfd_off = low,
		};
		m->n = 2;
		m->mmio64 += bytes - low;
	}
	m->mmio64 = ALIGN_UP(m->mmio64, 1ull << 30);
}

static int check_size(uint64_t bytes, struct diag *d)
{
	if (bytes >= MEMORY_MIN && IS_ALIGNED(bytes, HUGE) &&
	    bytes <= 1ull << 40)
		return 0;
	diag_fail(d, -EINVAL, FL_VMM_MEMORY, "%llu bytes of guest memory",
	          (unsigned long long)bytes);
	diag_why(d, "it must be a multiple of 2 MiB, from 16 MiB to 1 TiB");
	diag_mend(d, "memory: 512M in the policy, for instance");
	return -EINVAL;
}

/* To pin what is not there has the kernel kill some process for it, which may
 * be any. Without a device memory is taken as it is used, and may be swapped.
 */
static int check_host(const struct vm *vm, uint64_t bytes, struct diag *d)
{
	struct sysinfo s;
	uint64_t total;

	if (!vm->cfg.n_devices || sysinfo(&s) < 0)
		return 0;
	total = (uint64_t)s.totalram * s.mem_unit;
	if (bytes < total)
		return 0;
	diag_fail(d, -ENOMEM, FL_VMM_MEMORY, "%llu MiB of guest memory",
	          (unsigned long long)(bytes >> 20));
	diag_why(d,
	         "the host has %llu MiB in all, and a guest with devices "
	         "holds its memory whole",
	         (unsigned long long)(total >> 20));
	diag_mend(d, "lower memory: in the policy");
	return -ENOMEM;
}

int memory_init(struct vm *vm, uint64_t bytes, struct diag *d)
{
	struct memory *m = &vm->mem;
	void *hva;
	int r = check_size(bytes, d);

	if (r == 0)
		r = check_host(vm, bytes, d);
	if (r < 0)
		return r;
	m->memfd = make_memfd(vm->cfg.name, bytes);
	if (m->memfd < 0)
		return memory_fail(d, bytes, "memfd_create");
	hva = map_aligned(m->memfd, bytes);
	if (!hva)
		return memory_fail(d, bytes, "mmap");
	madvise(hva, bytes, MADV_HUGEPAGE);
	/* A core file is no place for a guest's secrets. */
	madvise(hva, bytes, MADV_DONTDUMP);
	if (vm->cfg.n_devices)
		bring_in(hva, bytes);
	lay_out(m, hva, bytes);
	for (unsigned i = 0; i < m->n; i++) {
		r = slot_add(vm, m->region[i].gpa, m->region[i].hva,
		             m->region[i].size);
		if (r < 0) {
			errno = -r;
			return memory_fail(d, bytes,
			                   "KVM_SET_USER_MEMORY_REGION");
		}
	}
	return 0;
}

void memory_fini(struct vm *vm)
{
	struct memory *m = &vm->mem;

	for (unsigned i = 0; i < m->n; i++)
		munmap(m->region[i].hva, m->region[i].size);
	m->n = 0;
	close_fd(&m->memfd);
}

void *memory_at(const struct vm *vm, struct gpa gpa, uint64_t len)
{
	for (unsigned i = 0; i < vm->mem.n; i++) {
		const struct mem_region *g = &vm->mem.region[i];

		if (gpa.v >= g->gpa.v &&
		    range_inside(gpa.v - g->gpa.v, len, g->size))
			return (char *)g->hva + (gpa.v - g->gpa.v);
	}
	return NULL;
}

static int slot_set(struct vm *vm, size_t slot, struct gpa gpa, void *hva,
                    uint64_t size)
{
	struct kvm_userspace_memory_region r = {
		.slot = (uint32_t)slot,
		.guest_phys_addr = gpa.v,
		.memory_size = size,
		.userspace_addr = (uintptr_t)hva,
	};

	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &r) < 0 ? -errno : 0;
}

/* Index of the slot that has exactly this range (size 0: a free one). */
static int slot_find(const struct memory *m, uint64_t gpa, uint64_t size)
{
	for (int i = 0; i < MEM_SLOTS_MAX; i++) {
		const struct mem_slot *s = &m->slot[i];

		if (s->size == size && (!size || s->gpa == gpa))
			return i;
	}
	return -ENOENT;
}

int slot_add(struct vm *vm, struct gpa gpa, void *hva, uint64_t size)
{
	struct memory *m = &vm->mem;
	int r = -EINVAL, i;

	if (!size)
		return r;
	pthread_mutex_lock(&m->lock);
	i = slot_find(m, 0, 0);
	r = i < 0 ? -ENOSPC : slot_set(vm, (size_t)i, gpa, hva, size);
	if (r == 0)
		m->slot[i] = (struct mem_slot){ gpa.v, size };
	pthread_mutex_unlock(&m->lock);
	return r;
}

int slot_del(struct vm *vm, struct gpa gpa, uint64_t size)
{
	struct memory *m = &vm->mem;
	int r = -EINVAL, i;

	if (!size)
		return r;
	pthread_mutex_lock(&m->lock);
	i = slot_find(m, gpa.v, size);
	r = i < 0 ? i : slot_set(vm, (size_t)i, gpa, NULL, 0);
	if (r == 0)
		m->slot[i].size = 0;
	pthread_mutex_unlock(&m->lock);
	return r;
}
