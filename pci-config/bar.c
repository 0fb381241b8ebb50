/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Base Address Registers and the expansion ROM's, PCIe 6.0 7.5.1.2.1 and
 * 7.5.1.2.4. Address bits above the size are RW, those below read 0: writing
 * all ones then reads back the size, and no address is ever unaligned. All is
 * shadow: the device keeps the host's addresses.
 */
#include "pci-config/priv.h"

#define IO_SPACE 0x1u
#define MEM_64 0x4u
#define MEM_PREFETCH 0x8u
#define ROM_ENABLE 0x1u
#define ROM_LEAST 2048u /* Expansion ROM BAR: bits 10:0 are no address */
#define ROM_MOST (16u << 20)

static uint32_t flags(const struct cfg_bar *b)
{
	uint32_t f = 0;

	if (b->kind == CFG_BAR_IO)
		return IO_SPACE;
	if (b->kind == CFG_BAR_MEM64)
		f |= MEM_64;
	if (b->prefetch)
		f |= MEM_PREFETCH;
	return f;
}

/* Bits of the address that the guest may set. */
static uint64_t addr_mask(const struct cfg_bar *b)
{
	switch (b->kind) {
	case CFG_BAR_IO:
	case CFG_BAR_MEM32:
		return ~(b->size - 1) & UINT32_MAX;
	case CFG_BAR_MEM64:
		return ~(b->size - 1);
	case CFG_BAR_NONE:
	case CFG_BAR_UPPER:
		break;
	}
	return 0;
}

static const char *reg_name(unsigned off)
{
	static const char *const name[CFG_BARS] = {
		"Base Address 0", "Base Address 1", "Base Address 2",
		"Base Address 3", "Base Address 4", "Base Address 5",
	};

	return off == CFG_ROM ? "Expansion ROM Base Address"
	                      : name[(off - CFG_BAR0) / 4];
}

static struct cfg_row row(unsigned off, uint32_t init, uint32_t rw)
{
	return (struct cfg_row){
		.off = (uint16_t)off,
		.width = 4,
		.event = CFG_EV_BAR,
		.init = init,
		.rw = rw,
		.what = reg_name(off),
		.why = rw ? "the guest's own; the device keeps the host's"
		          : "not offered: no size is known for it",
	};
}

static uint64_t rom_mask(uint64_t size)
{
	if (!is_power_of_2(size) || size < ROM_LEAST || size > ROM_MOST)
		return 0;
	return ~(size - 1) & UINT32_MAX;
}

void cfg_plan_bars(struct cfg_plan *p, const struct cfg_layout *l)
{
	const uint64_t rom = rom_mask(l->rom_size);

	for (unsigned i = 0; i < CFG_BARS; i++) {
		const struct cfg_bar *b = &l->bar[i];
		const uint64_t mask = addr_mask(b);
		const unsigned off = CFG_BAR0 + 4 * i;

		if (b->kind == CFG_BAR_UPPER)
			continue;
		cfg_plan_row(p, 0, CFG_HEADER_SIZE,
		             row(off, flags(b), (uint32_t)mask));
		if (b->kind == CFG_BAR_MEM64)
			cfg_plan_row(p, 0, CFG_HEADER_SIZE,
			             row(off + 4, 0, (uint32_t)(mask >> 32)));
	}
	cfg_plan_row(p, 0, CFG_HEADER_SIZE,
	             row(CFG_ROM, 0, rom ? (uint32_t)rom | ROM_ENABLE : 0));
}

static size_t reg_off(unsigned i)
{
	return CFG_BAR0 + (size_t)4 * i;
}

uint64_t cfg_bar_addr(const struct cfg_space *s, unsigned i)
{
	if (i >= CFG_BARS)
		return 0;
	return load_le(s->now + reg_off(i),
	               s->bar[i].kind == CFG_BAR_MEM64 ? 8 : 4) &
	       addr_mask(&s->bar[i]);
}

static bool in_d0(const struct cfg_space *s)
{
	return !s->pm || !(s->now[s->pm + CFG_PM_CTRL] & CFG_PM_STATE);
}

/* [addr, addr + size) below the top of a 64-bit address space; the last block
 * of all is left out, because addr + size has no number. */
static bool ends(uint64_t addr, uint64_t size)
{
	uint64_t end;

	return !__builtin_add_overflow(addr, size, &end);
}

bool cfg_bar_decodes(const struct cfg_space *s, unsigned i)
{
	uint16_t want;

	if (i >= CFG_BARS || !addr_mask(&s->bar[i]))
		return false;
	want = s->bar[i].kind == CFG_BAR_IO ? CFG_COMMAND_IO : CFG_COMMAND_MEM;
	return (cfg_command(s) & want) && in_d0(s) &&
	       ends(cfg_bar_addr(s, i), s->bar[i].size);
}

int cfg_bar_place(struct cfg_space *s, unsigned i, uint64_t addr)
{
	uint64_t mask;

	if (i >= CFG_BARS)
		return -EINVAL;
	mask = addr_mask(&s->bar[i]);
	if (!mask || (addr & ~mask))
		return -EINVAL;
	store_le(s->now + reg_off(i), s->bar[i].kind == CFG_BAR_MEM64 ? 8 : 4,
	         addr | flags(&s->bar[i]));
	return 0;
}

bool cfg_rom_decodes(const struct cfg_space *s, uint64_t *ret_addr)
{
	const uint32_t reg = (uint32_t)load_le(s->now + CFG_ROM, 4);

	/* Both the enable bit and Memory Space Enable (7.5.1.2.4). */
	if (!rom_mask(s->rom_size) || !(reg & ROM_ENABLE) ||
	    !(cfg_command(s) & CFG_COMMAND_MEM) || !in_d0(s))
		return false;
	*ret_addr = reg & ~ROM_ENABLE;
	return true;
}
