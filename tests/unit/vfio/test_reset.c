/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ladder behind a function's own reset (test_device.c has that): a bus
 * reset with everybody on it, an error that the host has seen, a device that
 * is gone. The kernel is played (fake.h). */

#include "tests/unit/vfio/fake.h"

#include <linux/pci_regs.h>

#define MEM_MASTER (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)
#define GROUP_FD 7

/* Two functions of one bus. */
struct fix {
	struct fake a, b;
};

static int setup(void **state)
{
	struct fix *x = calloc(1, sizeof(*x));

	assert_non_null(x);
	fake_init(&x->a);
	fake_init(&x->b);
	x->a.bdf = "0000:02:00.0";
	x->b.bdf = "0000:02:00.1";
	*state = x;
	return 0;
}

static int teardown(void **state)
{
	struct fix *x = *state;

	fake_close(&x->a);
	fake_close(&x->b);
	free(x);
	return 0;
}

/* Function `fn` of bus 2 is on the bus of the first. */
static void on_bus(struct fix *x, unsigned fn, uint32_t id)
{
	x->a.bus[x->a.n_bus++] = (struct vfio_pci_dependent_device){
		.group_id = id,
		.bus = 2,
		.devfn = (uint8_t)fn,
	};
}

static int reset_both(struct fix *x, unsigned n_groups, struct diag *d)
{
	struct vfio_dev *devs[] = { x->a.dev, x->b.dev };
	const int group_fds[] = { GROUP_FD, GROUP_FD };

	return vfio_hot_reset(devs, 2, group_fds, n_groups, d);
}

/* ---- bus reset ---- */

/* Interrupts and windows of both first, the view of both after. */
static void test_both(void **state)
{
	struct fix *x = *state;
	struct diag d = { 0 };

	on_bus(x, 0, 11);
	on_bus(x, 1, 12);
	fake_open_ok(&x->a, false);
	fake_open_ok(&x->b, false);
	guest_command(&x->a, MEM_MASTER);
	guest_command(&x->b, MEM_MASTER);
	guest_msix(&x->b, true, false);
	fake_forget(&x->a);
	fake_forget(&x->b);
	if (reset_both(x, 2, &d) < 0)
		fail_msg("%s: %s", d.what, d.why);
	fake_expect(&x->a, "-win 0 2000\n-win 3000 5000\n-trap 0 0\n"
	                   "hot reset 2\ncfg 4=0000\n");
	fake_expect(&x->b, "irqs MSIX off\n-win 0 2000\n-win 3000 5000\n"
	                   "-trap 0 0\ncfg 4=0000\n");
	assert_int_equal(vfio_dev_stats(x->a.dev).resets, 2);
	assert_int_equal(vfio_dev_stats(x->b.dev).resets, 2);
	assert_int_equal(vfio_dev_cfg_read(x->b.dev, PCI_COMMAND, 2), 0);
}

/* More on the bus than we asked room for: asked again. Those in a group of
 * ours need no name. */
static void test_companions(void **state)
{
	struct fix *x = *state;
	struct diag d = { 0 };

	on_bus(x, 0, 11);
	on_bus(x, 1, 11);
	for (unsigned fn = 2; fn < 8; fn++)
		on_bus(x, fn, 11);
	fake_open_ok(&x->a, false);
	fake_open_ok(&x->b, false);
	assert_int_equal(reset_both(x, 1, &d), 0);
	fake_expect(&x->a, "hot reset 1\ncfg 4=0000\n");
}

