/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupts one by one: what is in use, and what is held back from the
 * guest. The kernel is played (fake.h). */

#include "tests/unit/vfio/fake.h"

#include <linux/pci_regs.h>
#include <poll.h>
#include <unistd.h>

#define DISABLED (PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE)

/* Of a plain MSI capability. */
static void plain_msi(struct fake *f, uint32_t data, unsigned log, bool enable)
{
	struct vfio_dev *v = f->dev;

	vfio_dev_cfg_write(v, FAKE_MSI_CAP + PCI_MSI_ADDRESS_LO, 4, 0xfee00000);
	vfio_dev_cfg_write(v, FAKE_MSI_CAP + PCI_MSI_DATA_32, 2, data);
	vfio_dev_cfg_write(v, FAKE_MSI_CAP + PCI_MSI_FLAGS, 2,
	                   log << 4 | (enable ? PCI_MSI_FLAGS_ENABLE : 0u));
}

/* ---- what is in use ---- */

static void test_list_msix(void **state)
{
	struct vfio_vector vec[5];
	struct fake *f = *state;

	fake_open_ok(f, false);
	assert_int_equal(vfio_dev_vectors(f->dev, vec, 5), 0);
	guest_entry(f, 1, 0x41, false);
	guest_entry(f, 3, 0x43, false);
	guest_msix(f, true, false);
	guest_mask(f, 3, true);
	assert_int_equal(vfio_dev_vectors(f->dev, vec, 5), 2);
	assert_int_equal(vec[0].kind, VFIO_KIND_MSIX);
	assert_int_equal(vec[0].index, 1);
	assert_true(vec[0].armed && !vec[0].throttled);
	assert_int_equal(vec[0].msg.addr, 0xfee00000);
	assert_int_equal(vec[0].msg.data, 0x41);
	/* Masked by the guest: its route stays, so it is in use. */
	assert_int_equal(vec[1].index, 3);
	assert_false(vec[1].armed);
	/* How many, whatever there is room for. */
	vec[1].index = 77;
	assert_int_equal(vfio_dev_vectors(f->dev, vec, 1), 2);
	assert_int_equal(vec[1].index, 77);
	assert_int_equal(vfio_dev_vectors(f->dev, NULL, 0), 2);
	guest_msix(f, false, false);
	assert_int_equal(vfio_dev_vectors(f->dev, vec, 5), 0);
}

static void test_list_msi(void **state)
{
	struct vfio_vector vec[4];
	struct fake *f = *state;

	f->vectors = 0;
	f->msi_vectors = 4;
	f->plain_msi = true;
	fake_open_ok(f, false);
	plain_msi(f, 0x63, 2, true);
	assert_int_equal(vfio_dev_vectors(f->dev, vec, 4), 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(vec[i].kind, VFIO_KIND_MSI);
		assert_int_equal(vec[i].index, i);
		assert_int_equal(vec[i].msg.data, 0x60 + i);
		assert_true(vec[i].armed);
	}
}

static void test_list_intx(void **state)
{
	struct vfio_vector vec[1];
	struct fake *f = *state;

	f->pin = 1;
	fake_open_ok(f, false);
	assert_int_equal(vfio_dev_vectors(f->dev, vec, 1), 0);
	guest_command(f, PCI_COMMAND_MASTER);
	assert_int_equal(vfio_dev_vectors(f->dev, vec, 1), 1);
	assert_int_equal(vec[0].kind, VFIO_KIND_INTX);
	assert_int_equal(vec[0].gsi, FAKE_PIN_GSI);
	assert_true(vec[0].armed && !vec[0].throttled);
	assert_int_equal(vfio_dev_vectors(f->dev, NULL, 0), 1);
}

/* ---- held back ---- */

