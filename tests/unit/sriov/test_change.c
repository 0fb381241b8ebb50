/* SPDX-License-Identifier: GPL-2.0-or-later */
/* numvfs and drivers, with the kernel's part played by a process (tree.h). */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "sriov/priv.h"
#include "tests/unit/sriov/tree.h"

#define DEVICES "sys/bus/pci/devices/"
#define VF0 DEVICES "0000:01:10.0"

static const struct patience quick = { .write_ms = 3000, .wait_ms = 500 };

static void check_text(const struct tree *t, const char *path, const char *want)
{
	char buf[64];

	assert_string_equal(tree_get(t, path, buf), want);
}

/* ---- numvfs -------------------------------------------------------------- */

static void check_numvfs(struct tree *t, unsigned from, unsigned to)
{
	struct diag d = { 0 };
	struct sriov_pf pf;

	tree_add_pf(t, 7, from);
	tree_kernel(t, "");
	assert_int_equal(set_numvfs(t->root_fd, bdf_of(PF), to, &quick, &d), 0);
	assert_int_equal(sriov_pf_read(t->root_fd, bdf_of(PF), &pf, &d), 0);
	assert_int_equal(pf.num_vfs, to);
}

static void test_make(void **state)
{
	check_numvfs(*state, 0, 4);
}

static void test_remove(void **state)
{
	check_numvfs(*state, 3, 0);
}

static void test_through_zero(void **state)
{
	check_numvfs(*state, 2, 5);
}

static void test_fewer(void **state)
{
	check_numvfs(*state, 5, 2);
}

static void test_same(void **state)
{
	check_numvfs(*state, 2, 2);
}

static void refused(struct tree *t, unsigned n, int err, int code,
                    const char *words)
{
	struct diag d = { 0 };
	char before[64], after[64];

	tree_get(t, DEVICES PF "/sriov_numvfs", before);
	assert_int_equal(set_numvfs(t->root_fd, bdf_of(PF), n, &quick, &d),
	                 err);
	assert_int_equal(d.code, code);
	if (!strstr(d.why, words))
		fail_msg("\"%s\" is not in \"%s\"", words, d.why);
	assert_string_equal(tree_get(t, DEVICES PF "/sriov_numvfs", after),
	                    before);
}

static void test_too_many(void **state)
{
	tree_add_pf(*state, 7, 0);
	refused(*state, 8, -ERANGE, FL_SRIOV_TOO_MANY, "at most 7");
}

static void test_held(void **state)
{
	struct tree *t = *state;

	tree_add_pf(t, 7, 2);
	tree_put(t, "vmm\n", "proc/71/comm");
	tree_link(t, "/dev/vfio/21", "proc/71/fd/9");
	refused(t, 0, -EBUSY, FL_SRIOV_IN_USE, "vmm (pid 71)");
	refused(t, 4, -EBUSY, FL_SRIOV_IN_USE, "vmm (pid 71)");
	tree_remove(t, "proc/71");
	tree_kernel(t, "");
	assert_int_equal(set_numvfs(t->root_fd, bdf_of(PF), 0, &quick, NULL),
	                 0);
}

static void test_interface_up(void **state)
{
	struct tree *t = *state;

	tree_add_pf(t, 7, 2);
	tree_put(t, "0x1003\n", DEVICES VF_FMT "/net/eth1/flags", 1u);
	refused(t, 0, -EBUSY, FL_SRIOV_IN_USE, "eth1 is up");
	tree_put(t, "0x1002\n", DEVICES VF_FMT "/net/eth1/flags", 1u);
	tree_kernel(t, "");
	assert_int_equal(set_numvfs(t->root_fd, bdf_of(PF), 0, &quick, NULL),
	                 0);
}

/* A VF of an NVMe controller, as a disk of the host. */
static void test_mounted(void **state)
{
	struct tree *t = *state;

	tree_add_pf(t, 7, 2);
	tree_put(t, "259:3", "sys/devices/pci0000:00/0000:01:10.1/nvme1n1/dev");
	tree_link(t, "../../devices/pci0000:00/0000:01:10.1/nvme1n1",
	          "sys/class/block/nvme1n1");
	tree_put(t, "22 1 259:3 / /srv rw - ext4 /dev/nvme1n1 rw\n",
	         "proc/1/mountinfo");
	refused(t, 0, -EBUSY, FL_SRIOV_IN_USE, "nvme1n1 is mounted at /srv");
	tree_put(t, "", "proc/1/mountinfo");
	tree_kernel(t, "");
	assert_int_equal(set_numvfs(t->root_fd, bdf_of(PF), 0, &quick, NULL),
	                 0);
}