static void test_strangers(void **state)
{
	struct fix *x = *state;
	struct diag d = { 0 };

	on_bus(x, 0, 11);
	on_bus(x, 1, 12);
	on_bus(x, 2, 13);
	on_bus(x, 3, 11);
	on_bus(x, 4, 14);
	fake_open_ok(&x->a, false);
	fake_open_ok(&x->b, false);
	guest_command(&x->a, PCI_COMMAND_MASTER);
	fake_forget(&x->a);
	assert_int_equal(reset_both(x, 2, &d), -EPERM);
	assert_int_equal(d.code, FL_VFIO_HOT_RESET);
	assert_non_null(strstr(d.what, "0000:02:00.0"));
	assert_non_null(strstr(d.why, "0000:02:00.2"));
	assert_non_null(strstr(d.why, "0000:02:00.4"));
	assert_null(strstr(d.why, "0000:02:00.1"));
	assert_null(strstr(d.why, "0000:02:00.3"));
	assert_true(d.mend[0]);
	/* Nothing was touched. */
	fake_expect(&x->a, "");
	fake_expect(&x->b, "");
	assert_int_equal(vfio_dev_cfg_read(x->a.dev, PCI_COMMAND, 2),
	                 PCI_COMMAND_MASTER);
}

/* With character devices the kernel says who is owned. */
static void test_devids(void **state)
{
	struct fix *x = *state;
	struct diag d = { 0 };

	x->a.devids = true;
	on_bus(x, 0, 1);
	on_bus(x, 1, 2);
	on_bus(x, 2, VFIO_PCI_DEVID_OWNED);
	fake_open_ok(&x->a, false);
	fake_open_ok(&x->b, false);
	assert_int_equal(reset_both(x, 0, &d), 0);
	fake_expect(&x->a, "hot reset 0\ncfg 4=0000\n");
	on_bus(x, 3, (uint32_t)VFIO_PCI_DEVID_NOT_OWNED);
	assert_int_equal(reset_both(x, 0, &d), -EPERM);
	assert_non_null(strstr(d.why, "0000:02:00.3"));
	assert_null(strstr(d.why, "0000:02:00.2"));
	/* Attached to this guest, and forgotten by the caller. */
	x->a.bus[3].devid = 3;
	assert_int_equal(reset_both(x, 0, &d), -EPERM);
	assert_non_null(strstr(d.why, "0000:02:00.3"));
	fake_expect(&x->a, "");
}

/* More strangers than a line holds are counted. */
static void test_many_strangers(void **state)
{
	struct fix *x = *state;
	struct diag d = { 0 };

	on_bus(x, 0, 11);
	for (unsigned fn = 1; fn < ARRAY_SIZE(x->a.bus); fn++) {
		on_bus(x, fn, 12);
		x->a.bus[fn].segment = 0x1000;
	}
	fake_open_ok(&x->a, false);
	assert_int_equal(
		vfio_hot_reset(&x->a.dev, 1, (const int[]){ GROUP_FD }, 1, &d),
		-EPERM);
	assert_non_null(strstr(d.why, "1000:02:00.1"));
	assert_non_null(strstr(d.why, "more"));
}

static void test_question_refused(void **state)
{
	struct fix *x = *state;
	struct diag d = { 0 };

	fake_open_ok(&x->a, false);
	fake_open_ok(&x->b, false);
	x->a.bus_error = ENODEV;
	assert_int_equal(reset_both(x, 2, &d), -ENODEV);
	assert_int_equal(d.code, FL_VFIO_HOT_RESET);
	x->a.bus_error = EAGAIN;
	assert_int_equal(reset_both(x, 2, &d), -EAGAIN);
	fake_expect(&x->a, "");
	assert_int_equal(vfio_hot_reset(NULL, 0, NULL, 0, &d), -EINVAL);
	assert_int_equal(d.code, FL_VFIO_HOT_RESET);
}

/* The views are reset all the same; the devices are not, and do not count. */
static void test_reset_refused(void **state)
{
	struct fix *x = *state;
	struct diag d = { 0 };

	on_bus(x, 0, 11);
	on_bus(x, 1, 11);
	fake_open_ok(&x->a, false);
	fake_open_ok(&x->b, false);
	x->a.reset_error = -ENOTTY;
	assert_int_equal(reset_both(x, 1, &d), -ENOTTY);
	assert_int_equal(d.code, FL_VFIO_HOT_RESET);
	fake_expect(&x->a, "hot reset 1\ncfg 4=0000\n");
	fake_expect(&x->b, "cfg 4=0000\n");
	assert_int_equal(vfio_dev_stats(x->b.dev).resets, 1);
	assert_int_equal(vfio_dev_stats(x->b.dev).faults, 1);
	/* Busy for a moment, as with the reset of one. */
	x->a.reset_error = 0;
	x->a.reset_busy = 2;
	assert_int_equal(reset_both(x, 1, &d), 0);
	fake_expect(&x->a, "busy\nbusy\nhot reset 1\ncfg 4=0000\n");
}

