/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration cycles: both mechanisms, every width, at and across edges. */
#include "tests/micro/guest/guest.h"

#define BRIDGE 0x00081b36u
#define PORT 0x000c1b36u

static const uint32_t present[] = { DEVFN(0, 0), DEVFN(1, 0), DEVFN(3, 0) };

/* The bytes are the reference; each wider access must be made of them. */
static void compare(uint32_t devfn)
{
	for (uint32_t off = 0; off < 256; off++) {
		const uint32_t at = ecam(0, devfn, off);
		uint32_t v = 0;

		for (uint32_t i = 0; i < 4; i++)
			v |= read8(at + i) << 8 * i;
		cf8(0, devfn, off);
		EXPECT(inb((uint16_t)(0xcfc + (off & 3))), v & 0xff);
		EXPECT(read16(at), v & 0xffff);
		EXPECT(read32(at), v);
		if (!(off & 1))
			EXPECT(inw((uint16_t)(0xcfc + (off & 2))), v & 0xffff);
		if (!(off & 3))
			EXPECT(inl(0xcfc), v);
	}
}

static void address_port(void)
{
	cf8(0, DEVFN(1, 0), 0x18);
	EXPECT(inl(0xcf8), 0x80000818);
	/* Only a dword is for the address; a byte goes by. */
	outb(0xcf8, 0xff);
	outb(0xcfb, 0);
	outw(0xcf8, 0xffff);
	EXPECT(inl(0xcf8), 0x80000818);
	/* Reserved bits do not stick. */
	outl(0xcf8, 0xffffffff);
	EXPECT(inl(0xcf8), 0x80fffffc);
	/* Not enabled: nobody takes the cycle. */
	outl(0xcf8, DEVFN(1, 0) << 8);
	EXPECT(inl(0xcfc), 0xffffffff);
	outl(0xcfc, 0x12345678);
	EXPECT(inb(0xcf9), 0xff);
}

/* Accesses over the end of the data port: bytes within answer, the rest is
 * ones. One that begins in the address port is nobody's. */
static void straddle(void)
{
	cf8(0, DEVFN(1, 0), 0);
	EXPECT(inl(0xcfd), 0xff000000u | PORT >> 8);
	EXPECT(inw(0xcff), 0xff00u | PORT >> 24);
	EXPECT(inl(0xcfa), 0xffffffff);
	/* Across the end of a function's space, and of a page: two accesses. */
	EXPECT(read32(ecam(0, DEVFN(1, 0), 0xffe)), 0xffff0000);
}

static void absent(void)
{
	EXPECT(read32(ecam(0, DEVFN(2, 0), 0)), 0xffffffff);
	EXPECT(read32(ecam(0, DEVFN(1, 1), 0)), 0xffffffff);
	EXPECT(read32(ecam(1, DEVFN(0, 0), 0)), 0xffffffff);
	EXPECT(read16(ecam(255, DEVFN(31, 7), 0xffe)), 0xffff);
	write32(ecam(255, DEVFN(31, 7), 0xffc), 0);
	cf8(77, DEVFN(5, 5), 0);
	EXPECT(inl(0xcfc), 0xffffffff);
}

/* A write by one way is read by the other; by bytes too. */
static void writes(void)
{
	const uint32_t buses = ecam(0, DEVFN(3, 0), 0x18);

	EXPECT(read32(buses), 0x00020200); /* set before we ran */
	cf8(0, DEVFN(3, 0), 0x18);
	outb(0xcfd, 0x45);
	outb(0xcfe, 0x67);
	EXPECT(read32(buses), 0x00674500);
	write16(buses + 1, 0x8889);
	EXPECT(inl(0xcfc), 0x00888900);
	outw(0xcfd, 0x0202);
	EXPECT(read32(buses), 0x00020200);
}

/* What tests/micro/machine.c gave the ports. */
static void windows(void)
{
	const uint32_t none = ecam(0, DEVFN(1, 0), 0);
	const uint32_t some = ecam(0, DEVFN(3, 0), 0);

	EXPECT(read32(none + 0x18), 0x00010100);
	EXPECT(read16(none + 0x1c), 0x00f0);
	EXPECT(read32(none + 0x20), 0x0000fff0);
	EXPECT(read32(none + 0x24), 0x0001fff1);
	EXPECT(read32(some + 0x18), 0x00020200);
	EXPECT(read16(some + 0x1c), 0xc0c0);
	EXPECT(read32(some + 0x20), 0xc020c010);
	EXPECT(read32(some + 0x24), 0x0001fff1);
	EXPECT(read32(some + 0x28), 1);
	EXPECT(read32(some + 0x2c), 2);
}

void guest_main(void)
{
	EXPECT(read32(ecam(0, DEVFN(0, 0), 0)), BRIDGE);
	EXPECT(read32(ecam(0, DEVFN(1, 0), 0)), PORT);
	EXPECT(read32(ecam(0, DEVFN(3, 0), 0)), PORT);
	for (uint32_t i = 0; i < sizeof(present) / sizeof(present[0]); i++)
		compare(present[i]);
	windows();
	address_port();
	straddle();
	absent();
	writes();
	say("done", 0);
	power_off();
}
