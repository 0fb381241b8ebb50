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

#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guarded.h"
#include "vmm/devices.h"
#include "vmm/own_priv.h"
#include "vmm/virtio/net.h"
#include "vmm/virtio/transport_priv.h"

#define RAM (1u << 20)
#define SLOT 3
#define QUEUES 5u
#define AREA 0x1000u /* of a ring, each queue's behind the other's */
#define DATA 0x10000u
#define OK 15u /* all of the driver's status bits */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void vq_fuzz_read(void);

struct rig {
	struct vm vm;
	uint8_t *ram;
	int tap[2], wire[2];
	const uint8_t *at;
	size_t left;
	bool changes; /* memory, between two reads */
	bool packed, wrap[QUEUES];
	uint16_t size[QUEUES], next[QUEUES];
};

static struct rig *self(void)
{
	static struct rig r; /* the fuzzer's process has one guest */

	return &r;
}

/* The tap's and KVM's: nobody refuses. */
int ioctl(int fd, unsigned long request, ...)
{
	(void)fd;
	(void)request;
	return 0;
}

static uint32_t take(struct rig *r, unsigned width)
{
	uint32_t v = r->left >= width ? (uint32_t)load_le(r->at, width) : 0;

	width = (unsigned)MIN(width, r->left);
	r->at += width;
	r->left -= width;
	return v;
}

static uint8_t *ram(struct rig *r, uint64_t gpa)
{
	return r->ram + gpa;
}

void vq_fuzz_read(void)
{
	struct rig *r = self();

	if (r->changes && r->left > 4 && !(*r->at & 3))
		*ram(r, AREA + take(r, 2) % (QUEUES * AREA)) =
			(uint8_t)take(r, 1);
}

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
	if (net_add(&r->vm, &c, &d) < 0)
		abort();
}

static struct rig *rig(void)
{
	struct rig *r = self();
	struct diag d;

	if (r->ram)
		return r;
	r->ram = guarded_ram(&r->vm, RAM);
	pthread_mutex_init(&r->vm.pins.lock, NULL);
	if (bus_new(&r->vm.pio) < 0 || bus_new(&r->vm.mmio) < 0 ||
	    own_init(&r->vm) < 0 || io_new(&r->vm, &r->vm.io, &d) < 0)
		abort();
	make_nic(r);
	return r;
}

/* ---- a driver --------------------------------------------------------------
 */

static void common(struct virtio *v, unsigned off, unsigned width, uint64_t to)
{
	virtio_bar_write(v, 0, off, width, to);
}

static void set_up_queue(struct rig *r, struct virtio *v, unsigned i)
{
	const uint64_t at = AREA * (1 + i);

	common(v, 22, 2, i);
	common(v, 24, 2, r->size[i]);
	common(v, 32, 8, at);
	common(v, 40, 8, at + 0x400);
	common(v, 48, 8, at + 0x800);
	common(v, 28, 2, 1);
}

/* 4.1.4.3 and 3.1.1. */
static void begin(struct rig *r, struct virtio *v, uint64_t features,
                  uint8_t sizes)
{
	r->packed = features & v->offered & VIRTIO_F(34);
	common(v, 20, 1, 0);
	common(v, 8, 4, 0);
	common(v, 12, 4, (uint32_t)(features & v->offered));
	common(v, 8, 4, 1);
	common(v, 12, 4, features >> 32 & v->offered >> 32);
	common(v, 20, 1, OK & ~4u);
	memset(ram(r, 0), 0, DATA);
	for (unsigned i = 0; i < QUEUES; i++) {
		r->size[i] = (uint16_t)BIT(1 + (sizes + i) % 6);
		r->next[i] = 0;
		r->wrap[i] = true;
		set_up_queue(r, v, i);
	}
	common(v, 20, 1, OK);
}

struct piece {
	uint64_t at;
	uint32_t len;
	uint16_t flags;
};

static struct piece any_piece(struct rig *r, bool last)
{
	uint16_t how = (uint16_t)take(r, 2);
	uint32_t len = how & 0x4000 ? take(r, 4) : how & 0x8000 ? 2048 : 2;

	/* What is read comes before what is written: mostly not. */
	return (struct piece){
		.at = DATA + take(r, 2) * (how & 0x2000 ? 64u : 1u),
		.len = how & 0x1000 ? how & 0x7f : len,
		.flags =
			(uint16_t)((how & 2u) | (how & 0x3f0 ? 0 : 4u) | !last),
	};
}

