/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices with back doors to configuration space or the MSI-X table, by the
 * rows of pci-config's table. The kernel is played (fake.h). */

#include "tests/unit/vfio/fake.h"

#include <linux/pci_regs.h>
#include <stdlib.h>

#define VGA 0x030000
#define COMMAND_ON (PCI_COMMAND_IO | PCI_COMMAND_MEMORY)
#define XVE 0x88000u   /* NVIDIA's mirror in BAR 0 */
#define ATI_AT 0x4000u /* ATI's in BAR 2 */

static int setup(void **state)
{
	struct fake *f;

	(void)fake_setup(state);
	f = *state;
	f->vectors = 0;
	return 0;
}

static void open_nvidia(struct fake *f)
{
	f->ids = 0x1b8010de; /* GP104 */
	f->class = VGA;
	f->bar0_size = 16 << 20;
	fake_open_ok(f, false);
	assert_true(f->dev->n_doors > 0);
}

static void open_ati(struct fake *f)
{
	f->ids = 0x67df1002;
	f->class = VGA;
	f->bar0_size = 0x10000;
	f->bar2_size = 0x10000;
	f->bar4_size = 0x100;
	fake_open_ok(f, false);
	assert_int_equal(f->dev->n_doors, 2);
}

static uint32_t cfg(struct fake *f, unsigned off)
{
	return vfio_dev_cfg_read(f->dev, off, 4);
}

/* ---- mirror ---- */

static void test_none(void **state)
{
	struct fake *f = *state;

	fake_open_ok(f, false);
	assert_int_equal(f->dev->n_doors, 0);
}

/* Its pages are no window, and what is behind is the guest's own view. */
static void test_mirror(void **state)
{
	struct fake *f = *state;

	open_nvidia(f);
	for (unsigned i = 0; i < f->dev->bar[0].n_spans; i++) {
		const struct vfio_span *s = &f->dev->bar[0].span[i];

		assert_false(ranges_overlap(XVE, CFG_SIZE, s->off, s->size));
	}
	assert_int_equal(vfio_dev_bar_read(f->dev, 0, XVE, 4), f->ids);
	assert_int_equal(vfio_dev_bar_read(f->dev, 0, XVE + 2, 2), 0x1b80);
	assert_int_equal(vfio_dev_bar_read(f->dev, 0, XVE + 3, 1), 0x1b);
	assert_int_equal(vfio_dev_bar_read(f->dev, 0, XVE, 8),
	                 f->ids | (uint64_t)cfg(f, 4) << 32);
	fake_expect(f, "");
	/* Beside it are registers. */
	assert_int_equal(vfio_dev_bar_read(f->dev, 0, XVE + CFG_SIZE, 4),
	                 0xdddddddd);
	vfio_dev_bar_write(f->dev, 0, XVE - 4, 4, 1);
	fake_expect(f, "bar 0 89000\nbar 0 87ffc=00000001\n");
	/* Across its edge: neither. */
	assert_int_equal(vfio_dev_bar_read(f->dev, 0, XVE - 2, 4), UINT32_MAX);
	vfio_dev_bar_write(f->dev, 0, XVE - 2, 4, 1);
	fake_expect(f, "");
}

