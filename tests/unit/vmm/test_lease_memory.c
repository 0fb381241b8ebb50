/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lease's memory nodes and the machine's maker: what is taken, and what is
 * refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "vmm/lease.h"

#define GUEST(members)                                                         \
	"{\"ok\": true, \"guest\": {\"name\": \"g\", \"cpus\": 2, "            \
	"\"memory\": 67108864, " members "}, \"fds\": [\"kvm\", \"kernel\"]}"

static int parse(const char *text, struct vm_config *c, struct diag *d)
{
	memset(d, 0, sizeof(*d));
	return lease_parse(text, strlen(text), 6, c, d);
}

static void nodes(void **state)
{
	static const char text[] = GUEST(
		"\"lock\": true, \"prefer_nodes\": true, \"pci_node\": 1, "
		"\"nodes\": ["
		"{\"size\": 33554432, \"cpus\": [0, 63], \"host\": 3, "
		"\"distances\": [10, 21]}, {\"size\": 33554432}]");
	struct vm_config c;
	struct diag d;

	(void)state;
	assert_int_equal(parse(text, &c, &d), 0);
	assert_int_equal(c.n_nodes, 2);
	assert_int_equal(c.node[0].size, 32 << 20);
	assert_true(c.node[0].cpus == (VM_CPU(0) | VM_CPU(63)));
	assert_int_equal(c.node[0].host, 3);
	assert_int_equal(c.node[0].distance[1], 21);
	assert_int_equal(c.node[0].distance[2], 0);
	assert_int_equal(c.node[1].host, -1);
	assert_true(c.node[1].cpus == 0);
	assert_true(c.ram.lock && c.ram.prefer);
	assert_int_equal(c.pci_node, 2);
	lease_free(&c);
}

static void maker(void **state)
{
	static const char text[] =
		GUEST("\"smbios\": {\"manufacturer\": \"A B\", \"product\": "
	              "\"P\", \"version\": \"V\", \"serial\": \"S\", \"uuid\": "
	              "\"00112233-4455-6677-8899-aabbccddeeff\"}");
	struct vm_config c;
	struct diag d;

	(void)state;
	assert_int_equal(parse(text, &c, &d), 0);
	assert_string_equal(c.smbios.manufacturer, "A B");
	assert_string_equal(c.smbios.product, "P");
	assert_string_equal(c.smbios.version, "V");
	assert_string_equal(c.smbios.serial, "S");
	assert_int_equal(c.smbios.uuid[15], 0xff);
	lease_free(&c);
}

static void nothing(void **state)
{
	struct vm_config c;
	struct diag d;

	(void)state;
	assert_int_equal(parse(GUEST("\"page\": 0"), &c, &d), 0);
	assert_int_equal(c.n_nodes, 0);
	assert_false(c.ram.lock || c.ram.prefer);
	assert_string_equal(c.smbios.serial, "");
	lease_free(&c);
}

#define NODE(members) GUEST("\"nodes\": [{" members "}]")
#define SIZE "\"size\": 67108864, "

static void refused(void **state)
{
	static const char *const bad[] = {
		NODE("\"cpus\": [0]"),
		GUEST("\"pci_node\": 1"),
		NODE("\"size\": -1"),
		NODE("\"size\": \"64M\""),
		NODE(SIZE "\"cpus\": [64]"),
		NODE(SIZE "\"cpus\": [-1]"),
		NODE(SIZE "\"cpus\": [\"0\"]"),
		NODE(SIZE "\"host\": 1024"),
		NODE(SIZE "\"host\": -1"),
		NODE(SIZE "\"host\": \"any\""),
		NODE(SIZE "\"distances\": [256]"),
		NODE(SIZE "\"distances\": [0, 0, 0, 0, 0, 0, 0, 0, 0]"),
		GUEST("\"nodes\": [{\"size\": 1}, {\"size\": 1}, {\"size\": 1}, "
		      "{\"size\": 1}, {\"size\": 1}, {\"size\": 1}, {\"size\": "
		      "1}, {\"size\": 1}, {\"size\": 1}]"),
		GUEST("\"smbios\": {\"serial\": \"\"}"),
		GUEST("\"smbios\": {\"serial\": \"a\\\"b\"}"),
		GUEST("\"smbios\": {\"uuid\": 1}"),
		GUEST("\"smbios\": {\"uuid\": "
		      "\"00112233-4455-6677-8899-aabbccddeef\"}"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vm_config c;
		struct diag d;

		if (parse(bad[i], &c, &d) != -EBADMSG)
			fail_msg("not refused: %s", bad[i]);
		assert_int_equal(d.code, FL_VMM_LEASE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes),
		cmocka_unit_test(maker),
		cmocka_unit_test(nothing),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
