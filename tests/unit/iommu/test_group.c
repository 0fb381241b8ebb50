/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups, viability and host facts from trees recorded in the lab. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "iommu/iommu.h"

static int tree(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "tests/golden/sysfs/%s", name);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	return fd;
}

static struct bdf bdf(const char *text)
{
	struct bdf b;

	assert_int_equal(bdf_parse(text, &b), 0);
	return b;
}

static void says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

/* Three functions behind one port without ACS; function 0 has its driver. */
static void test_blocker(void **state)
{
	_cleanup_close_ int root = tree("group3");
	struct iommu_group g;
	struct diag d = { 0 };

	(void)state;
	assert_int_equal(iommu_group_read(root, bdf("0000:01:00.1"), &g, &d),
	                 0);
	assert_int_equal(g.id, 5);
	assert_int_equal(g.n, 3);
	says(g.type, "DMA");
	assert_string_equal(g.member[0].driver, "e1000e");
	assert_string_equal(g.member[1].driver, "");
	assert_int_equal(iommu_group_check(&g, bdf("0000:01:00.1"), &d),
	                 -EBUSY);
	assert_int_equal(d.code, FL_IOMMU_GROUP);
	says(d.what, "0000:01:00.1");
	says(d.what, "group 5");
	says(d.why, "0000:01:00.0 (e1000e)");
	says(d.mend, "/sys/bus/pci/devices/0000:01:00.0/driver_override");
	assert_true(strlen(d.mend) < DIAG_LINE - 1); /* not cut */
	/* The function itself may have its driver: it is to be rebound. */
	assert_int_equal(iommu_group_check(&g, bdf("0000:01:00.0"), &d), 0);
}

static void test_vf_alone(void **state)
{
	_cleanup_close_ int root = tree("intel-ir");
	struct iommu_group g;
	struct diag d = { 0 };

	(void)state;
	assert_int_equal(iommu_group_read(root, bdf("0000:01:10.0"), &g, &d),
	                 0);
	assert_int_equal(g.n, 1);
	assert_string_equal(g.member[0].driver, "vfio-pci");
	assert_false(g.member[0].bridge);
	assert_int_equal(iommu_group_check(&g, bdf("0000:01:10.0"), &d), 0);
	assert_int_equal(iommu_group_read(root, bdf("0000:00:03.0"), &g, &d),
	                 0);
	assert_true(g.member[0].bridge);
}

static void test_no_group(void **state)
{
	_cleanup_close_ int root = tree("no-iommu");
	struct iommu_group g;
	struct diag d = { 0 };

	(void)state;
	assert_int_equal(iommu_group_read(root, bdf("0000:01:00.0"), &g, &d),
	                 -ENOENT);
	assert_int_equal(d.code, FL_IOMMU_NONE);
	says(d.mend, "intel_iommu=on");
	assert_int_equal(iommu_group_read(root, bdf("0000:77:00.0"), &g, &d),
	                 -ENODEV);
	assert_int_equal(d.code, FL_IOMMU_GROUP);
}

/* Many blockers do not fit a line: said with "...", nothing overrun. */
static void test_many_blockers(void **state)
{
	struct iommu_group g = { .id = 1, .n = IOMMU_GROUP_MAX };
	struct diag d = { 0 };

	(void)state;
	for (size_t i = 0; i < g.n; i++) {
		g.member[i].bdf = (struct bdf){ .bus = (uint8_t)i };
		strcpy(g.member[i].driver, "a-driver-with-a-very-long-name");
	}
	assert_int_equal(iommu_group_check(&g, g.member[9].bdf, &d), -EBUSY);
	says(d.what, "63 functions in use");
	says(d.why, "0000:00:00.0 (a-driver");
	says(d.why, "...");
}

/* A VF behind a port without ACS: to free its PF would be to lose the VF. */
static void test_pf_in_the_way(void **state)
{
	struct iommu_group g = { .id = 5, .n = 2 };
	struct diag d = { 0 };

	(void)state;
	g.member[0] = (struct iommu_member){ .bdf = bdf("0000:01:00.0"),
		                             .driver = "igb",
		                             .has_vfs = true };
	g.member[1] = (struct iommu_member){ .bdf = bdf("0000:01:10.0") };
	assert_int_equal(iommu_group_check(&g, g.member[1].bdf, &d), -EBUSY);
	assert_non_null(strstr(d.why, "0000:01:00.0 (igb)"));
	assert_non_null(strstr(d.mend, "ACS"));
	assert_null(strstr(d.mend, "unbind"));
}

