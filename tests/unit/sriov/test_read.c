/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is read of functions, PFs, VFs and holders. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "sriov/sriov.h"
#include "tests/unit/sriov/tree.h"

#define DEVICES "sys/bus/pci/devices/"

static int setup(void **state)
{
	tree_setup(state);
	tree_add_pf(*state, 7, 2);
	return 0;
}

static void test_function(void **state)
{
	struct tree *t = *state;
	struct sriov_fn f;

	assert_int_equal(sriov_fn_read(t->root_fd, bdf_of(PF), &f), 0);
	assert_int_equal(f.vendor, 0x8086);
	assert_int_equal(f.device, 0x10c9);
	assert_int_equal(f.class_code, 0x020000);
	assert_int_equal(f.numa, -1);
	assert_int_equal(f.group, -1);
	assert_string_equal(f.driver, "igb");
	assert_string_equal(f.override, ""); /* the file says (null) */
	assert_string_equal(f.ifname, "eth0");
	assert_int_equal(sriov_fn_read(t->root_fd, vf_bdf(1), &f), 0);
	assert_int_equal(f.group, 21);
	assert_string_equal(f.driver, "");
	assert_string_equal(f.ifname, "");
	assert_int_equal(sriov_fn_read(t->root_fd, vf_bdf(6), &f), -ENODEV);
}

static void test_pf(void **state)
{
	struct tree *t = *state;
	struct sriov_pf pf;
	struct diag d = { 0 };

	assert_int_equal(sriov_pf_read(t->root_fd, bdf_of(PF), &pf, &d), 0);
	assert_int_equal(pf.total_vfs, 7);
	assert_int_equal(pf.num_vfs, 2);
	assert_int_equal(pf.offset, 384);
	assert_int_equal(pf.stride, 2);
	assert_true(pf.autoprobe);
	assert_true(bdf_equal(pf.vf[1], vf_bdf(1)));
}

/* An older kernel has none, and always probes; what cannot be read is another
 * thing: it would be put back as if it had been 1. */
static void test_autoprobe(void **state)
{
	const char *path = DEVICES PF "/sriov_drivers_autoprobe";
	struct tree *t = *state;
	struct sriov_pf pf;
	struct diag d = { 0 };

	assert_int_equal(unlinkat(t->root_fd, path, 0), 0);
	assert_int_equal(sriov_pf_read(t->root_fd, bdf_of(PF), &pf, &d), 0);
	assert_true(pf.autoprobe);
	assert_int_equal(mkdirat(t->root_fd, path, 0755), 0);
	assert_int_equal(sriov_pf_read(t->root_fd, bdf_of(PF), &pf, &d),
	                 -EISDIR);
	assert_int_equal(d.code, FL_SRIOV_NO_DEVICE);
}

static void test_resets(void **state)
{
	struct tree *t = *state;
	char text[SRIOV_RESETS];

	assert_int_equal(sriov_reset_methods(t->root_fd, bdf_of(PF), text), 0);
	assert_string_equal(text, ""); /* the kernel shows no file then */
	tree_put(t, "", DEVICES PF "/reset");
	assert_int_equal(sriov_reset_methods(t->root_fd, bdf_of(PF), text),
	                 -ENODATA);
	tree_put(t, "flr bus", DEVICES PF "/reset_method");
	assert_int_equal(sriov_reset_methods(t->root_fd, bdf_of(PF), text), 0);
	assert_string_equal(text, "flr bus");

	assert_false(sriov_below_port(t->root_fd, bdf_of(PF)));
	tree_link(t, "../../../devices/pci0000:00/0000:00:02.0",
	          DEVICES "0000:00:02.0");
	assert_false(sriov_below_port(t->root_fd, bdf_of("0000:00:02.0")));
	tree_link(t, "../../../devices/pci0000:00/0000:00:02.0/0000:05:00.0",
	          DEVICES "0000:05:00.0");
	assert_true(sriov_below_port(t->root_fd, bdf_of("0000:05:00.0")));
}

static void test_no_pf(void **state)
{
	struct tree *t = *state;
	struct sriov_pf pf;
	struct diag d = { 0 };

	assert_int_equal(
		sriov_pf_read(t->root_fd, bdf_of("0000:7f:00.0"), &pf, &d),
		-ENODEV);
	assert_int_equal(d.code, FL_SRIOV_NO_DEVICE);
	assert_non_null(strstr(d.what, "0000:7f:00.0"));
	assert_int_equal(sriov_pf_read(t->root_fd, vf_bdf(0), &pf, &d),
	                 -EOPNOTSUPP);
	assert_int_equal(d.code, FL_SRIOV_NO_CAP);
	assert_non_null(strstr(d.mend, PF)); /* it is a VF: of whom */
}

