/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses of each width to sixteen bytes of the test's, by port and in memory:
 * at, beside and over its edges, one by one and in strings. What arrives there,
 * and in how many pieces, tests/micro/test_chips.c knows.
 */
#include "tests/micro/guest/guest.h"

#define PORT 0x5100
#define MEM 0xe0000000u

static uint8_t buf[8] = { 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88 };

static void ports(void)
{
	outb(PORT, 0x11);
	outw(PORT + 2, 0x3322);
	outl(PORT + 4, 0x77665544);
	outl(PORT + 9, 0xbbaa9988);
	EXPECT(inb(PORT), 0x11);
	EXPECT(inw(PORT + 2), 0x3322);
	EXPECT(inl(PORT + 4), 0x77665544);
	EXPECT(inw(PORT + 9), 0x9988);
	/* Over the end: the bytes within, and ones. */
	outw(PORT + 15, 0xeedd);
	EXPECT(inw(PORT + 15), 0xffdd);
	EXPECT(inl(PORT - 2), 0x0011ffff);
}

/* To one port, one access each. */
static void strings(void)
{
	const void *from = buf;
	void *to = buf;
	uint32_t n = 5;

	__asm__ volatile("cld; rep outsb"
	                 : "+S"(from), "+c"(n)
	                 : "d"(PORT + 8)
	                 : "memory");
	EXPECT(inb(PORT + 8), 0x85);
	n = 2;
	__asm__ volatile("cld; rep insw"
	                 : "+D"(to), "+c"(n)
	                 : "d"(PORT + 2)
	                 : "memory");
	EXPECT(read32((uint32_t)buf), 0x33223322);
	EXPECT(buf[4], 0x85);
}

static void memory(void)
{
	write8(MEM, 0x11);
	write16(MEM + 2, 0x3322);
	write32(MEM + 4, 0x77665544);
	write32(MEM + 9, 0xbbaa9988);
	EXPECT(read8(MEM), 0x11);
	EXPECT(read16(MEM + 2), 0x3322);
	EXPECT(read32(MEM + 4), 0x77665544);
	EXPECT(read16(MEM + 9), 0x9988);
	EXPECT(read32(MEM + 1), 0x44332200);
	write16(MEM + 15, 0xeedd);
	EXPECT(read16(MEM + 15), 0xffdd);
	EXPECT(read32(MEM - 2), 0x0011ffff);
}

void guest_main(void)
{
	ports();
	strings();
	memory();
	say("done", 0);
	power_off();
}
