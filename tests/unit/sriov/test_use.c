/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host does with its functions, from the files that tell it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sriov/sriov.h"
#include "tests/unit/sriov/tree.h"

#define DISK "0000:03:00.0"
#define NIC "0000:04:00.0"
#define GPU "0000:05:00.0"
#define PCI_OF(b) "../../devices/pci0000:00/0000:00:02.0/" b

static void add_block(const struct tree *t, const char *name,
                      const char *parents, const char *number)
{
	char link[256], dir[128];

	snprintf(link, sizeof(link), PCI_OF("%s"), parents);
	tree_put(t, number, "sys/devices/pci0000:00/0000:00:02.0/%s/dev",
	         parents);
	snprintf(dir, sizeof(dir), "sys/class/block/%s", name);
	tree_link(t, link, "%s", dir);
}

/* "a; b": all that is said of the function. */
static const char *uses(const struct tree *t, const char *bdf)
{
	static char text[512];
	struct sriov_uses *u;
	const char *one;
	size_t at = 0;

	assert_int_equal(sriov_uses_read(t->root_fd, &u), 0);
	text[0] = '\0';
	while ((one = sriov_uses_next(u, bdf_of(bdf), &at))) {
		assert_true(strlen(one) < SRIOV_USE);
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		         "%s%s", *text ? "; " : "", one);
	}
	sriov_uses_free(u);
	return text;
}

static void add_disk(const struct tree *t)
{
	add_block(t, "sda", DISK "/ata1/host0/block/sda", "8:0");
	add_block(t, "sda1", DISK "/ata1/host0/block/sda/sda1", "8:1");
	add_block(t, "sda2", DISK "/ata1/host0/block/sda/sda2", "8:2");
}

static void test_nothing(void **state)
{
	assert_string_equal(uses(*state, DISK), "");
	add_disk(*state);
	assert_string_equal(uses(*state, DISK), "");
}

static void test_mounts(void **state)
{
	struct tree *t = *state;

	add_disk(t);
	tree_put(t,
	         "21 1 0:19 / /proc rw - proc proc rw\n"
	         "22 1 8:1 / /srv/\\040a rw,relatime shared:1 - ext4 "
	         "/dev/sda1 rw\n"
	         "23 1 80:2 / /other rw - ext4 /dev/sda22 rw\n",
	         "proc/1/mountinfo");
	assert_string_equal(uses(t, DISK), "sda1 is mounted at /srv/\\040a");
	assert_string_equal(uses(t, NIC), "");
	/* btrfs: a number of its own. */
	tree_put(t, "22 1 0:40 / /b rw - btrfs /dev/sda2 rw\n",
	         "proc/1/mountinfo");
	assert_string_equal(uses(t, DISK), "sda2 is mounted at /b");
	/* Another of its devices. */
	tree_remove(t, "proc/1/mountinfo");
	tree_put(t, "", "sys/fs/btrfs/0f3a-11/devices/sda1");
	assert_string_equal(uses(t, DISK), "sda1 is part of a mounted btrfs");
}

static void test_swap_and_holders(void **state)
{
	struct tree *t = *state;

	add_disk(t);
	tree_put(t,
	         "Filename Type Size Used Priority\n"
	         "/dev/sda2 partition 1024 0 -2\n",
	         "proc/swaps");
	assert_string_equal(uses(t, DISK), "sda2 is swap");
	tree_put(t, "",
	         "sys/devices/pci0000:00/0000:00:02.0/" DISK
	         "/ata1/host0/block/sda/sda1/holders/dm-0");
	assert_string_equal(uses(t, DISK),
	                    "sda1 is part of dm-0; sda2 is swap");
}

