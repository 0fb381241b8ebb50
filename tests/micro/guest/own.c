/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Meets a device of the machine's own as a driver does: finds it behind its
 * port, uses its registers, moves its BAR, takes its interrupts, resets it. The
 * device is tests/micro/test_own.c's.
 */
#include "tests/micro/guest/irq.h"

#define PORT ecam(0, DEVFN(2, 0), 0)
#define DEVICE ecam(1, DEVFN(0, 0), 0)
#define PIN 18u /* INTA behind the port at device 2 */
#define COMMAND 0x04
#define COMMAND_ON 6u /* memory, bus master */
#define STATUS_INTX (1u << 3)
#define CAP_EXPRESS 0x10u
#define CAP_MSIX 0x11u
/* Registers of BAR 0. */
#define REG_SCRATCH 0x00
#define REG_ID 0x04
#define REG_MESSAGE 0x08 /* raises this vector */
#define REG_PIN 0x0c     /* its level */
#define ID 0x600d1deau
#define TABLE 0x800
#define PBA 0xc00

static uint32_t bar; /* where it is now */
static volatile uint32_t messages, levels;

void handle(uint32_t which)
{
	if (which) {
		levels++;
		EXPECT(read16(DEVICE + 6) & STATUS_INTX, STATUS_INTX);
		write32(bar + REG_PIN, 0);
	} else {
		messages++;
	}
	irq_done();
}

static uint32_t find_cap(uint32_t id)
{
	uint32_t at = read8(DEVICE + 0x34);

	while (at && read8(DEVICE + at) != id)
		at = read8(DEVICE + at + 1);
	return at;
}

static void await(const volatile uint32_t *count, uint32_t want)
{
	irq_await(count, want);
	EXPECT(*count, want);
}

static void find(void)
{
	EXPECT(read16(PORT), 0x1b36);
	EXPECT(read32(PORT + 0x18), 0x00010100);
	EXPECT(read32(DEVICE), 0x00011af4);
	EXPECT(read32(ecam(1, DEVFN(0, 1), 0)), 0xffffffff);
	/* The slot is occupied, and cannot be emptied. */
	bar = read32(DEVICE + 0x10);
	EXPECT(bar >> 20, read32(PORT + 0x20) >> 4 & 0xfff);
	EXPECT(read32(bar + REG_ID), 0xffffffff);
	write16(DEVICE + COMMAND, COMMAND_ON);
	EXPECT(read32(bar + REG_ID), ID);
}

static void move(void)
{
	const uint32_t old = bar;

	write32(bar + REG_SCRATCH, 0x12345678);
	write32(DEVICE + 0x10, 0xffffffff);
	EXPECT(read32(DEVICE + 0x10), 0xfffff000);
	bar = old + 0x10000;
	write32(DEVICE + 0x10, bar);
	EXPECT(read32(old + REG_SCRATCH), 0xffffffff);
	EXPECT(read32(bar + REG_SCRATCH), 0x12345678);
	EXPECT(read8(bar + REG_ID + 3), 0x60);
	/* On top of RAM it does not decode, and RAM stays. */
	write32(DEVICE + 0x10, 0x02000000);
	write32(0x02000000, 0xabcdef);
	EXPECT(read32(0x02000000), 0xabcdef);
	write32(DEVICE + 0x10, bar);
	EXPECT(read32(bar + REG_SCRATCH), 0x12345678);
}

static void message(void)
{
	const uint32_t control = DEVICE + find_cap(CAP_MSIX) + 2;
	const uint32_t entry = bar + TABLE + 16;

	EXPECT(read16(control), 1);
	EXPECT(read32(entry + 12), 1);
	write32(entry, APIC);
	write32(entry + 8, VECTOR);
	write32(entry + 12, 0);
	write16(control, 0x8000);
	write32(bar + REG_MESSAGE, 1);
	await(&messages, 1);
	write32(entry + 12, 1);
	write32(bar + REG_MESSAGE, 1);
	write32(bar + REG_MESSAGE, 1);
	EXPECT(read32(bar + PBA), 2);
	write32(entry + 12, 0);
	await(&messages, 2);
	EXPECT(read32(bar + PBA), 0);
	write16(control, 0);
}

/* The level falls in the handler: one interrupt each. */
static void pin(void)
{
	set_pin(PIN, VECTOR + 1);
	for (uint32_t i = 1; i <= 5; i++) {
		write32(bar + REG_PIN, 1);
		await(&levels, i);
		EXPECT(read16(DEVICE + 6) & STATUS_INTX, 0);
	}
	write16(DEVICE + COMMAND, COMMAND_ON | 1 << 10);
	write32(bar + REG_PIN, 1);
	write32(bar + REG_PIN, 0);
	write16(DEVICE + COMMAND, COMMAND_ON);
	EXPECT(levels, 5);
}

static void check_reset(void)
{
	EXPECT(read16(DEVICE + COMMAND), 0);
	EXPECT(read32(DEVICE + 0x10), 0);
	EXPECT(read32(bar + REG_ID), 0xffffffff);
	write32(DEVICE + 0x10, bar);
	write16(DEVICE + COMMAND, COMMAND_ON);
	EXPECT(read32(bar + REG_SCRATCH), 0);
	write32(bar + REG_SCRATCH, 7);
}

static void reset(void)
{
	const uint32_t control = DEVICE + find_cap(CAP_EXPRESS) + 8;

	write16(control, read16(control) | 0x8000);
	check_reset();
	/* Secondary Bus Reset: while it is held nobody answers. */
	write16(PORT + 0x3e, 1 << 6);
	EXPECT(read32(DEVICE), 0xffffffff);
	write16(PORT + 0x3e, 0);
	check_reset();
}

void guest_main(void)
{
	irq_init();
	find();
	move();
	message();
	pin();
	reset();
	say("done", messages + levels);
	power_off();
}
