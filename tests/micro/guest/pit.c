/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The timer (Intel 8254): channel 2 by its gate and output at port 0x61,
 * channel 0 by what it counts, what it says of itself, and pin 0.
 */
#include "tests/micro/guest/irq.h"

#define CHANNEL0 0x40
#define CHANNEL2 0x42
#define MODE 0x43
#define GATE 0x61 /* bit 0: of channel 2; bit 5: its output */
#define OUT2 0x20u
#define PERIOD 1193u /* of 1193182 Hz: a millisecond */

static volatile uint32_t ticks;

void handle(uint32_t which)
{
	ticks += !which;
	irq_done();
}

static void put(uint16_t channel, uint32_t v)
{
	outb(channel, (uint8_t)v);
	outb(channel, (uint8_t)(v >> 8));
}

/* What it counts, latched. */
static uint32_t get(uint16_t channel)
{
	uint32_t v;

	outb(MODE, (uint8_t)((channel - CHANNEL0) << 6));
	v = inb(channel);
	return v | (uint32_t)inb(channel) << 8;
}

/* Mode 0: the output is low until the count has come to its end. */
static void once(void)
{
	outb(GATE, 0);
	outb(MODE, 0xb0);
	put(CHANNEL2, 20 * PERIOD);
	EXPECT(inb(GATE) & OUT2, 0);
	outb(GATE, 1);
	EXPECT(inb(GATE) & 1, 1);
	while (!(inb(GATE) & OUT2))
		;
	outb(GATE, 0);
}

/* Mode 2 counts from the period on down to 1, and begins anew. */
static void again_and_again(void)
{
	outb(MODE, 0x34);
	put(CHANNEL0, PERIOD);
	for (uint32_t i = 0; i < 100; i++) {
		const uint32_t v = get(CHANNEL0);

		EXPECT(v >= 1 && v <= PERIOD, 1);
	}
	/* Read-back of its status: both bytes, mode 2, not BCD. */
	outb(MODE, 0xe2);
	EXPECT(inb(CHANNEL0) & 0x3f, 0x34);
	route_pin(0, VECTOR);
	irq_await(&ticks, 20);
	route_pin(0, IOAPIC_MASKED);
	/* One shot that is long over: it is quiet. */
	outb(MODE, 0x30);
	put(CHANNEL0, 1);
}

void guest_main(void)
{
	irq_init();
	once();
	again_and_again();
	say("done", 0);
	power_off();
}
