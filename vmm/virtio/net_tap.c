/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a network device asks of its tap, whose queues netd has opened with
 * IFF_VNET_HDR and, where there are several, IFF_MULTI_QUEUE.
 */

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/virtio/net.h"

/* Linux 6.2's, absent from older headers. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define DRAIN_MAX 4096 /* packets; a tap holds 500 by default */

static int refuse(struct diag *d, int err, const char *name, const char *what)
{
	diag_fail(d, err, FL_VMM_NIC, "NIC \"%s\": its tap: %s", name, what);
	diag_why(d, "%s", strerror(-err));
	diag_mend(d, "a tap interface of its own, which no other program has "
	             "open: ip tuntap add NAME mode tap vnet_hdr multi_queue");
	return err;
}

int tap_open(int fd, const char *name, bool one_more, bool *ret_uso,
             struct diag *d)
{
	int header = NET_HEADER, flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return refuse(d, -errno, name, "O_NONBLOCK");
	if (ioctl(fd, TUNSETVNETHDRSZ, &header) < 0)
		return refuse(d, -errno, name, "TUNSETVNETHDRSZ");
	*ret_uso = ioctl(fd, TUNSETOFFLOAD,
	                 TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_USO4 |
	                         TUN_F_USO6) == 0;
	if (ioctl(fd, TUNSETOFFLOAD, 0) < 0)
		return refuse(d, -errno, name, "TUNSETOFFLOAD");
	if (one_more && tap_attach(fd, false) < 0)
		return refuse(d, -errno, name, "IFF_DETACH_QUEUE");
	return 0;
}

/* 5.1.3.1: what needs checksums is nothing without them; the kernel wants both
 * kinds of UDP segments, or none. */
int tap_offload(int fd, uint64_t features)
{
	static const struct {
		uint64_t features;
		unsigned tap;
	} map[] = {
		{ VIRTIO_F(VIRTIO_NET_F_GUEST_TSO4), TUN_F_TSO4 },
		{ VIRTIO_F(VIRTIO_NET_F_GUEST_TSO6), TUN_F_TSO6 },
		{ VIRTIO_F(VIRTIO_NET_F_GUEST_ECN), TUN_F_TSO_ECN },
		{ VIRTIO_F(VIRTIO_NET_F_GUEST_USO4) |
		          VIRTIO_F(VIRTIO_NET_F_GUEST_USO6),
		  TUN_F_USO4 | TUN_F_USO6 },
	};
	unsigned tap = 0;

	if (features & VIRTIO_F(VIRTIO_NET_F_GUEST_CSUM)) {
		tap = TUN_F_CSUM;
		for (size_t i = 0; i < ARRAY_SIZE(map); i++)
			if ((features & map[i].features) == map[i].features)
				tap |= map[i].tap;
		if (!(tap & (TUN_F_TSO4 | TUN_F_TSO6)))
			tap &= ~(unsigned)TUN_F_TSO_ECN;
	}
	return ioctl(fd, TUNSETOFFLOAD, (unsigned long)tap) < 0 ? -errno : 0;
}

int tap_attach(int fd, bool on)
{
	struct ifreq r = {
		.ifr_flags = on ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE,
	};

	return ioctl(fd, TUNSETQUEUE, &r) < 0 ? -errno : 0;
}

void tap_drain(int fd)
{
	uint8_t byte[NET_HEADER];

	/* A read takes the whole packet, wherever it puts it. */
	for (unsigned i = 0; i < DRAIN_MAX; i++)
		if (read(fd, byte, sizeof(byte)) <= 0)
			break;
}

bool tap_lives(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) <= 0 || !(p.revents & (POLLERR | POLLHUP));
}
