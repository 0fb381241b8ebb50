/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk: virtio 1.2 5.2 over a raw image or a block device.
 *
 * A kick takes what is in the queue, up to a burst, into requests, and submits
 * all of it with one system call; completions come in the data path's loop, in
 * any order. At most URING_DEPTH requests are under way: what is beyond waits
 * in the guest's queue.
 *
 * Order of stop(): no chain is taken any more, and none returned; the kernel
 * gives back what it has, for it writes to guest memory. What has completed is
 * left with the ring. The next start() goes on from there (the bus master was
 * off for a while), with the cache as the driver has it; but a reset drops
 * them, and a driver that did not see its request end has no promise about it.
 */

#include <stdio.h>
#include <string.h>

#include "vmm/devices.h"
#include "vmm/virtio/blk.h"

#define CLASS_STORAGE 0x018000u /* mass storage, other */
#define SIZE_MAX_SEG (1u << 20)
#define SAY_NS 60000000000ull
#define DRAIN_SAY_MS 10000
#define CONFIG(field) offsetof(struct virtio_blk_config, field)

/* ---- configuration, 5.2.4 ------------------------------------------------ */

static void put(struct blk *b, size_t off, unsigned width, uint64_t v)
{
	store_le(b->config + off, width, v);
}

static void fill_topology(struct blk *b)
{
	const struct blk_backing *k = &b->back;
	unsigned exp = 0;

	while (k->logical << exp < k->physical)
		exp++;
	put(b, CONFIG(blk_size), 4, k->logical);
	put(b, CONFIG(physical_block_exp), 1, exp);
	put(b, CONFIG(alignment_offset), 1,
	    MIN(k->align_off / k->logical, UINT8_MAX));
	put(b, CONFIG(min_io_size), 2,
	    MIN(MAX(k->io_min, k->physical) / k->logical, UINT16_MAX));
	put(b, CONFIG(opt_io_size), 4, k->io_opt / k->logical);
}

static void fill_config(struct blk *b)
{
	uint32_t align = b->back.physical / BLK_SECTOR;

	put(b, CONFIG(capacity), 8, b->back.bytes / BLK_SECTOR);
	put(b, CONFIG(size_max), 4, SIZE_MAX_SEG);
	put(b, CONFIG(seg_max), 4, BLK_SEGS);
	fill_topology(b);
	put(b, CONFIG(wce), 1, 1);
	put(b, CONFIG(max_discard_sectors), 4, BLK_DISCARD_MAX);
	put(b, CONFIG(max_discard_seg), 4, BLK_RANGES_MAX);
	put(b, CONFIG(discard_sector_alignment), 4, align);
	put(b, CONFIG(max_write_zeroes_sectors), 4, BLK_ZEROES_MAX);
	put(b, CONFIG(max_write_zeroes_seg), 4, BLK_RANGES_MAX);
	put(b, CONFIG(write_zeroes_may_unmap), 1, 1);
}

static uint64_t features(const struct blk *b)
{
	uint64_t f = VIRTIO_F(VIRTIO_BLK_F_SIZE_MAX) |
	             VIRTIO_F(VIRTIO_BLK_F_SEG_MAX) |
	             VIRTIO_F(VIRTIO_BLK_F_BLK_SIZE) |
	             VIRTIO_F(VIRTIO_BLK_F_TOPOLOGY) |
	             VIRTIO_F(VIRTIO_BLK_F_FLUSH);

	if (b->back.read_only)
		return f | VIRTIO_F(VIRTIO_BLK_F_RO);
	if (b->back.punches)
		f |= VIRTIO_F(VIRTIO_BLK_F_DISCARD) |
		     VIRTIO_F(VIRTIO_BLK_F_WRITE_ZEROES);
	return f | VIRTIO_F(VIRTIO_BLK_F_CONFIG_WCE);
}

static uint32_t config_read(void *ctx, unsigned off, unsigned width)
{
	struct blk *b = ctx;

	if (!range_inside(off, width, sizeof(b->config)))
		return UINT32_MAX;
	return (uint32_t)load_le(b->config + off, width);
}

static void set_write_back(struct blk *b, bool on)
{
	if (b->write_back && !on)
		b->epoch++;
	b->write_back = on;
	b->config[CONFIG(wce)] = on;
}

/* 5.2.4: one byte of it is the driver's to write. */
static void config_write(void *ctx, unsigned off, unsigned width,
                         uint32_t value)
{
	struct blk *b = ctx;

	if (off != CONFIG(wce) || width != 1)
		return;
	pthread_mutex_lock(&b->lock);
	if (b->features & VIRTIO_F(VIRTIO_BLK_F_CONFIG_WCE))
		set_write_back(b, value & 1);
	pthread_mutex_unlock(&b->lock);
}

/* ---- requests, under the lock -------------------------------------------- */

static struct blk_request *get_request(struct blk *b)
{
	struct blk_request *r = b->free;

