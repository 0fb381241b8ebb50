/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the machine's threads may run. The test itself stands for them: it is
 * the main thread, and the only vCPU's. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/cpus.h"

static struct vm *machine(const struct vm_cpus *cpu)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	assert_non_null(vm);
	vm->cpu = calloc(1, sizeof(*vm->cpu));
	assert_non_null(vm->cpu);
	vm->cfg.cpus = 1;
	vm->cfg.cpu = *cpu;
	atomic_store(&vm->cpu[0].tid, gettid());
	return vm;
}

static void machine_free(struct vm *vm)
{
	free(vm->cpu);
	free(vm);
}

static unsigned a_cpu(const cpu_set_t *of)
{
	unsigned i = 0;

	while (!CPU_ISSET(i, of))
		i++;
	return i;
}

static void places(void **state)
{
	cpu_set_t before, now;
	struct vm_cpus c = { .pin.n = 1 };
	struct diag d = { 0 };
	struct vm *vm;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	c.pin.cpu[0] = (uint16_t)a_cpu(&before);
	vm = machine(&c);
	/* Without a word about it the main thread stays. */
	assert_int_equal(placement_begin(vm, &d), 0);
	assert_int_equal(sched_getaffinity(0, sizeof(now), &now), 0);
	assert_true(CPU_EQUAL(&before, &now));
	assert_int_equal(placement_vcpus(vm, &d), 0);
	assert_int_equal(sched_getaffinity(0, sizeof(now), &now), 0);
	assert_int_equal(CPU_COUNT(&now), 1);
	assert_true(CPU_ISSET(c.pin.cpu[0], &now));
	machine_free(vm);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

/* vCPUs that are pinned nowhere are where the process was, not where its main
 * thread went. */
static void unpinned(void **state)
{
	cpu_set_t before, now;
	struct vm_cpus c = { .emulator.n = 1 };
	struct diag d = { 0 };
	struct vm *vm;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	c.emulator.cpu[0] = (uint16_t)a_cpu(&before);
	vm = machine(&c);
	assert_int_equal(placement_begin(vm, &d), 0);
	assert_int_equal(sched_getaffinity(0, sizeof(now), &now), 0);
	assert_int_equal(CPU_COUNT(&now), 1);
	assert_int_equal(placement_vcpus(vm, &d), 0);
	assert_int_equal(sched_getaffinity(0, sizeof(now), &now), 0);
	assert_true(CPU_EQUAL(&before, &now));
	machine_free(vm);
}

static void not_there(void **state)
{
	cpu_set_t before;
	struct vm_cpus c = { .pin.n = 2 };
	struct diag d = { 0 };
	struct vm *vm;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	if (CPU_ISSET(VM_HOST_CPUS - 1, &before))
		skip();
	/* All of it away, and, as a set, a part of it. */
	c.pin.cpu[0] = c.pin.cpu[1] = VM_HOST_CPUS - 1;
	for (unsigned i = 0; i < 2; i++) {
		vm = machine(&c);
		assert_int_equal(placement_vcpus(vm, &d), -EINVAL);
		assert_int_equal(d.code, FL_VMM_PIN);
		assert_non_null(strstr(d.what, "CPU 1023"));
		assert_true(d.why[0] && d.mend[0]);
		machine_free(vm);
		c.pin.cpu[0] = (uint16_t)a_cpu(&before);
	}
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places),
		cmocka_unit_test(unpinned),
		cmocka_unit_test(not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
