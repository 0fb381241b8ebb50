/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a guest's memory needs of a host's nodes, and what is said where it is
 * not there. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "policy/policy.h"

#define GIB (1ull << 30)
#define MIB (1ull << 20)

/* Of 8 GiB each; node 1 is offline. */
static const struct pol_host_node host[] = {
	{ .there = true, .total = 8 * GIB, .free = 3 * GIB, .free_pages = GIB },
	{ 0 },
	{ .there = true, .total = 8 * GIB, .free = 8 * GIB },
};
static struct pol_memory_node node[2] = { { .size = 2 * GIB, .host = 0 },
	                                  { .size = 2 * GIB, .host = 2 } };

static struct pol_guest guest(void)
{
	return (struct pol_guest){
		.name = "g",
		.cpus = 1,
		.memory = 4 * GIB,
		.host_node = -1,
		.node = node,
		.n_nodes = 2,
	};
}

static int check(const struct pol_guest *g, bool held, struct diag *d)
{
	memset(d, 0, sizeof(*d));
	return pol_nodes_check(g, held, host, ARRAY_SIZE(host), d);
}

static void test_enough(void **state)
{
	struct pol_guest g = guest();
	struct diag d;

	(void)state;
	assert_int_equal(check(&g, true, &d), 0);
	g.n_nodes = 0; /* anywhere */
	assert_int_equal(check(&g, true, &d), 0);
	g.host_node = 0;
	g.memory = 8 * GIB;
	assert_int_equal(check(&g, false, &d), 0);
	g.numa = POL_NUMA_NONE;
	g.memory = 9 * GIB;
	g.host_node = 7;
	assert_int_equal(check(&g, true, &d), 0);
}

static void test_absent(void **state)
{
	struct pol_guest g = guest();
	struct diag d;

	(void)state;
	g.n_nodes = 0;
	for (int at = 1; at < 5; at += 2) {
		g.host_node = at;
		assert_int_equal(check(&g, false, &d), -ENODEV);
		assert_int_equal(d.code, FL_POL_NODE);
	}
	assert_non_null(strstr(d.what, "node 3 of the host"));
}

static void test_too_little(void **state)
{
	struct pol_guest g = guest();
	struct diag d;

	(void)state;
	node[1].host = 0; /* 4 GiB of 3 */
	assert_int_equal(check(&g, false, &d), 0);
	assert_int_equal(check(&g, true, &d), -ENOMEM);
	node[1].host = 2;
	assert_int_equal(d.code, FL_POL_NODE_MEMORY);
	assert_non_null(strstr(d.what, "4096 MiB from node 0"));
	assert_non_null(strstr(d.why, "3072 MiB free"));
	g.n_nodes = 0;
	g.host_node = 2;
	g.memory = 9 * GIB;
	assert_int_equal(check(&g, false, &d), -ENOMEM);
	assert_non_null(strstr(d.why, "8192 MiB in all"));
}

static void test_pages(void **state)
{
	struct pol_guest g = guest();
	struct diag d;

	(void)state;
	g.page = 2 * MIB;
	assert_int_equal(check(&g, false, &d), -ENOMEM);
	assert_int_equal(d.code, FL_POL_NODE_MEMORY);
	assert_non_null(strstr(d.why, "512 of them free, and 1024"));
	assert_non_null(strstr(d.mend, "node0/hugepages/hugepages-2048kB/"
	                               "nr_hugepages must grow by 512"));
	g.n_nodes = 0;
	g.host_node = 0;
	g.memory = GIB;
	assert_int_equal(check(&g, true, &d), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enough),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_too_little),
		cmocka_unit_test(test_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
