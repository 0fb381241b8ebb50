/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile guest: random writes and reads of every width over the whole
 * configuration space, until the test's port says enough. What is read-only
 * must then be as it was.
 */
#include "tests/micro/guest/guest.h"

struct fixed {
	uint32_t devfn, first, last, mask;
};
/* Read-only bits by range of dwords. Bridge: all but Interrupt Line; ports:
 * see pci-config/port.c, whose writable registers are left out here. */
static const struct fixed fixed[] = {
	{ DEVFN(0, 0), 0x000, 0x038, ~0u },
	{ DEVFN(0, 0), 0x03c, 0x03c, ~0xffu },
	{ DEVFN(0, 0), 0x040, 0x0fc, ~0u },
	{ DEVFN(1, 0), 0x000, 0x000, ~0u },
	{ DEVFN(1, 0), 0x004, 0x004, ~0x0547u },
	{ DEVFN(1, 0), 0x008, 0x008, ~0u },
	{ DEVFN(1, 0), 0x010, 0x014, ~0u },
	{ DEVFN(1, 0), 0x018, 0x018, 0xff000000 },
	{ DEVFN(1, 0), 0x020, 0x024, 0x000f000f },
	{ DEVFN(1, 0), 0x030, 0x038, ~0u },
	{ DEVFN(1, 0), 0x040, 0x044, ~0u },
	{ DEVFN(1, 0), 0x04c, 0x04c, ~0u },
	{ DEVFN(1, 0), 0x054, 0x054, ~0u },
	/* MSI: control's enable and count, address, data. */
	{ DEVFN(1, 0), 0x080, 0x080, ~0x00710000u },
	{ DEVFN(1, 0), 0x090, 0x0fc, ~0u },
	{ DEVFN(1, 0), 0x100, 0x13c, ~0u },
	{ DEVFN(3, 0), 0x000, 0x000, ~0u },
	{ DEVFN(3, 0), 0xfc0, 0xffc, ~0u },
};
#define N (sizeof(fixed) / sizeof(fixed[0]))

static uint32_t state = 0x2545f491;

static uint32_t noise(void)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

/* FNV over all read-only bits. */
static uint32_t digest(void)
{
	uint32_t h = 2166136261u;

	for (uint32_t i = 0; i < N; i++)
		for (uint32_t at = fixed[i].first; at <= fixed[i].last; at += 4)
			h = (h ^ (read32(ecam(0, fixed[i].devfn, at)) &
			          fixed[i].mask)) *
			    16777619u;
	return h;
}

static void poke_ecam(uint32_t what, uint32_t v)
{
	static const uint8_t devfn[] = { DEVFN(0, 0), DEVFN(1, 0), DEVFN(3, 0),
		                         DEVFN(2, 0) };
	/* One in eight anywhere at all. */
	uint32_t at = what & 0x70000000
	                      ? ecam(0, devfn[what & 3], what >> 8 & 0xfff)
	                      : ECAM + (v & 0x0ffffff0);

	switch (what >> 2 & 3) {
	case 0:
		write8(at, v);
		break;
	case 1:
		write16(at, v);
		break;
	case 2:
		write32(at, v);
		break;
	default:
		(void)read32(at);
	}
}

static void poke_ports(uint32_t what, uint32_t v)
{
	uint16_t port = (uint16_t)(0xcf8 + (what >> 4 & 7));

	switch (what >> 2 & 3) {
	case 0:
		outb(port, (uint8_t)v);
		break;
	case 1:
		outw(port, (uint16_t)v);
		break;
	case 2:
		outl(port, v);
		break;
	default:
		(void)inl(port);
	}
}

void guest_main(void)
{
	uint32_t before = digest(), n = 0;

	do {
		uint32_t what = noise(), v = noise();

		if (what & 0x80000000)
			poke_ecam(what, v);
		else
			poke_ports(what, v);
		n++;
	} while ((n & 255) || !inb(TEST_PORT));
	EXPECT(digest(), before);
	say("done", n);
	power_off();
}
