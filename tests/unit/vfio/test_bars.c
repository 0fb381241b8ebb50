/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BARs of odd sizes: smaller than a page, and larger than this machine's
 * memory. The kernel and the VMM are played (fake.h). */

#include "tests/unit/vfio/fake.h"

#include <linux/pci_regs.h>
#include <stdlib.h>

#define AT 0xe0000000u
#define GIB (1ull << 30)

static int setup(void **state)
{
	struct fake *f;

	(void)fake_setup(state);
	f = *state;
	f->vectors = 0;
	f->bar0_size = 256;
	return 0;
}

static void open_ok(struct fake *f)
{
	fake_open_ok(f, false);
	guest_command(f, PCI_COMMAND_MEMORY);
	fake_forget(f);
}

static void bar0(struct fake *f, uint32_t at)
{
	vfio_dev_cfg_write(f->dev, PCI_BASE_ADDRESS_0, 4, at);
}

/* A device that has gone takes no COMMAND: what it shows would end the guest,
 * for the kernel answers with a fault in the middle of KVM_RUN. */
static void test_no_answer(void **state)
{
	struct fake *f = *state;

	open_ok(f);
	guest_command(f, 0);
	assert_int_equal(vfio_dev_stats(f->dev).windows, 0);
	f->calls = 0;
	f->fail_call = 1;
	f->fail_error = EIO;
	guest_command(f, PCI_COMMAND_MEMORY);
	assert_string_equal(f->failed, "write");
	assert_int_equal(vfio_dev_stats(f->dev).windows, 0);
	f->fail_call = 0;
	guest_command(f, PCI_COMMAND_MEMORY);
	guest_command(f, 0);
	guest_command(f, PCI_COMMAND_MEMORY);
	assert_int_equal(vfio_dev_stats(f->dev).windows, 1);
}

/* ---- smaller than a page ---- */

/* The window is the page, the trap is the BAR. */
static void test_page(void **state)
{
	struct fake *f = *state;

	open_ok(f);
	bar0(f, AT);
	fake_expect(f, "-win 0 1000\n-trap 0 0\n"
	               "+trap 0 e0000000\n+win e0000000 1000\n");
	/* Inside a page: trapped only. */
	bar0(f, AT + 256);
	fake_expect(f, "-win e0000000 1000\n-trap 0 e0000000\n"
	               "+trap 0 e0000100\n");
	f->reg[1] = 0x12345678;
	assert_int_equal(vfio_dev_bar_read(f->dev, 0, 4, 4), 0x12345678);
	assert_int_equal(vfio_dev_bar_read(f->dev, 0, 256, 4), UINT64_MAX);
	bar0(f, AT + PAGE);
	fake_expect(f, "-trap 0 e0000100\n+trap 0 e0001000\n"
	               "+win e0001000 1000\n");
}

/* Another BAR of the function in the same page: neither is shown. */
static void test_neighbour(void **state)
{
	struct fake *f = *state;

	f->bar2_size = 16;
	open_ok(f);
	guest_command(f, 0);
	vfio_dev_cfg_write(f->dev, PCI_BASE_ADDRESS_2, 4, AT + 0x800);
	bar0(f, AT);
	fake_forget(f);
	guest_command(f, PCI_COMMAND_MEMORY);
	fake_expect(f, "cfg 4=0002\n+trap 0 e0000000\n+trap 2 e0000800\n");
	/* It moves away: both are. */
	vfio_dev_cfg_write(f->dev, PCI_BASE_ADDRESS_2, 4, AT + PAGE);
	fake_expect(f, "-trap 2 e0000800\n+trap 2 e0001000\n"
	               "+win e0000000 1000\n+win e0001000 1000\n");
	/* And back: the one that was shown is hidden. */
	vfio_dev_cfg_write(f->dev, PCI_BASE_ADDRESS_2, 4, AT + 0x900);
	fake_expect(f, "-win e0001000 1000\n-trap 2 e0001000\n"
	               "+trap 2 e0000900\n-win e0000000 1000\n");
}

/* Another function's: the VMM knows, and it is no fault. */
static void test_neighbour_function(void **state)
{
	struct fake *f = *state;
	struct diag d;

	f->refuse_window = true;
	f->window_error = EADDRINUSE;
	open_ok(f);
	bar0(f, AT);
	assert_false(vfio_dev_take_fault(f->dev, &d));
	assert_int_equal(vfio_dev_stats(f->dev).windows, 0);
	/* Looked at again with the next change. */
	f->refuse_window = false;
	fake_forget(f);
	vfio_dev_offer(f->dev);
	fake_expect(f, "+win e0000000 1000\n");
}

/* ---- large ---- */

static void expect_aligned(struct fake *f, uint64_t size)
{
	f->bar0_size = size;
	open_ok(f);
	assert_int_equal((uintptr_t)f->hva & (MIN(size, GIB) - 1), 0);
	assert_int_equal(f->dev->bar[0].reserved, size);
	fake_close(f);
}

/* Huge pages can back it: both addresses agree below 2 MiB or 1 GiB. */
static void test_alignment(void **state)
{
	struct fake *f = *state;

	expect_aligned(f, PAGE);
	expect_aligned(f, 2u << 20);
	expect_aligned(f, 512u << 20);
	expect_aligned(f, GIB);
	expect_aligned(f, 64 * GIB);
}

/* ---- offered again ---- */

static void test_offer(void **state)
{
	struct fake *f = *state;

	f->refuse_trap = AT;
	open_ok(f);
	bar0(f, AT);
	fake_expect(f, "-win 0 1000\n-trap 0 0\n");
	vfio_dev_offer(f->dev);
	fake_expect(f, "");
	f->refuse_trap = UINT64_MAX;
	vfio_dev_offer(f->dev);
	fake_expect(f, "+trap 0 e0000000\n+win e0000000 1000\n");
	vfio_dev_offer(f->dev);
	fake_expect(f, "");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		T(test_no_answer), T(test_page),
		T(test_neighbour), T(test_neighbour_function),
		T(test_alignment), T(test_offer),
	};

	return cmocka_run_group_tests_name("vfio/bars", tests, NULL, NULL);
}
