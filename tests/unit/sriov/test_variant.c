/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which vfio driver is a function's: lines as depmod writes them, good and
 * spoilt. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sriov/sriov.h"
#include "tests/unit/sriov/tree.h"

#define ALIASES "lib/modules/6.12.1-test/modules.alias"

/* As of Linux 6.12; the first three lines are of drivers that bind. */
static const char aliases[] =
	"# Aliases extracted from modules themselves.\n"
	"alias pci:v00008086d000010C9sv*sd*bc*sc*i* igb\n"
	"alias pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_core\n"
	"alias usb:v0403p6001d*dc*dsc*dp*ic*isc*ip*in* ftdi_sio\n"
	"alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci\n"
	"alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_vfio_pci\n"
	"alias vfio_pci:v00001DD8d00001003sv*sd*bc*sc*i* pds_vfio_pci\n"
	"alias vfio_pci:v000019E5d0000A256sv*sd*bc*sc*i* hisi_acc_vfio_pci\n"
	"alias vfio_pci:v00001AF4d00001041sv*sd*bc*sc*i* virtio_vfio_pci\n"
	"alias vfio_pci:v00008086d000010CAsv*sd*bc*sc*i* wide_vfio_pci\n"
	"alias vfio_pci:v00008086d000010CAsv*sd0000A03Cbc*sc*i* near_vfio_pci\n"
	"alias vfio_pci:v00008086d000010CAsv*sd*bc02sc*i* late_vfio_pci\n";

static struct tree tree;
static struct sriov_variants *all;

static void read_aliases(const char *text)
{
	sriov_variants_free(all);
	all = NULL;
	tree_put(&tree, "6.12.1-test\n", "proc/sys/kernel/osrelease");
	tree_put(&tree, text, ALIASES);
	assert_int_equal(sriov_variants_read(tree.root_fd, &all), 0);
}

static const char *found(const char *modalias)
{
	const char *module = sriov_variants_find(all, modalias);

	return module ? module : "none";
}

static void test_match(void **state)
{
	static const struct {
		const char *modalias, *module;
	} rows[] = {
		{ "pci:v000015B3d0000101Esv000015B3sd00000023bc02sc00i00",
		  "mlx5_vfio_pci" },
		{ "pci:v00001DD8d00001003sv00001DD8sd00004007bc02sc00i00",
		  "pds_vfio_pci" },
		{ "pci:v000019E5d0000A256sv000019E5sd00000000bc10sc00i00",
		  "hisi_acc_vfio_pci" },
		{ "pci:v00001AF4d00001041sv00001AF4sd00001041bc02sc00i00",
		  "virtio_vfio_pci" },
		/* A PF of mlx5, and one that only vfio-pci is for. */
		{ "pci:v000015B3d0000101Dsv000015B3sd00000023bc02sc00i00",
		  "none" },
		{ "pci:v00008086d00001520sv00008086sd0000A03Cbc02sc00i00",
		  "none" },
		/* The nearest; of equals the first. */
		{ "pci:v00008086d000010CAsv00008086sd0000A03Cbc02sc00i00",
		  "near_vfio_pci" },
		{ "pci:v00008086d000010CAsv00008086sd00000001bc02sc00i00",
		  "late_vfio_pci" },
		{ "pci:v00008086d000010CAsv00008086sd00000001bc03sc00i00",
		  "wide_vfio_pci" },
		/* None of ours. */
		{ "", "none" },
		{ "v000015B3d0000101E", "none" },
	};

	(void)state;
	read_aliases(aliases);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(found(rows[i].modalias), rows[i].module);
}

static void test_spoilt(void **state)
{
	char longer[512];

	(void)state;
	read_aliases("");
	assert_string_equal(found("pci:v1d2"), "none");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	memcpy(longer, "alias vfio_pci:", strlen("alias vfio_pci:"));
	read_aliases(longer);
	assert_string_equal(found("pci:v1d2"), "none");
	/* No module, one that is a path, an open bracket; then a good one,
	 * without its end of line. */
	read_aliases("alias vfio_pci:v1d2\nalias vfio_pci:v1d2 ../x\n"
	             "alias vfio_pci:v[1d2 open_vfio_pci\n\n"
	             "alias vfio_pci:v1d2 good_vfio_pci");
	assert_string_equal(found("pci:v1d2"), "good_vfio_pci");
}

static void test_no_file(void **state)
{
	struct sriov_variants *none = NULL;

	(void)state;
	tree_put(&tree, "6.1.0-other\n", "proc/sys/kernel/osrelease");
	assert_int_equal(sriov_variants_read(tree.root_fd, &none), -ENOENT);
	assert_null(none);
	assert_null(sriov_variants_find(NULL, "pci:v1d2"));
}

static const char *of_vfs(void)
{
	struct sriov_fn f;
	const char *module;

	assert_int_equal(sriov_fn_look(tree.root_fd, bdf_of(PF), &f), 0);
	module = sriov_variant_of_vfs(all, tree.root_fd, &f);
	return module ? module : "none";
}

static void put_pf(const char *attr, const char *text)
{
	tree_put(&tree, text, "sys/bus/pci/devices/" PF "/%s", attr);
}

/* Foretold from the PF, until there is one that can be asked. */
static void test_of_vfs(void **state)
{
	(void)state;
	read_aliases(aliases);
	tree_add_pf(&tree, 7, 0);
	put_pf("vendor", "0x8086\n");
	put_pf("subsystem_vendor", "0x8086\n");
	put_pf("subsystem_device", "0xa03c\n");
	put_pf("class", "0x020000\n");
	assert_string_equal(of_vfs(), "none");
	put_pf("sriov_vf_device", "10ca\n");
	assert_string_equal(of_vfs(), "near_vfio_pci");
	put_pf("sriov_vf_device", "1520\n");
	assert_string_equal(of_vfs(), "none");
	put_pf("sriov_vf_device", "fffff\n");
	assert_string_equal(of_vfs(), "none");
	put_pf("virtfn0/modalias",
	       "pci:v00008086d000010CAsv00008086sd00000001bc03sc00i00\n");
	assert_string_equal(of_vfs(), "wide_vfio_pci");
	put_pf("vendor", "0x10de\n");
	assert_string_equal(of_vfs(), "none");
}

static void test_driver(void **state)
{
	char name[SRIOV_NAME] = "";

	(void)state;
	assert_int_equal(
		sriov_variant_driver(tree.root_fd, "pds_vfio_pci", name),
		-ENOENT);
	tree_put(&tree, "", "sys/module/pds_vfio_pci/drivers/auxiliary:x");
	assert_int_equal(
		sriov_variant_driver(tree.root_fd, "pds_vfio_pci", name),
		-ENOENT);
	tree_put(&tree, "", "sys/module/pds_vfio_pci/drivers/pci:pds-vfio-pci");
	assert_int_equal(
		sriov_variant_driver(tree.root_fd, "pds_vfio_pci", name), 0);
	assert_string_equal(name, "pds-vfio-pci");
}

static int setup(void **state)
{
	(void)state;
	tree_make(&tree);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sriov_variants_free(all);
	all = NULL;
	tree_drop(&tree);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_match, setup, teardown),
		cmocka_unit_test_setup_teardown(test_spoilt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_of_vfs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_driver, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
