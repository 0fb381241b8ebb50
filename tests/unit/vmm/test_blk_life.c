/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A disk: what is durable when, a full queue, and resets in the midst of it:
 * nothing goes into a ring that was reset. */
#include "blk_rig.h"

#define WCE offsetof(struct virtio_blk_config, wce)

static void set_wce(struct rig *r, uint8_t on)
{
	r->v->desc.ops->config_write(r->v->desc.ctx, WCE, 1, on);
}

/* The driver turns the cache off; without FLUSH there never was one. */
static void write_through(void **state)
{
	struct rig *r = *state;

	begin(r);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 512), 0);
	set_wce(r, 0);
	assert_int_equal(CONFIG(r, wce), 0);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 512), 0);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 512), 0);
	assert_int_equal(ask(r, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), 0);
	r->v->desc.ops->config_write(r->v->desc.ctx, WCE, 4, 1);
	assert_int_equal(CONFIG(r, wce), 0);
	r->v->desc.ops->config_write(r->v->desc.ctx, 0, 1, 1);
	assert_int_equal(config(r, 0, 4), DISK / 512);
	stop(r);
	start(r, VIRTIO_F(VIRTIO_BLK_F_FLUSH));
	assert_int_equal(CONFIG(r, wce), 0);
}

/* Bus master off and on is no reset, with nothing under way either. */
static void stays_write_through(void **state)
{
	struct rig *r = *state;

	begin(r);
	set_wce(r, 0);
	stop(r);
	r->v->desc.ops->start(r->v->desc.ctx, r->v->desc.features);
	assert_int_equal(CONFIG(r, wce), 0);
	stop(r);
	start(r, 0);
	assert_int_equal(CONFIG(r, wce), 1);
}

/* What was written before comes along: struct blk.epoch. */
static void nothing_stays_behind(void **state)
{
	struct rig *r = *state;
	const struct blk *b;

	begin(r);
	b = r->v->desc.ctx;
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 512), 0);
	set_wce(r, 0);
	assert_int_not_equal(b->synced, b->epoch);
	assert_int_equal(ask(r, VIRTIO_BLK_T_IN, 0, r->mem, 512), 0);
	assert_int_not_equal(b->synced, b->epoch);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 512), 0);
	assert_int_equal(b->synced, b->epoch);
}

/* A write of `len` bytes, begun, that the test holds by itself. */
static struct blk_request *under_way(struct rig *r, uint32_t len)
{
	struct blk *b = r->v->desc.ctx;
	struct blk_request *q = &b->request[b->used++];

	q->chain = offer(r, VIRTIO_BLK_T_OUT, 0, r->mem, len)->c;
	r->v->next++; /* taken */
	assert_int_equal(blk_parse(&b->back, q), VIRTIO_BLK_S_OK);
	assert_int_equal(blk_begin(b, q), BLK_UNDER_WAY);
	return q;
}

/* What the kernel has done of a request that the test holds by itself. */
static void completes(struct rig *r, struct blk_request *q, int res)
{
	uring_submit(r->vm.uring);
	assert_true(uring_drain(r->vm.uring, 0, 10000));
	assert_ptr_equal(uring_take(r->vm.uring, 0), &q->op);
	if (res)
		q->op.res = res;
}

/* The first part of a write was under way when the driver turned the cache off,
 * and another request's fdatasync may have come too early for it. */
static void every_part_is_durable(void **state)
{
	struct rig *r = *state;
	struct blk_request *q;
	struct blk *b;

	begin(r);
	b = r->v->desc.ctx;
	q = under_way(r, 8192);
	set_wce(r, 0);
	b->synced = b->epoch;
	completes(r, q, 4096);
	assert_int_equal(blk_go_on(b, q), BLK_UNDER_WAY);
	assert_false(q->syncing);
	completes(r, q, 0);
	assert_int_equal(blk_go_on(b, q), BLK_UNDER_WAY);
	assert_true(q->syncing);
	completes(r, q, 0);
	assert_int_equal(blk_go_on(b, q), VIRTIO_BLK_S_OK);
}

/* The kernel tells of pages that it could not write once, then forgets. */
static void no_flush_after_one_that_failed(void **state)
{
	struct rig *r = *state;
	struct blk_request q = { .syncing = true, .type = VIRTIO_BLK_T_FLUSH };
	struct blk *b;

	begin(r);
	b = r->v->desc.ctx;
	q.op.res = -EIO;
	assert_int_equal(blk_go_on(b, &q), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(r, VIRTIO_BLK_T_FLUSH, 0, NULL, 0),
	                 VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 512), 0);
	set_wce(r, 0);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 512),
	                 VIRTIO_BLK_S_IOERR);
}

/* A write with RWF_DSYNC may be who is told, of what was written before. */
static void no_sync_after_a_write_that_failed(void **state)
{
	struct rig *r = *state;
	struct blk_request *q;
	struct blk *b;

	begin(r);
	b = r->v->desc.ctx;
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 512), 0);
	set_wce(r, 0);
	q = under_way(r, 512);
	completes(r, q, -EIO);
	assert_int_equal(blk_go_on(b, q), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 0, r->mem, 512), 1);
	assert_int_equal(ask(r, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), 1);
}

