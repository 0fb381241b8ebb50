/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The console device, virtio 1.2 5.3, with its one port: what the guest writes
 * goes where its serial line's output goes, and input comes to the port that
 * the guest wrote to last (console.c).
 *
 * Output is copied, TURN bytes a turn: a chain may be as long as the guest's
 * memory. A chain that is not through waits in `out`; one for input, of which
 * the main thread asks how much there is room for, in `in`.
 *
 * Threads: the loop's (kicks) and the main thread (input), under `lock`.
 */

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "vmm/devices.h"
#include "vmm/virtio/virtio.h"

#define QUEUE_SIZE 128
#define CLASS 0x078000u /* communication, other */
#define CONFIG_LEN 12   /* 5.3.4: sizes and ports, none offered */
#define TURN 16384u
#define PIECE 1024u

enum {
	RX,
	TX,
	QUEUES,
};

struct held {
	struct vq_chain chain;
	size_t at; /* of its bytes: done */
	bool is;   /* there is one */
};

struct vconsole {
	struct vm *vm;
	struct virtio *v;
	pthread_mutex_t lock;
	bool running;
	struct held in, out;
};

/* As vq_pop(), but for what is held already. */
static int hold(struct vconsole *c, unsigned i, struct held *h)
{
	int r = 1;

	if (!h->is)
		r = vq_pop(virtio_queue(c->v, i), &h->chain);
	if (r == 0 && vq_arm(virtio_queue(c->v, i)))
		r = vq_pop(virtio_queue(c->v, i), &h->chain);
	if (r < 0) {
		virtio_broken(c->v, "a buffer that breaks the rules");
		c->running = false;
	}
	if (r > 0 && !h->is)
		h->at = 0;
	h->is = r > 0;
	return r;
}

static void give_back(struct vconsole *c, unsigned i, struct held *h,
                      uint32_t len)
{
	vq_push(virtio_queue(c->v, i), &h->chain, len);
	h->is = false;
}

/* ---- output -------------------------------------------------------------- */

/* Bytes of the chain that were written, TURN at most. */
static size_t write_some(struct vconsole *c)
{
	struct held *h = &c->out;
	uint8_t buf[PIECE];
	size_t done = 0, n;

	while (done < TURN) {
		n = vq_copy_out(&h->chain, h->at, buf, sizeof(buf));
		if (!n)
			break;
		console_output_second(c->vm->console, buf, n);
		h->at += n;
		done += n;
	}
	return done;
}

static void transmit(struct vconsole *c)
{
	struct vq *q = virtio_queue(c->v, TX);
	unsigned chains = 0;
	size_t done = 0;
	int r = 1;

	vq_disarm(q);
	while (done < TURN && chains < IO_BURST) {
		r = hold(c, TX, &c->out);
		if (r <= 0)
			break;
		done += write_some(c);
		if (c->out.at < c->out.chain.out_len)
			break;
		give_back(c, TX, &c->out, 0);
		chains++;
	}
	if (chains)
		virtio_interrupt(c->v, TX);
	if (r > 0)
		virtio_again(c->v, TX);
}

/* ---- input --------------------------------------------------------------- */

size_t vconsole_room(struct vconsole *c)
{
	size_t room = 0;

	pthread_mutex_lock(&c->lock);
	if (c->running && hold(c, RX, &c->in) > 0)
		room = c->in.chain.in_len;
	pthread_mutex_unlock(&c->lock);
	return room;
}

/* A buffer is given back with what there is: nobody waits for a full one. */
size_t vconsole_input(struct vconsole *c, const uint8_t *buf, size_t len)
{
	size_t done = 0;

	pthread_mutex_lock(&c->lock);
	for (unsigned i = 0; i < IO_BURST && done < len; i++) {
		size_t n;

		if (!c->running || hold(c, RX, &c->in) <= 0)
			break;
		n = vq_copy_in(&c->in.chain, 0, buf + done, len - done);
		give_back(c, RX, &c->in, (uint32_t)n);
		done += n;
	}
	if (done)
		virtio_interrupt(c->v, RX);
	pthread_mutex_unlock(&c->lock);
	return done;
}

/* ---- virtio.h ------------------------------------------------------------ */

static void kick(void *ctx, unsigned i)
{
	struct vconsole *c = ctx;
	uint64_t one = 1;

	pthread_mutex_lock(&c->lock);
	if (c->running && i == TX)
		transmit(c);
	pthread_mutex_unlock(&c->lock);
	/* The main thread stopped reading when there was no room. */
	if (i == RX)
		(void)!write(c->vm->event_fd, &one, sizeof(one));
}

static int start(void *ctx, uint64_t features)
{
	struct vconsole *c = ctx;

	(void)features;
	if (!virtio_queue(c->v, RX)->ready || !virtio_queue(c->v, TX)->ready)
		return -EINVAL;
	pthread_mutex_lock(&c->lock);
	c->running = true;
	pthread_mutex_unlock(&c->lock);
	return 0;
}

static void let_go(struct vconsole *c, unsigned i, struct held *h)
{
	if (h->is)
		vq_unpop(virtio_queue(c->v, i), &h->chain);
	h->is = false;
}

/* What is held goes back to the ring, for a stop that is no reset. */
static void stop(void *ctx)
{
	struct vconsole *c = ctx;

	pthread_mutex_lock(&c->lock);
	c->running = false;
	let_go(c, RX, &c->in);
	let_go(c, TX, &c->out);
	pthread_mutex_unlock(&c->lock);
	if (c->vm->console)
		console_second_gone(c->vm->console);
}

static uint32_t config_read(void *ctx, unsigned off, unsigned width)
{
	(void)ctx;
	(void)off;
	(void)width;
	return 0;
}

static void free_vconsole(void *ctx)
{
	struct vconsole *c = ctx;

	c->vm->vconsole = NULL;
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static const struct virtio_ops ops = {
	.start = start,
	.stop = stop,
	.config_read = config_read,
	.kick = kick,
	.free = free_vconsole,
};

int vconsole_add(struct vm *vm, uint8_t slot, struct diag *d)
{
	struct virtio_desc desc = {
		.name = "console",
		.slot = slot,
		.id = VIRTIO_ID_CONSOLE_,
		.class = CLASS,
		.queues = QUEUES,
		.queue_size = QUEUE_SIZE,
		.config_len = CONFIG_LEN,
		.ops = &ops,
	};
	struct vconsole *c = calloc(1, sizeof(*c));
	int r;

	if (!c) {
		diag_fail(d, -ENOMEM, FL_VMM_MEMORY, "the device \"console\"");
		diag_why(d, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	c->vm = vm;
	pthread_mutex_init(&c->lock, NULL);
	desc.ctx = c;
	r = virtio_add(vm, &desc, &c->v, d);
	if (r < 0)
		free_vconsole(c);
	else
		vm->vconsole = c;
	return r;
}