static void test_harmless(void **state)
{
	static const char *const free_driver[] = {
		"",         "vfio-pci",     "mlx5_vfio_pci",        "pci-stub",
		"pcieport", "pds-vfio-pci", "nvgrace-gpu-vfio-pci",
	};
	static const char *const host_driver[] = { "igb", "nvme", "vfio-pcix",
		                                   "uio_pci_generic" };
	struct iommu_group g = { .n = 2 };

	(void)state;
	g.member[0].bdf = bdf("0000:01:00.0");
	g.member[1].bdf = bdf("0000:01:00.1");
	for (size_t i = 0; i < ARRAY_SIZE(free_driver); i++) {
		strcpy(g.member[1].driver, free_driver[i]);
		assert_int_equal(iommu_group_check(&g, g.member[0].bdf, NULL),
		                 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(host_driver); i++) {
		strcpy(g.member[1].driver, host_driver[i]);
		assert_int_equal(iommu_group_check(&g, g.member[0].bdf, NULL),
		                 -EBUSY);
	}
	/* A bridge's driver does no DMA for itself. */
	g.member[1].bridge = true;
	assert_int_equal(iommu_group_check(&g, g.member[0].bdf, NULL), 0);
}

static void test_vfio_names(void **state)
{
	(void)state;
	assert_true(iommu_driver_is_vfio("vfio-pci"));
	assert_true(iommu_driver_is_vfio("mlx5_vfio_pci"));
	assert_false(iommu_driver_is_vfio(""));
	assert_false(iommu_driver_is_vfio("pci"));
	assert_false(iommu_driver_is_vfio("vfio-pci2"));
}

/* ---- facts ---- */

static struct iommu_facts facts(const char *name)
{
	_cleanup_close_ int root = tree(name);
	struct iommu_facts f;

	assert_int_equal(iommu_facts_read(root, &f), 0);
	return f;
}

static void test_facts_intel(void **state)
{
	struct iommu_facts f = facts("intel-ir");

	(void)state;
	assert_int_equal(f.n_units, 1);
	assert_string_equal(f.unit[0].name, "dmar0");
	assert_true(f.unit[0].intel);
	assert_int_equal(f.unit[0].cap, 0xd2008c222f0606);
	assert_int_equal(f.unit[0].ecap, 0xf00f4a);
	assert_int_equal(f.n_groups, 8);
	assert_true(f.cdev);
	assert_true(f.type1);
	assert_int_equal(f.dma_entry_limit, 65535);
	assert_false(f.unsafe_interrupts);
	assert_int_equal(iommu_facts_check(&f, NULL), 0);
}

static void test_facts_amd(void **state)
{
	struct iommu_facts f = facts("amd");

	(void)state;
	assert_int_equal(f.n_units, 1);
	assert_string_equal(f.unit[0].name, "ivhd0");
	assert_false(f.unit[0].intel);
	assert_int_equal(f.unit[0].cap, 0x1f03000f);
	assert_int_equal(f.unit[0].ecap, 0x29d7);
	assert_int_equal(iommu_facts_check(&f, NULL), 0);
}

static void test_facts_none(void **state)
{
	struct iommu_facts f = facts("no-iommu");
	struct diag d = { 0 };

	(void)state;
	assert_int_equal(f.n_units, 0);
	assert_int_equal(f.n_groups, 0);
	assert_int_equal(iommu_facts_check(&f, &d), -ENODEV);
	assert_int_equal(d.code, FL_IOMMU_NONE);
	says(d.mend, "intel_iommu=on");
	/* A unit that translates for nobody is as bad. */
	f.n_units = 1;
	assert_int_equal(iommu_facts_check(&f, &d), -ENODEV);
	says(d.why, "iommu_groups is empty");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocker),
		cmocka_unit_test(test_vf_alone),
		cmocka_unit_test(test_no_group),
		cmocka_unit_test(test_many_blockers),
		cmocka_unit_test(test_pf_in_the_way),
		cmocka_unit_test(test_harmless),
		cmocka_unit_test(test_vfio_names),
		cmocka_unit_test(test_facts_intel),
		cmocka_unit_test(test_facts_amd),
		cmocka_unit_test(test_facts_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