	if (r)
		b->free = r->next;
	else if (b->used < URING_DEPTH)
		r = &b->request[b->used++];
	return r;
}

static void put_request(struct blk *b, struct blk_request *r)
{
	blk_drop(r);
	r->next = b->free;
	b->free = r;
}

/* The length is of what was written from the begin on, 2.7.8.2: with data
 * missing the status is not part of that. */
static void end_request(struct blk *b, struct blk_request *r, int status)
{
	bool whole = status == VIRTIO_BLK_S_OK || r->type != VIRTIO_BLK_T_IN;

	blk_count(b, r, status);
	*(volatile uint8_t *)r->status = (uint8_t)status;
	vq_push(virtio_queue(b->v, 0), &r->chain, r->written + whole);
	put_request(b, r);
}

static void fresh(struct blk_request *r)
{
	r->written = 0;
	r->tries = 0;
	r->lazy = r->syncing = false;
	r->off = 0;
}

/* 1 = it is under way, 2 = it has ended, 0 = no chain, -EBUSY = no request to
 * take it with, -EBADMSG, -EPROTO: the guest broke it. */
static int take_one(struct blk *b, struct vq *q)
{
	struct blk_request *r = get_request(b);
	int s;

	if (!r)
		return -EBUSY;
	s = vq_pop(q, &r->chain);
	if (s > 0) {
		fresh(r);
		b->asked = true;
		s = blk_parse(&b->back, r);
		if (s == VIRTIO_BLK_S_OK)
			s = b->gone ? VIRTIO_BLK_S_IOERR : blk_begin(b, r);
		if (s == BLK_UNDER_WAY)
			return 1;
		if (s >= 0) {
			end_request(b, r, s);
			return 2;
		}
	}
	put_request(b, r);
	return s;
}

static void set_broken(struct blk *b, int err)
{
	b->broken = true;
	virtio_broken(b->v,
	              err == -EBADMSG
	                      ? "a request that has no whole header, or no "
	                        "place for a status"
	                      : "a queue that breaks the rules");
}

/* What is in the queue, up to a burst. True: something has ended. */
static bool serve_queue(struct blk *b)
{
	struct vq *q = virtio_queue(b->v, 0);
	bool ended = false;
	int r = 0;

	vq_disarm(q);
	for (unsigned n = 0; n < IO_BURST; n++) {
		r = take_one(b, q);
		ended |= r == 2;
		if (r == 0 && vq_arm(q)) {
			vq_disarm(q);
			r = 1;
		}
		if (r <= 0)
			break;
	}
	b->starved = r == -EBUSY;
	uring_submit(b->vm->uring);
	if (r > 0)
		io_again(b->vm->io, &b->again);
	else if (r < 0 && r != -EBUSY)
		set_broken(b, r);
	return ended;
}

static void serve(struct blk *b)
{
	pthread_mutex_lock(&b->lock);
	if (b->running && !b->broken && serve_queue(b))
		virtio_interrupt(b->v, 0);
	pthread_mutex_unlock(&b->lock);
	/* From the page cache it is there already: no other turn for it. */
	uring_serve(b->vm->uring);
}

static void kick(void *ctx, unsigned i)
{
	(void)i;
	serve(ctx);
}

static void on_again(void *ctx, uint32_t events)
{
	(void)events;
	serve(ctx);
}

/* ---- completions --------------------------------------------------------- */

/* True: something has ended. */
static bool go_on(struct blk *b, struct uring_op *op)
{
	struct blk_request *r = CONTAINER_OF(op, struct blk_request, op);
	int s = blk_go_on(b, r);

	if (s == BLK_UNDER_WAY)
		return false;
	end_request(b, r, s);
	return true;
}

static bool take_completed(struct blk *b)
{
	struct uring_op *op, *next;
	bool ended = false;

	while ((op = uring_take(b->vm->uring, b->disk)))
		for (; op; op = next) {
			next = op->next;
			ended |= go_on(b, op);
		}
	return ended;
}

static void completed(void *ctx)
{
	struct blk *b = ctx;
	bool ended;

	pthread_mutex_lock(&b->lock);
	if (b->running && !b->broken) {
		ended = take_completed(b);
		if (b->starved)
			ended |= serve_queue(b);
		else
			uring_submit(b->vm->uring);
		if (ended)
			virtio_interrupt(b->v, 0);
	}
	pthread_mutex_unlock(&b->lock);
}

/* ---- life ---------------------------------------------------------------- */

/* Of the life before. */
static void drop_completed(struct blk *b)
{
	struct uring_op *op = uring_take(b->vm->uring, b->disk), *next;

	for (; op; op = next) {
		next = op->next;
		put_request(b, CONTAINER_OF(op, struct blk_request, op));
	}
}

