/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver of a virtio function that means harm, for a fuzz target to feed: it
 * brings the function up with any features and sizes of queues, gives any
 * chains, and writes to its rings between any two reads of ours. To be included
 * by one file of a target, which makes the machine and the device.
 */
#ifndef FL_TESTS_VIRTIO_GUEST_H
#define FL_TESTS_VIRTIO_GUEST_H

#include <string.h>

#include "guarded.h"
#include "vmm/io.h"
#include "vmm/own_priv.h"
#include "vmm/virtio/transport_priv.h"

#define RAM (1u << 20)
#define SLOT 3
#define QUEUES_MAX 5u
#define AREA 0x1000u /* of a ring, each queue's behind the other's */
#define DATA 0x10000u
#define OK 15u /* all of the driver's status bits */

void vq_fuzz_read(void);

struct guest {
	struct vm vm;
	uint8_t *ram;
	const uint8_t *at;
	size_t left;
	bool changes; /* memory, between two reads */
	bool packed, wrap[QUEUES_MAX];
	unsigned queues;
	uint16_t size[QUEUES_MAX], next[QUEUES_MAX];
};

static struct guest *guest(void)
{
	static struct guest g; /* the fuzzer's process has one */

	return &g;
}

/* KVM's, a tap's: nobody refuses. */
int ioctl(int fd, unsigned long request, ...)
{
	(void)fd;
	(void)request;
	return 0;
}

static uint32_t take(struct guest *g, unsigned width)
{
	uint32_t v = g->left >= width ? (uint32_t)load_le(g->at, width) : 0;

	width = (unsigned)MIN(width, g->left);
	g->at += width;
	g->left -= width;
	return v;
}

void vq_fuzz_read(void)
{
	struct guest *g = guest();

	if (g->changes && g->left > 4 && !(*g->at & 3))
		g->ram[AREA + take(g, 2) % (QUEUES_MAX * AREA)] =
			(uint8_t)take(g, 1);
}

/* A machine for a device, which the caller adds in SLOT. */
static void guest_machine(struct guest *g)
{
	struct diag d;

	g->ram = guarded_ram(&g->vm, RAM);
	pthread_mutex_init(&g->vm.pins.lock, NULL);
	if (bus_new(&g->vm.pio) < 0 || bus_new(&g->vm.mmio) < 0 ||
	    own_init(&g->vm) < 0 || io_new(&g->vm, &g->vm.io, &d) < 0)
		abort();
}

static struct virtio *guest_device(struct guest *g)
{
	return g->vm.own->at[SLOT]->desc.ctx;
}

/* ---- it is brought up ---------------------------------------------------- */

static void common(struct virtio *v, unsigned off, unsigned width, uint64_t to)
{
	virtio_bar_write(v, 0, off, width, to);
}

static void set_up_queue(struct guest *g, struct virtio *v, unsigned i)
{
	const uint64_t at = AREA * (1 + i);

	common(v, 22, 2, i);
	common(v, 24, 2, g->size[i]);
	common(v, 32, 8, at);
	common(v, 40, 8, at + 0x400);
	common(v, 48, 8, at + 0x800);
	common(v, 28, 2, 1);
}

/* 4.1.4.3 and 3.1.1. */
static void begin(struct guest *g, struct virtio *v, uint64_t features,
                  uint8_t sizes)
{
	g->packed = features & v->offered & VIRTIO_F(34);
	common(v, 20, 1, 0);
	common(v, 8, 4, 0);
	common(v, 12, 4, (uint32_t)(features & v->offered));
	common(v, 8, 4, 1);
	common(v, 12, 4, features >> 32 & v->offered >> 32);
	common(v, 20, 1, OK & ~4u);
	memset(g->ram, 0, DATA);
	for (unsigned i = 0; i < g->queues; i++) {
		g->size[i] = (uint16_t)BIT(1 + (sizes + i) % 6);
		g->next[i] = 0;
		g->wrap[i] = true;
		set_up_queue(g, v, i);
	}
	common(v, 20, 1, OK);
}

/* With an input: its first bytes are features, and sizes of queues. */
static struct virtio *guest_begin(struct guest *g, const uint8_t *data,
                                  size_t size)
{
	struct virtio *v = guest_device(g);
	uint64_t features;

	g->at = data;
	g->left = size;
	g->changes = false;
	own_reset_all(&g->vm);
	own_cfg_write(&g->vm, SLOT, 4, 2, 4); /* bus master */
	features = take(g, 4) | (uint64_t)take(g, 1) << 32 | VIRTIO_F(32);
	begin(g, v, features, (uint8_t)take(g, 1));
	return v;
}

/* It is as good as new. */
static void guest_end(struct guest *g)
{
	struct virtio *v = guest_device(g);

	begin(g, v, VIRTIO_F(32), 0);
	if (!v->started || (v->status & 0x40))
		abort();
	common(v, 20, 1, 0);
}

/* ---- chains -------------------------------------------------------------- */

struct piece {
	uint64_t at;
	uint32_t len;
	uint16_t flags;
};

static struct piece any_piece(struct guest *g, bool last)
{
	uint16_t how = (uint16_t)take(g, 2);
	uint32_t len = how & 0x4000 ? take(g, 4) : how & 0x8000 ? 2048 : 2;

	/* What is read comes before what is written: mostly not. */
	return (struct piece){
		.at = DATA + take(g, 2) * (how & 0x2000 ? 64u : 1u),
		.len = how & 0x1000 ? how & 0x7f : len,
		.flags =
			(uint16_t)((how & 2u) | (how & 0x3f0 ? 0 : 4u) | !last),
	};
}

static void put_desc(struct guest *g, unsigned q, const struct piece *p)
{
	uint16_t slot = g->next[q]++ % g->size[q];
	uint8_t *at = g->ram + AREA * (1 + q) + 16 * slot;

	store_le(at, 8, p->at);
	store_le(at + 8, 4, p->len);
	store_le(at + 12, 2, g->packed ? slot : p->flags);
	store_le(at + 14, 2,
	         g->packed ? p->flags | (g->wrap[q] ? 1u << 7 : 1u << 15)
	                   : (slot + 1u) % g->size[q]);
	if (slot + 1 == g->size[q])
		g->wrap[q] = !g->wrap[q];
}

/* A chain is made available. */
static void give(struct guest *g, unsigned q, const struct piece *p, unsigned n)
{
	uint8_t *avail = g->ram + AREA * (1 + q) + 0x400;
	uint16_t first = g->next[q] % g->size[q];
	uint64_t index = load_le(avail + 2, 2);

	for (unsigned i = 0; i < n; i++)
		put_desc(g, q, p + i);
	if (g->packed)
		return;
	store_le(avail + 4 + 2 * (index % g->size[q]), 2, first);
	store_le(avail + 2, 2, index + 1);
}

static void give_any(struct guest *g, unsigned q)
{
	struct piece p[4];
	unsigned n = 1 + take(g, 1) % ARRAY_SIZE(p);

	for (unsigned i = 0; i < n; i++)
		p[i] = any_piece(g, i + 1 == n);
	give(g, q, p, n);
}

static void kick_queue(struct virtio *v, unsigned i)
{
	v->queue[i].kick.ready(&v->queue[i], 0);
}

/* A byte anywhere among the rings; from then on also between two reads. */
static void scribble(struct guest *g)
{
	g->changes = take(g, 1) & 1;
	g->ram[take(g, 2)] = (uint8_t)take(g, 1);
}

#endif