/* Repeated, but not for ever. */
static void interrupted(void **state)
{
	struct rig *r = *state;
	struct blk_request q = { .syncing = true, .type = VIRTIO_BLK_T_FLUSH };
	struct blk *b;

	begin(r);
	b = r->v->desc.ctx;
	q.op.res = -EINTR;
	assert_int_equal(blk_go_on(b, &q), BLK_UNDER_WAY);
	completes(r, &q, 0);
	assert_int_equal(blk_go_on(b, &q), VIRTIO_BLK_S_OK);
	q.tries = 100;
	q.op.res = -EINTR;
	assert_int_equal(blk_go_on(b, &q), VIRTIO_BLK_S_IOERR);
}

/* More than fit: those beyond wait in the queue, and all of them end. */
static void a_full_queue(void **state)
{
	struct rig *r = *state;
	uint8_t *back = r->mem + DISK / 2;

	begin(r);
	fill(r->mem, CHAINS / 2 * 4096, 9);
	for (unsigned i = 0; i < CHAINS / 2; i++)
		offer(r, VIRTIO_BLK_T_OUT, i * 8, r->mem + i * 4096u, 4096);
	kick(r);
	for (unsigned i = 0; i < CHAINS / 2; i++)
		wait_for(r, &r->v->chain[i]);
	for (unsigned i = 0; i < CHAINS / 2; i++)
		offer(r, VIRTIO_BLK_T_IN, i * 8, back + i * 4096u, 4096);
	kick(r);
	for (unsigned i = 0; i < CHAINS; i++)
		wait_for(r, &r->v->chain[i]);
	for (unsigned i = 0; i < CHAINS; i++)
		assert_int_equal(r->v->chain[i].status, 0);
	assert_memory_equal(back, r->mem, CHAINS / 2 * 4096);
	assert_true(r->v->interrupts < CHAINS);
}

static void offer_many(struct rig *r)
{
	forget_chains(r);
	for (unsigned i = 0; i < CHAINS; i++)
		offer(r, i % 3 ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_FLUSH, i * 8,
		      r->mem + i * 4096u, i % 3 ? 4096 : 0);
}

/* Nothing is written to guest memory, nor pushed, after stop(). */
static void reset_in_mid_transfer(void **state)
{
	struct rig *r = *state;
	unsigned pushed;

	begin(r);
	for (unsigned round = 0; round < 20; round++) {
		offer_many(r);
		kick(r);
		if (round % 2)
			kick(r);
		stop(r);
		pushed = r->v->pushed;
		kick(r);
		for (unsigned i = 0; i < 4; i++)
			turn(&r->io);
		assert_int_equal(r->v->pushed, pushed);
		start(r, 0);
	}
	forget_chains(r);
	assert_int_equal(ask(r, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), 0);
}

/* Bus master off and on again: nothing is lost, nothing ends twice. */
static void goes_on_where_it_was(void **state)
{
	struct rig *r = *state;

	begin(r);
	for (unsigned round = 0; round < 20; round++) {
		offer_many(r);
		kick(r);
		stop(r);
		turn(&r->io);
		r->v->desc.ops->start(r->v->desc.ctx, r->v->desc.features);
		kick(r);
		for (unsigned i = 0; i < CHAINS; i++)
			wait_for(r, &r->v->chain[i]);
		for (unsigned i = 0; i < CHAINS; i++)
			assert_int_equal(r->v->chain[i].status, 0);
		assert_int_equal(r->v->q.inflight, 0);
	}
}

/* O_DIRECT: whatever the buffers' alignment, if the file takes it at all. */
static void direct(void **state)
{
	struct rig *r = *state;
	char path[] = "/var/tmp/fl-blk-XXXXXX";
	uint8_t *back = r->mem + MIB;
	int fd = mkostemp(path, O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		skip();
	unlink(path);
	assert_int_equal(ftruncate(fd, DISK), 0);
	close(r->fd);
	disk(r)->fd = r->fd = fd;
	disk(r)->direct = true;
	begin(r);
	fill(r->mem, MIB, 4);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 8, r->mem, 300 << 10), 0);
	assert_int_equal(ask(r, VIRTIO_BLK_T_OUT, 1024, r->mem + 3, 300 << 10),
	                 0);
	assert_int_equal(ask(r, VIRTIO_BLK_T_IN, 8, back + 5, 300 << 10), 0);
	assert_memory_equal(back + 5, r->mem, 300 << 10);
	assert_int_equal(ask(r, VIRTIO_BLK_T_IN, 1025, back + 5, 3072), 0);
	assert_memory_equal(back + 5, r->mem + 3 + 512, 3072);
	assert_int_equal(ask(r, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(write_through),
		TEST(stays_write_through),
		TEST(nothing_stays_behind),
		TEST(every_part_is_durable),
		TEST(no_flush_after_one_that_failed),
		TEST(no_sync_after_a_write_that_failed),
		TEST(interrupted),
		TEST(a_full_queue),
		TEST(reset_in_mid_transfer),
		TEST(goes_on_where_it_was),
		TEST(direct),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
