/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random MACs: drawn once, kept, and nobody else's. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "netd/macs.h"

static char folder[64];
static int state_fd;

static struct pol_policy *parse(const char *mac, const char *nics)
{
	struct pol_policy *p = NULL;
	struct pol_errors errs;
	char text[2048];

	snprintf(text, sizeof(text),
	         "version: 1\n"
	         "nics:\n"
	         "  - { name: edge0, match: { pci: \"0000:01:00.0\" },"
	         " virtual-function-count: 7 }\n"
	         "pools:\n"
	         "  - { name: edge, functions: [\"edge0#0-6\"], mac: %s }\n"
	         "guests:\n"
	         "  - name: demo\n"
	         "    memory: 512M\n"
	         "    kernel: /boot/vmlinuz\n"
	         "    nics: [%s]\n",
	         mac, nics);
	if (pol_parse(text, strlen(text), &p, &errs))
		fail_msg("%s", errs.n ? errs.e[0].diag.what : "no memory");
	return p;
}

#define RANDOM "{ assign: random }"
#define WAN "{ name: wan, pool: edge }"
#define LAN "{ name: lan, pool: edge }"

static bool mac_of(const struct pol_policy *p, size_t nic, uint8_t ret[6])
{
	return pol_guest_nic_mac(p, &p->guest[0], &p->guest[0].nic[nic], ret);
}

/* As an apply goes about it. */
static void apply(struct pol_policy *p, uint8_t ret[static 6])
{
	struct diag d;

	assert_int_equal(macs_draw(state_fd, p, &d), 0);
	assert_int_equal(macs_keep(state_fd, p, &d), 0);
	assert_true(mac_of(p, 0, ret));
}

static void test_drawn_and_kept(void **state)
{
	struct pol_policy *p = parse(RANDOM, WAN "," LAN);
	uint8_t first[6], again[6], other[6];
	struct diag d;

	(void)state;
	assert_false(mac_of(p, 0, first));
	apply(p, first);
	assert_true(mac_of(p, 1, other));
	assert_int_equal(first[0], 0x02);
	assert_memory_not_equal(first, other, 6);
	pol_free(p);
	/* Another netd, another policy: the nic's all the same. */
	p = parse(RANDOM, LAN "," WAN);
	assert_int_equal(macs_applied(state_fd, p, &d), 0);
	assert_true(mac_of(p, 1, again));
	assert_memory_equal(first, again, 6);
	apply(p, again);
	assert_memory_equal(other, again, 6);
	pol_free(p);
	/* Until restore. */
	assert_int_equal(macs_forget_all(state_fd, &d), 0);
	p = parse(RANDOM, WAN);
	assert_int_equal(macs_applied(state_fd, p, &d), -ENODATA);
	assert_int_equal(d.code, FL_NETD_MACS);
	assert_false(mac_of(p, 0, again));
	apply(p, again);
	assert_memory_not_equal(first, again, 6);
	pol_free(p);
}

static void test_prefix(void **state)
{
	static const uint8_t prefix[] = { 0x52, 0x54, 0x00 };
	struct pol_policy *p;
	uint8_t mac[6];

	(void)state;
	p = parse("{ assign: random, prefix: \"52:54:00\" }", WAN);
	apply(p, mac);
	assert_memory_equal(mac, prefix, sizeof(prefix));
	pol_free(p);
}

/* What the policy says of a nic or its VF is meant, and draws nothing. */
static void test_given(void **state)
{
	struct pol_policy *p =
		parse(RANDOM, "{ name: wan, pool: edge, mac-address: "
	                      "\"02:00:00:00:00:07\" }, "
	                      "{ name: lan, pool: edge, mac-address: null }");
	uint8_t mac[6];
	struct diag d;

	(void)state;
	apply(p, mac);
	assert_int_equal(mac[5], 7);
	assert_false(mac_of(p, 1, mac));
	pol_free(p);
	assert_int_equal(faccessat(state_fd, "macs.json", F_OK, 0), -1);
	p = parse("{ prefix: \"02:5a:10\" }", WAN);
	assert_int_equal(macs_applied(state_fd, p, &d), 0);
	pol_free(p);
}

static void put_file(const char *text)
{
	struct diag d;

	assert_int_equal(
		journal_put(state_fd, "macs.json", text, strlen(text), &d), 0);
}

static void test_taken(void **state)
{
	struct pol_policy *p =
		parse(RANDOM, WAN ", { name: lan, pool: edge, mac-address: "
	                          "\"02:00:00:00:00:07\" }");
	uint8_t mac[6];
	struct diag d;

	(void)state;
	put_file("{ \"demo/wan\": \"02:00:00:00:00:07\" }");
	assert_int_equal(macs_fill(state_fd, p, &d), 0);
	assert_false(mac_of(p, 0, mac));
	apply(p, mac);
	assert_int_not_equal(mac[1] | mac[2] | mac[3] | mac[4], 0);
	pol_free(p);
}

static void test_spoilt(void **state)
{
	struct pol_policy *p = parse(RANDOM, WAN);
	uint8_t mac[6];
	struct diag d = { 0 };

	(void)state;
	put_file("{ \"demo/wan\": 7 }");
	apply(p, mac);
	pol_free(p);
	p = parse(RANDOM, WAN);
	put_file("[");
	assert_int_equal(macs_draw(state_fd, p, &d), -EBADMSG);
	assert_int_equal(d.code, FL_NETD_JOURNAL);
	pol_free(p);
}

static int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/fl-macs-XXXXXX");
	assert_non_null(mkdtemp(folder));
	state_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return state_fd < 0;
}

static int teardown(void **state)
{
	(void)state;
	unlinkat(state_fd, "macs.json", 0);
	close(state_fd);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_drawn_and_kept, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_prefix, setup, teardown),
		cmocka_unit_test_setup_teardown(test_given, setup, teardown),
		cmocka_unit_test_setup_teardown(test_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_spoilt, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
