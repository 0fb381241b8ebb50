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
 *   guest RAM; vq_push() returns it; virtio_interrupt() then tells the guest if
 *   it wants to know, and vq_arm() whether there is more after all. The guest
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
 * no queue any more, so it takes the device's lock. No kick runs beside them.
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

/* ---- queue.c ------------------------------------------------------------- */

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
	uint16_t descs; /* entries of the ring it took: split 1 */
};

struct vq {
	struct vm *vm;
	/* Serve it? False from before ops->stop until ops->start. Whoever reads
	 * it with the device's lock alone sees it one way or the other. */
	_Atomic bool ready;
	bool packed, event_idx, indirect;
	uint16_t size;
	/* Host addresses of the areas, checked when the queue was started. */
	void *desc, *driver, *device;
	/* Free running (split), a place in the ring (packed). */
	uint16_t next_avail, next_used;
	bool avail_wrap, used_wrap; /* packed */
	uint16_t inflight;          /* entries popped and not pushed: <= size */
	uint16_t unsignalled; /* used since an interrupt was asked about */
	/* Of vq_push_more(), until the flush: entries, and of the packed ring's
	 * first one the flags, which are written last. */
	uint16_t ahead, first_flags;
	uint64_t broken;
	/* Counters: chains taken, bytes of them that the driver gave to be read
	 * and that were written for it. */
	uint64_t chains, out_bytes, in_bytes;
};

/* Areas must lie in RAM, aligned (2.7, 2.8): -EINVAL else. Ring state as after
 * reset; `features` as negotiated. */
_must_check_ int vq_start(struct vq *q, struct vm *vm, const struct vq_setup *s,
                          uint64_t features);
/* 1 = a chain, 0 = none, -EPROTO = the guest broke it, now or before. Fills
 * only the iov[] it needs. No more than `size` chains are out at once. */
_must_check_ int vq_pop(struct vq *q, struct vq_chain *ret);
/* Gives chains back as if they had not been popped: the last one first, and
 * none that came before a push. Of `c` only `descs` and `out_len` count. */
void vq_unpop(struct vq *q, const struct vq_chain *c);
/* `len`: bytes written to its n_in part. Of `c` only `id` and `descs` count. */
void vq_push(struct vq *q, const struct vq_chain *c, uint32_t len);
/* Several chains at once (mergeable buffers): all are written, then the flush
 * makes them visible together, 2.7.14, 2.8.10. */
void vq_push_more(struct vq *q, const struct vq_chain *c, uint32_t len);
void vq_push_flush(struct vq *q);
/* After pushing: does the guest want an interrupt? Once for what was pushed:
 * virtio_interrupt() asks it. */
_must_check_ bool vq_wants_interrupt(struct vq *q);
/* "No kick, please": while the device is at work anyway. */
void vq_disarm(struct vq *q);
/* "Kick me": true when a chain has come meanwhile, and no kick will. */
_must_check_ bool vq_arm(struct vq *q);
/* Copies; both return what they copied. */
size_t vq_copy_out(const struct vq_chain *c, size_t off, void *to, size_t len);
size_t vq_copy_in(const struct vq_chain *c, size_t off, const void *from,
                  size_t len);

/* ---- transport.c --------------------------------------------------------- */

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
	/* DRIVER_OK, and the bus master is on: queues with q->ready set are to
	 * be served; `features` as negotiated. Negative errno:
	 * DEVICE_NEEDS_RESET. */
	int (*start)(void *ctx, uint64_t features);
	/* Reset, bus master off, or the end: no queue is touched after it. Only
	 * called after a start that succeeded, once. q->ready is false
	 * already. */
	void (*stop)(void *ctx);
	/* The device is reset, stopped before: what its driver has set goes
	 * back to what it is at first. Not called when only the bus master goes
	 * off, or the function sleeps: then all of it stays. NULL = there is
	 * nothing. */
	void (*reset)(void *ctx);
	/* Device configuration (5.x.4): [off, off+width) lies inside of
	 * config_len. Under the transport's lock, as start and stop. */
	uint32_t (*config_read)(void *ctx, unsigned off, unsigned width);
	void (*config_write)(void *ctx, unsigned off, unsigned width,
	                     uint32_t value); /* NULL = none writable */
	void (*free)(void *ctx);
	/* As own_ops'; NULL = the queues' are all. */
	bool (*counters)(void *ctx, unsigned i, struct stats_set *ret);
	/* As own_ops.leave, under the transport's lock, started or not; it is
	 * served on, and may be stopped and started, so that its driver has an
	 * answer to all it asked for. NULL = it is stopped, and no start comes
	 * any more: a driver waits for nothing. */
	enum own_left (*leave)(void *ctx);
	/* Loop's thread: queue `i` was kicked; only between start and stop, and
	 * not for queues whose kick somebody else has (virtio_kick_fd()). Each
	 * ready queue is kicked once at the start. */
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
/* After pushing: the interrupt of queue `i`, if vq_wants_interrupt() says so.
 * For a queue whose kick somebody else has: unasked. Any thread, between start
 * and stop, any lock. */
void virtio_interrupt(struct virtio *v, unsigned i);
/* From within a kick: queue `i` wants another turn, after others had theirs. */
void virtio_again(struct virtio *v, unsigned i);
/* The device's configuration has changed: 2.5, 4.1.5.3. Any thread, any lock;
 * the change itself is the device's, made before. */
void virtio_config_changed(struct virtio *v);
/* The guest broke the device: DEVICE_NEEDS_RESET, said once a start and at a
 * limited rate on standard error. Any thread, any lock. It does not call stop:
 * the device serves nothing more of itself, and vq_pop() has no more. */
void virtio_broken(struct virtio *v, const char *why);
/* Within ops->start: the queue's kick, for vhost: an eventfd, borrowed, that
 * the loop does not watch until the next start. */
int virtio_kick_fd(struct virtio *v, unsigned i);
/* And its call: tied to the queue's vector; negative errno. -ENOENT = the queue
 * has no vector (VIRTIO_MSI_NO_VECTOR, INTx): an eventfd of the device's own,
 * in the loop, and virtio_interrupt(). */
_must_check_ int virtio_call_fd(struct virtio *v, unsigned i);
struct own *virtio_own(struct virtio *v);

#endif
