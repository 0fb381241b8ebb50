/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What vhost-net and vhost-vsock have in common: vhost.h.
 *
 * The addresses of rings and memory are ours, not the guest's: queue.c has
 * checked that the areas lie in RAM, and the kernel looks every buffer up in
 * the table of regions, which is RAM and nothing else.
 */

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "vmm/virtio/vhost.h"

/* ---- open and close ------------------------------------------------------ */

static int open_fail(struct diag *d, int err, const char *name,
                     const char *what)
{
	diag_fail(d, err, FL_VMM_VHOST, "vhost for \"%s\": %s", name, what);
	diag_why(d, "%s", strerror(-err));
	diag_mend(d, "modprobe vhost_net vhost_vsock, and limits of tasks and "
	             "locked memory that leave room; or the policy without "
	             "vhost");
	return err;
}

static void err_ready(void *ctx, uint32_t events)
{
	struct vhost *h = ctx;
	eventfd_t n;

	(void)events;
	if (eventfd_read(h->err.fd, &n) == 0)
		h->broken(h->ctx);
}

static void call_ready(void *ctx, uint32_t events)
{
	struct vhost_queue *q = ctx;
	eventfd_t n;

	(void)events;
	if (eventfd_read(q->call.fd, &n) == 0)
		virtio_interrupt(q->h->v, q->index);
}

static void set_empty(struct vhost *h, struct vm *vm, int fd)
{
	h->vm = vm;
	h->fd = fd;
	h->err = (struct io_watch){ .fd = -1, .ready = err_ready, .ctx = h };
	for (unsigned i = 0; i < VHOST_QUEUES; i++) {
		struct vhost_queue *q = &h->queue[i];

		q->h = h;
		q->call.fd = -1;
		q->call.ready = call_ready;
		q->call.ctx = q;
	}
}

int vhost_open(struct vhost *h, struct vm *vm, int fd, const char *name,
               struct diag *d)
{
	set_empty(h, vm, fd);
	if (ioctl(fd, VHOST_SET_OWNER, NULL) < 0)
		return open_fail(d, -errno, name, "VHOST_SET_OWNER");
	if (ioctl(fd, VHOST_GET_FEATURES, &h->features) < 0)
		return open_fail(d, -errno, name, "VHOST_GET_FEATURES");
	if (!(h->features & VIRTIO_F(32)))
		return open_fail(d, -EOPNOTSUPP, name, "VIRTIO_F_VERSION_1");
	h->err.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return h->err.fd < 0 ? open_fail(d, -errno, name, "an eventfd") : 0;
}

void vhost_close(struct vhost *h)
{
	if (!h->vm)
		return; /* never opened */
	vhost_stop(h);
	close_fd(&h->err.fd);
	for (unsigned i = 0; i < VHOST_QUEUES; i++)
		close_fd(&h->queue[i].call.fd);
}

uint64_t vhost_without(const struct vhost *h)
{
	return VIRTIO_RING_FEATURES & ~h->features;
}

/* ---- start and stop ------------------------------------------------------ */

static int set(const struct vhost *h, unsigned long request, const void *arg)
{
	return ioctl(h->fd, request, arg) < 0 ? -errno : 0;
}

static int set_memory(const struct vhost *h)
{
	struct {
		struct vhost_memory head;
		struct vhost_memory_region region[MEM_REGIONS_MAX];
	} t = { .head.nregions = h->vm->mem.n };

	for (unsigned i = 0; i < h->vm->mem.n; i++) {
		const struct mem_region *r = &h->vm->mem.region[i];

		t.region[i].guest_phys_addr = r->gpa.v;
		t.region[i].memory_size = r->size;
		t.region[i].userspace_addr = (uintptr_t)r->hva;
	}
	return set(h, VHOST_SET_MEM_TABLE, &t);
}

