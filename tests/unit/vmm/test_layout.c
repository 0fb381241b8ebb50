/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where RAM and windows lie on hosts of several kinds; and which thread brings
 * in what. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/priv.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

/* As devices tell them: all but what is reserved. */
static const struct iommu_range VTD39[] = { { 0, 0xfedfffff },
	                                    { 0xfef00000, (512 * GIB) - 1 } };
static const struct iommu_range AMD[] = {
	{ 0, 0xfedfffff },
	{ 0xfef00000, 0xfcffffffff },
	{ 0x10000000000, (1ull << 48) - 1 },
};
static const struct iommu_range RMRR[] = { { 0, 0x7b7fffff },
	                                   { 0x80000000, 0xfedfffff },
	                                   { 0xfef00000, (512 * GIB) - 1 } };
static const struct iommu_range LOW_HOLE[] = { { 0, 0xfff },
	                                       { 0x100000, 0xfedfffff } };

static const struct {
	const char *name;
	const struct iommu_range *usable;
	size_t n;
	unsigned bits;
	uint64_t bytes, page;
	/* wanted */
	uint64_t low, high, window;
} row[] = {
	{ "small", NULL, 0, 46, 512 * MIB, 0, 512 * MIB, 0, 4 * GIB },
	{ "to the brim", NULL, 0, 46, 2816 * MIB, 0, 2816 * MIB, 0, 4 * GIB },
	{ "above", NULL, 0, 46, 3 * GIB, 0, 2816 * MIB, 4 * GIB, 5 * GIB },
	{ "VT-d", VTD39, 2, 39, 3 * GIB, 0, 2816 * MIB, 4 * GIB, 5 * GIB },
	{ "1G pages", VTD39, 2, 39, 4 * GIB, GIB, 2 * GIB, 4 * GIB, 6 * GIB },
	{ "1G pages, small", VTD39, 2, 39, GIB, GIB, GIB, 0, 4 * GIB },
	{ "AMD", AMD, 3, 48, 64 * GIB, 0, 2816 * MIB, 4 * GIB, 66 * GIB },
	{ "AMD, RAM up to the hole", AMD, 3, 48, 1010 * GIB, 0, 2816 * MIB,
	  4 * GIB, 1024 * GIB },
	{ "AMD, RAM over the hole", AMD, 3, 48, 1012 * GIB, 0, 2816 * MIB,
	  1024 * GIB, 2034 * GIB },
	{ "RMRR", RMRR, 3, 39, 2 * GIB, 0, 0x7b800000, 4 * GIB, 5 * GIB },
	{ "RMRR above", RMRR, 3, 39, GIB, 0, GIB, 0, 4 * GIB },
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct layout_host h = { row[i].usable, row[i].n,
			                 1ull << row[i].bits };
		struct layout l;
		struct diag d = { 0 };
		uint64_t sum = 0;

		if (layout_ram(&h, row[i].bytes, row[i].page, &l, &d))
			fail_msg("%s: refused: %s", row[i].name, d.why);
		if (l.ram[0].size != row[i].low ||
		    (l.n_ram > 1 ? l.ram[1].gpa : 0) != row[i].high ||
		    l.window[0].start != row[i].window)
			fail_msg("%s: low %#lx, high %#lx, window %#lx",
			         row[i].name, (long)l.ram[0].size,
			         (long)l.ram[1].gpa, (long)l.window[0].start);
		for (unsigned k = 0; k < l.n_ram; k++) {
			assert_int_equal(l.ram[k].off, sum);
			sum += l.ram[k].size;
		}
		assert_int_equal(sum, row[i].bytes);
	}
}

