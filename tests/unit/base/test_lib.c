/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A library that is loaded when it is needed, or is not there. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

#define SOME(fn) fn(strlen) fn(strnlen)
struct some {
	SOME(LIB_FN)
};
static const char *const names[] = { SOME(LIB_NAME) };

static void loaded(void **state)
{
	struct some lib = { 0 };

	(void)state;
	assert_int_equal(lib_load("libc.so.6", names, ARRAY_SIZE(names), &lib),
	                 0);
	assert_int_equal(lib.strlen("four"), 4);
	assert_int_equal(lib.strnlen("four", 2), 2);
}

static void missing(void **state)
{
	static const char *const newer[] = {
		"strlen",
		"strlen_of_the_next_century",
	};
	struct some lib = { 0 };

	(void)state;
	assert_int_equal(
		lib_load("libfl-none.so.1", names, ARRAY_SIZE(names), &lib),
		-ELIBACC);
	assert_int_equal(lib_load("libc.so.6", newer, ARRAY_SIZE(newer), &lib),
	                 -ELIBACC);
	assert_null(lib.strnlen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loaded),
		cmocka_unit_test(missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
