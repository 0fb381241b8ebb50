/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The largest host is planned in 100 ms, and in 64 MiB with its inventory read,
 * too; and one that is four times as large takes about four times as long.
 * Time is that of the processor, the least of several runs, so that other load
 * does not count; something quadratic would take sixteen times as long.
 */

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/policy/scale.h"

#define SMALL 16u
#define LARGE 64u
#define RUNS 7
#define FACTOR 8.0
/* A sanitizer's own time and memory are no part of it. */
#ifdef __SANITIZE_ADDRESS__
#define LIMIT_S 100.0
#define LIMIT_KIB LONG_MAX
#else
#define LIMIT_S 0.1
#define LIMIT_KIB (64L << 10)
#endif

static struct pol_errors errs;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t least(unsigned pfs, bool carved, double *ret)
{
	struct pol_state *seen = scale_machine(pfs, carved);
	char *text = scale_policy(pfs);
	size_t n = 0;

	*ret = 1e9;
	for (unsigned i = 0; i < RUNS; i++) {
		double at = now();

		n = scale_plan(text, seen, &errs);
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
	if (large > small * FACTOR || large > LIMIT_S)
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

static void plan_recorded(bool carved)
{
	struct pol_state *s = scale_machine(LARGE, carved), *seen = NULL;
	_cleanup_free_ char *policy = scale_policy(LARGE);
	_cleanup_free_ char *text = NULL;
	size_t len = 0;

	scale_must(!pol_inventory_format(s, "x", &text, &len), "inventory");
	pol_state_free(s);
	scale_must(!pol_inventory_parse(text, len, &seen, &errs), "inventory");
	(void)!scale_plan(policy, seen, &errs);
	pol_state_free(seen);
}

/* Of a process of its own, which does nothing else. */
static long most_kib(bool carved)
{
	struct rusage use;
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		plan_recorded(carved);
		_exit(0);
	}
	assert_int_equal(wait4(pid, &status, 0, &use), pid);
	assert_int_equal(status, 0);
	return use.ru_maxrss;
}

/* First of all: what the tests before it leave would be counted, too. */
static void test_memory(void **state)
{
	(void)state;
	for (int carved = 0; carved <= 1; carved++) {
		long kib = most_kib(carved);

		print_message("%ld KiB\n", kib);
		assert_true(kib <= LIMIT_KIB);
	}
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
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_fresh),
		cmocka_unit_test(test_carved),
		cmocka_unit_test(test_inventory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
