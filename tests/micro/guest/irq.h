/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_MICRO_IRQ_H
#define FL_MICRO_IRQ_H

/*
 * Interrupts of a tiny guest: two vectors, whose handler is the guest's own.
 * Its loop tests and sleeps with interrupts off, and lets them in between by
 * irq_wait().
 */

#include "tests/micro/guest/guest.h"

#define APIC 0xfee00000u
#define APIC_EOI (APIC + 0xb0)
#define APIC_SVR (APIC + 0xf0)
#define VECTOR 0x51        /* and the next */
#define IOAPIC 0xfec00000u /* index; data at 10h */
#define IOAPIC_LEVEL (1u << 15)
#define IOAPIC_MASKED (1u << 16)

struct gate {
	uint16_t low, selector;
	uint16_t flags, high;
};
static struct gate idt[256];

/* 0 = VECTOR, 1 = the next; ends with irq_done(). */
void handle(uint32_t which);

/*
 * Calls handle(0) or handle(1). "ret $8" in place of "iret" (CS and flags are
 * left behind, interrupts stay off, as the loop has them next): a KVM that
 * interprets, which is all that some build machines have, has no protected-mode
 * iret.
 */
__asm__(".text\n"
        "isr0: pusha; push $0; jmp 1f\n"
        "isr1: pusha; push $1\n"
        "1: call handle; add $4, %esp; popa; ret $8\n");
void isr0(void);
void isr1(void);

static inline void irq_done(void)
{
	write32(APIC_EOI, 0);
}

static inline void irq_wait(void)
{
	/* An interrupt between the two wakes the second. */
	__asm__ volatile("sti; hlt");
}

static inline void irq_off(void)
{
	__asm__ volatile("cli" ::: "memory");
}

/* Until `count` is `want`, which handle() sees to. */
static inline void irq_await(const volatile uint32_t *count, uint32_t want)
{
	for (;;) {
		irq_off();
		if (*count >= want)
			return;
		irq_wait();
	}
}

/* Lets in what waits, if anything does. */
static inline void irq_gap(void)
{
	__asm__ volatile("sti; nop; nop; cli" ::: "memory");
}

static inline void set_gate(uint32_t vector, void (*entry)(void))
{
	const uint32_t at = (uint32_t)entry;

	idt[vector] = (struct gate){ .low = (uint16_t)at,
		                     .selector = 8,
		                     .flags = 0x8e00,
		                     .high = (uint16_t)(at >> 16) };
}

static inline uint32_t ioapic_read(uint32_t reg)
{
	write32(IOAPIC, reg);
	return read32(IOAPIC + 0x10);
}

static inline void ioapic_write(uint32_t reg, uint32_t v)
{
	write32(IOAPIC, reg);
	write32(IOAPIC + 0x10, v);
}

/* 82093AA 3.2.4: a pin's lower half, its upper one is behind it: to APIC 0. */
#define IOAPIC_ENTRY(pin) (0x10 + 2 * (pin))
static inline void route_pin(uint32_t pin, uint32_t how)
{
	ioapic_write(IOAPIC_ENTRY(pin) + 1, 0);
	ioapic_write(IOAPIC_ENTRY(pin), how);
}

/* Level triggered, not masked. */
static inline void set_pin(uint32_t pin, uint32_t vector)
{
	route_pin(pin, IOAPIC_LEVEL | vector);
}

static inline void irq_init(void)
{
	const struct {
		uint16_t limit;
		uint32_t base;
	} __attribute__((packed)) pointer = { sizeof(idt) - 1, (uint32_t)idt };

	set_gate(VECTOR, isr0);
	set_gate(VECTOR + 1, isr1);
	__asm__ volatile("lidt %0" ::"m"(pointer));
	write32(APIC_SVR, 0x1ff);
}

#endif
