/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many vectors a VF has, by its capability; and given another number. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sriov/priv.h"
#include "tests/unit/sriov/tree.h"

#define DEVICES "sys/bus/pci/devices/"
#define VF0 DEVICES "0000:01:10.0"

static const struct patience brief = { 500, 500, 10 };

static int setup(void **state)
{
	tree_setup(state);
	tree_add_pf(*state, 7, 1);
	return 0;
}

/* A configuration space as it is read: power management, then MSI-X. */
static void put_config(const struct tree *t, unsigned vectors, size_t len)
{
	uint8_t c[256] = { [0x06] = 0x10,
		           [0x34] = 0x40,
		           [0x40] = 0x01,
		           [0x41] = 0x50,
		           [0x50] = 0x11 };
	char path[TREE_PATH];
	int fd;

	c[0x52] = (uint8_t)(vectors - 1);
	c[0x53] = (uint8_t)((vectors - 1) >> 8 | 0x80);
	snprintf(path, sizeof(path), "%s/" VF0 "/config", t->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, c, len), len);
	close(fd);
}

static void test_count(void **state)
{
	struct tree *t = *state;

	assert_int_equal(sriov_msix_count(t->root_fd, vf_bdf(0)), 0);
	put_config(t, 3, 256);
	assert_int_equal(sriov_msix_count(t->root_fd, vf_bdf(0)), 3);
	put_config(t, 2048, 256);
	assert_int_equal(sriov_msix_count(t->root_fd, vf_bdf(0)), 2048);
	/* Who may not read it all knows nothing. */
	put_config(t, 3, 64);
	assert_int_equal(sriov_msix_count(t->root_fd, vf_bdf(0)), 0);
}

/* A chain that goes round and round. */
static void test_loop(void **state)
{
	struct tree *t = *state;
	uint8_t c[256] = { [0x06] = 0x10, [0x34] = 0x40, [0x41] = 0x40 };
	char path[TREE_PATH];
	int fd;

	snprintf(path, sizeof(path), "%s/" VF0 "/config", t->dir);
	fd = open(path, O_WRONLY | O_CREAT, 0644);
	assert_int_equal(write(fd, c, sizeof(c)), sizeof(c));
	close(fd);
	assert_int_equal(sriov_msix_count(t->root_fd, vf_bdf(0)), 0);
}

/* The file alone says nothing. */
static void test_total(void **state)
{
	struct tree *t = *state;

	assert_int_equal(sriov_msix_total(t->root_fd, bdf_of(PF)), 0);
	tree_put(t, "0\n", DEVICES PF "/sriov_vf_total_msix");
	assert_int_equal(sriov_msix_total(t->root_fd, bdf_of(PF)), 0);
	tree_put(t, "64\n", DEVICES PF "/sriov_vf_total_msix");
	assert_int_equal(sriov_msix_total(t->root_fd, bdf_of(PF)), 64);
}

static void test_set(void **state)
{
	struct tree *t = *state;
	struct diag d = { 0 };
	char buf[64];

	put_config(t, 5, 256);
	tree_put(t, "", VF0 "/sriov_vf_msix_count");
	assert_int_equal(set_msix(t->root_fd, vf_bdf(0), 5, &brief, &d), 0);
	assert_string_equal(tree_get(t, VF0 "/sriov_vf_msix_count", buf), "5");
	/* Taken, and not so: told. */
	assert_int_equal(set_msix(t->root_fd, vf_bdf(0), 6, &brief, &d), -EIO);
	assert_int_equal(d.code, FL_SRIOV_WRITE);
	/* Taken, and nobody may see whether it is so. */
	put_config(t, 5, 64);
	assert_int_equal(set_msix(t->root_fd, vf_bdf(0), 6, &brief, &d), 0);
	assert_string_equal(tree_get(t, VF0 "/sriov_vf_msix_count", buf), "6");
	/* A kernel without it. */
	tree_remove(t, VF0 "/sriov_vf_msix_count");
	memset(&d, 0, sizeof(d));
	assert_true(set_msix(t->root_fd, vf_bdf(0), 5, &brief, &d) < 0);
	assert_int_equal(d.code, FL_SRIOV_WRITE);
}

/* Its driver lets go first, and has it again, whatever came of it. */
static void test_bound(void **state)
{
	struct tree *t = *state;
	struct diag d = { 0 };
	struct sriov_fn f;

	tree_drop_vf(t, 0);
	tree_add_vf(t, 0, "igbvf");
	put_config(t, 5, 256);
	tree_put(t, "", VF0 "/sriov_vf_msix_count");
	tree_kernel(t, "");
	assert_int_equal(set_msix(t->root_fd, vf_bdf(0), 5, &brief, &d), 0);
	assert_int_equal(sriov_fn_read(t->root_fd, vf_bdf(0), &f), 0);
	assert_string_equal(f.driver, "igbvf");
	assert_string_equal(f.override, "");
	assert_int_equal(set_msix(t->root_fd, vf_bdf(0), 6, &brief, &d), -EIO);
	assert_int_equal(sriov_fn_read(t->root_fd, vf_bdf(0), &f), 0);
	assert_string_equal(f.driver, "igbvf");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, tree_teardown)
	const struct CMUnitTest tests[] = {
		T(test_count), T(test_loop),  T(test_total),
		T(test_set),   T(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
