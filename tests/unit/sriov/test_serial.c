/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Serial numbers: of a capability list and of VPD that firmware wrote, good
 * and spoilt. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sriov/sriov.h"
#include "tests/unit/sriov/tree.h"

static struct tree tree;
static struct sriov_serial got;

static void put_bytes(const char *attr, const void *bytes, size_t n)
{
	char path[TREE_PATH];
	int fd;

	tree_put(&tree, "", "sys/bus/pci/devices/" PF "/%s", attr);
	snprintf(path, sizeof(path), "sys/bus/pci/devices/" PF "/%s", attr);
	fd = openat(tree.root_fd, path, O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), n);
	close(fd);
}

static const char *dsn(void)
{
	memset(&got, 'x', sizeof(got));
	sriov_serial_read(tree.root_fd, (struct bdf){ .bus = 1 }, false, &got);
	return got.dsn;
}

static const char *vpd(const void *bytes, size_t n)
{
	put_bytes("vpd", bytes, n);
	memset(&got, 'x', sizeof(got));
	sriov_serial_read(tree.root_fd, (struct bdf){ .bus = 1 }, true, &got);
	return got.vpd;
}

/* A capability list with AER at 100, the DSN at 140. */
static void make_config(uint8_t c[4096], uint32_t first_next)
{
	static const uint8_t serial[] = {
		1, 0, 0, 0xff, 0xff, 0x21, 0x1b, 0x00
	};
	uint32_t head = 1 | 2u << 16 | first_next << 20;

	memset(c, 0, 4096);
	memcpy(c + 0x100, &head, 4);
	head = 3 | 1u << 16;
	memcpy(c + 0x140, &head, 4);
	memcpy(c + 0x144, serial, sizeof(serial));
}

static void test_dsn(void **state)
{
	static uint8_t c[4096];

	(void)state;
	assert_string_equal(dsn(), ""); /* no file at all */
	make_config(c, 0x140);
	put_bytes("config", c, sizeof(c));
	assert_string_equal(dsn(), "00-1b-21-ff-ff-00-00-01");
	/* Who may not see more is shown 64 bytes. */
	put_bytes("config", c, 64);
	assert_string_equal(dsn(), "");
	put_bytes("config", c, 0x14b);
	assert_string_equal(dsn(), "");
	/* A list that goes in circles, one that leaves the space. */
	make_config(c, 0x100);
	put_bytes("config", c, sizeof(c));
	assert_string_equal(dsn(), "");
	make_config(c, 0xffc);
	put_bytes("config", c, sizeof(c));
	assert_string_equal(dsn(), "");
	make_config(c, 0x40);
	put_bytes("config", c, sizeof(c));
	assert_string_equal(dsn(), "");
	/* A device that is gone reads as ones. */
	memset(c, 0xff, sizeof(c));
	put_bytes("config", c, sizeof(c));
	assert_string_equal(dsn(), "");
	/* The kernel's own word goes before; zeros are no number. */
	put_bytes("serial_number", "aa-bb-cc-dd-ee-ff-00-11\n", 24);
	assert_string_equal(dsn(), "aa-bb-cc-dd-ee-ff-00-11");
	put_bytes("serial_number", "00-00-00-00-00-00-00-00\n", 24);
	assert_string_equal(dsn(), "");
	put_bytes("serial_number", "aa-bb-cc\n", 9);
	assert_string_equal(dsn(), "");
}

#define VPD(text) vpd(text, sizeof(text) - 1)

static void test_vpd(void **state)
{
	static const char good[] = "\x82\4\0Card\x90\x15\0"
				   "PN\3abcSN\x0cMT2135X00000\x78";
	char bytes[sizeof(good)];

	(void)state;
	assert_string_equal(VPD(""), "");
	assert_string_equal(VPD(good), "MT2135X00000");
	/* Blanks fill it up; what cannot be printed is none. */
	assert_string_equal(VPD("\x90\7\0SN\4AB  "), "AB");
	assert_string_equal(VPD("\x90\7\0SN\4A\1BC"), "");
	assert_string_equal(VPD("\x90\7\0SN\4    "), "");
	assert_string_equal(VPD("\x90\3\0SN\0"), "");
	/* Lengths that lie. */
	assert_string_equal(VPD("\x90\7\0SN\xff"
	                        "ABCD"),
	                    "");
	assert_string_equal(VPD("\x90\xff\xffSN\4ABCD"), "ABCD");
	assert_string_equal(VPD("\x82\xff\xff\x90\7\0SN\4ABCD"), "");
	assert_string_equal(VPD("\x78\x90\7\0SN\4ABCD"), "");
	/* Cut anywhere it is the number or none. */
	for (size_t n = 0; n < sizeof(good); n++) {
		memcpy(bytes, good, n);
		vpd(bytes, n);
		assert_true(!*got.vpd || !strcmp(got.vpd, "MT2135X00000"));
	}
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
	tree_drop(&tree);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_dsn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vpd, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
