/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses for the BARs of assigned functions and of our own, before the guest
 * runs, so that its kernel finds a tree it need not change; and windows for the
 * root ports.
 *
 * Three kinds of space, each handed out upwards: I/O ports, memory below 4G,
 * memory above RAM. A bridge has one window of each kind (PCIe 6.0 7.5.1.3):
 * the one above 4G is for 64-bit prefetchable BARs only, so a 64-bit BAR that
 * is not prefetchable goes below 4G, and so does the expansion ROM.
 *
 * Within a window the BARs of all functions of the slot lie by size, the
 * largest first: sizes are powers of two, so each is aligned without a gap, and
 * a huge page in the host can be one in the guest. Windows themselves go by
 * alignment, the largest first, for the same reason; and what does not fill a
 * page gets one of its own, as KVM maps pages.
 *
 * Every port has windows of memory, empty ones too: what is plugged in later
 * mostly fits, and where it does not a guest makes room for it in the host
 * bridge's. Those that no BAR is in come last and may be missing.
 */

#include <cpuid.h>
#include <string.h>

#include "vmm/assign.h"
#include "vmm/own.h"

#define PAGE 4096ull
#define MEM_GRANULE (1ull << 20) /* of a bridge's memory windows */
#define IO_GRANULE 4096ull       /* of its I/O window */
#define IO_END 0x10000ull
#define LEAST_MEM32 (2ull << 20)
#define LEAST_MEM64 (256ull << 20)
#define RANGES_MAX (VM_FUNCTIONS_MAX * VFIO_RANGES)

enum kind {
	KIND_NONE,
	KIND_IO,
	KIND_MEM32,
	KIND_MEM64,
};

