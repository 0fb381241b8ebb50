/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Other owners of a function, by the files that they leave. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sriov/sriov.h"
#include "tests/unit/sriov/tree.h"

#define NM "etc/NetworkManager/system-connections/"
#define NETWORKD "etc/systemd/network/"

#define LIB "usr/lib/systemd/network/"
#define OURS "[Match]\nName=ens1\n"
#define SRIOV "[SR-IOV]\nVirtualFunction=0\n"

static const struct {
	const char *path, *text, *who; /* NULL = nobody */
} cases[] = {
	{ "etc/driverctl.d/" PF, "vfio-pci\n", "driverctl" },
	{ "etc/driverctl.d/pci-" PF, "vfio-pci\n", "driverctl" },
	{ "etc/driverctl.d/0000:01:00.1", "vfio-pci\n", NULL },
	{ "etc/sriov-operator/pci/" PF, "{}", "the SR-IOV network operator" },
	{ "run/libvirt/hostdevmgr/ens1_vf0", "{}", "libvirt" },
	{ "run/libvirt/hostdevmgr/ens1_vf", "{}", NULL },
	{ "run/libvirt/hostdevmgr/ens10_vf0", "{}", NULL },
	{ NM "a.nmconnection",
	  "[connection]\nid=a\ninterface-name=ens1\n\n[sriov]\ntotal-vfs=4\n",
	  "NetworkManager" },
	{ NM "b", "[connection]\ninterface-name=ens1\n[ipv4]\nmethod=auto\n",
	  NULL },
	{ NM "c", "[connection]\ninterface-name=ens2\n[sriov]\ntotal-vfs=4\n",
	  NULL },
	{ NM "d", "[ipv4]\ninterface-name=ens1\n[sriov]\n", NULL },
	{ NETWORKD "a.network",
	  "# x\n[Match]\nName = eno* ens?\n[SR-IOV]\nVirtualFunction=0\n",
	  "systemd-networkd" },
	{ NETWORKD "b.link",
	  "[Match]\nOriginalName=ens1\n[Link]\nSR-IOVVirtualFunctions=4\n",
	  "systemd-udevd" },
	{ NETWORKD "c.network", "[Match]\nName=!ens1\n[SR-IOV]\n", NULL },
	{ NETWORKD "d.network", "[Match]\nName=!ens2\n[SR-IOV]\n",
	  "systemd-networkd" },
	{ NETWORKD "e.network", "[Match]\nName=ens1\n[Network]\nDHCP=yes\n",
	  NULL },
	{ NETWORKD "f.netdev", "[Match]\nName=ens1\n[SR-IOV]\n", NULL },
	{ NETWORKD "g.network", "[Match]\nMACAddress=ens1\n[SR-IOV]\n", NULL },
	{ "etc/netplan/01.yaml",
	  "network:\n  ethernets:\n    ens1:\n"
	  "      virtual-function-count: 4\n",
	  "netplan" },
	{ "etc/netplan/02.yaml",
	  "network:\n  ethernets:\n    \"ens1\":\n"
	  "      embedded-switch-mode: switchdev\n",
	  "netplan" },
	{ "etc/netplan/03.yaml", "ethernets:\n  ens1:\n    dhcp4: true\n",
	  NULL },
	{ "etc/netplan/04.yaml",
	  "ethernets:\n  ens11:\n    virtual-function-count: 4\n", NULL },
	{ "etc/netplan/05.yaml", "", NULL },
	{ NETWORKD "h.network", "[SR-IOV\n=\n[\n]=\nName", NULL },
	{ "run/systemd/network/a.network", OURS SRIOV, "systemd-networkd" },
	{ "usr/lib/systemd/network/a.network", OURS SRIOV, "systemd-networkd" },
	{ "usr/local/lib/systemd/network/a.link", OURS SRIOV, "systemd-udevd" },
	{ NETWORKD "a.network.d/b.conf", OURS SRIOV, NULL },
};

static void drop(struct tree *t)
{
	tree_remove(t, "etc");
	tree_remove(t, "run");
	tree_remove(t, "usr");
	tree_drop(t);
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sriov_owner o[SRIOV_OWNERS];
		struct tree t;
		size_t n;

		tree_make(&t);
		tree_put(&t, cases[i].text, "%s", cases[i].path);
		n = sriov_owners(t.root_fd, bdf_of(PF), "ens1", o,
		                 ARRAY_SIZE(o));
		if (n != (cases[i].who != NULL))
			fail_msg("%s: %zu", cases[i].path, n);
		if (n) {
			assert_string_equal(o[0].who, cases[i].who);
			assert_string_equal(o[0].file + 1, cases[i].path);
			assert_true(*o[0].mend && *o[0].what);
		}
		drop(&t);
	}
}

