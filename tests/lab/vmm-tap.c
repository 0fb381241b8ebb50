/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens queues of tap interfaces at given descriptors, and becomes a command:
 * no shell can.
 *
 *   vmm-tap FD=INTERFACE... -- COMMAND...
 *
 * An interface that does not exist is made, and lives as long as its
 * descriptors. Several queues of one interface: each is named again.
 */

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/base.h"

static int open_queue(const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR |
		                        IFF_MULTI_QUEUE };
	_cleanup_close_ int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &r) == 0)
		return TAKE_FD(fd);
	/* One that was made without is opened without. */
	r.ifr_flags &= (short)~IFF_MULTI_QUEUE;
	return ioctl(fd, TUNSETIFF, &r) == 0 ? TAKE_FD(fd) : -errno;
}

static int put(const char *arg)
{
	char *name;
	long at = strtol(arg, &name, 10);
	_cleanup_close_ int fd = -1;

	if (*name != '=' || at < 0 || at > 1023)
		return -EINVAL;
	fd = open_queue(name + 1);
	if (fd == at) /* what dup2() would leave as it is: close on exec */
		return fcntl(TAKE_FD(fd), F_SETFD, 0) < 0 ? -errno : 0;
	return fd < 0 ? fd : dup2(fd, (int)at) < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
	int i, r = 0;

	for (i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		r = put(argv[i]);
		if (r == 0)
			continue;
		fprintf(stderr, "vmm-tap: %s: %s\n", argv[i], strerror(-r));
		return 1;
	}
	if (i + 1 >= argc) {
		fprintf(stderr, "vmm-tap FD=INTERFACE... -- COMMAND...\n");
		return 2;
	}
	execvp(argv[i + 1], argv + i + 1);
	fprintf(stderr, "vmm-tap: %s: %s\n", argv[i + 1], strerror(errno));
	return 127;
}
