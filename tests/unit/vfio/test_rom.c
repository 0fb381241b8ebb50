/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The expansion ROM: where it is from, when it is read, where it lies. The
 * kernel and the VMM are played (fake.h). */

#include "tests/unit/vfio/fake.h"

#include <linux/pci_regs.h>
#include <stdlib.h>
#include <unistd.h>

#define AT 0xe0100000u
#define ROM_ON (AT | PCI_ROM_ADDRESS_ENABLE)
#define SIZE 0x4000u

static int setup(void **state)
{
	struct fake *f;

	(void)fake_setup(state);
	f = *state;
	f->bar0_size = 0;
	f->vectors = 0;
	f->rom_size = SIZE;
	return 0;
}

static void open_how(struct fake *f, bool no_rom, int rom_fd)
{
	const struct fake_how how = { .no_rom = no_rom, .rom_fd = rom_fd };
	struct diag d = { 0 };

	if (fake_open_how(f, &how, &d) < 0)
		fail_msg("%s: %s", d.what, d.why);
	fake_forget(f);
}

static void rom_bar(struct fake *f, uint32_t value)
{
	vfio_dev_cfg_write(f->dev, PCI_ROM_ADDRESS, 4, value);
}

static uint64_t rom_read(struct fake *f, uint64_t off, unsigned width)
{
	return vfio_dev_bar_read(f->dev, VFIO_ROM, off, width);
}

/* Of a new file, unlinked; the caller closes it. */
static int rom_file(size_t size, uint16_t signature)
{
	char path[] = "/tmp/fl-rom-XXXXXX";
	uint8_t bytes[3000];
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	assert_true(size <= sizeof(bytes));
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i ^ 0x5a);
	store_le(bytes, 2, signature);
	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	return fd;
}

/* ---- the device's ---- */

/* Not before the guest wants it; then once. */
static void test_lazy(void **state)
{
	struct fake *f = *state;

	open_how(f, false, -1);
	assert_int_equal(vfio_dev_layout(f->dev)->rom_size, SIZE);
	rom_bar(f, 0xfffff800);
	assert_int_equal(vfio_dev_cfg_read(f->dev, PCI_ROM_ADDRESS, 4),
	                 ~(SIZE - 1));
	rom_bar(f, ROM_ON);
	fake_expect(f, ""); /* memory does not decode yet */
	guest_command(f, PCI_COMMAND_MEMORY);
	fake_expect(f, "cfg 4=0002\n+trap 6 e0100000\nread rom\n"
	               "+rom e0100000 4000\n");
	for (size_t i = 0; i < SIZE; i++)
		assert_int_equal(((const uint8_t *)f->hva)[i], fake_rom(i));
	rom_bar(f, AT);
	fake_expect(f, "-win e0100000 4000\n-trap 6 e0100000\n");
	rom_bar(f, ROM_ON + SIZE);
	fake_expect(f, "+trap 6 e0104000\n+rom e0104000 4000\n");
	/* Moves without being off. */
	rom_bar(f, ROM_ON);
	fake_expect(f, "-win e0104000 4000\n-trap 6 e0104000\n"
	               "+trap 6 e0100000\n+rom e0100000 4000\n");
	guest_command(f, 0);
	fake_expect(f, "-win e0100000 4000\n-trap 6 e0100000\ncfg 4=0000\n");
}

static void test_trapped(void **state)
{
	struct fake *f = *state;

	open_how(f, false, -1);
	assert_int_equal(rom_read(f, 0, 4), UINT32_MAX); /* not read yet */
	f->refuse_window = true;
	guest_command(f, PCI_COMMAND_MEMORY);
	rom_bar(f, ROM_ON);
	assert_int_equal(rom_read(f, 0, 2), 0xaa55);
	assert_int_equal(rom_read(f, SIZE - 1, 1), fake_rom(SIZE - 1));
	assert_int_equal(rom_read(f, SIZE - 1, 2), UINT64_MAX); /* outside */
	vfio_dev_bar_write(f->dev, VFIO_ROM, 0, 4, 0x1234);
	assert_int_equal(rom_read(f, 0, 2), 0xaa55);
	f->refuse_window = false;
}

/* Smaller than a page: the guest sees a page, ones where the ROM ends. */
static void test_small(void **state)
{
	struct fake *f = *state;

	f->rom_size = 2048;
	open_how(f, false, -1);
	assert_int_equal(vfio_dev_layout(f->dev)->rom_size, PAGE);
	guest_command(f, PCI_COMMAND_MEMORY);
	rom_bar(f, ROM_ON);
	assert_int_equal(rom_read(f, 2047, 1), fake_rom(2047));
	assert_int_equal(rom_read(f, 2048, 4), UINT32_MAX);
}

