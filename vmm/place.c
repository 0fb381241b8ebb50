/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses for the BARs of assigned functions, before the guest runs, so that
 * its kernel finds a tree it need not change.
 *
 * Three kinds of space, each handed out upwards: I/O ports, memory below 4G,
 * memory above RAM. A bridge has one window of each kind (PCIe 6.0 7.5.1.3):
 * the one above 4G is for 64-bit prefetchable BARs only, so a 64-bit BAR that
 * is not prefetchable goes below 4G.
 *
 * Within a window BARs lie by size, the largest first: sizes are powers of
 * two, so each is aligned without a gap. Windows themselves go by alignment,
 * the largest first, for the same reason; and what does not fill a page gets
 * one of its own, as KVM maps pages.
 */

#include <cpuid.h>
#include <string.h>

#include "vmm/assign.h"

#define PAGE 4096ull
#define MEM_GRANULE (1ull << 20) /* of a bridge's memory windows */
#define IO_GRANULE 4096ull       /* of its I/O window */
#define IO_END 0x10000ull

enum kind {
	KIND_NONE,
	KIND_IO,
	KIND_MEM32,
	KIND_MEM64,
};

/* One window to be placed. */
struct want {
	struct assigned *owner;
	enum kind kind;
	uint64_t align, size;
};
struct space {
	const char *name;
	uint64_t next, end;
	uint64_t granule, least; /* of windows, of BARs */
};

static enum kind kind_of(const struct cfg_bar *b)
{
	if (!b->size)
		return KIND_NONE;
	switch (b->kind) {
	case CFG_BAR_IO:
		return KIND_IO;
	case CFG_BAR_MEM32:
		return KIND_MEM32;
	case CFG_BAR_MEM64:
		return b->prefetch ? KIND_MEM64 : KIND_MEM32;
	case CFG_BAR_NONE:
	case CFG_BAR_UPPER:
		break;
	}
	return KIND_NONE;
}

/* Index of the largest BAR of a kind that is not in `done`; CFG_BARS = none. */
static unsigned largest(const struct cfg_bar *bar, enum kind kind,
                        unsigned done)
{
	unsigned best = CFG_BARS;

	for (unsigned i = 0; i < CFG_BARS; i++)
		if (!(done & BIT(i)) && kind_of(&bar[i]) == kind &&
		    (best == CFG_BARS || bar[i].size > bar[best].size))
			best = i;
	return best;
}

/* Where the function's BARs of one kind lie from `base` on; what they take. */
static uint64_t lay_out(struct assigned *a, enum kind kind, uint64_t base,
                        uint64_t least)
{
	const struct cfg_bar *bar = vfio_dev_bars(a->dev);
	uint64_t at = base;
	unsigned i, done = 0;

	while ((i = largest(bar, kind, done)) < CFG_BARS) {
		a->at[i] = at;
		at += MAX(bar[i].size, least);
		done |= BIT(i);
	}
	return at - base;
}

static struct want wanted(struct assigned *a, enum kind kind,
                          const struct space *s)
{
	const struct cfg_bar *bar = vfio_dev_bars(a->dev);
	unsigned top = largest(bar, kind, 0);
	struct want w = { .owner = a, .kind = kind };

	if (top == CFG_BARS)
		return w;
	w.align = MAX(bar[top].size, s->granule);
	w.size = ALIGN_UP(lay_out(a, kind, 0, s->least), s->granule);
	return w;
}

static void note_window(struct assigned *a, enum kind kind, uint64_t at,
                        uint64_t size)
{
	struct assign_window *w = &a->window;

	if (kind == KIND_IO) {
		w->io = (uint32_t)at;
		w->io_size = (uint32_t)size;
	} else if (kind == KIND_MEM32) {
		w->mem32 = at;
		w->mem32_size = size;
	} else {
		w->mem64 = at;
		w->mem64_size = size;
	}
}

static int fail_room(const struct want *w, const struct space *s,
                     struct diag *d)
{
	const struct vm *vm = w->owner->vm;

	diag_fail(d, -ENOSPC, FL_VMM_SLOT, "place the BARs of %s",
	          vm->cfg.device[w->owner->index].bdf);
	diag_why(d, "%llu MiB of %s are wanted, %llu MiB are left",
	         (unsigned long long)(w->size >> 20), s->name,
	         (unsigned long long)(s->end - MIN(s->next, s->end)) >> 20);
	diag_mend(d, "give the guest fewer devices, or one with smaller BARs");
	return -ENOSPC;
}

