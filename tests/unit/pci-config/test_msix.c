/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's MSI-X table: every width at every alignment, against bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "pci-config/pci-config.h"

#include <string.h>

#define VECTORS 5u
static struct cfg_msix_entry entry[VECTORS + 1];
static struct cfg_msix table = { entry, VECTORS };

static void reset(void)
{
	memset(entry, 0xee, sizeof(entry));
	cfg_msix_reset(&table);
}

static void after_reset(void **state)
{
	(void)state;
	reset();
	for (unsigned v = 0; v < VECTORS; v++) {
		assert_true(cfg_msix_masked(&table, v));
		assert_int_equal(cfg_msix_read(&table, 16 * v, 8), 0);
		assert_int_equal(cfg_msix_read(&table, 16 * v + 12, 4), 1);
	}
	/* The entry behind the last is not ours. */
	assert_int_equal(entry[VECTORS].ctrl, 0xeeeeeeee);
}

static bool legal(uint64_t off, unsigned width)
{
	return (width == 4 || width == 8) && off % width == 0 &&
	       range_inside(off, width, VECTORS * 16);
}

/* Bits that stick: address but 1:0, data, control bit 0. */
static uint8_t sticks(uint64_t off)
{
	static const uint8_t mask[16] = { 0xfc, 0xff, 0xff, 0xff, 0xff, 0xff,
		                          0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		                          0x01, 0,    0,    0 };

	return mask[off % 16];
}

static void one_access(uint64_t off, unsigned width, uint64_t value)
{
	struct cfg_msix_entry before[VECTORS + 1];
	struct cfg_msix_change c;

	memcpy(before, entry, sizeof(entry));
	c = cfg_msix_write(&table, off, width, value);
	if (!legal(off, width)) {
		assert_memory_equal(before, entry, sizeof(entry));
		assert_int_equal(c.vector, -1);
		assert_false(c.mask);
		assert_int_equal(cfg_msix_read(&table, off, width), 0);
		return;
	}
	/* x86 is little-endian and the struct is the table's layout. */
	for (unsigned i = 0; i < width; i++)
		((uint8_t *)before)[off + i] =
			(uint8_t)(value >> 8 * i) & sticks(off + i);
	assert_memory_equal(before, entry, sizeof(entry));
	assert_true(cfg_msix_read(&table, off, width) ==
	            load_le((uint8_t *)before + off, width));
}

static void every_access(void **state)
{
	static const unsigned widths[] = { 0, 1, 2, 3, 4, 5, 8, 16, 64 };
	static const uint64_t values[] = { 0, UINT64_MAX, 0x123456789abcdef0 };

	(void)state;
	reset();
	for (unsigned w = 0; w < ARRAY_SIZE(widths); w++)
		for (unsigned v = 0; v < ARRAY_SIZE(values); v++)
			for (uint64_t off = 0; off < VECTORS * 16 + 64; off++)
				one_access(off, widths[w], values[v]);
	for (unsigned w = 0; w < ARRAY_SIZE(widths); w++) {
		one_access(UINT64_MAX, widths[w], 1);
		one_access(UINT64_MAX - 7, widths[w], 1);
		one_access(1ull << 36, widths[w], 1);
	}
	assert_int_equal(entry[VECTORS].ctrl, 0xeeeeeeee);
}

static void changes(void **state)
{
	static const struct {
		uint64_t off;
		unsigned width;
		uint64_t value;
		int vector;
		bool mask;
	} steps[] = {
		{ 16, 4, 0xfee00000, 1, false },
		{ 16, 4, 0xfee00003, -1, false }, /* reserved bits */
		{ 20, 4, 0, -1, false },
		{ 24, 4, 0x41, 1, false },
		{ 28, 4, 1, -1, false },
		{ 28, 4, 0, 1, true },
		{ 28, 4, 0xfffffffe, -1, false },
		{ 24, 8, 0x100000042, 1, true },
		{ 16, 8, 0xfee01000, 1, false },
		{ 24, 8, 0x100000043, 1, false },
		{ 16, 8, 0xfee01000ull << 8, 1, false },
		{ 80, 4, 1, -1, false },
	};

	(void)state;
	reset();
	for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
		const struct cfg_msix_change c = cfg_msix_write(
			&table, steps[i].off, steps[i].width, steps[i].value);

		assert_int_equal(c.vector, steps[i].vector);
		assert_int_equal(c.mask, steps[i].mask);
	}
	assert_true(cfg_msix_masked(&table, 1));
}

static void pba_sizes(void **state)
{
	(void)state;
	assert_int_equal(cfg_msix_pba_size(1), 8);
	assert_int_equal(cfg_msix_pba_size(64), 8);
	assert_int_equal(cfg_msix_pba_size(65), 16);
	assert_int_equal(cfg_msix_pba_size(CFG_MSIX_MAX), 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_reset),
		cmocka_unit_test(every_access),
		cmocka_unit_test(changes),
		cmocka_unit_test(pba_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
