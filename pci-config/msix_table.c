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

static struct cfg_msix_entry *entry_at(const struct cfg_msix *t, uint64_t off,
                                       unsigned width)
{
	if ((width != 4 && width != 8) || !IS_ALIGNED(off, width) ||
	    off / CFG_MSIX_ENTRY >= t->vectors)
		return NULL;
	return &t->entry[off / CFG_MSIX_ENTRY];
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
		e->ctrl = (uint32_t)(v >> 32) & CTRL_BITS;
	} else {
		e->addr = v & ADDR_BITS;
	}
}

uint64_t cfg_msix_read(const struct cfg_msix *t, uint64_t off, unsigned width)
{
	const struct cfg_msix_entry *e = entry_at(t, off, width);
	uint64_t half;

	if (!e)
		return 0;
	half = half_get(e, off & 8);
	if (width == 8)
		return half;
	return off & 4 ? half >> 32 : half & UINT32_MAX;
}

struct cfg_msix_change cfg_msix_write(struct cfg_msix *t, uint64_t off,
                                      unsigned width, uint64_t value)
{
	struct cfg_msix_entry *e = entry_at(t, off, width);
	struct cfg_msix_change c = { .vector = -1 };
	struct cfg_msix_entry old;
	uint64_t half;

	if (!e)
		return c;
	old = *e;
	half = half_get(e, off & 8);
	if (width == 8)
		half = value;
	else if (off & 4)
		half = (half & UINT32_MAX) | value << 32;
	else
		half = (half & ~(uint64_t)UINT32_MAX) | (value & UINT32_MAX);
	half_set(e, off & 8, half);

	c.message = e->addr != old.addr || e->data != old.data;
	c.mask = e->ctrl != old.ctrl;
	if (c.message || c.mask)
		c.vector = (int)(off / CFG_MSIX_ENTRY);
	return c;
}
