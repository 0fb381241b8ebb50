/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Follows a capability chain, standard (PCIe 6.0 7.5.1.1.11) or extended
 * (7.6.3). A device may be broken or hostile: a pointer is followed only to a
 * place inside the space that was not visited before, so every walk ends.
 */
#include "pci-config/priv.h"

#include <string.h>

static bool visit(struct cfg_walk *w, unsigned off)
{
	const uint64_t bit = BIT64(off / 4 % 64);
	uint64_t *word = &w->seen[off / 4 / 64];
	const bool fresh = !(*word & bit);

	*word |= bit;
	return fresh;
}

static bool cut(struct cfg_walk *w, unsigned ptr)
{
	w->cut = true;
	w->cut_ptr = ptr;
	w->next = 0;
	return false;
}

void cfg_walk_begin(struct cfg_walk *w, const uint8_t *raw, size_t size,
                    bool ext)
{
	memset(w, 0, sizeof(*w));
	w->raw = raw;
	w->size = ext ? (unsigned)size : CFG_SIZE_PCI;
	w->ext = ext;
	if (ext) {
		/* None at all is a header of 0 (7.6.1), or all ones where the
		 * bridge above does not decode the extended space. */
		const uint32_t head =
			size > CFG_SIZE_PCI
				? (uint32_t)load_le(raw + CFG_SIZE_PCI, 4)
				: 0;
		w->next = head && head != UINT32_MAX ? CFG_SIZE_PCI : 0;
	} else if (raw[CFG_STATUS] & CFG_STATUS_CAPS) {
		/* The lower two bits are reserved: masked, not trusted. */
		w->next = raw[CFG_CAP_PTR] & 0xfc;
	}
}

static bool next_std(struct cfg_walk *w, struct cfg_step *ret)
{
	const uint8_t *p = w->raw + w->next;

	if (p[0] == 0xff)
		return cut(w, w->next);
	*ret = (struct cfg_step){ .off = (uint16_t)w->next, .id = p[0] };
	w->next = p[1] & 0xfc;
	return true;
}

static bool next_ext(struct cfg_walk *w, struct cfg_step *ret)
{
	const uint32_t head = (uint32_t)load_le(w->raw + w->next, 4);

	if (head == UINT32_MAX)
		return cut(w, w->next);
	*ret = (struct cfg_step){
		.off = (uint16_t)w->next,
		.id = (uint16_t)FIELD_GET(BITS(15, 0), head),
		.version = (uint8_t)FIELD_GET(BITS(19, 16), head),
	};
	w->next = FIELD_GET(BITS(31, 20), head) & ~3u;
	return true;
}

bool cfg_walk_next(struct cfg_walk *w, struct cfg_step *ret)
{
	const unsigned first = w->ext ? CFG_SIZE_PCI : CFG_HEADER_SIZE;

	if (!w->next)
		return false;
	if (w->next < first || w->next + 4 > w->size || !visit(w, w->next))
		return cut(w, w->next);
	return w->ext ? next_ext(w, ret) : next_std(w, ret);
}