/* Its vector's eventfd, or one that the loop reads. */
static int call_fd(struct vhost_queue *q, int *ret)
{
	int r = virtio_call_fd(q->h->v, q->index);

	if (r >= 0)
		*ret = r;
	if (r != -ENOENT)
		return MIN(r, 0);
	r = 0;
	if (q->call.fd < 0)
		q->call.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->call.fd < 0)
		return -errno;
	if (!q->watched)
		r = io_add(q->h->vm->io, &q->call, EPOLLIN);
	q->watched = r == 0;
	*ret = q->call.fd;
	return r;
}

static int set_areas(const struct vhost *h, unsigned i, const struct vq *q)
{
	const struct vhost_vring_state size = { .index = i, .num = q->size };
	const struct vhost_vring_state base = { .index = i,
		                                .num = q->next_avail };
	const struct vhost_vring_addr areas = {
		.index = i,
		.desc_user_addr = (uintptr_t)q->desc,
		.avail_user_addr = (uintptr_t)q->driver,
		.used_user_addr = (uintptr_t)q->device,
	};
	int r = set(h, VHOST_SET_VRING_NUM, &size);

	if (r == 0)
		r = set(h, VHOST_SET_VRING_BASE, &base);
	return r < 0 ? r : set(h, VHOST_SET_VRING_ADDR, &areas);
}

/* Where the kernel has stopped: it goes on from there when only the bus master
 * was off. What it had taken it has also returned. */
static void keep_position(const struct vhost *h, unsigned i)
{
	struct vq *q = virtio_queue(h->v, h->queue[i].index);
	struct vhost_vring_state base = { .index = i };

	if (ioctl(h->fd, VHOST_GET_VRING_BASE, &base) == 0)
		q->next_avail = q->next_used = (uint16_t)base.num;
}

static int start_queue(struct vhost *h, unsigned i)
{
	struct vhost_vring_file f = { .index = i, .fd = h->err.fd };
	struct vhost_queue *q = &h->queue[i];
	int r = set_areas(h, i, virtio_queue(h->v, q->index));

	if (r == 0)
		r = set(h, VHOST_SET_VRING_ERR, &f);
	if (r == 0)
		r = call_fd(q, &f.fd);
	if (r == 0)
		r = set(h, VHOST_SET_VRING_CALL, &f);
	q->kick = f.fd = virtio_kick_fd(h->v, q->index);
	return r < 0 ? r : set(h, VHOST_SET_VRING_KICK, &f);
}

int vhost_start(struct vhost *h, struct virtio *v, unsigned first,
                uint64_t features)
{
	eventfd_t old;
	int r;

	features &= h->features;
	h->v = v;
	h->started = true;
	(void)!eventfd_read(h->err.fd, &old); /* of a driver that is gone */
	r = io_add(h->vm->io, &h->err, EPOLLIN);
	if (r == 0)
		r = set(h, VHOST_SET_FEATURES, &features);
	if (r == 0)
		r = set_memory(h);
	for (unsigned i = 0; r == 0 && i < VHOST_QUEUES; i++) {
		h->queue[i].index = first + i;
		r = start_queue(h, i);
	}
	if (r < 0)
		vhost_stop(h);
	return r;
}

void vhost_poke(const struct vhost *h)
{
	for (unsigned i = 0; i < VHOST_QUEUES; i++)
		(void)!eventfd_write(h->queue[i].kick, 1);
}

void vhost_stop(struct vhost *h)
{
	if (!h->started)
		return;
	h->started = false;
	/* The eventfds are other queues' soon: the kernel keeps none. */
	for (unsigned i = 0; i < VHOST_QUEUES; i++) {
		const struct vhost_vring_file none = { .index = i, .fd = -1 };
		struct vhost_queue *q = &h->queue[i];

		keep_position(h, i);
		(void)!set(h, VHOST_SET_VRING_KICK, &none);
		(void)!set(h, VHOST_SET_VRING_CALL, &none);
		if (q->watched)
			io_del(h->vm->io, &q->call);
		q->watched = false;
	}
	io_del(h->vm->io, &h->err);
}
