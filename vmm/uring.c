/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disks' io_uring: uring.h.
 *
 * Order of its making: disabled; descriptors registered (-1: a place);
 * restrictions; enabled, from where on the restrictions hold and nothing more
 * can be registered. The kernel applies restrictions only to rings that were
 * made disabled.
 *
 * The ring's own descriptor is readable while there are completions, so the
 * loop needs no eventfd for them. But where uring_drain() has sorted what was
 * other disks', in a vCPU's thread, the loop must be told: `wake`.
 */

#include <liburing.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "vmm/uring.h"

/* Of the kernel's threads for what would wait: buffered writes, fdatasync. */
#define WORKERS 16u
#define DRAIN_POLL_MS 5

struct client {
	void (*completed)(void *ctx);
	void *ctx;
	unsigned in_kernel; /* queued or under way */
	struct uring_op *first, *last;
};

struct uring {
	struct io *io;
	struct io_watch watch, again, woken;
	pthread_mutex_t lock;
	struct io_uring ring;
	struct client client[VM_DISKS_MAX];
	unsigned n;    /* that have joined; and one for whoever reserves it */
	bool reserved; /* places are filled and emptied as disks come and go */
};

/* ---- queueing, under the lock -------------------------------------------- */

static void done(struct client *c, struct uring_op *op, int res)
{
	op->res = res;
	op->next = NULL;
	if (c->first)
		c->last->next = op;
	else
		c->first = op;
	c->last = op;
}

/* NULL: the kernel takes nothing now, and the operation has failed. */
static struct io_uring_sqe *next_sqe(struct uring *u, unsigned disk,
                                     struct uring_op *op)
{
	struct io_uring_sqe *e = io_uring_get_sqe(&u->ring);

	op->disk = disk;
	if (!e) {
		(void)io_uring_submit(&u->ring);
		e = io_uring_get_sqe(&u->ring);
	}
	if (e)
		u->client[disk].in_kernel++;
	else
		done(&u->client[disk], op, -EAGAIN);
	return e;
}

/* After the prep_ call, which writes all of the entry. */
static void finish_sqe(struct io_uring_sqe *e, struct uring_op *op)
{
	io_uring_sqe_set_data(e, op);
	io_uring_sqe_set_flags(e, IOSQE_FIXED_FILE);
}

void uring_rw(struct uring *u, unsigned disk, struct uring_op *op, bool write,
              const struct iovec *iov, unsigned n, uint64_t off, int flags)
{
	struct io_uring_sqe *e;

	pthread_mutex_lock(&u->lock);
	e = next_sqe(u, disk, op);
	if (e && write)
		io_uring_prep_writev2(e, (int)disk, iov, n, off, flags);
	else if (e)
		io_uring_prep_readv2(e, (int)disk, iov, n, off, flags);
	if (e)
		finish_sqe(e, op);
	pthread_mutex_unlock(&u->lock);
}

void uring_datasync(struct uring *u, unsigned disk, struct uring_op *op)
{
	struct io_uring_sqe *e;

	pthread_mutex_lock(&u->lock);
	e = next_sqe(u, disk, op);
	if (e) {
		io_uring_prep_fsync(e, (int)disk, IORING_FSYNC_DATASYNC);
		finish_sqe(e, op);
	}
	pthread_mutex_unlock(&u->lock);
}

void uring_fallocate(struct uring *u, unsigned disk, struct uring_op *op,
                     int mode, uint64_t off, uint64_t len)
{
	struct io_uring_sqe *e;

	pthread_mutex_lock(&u->lock);
	e = next_sqe(u, disk, op);
	if (e) {
		io_uring_prep_fallocate(e, (int)disk, mode, (off_t)off,
		                        (off_t)len);
		finish_sqe(e, op);
	}
	pthread_mutex_unlock(&u->lock);
}

void uring_submit(struct uring *u)
{
	bool left;

	pthread_mutex_lock(&u->lock);
	if (io_uring_sq_ready(&u->ring))
		(void)io_uring_submit(&u->ring);
	left = io_uring_sq_ready(&u->ring);
	pthread_mutex_unlock(&u->lock);
	/* The kernel is short of memory for now. */
	if (left)
		io_again(u->io, &u->again);
}

/* ---- completions --------------------------------------------------------- */

