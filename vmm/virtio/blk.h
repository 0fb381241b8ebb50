/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_VIRTIO_BLK_H
#define FL_VMM_VIRTIO_BLK_H

/*
 * What the files of virtio-blk share. blk_backing.c: what the descriptor is.
 * blk_parse.c: a chain becomes a request. blk_request.c: a request becomes
 * operations, one after the other. blk.c: the device.
 *
 * Threads: struct blk has one lock, of everything below it in the struct; the
 * ring's is inside of it.
 */

#include <linux/virtio_blk.h>

#include "vmm/uring.h"
#include "vmm/virtio/virtio.h"

#define BLK_SECTOR 512u /* the protocol's unit, 5.2.6 */
#define BLK_SEGS (VQ_SEGS - 2)
#define BLK_QUEUE_SIZE 256
#define BLK_DISCARD_MAX (1u << 21) /* sectors of one segment */
#define BLK_ZEROES_MAX (1u << 17)
#define BLK_RANGES_MAX 16 /* segments of one request */

/* ---- blk_backing.c ------------------------------------------------------- */

struct blk_backing {
	uint64_t bytes;          /* whole logical blocks */
	uint32_t logical;        /* bytes, a power of two, 512 to 4096 */
	uint32_t physical;       /* the same or more */
	uint32_t align_off;      /* of the physical blocks, bytes */
	uint32_t io_min, io_opt; /* bytes, 0 = not known */
	/* Without O_DIRECT both are 1. */
	uint32_t dio_off, dio_mem;
	bool punches;   /* a part of it can be given back */
	bool read_only; /* as the policy says, or the descriptor is */
};
/* Before the sandbox. FL_VMM_DISK. */
_must_check_ int blk_backing(const struct vm_disk *c, struct blk_backing *ret,
                             struct diag *d);

/* ---- blk_parse.c: no system call, no state ------------------------------- */

struct blk_request {
	struct uring_op op;
	struct blk_request *next; /* of those that are free */
	struct vq_chain chain;
	uint32_t type;
	uint8_t *status; /* in guest memory */
	/* What is left of it: data, in chain.iov; ranges, in chain.iov too. */
	struct iovec *iov;
	unsigned n;
	uint64_t off, len;
	uint32_t written; /* to the guest, without the status */
	bool lazy;        /* a part of it was asked for without RWF_DSYNC */
	bool syncing;     /* the operation under way is an fdatasync */
	unsigned epoch;   /* of it: blk.epoch when it began */
	unsigned tries;   /* in a row without progress */
	struct iovec bounce;
	uint64_t bounce_skip; /* of its block, before what is asked for */
	int mode;             /* of fallocate */
	uint64_t range_off, range_len;
};

/* `r->chain` becomes the rest of `r`. VIRTIO_BLK_S_*, with S_OK: valid as far
 * as the header tells; -EBADMSG: there is no header, or no place for a
 * status. */
_must_check_ int blk_parse(const struct blk_backing *b, struct blk_request *r);
/* The next range of a discard or write-zeroes: VIRTIO_BLK_S_*. */
_must_check_ int blk_parse_range(const struct blk_backing *b,
                                 struct blk_request *r, bool *ret_unmap);
/* Copies from, or to, the begin of what is left, and goes on behind it. */
void blk_take(struct blk_request *r, void *to, size_t len);
void blk_give(struct blk_request *r, const void *from, size_t len);
void blk_skip(struct blk_request *r, size_t len);

/* ---- blk_request.c ------------------------------------------------------- */

struct blk {
	struct vm *vm;
	struct virtio *v;
	const struct vm_disk *cfg;
	unsigned disk; /* of vm->cfg, and of the ring */
	struct blk_backing back;
	uint8_t config[offsetof(struct virtio_blk_config, unused1) + 3];
	uint8_t id[VIRTIO_BLK_ID_BYTES];
	struct io_watch again; /* chains are left, and no kick will tell */

	pthread_mutex_t lock;
	uint64_t features;
	bool running, broken;
	bool fresh;   /* not started since the last reset */
	bool gone;    /* it is leaving: whatever is asked for fails, ... */
	bool asked;   /* ... as something has since leave() was called last */
	bool starved; /* chains wait for a request to come free */
	bool write_back; /* the driver flushes */
	/* How often it has become write-through, and for which of them all that
	 * had been completed before is on the disk. */
	unsigned epoch, synced;
	bool no_zero_range, no_punch; /* the kernel said so */
	/* An fdatasync failed with it: the kernel has forgotten which pages it
	 * could not write, so no later one may succeed. 0 = none did. */
	int lost;
	struct blk_request *request, *free; /* URING_DEPTH of them */
	unsigned used; /* of `request`, ever: the others were never touched */
	struct ratelimit say;
	/* Requests that ended, by type; those of them that failed; bytes of
	 * those that did not. */
	struct blk_counts {
		uint64_t reads, writes, flushes, discards, zeroes, others;
		uint64_t errors, read_bytes, written_bytes;
	} counts;
};

/* blk_counts.c: `r` ends so. And own_ops.counters. */
void blk_count(struct blk *b, const struct blk_request *r, int status);
bool blk_counters(void *ctx, unsigned i, struct stats_set *ret);

/* Takes the first step; `r` is as blk_parse() left it. VIRTIO_BLK_S_*: it has
 * ended already. Under the lock, as the others. */
#define BLK_UNDER_WAY 256
_must_check_ int blk_begin(struct blk *b, struct blk_request *r);
/* r->op has completed: the next step, or the status. */
_must_check_ int blk_go_on(struct blk *b, struct blk_request *r);
/* It goes no further: memory of its own is given back. */
void blk_drop(struct blk_request *r);

#endif
