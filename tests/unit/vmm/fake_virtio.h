/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_TESTS_FAKE_VIRTIO_H
#define FL_TESTS_FAKE_VIRTIO_H

/*
 * What a virtio device stands on, without a guest: queues that are lists of
 * chains, a loop that is turned by hand, and a kernel that writes down what
 * ioctls it was asked for. One device at a time, in a test that includes this
 * once.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/vhost.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/devices.h"
#include "vmm/virtio/virtio.h"

#define FAKE_CHAINS 256
#define FAKE_QUEUES 16
#define FAKE_WATCHES 32
#define FAKE_IOCTLS 256
#define FAKE_POSITION 77 /* in the ring, where vhost stops */

struct fake_used {
	uint16_t id;
	uint32_t len;
};
struct fake_queue {
	struct vq_chain avail[FAKE_CHAINS];
	unsigned next, n; /* avail: to be popped next, how many */
	struct fake_used used[FAKE_CHAINS];
	unsigned n_used, n_ahead, interrupts;
	bool armed, broken;
	int kick, call; /* eventfds; call -1 = no vector */
	bool lent;      /* the kick is somebody else's */
};
struct virtio {
	struct virtio_desc desc;
	struct vq vq[FAKE_QUEUES];
	struct fake_queue q[FAKE_QUEUES];
	unsigned broken, changed;
	uint32_t again; /* queues that want another turn */
};
struct fake_ioctl {
	int fd;
	unsigned long request;
	uint64_t arg; /* what a pointer points to, its first 8 bytes */
};
struct fake_watch {
	struct io_watch *w;
	uint32_t events;
};

static struct {
	struct vm vm;
	struct virtio v;
	struct fake_watch watch[FAKE_WATCHES];
	struct fake_ioctl log[FAKE_IOCTLS];
	unsigned n_log, said;
	unsigned long fails; /* this request does, with: */
	int error;
} fake;

/* ---- transport ----------------------------------------------------------- */

int virtio_add(struct vm *vm, const struct virtio_desc *desc,
               struct virtio **ret, struct diag *d)
{
	(void)vm;
	(void)d;
	assert_true(desc->queues <= FAKE_QUEUES);
	memset(&fake.v, 0, sizeof(fake.v));
	fake.v.desc = *desc;
	for (unsigned i = 0; i < desc->queues; i++) {
		fake.v.vq[i].size = desc->queue_size;
		fake.v.q[i].armed = true;
		fake.v.q[i].kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		fake.v.q[i].call = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	}
	*ret = &fake.v;
	return 0;
}

static void fake_end(void)
{
	fake.v.desc.ops->free(fake.v.desc.ctx);
	for (unsigned i = 0; i < fake.v.desc.queues; i++) {
		close_fd(&fake.v.q[i].kick);
		close_fd(&fake.v.q[i].call);
	}
	for (unsigned i = 0; i < FAKE_WATCHES; i++)
		assert_null(fake.watch[i].w);
	memset(&fake, 0, sizeof(fake));
}

static int fake_start(uint64_t features)
{
	for (unsigned i = 0; i < fake.v.desc.queues; i++)
		fake.v.vq[i].ready = true;
	return fake.v.desc.ops->start(fake.v.desc.ctx, features);
}

/* The bus master goes off: queues stay where they are. */
static void fake_pause(void)
{
	for (unsigned i = 0; i < fake.v.desc.queues; i++)
		fake.v.vq[i].ready = false;
	fake.v.desc.ops->stop(fake.v.desc.ctx);
}

static void fake_stop(void)
{
	fake_pause();
	if (fake.v.desc.ops->reset)
		fake.v.desc.ops->reset(fake.v.desc.ctx);
	for (unsigned i = 0; i < fake.v.desc.queues; i++) {
		struct fake_queue *q = &fake.v.q[i];

		q->next = q->n = q->n_used = q->interrupts = 0;
		q->armed = true;
		q->lent = false;
	}
}

static _unused_ void fake_kick(unsigned i)
{
	assert_false(fake.v.q[i].lent);
	fake.v.desc.ops->kick(fake.v.desc.ctx, i);
}

static uint32_t fake_config(unsigned off, unsigned width)
{
	return fake.v.desc.ops->config_read(fake.v.desc.ctx, off, width);
}

struct vq *virtio_queue(struct virtio *v, unsigned i)
{
	return &v->vq[i];
}

void virtio_interrupt(struct virtio *v, unsigned i)
{
	v->q[i].interrupts++;
}

/* As a kick, a turn later. */
void virtio_again(struct virtio *v, unsigned i)
{
	v->again |= BIT(i);
}

void virtio_config_changed(struct virtio *v)
{
	v->changed++;
}

void virtio_broken(struct virtio *v, const char *why)
{
	(void)why;
	v->broken++;
}

int virtio_kick_fd(struct virtio *v, unsigned i)
{
	v->q[i].lent = true;
	return v->q[i].kick;
}

int virtio_call_fd(struct virtio *v, unsigned i)
{
	return v->q[i].call < 0 ? -ENOENT : v->q[i].call;
}

void loop_say(const char *text)
{
	(void)text;
	fake.said++;
}

/* ---- queues -------------------------------------------------------------- */

static struct fake_queue *fake_queue(const struct vq *q)
{
	return &fake.v.q[q - fake.v.vq];
}

