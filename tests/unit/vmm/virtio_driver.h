/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_TESTS_VIRTIO_DRIVER_H
#define FL_TESTS_VIRTIO_DRIVER_H

/*
 * The driver's side of a virtqueue, for tests: a machine that is nothing but
 * RAM, in two regions as the real one's, and a ring of either kind in it.
 * Buffers are told by guest address; drv_ram() is where a test fills them.
 *
 *   drv_vm_init(&m);
 *   drv_init(&g, &m.vm, 64, VIRTIO_F(34) | VIRTIO_F(29));
 *   vq_start(&q, &m.vm, &g.setup, g.features);
 *   drv_add(&g, bufs, 2, 0); ... vq_pop(), vq_push() ... drv_used(&g, &u);
 *
 * Where a device is made whole (transport.c), the test gives the guest's
 * registers g.setup.
 */

#include "vmm/virtio/virtio.h"

#define DRV_LOW_SIZE (1u << 20) /* RAM from 0 */
#define DRV_HIGH (4ull << 30)   /* and from 4 GiB */
#define DRV_HIGH_SIZE (1u << 20)
#define DRV_DATA 0x80000u /* drv_ram(): free for buffers */

struct drv_machine {
	struct vm vm;
	void *ram;
};
int drv_vm_init(struct drv_machine *m);
void drv_vm_fini(struct drv_machine *m);
/* Host address; NULL outside of RAM. */
void *drv_ram(struct vm *vm, uint64_t gpa);

struct drv_buf {
	uint64_t gpa;
	uint32_t len;
	bool write; /* the device may write it */
};

/* How a chain is put into the ring. */
enum {
	DRV_INDIRECT = 1, /* by a table; the ring's `size` tables at most */
	DRV_HIDDEN = 2,   /* made available only with the next one without it */
};

struct drv_used {
	uint16_t id; /* as drv_add() returned it */
	uint32_t len;
	bool wrote; /* packed: the WRITE flag; split: len != 0 */
};

struct drv {
	struct vm *vm;
	struct vq_setup setup;
	uint64_t features;
	bool packed, event_idx;
	uint16_t size;
	uint16_t free; /* descriptors */
	/* Descriptors taken by each id, 0 = free. */
	uint16_t taken[VQ_SIZE_MAX];
	uint16_t next[VQ_SIZE_MAX]; /* split: the free list */
	uint16_t head;
	uint16_t avail, used; /* split: free running; packed: places */
	bool avail_wrap, used_wrap;
	uint16_t first, first_flags; /* packed: the hidden batch's begin */
	bool hidden;
	uint16_t kicked; /* descriptors since the kick was last asked about */
};

/* The areas from 0x1000 on, zeroed, each queue number in a place of its own
 * (0 to 7, sizes up to 256; queue 0 alone up to VQ_SIZE_MAX). */
void drv_init(struct drv *g, struct vm *vm, uint16_t size, uint64_t features);
void drv_init_nth(struct drv *g, struct vm *vm, unsigned nth, uint16_t size,
                  uint64_t features);
/* The chain's id, or -1: no room in the ring. */
int drv_add(struct drv *g, const struct drv_buf *buf, unsigned n, unsigned how);
/* False = nothing is used. Fails the test when the ring says nonsense. */
bool drv_used(struct drv *g, struct drv_used *ret);
/* After adding: does the device want a kick? */
bool drv_wants_kick(struct drv *g);
/* Interrupts: always, never, or when the next used entry comes. */
void drv_interrupts(struct drv *g, bool on);
void drv_interrupt_at_next(struct drv *g, uint16_t after);
/* A descriptor's own fields, for tests that break them. */
void drv_poke(struct drv *g, unsigned i, uint64_t addr, uint32_t len,
              uint16_t flags, uint16_t next);
/* Split: the ring's index, and an entry. */
void drv_poke_idx(struct drv *g, uint16_t idx);
void drv_poke_entry(struct drv *g, unsigned i, uint16_t head);

#endif
