/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_VIRTIO_VHOST_H
#define FL_VMM_VIRTIO_VHOST_H

/*
 * Two queues that the kernel serves: a pair of vhost-net's, or vhost-vsock's.
 *
 * Theory of operation
 *   The kernel's worker reads the rings in our memory, is woken by the queue's
 *   ioeventfd and raises its vector by irqfd: no exit and no call of ours a
 *   packet. The worker is made by us (VHOST_SET_OWNER), so its time is the
 *   guest's.
 *
 *   A queue without a vector (INTx) gets an eventfd that the data path's loop
 *   reads. Where the kernel meets a ring that it cannot follow, it says so by
 *   an eventfd too, and the device is broken as it would be by vq_pop().
 *
 * Order: open (owner, features) before the sandbox; start: features, memory,
 * rings; then the caller gives the backend, and vhost_poke(), since what was
 * kicked before that is lost. The caller takes the backend away before
 * vhost_stop(), which leaves in the queues how far the kernel has come.
 */

#include <linux/vhost.h>

#include "vmm/virtio/virtio.h"

#define VHOST_QUEUES 2

struct vhost;
struct vhost_queue {
	struct vhost *h;
	unsigned index;       /* of the device's */
	struct io_watch call; /* fd -1 = never needed */
	bool watched;
	int kick; /* the transport's */
};
struct vhost {
	struct vm *vm;
	struct virtio *v;
	int fd;            /* the configuration's */
	uint64_t features; /* the kernel's */
	struct io_watch err;
	void (*broken)(void *ctx); /* the loop's thread, no lock held */
	void *ctx;
	struct vhost_queue queue[VHOST_QUEUES];
	bool started;
};

/* `fd` is borrowed. FL_VMM_VHOST. vhost_close() also when it failed. */
_must_check_ int vhost_open(struct vhost *h, struct vm *vm, int fd,
                            const char *name, struct diag *d);
void vhost_close(struct vhost *h);
/* Features of the rings that this kernel cannot: virtio_desc.without. */
uint64_t vhost_without(const struct vhost *h);
/* Queues [first, first + VHOST_QUEUES), which are ready. */
_must_check_ int vhost_start(struct vhost *h, struct virtio *v, unsigned first,
                             uint64_t features);
void vhost_poke(const struct vhost *h);
void vhost_stop(struct vhost *h);

#endif
