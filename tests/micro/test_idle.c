/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest that sleeps costs nothing: no thread of its machine's runs, not once,
 * while nothing happens; and each is there when something does. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/micro/machine.h"
#include "vmm/devices.h"
#include "vmm/io.h"

#define QUIET_MS 1000u
#define TRIES 5

/* How often a thread was given a CPU (proc(5), schedstat). */
static unsigned long runs_of(const char *tid)
{
	unsigned long n = 0;
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%s/schedstat", tid);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*u %*u %lu", &n), 1);
	fclose(f);
	return n;
}

/* Of all threads but this. */
static unsigned long runs(unsigned *ret_threads)
{
	DIR *d = opendir("/proc/self/task");
	unsigned long n = 0;
	struct dirent *e;

	assert_non_null(d);
	*ret_threads = 0;
	while ((e = readdir(d)))
		if (e->d_name[0] != '.' && atoi(e->d_name) != gettid()) {
			n += runs_of(e->d_name);
			++*ret_threads;
		}
	closedir(d);
	return n;
}

/* With one of each kind that needs nothing of the host's. */
static void add_devices(struct vm *vm)
{
	const struct vm_watchdog dog = { .slot = 3, .core_fd = -1 };
	struct diag d;

	assert_int_equal(io_new(vm, &vm->io, &d), 0);
	assert_int_equal(rng_add(vm, 1, &d), 0);
	assert_int_equal(vconsole_add(vm, 2, &d), 0);
	assert_int_equal(watchdog_add(vm, &dog, &d), 0);
}

/* The host wakes a thread for reasons of its own, too (a page that moves): a
 * timer, or one that polls, has a turn in each of these. */
static bool is_quiet(unsigned *ret_threads)
{
	unsigned now;

	for (unsigned i = 0; i < TRIES; i++) {
		const unsigned long before = runs(ret_threads);

		usleep(QUIET_MS * 1000);
		if (runs(&now) == before && now == *ret_threads)
			return true;
	}
	return false;
}

static void sleeps(void **state)
{
	static struct machine m;
	unsigned threads;

	(void)state;
	machine_start_with(&m, "msi", 1, add_devices);
	assert_true(machine_expect(&m, "ready"));
	usleep(QUIET_MS * 1000); /* what was begun ends */
	assert_true(is_quiet(&threads));
	/* The machine's, a CPU's, the data path's; KVM may have one, too. */
	assert_true(threads >= 3);
	vm_request(m.vm, VM_REQ_POWEROFF);
	assert_int_equal(machine_wait(&m), VM_END_POWEROFF);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sleeps),
	};

	machine_need_kvm();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