/* The disk has no place below the function; its hidden path has. */
static void test_multipath(void **state)
{
	struct tree *t = *state;

	add_block(t, "nvme0c1n1", DISK "/nvme/nvme1/nvme0c1n1", "0:0");
	tree_put(t, "259:0",
	         "sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/"
	         "dev");
	tree_put(t, "259:1",
	         "sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/"
	         "nvme0n1p1/dev");
	tree_link(t,
	          "../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1",
	          "sys/class/block/nvme0n1");
	tree_link(t,
	          "../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/"
	          "nvme0n1p1",
	          "sys/class/block/nvme0n1p1");
	tree_put(t, "22 1 259:1 / /data rw - ext4 /dev/nvme0n1p1 rw\n",
	         "proc/1/mountinfo");
	assert_string_equal(uses(t, DISK), "nvme0n1p1 is mounted at /data");
}

#define ZEROES "00000000000000000000000000000000"
#define IPV6_DEFAULT(flags)                                                    \
	ZEROES " 00 " ZEROES " 00 " ZEROES                                     \
	       " 00000400 00000001 00000000 " flags "     eth0\n"
#define ROUTES "Iface\tDestination\tGateway\tFlags\n"

static void test_net(void **state)
{
	struct tree *t = *state;

	tree_put(t, "1",
	         "sys/devices/pci0000:00/0000:00:02.0/" NIC
	         "/virtio0/net/eth0/mtu");
	tree_link(t, PCI_OF(NIC "/virtio0/net/eth0"), "sys/class/net/eth0");
	tree_link(t, "../../devices/virtual/net/lo", "sys/class/net/lo");
	assert_string_equal(uses(t, NIC), "");
	tree_put(t, ROUTES "eth01\t00000000\t0202000A\t0003\n",
	         "proc/net/route");
	assert_string_equal(uses(t, NIC), "");
	tree_put(t, ROUTES "eth0\t0002000A\t00000000\t0001\n",
	         "proc/net/route");
	assert_string_equal(uses(t, NIC), "eth0 is up with an address");
	tree_put(t,
	         ROUTES "eth0\t0002000A\t00000000\t0001\n"
	                "eth0\t00000000\t0202000A\t0003\n",
	         "proc/net/route");
	assert_string_equal(uses(t, NIC), "eth0 has the default route");
	tree_remove(t, "proc/net/route");
	/* Scope link says only that it is up. */
	tree_put(t, "fe800000000000005054000000000001 02 40 20 80     eth0\n",
	         "proc/net/if_inet6");
	assert_string_equal(uses(t, NIC), "");
	tree_put(t, "20010db8000000000000000000000001 02 40 00 80     eth0\n",
	         "proc/net/if_inet6");
	assert_string_equal(uses(t, NIC), "eth0 is up with an IPv6 address");
	tree_put(t,
	         "00000000000000000000000000000000 00 "
	         "00000000000000000000000000000000 00 "
	         "fe800000000000000000000000000002 00000400 00000001 00000000 "
	         "00000003     eth0\n",
	         "proc/net/ipv6_route");
	assert_string_equal(uses(t, NIC), "eth0 has the IPv6 default route");
	/* On the link, without a gateway; and one that refuses. */
	tree_put(t, IPV6_DEFAULT("00000001"), "proc/net/ipv6_route");
	assert_string_equal(uses(t, NIC), "eth0 has the IPv6 default route");
	tree_put(t, IPV6_DEFAULT("00200200"), "proc/net/ipv6_route");
	assert_string_equal(uses(t, NIC), "eth0 is up with an IPv6 address");
	tree_link(t, "../br0", "sys/class/net/eth0/master");
	assert_string_equal(uses(t, NIC), "eth0 is part of br0");
}

static void test_screen(void **state)
{
	struct tree *t = *state;

	tree_put(t, "0", "sys/bus/pci/devices/" GPU "/boot_vga");
	tree_put(t, "fb",
	         "sys/devices/pci0000:00/0000:00:02.0/" GPU
	         "/graphics/fb0/name");
	tree_link(t, PCI_OF(GPU "/graphics/fb0"), "sys/class/graphics/fb0");
	tree_put(t, "(M) frame buffer device",
	         "sys/class/vtconsole/vtcon1/name");
	tree_put(t, "0", "sys/class/vtconsole/vtcon1/bind");
	assert_string_equal(uses(t, GPU), "");
	tree_put(t, "1", "sys/class/vtconsole/vtcon1/bind");
	assert_string_equal(uses(t, GPU), "fb0 shows the host's console");
	tree_put(t, "0", "sys/class/vtconsole/vtcon1/bind");
	tree_put(t, "1", "sys/bus/pci/devices/" GPU "/boot_vga");
	assert_string_equal(uses(t, GPU),
	                    "it is the display that the firmware started on");
}

