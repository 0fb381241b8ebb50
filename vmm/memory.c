/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest RAM: one sealed memfd, mapped once, seen by KVM and the IOMMU as one
 * region below the hole and one above it. And KVM's memory slots: RAM takes
 * the first, device windows any free one.
 *
 * RAM that a device may write is pinned whole when it is mapped for DMA, so it
 * is brought in first (prefault.c), by huge pages where the kernel can: of
 * hugetlb where the policy asks (reserved at mmap, so a pool that is too small
 * is refused at once), else transparent ones.
 *
 * Never punched, never mapped anew, not at a reset either: pinned pages would
 * then differ from what the guest sees. Hence no balloon and no free page
 * reporting: what the guest gave back could not go to the host while a device
 * may write it. And KSM takes no pages of a file mapped shared, as this is.
 */

#include <fcntl.h>
#include <inttypes.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "vmm/numa.h"

#define HUGE (2ull << 20)
#define GIGANTIC (1ull << 30)
#define MEMORY_MIN (16ull << 20)
#define MEMORY_MAX (4ull << 40)
#define SLOW_NS 1000000000ull

static int memory_fail(struct diag *d, uint64_t bytes, const char *call)
{
	int err = -errno;

	diag_fail(d, err, FL_VMM_MEMORY, "%" PRIu64 " MiB of guest memory",
	          bytes >> 20);
	diag_why(d, "%s: %s", call, strerror(-err));
	/* Too many files are not mended by memory. */
	if (err != -EMFILE)
		diag_mend(d, "free memory on the host (free -m), or lower "
		             "memory: in the policy");
	return err;
}

/* ---- the file and its mapping -------------------------------------------- */

/* hugetlb pages are reserved by mmap, and its ENOMEM means just that. */
static int pool_fail(struct diag *d, uint64_t bytes, uint64_t page,
                     const char *call)
{
	int err = -errno;
	uint64_t n = bytes / page, kib = page >> 10;

	diag_fail(d, err, FL_VMM_MEMORY,
	          "%" PRIu64 " MiB of guest memory by pages of %" PRIu64 " MiB",
	          bytes >> 20, page >> 20);
	if (err == -ENODEV || err == -EINVAL)
		diag_why(d, "this host has no pages of that size (%s: %s)",
		         call, strerror(-err));
	else
		diag_why(d,
		         "%s: %s: the host's pool has not %" PRIu64
		         " of them free",
		         call, strerror(-err), n);
	diag_mend(d,
	          "/sys/kernel/mm/hugepages/hugepages-%" PRIu64
	          "kB: nr_hugepages there must exceed what is in use by "
	          "%" PRIu64 " (best at boot: hugepagesz=%s hugepages=N)",
	          kib, n, page == GIGANTIC ? "1G" : "2M");
	return err;
}

static unsigned memfd_flags(uint64_t page)
{
	if (page == GIGANTIC)
		return MFD_HUGETLB | MFD_HUGE_1GB;
	return page ? MFD_HUGETLB | MFD_HUGE_2MB : 0;
}

/* A file that can neither grow nor shrink: nobody can make our mapping fault
 * beyond its end. */
static int make_memfd(const char *guest, uint64_t bytes, uint64_t page)
{
	char name[sizeof("fairlead-") + VM_NAME];
	_cleanup_close_ int fd = -1;

	snprintf(name, sizeof(name), "fairlead-%s", guest);
	fd = memfd_create(name,
	                  MFD_CLOEXEC | MFD_ALLOW_SEALING | memfd_flags(page));
	if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return -1;
	return TAKE_FD(fd);
}

/* Huge pages need an address that is aligned as the file offset is. */
static void *map_aligned(int fd, uint64_t bytes, uint64_t align)
{
	char *area, *at;

	area = mmap(NULL, bytes + align, PROT_NONE,
	            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area == MAP_FAILED)
		return NULL;
	at = (char *)ALIGN_UP((uintptr_t)area, align);
	if (at > area)
		munmap(area, (size_t)(at - area));
	munmap(at + bytes, (size_t)(area + align - at));
	if (mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
	         0) == MAP_FAILED) {
		int err = errno;

		munmap(at, bytes);
		errno = err;
		return NULL;
	}
	return at;
}

static int make_ram(struct vm *vm, uint64_t bytes, void **ret, struct diag *d)
{
	uint64_t page = vm->cfg.ram.page;
	struct memory *m = &vm->mem;
	void *hva;

	m->memfd = make_memfd(vm->cfg.name, bytes, page);
	if (m->memfd < 0)
		return page ? pool_fail(d, bytes, page, "memfd_create")
		            : memory_fail(d, bytes, "memfd_create");
	hva = map_aligned(m->memfd, bytes, MAX(page, HUGE));
	if (!hva)
		return page ? pool_fail(d, bytes, page, "mmap")
		            : memory_fail(d, bytes, "mmap");
	if (!page)
		madvise(hva, bytes, MADV_HUGEPAGE);
	/* A core file is no place for a guest's secrets. */
	madvise(hva, bytes, MADV_DONTDUMP);
	*ret = hva;
	return 0;
}

