/* SPDX-License-Identifier: GPL-2.0-or-later */
/* INTx: when it is on, in what order it goes on and off, and what is left
 * where the kernel refuses. The kernel is played (fake.h). */

#include "tests/unit/vfio/fake.h"

#include <linux/pci_regs.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOOK "intx mask\nintx unmask\n"
#define ON "line 21\nintx trigger\nintx resample\n" LOOK
#define OFF "intx off\n-line 21\n"

static int setup(void **state)
{
	struct fake *f;

	(void)fake_setup(state);
	f = *state;
	f->pin = 2;
	return 0;
}

static void expect_fault(struct fake *f, int code, int err)
{
	struct diag d = { 0 };

	assert_true(vfio_dev_take_fault(f->dev, &d));
	assert_int_equal(d.code, code);
	assert_int_equal(d.err, err);
	assert_non_null(strstr(d.what, "0000:01:10.0"));
}

static void guest_msi(struct fake *f, bool on)
{
	vfio_dev_cfg_write(f->dev, FAKE_MSI_CAP + PCI_MSI_FLAGS, 2, on);
}

static uint8_t shown_pin(struct fake *f)
{
	return (uint8_t)vfio_dev_cfg_read(f->dev, PCI_INTERRUPT_PIN, 1);
}

/* ---- when ---- */

/* On once COMMAND lets the function do anything; off with the last of it. */
static void test_command(void **state)
{
	static const uint16_t alive[] = { PCI_COMMAND_IO, PCI_COMMAND_MEMORY,
		                          PCI_COMMAND_MASTER };
	struct fake *f = *state;

	fake_open_ok(f, false);
	assert_int_equal(shown_pin(f), 2);
	for (unsigned i = 0; i < ARRAY_SIZE(alive); i++) {
		guest_command(f, alive[i]);
		assert_non_null(strstr(f->journal, ON));
		assert_int_equal(vfio_dev_stats(f->dev).vectors, 1);
		fake_forget(f);
		guest_command(f, 0);
		assert_non_null(strstr(f->journal, OFF "cfg 4=0000\n"));
		fake_forget(f);
	}
	/* What the function does not have does not wake it. */
	guest_command(f, PCI_COMMAND_PARITY);
	fake_expect(f, "cfg 4=0000\n");
}