/* AMD: below the hole first, above it when BARs need more, and at last all. */
static void test_windows(void **state)
{
	struct layout_host h = { AMD, 3, 1ull << 48 };
	struct diag d = { 0 };
	struct layout l;

	(void)state;
	assert_int_equal(layout_ram(&h, 64 * GIB, 0, &l, &d), 0);
	assert_int_equal(l.n_windows, 3);
	assert_int_equal(l.window[0].start, 66 * GIB);
	assert_int_equal(l.window[0].last, 0xfcffffffff);
	assert_int_equal(l.window[1].start, 0x10000000000);
	assert_int_equal(l.window[1].last, (1ull << 48) - 1);
	assert_int_equal(l.window[2].start, 66 * GIB);
	assert_int_equal(l.window[2].last, (1ull << 48) - 1);
	/* An IOMMU narrower than the CPUs. */
	h = (struct layout_host){ VTD39, 2, 1ull << 46 };
	assert_int_equal(layout_ram(&h, GIB, 0, &l, &d), 0);
	assert_int_equal(l.n_windows, 2);
	assert_int_equal(l.window[0].last, 512 * GIB - 1);
	assert_int_equal(l.window[1].last, (1ull << 46) - 1);
	/* Nothing to be careful about: one. */
	h = (struct layout_host){ .end = 1ull << 46 };
	assert_int_equal(layout_ram(&h, GIB, 0, &l, &d), 0);
	assert_int_equal(l.n_windows, 1);
}

static void says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

static void test_refused(void **state)
{
	struct layout_host h = { VTD39, 2, 1ull << 39 };
	struct layout l;
	struct diag d = { 0 };

	(void)state;
	assert_int_equal(layout_ram(&h, 600 * GIB, 0, &l, &d), -EADDRNOTAVAIL);
	assert_int_equal(d.code, FL_IOMMU_RESERVED);
	says(d.why, "end at 0x7fffffffff");
	/* 2.75 GiB and what is between 4 and 512. */
	says(d.mend, "memory: 523008M at most");
	assert_int_equal(layout_ram(&h, 523008 * MIB, 0, &l, &d), 0);
	assert_int_equal(layout_ram(&h, 523010 * MIB, 0, &l, &d),
	                 -EADDRNOTAVAIL);
	h.end = 1ull << 46; /* it is the IOMMU that is narrow */
	assert_int_equal(layout_ram(&h, 600 * GIB, 0, &l, &d), -EADDRNOTAVAIL);
	says(d.why, "reaches no address from 0x8000000000 on");
	h = (struct layout_host){ LOW_HOLE, 2, 1ull << 46 };
	assert_int_equal(layout_ram(&h, GIB, 0, &l, &d), -EADDRNOTAVAIL);
	says(d.why, "0x1000-0xfffff is reserved");
	says(d.mend, "another device");
}

/* Whatever the host: nothing of RAM in a hole, and nothing lost. */
static void test_all_sizes(void **state)
{
	static const struct {
		const struct iommu_range *usable;
		size_t n;
	} host[] = { { VTD39, 2 }, { AMD, 3 }, { RMRR, 3 }, { LOW_HOLE, 2 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(host); i++)
		for (uint64_t mib = 64; mib <= 1 << 20; mib += 1 + mib / 9) {
			struct layout_host h = { host[i].usable, host[i].n,
				                 1ull << 46 };
			uint64_t bytes = mib * 2 * MIB, sum = 0;
			struct layout l;
			struct diag d;

			if (layout_ram(&h, bytes, 0, &l, &d))
				continue;
			for (unsigned k = 0; k < l.n_ram; k++) {
				uint64_t last =
					l.ram[k].gpa + l.ram[k].size - 1;
				bool in = false;

				for (size_t m = 0; m < h.n; m++)
					in |= h.usable[m].start <=
					              l.ram[k].gpa &&
					      last <= h.usable[m].last;
				assert_true(in);
				sum += l.ram[k].size;
			}
			assert_int_equal(sum, bytes);
			assert_true(l.n_windows > 0);
		}
}

static void test_parts(void **state)
{
	static const unsigned node[] = { 3, 3, 0, 3, 0, 7 };
	unsigned part[ARRAY_SIZE(node)];
	static const unsigned want[] = { 0, 0, 1, 0, 1, 2 };

	(void)state;
	assert_int_equal(prefault_parts(node, ARRAY_SIZE(node), part), 3);
	assert_memory_equal(part, want, sizeof(want));
	assert_int_equal(prefault_parts(node, 1, part), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_all_sizes),
		cmocka_unit_test(test_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