/* Who waits longer than a second is told for what. */
static void say_slow(const struct prefault_stats *p)
{
	uint64_t ms = p->ns / 1000000;
	char text[120];

	if (p->ns < SLOW_NS)
		return;
	snprintf(text, sizeof(text),
	         "%" PRIu64 " MiB of memory brought in by %u thread(s) in "
	         "%" PRIu64 ".%03" PRIu64 " s: %" PRIu64 " ms a GiB",
	         p->bytes >> 20, p->threads, ms / 1000, ms % 1000,
	         (ms << 10) / MAX(p->bytes >> 20, (uint64_t)1));
	loop_say(text);
}

/* The nodes' stretches; none where none of them is bound, and the CPUs that
 * are there decide. */
static unsigned bound_parts(const struct vm_config *c,
                            struct prefault_part ret[static VM_NODES_MAX])
{
	bool bound = false;
	uint64_t off = 0;

	for (unsigned i = 0; i < c->n_nodes; i++) {
		const struct vm_node *n = &c->node[i];

		ret[i] = (struct prefault_part){ off, n->size, n->host };
		bound = bound || n->host >= 0;
		off += n->size;
	}
	return bound ? c->n_nodes : 0;
}

static void *fill(void *arg)
{
	struct vm *vm = arg;
	const struct vm_config *c = &vm->cfg;
	struct prefault_part part[VM_NODES_MAX];
	unsigned parts = bound_parts(c, part);
	struct memory *m = &vm->mem;
	void *hva = m->region[0].hva;

	m->filled = prefault(hva, c->memory, c->ram.page, part, parts,
	                     &m->prefault);
	if (c->ram.lock && m->filled == 0 && mlock(hva, c->memory) < 0)
		m->locked = -errno;
	return NULL;
}

/* What a device writes is pinned; and a hugetlb page that is missing after
 * all (a control group's limit) would be a SIGBUS later. */
static void fill_begin(struct vm *vm)
{
	struct memory *m = &vm->mem;

	if (!vm->cfg.n_devices && !vm->cfg.ram.page && !vm->cfg.ram.prefault &&
	    !vm->cfg.ram.lock)
		return;
	m->filling = !pthread_create(&m->filler, NULL, fill, vm);
	if (!m->filling)
		fill(vm);
}

static void fill_end(struct memory *m)
{
	if (m->filling)
		pthread_join(m->filler, NULL);
	m->filling = false;
}

static int lock_fail(struct diag *d, uint64_t bytes, int err)
{
	struct rlimit l = { 0 };

	(void)getrlimit(RLIMIT_MEMLOCK, &l);
	diag_fail(d, err, FL_VMM_LOCK, "lock %" PRIu64 " MiB of guest memory",
	          bytes >> 20);
	diag_why(d, "mlock: %s; RLIMIT_MEMLOCK is %" PRIu64 " MiB",
	         strerror(-err), (uint64_t)l.rlim_cur >> 20);
	diag_mend(d, "LimitMEMLOCK=infinity for fairlead-netd, which raises "
	             "it; or without lock: in the policy");
	return err;
}

int memory_wait(struct vm *vm, struct diag *d)
{
	uint64_t bytes = vm->cfg.memory, page = vm->cfg.ram.page;
	struct memory *m = &vm->mem;
	bool filling = m->filling;

	fill_end(m);
	if (m->filled < 0) {
		errno = -m->filled;
		return page ? pool_fail(d, bytes, page, "MADV_POPULATE_WRITE")
		            : memory_fail(d, bytes, "MADV_POPULATE_WRITE");
	}
	if (m->locked < 0)
		return lock_fail(d, bytes, m->locked);
	if (filling)
		say_slow(&m->prefault);
	return 0;
}

/* ---- what may be asked for
 * ---------------------------------------------------
 */

static int check_size(const struct vm *vm, uint64_t bytes, struct diag *d)
{
	uint64_t page = vm->cfg.ram.page, unit = MAX(page, HUGE);

	if (page != 0 && page != HUGE && page != GIGANTIC) {
		diag_fail(d, -EINVAL, FL_VMM_MEMORY,
		          "guest memory by pages of %" PRIu64 " bytes", page);
		diag_why(d, "2 MiB and 1 GiB are possible");
		diag_mend(d, "memory: { pages: 2M } in the policy");
		return -EINVAL;
	}
	if (bytes >= MEMORY_MIN && IS_ALIGNED(bytes, unit) &&
	    bytes <= MEMORY_MAX)
		return 0;
	diag_fail(d, -EINVAL, FL_VMM_MEMORY,
	          "%" PRIu64 " bytes of guest memory", bytes);
	diag_why(d,
	         "it must be a multiple of %" PRIu64 " MiB, from 16 MiB to 4 "
	         "TiB",
	         unit >> 20);
	diag_mend(d, "memory: %s in the policy, for instance",
	          page == GIGANTIC ? "2G" : "512M");
	return -EINVAL;
}

/* To pin what is not there has the kernel kill some process for it, which may
 * be any. Without a device memory is taken as it is used, and may be swapped;
 * hugetlb's was taken from the host when its pool was made.
 */