static void put_desc(struct rig *r, unsigned q, const struct piece *p)
{
	uint16_t slot = r->next[q]++ % r->size[q];
	uint8_t *at = ram(r, AREA * (1 + q)) + 16 * slot;

	store_le(at, 8, p->at);
	store_le(at + 8, 4, p->len);
	store_le(at + 12, 2, r->packed ? slot : p->flags);
	store_le(at + 14, 2,
	         r->packed ? p->flags | (r->wrap[q] ? 1u << 7 : 1u << 15)
	                   : (slot + 1u) % r->size[q]);
	if (slot + 1 == r->size[q])
		r->wrap[q] = !r->wrap[q];
}

/* A chain is made available. */
static void give(struct rig *r, unsigned q, const struct piece *p, unsigned n)
{
	uint8_t *avail = ram(r, AREA * (1 + q) + 0x400);
	uint16_t first = r->next[q] % r->size[q];
	uint64_t index = load_le(avail + 2, 2);

	for (unsigned i = 0; i < n; i++)
		put_desc(r, q, p + i);
	if (r->packed)
		return;
	store_le(avail + 4 + 2 * (index % r->size[q]), 2, first);
	store_le(avail + 2, 2, index + 1);
}

static void give_any(struct rig *r, unsigned q)
{
	struct piece p[4];
	unsigned n = 1 + take(r, 1) % ARRAY_SIZE(p);

	for (unsigned i = 0; i < n; i++)
		p[i] = any_piece(r, i + 1 == n);
	give(r, q, p, n);
}

/* A command that is nearly right. */
static void command(struct rig *r, const struct net *n)
{
	static const uint8_t class[] = { 0, 1, 1, 4, 5, 0, 4, 9 };
	const struct piece p[] = { { DATA, 2 + take(r, 1) % 16, 1 },
		                   { DATA + 64, 1, 2 } };
	uint8_t how = (uint8_t)take(r, 1), *at = ram(r, DATA);

	at[0] = class[how & 7];
	at[1] = how >> 3 & (how & 0x80 ? 1 : 7);
	for (unsigned i = 0; i < 14; i++)
		at[2 + i] = (uint8_t)take(r, 1);
	give(r, net_ctrl_index(n), p, 2);
}

static void frame(struct rig *r)
{
	uint8_t f[NET_PACKET_MAX] = { 0 };
	size_t len = 1 + take(r, 2);

	(void)!send(r->wire[take(r, 1) & 1], f, len, 0);
}

static void step(struct rig *r, struct virtio *v)
{
	struct net *n = v->desc.ctx;
	unsigned i = take(r, 1), what = i / QUEUES;
	struct net_pair *p = &n->pair[i & 1];
	struct piece good;

	i %= QUEUES;
	switch (what % 9) {
	case 0:
		give_any(r, i);
		break;
	case 1:
	case 2:
		good = (struct piece){ DATA + take(r, 2) * 8,
			               1 + take(r, 2) % 3000, i & 1 ? 0 : 2 };
		give(r, i % 4, &good, 1);
		break;
	case 3:
		v->queue[i].kick.ready(&v->queue[i], 0);
		break;
	case 4:
		frame(r);
		break;
	case 5:
		p->watch.ready(p, take(r, 1) & (EPOLLIN | EPOLLOUT));
		break;
	case 6:
		command(r, n);
		break;
	case 7:
		r->changes = take(r, 1) & 1;
		*ram(r, take(r, 2)) = (uint8_t)take(r, 1);
		break;
	default:
		(void)virtio_bar_read(v, 0, BAR_CONFIG + take(r, 1) % 20, 4);
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
	struct virtio *v = r->vm.own->at[SLOT]->desc.ctx;
	uint64_t features;

	r->at = data;
	r->left = size;
	r->changes = false;
	own_reset_all(&r->vm);
	own_cfg_write(&r->vm, SLOT, 4, 2, 4); /* bus master */
	features = take(r, 4) | (uint64_t)take(r, 1) << 32 | VIRTIO_F(32);
	begin(r, v, features, (uint8_t)take(r, 1));
	while (r->left)
		step(r, v);
	drain(r);
	/* It is as good as new. */
	begin(r, v, VIRTIO_F(32), 0);
	if (!v->started || (v->status & 0x40) ||
	    ((struct net *)v->desc.ctx)->gone)
		abort();
	common(v, 20, 1, 0);
	return 0;
}