/* The kernel emulates INTx Disable: it gets COMMAND, nothing is torn down. */
static void test_disable_bit(void **state)
{
	struct fake *f = *state;

	fake_open_ok(f, false);
	guest_command(f, PCI_COMMAND_MASTER);
	fake_expect(f, "cfg 4=0004\n" ON);
	guest_command(f, PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
	guest_command(f, PCI_COMMAND_MASTER);
	fake_expect(f, "cfg 4=0404\ncfg 4=0004\n");
}

/* VFIO refuses a second kind of interrupt: the fake asserts it is off. */
static void test_msix(void **state)
{
	struct fake *f = *state;

	fake_open_ok(f, false);
	guest_command(f, PCI_COMMAND_MASTER);
	fake_forget(f);
	guest_msix(f, true, false);
	fake_expect(f, OFF "irqs MSIX 0: -\n");
	guest_command(f, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	assert_null(strstr(f->journal, "line"));
	guest_msix(f, false, false);
	assert_non_null(strstr(f->journal, "irqs MSIX off\n" ON));
}

static void test_msi(void **state)
{
	struct fake *f = *state;

	f->vectors = 0;
	f->msi_vectors = 1;
	fake_open_ok(f, false);
	guest_command(f, PCI_COMMAND_MASTER);
	fake_forget(f);
	guest_msi(f, true);
	assert_ptr_equal(strstr(f->journal, OFF), f->journal);
	assert_non_null(strstr(f->journal, "irqs MSI 0: +\n"));
	fake_forget(f);
	guest_msi(f, false);
	fake_expect(f, "irqs MSI off\n-irqfd 24\n" ON);
}

/* Where the host has no vectors for the guest's MSI, INTx stays off: the
 * guest's driver does not look there any more. */
static void test_msi_refused(void **state)
{
	struct fake *f = *state;

	f->vectors = 0;
	f->msi_vectors = 1;
	f->refuse_vector = 0;
	fake_open_ok(f, false);
	guest_command(f, PCI_COMMAND_MASTER);
	guest_msi(f, true);
	assert_int_equal(f->index, IRQ_OFF);
	fake_forget(f);
	guest_command(f, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	assert_null(strstr(f->journal, "line"));
	f->refuse_vector = -1;
}

/* Off before the reset (the fake asserts it), on when the guest wakes it. */
static void test_reset(void **state)
{
	struct fake *f = *state;
	struct diag d;

	fake_open_ok(f, false);
	guest_command(f, PCI_COMMAND_MASTER);
	fake_forget(f);
	assert_int_equal(vfio_dev_reset(f->dev, &d), 0);
	fake_expect(f, OFF "reset\ncfg 4=0000\n");
	guest_command(f, PCI_COMMAND_MASTER);
	fake_expect(f, "cfg 4=0004\n" ON);
	vfio_dev_cfg_write(f->dev, FAKE_EXP_CAP + PCI_EXP_DEVCTL, 2,
	                   PCI_EXP_DEVCTL_BCR_FLR);
	fake_expect(f, OFF "reset\ncfg 4=0000\n");
	guest_command(f, PCI_COMMAND_MASTER);
	fake_expect(f, "cfg 4=0004\n" ON);
}

/* A count from before would be an interrupt that nobody sent. */
static void test_no_stale_count(void **state)
{
	struct fake *f = *state;
	uint64_t count;

	fake_open_ok(f, false);
	assert_int_equal(
		eventfd_write(irq_line_trigger_fd(f->dev->intx.line), 3), 0);
	guest_command(f, PCI_COMMAND_MASTER);
	assert_int_equal(f->trigger, irq_line_trigger_fd(f->dev->intx.line));
	assert_true(read(f->trigger, &count, sizeof(count)) < 0);
}

/* ---- none ---- */

static void test_no_pin(void **state)
{
	struct fake *f = *state;

	f->pin = 0;
	fake_open_ok(f, false);
	guest_command(f, PCI_COMMAND_MASTER);
	fake_expect(f, "cfg 4=0004\n");
	assert_int_equal(shown_pin(f), 0);
}

static void test_odd_pin(void **state)
{
	struct fake *f = *state;

	f->pin = 5;
	fake_open_ok(f, false);
	guest_command(f, PCI_COMMAND_MASTER);
	fake_expect(f, "cfg 4=0004\n");
	assert_int_equal(shown_pin(f), 0);
}

static void test_not_connected(void **state)
{
	struct fake *f = *state;

	f->no_intx = true;
	fake_open_ok(f, false);
	guest_command(f, PCI_COMMAND_MASTER);
	fake_expect(f, "cfg 4=0004\n");
	assert_int_equal(shown_pin(f), 0);
}

/* ---- refusals ---- */

static void test_line_refused(void **state)
{
	struct fake *f = *state;
	struct diag d = { 0 };

	f->refuse_line = true;
	fake_open_ok(f, false);
	guest_command(f, PCI_COMMAND_MASTER);
	fake_expect(f, "cfg 4=0004\n");
	assert_true(vfio_dev_take_fault(f->dev, &d));
	assert_int_equal(d.code, FL_IRQ_IRQFD);
	/* The next change of COMMAND tries again. */
	f->refuse_line = false;
	guest_command(f, PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
	fake_expect(f, "cfg 4=0404\n" ON);
}

static void test_trigger_refused(void **state)
{
	struct fake *f = *state;

	f->refuse_action = "trigger";
	fake_open_ok(f, false);
	guest_command(f, PCI_COMMAND_MASTER);
	fake_expect(f, "cfg 4=0004\nline 21\nintx trigger refused\n-line 21\n");
	expect_fault(f, FL_VFIO_IRQ, -EBUSY);
	assert_int_equal(vfio_dev_stats(f->dev).vectors, 0);
	f->refuse_action = NULL;
}

/* Without its end of interrupt it would fire once and stick. */
static void test_resample_refused(void **state)
{
	struct fake *f = *state;

	f->refuse_action = "resample";
	fake_open_ok(f, false);
	guest_command(f, PCI_COMMAND_MASTER);
	fake_expect(f, "cfg 4=0004\nline 21\nintx trigger\n"
	               "intx resample refused\nintx off\n-line 21\n");
	expect_fault(f, FL_VFIO_IRQ, -EBUSY);
	f->refuse_action = NULL;
}

/* The same where the device could not be asked for its level. */
static void test_look_refused(void **state)
{
	static const char *const action[] = { "mask", "unmask" };
	struct fake *f = *state;

	fake_open_ok(f, false);
	for (unsigned i = 0; i < ARRAY_SIZE(action); i++) {
		f->refuse_action = action[i];
		guest_command(f, PCI_COMMAND_MASTER);
		assert_non_null(strstr(f->journal, " refused\n" OFF));
		expect_fault(f, FL_VFIO_IRQ, -EBUSY);
		f->refuse_action = NULL;
		fake_forget(f);
		guest_command(f, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
		assert_non_null(strstr(f->journal, ON));
		guest_command(f, 0);
	}
}

static void test_close(void **state)
{
	struct fake *f = *state;

	fake_open_ok(f, false);
	guest_command(f, PCI_COMMAND_MASTER);
	fake_forget(f);
	fake_close(f);
	fake_expect(f, OFF);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		T(test_command),
		T(test_disable_bit),
		T(test_msix),
		T(test_msi),
		T(test_msi_refused),
		T(test_reset),
		T(test_no_stale_count),
		T(test_no_pin),
		T(test_odd_pin),
		T(test_not_connected),
		T(test_line_refused),
		T(test_trigger_refused),
		T(test_resample_refused),
		T(test_look_refused),
		T(test_close),
	};

	return cmocka_run_group_tests_name("vfio/intx", tests, NULL, NULL);
}
