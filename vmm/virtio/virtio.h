/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_VIRTIO_H
#define FL_VMM_VIRTIO_H

/*
 * Virtio 1.2 over PCI, modern only.
 *
 * Theory of operation
 *   transport.c is the PCI function (own.h): common configuration,
 * notification, ISR and device configuration in BAR 0, MSI-X in BAR 2; reset,
 * feature negotiation, and each queue's addresses. A device (blk.c, net.c ...)
 * gives a struct virtio_ops and serves queues.
 *
 *   queue.c is the rings: split and packed, event index, indirect descriptors.
 *   vq_pop() takes the next chain of buffers, already as host addresses inside
 *   guest RAM; vq_push() returns it; vq_notify() tells whether the guest wants
 *   an interrupt, and vq_arm() whether there is more after all. The guest
 *   changes ring memory while we read it: each field is read once, into a
 *   local, and then checked.
 *
 *   A guest that breaks the rules (a loop, an address outside of RAM, an index
 *   that jumps) breaks its device: vq_pop() answers -EPROTO, the device stops
 *   and sets DEVICE_NEEDS_RESET (2.1.1); nothing else of the guest is touched.
 *
 *   Notifications: one ioeventfd a queue, at a place of its own, into the data
 *   path's loop (io.h), or straight to vhost. They are made when the BAR
 *   decodes and moved with it.
 *
 * Threads: registers are written by vCPUs under the transport's lock; queues
 * are served by the loop's thread under the device's. `start` and `stop` are
 * called with the transport's lock held; stop returns when the device touches
 * no queue any more, so it takes the device's lock.
 *
 * Limits: VQ_MAX queues a device, VQ_SIZE_MAX entries a queue, VQ_SEGS buffers
 * a chain.
 */

#include <sys/uio.h>

#include "vmm/io.h"
#include "vmm/own.h"

#define VQ_MAX 130 /* 64 pairs and a control queue, rounded */
#define VQ_SIZE_MAX 1024
#define VQ_SEGS 128u

/* ---- queue.c ----------------------------------------------------------------
 */

/* Driver's side as transport.c got it; addresses are the guest's. */
struct vq_setup {
	uint64_t desc, driver, device; /* 2.7, 2.8: areas */
	uint16_t size;
};

/* A chain: what the driver wrote, then what the device may write. Each is cut
 * where guest RAM has its hole, so no piece leaves a region. */
struct vq_chain {
	struct iovec iov[VQ_SEGS];
	uint16_t n_out, n_in; /* iov[0..n_out) to be read, then n_in to write */
	uint32_t out_len, in_len;
	uint16_t id;    /* head, or buffer id */
	uint16_t descs; /* packed: ring entries it took */
};

struct vq {
	struct vm *vm;
	bool ready, packed, event_idx, indirect;
	uint16_t size;
	/* Host addresses of the areas, checked when the queue was enabled. */
	void *desc, *driver, *device;
	uint16_t next_avail,
		next_used;          /* free running (split), place (packed) */
	bool avail_wrap, used_wrap; /* packed */
	uint16_t signalled; /* used index at the last interrupt, event index */
	bool signalled_valid;
	uint64_t chains, broken; /* counters */
};

/* Areas must lie in RAM, aligned (2.7, 2.8): -EINVAL else. Ring state as after
 * reset; `features` as negotiated. */
_must_check_ int vq_start(struct vq *q, struct vm *vm, const struct vq_setup *s,
                          uint64_t features);
/* 1 = a chain, 0 = none, -EPROTO = the guest broke it. */
_must_check_ int vq_pop(struct vq *q, struct vq_chain *ret);
/* Gives the last chain popped back, as if it had not been: one only. */
void vq_unpop(struct vq *q, const struct vq_chain *c);
/* `len`: bytes written to its n_in part. */
void vq_push(struct vq *q, const struct vq_chain *c, uint32_t len);
/* Several chains at once (mergeable buffers): written, then made visible by
 * vq_push_flush(), 2.7.8.2, 2.8.21. */
void vq_push_more(struct vq *q, const struct vq_chain *c, uint32_t len,
                  unsigned ahead);