/* The count is ahead of the links while VFs are made. */
static void test_pf_between(void **state)
{
	struct tree *t = *state;
	struct sriov_pf pf;
	struct diag d = { 0 };

	tree_put(t, "3\n", DEVICES PF "/sriov_numvfs");
	assert_int_equal(sriov_pf_read(t->root_fd, bdf_of(PF), &pf, &d),
	                 -EAGAIN);
	assert_int_equal(d.code, FL_SRIOV_WAIT);
	tree_put(t, "nonsense\n", DEVICES PF "/sriov_numvfs");
	assert_int_equal(sriov_pf_read(t->root_fd, bdf_of(PF), &pf, &d),
	                 -EINVAL);
	tree_put(t, "70000\n", DEVICES PF "/sriov_numvfs");
	assert_int_equal(sriov_pf_read(t->root_fd, bdf_of(PF), &pf, &d),
	                 -ERANGE);
}

static int count(struct bdf b, void *arg)
{
	unsigned *n = arg;

	assert_true(bdf_equal(b, bdf_of(PF)));
	++*n;
	return 0;
}

static void test_walk(void **state)
{
	struct tree *t = *state;
	unsigned n = 0;
	struct bdf b;

	assert_int_equal(sriov_each_pf(t->root_fd, count, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(sriov_pf_of(t->root_fd, vf_bdf(0), &b), 0);
	assert_true(bdf_equal(b, bdf_of(PF)));
	assert_int_equal(sriov_pf_of(t->root_fd, bdf_of(PF), &b), -ENOENT);
}

/* One whose file tells nothing may be a PF: it does not pass for gone. */
static void test_walk_unread(void **state)
{
	struct tree *t = *state;
	unsigned n = 0;

	tree_put(t, "", "sys/bus/pci/devices/" PF "/sriov_totalvfs");
	assert_int_equal(sriov_each_pf(t->root_fd, count, &n), -EINVAL);
}

static void test_cdev(void **state)
{
	struct tree *t = *state;
	char name[SRIOV_NAME] = "untouched";

	assert_int_equal(sriov_vfio_cdev(t->root_fd, vf_bdf(0), name), -ENOENT);
	/* Linux 6.1 to 6.5: a name, no device. */
	tree_put(t, "", DEVICES VF_FMT "/vfio-dev/vfio3/uevent", 0u);
	assert_int_equal(sriov_vfio_cdev(t->root_fd, vf_bdf(0), name), -ENOENT);
	assert_string_equal(name, "untouched");
	tree_put(t, "", DEVICES VF_FMT "/vfio-dev/vfio3/dev", 0u);
	assert_int_equal(sriov_vfio_cdev(t->root_fd, vf_bdf(0), name), 0);
	assert_string_equal(name, "vfio3");
}

static void check_holder(struct tree *t, unsigned vf, int pid, const char *comm)
{
	struct sriov_holder h = { 0 };

	assert_int_equal(sriov_holder(t->root_fd, vf_bdf(vf), &h), pid != 0);
	assert_int_equal(h.pid, pid);
	assert_string_equal(h.comm, comm);
}

static void test_holder_by_group(void **state)
{
	struct tree *t = *state;

	tree_link(t, "/dev/vfio/vfio", "proc/70/fd/3"); /* the container */
	tree_link(t, "/dev/vfio/2", "proc/70/fd/4");    /* not 20 */
	check_holder(t, 0, 0, "");
	tree_put(t, "qemu-system-x86\n", "proc/71/comm");
	tree_link(t, "/dev/vfio/20", "proc/71/fd/9");
	check_holder(t, 0, 71, "qemu-system-x86");
	check_holder(t, 1, 0, "");
}

static void test_holder_by_cdev(void **state)
{
	struct tree *t = *state;

	tree_put(t, "", DEVICES VF_FMT "/vfio-dev/vfio3/dev", 1u);
	tree_link(t, "/dev/vfio/devices/vfio33", "proc/72/fd/4");
	check_holder(t, 1, 0, "");
	tree_put(t, "vmm\n", "proc/73/comm");
	tree_link(t, "/dev/vfio/devices/vfio3", "proc/73/fd/4");
	check_holder(t, 1, 73, "vmm");
	check_holder(t, 0, 0, "");
}

/* Opened below a mount of /dev that is gone with its daemon's namespace. */
static void test_holder_by_lost_mount(void **state)
{
	struct tree *t = *state;

	tree_link(t, "/vfio/vfio", "proc/70/fd/3");
	tree_link(t, "/vfio/2", "proc/70/fd/4");
	tree_link(t, "/vfio20", "proc/70/fd/5");
	check_holder(t, 0, 0, "");
	tree_put(t, "vmm\n", "proc/71/comm");
	tree_link(t, "/vfio/20", "proc/71/fd/9");
	check_holder(t, 0, 71, "vmm");
}

static void test_node(void **state)
{
	struct tree *t = *state;

	tree_put(t, "", "proc/70/fd/1");
	assert_int_equal(sriov_node_is_open(t->root_fd, "/dev/tap7"), 0);
	tree_link(t, "/dev/tap70", "proc/70/fd/3");
	tree_link(t, "/dev/tap", "proc/70/fd/4");
	assert_int_equal(sriov_node_is_open(t->root_fd, "/dev/tap7"), 0);
	tree_link(t, "/dev/tap7", "proc/71/fd/9");
	assert_int_equal(sriov_node_is_open(t->root_fd, "/dev/tap7"), 1);
	tree_remove(t, "proc");
	assert_int_equal(sriov_node_is_open(t->root_fd, "/dev/tap7"), -ENOENT);
	tree_put(t, "", "proc/keep");
}

/* A process without an fd folder has just ended: nobody. */
static void test_holder_ended(void **state)
{
	struct tree *t = *state;

	tree_put(t, "gone\n", "proc/74/comm");
	check_holder(t, 0, 0, "");
	tree_remove(t, "proc");
	{
		struct sriov_holder h;

		assert_int_equal(sriov_holder(t->root_fd, vf_bdf(0), &h),
		                 -ENOENT);
	}
	tree_put(t, "", "proc/keep");
}

static int root_port(const struct tree *t, const char *to)
{
	struct bdf b = { 0 };
	int r;

	tree_remove(t, DEVICES "0000:05:00.0");
	tree_link(t, to, DEVICES "0000:05:00.0");
	r = sriov_root_port(t->root_fd, bdf_of("0000:05:00.0"), &b);
	return r ? r : b.dev * 8 + b.fn;
}

/* By the way that the link goes, whether there is anything at its end. */
static void test_root_port(void **state)
{
	struct tree *t = *state;
	struct bdf b;

	assert_int_equal(sriov_root_port(t->root_fd, bdf_of(PF), &b), -ENOENT);
	tree_link(t, "x", DEVICES "0000:05:00.0");
#define IN "../../../devices/pci0000:00/"
	assert_int_equal(root_port(t, IN "0000:00:1c.3/0000:05:00.0"),
	                 0x1c * 8 + 3);
	assert_int_equal(root_port(t,
	                           IN "0000:00:02.0/0000:03:00.0/0000:04:01.0/"
	                              "0000:05:00.0"),
	                 0x02 * 8);
	/* In the root complex itself, and what is none. */
	assert_int_equal(root_port(t, IN "0000:05:00.0"), -ENOENT);
	assert_int_equal(root_port(t, "../../../devices/vmd/0000:05:00.0"),
	                 -ENOENT);
	assert_int_equal(root_port(t, IN "x/0000:05:00.0"), -ENOENT);
}

static void test_describe(void **state)
{
	struct sriov_fn f = { .vendor = 0xfffe, .device = 0xfffd };
	char buf[128];

	(void)state;
	sriov_describe(&f, buf, sizeof(buf));
	assert_string_equal(buf, "fffe:fffd");
	f = (struct sriov_fn){ .vendor = 0x8086, .device = 0x10ca };
	sriov_describe(&f, buf, sizeof(buf));
	/* The machine may lack pci.ids. */
	assert_true(strstr(buf, "82576") || !strcmp(buf, "8086:10ca"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, tree_teardown)
	const struct CMUnitTest tests[] = {
		T(test_function),
		T(test_pf),
		T(test_resets),
		T(test_no_pf),
		T(test_pf_between),
		T(test_walk),
		T(test_walk_unread),
		T(test_cdev),
		T(test_holder_by_group),
		T(test_holder_by_cdev),
		T(test_holder_by_lost_mount),
		T(test_holder_ended),
		T(test_root_port),
		T(test_node),
		T(test_describe),
		T(test_autoprobe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
