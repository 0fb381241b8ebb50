/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Says that it is there, and halts: tests/bench/density starts many of them. */
#include "tests/micro/guest/guest.h"

void guest_main(void)
{
	outb(COM1, 'u');
	outb(COM1, 'p');
	outb(COM1, '\n');
	for (;;)
		__asm__ volatile("hlt");
}