/* Nobody can tell who holds them: then they stay. */
static void test_no_proc(void **state)
{
	struct tree *t = *state;

	tree_add_pf(t, 7, 2);
	tree_remove(t, "proc");
	refused(t, 0, -ENOENT, FL_SRIOV_IN_USE, "/proc");
	tree_put(t, "", "proc/keep");
}

/* A sealed memfd can be read and not written, as an attribute of a driver
 * that refuses. */
static void test_driver_refuses(void **state)
{
	struct tree *t = *state;
	int fd = memfd_create("numvfs", MFD_ALLOW_SEALING);
	char path[64];

	tree_add_pf(t, 7, 0);
	assert_int_equal(write(fd, "0\n", 2), 2);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK),
	                 0);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), fd);
	tree_link(t, path, DEVICES PF "/sriov_numvfs");
	refused(t, 2, -EPERM, FL_SRIOV_NUMVFS, "writing \"2\"");
	close(fd);
}

/* The driver took the number and nothing came of it. */
static void test_never_come(void **state)
{
	struct tree *t = *state;
	struct patience p = { .write_ms = 500, .wait_ms = 60 };
	struct diag d = { 0 };
	uint64_t begun = now_ns();

	tree_add_pf(t, 7, 0);
	assert_int_equal(set_numvfs(t->root_fd, bdf_of(PF), 2, &p, &d),
	                 -ETIMEDOUT);
	assert_int_equal(d.code, FL_SRIOV_WAIT);
	assert_true(now_ns() - begun < 10000000000ull);
}

/* ---- drivers ------------------------------------------------------------- */

static void check_bind(struct tree *t, const char *from, const char *driver,
                       const char *override)
{
	struct diag d = { 0 };
	struct sriov_fn f;

	tree_add_pf(t, 7, 1);
	tree_add_vf(t, 0, from);
	tree_kernel(t, "");
	assert_int_equal(
		bind_to(t->root_fd, vf_bdf(0), driver, override, &quick, &d),
		0);
	assert_int_equal(sriov_fn_read(t->root_fd, vf_bdf(0), &f), 0);
	assert_string_equal(f.driver, driver ? driver : "igbvf");
	assert_string_equal(f.override, override);
}

static void test_bind(void **state)
{
	check_bind(*state, "", "vfio-pci", "vfio-pci");
}

static void test_rebind(void **state)
{
	check_bind(*state, "igbvf", "vfio-pci", "vfio-pci");
}

static void test_back(void **state)
{
	check_bind(*state, "vfio-pci", "igbvf", "");
}

static void test_default(void **state)
{
	check_bind(*state, "vfio-pci", NULL, "");
}

static void test_unbind(void **state)
{
	check_bind(*state, "vfio-pci", "", "");
}

/* Right already: nothing is written, so no kernel is needed. */
static void test_already(void **state)
{
	struct tree *t = *state;

	tree_add_pf(t, 7, 1);
	tree_add_vf(t, 0, "vfio-pci");
	tree_put(t, "vfio-pci\n", VF0 "/driver_override");
	tree_fifo(t, "sys/bus/pci/drivers_probe");
	assert_int_equal(sriov_bind_to(t->root_fd, vf_bdf(0), "vfio-pci",
	                               "vfio-pci", NULL),
	                 0);
	/* The override alone differs: that is mended without a rebind. */
	tree_put(t, "(null)\n", VF0 "/driver_override");
	assert_int_equal(sriov_bind_to(t->root_fd, vf_bdf(0), "vfio-pci",
	                               "vfio-pci", NULL),
	                 0);
	check_text(t, VF0 "/driver_override", "vfio-pci");
}