static int check_host(const struct vm *vm, uint64_t bytes, struct diag *d)
{
	struct sysinfo s;
	uint64_t total;

	if ((!vm->cfg.n_devices && !vm->cfg.ram.lock) || vm->cfg.ram.page ||
	    sysinfo(&s) < 0)
		return 0;
	total = (uint64_t)s.totalram * s.mem_unit;
	if (bytes < total)
		return 0;
	diag_fail(d, -ENOMEM, FL_VMM_MEMORY, "%" PRIu64 " MiB of guest memory",
	          bytes >> 20);
	diag_why(d,
	         "the host has %" PRIu64
	         " MiB in all, and a guest with devices, or with lock:, "
	         "holds its memory whole",
	         total >> 20);
	diag_mend(d, "lower memory: in the policy");
	return -ENOMEM;
}

/* ---- where it lies
 * -------------------------------------------------------------
 */

static int show(struct vm *vm, struct diag *d)
{
	const struct memory *m = &vm->mem;

	for (unsigned i = 0; i < m->n; i++) {
		int r = slot_add(vm, m->region[i].gpa, m->region[i].hva,
		                 m->region[i].size, true);

		if (r < 0) {
			errno = -r;
			return memory_fail(d, m->region[i].size,
			                   "KVM_SET_USER_MEMORY_REGION");
		}
	}
	return 0;
}

static void take_layout(struct memory *m, const struct layout *l, char *hva)
{
	for (unsigned i = 0; i < l->n_ram; i++) {
		struct mem_region *r = &m->region[i];

		r->gpa.v = l->ram[i].gpa;
		r->size = l->ram[i].size;
		r->hva = hva + l->ram[i].off;
		r->memfd_off = l->ram[i].off;
	}
	m->n = l->n_ram;
	memcpy(m->window, l->window, sizeof(m->window));
	m->n_windows = l->n_windows;
	m->mmio64 = l->n_windows ? l->window[0].start : address_end();
}

static bool same_ram(const struct memory *m, const struct layout *l)
{
	bool same = m->n == l->n_ram;

	for (unsigned i = 0; same && i < m->n; i++)
		same = m->region[i].gpa.v == l->ram[i].gpa &&
		       m->region[i].size == l->ram[i].size;
	return same;
}

int memory_settle(struct vm *vm, struct diag *d)
{
	struct iommu_range usable[IOMMU_RANGES_MAX];
	struct layout_host h = { .usable = usable, .end = address_end() };
	struct memory *m = &vm->mem;
	char *hva = m->region[0].hva;
	uint64_t bytes = 0;
	struct layout l;
	int r = vm->space ? iommu_usable(vm->space, usable) : -ENODATA;

	h.n = (size_t)MAX(r, 0);
	for (unsigned i = 0; i < m->n; i++)
		bytes += m->region[i].size;
	r = layout_ram(&h, bytes, vm->cfg.ram.page, &l, d);
	if (r < 0)
		return r;
	if (same_ram(m, &l)) {
		take_layout(m, &l, hva);
		return 0;
	}
	for (unsigned i = 0; i < m->n; i++)
		(void)!slot_del(vm, m->region[i].gpa, m->region[i].size);
	take_layout(m, &l, hva);
	return show(vm, d);
}

/* ---- begin and end
 * -------------------------------------------------------------
 */

int memory_init(struct vm *vm, uint64_t bytes, struct diag *d)
{
	struct layout_host h = { .end = address_end() };
	struct layout l = { 0 };
	void *hva = NULL;
	int r = check_size(vm, bytes, d);

	if (r == 0)
		r = numa_check(&vm->cfg, d);
	if (r == 0)
		r = check_host(vm, bytes, d);
	if (r == 0)
		r = layout_ram(&h, bytes, vm->cfg.ram.page, &l, d);
	if (r == 0)
		r = make_ram(vm, bytes, &hva, d);
	if (r < 0)
		return r;
	/* From here on memory_fini() lets go of it. */
	take_layout(&vm->mem, &l, hva);
	r = numa_bind(&vm->cfg, hva, d);
	if (r < 0)
		return r;
	fill_begin(vm);
	return show(vm, d);
}

void memory_fini(struct vm *vm)
{
	struct memory *m = &vm->mem;

	fill_end(m);
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
                    uint64_t size, bool writable)
{
	struct kvm_userspace_memory_region r = {
		.slot = (uint32_t)slot,
		.flags = writable ? 0 : KVM_MEM_READONLY,
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

int slot_add(struct vm *vm, struct gpa gpa, void *hva, uint64_t size,
             bool writable)
{
	struct memory *m = &vm->mem;
	int r = -EINVAL, i;

	if (!size)
		return r;
	pthread_mutex_lock(&m->lock);
	i = slot_find(m, 0, 0);
	r = i < 0 ? -ENOSPC : slot_set(vm, (size_t)i, gpa, hva, size, writable);
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
	r = i < 0 ? i : slot_set(vm, (size_t)i, gpa, NULL, 0, true);
	if (r == 0)
		m->slot[i].size = 0;
	pthread_mutex_unlock(&m->lock);
	return r;
}