/* Tried once, said once; a reset lets it be tried again. */
static void test_unreadable(void **state)
{
	struct fake *f = *state;
	struct diag d = { 0 };

	f->rom_error = EIO;
	open_how(f, false, -1);
	guest_command(f, PCI_COMMAND_MEMORY);
	rom_bar(f, ROM_ON);
	assert_true(vfio_dev_take_fault(f->dev, &d));
	assert_int_equal(d.code, FL_VFIO_ROM);
	assert_non_null(strstr(d.what, f->bdf));
	assert_int_equal(rom_read(f, 0, 4), UINT32_MAX);
	fake_forget(f);
	rom_bar(f, AT);
	rom_bar(f, ROM_ON);
	fake_expect(f, "-trap 6 e0100000\n+trap 6 e0100000\n");
	assert_false(vfio_dev_take_fault(f->dev, &d));
	f->rom_error = 0;
	assert_int_equal(vfio_dev_reset(f->dev, &d), 0);
	guest_command(f, PCI_COMMAND_MEMORY);
	rom_bar(f, ROM_ON);
	assert_int_equal(rom_read(f, 0, 2), 0xaa55);
}

/* ---- none ---- */

static void expect_none(struct fake *f)
{
	assert_int_equal(vfio_dev_layout(f->dev)->rom_size, 0);
	guest_command(f, PCI_COMMAND_MEMORY);
	rom_bar(f, ROM_ON);
	fake_expect(f, "cfg 4=0002\n");
	assert_int_equal(vfio_dev_cfg_read(f->dev, PCI_ROM_ADDRESS, 4), 0);
	assert_int_equal(rom_read(f, 0, 4), UINT64_MAX);
}

static void test_forbidden(void **state)
{
	struct fake *f = *state;

	open_how(f, true, -1);
	expect_none(f);
}

static void test_absent(void **state)
{
	struct fake *f = *state;

	f->rom_size = 0;
	open_how(f, false, -1);
	expect_none(f);
}

static void test_nonsense_size(void **state)
{
	struct fake *f = *state;

	f->rom_size = 32u << 20;
	open_how(f, false, -1);
	expect_none(f);
	fake_close(f);
	f->rom_size = 3000;
	open_how(f, false, -1);
	fake_forget(f);
	expect_none(f);
}

/* ---- a file's ---- */

static void test_file(void **state)
{
	struct fake *f = *state;
	int fd = rom_file(3000, 0xaa55);

	open_how(f, false, fd);
	close_fd(&fd); /* borrowed while opening only */
	assert_int_equal(vfio_dev_layout(f->dev)->rom_size, PAGE);
	guest_command(f, PCI_COMMAND_MEMORY);
	rom_bar(f, ROM_ON);
	fake_expect(f, "cfg 4=0002\n+trap 6 e0100000\n+rom e0100000 1000\n");
	assert_int_equal(rom_read(f, 0, 2), 0xaa55);
	assert_int_equal(rom_read(f, 2999, 1), (2999 ^ 0x5a) & 0xff);
	assert_int_equal(rom_read(f, 3000, 1), 0xff);
}

static void refused_file(struct fake *f, int fd)
{
	const struct fake_how how = { .rom_fd = fd };
	struct diag d = { 0 };

	assert_true(fake_open_how(f, &how, &d) < 0);
	assert_int_equal(d.code, FL_VFIO_ROM);
	assert_non_null(strstr(d.what, f->bdf));
	assert_true(d.why[0] && d.mend[0]);
	close_fd(&fd);
}

static void test_bad_files(void **state)
{
	struct fake *f = *state;
	int pipes[2], fd = rom_file(3000, 0xaa55);

	assert_int_equal(ftruncate(fd, (16 << 20) + 1), 0);
	refused_file(f, fd);
	refused_file(f, rom_file(3000, 0x55aa));
	fd = rom_file(2, 0xaa55);
	assert_int_equal(ftruncate(fd, 1), 0);
	refused_file(f, fd);
	assert_int_equal(pipe(pipes), 0);
	close_fd(&pipes[1]);
	refused_file(f, pipes[0]);
	/* The limit itself. */
	fd = rom_file(3000, 0xaa55);
	assert_int_equal(ftruncate(fd, 16 << 20), 0);
	open_how(f, false, fd);
	assert_int_equal(vfio_dev_layout(f->dev)->rom_size, 16 << 20);
	close_fd(&fd);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		T(test_lazy),          T(test_trapped),   T(test_small),
		T(test_unreadable),    T(test_forbidden), T(test_absent),
		T(test_nonsense_size), T(test_file),      T(test_bad_files),
	};

	return cmocka_run_group_tests_name("vfio/rom", tests, NULL, NULL);
}
