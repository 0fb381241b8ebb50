/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A library that is loaded when it is needed, or is not there. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

struct some {
	LIB_FN(strlen);
	LIB_FN(strnlen);
};
static const struct lib_symbol symbols[] = {
	LIB_SYMBOL(struct some, strlen),
	LIB_SYMBOL(struct some, strnlen),
};

static void loaded(void **state)
{
	struct some lib = { 0 };

	(void)state;
	assert_int_equal(
		lib_load("libc.so.6", symbols, ARRAY_SIZE(symbols), &lib), 0);
	assert_int_equal(lib.strlen("four"), 4);
	assert_int_equal(lib.strnlen("four", 2), 2);
}

static void missing(void **state)
{
	static const struct lib_symbol newer[] = {
		LIB_SYMBOL(struct some, strlen),
		{ "strlen_of_the_next_century",
		  offsetof(struct some, strnlen) },
	};
	struct some lib = { 0 };

	(void)state;
	assert_int_equal(
		lib_load("libfl-none.so.1", symbols, ARRAY_SIZE(symbols), &lib),
		-ENOENT);
	assert_int_equal(lib_load("libc.so.6", newer, ARRAY_SIZE(newer), &lib),
	                 -ENOENT);
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