/* Files that are one, or hide one another: systemd.network(5). */
static const struct {
	struct {
		const char *path, *text; /* NULL: a link to /dev/null */
	} file[3];
	const char *told; /* NULL = nobody */
} parts[] = {
	{ { { NETWORKD "a.network", OURS },
	    { NETWORKD "a.network.d/b.conf", SRIOV } },
	  NETWORKD "a.network.d/b.conf" },
	{ { { LIB "a.network", SRIOV },
	    { "run/systemd/network/a.network.d/b.conf", OURS } },
	  LIB "a.network" },
	{ { { LIB "a.link", OURS },
	    { "usr/local/lib/systemd/network/a.link.d/b.conf", SRIOV } },
	  "usr/local/lib/systemd/network/a.link.d/b.conf" },
	/* Not of it: another's, another name, no section of its own. */
	{ { { NETWORKD "a.network", OURS },
	    { NETWORKD "b.network.d/b.conf", SRIOV } },
	  NULL },
	{ { { NETWORKD "a.network", OURS },
	    { NETWORKD "a.network.d/b.txt", SRIOV } },
	  NULL },
	{ { { NETWORKD "a.network", SRIOV "[Match]\n" },
	    { NETWORKD "a.network.d/b.conf", "Name=ens1\n" } },
	  NULL },
	/* The same name in a folder that comes first. */
	{ { { NETWORKD "a.network", OURS }, { LIB "a.network", OURS SRIOV } },
	  NULL },
	{ { { "run/systemd/network/a.network", NULL },
	    { LIB "a.network", OURS SRIOV } },
	  NULL },
	{ { { NETWORKD "a.network", "" },
	    { LIB "a.network", OURS },
	    { NETWORKD "a.network.d/b.conf", OURS SRIOV } },
	  NULL },
	{ { { LIB "a.network", OURS },
	    { NETWORKD "a.network.d/b.conf", NULL },
	    { LIB "a.network.d/b.conf", SRIOV } },
	  NULL },
};

static void test_parts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		struct sriov_owner o[SRIOV_OWNERS];
		struct tree t;
		size_t n;

		tree_make(&t);
		for (size_t k = 0; k < 3 && parts[i].file[k].path; k++) {
			if (parts[i].file[k].text)
				tree_put(&t, parts[i].file[k].text, "%s",
				         parts[i].file[k].path);
			else
				tree_link(&t, "/dev/null", "%s",
				          parts[i].file[k].path);
		}
		n = sriov_owners(t.root_fd, bdf_of(PF), "ens1", o,
		                 ARRAY_SIZE(o));
		if (n != (parts[i].told != NULL))
			fail_msg("%zu: %zu", i, n);
		if (n)
			assert_string_equal(o[0].file + 1, parts[i].told);
		drop(&t);
	}
}

/* For many functions they are read once. */
static void test_once(void **state)
{
	struct sriov_owner_files *all;
	struct sriov_owner o[SRIOV_OWNERS];
	struct tree t;

	(void)state;
	tree_make(&t);
	tree_put(&t, "x", "etc/driverctl.d/pci-" VF_FMT, 3);
	tree_put(&t, OURS SRIOV, LIB "a.network");
	assert_int_equal(sriov_owners_read(t.root_fd, &all), 0);
	drop(&t);
	assert_int_equal(sriov_owners_find(all, vf_bdf(3), "", o, 4), 1);
	assert_string_equal(o[0].who, "driverctl");
	assert_int_equal(sriov_owners_find(all, vf_bdf(2), "", o, 4), 0);
	assert_int_equal(sriov_owners_find(all, bdf_of(PF), "ens1", o, 4), 1);
	assert_int_equal(sriov_owners_find(all, bdf_of(PF), "ens2", o, 4), 0);
	sriov_owners_free(all);
	sriov_owners_free(NULL);
}

/* Several; no more than asked for; without an interface only by address. */
static void test_several(void **state)
{
	struct sriov_owner o[SRIOV_OWNERS];
	struct tree t;

	(void)state;
	tree_make(&t);
	tree_put(&t, "x", "etc/driverctl.d/" PF);
	tree_put(&t, "x", "run/libvirt/hostdevmgr/ens1_vf3");
	assert_int_equal(sriov_owners(t.root_fd, bdf_of(PF), "ens1", o, 4), 2);
	assert_int_equal(sriov_owners(t.root_fd, bdf_of(PF), "ens1", o, 1), 1);
	assert_int_equal(sriov_owners(t.root_fd, bdf_of(PF), "", o, 4), 1);
	drop(&t);
}

/* What is no file is not waited for; what is too long is not read. */
static void test_bad_files(void **state)
{
	struct sriov_owner o[SRIOV_OWNERS];
	char *big = malloc(100001);
	struct tree t;

	(void)state;
	memset(big, 'x', 100000);
	memcpy(big, "[Match]\nName=ens1\n[SR-IOV]\n", 27);
	big[100000] = '\0';
	tree_make(&t);
	tree_put(&t, big, NETWORKD "big.network");
	tree_fifo(&t, NETWORKD "fifo.network");
	assert_int_equal(sriov_owners(t.root_fd, bdf_of(PF), "ens1", o, 4), 0);
	drop(&t);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_bad_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
