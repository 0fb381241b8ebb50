/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boots three times: the first ends by the reset register, the second by a
 * triple fault, the third powers off. The count lives in RAM, which a reset
 * leaves alone; registers of the machine it must not leave alone.
 */
#include "tests/micro/guest/guest.h"

#define MAGIC 0xf1a7b0a7u
#define BUSES ecam(0, DEVFN(1, 0), 0x18)

static volatile uint32_t *const note = (volatile uint32_t *)0x800000;

static void triple_fault(void)
{
	static const struct {
		uint16_t limit;
		uint32_t base;
	} __attribute__((packed)) none = { 0, 0 };

	__asm__ volatile("lidt %0; ud2" ::"m"(none));
}

void guest_main(void)
{
	uint32_t boot = note[0] == MAGIC ? note[1] : 0;

	note[0] = MAGIC;
	note[1] = boot + 1;
	say("boot", boot);
	EXPECT(read32(BUSES), 0x00010100);
	EXPECT(inl(0xcf8), 0);
	write32(BUSES, 0x00090807);
	cf8(1, 2, 4);
	if (boot == 0)
		outb(RESET, 1);
	else if (boot == 1)
		triple_fault();
	else
		power_off();
	for (;;)
		__asm__ volatile("hlt");
}
