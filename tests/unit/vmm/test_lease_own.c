/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lease's disks, NICs and the rest that the VMM itself is: what is taken,
 * and what is refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "vmm/lease.h"

#define FD0 6
#define MORE(members, fds)                                                     \
	"{\"ok\": true, \"guest\": {\"name\": \"g\", \"cpus\": 1, "            \
	"\"memory\": 4194304}, " members "\"fds\": [\"kvm\", \"kernel\"" fds   \
	"]}"
#define DISK(name, slot, more)                                                 \
	"{\"name\": \"" name "\", \"slot\": " #slot more "}"
#define NIC(name, slot, model, more)                                           \
	"{\"name\": \"" name "\", \"slot\": " #slot ", \"model\": \"" model    \
	"\", \"mac\": \"02:f1:1d:00:00:01\"" more "}"
#define DISKS(list) "\"disks\": [" list "], "
#define NICS(list) "\"nics\": [" list "], "

static int parse(const char *text, struct vm_config *c, struct diag *d)
{
	memset(d, 0, sizeof(*d));
	return lease_parse(text, strlen(text), FD0, c, d);
}

static void taken(const char *text, struct vm_config *c)
{
	struct diag d;

	if (parse(text, c, &d) < 0)
		fail_msg("%s: %s", text, d.why);
}

static void disks(void **state)
{
	static const char text[] = MORE(
		DISKS(DISK("root", 3, ", \"serial\": \"12345678901234567890\"") ", " DISK(
			"cd", 31,
			", \"read_only\": true, \"direct\": "
			"true, \"path\": \"/srv/cd.iso\"")),
		", \"disk:cd\", \"disk:root\"");
	struct vm_config c;

	(void)state;
	taken(text, &c);
	assert_int_equal(c.n_disks, 2);
	assert_string_equal(c.disk[0].name, "root");
	assert_string_equal(c.disk[0].serial, "12345678901234567890");
	assert_int_equal(c.disk[0].slot, 3);
	assert_int_equal(c.disk[0].fd, FD0 + 3);
	assert_false(c.disk[0].read_only || c.disk[0].direct);
	assert_int_equal(c.disk[1].fd, FD0 + 2);
	assert_int_equal(c.disk[1].slot, 31);
	assert_true(c.disk[1].read_only && c.disk[1].direct);
	assert_string_equal(c.disk[1].serial, "");
	assert_int_equal(c.disk[2].fd, -1);
	lease_free(&c);
}

static void nics(void **state)
{
	static const char text[] = MORE(
		NICS(NIC(
			"wan:standby", 4, "virtio",
			", \"pairs\": 2, \"standby\": true, \"mtu\": 9000") ", " NIC("old",
	                                                                             5,
	                                                                             "e1000",
	                                                                             "")),
		", \"tap:wan:standby:0\", \"vhost:wan:standby:0\", "
		"\"vhost:wan:standby:1\", \"tap:wan:standby:1\", \"tap:old:0\"");
	static const uint8_t mac[] = { 0x02, 0xf1, 0x1d, 0, 0, 1 };
	struct vm_config c;

	(void)state;
	taken(text, &c);
	assert_int_equal(c.n_nics, 2);
	assert_int_equal(c.nic[0].model, VM_NIC_VIRTIO);
	assert_memory_equal(c.nic[0].mac, mac, sizeof(mac));
	assert_int_equal(c.nic[0].mtu, 9000);
	assert_true(c.nic[0].standby);
	assert_int_equal(c.nic[0].pairs, 2);
	assert_int_equal(c.nic[0].tap_fd[0], FD0 + 2);
	assert_int_equal(c.nic[0].vhost_fd[0], FD0 + 3);
	assert_int_equal(c.nic[0].vhost_fd[1], FD0 + 4);
	assert_int_equal(c.nic[0].tap_fd[1], FD0 + 5);
	assert_int_equal(c.nic[0].tap_fd[2], -1);
	assert_int_equal(c.nic[1].model, VM_NIC_E1000);
	assert_int_equal(c.nic[1].pairs, 1);
	assert_int_equal(c.nic[1].mtu, 0);
	assert_false(c.nic[1].standby);
	assert_int_equal(c.nic[1].tap_fd[0], FD0 + 6);
	assert_int_equal(c.nic[1].vhost_fd[0], -1);
	lease_free(&c);
}

static void others(void **state)
{
	static const char text[] =
		MORE("\"vsock\": {\"slot\": 31, \"cid\": 4294967294}, "
	             "\"rng\": {\"slot\": 29}, \"vconsole\": {\"slot\": 30}, "
	             "\"watchdog\": {\"slot\": 28, \"action\": \"stop\"}, ",
	             ", \"vsock\", \"control\"");
	struct vm_config c;

	(void)state;
	taken(text, &c);
	assert_int_equal(c.vsock.slot, 31);
	assert_int_equal(c.vsock.cid, 4294967294u);
	assert_int_equal(c.vsock.fd, FD0 + 2);
	assert_int_equal(c.control_fd, FD0 + 3);
	assert_int_equal(c.rng_slot, 29);
	assert_int_equal(c.console_slot, 30);
	assert_int_equal(c.watchdog.slot, 28);
	assert_int_equal(c.watchdog.action, VM_WATCHDOG_STOP);
	lease_free(&c);
}

