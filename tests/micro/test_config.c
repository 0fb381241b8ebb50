/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration cycles as a guest makes them: right ones, and nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/micro/machine.h"

#define NOISE_MS 4000u

static void test_cycles(void **state)
{
	(void)state;
	machine_done("config", NULL);
}

static void test_noise(void **state)
{
	struct machine m;
	const char *done;

	(void)state;
	machine_start(&m, "noise", 1);
	usleep(NOISE_MS * 1000);
	atomic_store(&m.answer, 1);
	assert_int_equal(machine_wait(&m), VM_END_POWEROFF);
	done = strstr(m.text, "done ");
	assert_non_null(done);
	print_message("%lu accesses\n", strtoul(done + 5, NULL, 16));
	assert_true(strtoul(done + 5, NULL, 16) > 1000);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cycles),
		cmocka_unit_test(test_noise),
	};

	machine_need_kvm();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
