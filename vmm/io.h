/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_IO_H
#define FL_VMM_IO_H

/*
 * The data path's event loop: one thread for all devices of our own, and none
 * in a guest that has no such device. It is not the main thread, because that
 * one waits for the kernel when assigned devices come and go, and packets must
 * not.
 *
 * Theory of operation
 *   epoll over descriptors that devices give it: a queue's ioeventfd, a tap, a
 *   ring's completions. Level triggered. A device's callback does its work and
 *   comes back; it does a bounded piece of it (IO_BURST), leaves its descriptor
 *   readable or calls io_again(), and others get their turn. Nothing polls, and
 *   no timer runs while nothing happens.
 *
 * Order: io_new() before the sandbox; the thread starts with the vCPUs'
 * threads, parked as they are, and is parked with them (vcpus_park()): while
 * the machine is parked no callback runs.
 *
 * Threads: io_add(), io_change() and io_del() from any thread. After io_del() a
 * callback may still run once, if it was under way: its watch and ctx must live
 * until the machine is parked or the device is freed. A device's own lock
 * decides who is first.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"

struct vm;
struct io;

#define IO_BURST 64 /* chains or packets of one queue a turn */

/* Storage is the caller's, and stays where it is while watched. */
struct io_watch {
	int fd;
	void (*ready)(void *ctx, uint32_t events); /* EPOLLIN, EPOLLOUT ... */
	void *ctx;
	struct io_watch *next; /* io.c's: of those that want another turn */
	bool again;
};

_must_check_ int io_new(struct vm *vm, struct io **ret, struct diag *d);
void io_free(struct io *io);
/* `events` 0 = only errors and hang-ups for now. */
_must_check_ int io_add(struct io *io, struct io_watch *w, uint32_t events);
_must_check_ int io_change(struct io *io, struct io_watch *w, uint32_t events);
void io_del(struct io *io, struct io_watch *w);
/* From within a callback: another turn for it, with events 0, after others had
 * theirs, whether or not its descriptor is readable. */
void io_again(struct io *io, struct io_watch *w);

_must_check_ int io_start(struct io *io, struct diag *d);
/* With the vCPUs: park.c. */
void io_park(struct io *io);
void io_unpark(struct io *io);
void io_stop(struct io *io);

#endif