static void core(void **state)
{
	struct vm_config c;

	(void)state;
	taken(MORE("\"watchdog\": {\"slot\": 28, \"action\": \"dump\"}, ",
	           ", \"core\""),
	      &c);
	assert_int_equal(c.watchdog.action, VM_WATCHDOG_DUMP);
	assert_int_equal(c.watchdog.core_fd, FD0 + 2);
	lease_free(&c);
}

/* None of it is there: nothing of it is left as it was. */
static void nothing(void **state)
{
	struct vm_config c;

	(void)state;
	memset(&c, 0x55, sizeof(c));
	taken(MORE("", ""), &c);
	assert_int_equal(c.n_disks, 0);
	assert_int_equal(c.n_nics, 0);
	assert_int_equal(c.vsock.slot, 0);
	assert_int_equal(c.vsock.fd, -1);
	assert_int_equal(c.control_fd, -1);
	assert_int_equal(c.rng_slot, 0);
	assert_int_equal(c.console_slot, 0);
	assert_int_equal(c.watchdog.slot, 0);
	assert_int_equal(c.watchdog.core_fd, -1);
	for (unsigned i = 0; i < VM_DISKS_MAX; i++)
		assert_int_equal(c.disk[i].fd, -1);
	for (unsigned i = 0; i < VM_NICS_MAX; i++)
		for (unsigned k = 0; k < VM_NIC_PAIRS_MAX; k++) {
			assert_int_equal(c.nic[i].tap_fd[k], -1);
			assert_int_equal(c.nic[i].vhost_fd[k], -1);
		}
	lease_free(&c);
}

/* As many of each as there may be, and one more. */
static void limits(void **state)
{
	char text[8192];
	struct vm_config c;
	struct diag d;

	(void)state;
	for (unsigned n = VM_DISKS_MAX; n <= VM_DISKS_MAX + 1; n++) {
		size_t at = (size_t)snprintf(
			text, sizeof(text),
			"{\"ok\": true, \"guest\": {\"name\": \"g\", \"cpus\": "
			"1, \"memory\": 4194304}, \"disks\": [");

		for (unsigned i = 0; i < n; i++)
			at += (size_t)snprintf(
				text + at, sizeof(text) - at,
				"%s{\"name\": \"d%u\", \"slot\": %u}",
				i ? ", " : "", i, i + 1);
		at += (size_t)snprintf(text + at, sizeof(text) - at,
		                       "], \"fds\": [\"kvm\", \"kernel\"");
		for (unsigned i = 0; i < n; i++)
			at += (size_t)snprintf(text + at, sizeof(text) - at,
			                       ", \"disk:d%u\"", i);
		snprintf(text + at, sizeof(text) - at, "]}");
		assert_int_equal(parse(text, &c, &d),
		                 n > VM_DISKS_MAX ? -EBADMSG : 0);
		if (n <= VM_DISKS_MAX)
			lease_free(&c);
	}
}

