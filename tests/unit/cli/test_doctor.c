/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The doctor on recorded hosts, each mended or broken in one place: it says
 * ready only when nothing is missing, and names what is.
 */

#include "tests/unit/cli/stand-in.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEVICES "sys/bus/pci/devices/"
#define VF "0000:01:10.0"

static struct outcome o;

struct host {
	char dir[64];
};

static void shell(const struct host *h, const char *words)
{
	char line[512];

	snprintf(line, sizeof(line), "cd %s && %s", h->dir, words);
	if (system(line) != 0)
		fail_msg("%s", line);
}

static int setup(void **state)
{
	struct host *h = calloc(1, sizeof(*h));
	char line[256];

	assert_non_null(h);
	snprintf(h->dir, sizeof(h->dir), "/tmp/fl-doctor-XXXXXX");
	assert_non_null(mkdtemp(h->dir));
	snprintf(line, sizeof(line), "cp -r tests/golden/sysfs/intel-ir/. %s",
	         h->dir);
	assert_int_equal(system(line), 0);
	shell(h, "mkdir -p sys/bus/pci/drivers/vfio-pci && touch dev/kvm");
	*state = h;
	return 0;
}

static int teardown(void **state)
{
	struct host *h = *state;

	shell(h, "rm -rf sys proc dev");
	rmdir(h->dir);
	free(h);
	return 0;
}

static void examine(const struct host *h, const char *bdf)
{
	run(&o, (const char *[]){ "doctor", "--root", h->dir, bdf, NULL });
}

static void host_ready(void **state)
{
	examine(*state, NULL);
	expect_text(&o, "host", o.out, "this host is ready\n");
	assert_int_equal(o.status, 0);
	assert_null(strstr(o.out, "\nno "));
}

static void host_broken(void **state)
{
	static const struct {
		const char *change, *say;
	} t[] = {
		{ "rm dev/kvm", "no    KVM " },
		{ "rmdir sys/bus/pci/drivers/vfio-pci", "no    vfio-pci " },
		{ "echo Y >sys/module/vfio_iommu_type1/parameters/"
		  "allow_unsafe_interrupts",
		  "no    unsafe interrupts " },
		{ "rm -r dev/iommu dev/vfio", "no    VFIO interface " },
		{ "rm -r sys/class/iommu/*", "no    IOMMU " },
	};
	void *host;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		setup(&host);
		shell(host, t[i].change);
		examine(host, NULL);
		expect_text(&o, t[i].change, o.out, t[i].say);
		expect_text(&o, t[i].change, o.out, "mend: ");
		assert_int_equal(o.status, 1);
		teardown(&host);
	}
}

static void device_ready(void **state)
{
	const struct host *h = *state;

	shell(h, "echo flr bus >" DEVICES VF "/reset_method");
	examine(h, VF);
	expect_text(&o, "VF", o.out, "by flr bus");
	expect_text(&o, "VF", o.out, VF " is ready\n");
	assert_int_equal(o.status, 0);
}

/* A neighbour in its group that a host driver holds. */
static void device_neighbour(void **state)
{
	const struct host *h = *state;

	shell(h, "echo flr >" DEVICES VF "/reset_method");
	shell(h, "mkdir -p sys/kernel/iommu_groups/6/devices/0000:00:1f.2 && "
	         "ln -sf ../../bus/pci/drivers/ahci " DEVICES
	         "0000:00:1f.2/driver");
	examine(h, VF);
	assert_int_equal(o.status, 1);
	expect_text(&o, "group", o.out, "no    group members");
	expect_text(&o, "group", o.out, "0000:00:1f.2");
	expect_text(&o, "group", o.out, "ahci");
}

/* What a device says of itself is read with the same distrust as a guest. */
static void device_config(void **state)
{
	static const struct {
		const char *make, *say;
	} t[] = {
		{ "printf '' >config", "unknown: the configuration" },
		{ "head -c 64 /dev/zero >config", "unknown: the config" },
		{ "head -c 4096 /dev/zero | tr '\\0' '\\377' >config",
		  "no    configuration" },
		{ "head -c 4096 /dev/urandom >config", "" },
		{ "head -c 100 /dev/urandom >resource", "" },
	};
	const struct host *h = *state;
	char line[256];

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		snprintf(line, sizeof(line), "cd %s && %s", DEVICES VF,
		         t[i].make);
		shell(h, line);
		examine(h, VF);
		expect_text(&o, t[i].make, o.out, t[i].say);
		assert_int_equal(o.status, 1); /* no way to reset it */
	}
}

static void no_way_to_reset(void **state)
{
	const struct host *h = *state;

	examine(h, VF);
	assert_int_equal(o.status, 1);
	expect_text(&o, "reset", o.out, "no    reset ");
	shell(h, "touch " DEVICES VF "/reset");
	examine(h, VF);
	assert_int_equal(o.status, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(host_ready),    cmocka_unit_test(host_broken),
		T(device_ready),  T(device_neighbour),
		T(device_config), T(no_way_to_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