static void test_hold_msix(void **state)
{
	struct vfio_vector vec[2];
	struct fake *f = *state;

	fake_open_ok(f, false);
	guest_entry(f, 0, 0x40, false);
	guest_entry(f, 1, 0x41, false);
	guest_msix(f, true, false);
	fake_forget(f);
	vfio_dev_throttle(f->dev, VFIO_KIND_MSIX, 1, true);
	vfio_dev_throttle(f->dev, VFIO_KIND_MSIX, 1, true);
	fake_expect(f, "irqs MSIX 1: -\n");
	assert_int_equal(vfio_dev_vectors(f->dev, vec, 2), 2);
	assert_true(vec[1].throttled && !vec[1].armed);
	/* Whatever the guest does; the other vector works. */
	guest_mask(f, 1, true);
	guest_entry(f, 1, 0x51, false);
	guest_mask(f, 0, true);
	guest_mask(f, 0, false);
	fake_expect(f, "irqs MSIX 0: -\nirqs MSIX 0: +\n");
	/* The guest sees none of it. */
	assert_int_equal(vfio_dev_bar_read(f->dev, 0, FAKE_TABLE_OFF + 28, 4),
	                 0);
	/* Let go: by the guest's latest message. */
	vfio_dev_throttle(f->dev, VFIO_KIND_MSIX, 1, false);
	fake_expect(f, "routes 2\nirqs MSIX 1: +\n");
	assert_int_equal(f->route[1].msg.data, 0x51);
	fake_no_fault(f);
}

/* Through MSI-X off and on, and a reset. */
static void test_hold_stays(void **state)
{
	struct fake *f = *state;
	struct diag d;

	fake_open_ok(f, false);
	vfio_dev_throttle(f->dev, VFIO_KIND_MSIX, 0, true);
	fake_expect(f, "");
	for (int i = 0; i < 2; i++) {
		guest_entry(f, 0, 0x40, false);
		guest_entry(f, 1, 0x41, false);
		guest_msix(f, true, false);
		assert_true(!f->armed[0] && f->armed[1]);
		guest_msix(f, false, false);
		assert_int_equal(vfio_dev_reset(f->dev, &d), 0);
	}
	guest_entry(f, 0, 0x40, false);
	guest_msix(f, true, false);
	/* Masked by the guest meanwhile: stays so. */
	guest_mask(f, 0, true);
	vfio_dev_throttle(f->dev, VFIO_KIND_MSIX, 0, false);
	assert_false(f->armed[0]);
	guest_mask(f, 0, false);
	assert_true(f->armed[0]);
	fake_no_fault(f);
}

/* What came meanwhile is lost, so the driver is made to look, once. */
static void test_hold_plain_msi(void **state)
{
	struct fake *f = *state;
	struct pollfd pfd = { .events = POLLIN };

	f->vectors = 0;
	f->msi_vectors = 2;
	f->plain_msi = true;
	fake_open_ok(f, false);
	plain_msi(f, 0x40, 1, true);
	pfd.fd = irq_bank_eventfd(f->dev->irq.bank, 1);
	fake_forget(f);
	vfio_dev_throttle(f->dev, VFIO_KIND_MSI, 1, true);
	fake_expect(f, "irqs MSI 1: -\n");
	assert_int_equal(poll(&pfd, 1, 0), 0);
	vfio_dev_throttle(f->dev, VFIO_KIND_MSI, 1, false);
	fake_expect(f, "irqs MSI 1: +\n");
	assert_int_equal(poll(&pfd, 1, 0), 1);
}

static void test_hold_maskable_msi(void **state)
{
	struct fake *f = *state;
	struct pollfd pfd = { .events = POLLIN };

	f->vectors = 0;
	f->msi_vectors = 2;
	fake_open_ok(f, false);
	vfio_dev_cfg_write(f->dev, FAKE_MSI_CAP + PCI_MSI_FLAGS, 2,
	                   PCI_MSI_FLAGS_ENABLE);
	pfd.fd = irq_bank_eventfd(f->dev->irq.bank, 0);
	fake_forget(f);
	vfio_dev_throttle(f->dev, VFIO_KIND_MSI, 0, true);
	vfio_dev_throttle(f->dev, VFIO_KIND_MSI, 0, false);
	fake_expect(f, "irqs MSI 0: -\nirqs MSI 0: +\n");
	assert_int_equal(poll(&pfd, 1, 0), 0); /* the pending bit has it */
}

