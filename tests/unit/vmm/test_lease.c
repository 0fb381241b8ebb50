/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lease: what is taken from it, and what is refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "vmm/priv.h"

#define GUEST                                                                  \
	"\"guest\": {\"name\": \"demo\", \"cpus\": 2, \"memory\": 536870912, " \
	"\"cmdline\": \"quiet\"}"
#define DEVICE(name, slot)                                                     \
	"{\"name\": \"" name "\", \"bdf\": \"0000:01:10.0\", \"slot\": " #slot \
	"}"
#define LEASE(devices, backend, fds)                                           \
	"{\"version\": 1, \"ok\": true, " GUEST ", \"devices\": [" devices     \
	"], \"backend\": \"" backend "\", \"fds\": [" fds "]}"
#define WAN_FDS "\"kvm\", \"kernel\", \"iommu\", \"device:wan\""

static int parse(const char *text, struct vm_config *c, struct diag *d)
{
	memset(d, 0, sizeof(*d));
	return lease_parse(text, strlen(text), 6, c, d);
}

static void whole(void **state)
{
	struct vm_config c;
	struct diag d;

	(void)state;
	assert_int_equal(parse(LEASE(DEVICE("wan", 3), "group",
	                             "\"kvm\", \"kernel\", \"initrd\", "
	                             "\"iommu\", \"device:wan\""),
	                       &c, &d),
	                 0);
	assert_string_equal(c.name, "demo");
	assert_int_equal(c.cpus, 2);
	assert_int_equal(c.memory, 512 << 20);
	assert_string_equal(c.cmdline, "quiet");
	assert_int_equal(c.backend, IOMMU_TYPE1);
	assert_int_equal(c.kvm_fd, 6);
	assert_int_equal(c.kernel_fd, 7);
	assert_int_equal(c.initrd_fd, 8);
	assert_int_equal(c.iommu_fd, 9);
	assert_int_equal(c.n_devices, 1);
	assert_int_equal(c.device[0].fd, 10);
	assert_int_equal(c.device[0].slot, 3);
	assert_string_equal(c.device[0].bdf, "0000:01:10.0");
	lease_free(&c);
}

static void without_devices(void **state)
{
	struct vm_config c;
	struct diag d;

	(void)state;
	assert_int_equal(parse(LEASE("", "", "\"kvm\", \"kernel\""), &c, &d),
	                 0);
	assert_int_equal(c.initrd_fd, -1);
	assert_int_equal(c.iommu_fd, -1);
	assert_int_equal(c.n_devices, 0);
	lease_free(&c);
}

static void refused(void **state)
{
	static const char *const text[] = {
		"",
		"{",
		"[]",
		"{\"ok\": false, \"error\": {}}",
		"{\"ok\": true}",
		/* a descriptor missing, unknown, twice, of no device */
		LEASE("", "group", "\"kvm\""),
		LEASE("", "group", "\"kvm\", \"kernel\", \"what\""),
		LEASE("", "group", "\"kvm\", \"kernel\", \"kvm\""),
		LEASE("", "group", "\"kvm\", \"kernel\", \"device:wan\""),
		LEASE("", "group", "\"kvm\", \"kernel\", 5"),
		LEASE(DEVICE("wan", 1), "group",
		      "\"kvm\", \"kernel\", \"iommu\""),
		LEASE(DEVICE("wan", 1), "group",
		      "\"kvm\", \"kernel\", \"device:wan\""),
		/* back end, slots */
		LEASE(DEVICE("wan", 1), "uio", WAN_FDS),
		LEASE(DEVICE("wan", 0), "group", WAN_FDS),
		LEASE(DEVICE("wan", 32), "group", WAN_FDS),
		LEASE(DEVICE("wan", -1), "group", WAN_FDS),
		LEASE(DEVICE("wan", 1) ", " DEVICE("lan", 1), "group",
		      WAN_FDS ", \"device:lan\""),
		LEASE(DEVICE("", 1), "group", WAN_FDS),
		LEASE(DEVICE("a-name-of-more-than-thirty-one-letters", 1),
		      "group", WAN_FDS),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(text); i++) {
		struct vm_config c;
		struct diag d;

		assert_int_equal(parse(text[i], &c, &d), -EBADMSG);
		assert_int_equal(d.code, FL_VMM_LEASE);
		assert_true(d.why[0] && d.mend[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole),
		cmocka_unit_test(without_devices),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