/* A function works without its I/O BARs (PCIe 6.0 7.5.1.2.1 asks for it): when
 * ports run out, that is not a refusal. */
static int place_window(const struct want *w, struct space *s, struct diag *d)
{
	uint64_t at = ALIGN_UP(s->next, w->align);

	if (at < s->next || at > s->end || w->size > s->end - at) {
		if (w->kind != KIND_IO)
			return fail_room(w, s, d);
		for (unsigned i = 0; i < CFG_BARS; i++)
			if (kind_of(&vfio_dev_bars(w->owner->dev)[i]) ==
			    KIND_IO)
				w->owner->at[i] = 0;
		return 0;
	}
	(void)lay_out(w->owner, w->kind, at, s->least);
	note_window(w->owner, w->kind, at, w->size);
	s->next = at + w->size;
	return 0;
}

static int by_alignment(const void *a, const void *b)
{
	const struct want *x = a, *y = b;

	if (x->align != y->align)
		return x->align < y->align ? 1 : -1;
	return x->owner < y->owner ? -1 : x->owner > y->owner;
}

static int place_kind(struct vm *vm, enum kind kind, struct space *s,
                      struct diag *d)
{
	struct want want[VM_DEVICES_MAX] = { 0 };
	unsigned n = 0;
	int r = 0;

	for (unsigned i = 0; i < vm->cfg.n_devices; i++) {
		want[n] = wanted(&vm->assigned[i], kind, s);
		n += want[n].size != 0;
	}
	qsort(want, n, sizeof(want[0]), by_alignment);
	for (unsigned i = 0; r == 0 && i < n; i++)
		r = place_window(&want[i], s, d);
	return r;
}

/* The guest's physical addresses are as wide as the host's. */
uint64_t address_end(void)
{
	unsigned eax = 0, ebx, ecx, edx;

	if (!__get_cpuid(0x80000008, &eax, &ebx, &ecx, &edx) ||
	    (eax & 0xff) < 36 || (eax & 0xff) > 52)
		return BIT64(36);
	return BIT64(eax & 0xff);
}

uint64_t assign_mem64_end(const struct vm *vm)
{
	uint64_t end = vm->mem.mmio64 + MAP_MMIO64_SIZE;

	for (unsigned i = 0; vm->assigned && i < vm->cfg.n_devices; i++) {
		const struct assign_window *w = &vm->assigned[i].window;

		end = MAX(end, w->mem64 + w->mem64_size);
	}
	return MIN(end, address_end());
}

/* In the first window that has room for all: each is free of holes for DMA
 * between functions, but the last. */
static int place_above(struct vm *vm, struct diag *d)
{
	struct memory *m = &vm->mem;
	int r = -ENOSPC;

	for (unsigned i = 0; r == -ENOSPC && i < m->n_windows; i++) {
		struct space s = { "memory above 4 GiB", m->window[i].start,
			           m->window[i].last + 1, MEM_GRANULE, PAGE };

		m->mmio64 = m->window[i].start;
		r = place_kind(vm, KIND_MEM64, &s, d);
	}
	return r;
}

int place_all(struct vm *vm, struct diag *d)
{
	struct space io = { "I/O ports", PORT_PCI_IO, IO_END, IO_GRANULE, 1 };
	struct space mem32 = { "memory below 4 GiB", MAP_MMIO32, MAP_MMIO32_END,
		               MEM_GRANULE, PAGE };
	int r = place_kind(vm, KIND_IO, &io, d);

	if (r == 0)
		r = place_kind(vm, KIND_MEM32, &mem32, d);
	return r == 0 ? place_above(vm, d) : r;
}

int place_apply(struct assigned *a, struct diag *d)
{
	for (unsigned i = 0; i < CFG_BARS; i++) {
		int r;

		if (!a->at[i])
			continue;
		r = vfio_dev_bar_place(a->dev, i, a->at[i]);
		if (r < 0)
			return diag_fail(d, r, FL_VMM_SLOT,
			                 "place BAR %u of %s at %#llx: %s", i,
			                 a->vm->cfg.device[a->index].bdf,
			                 (unsigned long long)a->at[i],
			                 strerror(-r));
	}
	return 0;
}
