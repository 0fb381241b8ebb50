/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_MICRO_GUEST_H
#define FL_MICRO_GUEST_H

/*
 * What a tiny guest needs: ports, the serial line, configuration cycles. It
 * runs freestanding in 32-bit mode; what it prints, the test beside it reads.
 * Addresses are those of vmm/priv.h, written out: a guest knows its machine.
 */

#include <stdint.h>

#define COM1 0x3f8
#define ECAM 0xb0000000u
#define SLEEP_CONTROL 0x600
#define RESET 0x602
#define TEST_PORT 0x5000 /* the test's own */

#define DEFINE_PORT(letter, type)                                              \
	static inline type in##letter(uint16_t port)                           \
	{                                                                      \
		type v;                                                        \
		__asm__ volatile("in %1, %0" : "=a"(v) : "Nd"(port));          \
		return v;                                                      \
	}                                                                      \
	static inline void out##letter(uint16_t port, type v)                  \
	{                                                                      \
		__asm__ volatile("out %0, %1" ::"a"(v), "Nd"(port));           \
	}
DEFINE_PORT(b, uint8_t)
DEFINE_PORT(w, uint16_t)
DEFINE_PORT(l, uint32_t)

static inline void put_char(char c)
{
	while (!(inb(COM1 + 5) & 0x20))
		;
	outb(COM1, (uint8_t)c);
}

static inline void put_text(const char *s)
{
	while (*s)
		put_char(*s++);
}

static inline void put_hex(uint32_t v)
{
	for (int i = 28; i >= 0; i -= 4)
		put_char("0123456789abcdef"[v >> i & 15]);
}

/* One line: a word and a number. */
static inline void say(const char *word, uint32_t v)
{
	put_text(word);
	put_char(' ');
	put_hex(v);
	put_char('\n');
}

static inline void power_off(void)
{
	outb(SLEEP_CONTROL, 5 << 2 | 0x20);
	for (;;)
		__asm__ volatile("hlt");
}

/* Prints the line number and both values; the test fails on "FAIL". */
#define EXPECT(got, want)                                                      \
	do {                                                                   \
		uint32_t got_ = (got), want_ = (want);                         \
		if (got_ != want_) {                                           \
			put_text("FAIL line ");                                \
			put_hex(__LINE__);                                     \
			say(" got", got_);                                     \
			say("  want", want_);                                  \
		}                                                              \
	} while (0)

#define DEVFN(dev, fn) ((dev) << 3 | (fn))

static inline uint32_t ecam(uint32_t bus, uint32_t devfn, uint32_t off)
{
	return ECAM + (bus << 20 | devfn << 12 | off);
}

/* One access, not two: not for the compiler to split or join. */
#define DEFINE_MEM(bits)                                                       \
	static inline uint32_t read##bits(uint32_t at)                         \
	{                                                                      \
		return *(volatile uint##bits##_t *)at;                         \
	}                                                                      \
	static inline void write##bits(uint32_t at, uint32_t v)                \
	{                                                                      \
		*(volatile uint##bits##_t *)at = (uint##bits##_t)v;            \
	}
DEFINE_MEM(8)
DEFINE_MEM(16)
DEFINE_MEM(32)

static inline void wrmsr(uint32_t msr, uint32_t low, uint32_t high)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"(low), "d"(high));
}

/* Its lower half. */
static inline uint32_t rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return low;
}

static inline void cf8(uint32_t bus, uint32_t devfn, uint32_t off)
{
	outl(0xcf8, 0x80000000u | bus << 16 | devfn << 8 | (off & 0xfc));
}

void guest_main(void);

#endif
