/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An 82540EM without a machine: 2 MiB of RAM at 1 MiB, a pair of sockets for a
 * tap, and what the device asks of the VMM (own.h, io.h), written down. To be
 * included by one file of a test.
 */
#ifndef FL_TESTS_E1000_RIG_H
#define FL_TESTS_E1000_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/devices.h"
#include "vmm/e1000.h"

#define RAM_AT 0x100000ull
#define RAM_SIZE 0x200000ull
#define TX_RING RAM_AT
#define RX_RING (RAM_AT + 0x10000)
#define TX_DATA (RAM_AT + 0x20000)
#define RX_DATA (RAM_AT + 0x100000)
#define RING 32u

struct rig {
	struct vm vm;
	struct own_desc desc;
	struct e1000 *e;
	uint8_t *ram; /* pages around it fault */
	int wire;     /* the other end of the tap */
	bool dma, level;
	unsigned highs, said, deleted;
	uint32_t events; /* of the tap */
	uint32_t tail;   /* TDT */
};

static struct rig *the_rig; /* for the joints below */

int own_add(struct vm *vm _unused_, const struct own_desc *desc,
            struct own **ret, struct diag *d _unused_)
{
	struct rig *r = the_rig;

	r->desc = *desc;
	r->e = desc->ctx;
	*ret = (struct own *)r;
	return 0;
}

void own_intx(struct own *o, bool level)
{
	struct rig *r = (struct rig *)o;

	assert_true(r->level != level);
	r->level = level;
	r->highs += level;
}

bool own_dma(const struct own *o)
{
	return ((const struct rig *)o)->dma;
}

int io_add(struct io *io _unused_, struct io_watch *w _unused_,
           uint32_t events _unused_)
{
	return 0;
}

int io_change(struct io *io _unused_, struct io_watch *w, uint32_t events)
{
	if (the_rig->e && w == &the_rig->e->watch)
		the_rig->events = events;
	return 0;
}

void io_del(struct io *io _unused_, struct io_watch *w _unused_)
{
	the_rig->deleted++;
}

void loop_say_diag(const struct diag *d)
{
	assert_int_equal(d->code, FL_VMM_DEVICE);
	the_rig->said++;
}

void *memory_at(const struct vm *vm _unused_, struct gpa gpa, uint64_t len)
{
	struct rig *r = the_rig;

	if (gpa.v < RAM_AT || !range_inside(gpa.v - RAM_AT, len, RAM_SIZE))
		return NULL;
	return r->ram + (gpa.v - RAM_AT);
}

/* ---- the guest's side ---------------------------------------------------- */

static inline uint32_t rd(struct rig *r, uint32_t off)
{
	return (uint32_t)r->desc.ops->read(r->desc.ctx, 0, off, 4);
}

static inline void wr(struct rig *r, uint32_t off, uint32_t v)
{
	r->desc.ops->write(r->desc.ctx, 0, off, 4, v);
}

static inline uint8_t *at(struct rig *r, uint64_t gpa)
{
	return r->ram + (gpa - RAM_AT);
}

/* The loop: the tap is as ready as it is. */
static inline void turn(struct rig *r)
{
	struct pollfd p = { .fd = r->e->tap };

	p.events = (short)r->events;
	while (r->events && poll(&p, 1, 0) > 0) {
		r->e->watch.ready(r->e, (uint32_t)p.revents);
		p.events = (short)r->events;
	}
}

static const uint8_t rig_mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

static inline int rig_setup(void **state)
{
	struct vm_nic c = { .name = "lan", .slot = 3, .pairs = 1 };
	struct rig *r = calloc(1, sizeof(*r));
	struct diag d;
	int pair[2];

	if (!r || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) < 0)
		return -1;
	r->ram = mmap(NULL, RAM_SIZE + 8192, PROT_NONE,
	              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r->ram == MAP_FAILED)
		return -1;
	r->ram += 4096;
	if (mprotect(r->ram, RAM_SIZE, PROT_READ | PROT_WRITE) < 0)
		return -1;
	the_rig = r;
	r->wire = pair[1];
	r->dma = true;
	memcpy(c.mac, rig_mac, sizeof(rig_mac));
	c.model = VM_NIC_E1000;
	c.tap_fd[0] = pair[0];
	*state = r;
	return e1000_add(&r->vm, &c, &d);
}

static inline int rig_teardown(void **state)
{
	struct rig *r = *state;
	int tap = r->e->tap;

	r->desc.ops->free(r->desc.ctx);
	close(tap);
	close(r->wire);
	munmap(r->ram - 4096, RAM_SIZE + 8192);
	free(r);
	return 0;
}

/* As a driver begins: rings of RING, buffers of 2048, link. */
static inline void rig_start(struct rig *r, uint32_t rctl)
{
	wr(r, R_CTRL, rd(r, R_CTRL) | CTRL_SLU);
	(void)rd(r, R_ICR);
	wr(r, R_TDBAL, (uint32_t)TX_RING);
	wr(r, R_TDLEN, RING * 16);
	wr(r, R_TCTL, TCTL_EN);
	for (unsigned i = 0; i < RING; i++) {
		uint64_t buffer = RX_DATA + 2048ull * i;

		memcpy(at(r, RX_RING + 16ull * i), &buffer, 8);
	}
	wr(r, R_RDBAL, (uint32_t)RX_RING);
	wr(r, R_RDLEN, RING * 16);
	wr(r, R_RDT, RING - 1);
	wr(r, R_RCTL, RCTL_EN | RCTL_BAM | rctl);
}

/* A descriptor at the tail; TDT is written by who calls. */
static inline void tx_desc(struct rig *r, uint64_t q0, uint64_t q1)
{
	uint64_t q[2] = { q0, q1 };

	memcpy(at(r, TX_RING + 16ull * r->tail), q, sizeof(q));
	r->tail = (r->tail + 1) % RING;
}

static inline uint8_t tx_status(struct rig *r, unsigned i)
{
	return at(r, TX_RING + 16ull * i)[12];
}

static inline ssize_t from_wire(struct rig *r, void *buf, size_t size)
{
	return recv(r->wire, buf, size, MSG_DONTWAIT);
}

/* With the tap's header before it. */
static inline void to_wire(struct rig *r, const void *frame, size_t len)
{
	uint8_t buf[12 + 20000] = { 0 };

	memcpy(buf + 12, frame, len);
	assert_int_equal(send(r->wire, buf, 12 + len, 0), 12 + len);
}

#endif