// clang-format off
static const char *const bad[] = {
	/* disks */
	MORE(DISKS(DISK("a", 1, "")), ""),
	MORE("", ", \"disk:a\""),
	MORE(DISKS(DISK("a", 1, "")), ", \"disk:b\""),
	MORE(DISKS(DISK("a", 1, "")), ", \"disk:a\", \"disk:a\""),
	MORE(DISKS(DISK("a", 0, "")), ", \"disk:a\""),
	MORE(DISKS(DISK("a", 32, "")), ", \"disk:a\""),
	MORE(DISKS(DISK("a", 257, "")), ", \"disk:a\""),
	MORE(DISKS(DISK("a", -1, "")), ", \"disk:a\""),
	MORE(DISKS(DISK("a", "1", "")), ", \"disk:a\""),
	MORE(DISKS("{\"name\": \"a\"}"), ", \"disk:a\""),
	MORE(DISKS("{\"slot\": 1}"), ", \"disk:\""),
	MORE(DISKS("7"), ", \"disk:a\""),
	MORE(DISKS(DISK("", 1, "")), ", \"disk:\""),
	MORE(DISKS(DISK("a\\\"b", 1, "")), ", \"disk:a\\\"b\""),
	MORE(DISKS(DISK("12345678901234567890123456789012", 1, "")),
	     ", \"disk:12345678901234567890123456789012\""),
	MORE(DISKS(DISK("a", 1, ", \"serial\": \"123456789012345678901\"")),
	     ", \"disk:a\""),
	MORE(DISKS(DISK("a", 1, ", \"serial\": 7")), ", \"disk:a\""),
	MORE(DISKS(DISK("a", 1, "") ", " DISK("b", 1, "")),
	     ", \"disk:a\", \"disk:b\""),
	MORE(DISKS(DISK("a", 1, "") ", " DISK("a", 2, "")),
	     ", \"disk:a\", \"disk:a\""),
	/* nics */
	MORE(NICS(NIC("a", 1, "virtio", "")), ""),
	MORE(NICS(NIC("a", 1, "rtl8139", "")), ", \"tap:a:0\""),
	MORE(NICS(NIC("a", 1, "virtio", "")), ", \"tap:a\""),
	MORE(NICS(NIC("a", 1, "virtio", "")), ", \"tap:a:1\""),
	MORE(NICS(NIC("a", 1, "virtio", "")), ", \"tap:a:00\""),
	MORE(NICS(NIC("a", 1, "virtio", "")), ", \"vhost:a:0\""),
	MORE(NICS(NIC("a", 1, "virtio", ", \"pairs\": 0")), ", \"tap:a:0\""),
	MORE(NICS(NIC("a", 1, "virtio", ", \"pairs\": 9")), ", \"tap:a:0\""),
	MORE(NICS(NIC("a", 1, "virtio", ", \"pairs\": 2")), ", \"tap:a:0\""),
	MORE(NICS(NIC("a", 1, "virtio", ", \"mtu\": 65536")), ", \"tap:a:0\""),
	MORE(NICS(NIC("a", 1, "virtio", ", \"pairs\": 2")),
	     ", \"tap:a:0\", \"tap:a:1\", \"vhost:a:0\""),
	MORE(NICS(NIC("a", 1, "virtio", ", \"pairs\": 2")),
	     ", \"tap:a:0\", \"tap:a:1\", \"vhost:a:1\""),
	MORE(NICS(NIC("a", 1, "e1000", "")), ", \"tap:a:0\", \"vhost:a:0\""),
	MORE(NICS(NIC("a", 1, "e1000", ", \"pairs\": 2")),
	     ", \"tap:a:0\", \"tap:a:1\""),
	MORE(NICS(NIC("a", 1, "e1000", ", \"standby\": true")),
	     ", \"tap:a:0\""),
	MORE(NICS("{\"name\": \"a\", \"slot\": 1, \"model\": \"virtio\"}"),
	     ", \"tap:a:0\""),
	MORE(NICS("{\"name\": \"a\", \"slot\": 1, \"model\": \"virtio\", "
	          "\"mac\": \"02:00\"}"), ", \"tap:a:0\""),
	MORE(NICS("{\"name\": \"a\", \"slot\": 1, "
	          "\"mac\": \"02:00:00:00:00:01\"}"), ", \"tap:a:0\""),
	MORE(DISKS(DISK("a", 1, "")) NICS(NIC("b", 1, "virtio", "")),
	     ", \"disk:a\", \"tap:b:0\""),
	/* the others */
	MORE("\"vsock\": {\"slot\": 1, \"cid\": 2}, ", ", \"vsock\""),
	MORE("\"vsock\": {\"slot\": 1, \"cid\": 4294967295}, ",
	     ", \"vsock\""),
	MORE("\"vsock\": {\"slot\": 1}, ", ", \"vsock\""),
	MORE("\"vsock\": {\"cid\": 3}, ", ", \"vsock\""),
	MORE("\"vsock\": {\"slot\": 1, \"cid\": 3}, ", ""),
	MORE("", ", \"vsock\""),
	MORE("\"watchdog\": {\"slot\": 1}, ", ""),
	MORE("\"watchdog\": {\"slot\": 1, \"action\": \"dump\"}, ", ""),
	MORE("\"watchdog\": {\"slot\": 1, \"action\": \"stop\"}, ",
	     ", \"core\""),
	MORE("", ", \"core\""),
	MORE("\"watchdog\": {\"action\": \"stop\"}, ", ""),
	MORE("\"watchdog\": {\"slot\": 1, \"action\": \"stop\"}, "
             "\"rng\": {\"slot\": 1}, ",
	     ""),
	MORE("\"rng\": {}, ", ""),
	MORE("\"rng\": {\"slot\": 32}, ", ""),
	MORE("\"vconsole\": {\"slot\": 0}, ", ""),
	MORE("\"rng\": {\"slot\": 1}, \"vconsole\": {\"slot\": 1}, ", ""),
	MORE("\"rng\": {\"slot\": 1}, \"vsock\": {\"slot\": 1, \"cid\": 3}, ",
	     ", \"vsock\""),
	MORE("", ", \"control\", \"control\""),
	/* and what is assigned */
	MORE("\"devices\": [{\"name\": \"w\", \"bdf\": \"x\", \"slot\": 1}], "
	     "\"backend\": \"group\", \"rng\": {\"slot\": 1}, ",
	     ", \"iommu\", \"device:w\""),
};
// clang-format on

static void refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vm_config c;
		struct diag d;

		if (parse(bad[i], &c, &d) != -EBADMSG)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(d.code, FL_VMM_LEASE);
		assert_true(d.why[0] && d.mend[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(disks),   cmocka_unit_test(nics),
		cmocka_unit_test(others),  cmocka_unit_test(core),
		cmocka_unit_test(nothing), cmocka_unit_test(limits),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