/* A write is the guest's configuration write, with all its consequences. */
static void test_mirror_write(void **state)
{
	struct fake *f = *state;

	open_nvidia(f);
	vfio_dev_bar_write(f->dev, 0, XVE + PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	fake_expect(f, "cfg 4=0004\n");
	assert_int_equal(cfg(f, PCI_COMMAND) & 0xffff, PCI_COMMAND_MASTER);
	vfio_dev_bar_write(f->dev, 0, XVE + PCI_BASE_ADDRESS_0, 4, 0xd0000000);
	fake_expect(f, "");
	assert_int_equal(cfg(f, PCI_BASE_ADDRESS_0),
	                 0xd0000000 | PCI_BASE_ADDRESS_MEM_TYPE_64);
	/* The MSI acknowledge passes, whatever the view makes of it. */
	vfio_dev_bar_write(f->dev, 0, XVE + 0x704, 4, 0);
	fake_expect(f, "bar 0 88704=00000000\n");
	vfio_dev_bar_write(f->dev, 0, XVE + 0x700, 8, 0x1111111122222222);
	fake_expect(f, "bar 0 88704=11111111\n");
}

/* ---- window ---- */

static void test_window(void **state)
{
	struct fake *f = *state;

	open_ati(f);
	guest_command(f, COMMAND_ON);
	fake_forget(f);
	/* An address that is none of configuration space's. */
	vfio_dev_bar_write(f->dev, 4, 0, 4, 0x100);
	assert_int_equal(vfio_dev_bar_read(f->dev, 4, 4, 4), 0xdddddddd);
	vfio_dev_bar_write(f->dev, 4, 4, 4, 7);
	fake_expect(f, "bar 4 0=00000100\nbar 4 4\nbar 4 4=00000007\n");
	/* One that is. The device sees the address, never the data. */
	vfio_dev_bar_write(f->dev, 4, 0, 4, ATI_AT + PCI_VENDOR_ID);
	assert_int_equal(vfio_dev_bar_read(f->dev, 4, 4, 4), f->ids);
	assert_int_equal(vfio_dev_bar_read(f->dev, 4, 6, 2), 0x67df);
	fake_expect(f, "bar 4 0=00004000\n");
	/* Written byte by byte, and the data by halves. */
	vfio_dev_bar_write(f->dev, 4, 0, 1, PCI_COMMAND);
	vfio_dev_bar_write(f->dev, 4, 4, 2, COMMAND_ON | PCI_COMMAND_MASTER);
	fake_expect(f, "bar 4 0=04\ncfg 4=0007\n");
	assert_int_equal(vfio_dev_bar_read(f->dev, 2, ATI_AT + 4, 2), 7);
	/* Both registers by one access. */
	vfio_dev_bar_write(f->dev, 4, 0, 8,
	                   (uint64_t)COMMAND_ON << 32 | (ATI_AT + 4));
	fake_expect(f, "bar 4 0=00004004\ncfg 4=00100003\n");
}

/* ---- the MSI-X table ---- */

static void test_table(void **state)
{
	struct fake *f = *state;

	f->ids = 0x816810ec;
	f->vectors = 4;
	f->bar0_size = FAKE_BAR0_SIZE;
	f->bar2_size = 0x1000;
	fake_open_ok(f, false);
	assert_int_equal(f->dev->n_doors, 1);
	guest_entry(f, 1, 0x41, false);
	/* Entry 1's data: read. */
	vfio_dev_bar_write(f->dev, 2, 0x74, 4, 0x10000 + 16 + 8);
	assert_int_equal(vfio_dev_bar_read(f->dev, 2, 0x74, 4),
	                 BIT(31) | 0x10018);
	assert_int_equal(vfio_dev_bar_read(f->dev, 2, 0x70, 4), 0x41);
	fake_expect(f, "");
	/* And written: the guest's table, not the device's. */
	vfio_dev_bar_write(f->dev, 2, 0x70, 4, 0x99);
	vfio_dev_bar_write(f->dev, 2, 0x74, 4, BIT(31) | 0xf000 | 0x10018);
	fake_expect(f, "bar 2 70=00000099\n");
	assert_int_equal(f->dev->msix.entry[1].data, 0x99);
	/* Other addresses are the device's business. */
	vfio_dev_bar_write(f->dev, 2, 0x74, 4, 0x20000);
	assert_int_equal(vfio_dev_bar_read(f->dev, 2, 0x70, 4), 0xdddddddd);
	fake_expect(f, "bar 2 74=00020000\nbar 2 70\n");
}

/* Anything at all, at every place and width: answered, none lost outside. */
static void test_noise(void **state)
{
	struct fake *f = *state;

	open_ati(f);
	srandom(4);
	for (unsigned i = 0; i < 200000; i++) {
		unsigned bar = (unsigned)random() % 3 * 2;
		uint64_t off = (uint64_t)random() % 0x6000;
		unsigned width = 1u << random() % 4;

		if (bar == 4)
			off %= 16;
		vfio_dev_bar_write(f->dev, bar, off, width, (uint64_t)random());
		(void)vfio_dev_bar_read(f->dev, bar, off, width);
		fake_forget(f);
	}
}

/* ---- others ---- */

static void test_no_rom(void **state)
{
	struct fake *f = *state;

	f->ids = 0x168e14e4;
	f->rom_size = 0x10000;
	fake_open_ok(f, false);
	assert_int_equal(vfio_dev_layout(f->dev)->rom_size, 0);
}

/* The kernel says that it can; the table says that it does not help. */
static void test_own_reset(void **state)
{
	struct fake *f = *state;
	struct diag d = { 0 };

	f->ids = 0x148c1022;
	fake_open_ok(f, false);
	assert_false(vfio_dev_resets_alone(f->dev));
	assert_int_equal(vfio_dev_stats(f->dev).resets, 0);
	assert_int_equal(vfio_dev_reset(f->dev, &d), -EOPNOTSUPP);
	fake_expect(f, "cfg 4=0000\n");
}

static void test_bus_reset(void **state)
{
	struct fake *f = *state;
	struct diag d = { 0 };

	f->ids = 0x0030168c;
	fake_open_ok(f, false);
	assert_int_equal(vfio_hot_reset(&f->dev, 1, NULL, 0, &d), -EPERM);
	assert_int_equal(d.code, FL_VFIO_HOT_RESET);
	assert_non_null(strstr(d.why, f->bdf));
	fake_expect(f, "");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		T(test_none),   T(test_mirror),    T(test_mirror_write),
		T(test_window), T(test_table),     T(test_noise),
		T(test_no_rom), T(test_own_reset), T(test_bus_reset),
	};

	return cmocka_run_group_tests_name("vfio/quirk", tests, NULL, NULL);
}
