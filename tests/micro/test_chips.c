/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every PC has, as a guest finds it: interrupt controllers, timer and
 * clock, each by a guest of its own; and what arrives at a device of each
 * width of access.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/micro/machine.h"

#define CHIP(guest)                                                            \
	static void guest(void **state)                                        \
	{                                                                      \
		(void)state;                                                   \
		machine_done(#guest, NULL);                                    \
	}
CHIP(apic)
CHIP(ioapic)
CHIP(pit)
CHIP(rtc)

/* ---- widths -------------------------------------------------------------- */

#define AREA 16u
#define AREA_PORT 0x5100u
#define AREA_MEM 0xe0000000u /* nobody's, in the window of BARs */
#define LOG 64u

struct access {
	bool write;
	uint8_t off, width;
};
struct area {
	uint8_t bytes[AREA];
	struct access log[LOG];
	unsigned n;
};
static struct area ports, memory;

static void logged(struct area *a, bool write, uint64_t off, unsigned width)
{
	if (a->n < LOG)
		a->log[a->n] =
			(struct access){ write, (uint8_t)off, (uint8_t)width };
	a->n++;
}

static uint64_t area_read(void *ctx, uint64_t off, unsigned width)
{
	struct area *a = ctx;

	logged(a, false, off, width);
	return load_le(a->bytes + off, width);
}

static void area_write(void *ctx, uint64_t off, unsigned width, uint64_t value)
{
	struct area *a = ctx;

	logged(a, true, off, width);
	store_le(a->bytes + off, width, value);
}

static const struct bus_ops area_ops = {
	.read = area_read,
	.write = area_write,
};

static void add_areas(struct vm *vm)
{
	assert_int_equal(bus_add(vm->pio, AREA_PORT, AREA, EXIT_OTHER,
	                         &area_ops, &ports),
	                 0);
	assert_int_equal(bus_add(vm->mmio, AREA_MEM, AREA, EXIT_OTHER,
	                         &area_ops, &memory),
	                 0);
}

static void check_log(const struct area *a, const struct access *want,
                      unsigned n)
{
	for (unsigned i = 0; i < MIN(n, a->n); i++) {
		if (memcmp(&a->log[i], &want[i], sizeof(*want)) == 0)
			continue;
		fail_msg("access %u: %s of %u at %u", i,
		         a->log[i].write ? "write" : "read", a->log[i].width,
		         a->log[i].off);
	}
	assert_int_equal(a->n, n);
}

/* Whole where all of it is the area's, else byte by byte. */
#define INSIDE                                                                 \
	{ true, 0, 1 }, { true, 2, 2 }, { true, 4, 4 }, { true, 9, 4 },        \
		{ false, 0, 1 }, { false, 2, 2 }, { false, 4, 4 },             \
	{                                                                      \
		false, 9, 2                                                    \
	}
#define BEHIND                                                                 \
	{ true, 15, 1 },                                                       \
	{                                                                      \
		false, 15, 1                                                   \
	}

static void widths(void **state)
{
	static const struct access by_port[] = {
		INSIDE,          BEHIND,          { false, 0, 1 },
		{ false, 1, 1 }, { true, 8, 1 },  { true, 8, 1 },
		{ true, 8, 1 },  { true, 8, 1 },  { true, 8, 1 },
		{ false, 8, 1 }, { false, 2, 2 }, { false, 2, 2 },
	};
	/* The last one is over the end of a page, where KVM cuts it. */
	static const struct access in_memory[] = {
		INSIDE,
		{ false, 1, 4 },
		BEHIND,
		{ false, 0, 2 },
	};

	(void)state;
	machine_done("widths", add_areas);
	check_log(&ports, by_port, ARRAY_SIZE(by_port));
	check_log(&memory, in_memory, ARRAY_SIZE(in_memory));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(apic),   cmocka_unit_test(ioapic),
		cmocka_unit_test(pit),    cmocka_unit_test(rtc),
		cmocka_unit_test(widths),
	};

	machine_need_kvm();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
