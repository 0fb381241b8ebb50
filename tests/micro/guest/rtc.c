/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clock (MC146818A): a time that goes on, its periods, and an alarm that is
 * set for the next second, both at pin 8. */
#include "tests/micro/guest/irq.h"

#define INDEX 0x70
#define DATA 0x71
#define PIN 8u
#define SECONDS 0
#define SECONDS_ALARM 1
#define MINUTES_ALARM 3
#define HOURS_ALARM 5
#define A 10
#define B 11
#define C 12
#define D 13
#define UPDATING 0x80u
#define IRQ 0x80u
#define PERIODIC 0x40u
#define ALARM 0x20u
#define MODE_24H 0x02u
#define ANY 0xffu

static volatile uint32_t periods, alarms;

static uint32_t get(uint32_t cell)
{
	outb(INDEX, (uint8_t)cell);
	return inb(DATA);
}

static void set(uint32_t cell, uint32_t v)
{
	outb(INDEX, (uint8_t)cell);
	outb(DATA, (uint8_t)v);
}

void handle(uint32_t which)
{
	const uint32_t c = get(C), want = get(B);

	(void)which;
	/* One may be on its way that is not wanted any more. */
	EXPECT(!(c & IRQ), !(want & (PERIODIC | ALARM)));
	if (c & want & PERIODIC)
		periods++;
	if (c & want & ALARM)
		alarms++;
	irq_done();
}

static uint32_t second(void)
{
	while (get(A) & UPDATING)
		;
	return get(SECONDS);
}

void guest_main(void)
{
	const uint32_t began = second();

	irq_init();
	EXPECT(get(D), 0x80);
	EXPECT(began >> 4 < 6 && (began & 15) < 10, 1);
	get(C);
	route_pin(PIN, VECTOR);
	set(B, MODE_24H | PERIODIC); /* 1024 Hz */
	irq_await(&periods, 64);
	set(B, MODE_24H);
	irq_gap();
	get(C);
	set(HOURS_ALARM, ANY);
	set(MINUTES_ALARM, ANY);
	set(SECONDS_ALARM, ANY);
	set(B, MODE_24H | ALARM);
	irq_await(&alarms, 1);
	set(B, MODE_24H);
	EXPECT(second() != began, 1);
	say("done", 0);
	power_off();
}