/* Under the lock. Restrictions leave no way to a CQE without its operation. */
static void sort(struct uring *u)
{
	struct io_uring_cqe *e;
	unsigned head, n = 0;

	io_uring_for_each_cqe(&u->ring, head, e)
	{
		struct uring_op *op = io_uring_cqe_get_data(e);

		u->client[op->disk].in_kernel--;
		done(&u->client[op->disk], op, e->res);
		n++;
	}
	io_uring_cq_advance(&u->ring, n);
}

void uring_serve(struct uring *u)
{
	uint32_t who = 0;

	pthread_mutex_lock(&u->lock);
	sort(u);
	for (unsigned i = 0; i < VM_DISKS_MAX; i++)
		if (u->client[i].first)
			who |= BIT(i);
	pthread_mutex_unlock(&u->lock);
	for (unsigned i = 0; who >> i; i++)
		if (who & BIT(i))
			u->client[i].completed(u->client[i].ctx);
}

struct uring_op *uring_take(struct uring *u, unsigned disk)
{
	struct uring_op *first;

	pthread_mutex_lock(&u->lock);
	first = u->client[disk].first;
	u->client[disk].first = u->client[disk].last = NULL;
	pthread_mutex_unlock(&u->lock);
	return first;
}

static void on_ring(void *ctx, uint32_t events)
{
	(void)events;
	uring_serve(ctx);
}

static void on_again(void *ctx, uint32_t events)
{
	(void)events;
	uring_submit(ctx);
	uring_serve(ctx);
}

static void on_wake(void *ctx, uint32_t events)
{
	struct uring *u = ctx;
	eventfd_t n;

	(void)events;
	(void)!eventfd_read(u->woken.fd, &n);
	uring_serve(u);
}

/* False while the kernel has some of the disk's. */
static bool drained(struct uring *u, unsigned disk)
{
	bool others = false, none;

	pthread_mutex_lock(&u->lock);
	/* Queued, and its thread was parked before it came to submitting. */
	if (io_uring_sq_ready(&u->ring))
		(void)io_uring_submit(&u->ring);
	sort(u);
	for (unsigned i = 0; i < VM_DISKS_MAX; i++)
		others |= i != disk && u->client[i].first;
	none = !u->client[disk].in_kernel;
	pthread_mutex_unlock(&u->lock);
	if (others)
		(void)!eventfd_write(u->woken.fd, 1);
	return none;
}

/* The loop may sort what is waited for here: hence not for long at a time. */
bool uring_drain(struct uring *u, unsigned disk, unsigned ms)
{
	struct pollfd p = { .fd = u->ring.ring_fd, .events = POLLIN };
	uint64_t end = now_ns() + ms * 1000000ull;

	while (!drained(u, disk)) {
		if (now_ns() >= end)
			return false;
		(void)poll(&p, 1, DRAIN_POLL_MS);
	}
	return true;
}

/* ---- its life ------------------------------------------------------------ */

static int fail(struct diag *d, int err, const char *what)
{
	diag_fail(d, err, FL_VMM_URING, "the disks' io_uring: %s", what);
	diag_why(d, "%s", strerror(-err));
	diag_mend(d, "sysctl kernel.io_uring_disabled=0; in a container, a "
	             "seccomp profile that allows io_uring");
	return err;
}

/* Two calls by number: liburing 2.3 has functions for them, but its shared
 * object does not show them. */
static int enable_ring(struct io_uring *ring)
{
	return io_uring_register((unsigned)ring->ring_fd,
	                         IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

static int restrict_ring(struct io_uring *ring, bool reserved)
{
	static const uint8_t ops[] = {
		IORING_OP_READV,
		IORING_OP_WRITEV,
		IORING_OP_FSYNC,
		IORING_OP_FALLOCATE,
	};
	struct io_uring_restriction r[ARRAY_SIZE(ops) + 3] = { 0 };
	unsigned n = 0;

	for (; n < ARRAY_SIZE(ops); n++) {
		r[n].opcode = IORING_RESTRICTION_SQE_OP;
		r[n].sqe_op = ops[n];
	}
	r[n].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
	r[n++].sqe_flags = IOSQE_FIXED_FILE;
	r[n].opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED;
	r[n++].sqe_flags = IOSQE_FIXED_FILE;
	if (reserved) {
		r[n].opcode = IORING_RESTRICTION_REGISTER_OP;
		r[n++].register_op = IORING_REGISTER_FILES_UPDATE;
	}
	return io_uring_register((unsigned)ring->ring_fd,
	                         IORING_REGISTER_RESTRICTIONS, r, n);
}

static unsigned places(const struct vm *vm, bool reserved)
{
	return reserved ? VM_DISKS_MAX : vm->cfg.n_disks;
}

static int make_ring(struct vm *vm, struct io_uring *ring, bool reserved)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE |
		         IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN,
		.cq_entries = URING_DEPTH * places(vm, reserved),
	};

	return io_uring_queue_init_params(URING_DEPTH, ring, &p);
}

