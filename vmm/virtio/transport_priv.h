/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_VIRTIO_TRANSPORT_PRIV_H
#define FL_VMM_VIRTIO_TRANSPORT_PRIV_H

/* Between transport.c (life, queues served or not, interrupts) and
 * transport_regs.c (what the guest reads and writes). */

#include "vmm/virtio/virtio.h"

/* Device status, 2.1. */
enum {
	STATUS_ACKNOWLEDGE = 1,
	STATUS_DRIVER = 2,
	STATUS_DRIVER_OK = 4,
	STATUS_FEATURES_OK = 8,
	STATUS_NEEDS_RESET = 64,
	STATUS_FAILED = 128,
};
#define VIRTIO_NO_VECTOR 0xffffu
#define VIRTIO_F_VERSION_1_ VIRTIO_F(32)

/* BAR 0. */
enum {
	BAR_COMMON = 0,
	BAR_COMMON_LEN = 60, /* 4.1.4.3, up to queue_reset */
	BAR_ISR = 0x1000,
	BAR_CONFIG = 0x2000,
	BAR_CONFIG_LEN = 0x1000,
	BAR_NOTIFY = 0x3000,
	BAR_NOTIFY_STEP = 4,
	BAR_SIZE = 0x4000,
};

struct virtio_q {
	struct vq vq;
	struct vq_setup setup;
	_Atomic uint16_t vector;
	bool enabled;         /* by the driver */
	_Atomic bool foreign; /* its kick was handed on */
	bool bound;           /* it has an ioeventfd now; the function's lock */
	struct io_watch kick;
	struct virtio *v;
	unsigned index;
	/* Counters: kicks; times when what was used was to be told, and the
	 * driver wanted to hear it, or did not. */
	uint64_t kicks, interrupts, suppressed;
};

struct virtio {
	struct vm *vm;
	struct virtio_desc desc;
	struct own *own;
	uint64_t offered;
	/* Registers, and all of struct virtio_q but as said there. */
	pthread_mutex_t lock;
	uint32_t device_select, driver_select;
	uint64_t driver_features;
	bool unknown_features; /* the driver wants bits from 64 on */
	uint16_t queue_select;
	_Atomic uint16_t config_vector;
	_Atomic uint8_t status, generation;
	uint8_t window[20]; /* the PCI_CFG capability, 4.1.4.9 */
	bool begun;         /* rings have positions, since the last reset */
	bool started;
	bool leaving; /* on_leave() was called */
	/* Held while a kick is served: who stops waits for it. Taken inside
	 * `lock`; the device's lock is taken inside this one. */
	pthread_mutex_t serve_lock;
	bool serving;
	/* Innermost but for own.h's. */
	pthread_mutex_t isr_lock;
	uint8_t isr;
	struct ratelimit limit; /* of what is said */
	struct virtio_q queue[];
};

/* transport.c, under `lock` */
void virtio_reset(struct virtio *v);
/* Serves, if all is there for it: DRIVER_OK, bus master. */
void virtio_try_start(struct virtio *v);
/* Somebody else's queues (vhost) have their calls by the vectors of now. */
void virtio_follow_vectors(struct virtio *v);
/* 4.1.4.5: reading it clears it, and lets the pin go. */
uint8_t virtio_isr_take(struct virtio *v);

/* transport_regs.c: struct own_ops of them. */
uint64_t virtio_bar_read(void *ctx, unsigned bar, uint64_t off, unsigned width);
void virtio_bar_write(void *ctx, unsigned bar, uint64_t off, unsigned width,
                      uint64_t value);
uint32_t virtio_cap_read(void *ctx, unsigned cap, unsigned off, unsigned width);
void virtio_cap_write(void *ctx, unsigned cap, unsigned off, unsigned width,
                      uint32_t value);

#endif
