/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data path's loop: io.h.
 *
 * Order of a turn: what epoll found, then those that asked for another turn,
 * as many as there were when their part began. Parking is looked at between
 * any two callbacks, and what was found and not yet served is dropped: level
 * triggered, it is found again. So nothing that was deleted while parked is
 * ever called.
 *
 * Locks: `lock` is of parking and of the list of those that want another turn;
 * no callback runs with it.
 */

#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "vmm/io.h"
#include "vmm/priv.h"

#define EVENTS 32
#define STACK (256u << 10)

struct io {
	int epoll, wake;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	_Atomic bool wanted; /* parked: by others; or to end */
	bool parked, stopping;
	/* Those that want another turn, the next first. */
	struct io_watch *first, *last;
	_Atomic unsigned waiting;
};

/* ---- watches ------------------------------------------------------------- */

static int control(struct io *io, int op, struct io_watch *w, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = w };

	return epoll_ctl(io->epoll, op, w->fd, &e) < 0 ? -errno : 0;
}

int io_add(struct io *io, struct io_watch *w, uint32_t events)
{
	w->next = NULL;
	w->again = false;
	return control(io, EPOLL_CTL_ADD, w, events);
}

int io_change(struct io *io, struct io_watch *w, uint32_t events)
{
	return control(io, EPOLL_CTL_MOD, w, events);
}

/* Under the lock. */
static void unlist(struct io *io, struct io_watch *w)
{
	struct io_watch **at = &io->first, *before = NULL;

	if (!w->again)
		return;
	while (*at != w) {
		before = *at;
		at = &before->next;
	}
	*at = w->next;
	if (io->last == w)
		io->last = before;
	w->again = false;
	io->waiting--;
}

void io_del(struct io *io, struct io_watch *w)
{
	/* It fails where it is not watched: the aim. */
	(void)!control(io, EPOLL_CTL_DEL, w, 0);
	pthread_mutex_lock(&io->lock);
	unlist(io, w);
	pthread_mutex_unlock(&io->lock);
}

void io_again(struct io *io, struct io_watch *w)
{
	pthread_mutex_lock(&io->lock);
	if (!w->again) {
		w->again = true;
		w->next = NULL;
		if (io->first)
			io->last->next = w;
		else
			io->first = w;
		io->last = w;
		io->waiting++;
	}
	pthread_mutex_unlock(&io->lock);
}

/* ---- the thread ---------------------------------------------------------- */

/* False when it is to end. */
static bool park_point(struct io *io)
{
	bool goes_on;

	pthread_mutex_lock(&io->lock);
	io->parked = true;
	pthread_cond_broadcast(&io->cond);
	while (io->wanted && !io->stopping)
		pthread_cond_wait(&io->cond, &io->lock);
	io->parked = false;
	goes_on = !io->stopping;
	pthread_mutex_unlock(&io->lock);
	return goes_on;
}

static bool wanted(const struct io *io)
{
	return atomic_load_explicit(&io->wanted, memory_order_acquire);
}

static void serve_found(struct io *io, const struct epoll_event *e, int n)
{
	for (int i = 0; i < n && !wanted(io); i++) {
		struct io_watch *w = e[i].data.ptr;
		eventfd_t count;

		if (w)
			w->ready(w->ctx, e[i].events);
		else
			(void)!eventfd_read(io->wake, &count);
	}
}

static struct io_watch *take_again(struct io *io)
{
	struct io_watch *w;

	pthread_mutex_lock(&io->lock);
	w = io->first;
	if (w)
		unlist(io, w);
	pthread_mutex_unlock(&io->lock);
	return w;
}

static void serve_again(struct io *io)
{
	for (unsigned n = io->waiting; n && !wanted(io); n--) {
		struct io_watch *w = take_again(io);

		if (!w)
			break;
		w->ready(w->ctx, 0);
	}
}

static void *io_thread(void *arg)
{
	struct epoll_event e[EVENTS];
	struct io *io = arg;

	pthread_setname_np(pthread_self(), "io");
	for (;;) {
		int n;

		if (wanted(io) && !park_point(io))
			return NULL;
		n = epoll_wait(io->epoll, e, EVENTS, io->waiting ? 0 : -1);
		serve_found(io, e, n);
		serve_again(io);
	}
}

/* ---- its life ------------------------------------------------------------ */

static int fail(struct diag *d, int err, const char *what)
{
	diag_fail(d, err, FL_VMM_MEMORY, "the data path's loop: %s", what);
	diag_why(d, "%s", strerror(-err));
	diag_mend(d, "raise the limits of open files and tasks of fairlead-vmm:"
	             " prlimit, or LimitNOFILE= and TasksMax= of the unit");
	return err;
}

static int open_fds(struct io *io)
{
	struct epoll_event e = { .events = EPOLLIN };

	io->epoll = epoll_create1(EPOLL_CLOEXEC);
	io->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (io->epoll < 0 || io->wake < 0 ||
	    epoll_ctl(io->epoll, EPOLL_CTL_ADD, io->wake, &e) < 0)
		return -errno;
	return 0;
}

int io_new(struct vm *vm, struct io **ret, struct diag *d)
{
	struct io *io = calloc(1, sizeof(*io));
	int r;

	(void)vm;
	if (!io)
		return fail(d, -ENOMEM, "memory");
	io->epoll = io->wake = -1;
	io->wanted = true;
	pthread_mutex_init(&io->lock, NULL);
	pthread_cond_init(&io->cond, NULL);
	r = open_fds(io);
	if (r < 0) {
		io_free(io);
		return fail(d, r, "its descriptors");
	}
	*ret = io;
	return 0;
}

int io_start(struct io *io, struct diag *d)
{
	pthread_attr_t attr;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	r = pthread_create(&io->thread, &attr, io_thread, io);
	pthread_attr_destroy(&attr);
	if (r)
		return fail(d, -r, "its thread");
	io->started = true;
	return 0;
}

/* Under the lock: it leaves epoll_wait(), or goes no further. */
static void call_in(struct io *io)
{
	io->wanted = true;
	(void)!eventfd_write(io->wake, 1);
}

void io_park(struct io *io)
{
	pthread_mutex_lock(&io->lock);
	call_in(io);
	while (io->started && !io->parked)
		pthread_cond_wait(&io->cond, &io->lock);
	pthread_mutex_unlock(&io->lock);
}

void io_unpark(struct io *io)
{
	pthread_mutex_lock(&io->lock);
	io->wanted = false;
	pthread_cond_broadcast(&io->cond);
	pthread_mutex_unlock(&io->lock);
}

void io_stop(struct io *io)
{
	if (!io->started)
		return;
	pthread_mutex_lock(&io->lock);
	io->stopping = true;
	call_in(io);
	pthread_cond_broadcast(&io->cond);
	pthread_mutex_unlock(&io->lock);
	pthread_join(io->thread, NULL);
	io->started = false;
}

void io_free(struct io *io)
{
	if (!io)
		return;
	io_stop(io);
	close_fd(&io->epoll);
	close_fd(&io->wake);
	pthread_cond_destroy(&io->cond);
	pthread_mutex_destroy(&io->lock);
	free(io);
}
