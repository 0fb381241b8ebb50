/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel as this folder uses it: four calls on one descriptor. Nothing
 * else here makes a system call on the device.
 */

#include <sys/ioctl.h>
#include <sys/mman.h>

#include "vfio/priv.h"

static int linux_ioctl(int fd, unsigned long request, void *arg)
{
	int r;

	do
		r = ioctl(fd, request, arg);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

static int linux_map(int fd, uint64_t off, uint64_t size, void *at)
{
	void *p = mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
	               fd, (off_t)off);

	/* `at` is the caller's, and so is what is there now. */
	// cppcheck-suppress memleak
	return p == MAP_FAILED ? -errno : 0;
}

const struct vfio_kern vfio_kern_linux = {
	.ioctl = linux_ioctl,
	.read = fd_pread_full,
	.write = fd_pwrite_full,
	.map = linux_map,
};
