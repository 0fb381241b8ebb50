/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPUs with ids far apart, started by them; and where the machine's threads
 * run, by which scheduler, under which names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/micro/machine.h"

enum {
	END = 0x80 /* the guest is to end */
};

static void wait_for(const _Atomic unsigned *v, unsigned n)
{
	const uint64_t until = now_ns() + TEST_DEADLINE_S * 1000000000ull;

	while (atomic_load(v) < n && now_ns() < until)
		usleep(1000);
	assert_int_equal(atomic_load(v), n);
}

/* Sockets 0, 1 and 2, `shift` bits apart, and what they say of themselves, a
 * byte each, of which the other is 0. */
static void by_id(unsigned shift)
{
	static struct machine m;
	const struct vm_cpus cpu = {
		.sockets = 3, .cores = 1, .threads = 1, .id_shift = shift
	};

	machine_start_cpus(&m, "cpus", 3, &cpu);
	atomic_store(&m.answer, 3);
	assert_true(machine_expect(&m, "started"));
	wait_for(&m.writes[1u << shift % 8], 1);
	wait_for(&m.writes[2u << shift % 8], 1);
	wait_for(&m.writes[0], 2);
	atomic_store(&m.answer, END);
	assert_int_equal(machine_wait(&m), VM_END_POWEROFF);
	machine_free(&m);
}

static void ids(void **state)
{
	(void)state;
	by_id(2);
	by_id(8);
	by_id(10);
}

/* ---- places -------------------------------------------------------------- */

static void file_of(int tid, const char *name, char *buf, size_t size)
{
	char path[64];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/self/task/%d/%s", tid, name);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(buf, 1, size - 1, f);
	buf[n] = '\0';
	fclose(f);
}

static void check_vcpu(const struct machine *m, unsigned i, unsigned cpu,
                       int scheduler)
{
	const int tid = atomic_load(&m->vm->cpu[i].tid);
	char comm[32], name[32];
	cpu_set_t at;

	file_of(tid, "comm", comm, sizeof(comm));
	snprintf(name, sizeof(name), "vcpu%u\n", i);
	assert_string_equal(comm, name);
	assert_int_equal(sched_getaffinity(tid, sizeof(at), &at), 0);
	assert_int_equal(CPU_COUNT(&at), 1);
	assert_true(CPU_ISSET(cpu, &at));
	assert_int_equal(sched_getscheduler(tid), scheduler);
}

/* Of those that this process may use, the first and the last. */
static void two_cpus(uint16_t cpu[static 2], cpu_set_t *ret)
{
	unsigned n = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(*ret), ret), 0);
	for (unsigned i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, ret))
			cpu[n++ ? 1 : 0] = (uint16_t)i;
	if (n == 1)
		cpu[1] = cpu[0];
}

/* The last `n` CPUs of `on` are the vCPUs', the first is the emulator's. */
static void places_of(unsigned n, const uint16_t on[static 2], unsigned fifo)
{
	static struct machine m;
	struct vm_cpus cpu = { .pin.n = n,
		               .emulator = { .cpu = { on[0] }, .n = 1 },
		               .fifo = fifo,
		               .has_halt_poll = true,
		               .halt_poll_ns = 50000 };
	cpu_set_t before, now;

	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	for (unsigned i = 0; i < n; i++)
		cpu.pin.cpu[i] = on[2 - n + i];
	machine_start_cpus(&m, "cpus", n, &cpu);
	atomic_store(&m.answer, 1);
	assert_true(machine_expect(&m, "started"));
	for (unsigned i = 0; i < n; i++)
		check_vcpu(&m, i, cpu.pin.cpu[i],
		           fifo ? SCHED_FIFO : SCHED_OTHER);
	/* The machine's main thread is the one that made it: this. */
	assert_int_equal(sched_getaffinity(0, sizeof(now), &now), 0);
	assert_int_equal(CPU_COUNT(&now), 1);
	assert_true(CPU_ISSET(on[0], &now));
	atomic_store(&m.answer, END);
	assert_int_equal(machine_wait(&m), VM_END_POWEROFF);
	machine_free(&m);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

static void places(void **state)
{
	uint16_t cpu[2];
	cpu_set_t all;

	(void)state;
	two_cpus(cpu, &all);
	places_of(2, cpu, 0);
}

/* Its guest spins: beside it nothing else of the machine would run. */
static void real_time(void **state)
{
	const struct sched_param fifo = { .sched_priority = 1 }, other = { 0 };
	uint16_t cpu[2];
	cpu_set_t all;

	(void)state;
	two_cpus(cpu, &all);
	if (cpu[0] == cpu[1] || sched_setscheduler(0, SCHED_FIFO, &fifo) < 0) {
		print_message("skipped: one CPU, or no SCHED_FIFO\n");
		skip();
	}
	assert_int_equal(sched_setscheduler(0, SCHED_OTHER, &other), 0);
	places_of(1, cpu, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids),
		cmocka_unit_test(places),
		cmocka_unit_test(real_time),
	};

	machine_need_kvm();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
