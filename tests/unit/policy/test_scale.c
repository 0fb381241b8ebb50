/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine that is four times as large takes about four times as long. Time is
 * that of the processor, the least of several runs, so that other load does
 * not count; something quadratic would take sixteen times as long.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "tests/unit/policy/scale.h"

#define SMALL 16u
#define LARGE 64u
#define RUNS 7
#define FACTOR 8.0

static struct pol_errors errs;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t plan(const char *text, const struct pol_state *seen)
{
	struct pol_state *want = NULL;
	struct pol_policy *p = NULL;
	struct pol_plan *made = NULL;
	struct diag d = { .code = 0 };
	size_t n;

	if (pol_parse(text, strlen(text), &p, &errs) ||
	    pol_resolve(p, seen, &want, &errs))
		fail_msg("%s: %s", errs.e[0].diag.what, errs.e[0].diag.why);
	assert_int_equal(pol_plan(want, seen, &made, &d), 0);
	n = made->n;
	pol_plan_free(made);
	pol_state_free(want);
	pol_free(p);
	return n;
}

static size_t least(unsigned pfs, bool carved, double *ret)
{
	struct pol_state *seen = scale_machine(pfs, carved);
	char *text = scale_policy(pfs);
	size_t n = 0;

	*ret = 1e9;
	for (unsigned i = 0; i < RUNS; i++) {
		double at = now();

		n = plan(text, seen);
		at = now() - at;
		*ret = *ret < at ? *ret : at;
	}
	pol_state_free(seen);
	free(text);
	return n;
}

static void grows(bool carved)
{
	double small, large;
	size_t few = least(SMALL, carved, &small);
	size_t many = least(LARGE, carved, &large);

	/* A driver each, and of those that guests have three or four more. */
	assert_true(few >= SMALL * SCALE_VFS);
	assert_int_equal(many, few * LARGE / SMALL);
	print_message("%u PFs %.1f ms, %u PFs %.1f ms\n", SMALL, small * 1e3,
	              LARGE, large * 1e3);
	if (large > small * FACTOR)
		fail_msg("%u PFs %.1f ms, %u PFs %.1f ms", SMALL, small * 1e3,
		         LARGE, large * 1e3);
}

static void test_fresh(void **state)
{
	(void)state;
	grows(false);
}

static void test_carved(void **state)
{
	(void)state;
	grows(true);
}

/* Inventories of that size are read and written again. */
static void test_inventory(void **state)
{
	struct pol_state *s = scale_machine(LARGE, true), *back = NULL;
	char *text = NULL;
	size_t len = 0;

	(void)state;
	assert_int_equal(pol_inventory_format(s, "x", &text, &len), 0);
	assert_int_equal(pol_inventory_parse(text, len, &back, &errs), 0);
	assert_int_equal(back->n_wholes, s->n_wholes);
	print_message("%zu bytes\n", len);
	pol_state_free(back);
	pol_state_free(s);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fresh),
		cmocka_unit_test(test_carved),
		cmocka_unit_test(test_inventory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
