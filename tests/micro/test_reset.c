/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest resets itself in two ways, then powers off. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/micro/machine.h"

static void test_reset(void **state)
{
	struct machine m;

	(void)state;
	machine_start(&m, "reset", 1);
	assert_int_equal(machine_wait(&m), VM_END_POWEROFF);
	assert_int_equal(m.vm->guest_resets, 2);
	assert_non_null(strstr(m.text, "boot 00000000"));
	assert_non_null(strstr(m.text, "boot 00000001"));
	assert_non_null(strstr(m.text, "boot 00000002"));
	assert_null(strstr(m.text, "boot 00000003"));
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reset),
	};

	machine_need_kvm();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
