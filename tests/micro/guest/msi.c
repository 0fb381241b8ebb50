/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sleeps, and is woken by messages, and by two pins of the IOAPIC with the same
 * vectors: each handler run writes the test's port. */
#include "tests/micro/guest/irq.h"

#define IOAPIC_PIN 16u /* and the next: INTA and INTB */
#define WANTED 20

static volatile uint32_t woken[2];

void handle(uint32_t which)
{
	woken[which]++;
	irq_done();
	outb(TEST_PORT, (uint8_t)which);
}

void guest_main(void)
{
	irq_init();
	set_pin(IOAPIC_PIN, VECTOR);
	set_pin(IOAPIC_PIN + 1, VECTOR + 1);
	say("ready", 0);
	for (;;) {
		irq_off();
		if (woken[0] + woken[1] >= WANTED)
			break;
		irq_wait();
	}
	say("first", woken[0]);
	say("second", woken[1]);
	power_off();
}
