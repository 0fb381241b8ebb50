/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which frames are the guest's, SDM 3.2.1, 13.5.1 to 13.5.4 and 13.4.22: exact
 * addresses, a hash of 4096 bits for multicast, a bit for each VLAN.
 */

#include "vmm/e1000.h"

/* As it lies in RAL and RAH. */
static uint64_t address(const uint8_t *p)
{
	uint32_t low;
	uint16_t high;

	memcpy(&low, p, 4);
	memcpy(&high, p + 4, 2);
	return (uint64_t)le16toh(high) << 32 | le32toh(low);
}

static bool exact(const struct e1000 *e, uint64_t dst)
{
	const uint32_t *ra = &e->reg[R_RA / 4];

	for (unsigned i = 0; i < 2 * E1000_RAR; i += 2)
		if (ra[i] == (uint32_t)dst && ra[i + 1] & RAH_AV &&
		    (ra[i + 1] & 0xffff) == dst >> 32)
			return true;
	return false;
}

static bool bit_of(const struct e1000 *e, unsigned table, uint32_t bit)
{
	return e->reg[table / 4 + (bit >> 5)] >> (bit & 31) & 1;
}

/* MO chooses which 12 of the address's upper 16 bits. */
static bool hashed(const struct e1000 *e, uint64_t dst)
{
	static const uint8_t shift[4] = { 4, 3, 2, 0 };
	uint32_t high = (uint32_t)(dst >> 32);

	high >>= shift[FIELD_GET(RCTL_MO, e1000_reg(e, R_RCTL))];
	return bit_of(e, R_MTA, high & 0xfff);
}

static bool vlan_wanted(const struct e1000 *e, const uint8_t *f, uint32_t len)
{
	if (len < E1000_MACS + E1000_TAG ||
	    (uint32_t)(f[12] << 8 | f[13]) != e1000_reg(e, R_VET))
		return true;
	return bit_of(e, R_VFTA, (f[14] << 8 | f[15]) & 0xfffu);
}

bool e1000_accepts(const struct e1000 *e, const uint8_t *frame, uint32_t len)
{
	uint32_t rctl = e1000_reg(e, R_RCTL);
	uint64_t dst = address(frame);

	if (rctl & RCTL_VFE && !vlan_wanted(e, frame, len))
		return false;
	if (!(dst & 1))
		return rctl & RCTL_UPE || exact(e, dst);
	if (dst == BITS64(47, 0) && rctl & RCTL_BAM)
		return true;
	return rctl & RCTL_MPE || exact(e, dst) || hashed(e, dst);
}
