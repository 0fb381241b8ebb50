/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC: its registers at power-on, its timer in each mode, messages
 * to itself, what the task priority holds back; then all of that which counts
 * once more in x2APIC mode. Intel SDM 3A, chapter 11.
 */
#include "tests/micro/guest/irq.h"

/* Offsets in its page; an MSR each in x2APIC mode. */
#define ID 0x20u
#define VERSION 0x30u
#define TPR 0x80u
#define EOI 0xb0u
#define SVR 0xf0u
#define ISR 0x100u
#define IRR 0x200u
#define ICR 0x300u
#define LVT_TIMER 0x320u
#define INITIAL 0x380u
#define CURRENT 0x390u
#define DIVIDE 0x3e0u
#define DIVIDE_BY_1 0xbu
#define MASKED (1u << 16)
#define PERIODIC (1u << 17)
#define DEADLINE (1u << 18)
#define TO_SELF (1u << 18)

#define MSR_BASE 0x1bu
#define MSR_X2 0x800u
#define MSR_DEADLINE 0x6e0u
#define BASE_X2 (1u << 10)

static volatile uint32_t ticks, messages;
static uint32_t x2;

static uint32_t get(uint32_t reg)
{
	return x2 ? rdmsr(MSR_X2 + reg / 16) : read32(APIC + reg);
}

static void set(uint32_t reg, uint32_t v)
{
	if (x2)
		wrmsr(MSR_X2 + reg / 16, v, 0);
	else
		write32(APIC + reg, v);
}

/* Of 256, 32 a register. */
static uint32_t bit_of(uint32_t regs, uint32_t vector)
{
	return get(regs + vector / 32 * 16) >> vector % 32 & 1;
}

/* What is in service is not looked at here: a KVM that interprets says so when
 * it is over. */
void handle(uint32_t which)
{
	if (which)
		messages++;
	else
		ticks++;
	set(EOI, 0);
}

static void at_power_on(void)
{
	const uint32_t version = get(VERSION);

	EXPECT(get(ID), 0);
	EXPECT((version & 0xff) >= 0x10 && (version & 0xff) < 0x20, 1);
	EXPECT((version >> 16 & 0xff) >= 3, 1);
	EXPECT(get(SVR), 0x1ff); /* irq_init() */
	EXPECT(get(LVT_TIMER), MASKED);
	EXPECT(get(TPR), 0);
	for (uint32_t i = 0; i < 256; i += 32)
		EXPECT(get(IRR + i / 2) | get(ISR + i / 2), 0);
}

static void one_shot(void)
{
	ticks = 0;
	set(DIVIDE, DIVIDE_BY_1);
	set(LVT_TIMER, VECTOR);
	set(INITIAL, 100000);
	EXPECT(get(CURRENT) <= 100000, 1);
	irq_await(&ticks, 1);
	EXPECT(get(CURRENT), 0);
	irq_gap();
	EXPECT(ticks, 1);
	/* Masked it counts, and tells nobody. */
	set(LVT_TIMER, VECTOR | MASKED);
	set(INITIAL, 1000);
	while (get(CURRENT))
		;
	irq_gap();
	EXPECT(ticks, 1);
}

static void periodic(void)
{
	ticks = 0;
	set(LVT_TIMER, VECTOR | PERIODIC);
	set(INITIAL, 200000);
	irq_await(&ticks, 5);
	set(INITIAL, 0);
	set(LVT_TIMER, VECTOR | MASKED);
	EXPECT(get(CURRENT), 0);
	irq_gap();
}

static uint32_t has_deadline(void)
{
	uint32_t a = 1, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return c >> 24 & 1;
}

static void deadline(void)
{
	uint32_t low, high;

	if (!has_deadline())
		return;
	ticks = 0;
	set(LVT_TIMER, VECTOR | DEADLINE);
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	low += 1000000;
	high += low < 1000000;
	wrmsr(MSR_DEADLINE, low, high);
	irq_await(&ticks, 1);
	EXPECT(ticks, 1);
	EXPECT(rdmsr(MSR_DEADLINE), 0);
	set(LVT_TIMER, VECTOR | MASKED);
}

/* The class of a vector is its upper half: of VECTOR, 5. */
static void priority(void)
{
	messages = 0;
	set(ICR, TO_SELF | (VECTOR + 1));
	irq_await(&messages, 1);
	set(TPR, 0x50);
	EXPECT(get(TPR), 0x50);
	set(ICR, TO_SELF | (VECTOR + 1));
	irq_gap();
	EXPECT(messages, 1);
	EXPECT(bit_of(IRR, VECTOR + 1), 1);
	set(TPR, 0x40);
	irq_await(&messages, 2);
	EXPECT(messages, 2);
	EXPECT(bit_of(IRR, VECTOR + 1) | bit_of(ISR, VECTOR + 1), 0);
	set(TPR, 0);
}

void guest_main(void)
{
	irq_init();
	at_power_on();
	one_shot();
	periodic();
	deadline();
	priority();
	wrmsr(MSR_BASE, rdmsr(MSR_BASE) | BASE_X2, 0);
	x2 = 1;
	EXPECT(get(ID), 0);
	EXPECT(get(SVR), 0x1ff);
	one_shot();
	deadline();
	priority();
	say("done", 0);
	power_off();
}
