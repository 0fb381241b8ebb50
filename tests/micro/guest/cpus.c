/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first CPU starts those of the other sockets by their x2APIC ids: the
 * test's port says how many sockets, CPUID how far apart. Each of those says
 * its own id to the port, low byte first, and halts.
 */
#include "tests/micro/guest/guest.h"

#define MSR_APIC_BASE 0x1b
#define MSR_X2APIC_SVR 0x80f
#define MSR_X2APIC_ICR 0x830
#define APIC_ENABLED (1u << 11)
#define APIC_X2 (APIC_ENABLED | 1u << 10)
#define ICR_INIT 0x4500
#define ICR_START 0x4600
#define START_PAGE 0x10

/* Real mode. Their own id is EDX of leaf 0xb (Intel SDM 3A 9.4.5). */
static const uint8_t trampoline[] = {
	0x66, 0xb8, 0x0b, 0,    0, 0, /* mov $0xb, %eax */
	0x66, 0x31, 0xc9,             /* xor %ecx, %ecx */
	0x0f, 0xa2,                   /* cpuid */
	0x66, 0x89, 0xd0,             /* mov %edx, %eax */
	0xba, 0x00, 0x50,             /* mov $TEST_PORT, %dx */
	0xee,                         /* out %al, %dx */
	0x66, 0xc1, 0xe8, 0x08,       /* shr $8, %eax */
	0xee,                         /* out %al, %dx */
	0xf4, 0xeb, 0xfd,             /* hlt, and again */
};

/* Leaf 0xb: bits of the id below the level, and the CPU's own. */
static uint32_t topology(uint32_t level, uint32_t *ret_id)
{
	uint32_t a = 0xb, b, c = level, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	*ret_id = d;
	return a;
}

void guest_main(void)
{
	uint32_t n, id;
	const uint32_t shift = topology(1, &id);

	EXPECT(id, 0);
	while (!(n = inb(TEST_PORT)))
		;
	/* As firmware hands over: x2APIC where an id needs it. */
	EXPECT(rdmsr(MSR_APIC_BASE) & APIC_X2,
	       (n - 1) << shift < 255 ? APIC_ENABLED : APIC_X2);
	for (uint32_t i = 0; i < sizeof(trampoline); i++)
		write8(START_PAGE * 4096 + i, trampoline[i]);
	wrmsr(MSR_APIC_BASE, 0xfee00000u | APIC_X2 | 1u << 8, 0);
	wrmsr(MSR_X2APIC_SVR, 0x1ff, 0);
	for (uint32_t i = 1; i < n; i++) {
		wrmsr(MSR_X2APIC_ICR, ICR_INIT, i << shift);
		wrmsr(MSR_X2APIC_ICR, ICR_START | START_PAGE, i << shift);
	}
	say("started", n);
	while (!(inb(TEST_PORT) & 0x80))
		;
	power_off();
}
