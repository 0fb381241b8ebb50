/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From an eventfd, as a device's interrupt signals it, to the guest's handler:
 * irq-remap's routes, irqsink's table, KVM's irqfd; and a pin's end of
 * interrupt back to another eventfd. Counts only.
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
#define PIN 16u /* and the next, in the guest */

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
static void signal_fd(struct machine *m, int fd, unsigned v)
{
	const uint64_t until = now_ns() + TEST_DEADLINE_S * 1000000000ull;
	unsigned before = atomic_load(&m->writes[v]);

	assert_int_equal(eventfd_write(fd, 1), 0);
	while (atomic_load(&m->writes[v]) == before && now_ns() < until &&
	       pthread_tryjoin_np(m->thread, NULL) == EBUSY)
		usleep(50);
	assert_int_equal(atomic_load(&m->writes[v]), before + 1);
}

static void signal_and_see(struct machine *m, struct irq_bank *b, unsigned v)
{
	signal_fd(m, irq_bank_eventfd(b, v), v);
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

/* ---- pins ---- */

static struct irq_line *new_line(struct machine *m, uint32_t pin)
{
	struct irq_line *l;
	struct diag d;

	assert_int_equal(irq_line_new(m->vm->irqs, pin, &l, &d), 0);
	assert_int_equal(irq_line_tie(l, &d), 0);
	return l;
}

/* How many ends of interrupt the line has been told of since. */
static uint64_t ends(const struct irq_line *l)
{
	eventfd_t n;

	return eventfd_read(irq_line_resample_fd(l), &n) < 0 ? 0 : n;
}

/* One signal is one interrupt and one end of it; then the pin is low. */
static void test_line(void **state)
{
	struct irq_line *line[2];
	struct machine m;

	(void)state;
	machine_start(&m, "msi", 1);
	assert_true(machine_expect(&m, "ready"));
	line[0] = new_line(&m, PIN);
	line[1] = new_line(&m, PIN + 1);
	for (unsigned i = 0; i < 2 * ROUNDS; i++) {
		signal_fd(&m, irq_line_trigger_fd(line[i % 2]), i % 2);
		assert_int_equal(ends(line[i % 2]), 1);
		assert_int_equal(ends(line[!(i % 2)]), 0);
	}
	assert_int_equal(machine_wait(&m), VM_END_POWEROFF);
	assert_non_null(strstr(m.text, "first 0000000a"));
	assert_non_null(strstr(m.text, "second 0000000a"));
	irq_line_free(line[0]);
	irq_line_free(line[1]);
	machine_free(&m);
}

/* All that share a pin learn of its end; one that was untied does not, and
 * what it had signalled does not come back with it. */
static void test_line_shared(void **state)
{
	struct irq_line *a, *b;
	struct machine m;
	struct diag d;

	(void)state;
	machine_start(&m, "msi", 1);
	assert_true(machine_expect(&m, "ready"));
	a = new_line(&m, PIN);
	b = new_line(&m, PIN);
	for (unsigned i = 0; i < ROUNDS; i++) {
		signal_fd(&m, irq_line_trigger_fd(i % 2 ? a : b), 0);
		assert_int_equal(ends(a), 1);
		assert_int_equal(ends(b), 1);
	}
	irq_line_untie(b);
	assert_int_equal(eventfd_write(irq_line_trigger_fd(b), 1), 0);
	signal_fd(&m, irq_line_trigger_fd(a), 0);
	assert_int_equal(ends(b), 0);
	assert_int_equal(irq_line_tie(b, &d), 0);
	for (unsigned i = ROUNDS + 1; i < 2 * ROUNDS; i++)
		signal_fd(&m, irq_line_trigger_fd(b), 0);
	assert_int_equal(machine_wait(&m), VM_END_POWEROFF);
	assert_non_null(strstr(m.text, "first 00000014"));
	irq_line_free(a);
	irq_line_free(b);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_msi),
		cmocka_unit_test(test_early),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_line_shared),
	};

	machine_need_kvm();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