/* 5.2.5: without FLUSH the driver relies on a write that has ended. */
static int start(void *ctx, uint64_t f)
{
	struct blk *b = ctx;

	pthread_mutex_lock(&b->lock);
	if (b->fresh) {
		b->features = f;
		/* As whoever was here before may have had it. */
		b->write_back = true;
		set_write_back(b, f & VIRTIO_F(VIRTIO_BLK_F_FLUSH));
	}
	b->fresh = false;
	b->running = true;
	b->starved = false;
	pthread_mutex_unlock(&b->lock);
	return 0;
}

static void wait_for_kernel(struct blk *b)
{
	char text[VM_NAME + 96];

	if (uring_drain(b->vm->uring, b->disk, DRAIN_SAY_MS))
		return;
	snprintf(text, sizeof(text),
	         "disk %s: a reset waits for its storage, which has not "
	         "answered for 10 s",
	         b->cfg->name);
	loop_say(text);
	while (!uring_drain(b->vm->uring, b->disk, DRAIN_SAY_MS))
		;
}

static void stop(void *ctx)
{
	struct blk *b = ctx;

	pthread_mutex_lock(&b->lock);
	b->running = false;
	pthread_mutex_unlock(&b->lock);
	wait_for_kernel(b);
	io_del(b->vm->io, &b->again);
}

static void reset(void *ctx)
{
	struct blk *b = ctx;

	pthread_mutex_lock(&b->lock);
	drop_completed(b);
	b->broken = false;
	b->fresh = true;
	pthread_mutex_unlock(&b->lock);
}

/* What is under way ends as it ends, and its driver has the answer: Linux 6.12
 * waits for that, for ever, when a disk is pulled out. */
static enum own_left leave(void *ctx)
{
	struct blk *b = ctx;
	bool idle, asked;

	pthread_mutex_lock(&b->lock);
	b->gone = true;
	asked = b->asked;
	b->asked = false;
	idle = !b->running || b->broken || !virtio_queue(b->v, 0)->inflight;
	pthread_mutex_unlock(&b->lock);
	if (!idle || !uring_drain(b->vm->uring, b->disk, 0))
		return OWN_BUSY;
	return asked ? OWN_ASKED : OWN_QUIET;
}

static void blk_end(struct blk *b)
{
	pthread_mutex_destroy(&b->lock);
	for (unsigned i = 0; i < b->used; i++)
		blk_drop(&b->request[i]);
	free(b->request);
	free(b);
}

static void blk_free(void *ctx)
{
	struct blk *b = ctx;

	stop(b);
	uring_leave(b->vm, b->disk);
	blk_end(b);
}

static const struct virtio_ops ops = {
	.start = start,
	.stop = stop,
	.reset = reset,
	.config_read = config_read,
	.config_write = config_write,
	.counters = blk_counters,
	.free = blk_free,
	.leave = leave,
	.kick = kick,
};

static int publish(struct blk *b, struct diag *d)
{
	struct virtio_desc desc = {
		.slot = b->cfg->slot,
		.id = VIRTIO_ID_BLOCK_,
		.class = CLASS_STORAGE,
		.features = features(b),
		.queues = 1,
		.queue_size = BLK_QUEUE_SIZE,
		.config_len = sizeof(b->config),
		.ops = &ops,
		.ctx = b,
	};

	memcpy(desc.name, b->cfg->name, sizeof(desc.name));
	return virtio_add(b->vm, &desc, &b->v, d);
}

static void init(struct blk *b, struct vm *vm, const struct vm_disk *c)
{
	const char *id = c->serial[0] ? c->serial : c->name;

	b->vm = vm;
	b->cfg = c;
	b->disk = (unsigned)(c - vm->cfg.disk);
	b->say.interval_ns = SAY_NS;
	b->say.burst = 2;
	b->fresh = true;
	b->again.fd = -1;
	b->again.ready = on_again;
	b->again.ctx = b;
	memcpy(b->id, id, strnlen(id, sizeof(b->id)));
	pthread_mutex_init(&b->lock, NULL);
}

static int no_memory(const struct vm_disk *c, struct diag *d)
{
	diag_fail(d, -ENOMEM, FL_VMM_DISK, "disk %s", c->name);
	diag_why(d, "no memory for its requests");
	diag_mend(d, "more memory for the host");
	return -ENOMEM;
}

int blk_add(struct vm *vm, const struct vm_disk *c, struct diag *d)
{
	struct blk *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return no_memory(c, d);
	init(b, vm, c);
	r = blk_backing(c, &b->back, d);
	if (r == 0) {
		fill_config(b);
		/* Its pages come with the first use of each. */
		b->request = calloc(URING_DEPTH, sizeof(*b->request));
		r = b->request ? uring_join(vm, b->disk, completed, b, d)
		               : no_memory(c, d);
	}
	if (r < 0) {
		blk_end(b);
		return r;
	}
	r = publish(b, d);
	if (r < 0)
		blk_free(b);
	return r;
}
