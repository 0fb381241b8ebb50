/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Windows: what the guest reaches without an exit. Each is a memory slot of
 * KVM's; and while the guest has two functions or more, those on device memory
 * are mapped for DMA too, where the guest has them, so that one function can
 * reach the other. Where the kernel cannot, that is said once.
 *
 * Order: shown to CPUs, then to devices; taken from devices, then from CPUs.
 * The DMA map ends before its memory stops to answer (iommu.h), since vfio/
 * withdraws windows before it lets the device see why.
 *
 * Bound: the kernel maps device memory page by page while a vCPU waits for its
 * write of COMMAND, so what is larger than PEER_MAX is not mapped.
 *
 * A BAR smaller than a page shows its whole page. When something else comes to
 * lie there, the window goes, and the BAR is trapped until it moves.
 *
 * Locks: `lock` is taken under a function's and vfio's; under it are those of
 * the slots, the bus and iommu/.
 */

#include <inttypes.h>
#include <string.h>

#include "vmm/assign.h"

#define WINDOWS_MAX MEM_SLOTS_MAX
#define PEER_MAX (16ull << 30)

struct window {
	uint64_t gpa, size; /* size 0 = free */
	void *hva;
	bool device; /* memory of a device */
	bool mapped; /* for DMA */
	bool gone;   /* from the guest; vfio does not know */
};
struct windows {
	pthread_mutex_t lock;
	bool shared; /* there are functions to reach one another */
	bool told;   /* that they cannot */
	struct window w[WINDOWS_MAX];
};

int windows_new(struct windows **ret)
{
	struct windows *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	*ret = s;
	return 0;
}

void windows_free(struct windows *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void windows_hold(struct vm *vm)
{
	pthread_mutex_lock(&vm->windows->lock);
}

void windows_unhold(struct vm *vm)
{
	pthread_mutex_unlock(&vm->windows->lock);
}

/* The one that is just so; size 0 = a free one. */
static struct window *find(struct windows *s, uint64_t gpa, uint64_t size)
{
	for (unsigned i = 0; i < WINDOWS_MAX; i++) {
		struct window *w = &s->w[i];

		if (w->size == size && (!size || w->gpa == gpa))
			return w;
	}
	return NULL;
}

/* ---- devices ------------------------------------------------------------- */

/* Once a guest: which window it was does not matter, what fails does. */
static void tell(struct windows *s, struct assigned *a, const struct window *w,
                 const struct diag *cause)
{
	struct diag d;

	if (s->told)
		return;
	s->told = true;
	diag_fail(&d, cause->err, FL_IOMMU_PEER,
	          "let the guest's devices reach one another's memory");
	diag_why(&d,
	         "%s; DMA between the guest's own devices fails: the IOMMU "
	         "blocks it. All else works. (first met: %" PRIu64
	         " KiB at %#" PRIx64 ")",
	         cause->why[0] ? cause->why : cause->what, w->size >> 10,
	         w->gpa);
	diag_mend(&d, "%s", cause->mend);
	assign_keep_fault(a, &d);
}

static void peer_map(struct windows *s, struct assigned *a, struct window *w)
{
	const struct iova at = { .v = w->gpa };
	struct diag d = { .err = 0 };
	int r;

	if (!s->shared || !w->device || w->mapped || w->gone)
		return;
	if (w->size > PEER_MAX) {
		diag_fail(&d, -EFBIG, FL_IOMMU_PEER, "map device memory");
		diag_why(&d,
		         "a window of %" PRIu64
		         " GiB would take the kernel too long, "
		         "page by page",
		         w->size >> 30);
		diag_mend(&d, "nothing, where no driver of the guest wants it");
		r = -EFBIG;
	} else {
		r = iommu_map_peer(a->vm->space, at, w->hva, w->size, &d);
	}
	w->mapped = r == 0;
	if (r < 0)
		tell(s, a, w, &d);
}

static int peer_unmap(struct vm *vm, struct window *w)
{
	const struct iova at = { .v = w->gpa };
	int r = w->mapped ? iommu_unmap(vm->space, at, w->size) : 0;

	if (r == 0)
		w->mapped = false;
	return r;
}

void windows_share(struct vm *vm)
{
	struct windows *s = vm->windows;
	struct assigned *any = NULL;
	unsigned n = 0;

	for (unsigned i = 0; i < vm->cfg.n_devices; i++)
		if (vm->assigned[i].dev) {
			any = &vm->assigned[i];
			n++;
		}
	pthread_mutex_lock(&s->lock);
	s->shared = n > 1;
	for (unsigned i = 0; any && i < WINDOWS_MAX; i++) {
		if (s->shared && s->w[i].size)
			peer_map(s, any, &s->w[i]);
		else if (s->w[i].size)
			(void)!peer_unmap(vm, &s->w[i]);
	}
	pthread_mutex_unlock(&s->lock);
}

/* ---- the guest ----------------------------------------------------------- */

static int hide(struct vm *vm, struct window *w)
{
	int r = peer_unmap(vm, w);

	if (r == 0 && !w->gone)
		r = slot_del(vm, (struct gpa){ w->gpa }, w->size);
	return r;
}

static int add_locked(struct assigned *a, const struct window *as)
{
	struct windows *s = a->vm->windows;
	struct window *w = find(s, 0, 0);
	int r;

	if (!w)
		return -ENOSPC;
	/* Its own range is on the bus already, and must be alone. */
	if (bus_count(a->vm->mmio, as->gpa, as->size) != 1)
		return -EADDRINUSE;
	r = slot_add(a->vm, (struct gpa){ as->gpa }, as->hva, as->size,
	             as->device);
	if (r < 0)
		return r;
	*w = *as;
	peer_map(s, a, w);
	return 0;
}

int windows_add(struct assigned *a, struct gpa gpa, void *hva, uint64_t size,
                bool device)
{
	const struct window w = {
		.gpa = gpa.v,
		.size = size,
		.hva = hva,
		.device = device,
	};
	struct windows *s = a->vm->windows;
	int r;

	if (!size)
		return -EINVAL;
	pthread_mutex_lock(&s->lock);
	r = add_locked(a, &w);
	pthread_mutex_unlock(&s->lock);
	return r;
}

int windows_del(struct vm *vm, struct gpa gpa, uint64_t size)
{
	struct windows *s = vm->windows;
	struct window *w;
	int r = -ENOENT;

	pthread_mutex_lock(&s->lock);
	w = size ? find(s, gpa.v, size) : NULL;
	if (w)
		r = hide(vm, w);
	if (r == 0)
		*w = (struct window){ .size = 0 };
	pthread_mutex_unlock(&s->lock);
	return r;
}

int windows_evict(struct vm *vm, uint64_t at, uint64_t size)
{
	struct windows *s = vm->windows;
	int r = 0;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; r == 0 && i < WINDOWS_MAX; i++) {
		struct window *w = &s->w[i];

		if (!w->size || w->gone ||
		    !ranges_overlap(at, size, w->gpa, w->size))
			continue;
		r = hide(vm, w);
		w->gone = r == 0;
	}
	pthread_mutex_unlock(&s->lock);
	return r;
}
