/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starts its watchdog, feeds it for a while, then sleeps with interrupts off.
 * After the reset that comes of it the timer says that it was that.
 */
#include "tests/micro/guest/guest.h"

#define DEVICE ecam(1, DEVFN(0, 0), 0)
#define COMMAND 0x04
#define CONFIG 0x60
#define LOCK 0x68
#define ENABLE 2u
#define RELOAD 0x0c
#define RELOAD_TIMER 0x100u
#define TIMED_OUT 0x200u
/* Of the fast clock, 0.96 us a tick: two stages of half a second. */
#define TICKS 520000u

static uint32_t bar;

static void unlock(void)
{
	write8(bar + RELOAD, 0x80);
	write8(bar + RELOAD, 0x86);
}

static void set(uint32_t off, uint32_t v)
{
	unlock();
	write32(bar + off, v);
}

static void start(void)
{
	write16(DEVICE + CONFIG, 7);
	EXPECT(read16(DEVICE + CONFIG), 7);
	set(0, TICKS);
	set(4, TICKS);
	EXPECT(read32(bar), TICKS);
	EXPECT(read32(bar + 4), TICKS);
	write8(DEVICE + LOCK, ENABLE);
	EXPECT(read8(DEVICE + LOCK), ENABLE);
}

void guest_main(void)
{
	EXPECT(read32(DEVICE), 0x25ab8086);
	bar = read32(DEVICE + 0x10);
	write16(DEVICE + COMMAND, 2);
	EXPECT(read32(bar), 0xfffff);
	if (read16(bar + RELOAD) & TIMED_OUT) {
		unlock();
		write16(bar + RELOAD, TIMED_OUT);
		EXPECT(read16(bar + RELOAD), 0);
		EXPECT(read8(DEVICE + LOCK), 0);
		say("done", 0);
		power_off();
	}
	start();
	for (int i = 0; i < 5; i++) {
		unlock();
		write16(bar + RELOAD, RELOAD_TIMER);
	}
	say("fed", 5);
	for (;;)
		__asm__ volatile("cli; hlt");
}
