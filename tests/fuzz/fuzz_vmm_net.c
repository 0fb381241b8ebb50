/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver of a virtio NIC that means harm: any chains in its rings, any
 * commands, headers and frames, memory that changes between two reads, queues
 * of any size. Nothing outside of guest memory is touched, nothing goes on for
 * ever, and the device starts again after a reset.
 *
 * The input: features, then steps, each a byte that says which and operands.
 * fuzz: runs=100000 time=60
 */

#include <sys/epoll.h>
#include <sys/socket.h>

#include "virtio_guest.h"
#include "vmm/devices.h"
#include "vmm/virtio/net.h"

#define QUEUES 5u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct rig {
	struct guest *g;
	int tap[2], wire[2];
};

static void make_nic(struct rig *r)
{
	struct vm_nic c = { .name = "lan", .slot = SLOT, .pairs = 2 };
	struct diag d;

	c.mac[0] = 2;
	for (unsigned i = 0; i < 2; i++) {
		int s[2];

		if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, s) < 0)
			abort();
		c.tap_fd[i] = r->tap[i] = s[0];
		r->wire[i] = s[1];
		c.vhost_fd[i] = -1;
	}
	if (net_add(&r->g->vm, &c, &d) < 0)
		abort();
}

static struct rig *rig(void)
{
	static struct rig r; /* the fuzzer's process has one guest */

	if (r.g)
		return &r;
	r.g = guest();
	r.g->queues = QUEUES;
	guest_machine(r.g);
	make_nic(&r);
	return &r;
}

/* A command that is nearly right. */
static void command(struct guest *g, const struct net *n)
{
	static const uint8_t class[] = { 0, 1, 1, 4, 5, 0, 4, 9 };
	const struct piece p[] = { { DATA, 2 + take(g, 1) % 16, 1 },
		                   { DATA + 64, 1, 2 } };
	uint8_t how = (uint8_t)take(g, 1), *at = g->ram + DATA;

	at[0] = class[how & 7];
	at[1] = how >> 3 & (how & 0x80 ? 1 : 7);
	for (unsigned i = 0; i < 14; i++)
		at[2 + i] = (uint8_t)take(g, 1);
	give(g, net_ctrl_index(n), p, 2);
}

static void frame(struct rig *r)
{
	uint8_t f[NET_PACKET_MAX] = { 0 };
	size_t len = 1 + take(r->g, 2);

	(void)!send(r->wire[take(r->g, 1) & 1], f, len, 0);
}

static void step(struct rig *r, struct virtio *v)
{
	struct net *n = v->desc.ctx;
	unsigned i = take(r->g, 1), what = i / QUEUES;
	struct net_pair *p = &n->pair[i & 1];
	struct piece good;

	i %= QUEUES;
	switch (what % 9) {
	case 0:
		give_any(r->g, i);
		break;
	case 1:
	case 2:
		good = (struct piece){ DATA + take(r->g, 2) * 8,
			               1 + take(r->g, 2) % 3000,
			               i & 1 ? 0 : 2 };
		give(r->g, i % 4, &good, 1);
		break;
	case 3:
		kick_queue(v, i);
		break;
	case 4:
		frame(r);
		break;
	case 5:
		p->watch.ready(p, take(r->g, 1) & (EPOLLIN | EPOLLOUT));
		break;
	case 6:
		command(r->g, n);
		break;
	case 7:
		scribble(r->g);
		break;
	default:
		(void)virtio_bar_read(v, 0, BAR_CONFIG + take(r->g, 1) % 20, 4);
	}
}

static void drain(struct rig *r)
{
	uint8_t buf[16];

	for (unsigned i = 0; i < 2; i++) {
		while (recv(r->wire[i], buf, sizeof(buf), 0) >= 0)
			;
		while (recv(r->tap[i], buf, sizeof(buf), 0) >= 0)
			;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rig *r = rig();
	struct virtio *v = guest_begin(r->g, data, size);

	while (r->g->left)
		step(r, v);
	drain(r);
	guest_end(r->g);
	if (((struct net *)v->desc.ctx)->gone)
		abort();
	return 0;
}