static void bind_refused(struct tree *t, const char *driver, int err, int code,
                         const char *words)
{
	struct patience p = { .write_ms = 1000, .wait_ms = 100 };
	struct diag d = { 0 };
	uint64_t begun = now_ns();

	assert_int_equal(bind_to(t->root_fd, vf_bdf(0), driver, driver, &p, &d),
	                 err);
	assert_int_equal(d.code, code);
	if (!strstr(d.why, words))
		fail_msg("\"%s\" is not in \"%s\"", words, d.why);
	assert_true(now_ns() - begun < 10000000000ull);
}

static void test_no_driver(void **state)
{
	struct tree *t = *state;

	tree_add_pf(t, 7, 1);
	tree_add_vf(t, 0, "igbvf");
	bind_refused(t, "mlx5_vfio_pci", -ENOENT, FL_SRIOV_NO_DRIVER,
	             "mlx5_vfio_pci");
	bind_refused(t, "../igb", -ENOENT, FL_SRIOV_NO_DRIVER, "../igb");
	check_text(t, VF0 "/driver_override", "(null)");
}

static void test_bind_held(void **state)
{
	struct tree *t = *state;

	tree_add_pf(t, 7, 1);
	tree_add_vf(t, 0, "vfio-pci");
	tree_put(t, "vmm\n", "proc/71/comm");
	tree_link(t, "/dev/vfio/20", "proc/71/fd/9");
	bind_refused(t, "igbvf", -EBUSY, FL_SRIOV_IN_USE, "pid 71");
}

/* A FIFO that nobody reads: open(2) for writing sleeps, as a write to a
 * driver that hangs. */
static void test_stuck_unbind(void **state)
{
	struct tree *t = *state;

	tree_add_pf(t, 7, 1);
	tree_add_vf(t, 0, "igbvf");
	tree_fifo(t, "sys/bus/pci/drivers/igbvf/unbind");
	bind_refused(t, "vfio-pci", -ETIMEDOUT, FL_SRIOV_STUCK,
	             "did not return within 1000 ms");
}

static void test_stuck_probe(void **state)
{
	struct tree *t = *state;

	tree_add_pf(t, 7, 1);
	tree_fifo(t, "sys/bus/pci/drivers_probe");
	bind_refused(t, "vfio-pci", -ETIMEDOUT, FL_SRIOV_STUCK,
	             "did not return");
}

static void test_not_unbound(void **state)
{
	struct tree *t = *state;

	tree_add_pf(t, 7, 1);
	tree_add_vf(t, 0, "igbvf"); /* and no kernel to obey */
	bind_refused(t, "vfio-pci", -ETIMEDOUT, FL_SRIOV_BIND,
	             "did not let go");
}

static void test_not_taken(void **state)
{
	struct tree *t = *state;

	tree_add_pf(t, 7, 1);
	tree_kernel(t, "vfio-pci");
	bind_refused(t, "vfio-pci", -ENODEV, FL_SRIOV_BIND, "it has none now");
}

static void test_autoprobe(void **state)
{
	struct tree *t = *state;
	struct diag d = { 0 };

	tree_add_pf(t, 7, 0);
	assert_int_equal(sriov_set_autoprobe(t->root_fd, bdf_of(PF), false, &d),
	                 0);
	check_text(t, DEVICES PF "/sriov_drivers_autoprobe", "0");
	tree_link(t, "/dev/full", DEVICES PF "/sriov_drivers_autoprobe");
	assert_int_equal(sriov_set_autoprobe(t->root_fd, bdf_of(PF), true, &d),
	                 -ENOSPC);
	assert_int_equal(d.code, FL_SRIOV_WRITE);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)
	const struct CMUnitTest tests[] = {
		T(test_make),           T(test_remove),
		T(test_through_zero),   T(test_fewer),
		T(test_same),           T(test_too_many),
		T(test_held),           T(test_interface_up),
		T(test_mounted),        T(test_no_proc),
		T(test_driver_refuses), T(test_never_come),
		T(test_bind),           T(test_rebind),
		T(test_back),           T(test_default),
		T(test_unbind),         T(test_already),
		T(test_no_driver),      T(test_bind_held),
		T(test_stuck_unbind),   T(test_stuck_probe),
		T(test_not_unbound),    T(test_not_taken),
		T(test_autoprobe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
