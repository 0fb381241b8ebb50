/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The IOAPIC (Intel 82093AA): its registers, and pin 4, which the serial port
 * holds up from the moment that it may tell of an empty transmitter until that
 * is asked for: by level, masked, and by edge.
 */
#include "tests/micro/guest/irq.h"

#define PINS 24u
#define SERIAL_PIN 4u
#define VERSION 1u
#define READ_ONLY (1u << 12 | 1u << 14)
#define REMOTE_IRR (1u << 14)

static volatile uint32_t level, edge;
static uint32_t keep; /* how often the level's handler leaves the pin up */

/* What is said before goes out without an interrupt. */
static void pin_up(void)
{
	outb(COM1 + 4, 8);
	outb(COM1 + 1, 2);
}

static void pin_down(void)
{
	EXPECT(inb(COM1 + 2) & 0xf, 2);
	outb(COM1 + 1, 0);
}

void handle(uint32_t which)
{
	if (which) {
		edge++;
	} else {
		level++;
		EXPECT(ioapic_read(IOAPIC_ENTRY(SERIAL_PIN)) & REMOTE_IRR,
		       REMOTE_IRR);
		if (keep)
			keep--;
		else
			pin_down();
	}
	irq_done();
}

static void registers(void)
{
	const uint32_t version = ioapic_read(VERSION);

	EXPECT(version & 0xff, 0x11);
	EXPECT(version >> 16 & 0xff, PINS - 1);
	for (uint32_t pin = 0; pin < PINS; pin++) {
		const uint32_t at = IOAPIC_ENTRY(pin);

		EXPECT(ioapic_read(at), IOAPIC_MASKED);
		ioapic_write(at, IOAPIC_MASKED | READ_ONLY | VECTOR);
		EXPECT(ioapic_read(at), IOAPIC_MASKED | VECTOR);
		ioapic_write(at + 1, 0x0f000000);
		EXPECT(ioapic_read(at + 1), 0x0f000000);
		route_pin(pin, IOAPIC_MASKED);
	}
	/* Behind the last one nobody is. */
	ioapic_write(IOAPIC_ENTRY(PINS), 0);
	EXPECT(ioapic_read(VERSION), version);
}

/* It comes again for as long as the pin is up. */
static void by_level(void)
{
	set_pin(SERIAL_PIN, VECTOR);
	keep = 3;
	pin_up();
	irq_await(&level, 4);
	EXPECT(level, 4);
	/* Masked it waits, and is not lost. */
	route_pin(SERIAL_PIN, IOAPIC_LEVEL | IOAPIC_MASKED | VECTOR);
	pin_up();
	irq_gap();
	EXPECT(level, 4);
	set_pin(SERIAL_PIN, VECTOR);
	irq_await(&level, 5);
	EXPECT(level, 5);
}

/* Once each time that it rises. */
static void by_edge(void)
{
	route_pin(SERIAL_PIN, VECTOR + 1);
	for (uint32_t i = 1; i <= 3; i++) {
		pin_up();
		irq_await(&edge, i);
		irq_gap();
		EXPECT(edge, i);
		pin_down();
	}
	route_pin(SERIAL_PIN, IOAPIC_MASKED);
}

void guest_main(void)
{
	irq_init();
	registers();
	by_level();
	by_edge();
	say("done", 0);
	power_off();
}