static int seal_ring(struct vm *vm, struct io_uring *ring, bool reserved)
{
	unsigned workers[2] = { WORKERS, 1 };
	int fds[VM_DISKS_MAX];
	int r;

	for (unsigned i = 0; i < VM_DISKS_MAX; i++)
		fds[i] = i < vm->cfg.n_disks ? vm->cfg.disk[i].fd : -1;
	r = io_uring_register_files(ring, fds, places(vm, reserved));
	if (r == 0)
		r = io_uring_register_iowq_max_workers(ring, workers);
	if (r >= 0)
		r = restrict_ring(ring, reserved);
	return r < 0 ? r : enable_ring(ring);
}

static void watch_init(struct uring *u, struct io_watch *w, int fd,
                       void (*ready)(void *ctx, uint32_t events))
{
	w->fd = fd;
	w->ready = ready;
	w->ctx = u;
}

static int watch_all(struct uring *u)
{
	int r;

	watch_init(u, &u->watch, u->ring.ring_fd, on_ring);
	watch_init(u, &u->again, -1, on_again);
	watch_init(u, &u->woken, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
	           on_wake);
	if (u->woken.fd < 0)
		return -errno;
	r = io_add(u->io, &u->watch, EPOLLIN);
	return r < 0 ? r : io_add(u->io, &u->woken, EPOLLIN);
}

static void uring_free(struct uring *u)
{
	io_del(u->io, &u->watch);
	io_del(u->io, &u->again);
	io_del(u->io, &u->woken);
	close_fd(&u->woken.fd);
	io_uring_queue_exit(&u->ring);
	pthread_mutex_destroy(&u->lock);
	free(u);
}

static int uring_new(struct vm *vm, bool reserved, struct uring **ret,
                     struct diag *d)
{
	struct uring *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return fail(d, -ENOMEM, "memory");
	u->io = vm->io;
	u->reserved = reserved;
	r = make_ring(vm, &u->ring, reserved);
	if (r < 0) {
		free(u);
		return fail(d, r, "made");
	}
	pthread_mutex_init(&u->lock, NULL);
	r = watch_all(u);
	if (r == 0)
		r = seal_ring(vm, &u->ring, reserved);
	if (r < 0) {
		uring_free(u);
		return fail(d, r, "given its files and restrictions");
	}
	*ret = u;
	return 0;
}

int uring_reserve(struct vm *vm, struct diag *d)
{
	int r = uring_new(vm, true, &vm->uring, d);

	if (r == 0)
		vm->uring->n = 1;
	return r;
}

static void leave(struct vm *vm)
{
	if (--vm->uring->n)
		return;
	uring_free(vm->uring);
	vm->uring = NULL;
}

void uring_end(struct vm *vm)
{
	if (vm->uring)
		leave(vm);
}

static int put_file(struct uring *u, unsigned disk, int fd)
{
	int r = io_uring_register_files_update(&u->ring, disk, &fd, 1);

	return MIN(r, 0);
}

int uring_join(struct vm *vm, unsigned disk, void (*completed)(void *ctx),
               void *ctx, struct diag *d)
{
	int r = vm->uring ? 0 : uring_new(vm, false, &vm->uring, d);

	if (r < 0)
		return r;
	if (vm->uring->reserved)
		r = put_file(vm->uring, disk, vm->cfg.disk[disk].fd);
	if (r < 0)
		return fail(d, r, "given one file more");
	vm->uring->client[disk].completed = completed;
	vm->uring->client[disk].ctx = ctx;
	vm->uring->n++;
	return 0;
}

void uring_leave(struct vm *vm, unsigned disk)
{
	vm->uring->client[disk] = (struct client){ .completed = NULL };
	/* A ring that ends drops them all. */
	if (vm->uring->reserved)
		(void)!put_file(vm->uring, disk, -1);
	leave(vm);
}
