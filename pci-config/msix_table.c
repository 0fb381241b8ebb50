/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The MSI-X table as the guest has it, PCIe 6.0 7.7.2.5 to 7.7.2.8. The
 * device's own table is VFIO's; this one holds what the guest wrote.
 */
#include "pci-config/priv.h"

#define ADDR_BITS (~3ull) /* bits 1:0 are RsvdP: a message is a dword */
#define CTRL_BITS 1u      /* Mask; steering tags are not offered */

void cfg_msix_reset(struct cfg_msix *t)
{
	for (unsigned v = 0; v < t->vectors; v++)
		t->entry[v] = (struct cfg_msix_entry){ .ctrl = CTRL_BITS };
}

static bool is_entry(const struct cfg_msix *t, uint64_t off, unsigned width)
{
	return (width == 4 || width == 8) && IS_ALIGNED(off, width) &&
	       off / CFG_MSIX_ENTRY < t->vectors;
}

/* An entry is two halves of 8 bytes: the address, and data with control. */
static uint64_t half_get(const struct cfg_msix_entry *e, bool upper)
{
	return upper ? (uint64_t)e->ctrl << 32 | e->data : e->addr;
}

static void half_set(struct cfg_msix_entry *e, bool upper, uint64_t v)
{
	if (upper) {
		e->data = (uint32_t)v;
		e->ctrl = (uint32_t)(v >> 32);
	} else {
		e->addr = v;
	}
}

uint64_t cfg_msix_read(const struct cfg_msix *t, uint64_t off, unsigned width)
{
	uint64_t half;

	if (!is_entry(t, off, width))
		return 0;
	half = half_get(&t->entry[off / CFG_MSIX_ENTRY], off & 8);
	if (width == 8)
		return half;
	return off & 4 ? half >> 32 : half & UINT32_MAX;
}

/* The bits of a half that a write of `width` at `off` may change. */
static uint64_t writable(uint64_t off, unsigned width)
{
	const uint64_t bits =
		off & 8 ? (uint64_t)CTRL_BITS << 32 | UINT32_MAX : ADDR_BITS;

	if (width == 8)
		return bits;
	return bits & (uint64_t)UINT32_MAX << (off & 4) * 8;
}

struct cfg_msix_change cfg_msix_write(struct cfg_msix *t, uint64_t off,
                                      unsigned width, uint64_t value)
{
	const bool upper = off & 8;
	struct cfg_msix_entry *e;
	uint64_t old, diff;

	if (!is_entry(t, off, width))
		return (struct cfg_msix_change){ .vector = -1 };
	e = &t->entry[off / CFG_MSIX_ENTRY];
	old = half_get(e, upper);
	diff = (old ^ value << (off & 4) * 8) & writable(off, width);
	if (!diff)
		return (struct cfg_msix_change){ .vector = -1 };
	half_set(e, upper, old ^ diff);
	return (struct cfg_msix_change){
		.vector = (int)(off / CFG_MSIX_ENTRY),
		.message = upper ? (uint32_t)diff : true,
		.mask = upper && diff >> 32,
	};
}
