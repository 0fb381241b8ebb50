/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The entropy device, virtio 1.2 5.4: the host's random bytes, straight into
 * the guest's buffers.
 *
 * A buffer gets CHUNK bytes at most (5.4.6.1 asks for one), and a turn serves
 * IO_BURST of them, so a guest that asks without end has the loop for about a
 * tenth of a millisecond, and others then have theirs.
 */

#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "vmm/devices.h"
#include "vmm/virtio/virtio.h"

#define CHUNK 1024u
#define QUEUE_SIZE 64
#define CLASS 0xff0000u /* PCI: no class fits */

struct rng {
	struct virtio *v;
	pthread_mutex_t lock;
	bool running;
	struct vq_chain chain;
};

/* -1 = the kernel has none, which it does not say after its boot. */
static ssize_t fill(const struct vq_chain *c)
{
	size_t done = 0;

	for (unsigned i = 0; i < c->n_in && done < CHUNK; i++) {
		const struct iovec *v = &c->iov[c->n_out + i];
		size_t n = MIN(v->iov_len, CHUNK - done);
		ssize_t r = getrandom(v->iov_base, n, 0);

		if (r < 0)
			return done ? (ssize_t)done : -1;
		done += (size_t)r;
		if ((size_t)r < n)
			break;
	}
	return (ssize_t)done;
}

/* As vq_pop(). */
static int serve_one(struct rng *g, struct vq *q)
{
	int r = vq_pop(q, &g->chain);
	ssize_t n;

	if (r <= 0)
		return r;
	n = fill(&g->chain);
	if (n < 0) {
		virtio_broken(g->v, "the host has no random bytes");
		return -EIO;
	}
	vq_push(q, &g->chain, (uint32_t)n);
	return 1;
}

static void serve(struct rng *g)
{
	struct vq *q = virtio_queue(g->v, 0);
	unsigned done = 0;
	int r = 1;

	vq_disarm(q);
	while (r > 0 && done < IO_BURST) {
		r = serve_one(g, q);
		if (r > 0)
			done++;
		else if (r == 0 && vq_arm(q))
			r = 1;
	}
	if (done)
		virtio_interrupt(g->v, 0);
	if (r > 0)
		virtio_again(g->v, 0);
	else if (r == -EPROTO)
		virtio_broken(g->v, "a request that breaks the rules");
}

static void kick(void *ctx, unsigned i)
{
	struct rng *g = ctx;

	(void)i;
	pthread_mutex_lock(&g->lock);
	if (g->running)
		serve(g);
	pthread_mutex_unlock(&g->lock);
}

static void set_running(struct rng *g, bool to)
{
	pthread_mutex_lock(&g->lock);
	g->running = to;
	pthread_mutex_unlock(&g->lock);
}

static int start(void *ctx, uint64_t features)
{
	(void)features;
	set_running(ctx, true);
	return 0;
}

static void stop(void *ctx)
{
	set_running(ctx, false);
}

static void free_rng(void *ctx)
{
	struct rng *g = ctx;

	pthread_mutex_destroy(&g->lock);
	free(g);
}

static const struct virtio_ops ops = {
	.start = start,
	.stop = stop,
	.kick = kick,
	.free = free_rng,
};

int rng_add(struct vm *vm, uint8_t slot, struct diag *d)
{
	struct virtio_desc desc = {
		.name = "rng",
		.slot = slot,
		.id = VIRTIO_ID_RNG_,
		.class = CLASS,
		.queues = 1,
		.queue_size = QUEUE_SIZE,
		.ops = &ops,
	};
	struct rng *g = calloc(1, sizeof(*g));
	int r;

	if (!g) {
		diag_fail(d, -ENOMEM, FL_VMM_MEMORY, "the device \"rng\"");
		diag_why(d, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	pthread_mutex_init(&g->lock, NULL);
	desc.ctx = g;
	r = virtio_add(vm, &desc, &g->v, d);
	if (r < 0)
		free_rng(g);
	return r;
}
