/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A socket device (virtio 1.2, 5.10) that the kernel serves: vhost-vsock has
 * the queues for receiving and sending; the third, for events, has none to
 * tell, since a guest that is reset has lost its connections by itself.
 *
 * Order: the CID is taken before the guest runs; running is turned off before
 * the rings go.
 */

#include <linux/virtio_vsock.h>
#include <sys/ioctl.h>

#include "vmm/devices.h"
#include "vmm/virtio/vhost.h"

#define QUEUES 3 /* receive, send, events */
#define RING 128
#define CLASS 0x078000u /* communication controller, other */

struct vsock {
	struct virtio *v;
	struct vhost vhost;
	pthread_mutex_t lock; /* of running */
	bool running;
	uint64_t cid;
};

static int set_running(const struct vsock *s, int on)
{
	return ioctl(s->vhost.fd, VHOST_VSOCK_SET_RUNNING, &on) < 0 ? -errno
	                                                            : 0;
}

static void halt(struct vsock *s)
{
	if (!s->running)
		return;
	s->running = false;
	(void)!set_running(s, 0);
	vhost_stop(&s->vhost);
}

static int vsock_start(void *ctx, uint64_t features)
{
	struct vsock *s = ctx;
	int r = 0;

	pthread_mutex_lock(&s->lock);
	/* A driver that is content without a queue gets nothing. */
	if (virtio_queue(s->v, 0)->ready && virtio_queue(s->v, 1)->ready) {
		r = vhost_start(&s->vhost, s->v, 0, features);
		s->running = r == 0;
		if (r == 0)
			r = set_running(s, 1);
		if (r == 0)
			vhost_poke(&s->vhost);
		else
			halt(s);
	}
	pthread_mutex_unlock(&s->lock);
	return r;
}

static void vsock_stop(void *ctx)
{
	struct vsock *s = ctx;

	pthread_mutex_lock(&s->lock);
	halt(s);
	pthread_mutex_unlock(&s->lock);
}

static void vsock_broken(void *ctx)
{
	struct vsock *s = ctx;

	pthread_mutex_lock(&s->lock);
	if (s->running) {
		halt(s);
		virtio_broken(s->v, "the kernel cannot follow its rings");
	}
	pthread_mutex_unlock(&s->lock);
}

static uint32_t vsock_config(void *ctx, unsigned off, unsigned width)
{
	const struct vsock *s = ctx;
	uint8_t bytes[sizeof(struct virtio_vsock_config)];

	store_le(bytes, sizeof(bytes), s->cid);
	return range_inside(off, width, sizeof(bytes))
	               ? (uint32_t)load_le(bytes + off, width)
	               : UINT32_MAX;
}

static void vsock_free(void *ctx)
{
	struct vsock *s = ctx;

	halt(s);
	vhost_close(&s->vhost);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static const struct virtio_ops ops = {
	.start = vsock_start,
	.stop = vsock_stop,
	.config_read = vsock_config,
	.free = vsock_free,
};

static int take_cid(const struct vsock *s, struct diag *d)
{
	int r = ioctl(s->vhost.fd, VHOST_VSOCK_SET_GUEST_CID, &s->cid) < 0
	                ? -errno
	                : 0;

	if (r == 0)
		return 0;
	diag_fail(d, r, FL_VMM_VHOST, "vsock: context id %llu",
	          (unsigned long long)s->cid);
	diag_why(d, "%s",
	         r == -EADDRINUSE ? "another guest has it" : strerror(-r));
	diag_mend(d, "another cid in the policy: 3 and up, each of one guest");
	return r;
}

static int describe(struct vm *vm, struct vsock *s, uint8_t slot,
                    struct diag *d)
{
	const struct virtio_desc desc = {
		.name = "vsock",
		.slot = slot,
		.id = VIRTIO_ID_VSOCK_,
		.class = CLASS,
		.features =
			s->vhost.features & VIRTIO_F(VIRTIO_VSOCK_F_SEQPACKET),
		.without = vhost_without(&s->vhost),
		.queues = QUEUES,
		.queue_size = RING,
		.config_len = sizeof(struct virtio_vsock_config),
		.ops = &ops,
		.ctx = s,
	};

	return virtio_add(vm, &desc, &s->v, d);
}

int vsock_add(struct vm *vm, const struct vm_vsock *c, struct diag *d)
{
	struct vsock *s = calloc(1, sizeof(*s));
	int r;

	if (!s) {
		diag_fail(d, -ENOMEM, FL_VMM_MEMORY, "vsock");
		diag_why(d, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	pthread_mutex_init(&s->lock, NULL);
	s->cid = c->cid;
	r = vhost_open(&s->vhost, vm, c->fd, "vsock", d);
	s->vhost.broken = vsock_broken;
	s->vhost.ctx = s;
	if (r == 0)
		r = take_cid(s, d);
	if (r == 0)
		r = describe(vm, s, c->slot, d);
	if (r < 0)
		vsock_free(s);
	return r;
}