/* ---- no reset of its own ---- */

static void test_no_reset(void **state)
{
	struct fix *x = *state;
	struct diag d = { 0 };

	x->a.no_reset = true;
	fake_open_ok(&x->a, false);
	fake_open_ok(&x->b, false);
	assert_false(vfio_dev_resets_alone(x->a.dev));
	assert_true(vfio_dev_resets_alone(x->b.dev));
	assert_int_equal(vfio_dev_stats(x->a.dev).resets, 0);
	guest_command(&x->a, PCI_COMMAND_MASTER);
	fake_forget(&x->a);
	assert_int_equal(vfio_dev_reset(x->a.dev, &d), -EOPNOTSUPP);
	assert_int_equal(d.code, FL_VFIO_NO_RESET);
	assert_non_null(strstr(d.what, "0000:02:00.0"));
	assert_true(d.mend[0]);
	/* The view is reset; the kernel is not asked for what it cannot. */
	fake_expect(&x->a, "cfg 4=0000\n");
	assert_int_equal(vfio_dev_cfg_read(x->a.dev, PCI_COMMAND, 2), 0);
	on_bus(x, 0, 11);
	on_bus(x, 1, 11);
	assert_int_equal(reset_both(x, 1, &d), 0);
	assert_int_equal(vfio_dev_stats(x->a.dev).resets, 1);
}

/* ---- errors ---- */

static void test_error_fd(void **state)
{
	struct fix *x = *state;

	x->a.err_count = 1;
	fake_open_ok(&x->a, false);
	fake_open_ok(&x->b, false);
	assert_true(vfio_dev_error_fd(x->a.dev) >= 0);
	assert_int_not_equal(vfio_dev_error_fd(x->a.dev),
	                     vfio_dev_request_fd(x->a.dev));
	assert_int_equal(vfio_dev_error_fd(x->b.dev), -1);
}

static void test_check(void **state)
{
	struct fix *x = *state;
	struct diag d = { 0 };

	fake_open_ok(&x->a, false);
	assert_int_equal(vfio_dev_check(x->a.dev, &d), 0);
	/* What the guest may change does not matter. */
	x->a.config[PCI_COMMAND] = 7;
	x->a.config[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
	assert_int_equal(vfio_dev_check(x->a.dev, &d), 0);
	/* Another device, and another function of the same maker. */
	x->a.config[PCI_VENDOR_ID] ^= 1;
	assert_int_equal(vfio_dev_check(x->a.dev, &d), -ENODEV);
	assert_int_equal(d.code, FL_VFIO_GONE);
	assert_non_null(strstr(d.what, "0000:02:00.0"));
	x->a.config[PCI_VENDOR_ID] ^= 1;
	x->a.config[PCI_CLASS_DEVICE] ^= 1;
	assert_int_equal(vfio_dev_check(x->a.dev, &d), -ENODEV);
	x->a.config[PCI_CLASS_DEVICE] ^= 1;
	assert_int_equal(vfio_dev_check(x->a.dev, &d), 0);
	/* A VF that is gone: its ids are the kernel's own, Status is not. */
	memset(x->a.config + PCI_STATUS, 0xff, 2);
	assert_int_equal(vfio_dev_check(x->a.dev, &d), -ENODEV);
	x->a.config_error = EIO;
	assert_int_equal(vfio_dev_check(x->a.dev, &d), -ENODEV);
	assert_non_null(strstr(d.why, strerror(EIO)));
	x->a.config_error = 0;
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_both),           T(test_companions),
		T(test_strangers),      T(test_devids),
		T(test_many_strangers), T(test_question_refused),
		T(test_reset_refused),  T(test_no_reset),
		T(test_error_fd),       T(test_check),
	};

	return cmocka_run_group_tests_name("vfio/reset", tests, NULL, NULL);
}
