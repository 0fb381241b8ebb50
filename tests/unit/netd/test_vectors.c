/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vectors that cannot be read: noted, of that VF alone and of this boot. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "netd/vectors.h"
#include "tests/unit/netd/sim.h"

static const struct bdf vf0 = { 0, 1, 16, 0 };
static const struct bdf vf1 = { 0, 1, 16, 1 };

static void shell(const struct state_dir *d, const char *commands)
{
	char line[512];

	snprintf(line, sizeof(line), "cd %s && %s", d->path, commands);
	assert_int_equal(system(line), 0);
}

#define BOOT "proc/sys/kernel/random/boot_id"

static void test_note(void **state)
{
	struct state_dir dir;
	struct env e = { .root_fd = -1 };
	struct diag d = { 0 };

	(void)state;
	dir_make(&dir);
	e.root_fd = e.state_fd = dir.fd;
	shell(&dir, "mkdir -p sys/bus/pci/devices/0000:01:10.0 "
	            "sys/bus/pci/devices/0000:01:10.1 proc/sys/kernel/random; "
	            "echo b1 > " BOOT);
	assert_int_equal(vectors_noted(&e, vf0), 0);
	assert_int_equal(vectors_note(&e, vf0, 16, &d), 0);
	assert_int_equal(vectors_noted(&e, vf0), 16);
	assert_int_equal(vectors_noted(&e, vf1), 0);
	assert_int_equal(vectors_note(&e, vf0, 2048, &d), 0);
	assert_int_equal(vectors_noted(&e, vf0), 2048);
	/* Another boot. */
	shell(&dir, "echo b2 > " BOOT);
	assert_int_equal(vectors_noted(&e, vf0), 0);
	shell(&dir, "echo b1 > " BOOT);
	assert_int_equal(vectors_noted(&e, vf0), 2048);
	/* The VF was made anew. */
	shell(&dir, "cd sys/bus/pci/devices; mkdir new; "
	            "rmdir 0000:01:10.0; mv new 0000:01:10.0");
	assert_int_equal(vectors_noted(&e, vf0), 0);
	assert_int_equal(vectors_note(&e, vf0, 3, &d), 0);
	shell(&dir, "echo -n x >> vectors-0000:01:10.0");
	assert_int_equal(vectors_noted(&e, vf0), 0);
	/* A VF that goes between two looks; who observes asks for no reason. */
	assert_int_equal(vectors_note(&e, vf1, 3, &d), 0);
	shell(&dir, "rmdir sys/bus/pci/devices/0000:01:10.1");
	assert_int_equal(vectors_noted(&e, vf1), 0);
	assert_int_equal(vectors_note(&e, vf1, 3, &d), -ENOENT);
	/* --observe */
	e.state_fd = -1;
	assert_int_equal(vectors_noted(&e, vf0), 0);
	dir_drop(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_note) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
