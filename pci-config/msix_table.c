/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The MSI-X table as the guest has it, PCIe 6.0 7.7.2.5 to 7.7.2.8. The
 * device's own table is VFIO's; this one holds what the guest wrote.
 */
#include "pci-config/priv.h"

#define ADDR_BITS (~3u) /* bits 1:0 are RsvdP: a message is a dword */
#define CTRL_BITS 1u    /* Mask; steering tags are not offered */
#define CTRL_AT 12u     /* in the entry, PCIe 6.0 7.7.2.8 */

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

/* An entry's fields lie in memory as the guest is to see them: x86 is
 * little-endian. */
uint64_t cfg_msix_read(const struct cfg_msix *t, uint64_t off, unsigned width)
{
	if (!is_entry(t, off, width))
		return 0;
	return load_le((const uint8_t *)t->entry + off, width);
}

/* Returns the bits that changed. */
static inline uint32_t write_dword(struct cfg_msix *t, uint64_t off,
                                   uint32_t value)
{
	static const uint32_t writable[] = { ADDR_BITS, UINT32_MAX, UINT32_MAX,
		                             CTRL_BITS };
	uint8_t *p = (uint8_t *)t->entry + off;
	const uint32_t old = (uint32_t)load_le(p, 4);
	const uint32_t diff = (old ^ value) & writable[off / 4 % 4];

	store_le(p, 4, old ^ diff);
	return diff;
}

static struct cfg_msix_change changed(uint64_t off, bool mask)
{
	return (struct cfg_msix_change){
		.vector = (int)(off / CFG_MSIX_ENTRY),
		.mask = mask,
	};
}

#define UNCHANGED ((struct cfg_msix_change){ .vector = -1 })

/* Two dwords, of which the upper one may be the control. Apart: Linux writes
 * dwords. */
static __attribute__((noinline)) struct cfg_msix_change
write_half(struct cfg_msix *t, uint64_t off, uint64_t value)
{
	uint32_t lower, upper;

	if (!is_entry(t, off, 8))
		return UNCHANGED;
	lower = write_dword(t, off, (uint32_t)value);
	upper = write_dword(t, off + 4, (uint32_t)(value >> 32));
	return lower | upper ? changed(off, off & 8 && upper) : UNCHANGED;
}

struct cfg_msix_change cfg_msix_write(struct cfg_msix *t, uint64_t off,
                                      unsigned width, uint64_t value)
{
	if (width == 8)
		return write_half(t, off, value);
	if (!is_entry(t, off, width) || !write_dword(t, off, (uint32_t)value))
		return UNCHANGED;
	return changed(off, off % CFG_MSIX_ENTRY == CTRL_AT);
}
