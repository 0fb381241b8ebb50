/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plans that change what another program sets, too: of which functions that is
 * asked, and at what cost. How it is told of one: sriov/test_owner.c. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "netd/owners.h"
#include "tests/unit/netd/tree.h"

#define SYS "sys/bus/pci/devices/0000:03:00.0/"
#define NM "etc/NetworkManager/system-connections/"
#define CONNECTION "[connection]\ninterface-name=ens3\n[sriov]\ntotal-vfs=1\n"

static const struct bdf pf = { 0, 1, 0, 0 }, nic = { 0, 3, 0, 0 };

static struct bdf vf(int i)
{
	return (struct bdf){ 0, 1, (uint8_t)(16 + i / 8), (uint8_t)(i % 8) };
}

static int setup(void **state)
{
	static struct tree t;

	tree_make(&t);
	*state = &t;
	return 0;
}

static int check(const struct tree *t, struct pol_action *a, size_t n,
                 bool force, size_t *ret_warnings, struct diag *d)
{
	const struct env e = { .root_fd = t->fd };
	const struct pol_plan plan = { .action = a, .n = n };
	json_t *reply = json_object();
	int r;

	*d = (struct diag){ 0 };
	r = owners_check(&e, &plan, force, reply, d);
	*ret_warnings = json_array_size(json_object_get(reply, "warnings"));
	json_decref(reply);
	return r;
}

/* A driver that is kept for a VF, by its own address. */
static void test_vf(void **state)
{
	struct pol_action a[] = {
		{ .op = POL_OP_VF_MAC, .pf = pf, .vf = 2, .vf_bdf = vf(2) },
		{ .op = POL_OP_VF_DRIVER, .pf = pf, .vf = 3, .vf_bdf = vf(3) },
	};
	const struct env e = { .root_fd = ((struct tree *)*state)->fd };
	char who[OWNER_TEXT];
	struct diag d;
	size_t n;

	put(*state, "etc/driverctl.d/pci-0000:01:10.2", "vfio-pci\n");
	/* Its MAC is nobody else's; nor is another VF's driver. */
	assert_int_equal(check(*state, a, 2, false, &n, &d), 0);
	put(*state, "etc/driverctl.d/pci-0000:01:10.3", "vfio-pci\n");
	assert_int_equal(check(*state, a, 2, false, &n, &d), -EBUSY);
	assert_int_equal(d.code, FL_NETD_OWNED);
	assert_string_equal(d.what, "0000:01:10.3 is driverctl's, too");
	assert_int_equal(check(*state, a, 2, true, &n, &d), 0);
	assert_int_equal(n, 1);
	owners_suspect(&e, &a[1], who);
	assert_string_equal(
		who, "perhaps driverctl, /etc/driverctl.d/pci-0000:01:10.3");
	owners_suspect(&e, &a[0], who);
	assert_string_equal(who, "");
	/* Where it is not known yet, its PF's address stands for it. */
	a[1].vf_bdf = pf;
	assert_int_equal(check(*state, a, 2, false, &n, &d), 0);
}

/* A function that is given as it is: by the name that it has now. */
static void test_whole(void **state)
{
	struct pol_action a[] = {
		{ .op = POL_OP_DEV_DRIVER, .pf = nic, .vf = -1, .vf_bdf = nic },
	};
	const struct env e = { .root_fd = ((struct tree *)*state)->fd };
	char who[OWNER_TEXT];
	struct diag d;
	size_t n;

	put(*state, NM "a", CONNECTION);
	assert_int_equal(check(*state, a, 1, false, &n, &d), 0);
	put(*state, SYS "vendor", "0x8086\n");
	put(*state, SYS "device", "0x10c9\n");
	put(*state, SYS "class", "0x020000\n");
	put(*state, SYS "net/ens3/mtu", "1500\n");
	assert_int_equal(check(*state, a, 1, false, &n, &d), -EBUSY);
	assert_string_equal(d.what,
	                    "0000:03:00.0 (ens3) is NetworkManager's, too");
	owners_suspect(&e, a, who);
	assert_string_equal(who, "perhaps NetworkManager, /" NM "a");
}

static void test_pf(void **state)
{
	struct pol_action a[] = {
		{ .op = POL_OP_NUMVFS, .pf = pf, .vf = -1, .ifname = "ens3" },
		{ .op = POL_OP_PF_MTU, .pf = pf, .vf = -1, .ifname = "ens3" },
	};
	struct diag d;
	size_t n;

	assert_int_equal(check(*state, a, 0, false, &n, &d), 0);
	assert_int_equal(check(*state, a, 2, false, &n, &d), 0);
	put(*state, NM "a", CONNECTION);
	assert_int_equal(check(*state, a, 2, false, &n, &d), -EBUSY);
	/* One warning a function, not one an action. */
	assert_int_equal(check(*state, a, 2, true, &n, &d), 0);
	assert_int_equal(n, 1);
}

#define PFS 64
#define VFS 256
#define KINDS 4

static struct pol_action *large(void)
{
	static const enum pol_op op[KINDS] = { POL_OP_VF_MAC, POL_OP_VF_VLAN,
		                               POL_OP_VF_TRUST,
		                               POL_OP_VF_DRIVER };
	struct pol_action *a = calloc((size_t)PFS * VFS * KINDS, sizeof(*a));

	assert_non_null(a);
	for (int i = 0; i < PFS * VFS * KINDS; i++) {
		int p = i / (VFS * KINDS), v = i / KINDS % VFS;

		a[i].op = op[i % KINDS];
		a[i].pf = (struct bdf){ 0, (uint8_t)(p + 1), 0, 0 };
		a[i].vf = v;
		a[i].vf_bdf =
			(struct bdf){ 0, (uint8_t)(p + 1), (uint8_t)(v / 8 + 1),
			              (uint8_t)(v % 8) };
		snprintf(a[i].ifname, sizeof(a[i].ifname), "ens%d", p);
	}
	return a;
}

/* The largest host, all of it, with files of others: no more than planning may
 * take. The files are read once, and a PF is looked for once. */
static void test_cheap(void **state)
{
	struct pol_action *a = large();
	struct timespec from, to;
	struct diag d;
	char path[128];
	double s;
	size_t n;

	for (int i = 0; i < 64; i++) {
		snprintf(path, sizeof(path),
		         "etc/driverctl.d/pci-0000:f0:%02x.0", i % 32);
		put(*state, path, "vfio-pci\n");
		snprintf(path, sizeof(path), "etc/systemd/network/%d.network",
		         i);
		put(*state, path, "[Match]\nName=eno*\n[SR-IOV]\n");
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	assert_int_equal(
		check(*state, a, (size_t)PFS * VFS * KINDS, false, &n, &d), 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	s = (double)(to.tv_sec - from.tv_sec) +
	    (double)(to.tv_nsec - from.tv_nsec) / 1e9;
	print_message("%d PFs of %d VFs: %.1f ms\n", PFS, VFS, s * 1e3);
#ifndef __SANITIZE_ADDRESS__
	assert_true(s < 0.5);
#endif
	free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_vf, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_whole, setup,
		                                tree_teardown),
		cmocka_unit_test_setup_teardown(test_pf, setup, tree_teardown),
		cmocka_unit_test_setup_teardown(test_cheap, setup,
		                                tree_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
