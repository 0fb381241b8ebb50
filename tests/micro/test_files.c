/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine that may not have as many descriptors as it needs, by each one that
 * it asks for: none is made, and it is told what is missing. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/micro/machine.h"

#define FILES_MAX 100u

enum {
	MADE,
	REFUSED,
	MISLED, /* told of something else */
};

static int try(unsigned files)
{
	struct vm *vm = NULL;
	struct diag d = { 0 };

	if (machine_make("off", files, &vm, &d) == 0)
		return MADE;
	if (d.err == -EMFILE && strstr(d.mend, "--nofile"))
		return REFUSED;
	print_message("%u files: %s: %s: %s\n", files, d.what, d.why, d.mend);
	return MISLED;
}

static int outcome(unsigned files)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		_exit(try(files));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void too_few_files(void **state)
{
	const unsigned least = (unsigned)dup(STDIN_FILENO);
	unsigned refused = 0;

	(void)state;
	close((int)least);
	for (unsigned files = least; files < FILES_MAX; files++) {
		int r = outcome(files);

		assert_int_not_equal(r, MISLED);
		if (r == MADE)
			break;
		refused++;
	}
	/* The machine, its event, memory, CPU, clock and their counters. */
	assert_in_range(refused, 5, FILES_MAX - least - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(too_few_files),
	};

	machine_need_kvm();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
