/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SR-IOV capability of a physical function, PCIe 6.0 9.3.3, decoded for
 * whoever carves VFs. Never shown to a guest.
 */
#include "pci-config/priv.h"

#define LENGTH 0x40

static uint32_t page_size(uint32_t bits)
{
	/* Bit n means 2^(n+12) bytes, exactly one may be set (9.3.3.13). */
	if (!is_power_of_2(bits) || bits > BIT(19))
		return 0;
	return bits << 12;
}

int cfg_sriov_decode(const uint8_t *raw, size_t size, struct cfg_sriov *ret)
{
	struct cfg_walk w;
	struct cfg_step step;

	if (size != CFG_SIZE)
		return -ENOENT;
	cfg_walk_begin(&w, raw, size, true);
	while (cfg_walk_next(&w, &step)) {
		const uint8_t *p = raw + step.off;

		if (step.id != CFG_ECAP_SRIOV ||
		    !range_inside(step.off, LENGTH, size))
			continue;
		*ret = (struct cfg_sriov){
			.enabled = load_le(p + 0x08, 2) & 1, /* VF Enable */
			.initial_vfs = (uint16_t)load_le(p + 0x0c, 2),
			.total_vfs = (uint16_t)load_le(p + 0x0e, 2),
			.num_vfs = (uint16_t)load_le(p + 0x10, 2),
			.offset = (uint16_t)load_le(p + 0x14, 2),
			.stride = (uint16_t)load_le(p + 0x16, 2),
			.vf_device = (uint16_t)load_le(p + 0x1a, 2),
			.page_size = page_size((uint32_t)load_le(p + 0x20, 4)),
		};
		return 0;
	}
	return -ENOENT;
}
