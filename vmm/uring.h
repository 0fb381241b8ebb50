/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_URING_H
#define FL_VMM_URING_H

/*
 * One io_uring for all disks of the guest.
 *
 * Theory of operation
 *   Made with the first disk that joins, before the sandbox, and sealed before
 *   its first operation: what it can be asked for are reads, writes, fdatasync
 *   and fallocate of the disks' own descriptors, which are registered, and no
 *   other number is taken (io_uring_register(2), restrictions). So what seccomp
 *   does not see in the ring is no more than it would allow.
 *
 *   A guest that disks can be plugged into has its ring from the start, since
 *   none can be made in the sandbox: uring_reserve(). Its table of descriptors
 *   has a place for each disk that there may ever be, and to fill those is the
 *   one thing more that it can be asked for. Whoever took this process over
 *   could let it work on a descriptor that the process has: no more than read()
 *   and write() give.
 *
 *   A disk queues operations (uring_rw() ...), then submits them all with one
 *   system call. The ring's descriptor is in the data path's loop; what has
 *   completed is sorted by disk, and each disk's `completed` takes its own.
 *
 * Order: uring_drain() comes back when the kernel holds no operation of that
 * disk any more, so guest memory is its own again; what has completed is still
 * to be taken.
 *
 * Threads: the ring has a lock, which is innermost. uring_submit() and
 * uring_serve() are the loop's thread's: the kernel ties an operation to the
 * thread that submitted it. uring_drain() is any thread's, and waits: no lock
 * may be held that `completed` takes.
 *
 * Limits: URING_DEPTH operations of a disk in the kernel.
 */

#include <sys/uio.h>

#include "vmm/io.h"
#include "vmm/priv.h"

#define URING_DEPTH 128u

struct uring;

struct uring_op {
	struct uring_op *next; /* uring.c's */
	unsigned disk;
	int res; /* as the system call: bytes, 0, negative errno */
};

/* Before the sandbox, and before the first disk: for disks that come later. Off
 * with uring_end(), after the last disk. */
_must_check_ int uring_reserve(struct vm *vm, struct diag *d);
void uring_end(struct vm *vm);
/* Disk `disk` of vm->cfg, whose descriptor is there; nobody runs.
 * FL_VMM_URING: none to be had. */
_must_check_ int uring_join(struct vm *vm, unsigned disk,
                            void (*completed)(void *ctx), void *ctx,
                            struct diag *d);
/* Drained; what it did not take is forgotten; nobody runs. The ring goes with
 * the last one, unless it is reserved. */
void uring_leave(struct vm *vm, unsigned disk);

/* `iov` until uring_submit(), what it points to until the op is taken. `flags`:
 * RWF_DSYNC. */
void uring_rw(struct uring *u, unsigned disk, struct uring_op *op, bool write,
              const struct iovec *iov, unsigned n, uint64_t off, int flags);
void uring_datasync(struct uring *u, unsigned disk, struct uring_op *op);
void uring_fallocate(struct uring *u, unsigned disk, struct uring_op *op,
                     int mode, uint64_t off, uint64_t len);
void uring_submit(struct uring *u);
/* What has completed, to its disks. Without their locks. */
void uring_serve(struct uring *u);
/* All of the disk's that have completed, oldest first; NULL = none. */
struct uring_op *uring_take(struct uring *u, unsigned disk);
/* False: `ms` have passed and the kernel is still at work. */
_must_check_ bool uring_drain(struct uring *u, unsigned disk, unsigned ms);

#endif