/* By INTx Disable, in whatever access the guest writes COMMAND. */
static void test_hold_intx(void **state)
{
	struct fake *f = *state;
	struct vfio_vector vec;

	f->pin = 1;
	fake_open_ok(f, false);
	guest_command(f, PCI_COMMAND_MASTER);
	fake_forget(f);
	vfio_dev_throttle(f->dev, VFIO_KIND_INTX, 0, true);
	vfio_dev_throttle(f->dev, VFIO_KIND_INTX, 0, true);
	fake_expect(f, "cfg 4=0404\n");
	assert_int_equal(vfio_dev_vectors(f->dev, &vec, 1), 1);
	assert_true(vec.throttled);
	guest_command(f, PCI_COMMAND_MASTER);
	vfio_dev_cfg_write(f->dev, PCI_COMMAND + 1, 1, 0);
	vfio_dev_cfg_write(f->dev, PCI_COMMAND, 1, PCI_COMMAND_MASTER);
	vfio_dev_cfg_write(f->dev, PCI_COMMAND, 4, PCI_COMMAND_MASTER);
	fake_expect(f, "cfg 4=0404\ncfg 5=04\ncfg 4=04\ncfg 4=00100404\n");
	assert_int_equal(vfio_dev_cfg_read(f->dev, PCI_COMMAND, 2),
	                 PCI_COMMAND_MASTER);
	vfio_dev_throttle(f->dev, VFIO_KIND_INTX, 0, false);
	fake_expect(f, "cfg 4=0004\n");
	/* The guest's own INTx Disable stays. */
	guest_command(f, DISABLED);
	vfio_dev_throttle(f->dev, VFIO_KIND_INTX, 0, true);
	vfio_dev_throttle(f->dev, VFIO_KIND_INTX, 0, false);
	fake_expect(f, "cfg 4=0404\ncfg 4=0404\ncfg 4=0404\n");
}

static void test_hold_nothing(void **state)
{
	struct fake *f = *state;

	fake_open_ok(f, false);
	vfio_dev_throttle(f->dev, VFIO_KIND_INTX, 0, true);
	vfio_dev_throttle(f->dev, VFIO_KIND_MSIX, 5, true);
	vfio_dev_throttle(f->dev, VFIO_KIND_MSI, UINT32_MAX, true);
	fake_expect(f, "");
	fake_close(f);
	f->vectors = 0;
	fake_open_ok(f, false);
	vfio_dev_throttle(f->dev, VFIO_KIND_MSIX, 0, true);
	assert_int_equal(vfio_dev_vectors(f->dev, NULL, 0), 0);
}

/* ---- D3hot ---- */

static void power(struct fake *f, unsigned state)
{
	vfio_dev_cfg_write(f->dev, FAKE_PM_CAP + PCI_PM_CTRL, 2, state);
}

/* Windows go before the device sleeps and come after it woke; vectors stay. */
static void test_power(void **state)
{
	struct fake *f = *state;

	fake_open_ok(f, false);
	guest_command(f, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	guest_entry(f, 0, 0x40, false);
	guest_msix(f, true, false);
	fake_forget(f);
	power(f, 3);
	fake_expect(f, "-win 0 2000\n-win 3000 5000\n-trap 0 0\n"
	               "cfg 94=0003\n");
	assert_int_equal(vfio_dev_stats(f->dev).vectors, 1);
	assert_int_equal(vfio_dev_stats(f->dev).windows, 0);
	power(f, 3);
	fake_expect(f, "cfg 94=0003\n");
	power(f, 0);
	fake_expect(f, "cfg 94=0000\ncfg 4=0006\n+trap 0 0\n+win 0 2000\n"
	               "+win 3000 5000\n");
	assert_true(f->armed[0]);
	fake_no_fault(f);
}

/* INTx, too: its level is looked at by configuration space alone. */
static void test_power_intx(void **state)
{
	struct fake *f = *state;

	f->pin = 1;
	f->vectors = 0;
	fake_open_ok(f, false);
	guest_command(f, PCI_COMMAND_MASTER);
	fake_forget(f);
	power(f, 3);
	power(f, 0);
	fake_expect(f, "cfg 94=0003\ncfg 94=0000\ncfg 4=0004\n");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		T(test_list_msix),         T(test_list_msi),
		T(test_list_intx),         T(test_hold_msix),
		T(test_hold_stays),        T(test_hold_plain_msi),
		T(test_hold_maskable_msi), T(test_hold_intx),
		T(test_hold_nothing),      T(test_power),
		T(test_power_intx),
	};

	return cmocka_run_group_tests_name("vfio/vector", tests, NULL, NULL);
}