static void test_firmware_screen(void **state)
{
	struct tree *t = *state;

	tree_put(t,
	         "00000000-00000000 : PCI Bus 0000:00\n"
	         "  00000000-00000000 : PCI Bus 0000:05\n"
	         "    00000000-00000000 : " NIC "\n"
	         "    00000000-00000000 : " GPU "\n"
	         "      00000000-00000000 : BOOTFB\n"
	         "00000000-00000000 : efifb\n",
	         "proc/iomem");
	assert_string_equal(uses(t, GPU),
	                    "it shows the firmware's screen (BOOTFB)");
	assert_string_equal(uses(t, NIC), "");
	tree_put(t,
	         "    00000000-00000000 : " GPU "\n"
	         "    00000000-00000000 : BOOTFB\n"
	         "no line of the kernel's\n",
	         "proc/iomem");
	assert_string_equal(uses(t, GPU), "");
}

/* A desktop, or a job on a render node; of the boot display it is known. */
static void test_drm(void **state)
{
	struct tree *t = *state;

	tree_link(t, PCI_OF(GPU "/drm/card0"), "sys/class/drm/card0");
	tree_link(t, PCI_OF(GPU "/drm/card0/card0-DP-1"),
	          "sys/class/drm/card0-DP-1");
	tree_link(t, PCI_OF(GPU "/drm/renderD128"), "sys/class/drm/renderD128");
	assert_string_equal(uses(t, GPU), "");
	tree_link(t, "/dev/dri/card10", "proc/7/fd/3");
	tree_link(t, "/dev/vfio/3", "proc/7/fd/4");
	assert_string_equal(uses(t, GPU), "");
	tree_put(t, "job", "proc/8/comm");
	tree_link(t, "/dev/dri/renderD128", "proc/8/fd/5");
	assert_string_equal(uses(t, GPU),
	                    "job (pid 8) has /dev/dri/renderD128 open");
	tree_link(t, "/dev/dri/card0", "proc/9/fd/0");
	assert_string_equal(uses(t, GPU),
	                    "a process (pid 9) has /dev/dri/card0 open; "
	                    "job (pid 8) has /dev/dri/renderD128 open");
	assert_string_equal(uses(t, NIC), "");
	tree_put(t, "1", "sys/bus/pci/devices/" GPU "/boot_vga");
	assert_string_equal(uses(t, GPU),
	                    "it is the display that the firmware started on");
}

/* VFs of GPUs that the host has itself are screens, too. */
static void test_many_screens(void **state)
{
	struct tree *t = *state;

	for (unsigned i = 0; i < 128; i++)
		tree_link(t, PCI_OF(NIC "/drm/card0"), "sys/class/drm/card%u",
		          i);
	tree_link(t, PCI_OF(GPU "/drm/renderD128"), "sys/class/drm/renderD128");
	tree_put(t, "job", "proc/8/comm");
	tree_link(t, "/dev/dri/renderD128", "proc/8/fd/5");
	assert_string_equal(uses(t, GPU),
	                    "job (pid 8) has /dev/dri/renderD128 open");
}

