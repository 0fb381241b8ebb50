/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest that hangs, its interrupts off, on a real vCPU: its watchdog has the
 * machine reset, or ended. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/micro/machine.h"
#include "vmm/devices.h"
#include "vmm/io.h"
#include "vmm/watchdog.h"

#define SLOT 2

static void add(struct vm *vm, enum vm_watchdog_action action)
{
	const struct vm_watchdog c = { .slot = SLOT, .action = action };
	struct diag d;

	assert_int_equal(io_new(vm, &vm->io, &d), 0);
	assert_int_equal(watchdog_add(vm, &c, &d), 0);
}

static void add_reset(struct vm *vm)
{
	add(vm, VM_WATCHDOG_RESET);
}

static void add_stop(struct vm *vm)
{
	add(vm, VM_WATCHDOG_STOP);
}

static void resets(void **state)
{
	struct machine m;

	(void)state;
	machine_start_with(&m, "watchdog", 1, add_reset);
	assert_int_equal(machine_wait(&m), VM_END_POWEROFF);
	assert_non_null(strstr(m.text, "fed 00000005"));
	assert_non_null(strstr(m.text, "done 00000000"));
	assert_null(strstr(m.text, "FAIL"));
	assert_int_equal(m.vm->guest_resets, 1);
	assert_int_equal(watchdog_count(m.vm->watchdog), 1);
	machine_free(&m);
}

static void stops(void **state)
{
	struct machine m;

	(void)state;
	machine_start_with(&m, "watchdog", 1, add_stop);
	assert_int_equal(machine_wait(&m), VM_END_WATCHDOG);
	assert_non_null(strstr(m.text, "fed 00000005"));
	assert_null(strstr(m.text, "FAIL"));
	machine_free(&m);
}

static void add_dump(struct vm *vm)
{
	add(vm, VM_WATCHDOG_DUMP);
	vm->cfg.watchdog.core_fd = memfd_create("core", MFD_CLOEXEC);
	assert_true(vm->cfg.watchdog.core_fd >= 0);
}

static void dumps(void **state)
{
	struct machine m;
	char magic[4] = "";
	int core;

	(void)state;
	machine_start_with(&m, "watchdog", 1, add_dump);
	core = fcntl(m.vm->cfg.watchdog.core_fd, F_DUPFD_CLOEXEC, 0);
	assert_int_equal(machine_wait(&m), VM_END_POWEROFF);
	assert_null(strstr(m.text, "FAIL"));
	assert_int_equal(m.vm->guest_resets, 1);
	assert_false(m.vm->pause.on);
	assert_int_equal(m.vm->cfg.watchdog.core_fd, -1);
	assert_int_equal(pread(core, magic, sizeof(magic), 0), sizeof(magic));
	assert_memory_equal(magic, "\177ELF", 4);
	assert_true(lseek(core, 0, SEEK_END) > (off_t)m.vm->cfg.memory);
	close(core);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resets),
		cmocka_unit_test(stops),
		cmocka_unit_test(dumps),
	};

	machine_need_kvm();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
