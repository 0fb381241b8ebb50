/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a packet costs in instructions of a VMM's own: the guest's side.
 *
 *   packet-cost NIC WORK FRAME BURST COUNT INTERFACE SOCKET MEMORY
 *
 * NIC is virtio, packed or e1000, WORK send, receive or alone; FRAME bytes a
 * packet, COUNT bursts of BURST. INTERFACE is the tap's; SOCKET where the VMM
 * understands qtest, MEMORY its guest's. A tool counts the VMM's instructions;
 * two runs with other bursts tell what a packet costs once all that is done
 * for a burst is taken out. See tests/bench/packets.
 */

#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/packet.h"

#define PATIENCE 600000u /* of 50 us: a tool makes all this slow */

static const uint8_t frame_head[14] = {
	2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0
};

static const struct {
	const char *name;
	bool virtio;
	const struct driver *driver;
} nics[] = {
	{ "virtio", true, &virtio_split },
	{ "packed", true, &virtio_packed },
	{ "e1000", false, &e1000_driver },
};

_Noreturn void bench_fail(const char *what)
{
	fprintf(stderr, "packet-cost: %s: %s\n", what, strerror(errno));
	_exit(1);
}

void bench_arrive(struct bench *b, unsigned n)
{
	uint8_t frame[2048] = { 0 };

	memcpy(frame, frame_head, sizeof(frame_head));
	for (unsigned i = 0; i < n; i++)
		if (write(b->wire, frame, b->frame) != (ssize_t)b->frame)
			bench_fail("a packet");
}

void bench_until(struct bench *b, bool (*done)(struct bench *b))
{
	for (unsigned i = 0; i < PATIENCE; i++) {
		if (done(b))
			return;
		usleep(50);
	}
	errno = ETIMEDOUT;
	bench_fail("the device");
}

/* Protocol 0: it sends, and is given nothing. */
static int open_wire(const char *interface)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET,
		                 .sll_ifindex =
		                         (int)if_nametoindex(interface) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (void *)&a, sizeof(a)) < 0)
		bench_fail(interface);
	return fd;
}

static void fill_frames(struct bench *b)
{
	for (unsigned i = 0; i < 256; i++) {
		uint8_t *p = drv_ram(&b->vm, BENCH_DATA + 2048ull * i);

		/* virtio's header comes first; of an e1000 it is data. */
		if (b->virtio)
			p += 12;
		memcpy(p, frame_head, sizeof(frame_head));
	}
	for (unsigned i = 0; i < 256; i++) {
		uint8_t *p = drv_ram(&b->vm,
		                     BENCH_DATA + (1ull << 20) + 2048ull * i);

		memset(p, 0, 2048);
	}
}

static const struct driver *find_driver(const char *name, bool *ret_virtio)
{
	for (size_t i = 0; i < ARRAY_SIZE(nics); i++) {
		if (strcmp(name, nics[i].name) != 0)
			continue;
		*ret_virtio = nics[i].virtio;
		return nics[i].driver;
	}
	bench_fail(name);
}

static void (*find_work(const struct driver *d,
                        const char *name))(struct bench *b, unsigned n)
{
	if (!strcmp(name, "send"))
		return d->send;
	return strcmp(name, "alone") ? d->receive : d->receive_alone;
}

int main(int argc, char **argv)
{
	void (*work)(struct bench * b, unsigned n);
	const struct driver *driver;
	struct bench b = { .qtest = -1 };

	if (argc != 9)
		bench_fail("eight words are wanted");
	driver = find_driver(argv[1], &b.virtio);
	work = find_work(driver, argv[2]);
	b.frame = (unsigned)atoi(argv[3]);
	b.wire = open_wire(argv[6]);
	bench_open(&b, argv[7], argv[8]);
	fill_frames(&b);
	bench_place(&b);
	driver->start(&b);
	for (int i = 0; i < atoi(argv[5]); i++)
		work(&b, (unsigned)atoi(argv[4]));
	return 0;
}