/* A chain of one piece; it is given the next id. */
static _unused_ void fake_give(unsigned i, void *buf, size_t len, bool in)
{
	struct fake_queue *f = &fake.v.q[i];
	struct vq_chain *c = &f->avail[f->n];

	assert_true(f->n < FAKE_CHAINS);
	*c = (struct vq_chain){ .id = (uint16_t)f->n++ };
	c->iov[0] = (struct iovec){ buf, len };
	c->n_in = in;
	c->n_out = !in;
	c->in_len = in ? (uint32_t)len : 0;
	c->out_len = in ? 0 : (uint32_t)len;
}

int vq_pop(struct vq *q, struct vq_chain *ret)
{
	struct fake_queue *f = fake_queue(q);

	if (f->broken)
		return -EPROTO;
	if (f->next == f->n)
		return 0;
	*ret = f->avail[f->next++];
	return 1;
}

void vq_unpop(struct vq *q, const struct vq_chain *c)
{
	struct fake_queue *f = fake_queue(q);

	f->next--;
	(void)c;
}

void vq_push_more(struct vq *q, const struct vq_chain *c, uint32_t len)
{
	struct fake_queue *f = fake_queue(q);

	assert_true(len <= f->avail[c->id].in_len);
	f->used[f->n_used + f->n_ahead++] = (struct fake_used){ c->id, len };
}

void vq_push_flush(struct vq *q)
{
	struct fake_queue *f = fake_queue(q);

	f->n_used += f->n_ahead;
	f->n_ahead = 0;
}

void vq_push(struct vq *q, const struct vq_chain *c, uint32_t len)
{
	vq_push_more(q, c, len);
	vq_push_flush(q);
}

void vq_disarm(struct vq *q)
{
	fake_queue(q)->armed = false;
}

bool vq_arm(struct vq *q)
{
	fake_queue(q)->armed = true;
	return fake_queue(q)->next != fake_queue(q)->n;
}

size_t vq_copy_out(const struct vq_chain *c, size_t off, void *to, size_t len)
{
	size_t have = c->n_out ? c->iov[0].iov_len : 0;

	len = off < have ? MIN(len, have - off) : 0;
	memcpy(to, (const char *)c->iov[0].iov_base + off, len);
	return len;
}

size_t vq_copy_in(const struct vq_chain *c, size_t off, const void *from,
                  size_t len)
{
	assert_int_equal(off, 0);
	if (!c->n_in)
		return 0;
	memcpy(c->iov[c->n_out].iov_base, from, len);
	return len;
}

/* ---- the loop ------------------------------------------------------------ */

static struct fake_watch *find_watch(const struct io_watch *w)
{
	for (unsigned i = 0; i < FAKE_WATCHES; i++)
		if (fake.watch[i].w == w)
			return &fake.watch[i];
	return NULL;
}

int io_add(struct io *io, struct io_watch *w, uint32_t events)
{
	struct fake_watch *f = find_watch(NULL);

	(void)io;
	assert_null(find_watch(w));
	assert_non_null(f);
	*f = (struct fake_watch){ w, events };
	return 0;
}

int io_change(struct io *io, struct io_watch *w, uint32_t events)
{
	(void)io;
	find_watch(w)->events = events;
	return 0;
}

void io_del(struct io *io, struct io_watch *w)
{
	struct fake_watch *f = find_watch(w);

	(void)io;
	if (f)
		f->w = NULL;
}

/* One turn; false = nothing was to be done. */
static bool fake_turn(void)
{
	uint32_t again = fake.v.again;
	bool did = again;

	fake.v.again = 0;
	for (unsigned i = 0; i < FAKE_WATCHES; i++) {
		struct io_watch *w = fake.watch[i].w;
		struct pollfd p = { .fd = w ? w->fd : -1 };

		/* The words of poll and of epoll are the same. */
		p.events = (short)fake.watch[i].events;
		if (poll(&p, 1, 0) <= 0)
			continue;
		w->ready(w->ctx, (uint32_t)p.revents);
		did = true;
	}
	for (; again; again &= again - 1)
		fake_kick((unsigned)__builtin_ctz(again));
	return did;
}

static void fake_run(void)
{
	for (unsigned i = 0; fake_turn(); i++)
		assert_true(i < 1000);
}

/* ---- the kernel ---------------------------------------------------------- */

int ioctl(int fd, unsigned long request, ...)
{
	struct fake_ioctl *l = &fake.log[fake.n_log % FAKE_IOCTLS];
	const uint64_t features = ~0ull & ~VIRTIO_F(34);
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (fake.fails == request) {
		errno = fake.error;
		return -1;
	}
	*l = (struct fake_ioctl){ fd, request, (uintptr_t)arg };
	fake.n_log++;
	if (request == VHOST_GET_FEATURES)
		memcpy(arg, &features, sizeof(features));
	else if (request == VHOST_GET_VRING_BASE)
		((struct vhost_vring_state *)arg)->num = FAKE_POSITION;
	else if (_IOC_TYPE(request) == 0xaf && arg)
		memcpy(&l->arg, arg, MIN(_IOC_SIZE(request), 8u));
	return 0;
}

/* How often it was asked, and what with the last time. */
static _unused_ unsigned fake_asked(unsigned long request, uint64_t *ret_arg)
{
	unsigned n = 0;

	for (unsigned i = 0; i < fake.n_log && i < FAKE_IOCTLS; i++) {
		if (fake.log[i].request != request)
			continue;
		n++;
		if (ret_arg)
			*ret_arg = fake.log[i].arg;
	}
	return n;
}

#endif