/* What the host uses cannot be told: that is not nothing. */
static void test_unread(void **state)
{
	static const char *const places[] = {
		"proc/self/mountinfo/x", "proc/swaps/x",
		"proc/net/route/x",      "proc/net/ipv6_route/x",
		"proc/net/if_inet6/x",   "proc/iomem/x",
	};
	struct sriov_uses *u = NULL;
	struct tree *t = *state;

	/* Folders, where files should be. */
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		tree_put(t, "", "%s", places[i]);
		assert_int_equal(sriov_uses_read(t->root_fd, &u), -EISDIR);
		assert_null(u);
		tree_remove(t, "proc");
	}
	tree_put(t, "", "sys/class/drm");
	assert_int_equal(sriov_uses_read(t->root_fd, &u), -ENOTDIR);
	assert_null(u);
	tree_put(t, "", "proc/keep");
}

/* A host with many containers: the last mount counts as the first does. */
static void test_many_mounts(void **state)
{
	static const char line[] = "22 1 0:44 / /run/containers/x rw - overlay "
				   "overlay rw,lowerdir=/a:/b:/c\n";
	static const char last[] = "23 1 8:1 / /data rw - ext4 /dev/sda1 rw\n";
	const size_t n = (3u << 20) / strlen(line);
	char *text = malloc(n * strlen(line) + sizeof(last));
	struct tree *t = *state;

	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		memcpy(text + i * strlen(line), line, strlen(line));
	memcpy(text + n * strlen(line), last, sizeof(last));
	add_disk(t);
	tree_put(t, text, "proc/1/mountinfo");
	free(text);
	assert_string_equal(uses(t, DISK), "sda1 is mounted at /data");
}

/* A router, of whose million routes the last one counts as the first does. */
static void test_many_routes(void **state)
{
	static const char line[] = "eth1\t0002000A\t0102000A\t0003\t0\t0\t0\t"
				   "00FFFFFF\t0\t0\t0\n";
	static const char last[] = "eth0\t00000000\t0202000A\t0003\n";
	const size_t n = 1000000, len = strlen(line);
	char *text = malloc(n * len + sizeof(last));
	struct tree *t = *state;

	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		memcpy(text + i * len, line, len);
	memcpy(text + n * len, last, sizeof(last));
	tree_link(t, PCI_OF(NIC "/net/eth0"), "sys/class/net/eth0");
	tree_put(t, text, "proc/net/route");
	free(text);
	assert_string_equal(uses(t, NIC), "eth0 has the default route");
}

/* A link that cannot be read could be that of a mounted disk: it is not "of no
 * function". A file beside the links is none. */
static void test_links(void **state)
{
	struct tree *t = *state;
	char far[700] = "../../devices/pci0000:00/";
	struct sriov_uses *u = NULL;

	add_disk(t);
	tree_put(t, "", "sys/class/net/bonding_masters");
	assert_string_equal(uses(t, DISK), "");
	for (size_t i = strlen(far); i < sizeof(far) - 1; i++)
		far[i] = i % 8 ? 'a' : '/';
	tree_link(t, far, "sys/class/net/eth0");
	assert_int_equal(sriov_uses_read(t->root_fd, &u), -ENAMETOOLONG);
	assert_null(u);
}

/* Files that are cut, or full of what no kernel writes. */
static void test_rubbish(void **state)
{
	struct tree *t = *state;

	add_disk(t);
	tree_put(t, "22 1 8:1", "proc/1/mountinfo");
	tree_put(t, "\n\n \t\n8:1 8:1 8:1 8:1\n - - - -\n", "proc/swaps");
	tree_put(t, "eth0", "proc/net/route");
	assert_string_equal(uses(t, DISK), "");
	tree_put(t, "22 1 8:1 / /\033[2J\001 rw - ext4 x rw\n",
	         "proc/1/mountinfo");
	assert_string_equal(uses(t, DISK), "sda1 is mounted at /?[2J?");
}

#define T(f) cmocka_unit_test_setup_teardown(f, tree_setup, tree_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_nothing),
		T(test_mounts),
		T(test_swap_and_holders),
		T(test_multipath),
		T(test_net),
		T(test_screen),
		T(test_links),
		T(test_rubbish),
		T(test_drm),
		T(test_many_screens),
		T(test_unread),
		T(test_many_mounts),
		T(test_many_routes),
		T(test_firmware_screen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
