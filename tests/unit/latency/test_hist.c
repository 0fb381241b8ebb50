/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The histogram against a sorted array, over magnitudes from 1 to 2^63. */

#include "latency/latency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define N 20000

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void test_against_sorted(void **state)
{
	static const uint32_t ppm[] = { 0,      10,     500000, 900000,
		                        990000, 999900, 1000000 };
	static uint64_t v[N];
	uint64_t seed = 42;
	struct lat_hist *h = lat_hist_new();

	(void)state;
	assert_non_null(h);
	for (size_t i = 0; i < N; i++) {
		v[i] = next(&seed) >> (next(&seed) % 64);
		lat_record(h, v[i]);
	}
	qsort(v, N, sizeof(v[0]), by_value);
	for (size_t i = 0; i < ARRAY_SIZE(ppm); i++) {
		size_t rank =
			(size_t)(((uint64_t)N * ppm[i] + 999999) / 1000000);
		uint64_t want = v[rank ? rank - 1 : 0];
		uint64_t got = lat_percentile(h, ppm[i]);

		assert_true(got >= want);
		assert_true(got - want <= want / 1000);
	}
	assert_int_equal(lat_percentile(h, 1000000), v[N - 1]);
	lat_hist_free(h);
}

static void test_extremes(void **state)
{
	struct lat_hist *h = lat_hist_new();

	(void)state;
	assert_non_null(h);
	assert_int_equal(lat_percentile(h, 500000), 0);
	lat_record(h, UINT64_MAX);
	lat_record(h, 0);
	assert_int_equal(lat_percentile(h, 0), 0);
	assert_true(lat_percentile(h, 1000000) == UINT64_MAX);
	lat_hist_free(h);
}

static void test_tail_needs_samples(void **state)
{
	struct lat_hist *h = lat_hist_new();

	(void)state;
	assert_non_null(h);
	for (unsigned i = 0; i < 1000; i++)
		lat_record(h, i);
	assert_true(lat_percentile_known(h, 990000));
	assert_false(lat_percentile_known(h, 999000));
	lat_hist_free(h);
}

static void test_merge_is_one_run(void **state)
{
	struct lat_hist *a = lat_hist_new(), *b = lat_hist_new();
	struct lat_hist *all = lat_hist_new();

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		lat_record(i % 3 ? a : b, i * 977u);
		lat_record(all, i * 977u);
	}
	lat_merge(a, b);
	assert_memory_equal(a, all, sizeof(*all));
	lat_hist_free(a);
	lat_hist_free(b);
	lat_hist_free(all);
}

static int read_text(const char *text, struct lat_hist *h, struct diag *d)
{
	FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	int r;

	assert_non_null(f);
	r = lat_read(f, "samples", h, d);
	fclose(f);
	return r;
}

static void test_read(void **state)
{
	struct lat_hist *h = lat_hist_new();
	struct diag d = { 0 };

	(void)state;
	assert_int_equal(read_text("# run 1\n12\n 7 # warm\n\n", h, &d), 0);
	assert_int_equal(h->n, 2);
	assert_int_equal(h->min, 7);
	assert_int_equal(read_text("12\n1.5\n", h, &d), -EINVAL);
	assert_int_equal(d.code, FL_LAT_SAMPLE);
	assert_non_null(strstr(d.what, "samples:2:"));
	lat_hist_free(h);
}

static void test_report_refuses_nothing(void **state)
{
	struct lat_hist *h = lat_hist_new();
	struct diag d = { 0 };

	(void)state;
	assert_int_equal(lat_report(stdout, "empty", h, NULL, NULL, &d),
	                 -ENODATA);
	assert_int_equal(d.code, FL_LAT_EMPTY);
	lat_hist_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_sorted),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_tail_needs_samples),
		cmocka_unit_test(test_merge_is_one_run),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_report_refuses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