void vq_push_flush(struct vq *q, unsigned n);
/* After pushing: does the guest want an interrupt? */
bool vq_wants_interrupt(struct vq *q);
/* "No kick, please": while the device is at work anyway. */
void vq_disarm(struct vq *q);
/* "Kick me": true when a chain has come meanwhile, and no kick will. */
bool vq_arm(struct vq *q);
/* Copies; both return what they copied. */
size_t vq_copy_out(const struct vq_chain *c, size_t off, void *to, size_t len);
size_t vq_copy_in(const struct vq_chain *c, size_t off, const void *from,
                  size_t len);

/* ---- transport.c
 * -------------------------------------------------------------- */

/* Device ids, 5; feature bits, 6. */
enum {
	VIRTIO_ID_NET_ = 1,
	VIRTIO_ID_BLOCK_ = 2,
	VIRTIO_ID_CONSOLE_ = 3,
	VIRTIO_ID_RNG_ = 4,
	VIRTIO_ID_VSOCK_ = 19,
};
#define VIRTIO_F(bit) (1ull << (bit))
/* What transport.c and queue.c can, offered besides the device's own:
 * VERSION_1, RING_PACKED, EVENT_IDX, INDIRECT_DESC, IN_ORDER not. */
#define VIRTIO_RING_FEATURES                                                   \
	(VIRTIO_F(28) | VIRTIO_F(29) | VIRTIO_F(32) | VIRTIO_F(34))

struct virtio;

struct virtio_ops {
	/* DRIVER_OK: queues [0, n) with q->ready set are started; `features`
	 * as negotiated. Negative errno: DEVICE_NEEDS_RESET. */
	int (*start)(void *ctx, uint64_t features);
	/* Reset, bus master off, or the end: no queue is touched after it. Only
	 * called between a start and the next. */
	void (*stop)(void *ctx);
	/* Device configuration (5.x.4), `off` inside config_len. */
	uint32_t (*config_read)(void *ctx, unsigned off, unsigned width);
	void (*config_write)(void *ctx, unsigned off, unsigned width,
	                     uint32_t value); /* NULL = none writable */
	void (*free)(void *ctx);
	/* Loop's thread: queue `i` was kicked. NULL where vhost has the kicks.
	 */
	void (*kick)(void *ctx, unsigned i);
};

struct virtio_desc {
	char name[VM_NAME];
	uint8_t slot;
	uint16_t id;       /* VIRTIO_ID_*_ */
	uint32_t class;    /* PCI class code */
	uint64_t features; /* the device's own */
	/* Cleared from VIRTIO_RING_FEATURES, where a vhost cannot. */
	uint64_t without;
	unsigned queues;
	uint16_t queue_size;
	unsigned config_len;
	const struct virtio_ops *ops;
	void *ctx;
};

/* As own_add(). */
_must_check_ int virtio_add(struct vm *vm, const struct virtio_desc *desc,
                            struct virtio **ret, struct diag *d);
/* Queue `i`; valid between start and stop. */
struct vq *virtio_queue(struct virtio *v, unsigned i);
/* As the guest set it up, for vhost. */
const struct vq_setup *virtio_queue_setup(struct virtio *v, unsigned i);
/* Interrupt of queue `i`, if vq_wants_interrupt() says so; any thread. */
void virtio_interrupt(struct virtio *v, unsigned i);
/* The device's configuration has changed: 2.5, 4.1.5.3. */
void virtio_config_changed(struct virtio *v);
/* The guest broke the device: stop serving, DEVICE_NEEDS_RESET, said once at a
 * limited rate on standard error. From the loop's thread, device lock held;
 * does not call stop. */
void virtio_broken(struct virtio *v, const char *why);
/* The queue's kick, for vhost: an eventfd, borrowed. And its call: tied to the
 * queue's vector. -1 = the queue has no vector: VIRTIO_MSI_NO_VECTOR. */
int virtio_kick_fd(struct virtio *v, unsigned i);
int virtio_call_fd(struct virtio *v, unsigned i);
struct own *virtio_own(struct virtio *v);

#endif
