/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints a function's configuration space as VFIO gives it, in the form of
 * `lspci -xxxx` (so that `lspci -F FILE -vv` reads it), with a Region line for
 * each BAR. Used by `record` only.  vfio-dump BDF GROUP
 */
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int open_device(const char *bdf, const char *group)
{
	char path[64];
	int container, g, dev;

	snprintf(path, sizeof(path), "/dev/vfio/%s", group);
	container = open("/dev/vfio/vfio", O_RDWR);
	g = open(path, O_RDWR);
	if (container < 0 || g < 0)
		die(path);
	if (ioctl(g, VFIO_GROUP_SET_CONTAINER, &container) ||
	    ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		die("container");
	dev = ioctl(g, VFIO_GROUP_GET_DEVICE_FD, bdf);
	if (dev < 0)
		die(bdf);
	return dev;
}

static void print_region(int dev, unsigned i, uint32_t reg)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = i };
	unsigned long long size;
	unsigned unit = 0;

	if (ioctl(dev, VFIO_DEVICE_GET_REGION_INFO, &info) || !info.size)
		return;
	for (size = info.size; size % 1024 == 0 && unit < 3; size /= 1024)
		unit++;
	if (reg & 1)
		printf("\tRegion %u: I/O ports at %x [size=%llu%.1s]\n", i,
		       reg & ~3u, size, &"\0KMG"[unit]);
	else
		printf("\tRegion %u: Memory at %08x (%s, %sprefetchable) "
		       "[size=%llu%.1s]\n",
		       i, reg & ~15u, reg & 4 ? "64-bit" : "32-bit",
		       reg & 8 ? "" : "non-", size, &"\0KMG"[unit]);
}

int main(int argc, char **argv)
{
	struct vfio_region_info info = { .argsz = sizeof(info),
		                         .index =
		                                 VFIO_PCI_CONFIG_REGION_INDEX };
	static uint8_t raw[4096];
	int dev;

	if (argc != 3)
		return 2;
	dev = open_device(argv[1], argv[2]);
	if (ioctl(dev, VFIO_DEVICE_GET_REGION_INFO, &info) ||
	    info.size > sizeof(raw) ||
	    pread(dev, raw, info.size, (off_t)info.offset) !=
	            (ssize_t)info.size)
		die("configuration space");
	printf("%s Class %02x%02x: %02x%02x:%02x%02x\n", argv[1] + 5, raw[11],
	       raw[10], raw[1], raw[0], raw[3], raw[2]);
	for (unsigned i = 0; i < 6; i++)
		print_region(dev, i, *(uint32_t *)(raw + 0x10 + 4 * i));
	for (unsigned i = 0; i < info.size; i++) {
		if (i % 16 == 0)
			printf("%s%02x:", i ? "\n" : "", i);
		printf(" %02x", raw[i]);
	}
	putchar('\n');
	return 0;
}