/* What is being made; put into the machine when all of it is. */
struct plan {
	struct vm *vm;
	uint64_t at[VM_DEVICES_MAX][VFIO_RANGES];
	uint64_t own[VM_SLOTS_MAX + 1][CFG_BARS]; /* by slot */
	struct assign_window window[VM_SLOTS_MAX + 1];
	uint64_t mem64; /* where the space above 4 GiB begins */
};
/* A BAR, or a ROM. */
struct range {
	uint64_t size; /* what it takes */
	uint64_t *at;
};
/* One window to be placed. */
struct want {
	uint8_t slot;
	enum kind kind;
	unsigned n;
	struct range range[RANGES_MAX];
	uint64_t align, size;
};
struct space {
	const char *name;
	uint64_t next, end;
	uint64_t granule;      /* of windows */
	uint64_t least;        /* that a BAR takes */
	uint64_t least_window; /* that a port gets */
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

/* ---- what a slot wants --------------------------------------------------- */

static void add_range(struct want *w, const struct space *s, struct range r)
{
	r.size = MAX(r.size, s->least);
	w->range[w->n++] = r;
}

static void add_bars(struct want *w, const struct space *s,
                     const struct cfg_bar *bar, uint64_t *at)
{
	for (unsigned k = 0; k < CFG_BARS; k++)
		if (kind_of(&bar[k]) == w->kind)
			add_range(w, s, (struct range){ bar[k].size, &at[k] });
}

static void add_function(struct want *w, const struct space *s, struct plan *p,
                         unsigned i)
{
	const struct vfio_dev *v = p->vm->assigned[i].dev;
	const uint64_t rom = vfio_dev_layout(v)->rom_size;

	add_bars(w, s, vfio_dev_bars(v), p->at[i]);
	if (rom && w->kind == KIND_MEM32)
		add_range(w, s, (struct range){ rom, &p->at[i][VFIO_ROM] });
}

/* The order of equal ones is kept stable by where their result goes. */
static int by_size(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->size != y->size)
		return x->size < y->size ? 1 : -1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static void measure(struct want *w, const struct space *s)
{
	uint64_t sum = 0;

	w->align = s->granule;
	for (unsigned k = 0; k < w->n; k++) {
		w->align = MAX(w->align, w->range[k].size);
		if (__builtin_add_overflow(sum, w->range[k].size, &sum))
			sum = BIT64(62); /* more than there is */
	}
	w->size =
		MAX(ALIGN_UP(MIN(sum, BIT64(62)), s->granule), s->least_window);
}

static void wanted(struct plan *p, uint8_t slot, enum kind kind,
                   const struct space *s, struct want *ret)
{
	*ret = (struct want){ .slot = slot, .kind = kind };
	for (unsigned i = 0; i < p->vm->cfg.n_devices; i++)
		if (p->vm->assigned[i].dev && p->vm->cfg.device[i].slot == slot)
			add_function(ret, s, p, i);
	if (own_has(p->vm, slot))
		add_bars(ret, s, own_bars(p->vm, slot), p->own[slot]);
	qsort(ret->range, ret->n, sizeof(ret->range[0]), by_size);
	measure(ret, s);
}

/* ---- where it goes ------------------------------------------------------- */

static void note_window(struct assign_window *w, enum kind kind, uint64_t at,
                        uint64_t size)
{
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

static int fail_room(const struct plan *p, const struct want *w,
                     const struct space *s, struct diag *d)
{
	const struct vm_config *c = &p->vm->cfg;
	const char *name = own_name_at(p->vm, w->slot);

	for (unsigned i = c->n_devices; !name && i-- > 0;)
		if (c->device[i].slot == w->slot)
			name = c->device[i].bdf;
	diag_fail(d, -ENOSPC, FL_VMM_SLOT, "place the BARs of %s (slot %u)",
	          name ? name : "nobody", w->slot);
	diag_why(d,
	         "%llu MiB of %s are wanted, %llu MiB are left before its end "
	         "at %#llx",
	         (unsigned long long)(w->size >> 20), s->name,
	         (unsigned long long)(s->end - MIN(s->next, s->end)) >> 20,
	         (unsigned long long)s->end);
	if (w->kind == KIND_MEM64)
		diag_mend(d, "the CPU's physical address width ends it (lscpu: "
		             "Address sizes); give the guest less memory, or a "
		             "device with smaller BARs");
	else
		diag_mend(d, "give the guest fewer devices, or one with "
		             "smaller BARs");
	return -ENOSPC;
}

/* A function works without its I/O BARs (PCIe 6.0 7.5.1.2.1 asks for it): when
 * ports run out, that is not a refusal. */
static int place_window(struct plan *p, const struct want *w, struct space *s,
                        struct diag *d)
{
	uint64_t at = ALIGN_UP(s->next, w->align);

	if (at < s->next || at > s->end || w->size > s->end - at)
		return w->n && w->kind != KIND_IO ? fail_room(p, w, s, d) : 0;
	s->next = at + w->size;
	note_window(&p->window[w->slot], w->kind, at, w->size);
	for (unsigned k = 0; k < w->n; k++) {
		*w->range[k].at = at;
		at += w->range[k].size;
	}
	return 0;
}

static int by_alignment(const void *a, const void *b)
{
	const struct want *x = a, *y = b;

	if (!x->n != !y->n)
		return x->n ? -1 : 1;
	if (x->align != y->align)
		return x->align < y->align ? 1 : -1;
	return (x->slot > y->slot) - (x->slot < y->slot);
}

static int place_kind(struct plan *p, enum kind kind, struct space *s,
                      struct diag *d)
{
	_cleanup_free_ struct want *want =
		calloc(VM_SLOTS_MAX, sizeof(struct want));
	unsigned n = 0;
	int r = 0;

	if (!want)
		return diag_fail(d, -ENOMEM, FL_VMM_MEMORY, "to place BARs");
	for (uint8_t slot = 1; slot <= VM_SLOTS_MAX; slot++) {
		if (!(p->vm->ports & BIT(slot)))
			continue;
		wanted(p, slot, kind, s, &want[n]);
		n += want[n].size != 0;
	}
	qsort(want, n, sizeof(want[0]), by_alignment);
	for (unsigned i = 0; r == 0 && i < n; i++)
		r = place_window(p, &want[i], s, d);
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

static void put_own(const struct plan *p, uint8_t slot)
{
	for (unsigned k = 0; k < CFG_BARS; k++)
		/* Refused only where it is not aligned, and it is. */
		if (p->own[slot][k])
			(void)!own_bar_place(p->vm, slot, k, p->own[slot][k]);
}

static void put(const struct plan *p)
{
	memcpy(p->vm->window, p->window, sizeof(p->window));
	p->vm->mem.mmio64 = p->mem64;
	for (unsigned i = 0; i < p->vm->cfg.n_devices; i++)
		memcpy(p->vm->assigned[i].at, p->at[i], sizeof(p->at[i]));
	for (uint8_t slot = 1; slot <= VM_SLOTS_MAX; slot++)
		put_own(p, slot);
}

/* In the first window that has room for all: each is free of holes for DMA
 * between functions, but the last. */
static int place_above(struct plan *p, struct diag *d)
{
	struct memory *m = &p->vm->mem;
	int r = -ENOSPC;

	diag_fail(d, r, FL_VMM_SLOT, "no address is left for BARs");
	diag_mend(d, "lower memory: in the policy");
	for (unsigned i = 0; r == -ENOSPC && i < m->n_windows; i++) {
		struct space s = { "memory above 4 GiB",
			           m->window[i].start,
			           m->window[i].last + 1,
			           MEM_GRANULE,
			           PAGE,
			           LEAST_MEM64 };

		p->mem64 = m->window[i].start;
		r = place_kind(p, KIND_MEM64, &s, d);
	}
	return r;
}

int place_all(struct vm *vm, struct diag *d)
{
	struct space io = {
		"I/O ports", PORT_PCI_IO, IO_END, IO_GRANULE, 1, 0
	};
	struct space mem32 = { "memory below 4 GiB", MAP_MMIO32, MAP_MMIO32_END,
		               MEM_GRANULE,          PAGE,       LEAST_MEM32 };
	struct plan p = { .vm = vm };
	int r = place_kind(&p, KIND_IO, &io, d);

	if (r == 0)
		r = place_kind(&p, KIND_MEM32, &mem32, d);
	if (r == 0)
		r = place_above(&p, d);
	if (r == 0)
		put(&p);
	return r;
}

/* ---- into the registers -------------------------------------------------- */

#define REG_ROM 0x30 /* PCIe 6.0 7.5.1.2.4; bit 0 enables it */

static int fail_place(const struct assigned *a, unsigned bar, int err,
                      struct diag *d)
{
	const char *bdf = a->vm->cfg.device[a->index].bdf;

	diag_fail(d, err, FL_VMM_SLOT, "place BAR %u of %s at %#llx", bar, bdf,
	          (unsigned long long)a->at[bar]);
	diag_why(d, "%s", strerror(-err));
	diag_mend_else(d, "fairlead doctor %s", bdf);
	return err;
}

int place_apply(struct assigned *a, struct diag *d)
{
	for (unsigned i = 0; i < CFG_BARS; i++) {
		int r;

		if (!a->at[i])
			continue;
		r = vfio_dev_bar_place(a->dev, i, a->at[i]);
		if (r < 0)
			return fail_place(a, i, r, d);
	}
	if (a->at[VFIO_ROM])
		vfio_dev_cfg_write(a->dev, REG_ROM, 4,
		                   (uint32_t)a->at[VFIO_ROM]);
	return 0;
}
