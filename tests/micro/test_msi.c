/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From an eventfd, as a device's interrupt signals it, to the guest's handler:
 * irq-remap's routes, irqsink's table, KVM's irqfd. Counts only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/micro/machine.h"

#define MSI_ADDRESS 0xfee00000u /* APIC 0, physical, fixed */
#define VECTOR 0x51u
#define ROUNDS 10u

static struct irq_bank *prepare(struct machine *m)
{
	struct irq_stats before = irq_table_stats(m->vm->irqs);
	struct irq_bank *b;
	struct diag d;

	assert_int_equal(irq_bank_new(m->vm->irqs, 0x100, 4, &b), 0);
	for (unsigned i = 0; i < 2; i++) {
		struct irq_msg msg = { MSI_ADDRESS, VECTOR + i };

		assert_int_equal(irq_bank_stage(b, i, msg), 0);
		assert_true(irq_bank_eventfd(b, i) >= 0);
	}
	assert_int_equal(irq_bank_commit(b, &d), 0);
	assert_int_equal(irq_table_stats(m->vm->irqs).commits,
	                 before.commits + 1);
	assert_int_equal(irq_bank_live(b), 2);
	return b;
}

/* The guest sleeps until each one arrives, so none may be joined with the
 * one before it. */
static void signal_and_see(struct machine *m, struct irq_bank *b, unsigned v)
{
	const uint64_t until = now_ns() + TEST_DEADLINE_S * 1000000000ull;
	unsigned before = atomic_load(&m->writes[v]);

	assert_int_equal(eventfd_write(irq_bank_eventfd(b, v), 1), 0);
	while (atomic_load(&m->writes[v]) == before && now_ns() < until &&
	       pthread_tryjoin_np(m->thread, NULL) == EBUSY)
		usleep(50);
	assert_int_equal(atomic_load(&m->writes[v]), before + 1);
}

static void test_msi(void **state)
{
	struct machine m;
	struct irq_bank *b;

	(void)state;
	machine_start(&m, "msi", 1);
	assert_true(machine_expect(&m, "ready"));
	b = prepare(&m);
	for (unsigned i = 0; i < ROUNDS; i++) {
		signal_and_see(&m, b, 0);
		signal_and_see(&m, b, 1);
	}
	assert_int_equal(machine_wait(&m), VM_END_POWEROFF);
	assert_non_null(strstr(m.text, "first 0000000a"));
	assert_non_null(strstr(m.text, "second 0000000a"));
	irq_bank_free(b);
	machine_free(&m);
}

/* An interrupt that came before its route is not lost: the eventfd keeps it
 * until the irqfd is tied. That is what late routes live on. */
static void test_early(void **state)
{
	struct irq_msg msg = { MSI_ADDRESS, VECTOR };
	struct machine m;
	struct irq_bank *b;
	struct diag d;

	(void)state;
	machine_start(&m, "msi", 1);
	assert_true(machine_expect(&m, "ready"));
	assert_int_equal(irq_bank_new(m.vm->irqs, 0x100, 1, &b), 0);
	assert_int_equal(irq_bank_stage(b, 0, msg), 0);
	assert_int_equal(eventfd_write(irq_bank_eventfd(b, 0), 1), 0);
	usleep(20000);
	assert_int_equal(atomic_load(&m.writes[0]), 0);
	assert_int_equal(irq_bank_commit(b, &d), 0);
	for (unsigned i = 0; i < 1000 && !atomic_load(&m.writes[0]); i++)
		usleep(1000);
	assert_int_equal(atomic_load(&m.writes[0]), 1);
	for (unsigned i = 1; i < 2 * ROUNDS; i++)
		signal_and_see(&m, b, 0);
	assert_int_equal(machine_wait(&m), VM_END_POWEROFF);
	irq_bank_free(b);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_msi),
		cmocka_unit_test(test_early),
	};

	machine_need_kvm();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
