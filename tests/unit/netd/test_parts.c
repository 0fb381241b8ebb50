/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which parts of the machine a policy needs, and memory nodes as sysfs tells
 * them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/netd/tree.h"

static void test_policy(void **state)
{
	struct pol_device device = { .name = "gpu" };
	struct pol_pool pool = { .driver = "netdev" };
	struct pol_nic nic = { .name = "gpu1", .match.by_class = true };
	struct pol_policy p = { .n_pools = 1, .pool = &pool };
	unsigned least = observe_for_policy(&p);

	(void)state;
	assert_int_equal(least, SEE_SWITCH | SEE_ANSWERS);
	strcpy(pool.driver, "mlx5_vfio_pci");
	assert_int_equal(observe_for_policy(&p), least | SEE_ASSIGN);
	p.n_pools = 0;
	p.host.deny_unlisted = true;
	assert_int_equal(observe_for_policy(&p), least | SEE_WHOLES);
	p.host.deny_unlisted = false;
	p.device = &device;
	p.n_devices = 1;
	assert_int_equal(observe_for_policy(&p),
	                 least | SEE_ASSIGN | SEE_WHOLES);
	p.n_devices = 0;
	p.nic = &nic;
	p.n_nics = 1;
	assert_int_equal(observe_for_policy(&p), least | SEE_WHOLES);
	p.n_nics = 0;
	p.host.sockets_pos.line = 3;
	assert_int_equal(observe_for_policy(&p), least | SEE_SOCKETS);
	p.host.sockets_pos.line = 0;
	strcpy(p.host.hostname, "a");
	assert_int_equal(observe_for_policy(&p), least | SEE_MACHINE);
	strcpy(p.host.hostname, "");
	strcpy(p.host.machine_id, "0123456789abcdef0123456789abcdef");
	assert_int_equal(observe_for_policy(&p), least | SEE_MACHINE);
}

/* What the policy says of others is not looked at. */
static void test_guest(void **state)
{
	struct pol_device device = { .name = "gpu" };
	struct pol_guest with = { .n_devices = 1 }, without = { .n_nics = 1 };
	struct pol_nic nic = { .name = "e", .match.by_class = true };
	struct pol_policy p = { .n_devices = 1, .device = &device };

	(void)state;
	p.host.deny_unlisted = true;
	assert_true(observe_for_policy(&p) & SEE_WHOLES);
	assert_int_equal(observe_for_guest(&p, &without),
	                 observe_for_policy(&p) & ~(unsigned)SEE_WHOLES);
	assert_int_equal(observe_for_guest(&p, &with), observe_for_policy(&p));
	p.nic = &nic;
	p.n_nics = 1;
	assert_true(observe_for_guest(&p, &without) & SEE_WHOLES);
}

static void test_outcome(void **state)
{
	struct pol_pf pf = { .bdf = { 0, 1, 0, 0 } };
	struct pol_state seen = { .pf = &pf, .n_pfs = 1 };
	struct pol_action a = { .op = POL_OP_VF_MAC };
	struct pol_plan plan = { &a, 1 };
	struct pol_whole whole = { .set = 0 };
	struct pol_state was = { .n_pfs = 0 };

	(void)state;
	assert_int_equal(observe_outcome(&plan, &seen).parts, 0);
	assert_ptr_equal(observe_outcome(&plan, &seen).plan, &plan);
	a.op = POL_OP_DEV_DRIVER;
	assert_int_equal(observe_outcome(&plan, &seen).parts, SEE_WHOLES);
	a.op = POL_OP_ESWITCH;
	assert_int_equal(observe_outcome(&plan, &seen).parts, SEE_SWITCH);
	a.op = POL_OP_VF_MAC;
	pf.sw.instance = true;
	assert_int_equal(observe_outcome(&plan, &seen).parts, SEE_SWITCH);
	assert_false(observe_for_state(&was) & SEE_WHOLES);
	was.whole = &whole;
	was.n_wholes = 1;
	assert_true(observe_for_state(&was) & SEE_WHOLES);
}

static void put_node(const struct tree *t, const char *name, const char *cpus)
{
	char path[96];

	snprintf(path, sizeof(path), "sys/devices/system/node/%s/cpulist",
	         name);
	put(t, path, cpus);
}

static void put_cpu(const struct tree *t, unsigned cpu, const char *package)
{
	char path[96];

	snprintf(path, sizeof(path),
	         "sys/devices/system/cpu/cpu%u/topology/physical_package_id",
	         cpu);
	put(t, path, package);
}

/* Numbers of packages are the firmware's, and mean nothing. */
static void test_sockets(void **state)
{
	static const uint8_t expected[] = { 1, 1, 0, 2, 0, 0 };
	struct pol_machine m = { .hostname = "" };
	static struct tree t;
	struct env e;

	*state = &t;
	tree_make(&t);
	e = (struct env){ .root_fd = t.fd };
	observe_sockets(&e, &m);
	assert_int_equal(m.socket[0], 0);
	put_node(&t, "node0", "0-1,8\n");
	put_node(&t, "node1", "2-3\n");
	put_node(&t, "node2", "\n"); /* memory alone */
	put_node(&t, "node3", "4\n");
	put_node(&t, "node4", "5\n"); /* a CPU that is not there */
	put_node(&t, "node5x", "0\n");
	put_node(&t, "has_cpu", "0\n");
	put_cpu(&t, 0, "36\n");
	put_cpu(&t, 2, "36\n");
	put_cpu(&t, 4, "0\n");
	observe_sockets(&e, &m);
	assert_memory_equal(m.socket, expected, sizeof(expected));
}

static void put_pages(const struct tree *t, const char *name, const char *kb,
                      const char *n)
{
	char path[128];

	snprintf(path, sizeof(path),
	         "sys/devices/system/node/%s/hugepages/hugepages-%skB/"
	         "nr_hugepages",
	         name, kb);
	put(t, path, n);
}

static void test_pages(void **state)
{
	struct pol_machine m = { .hostname = "" };
	static struct tree t;
	struct env e;

	*state = &t;
	tree_make(&t);
	e = (struct env){ .root_fd = t.fd };
	assert_int_equal(observe_pages(&e, &m), 0);
	assert_int_equal(m.n_pages, 0);
	free(m.pages);
	put_pages(&t, "node0", "2048", "512\n");
	put_pages(&t, "node0", "1048576", "8\n");
	put_pages(&t, "node3", "2048", "7\n"); /* knows no others */
	put_pages(&t, "power", "2048", "9\n");
	assert_int_equal(observe_pages(&e, &m), 0);
	assert_int_equal(m.n_pages, 4);
	assert_int_equal(m.pages[0].n[POL_PAGE_2M], 512);
	assert_int_equal(m.pages[0].n[POL_PAGE_1G], 8);
	assert_int_equal(m.pages[3].n[POL_PAGE_2M], 7);
	assert_int_equal(m.pages[3].n[POL_PAGE_1G], 0);
	assert_int_equal(m.pages[1].n[POL_PAGE_2M], 0);
	free(m.pages);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_guest),
		cmocka_unit_test(test_outcome),
		cmocka_unit_test_teardown(test_sockets, tree_teardown),
		cmocka_unit_test_teardown(test_pages, tree_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
