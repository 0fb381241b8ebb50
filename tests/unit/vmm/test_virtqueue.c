/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rings of both kinds: what a driver adds is what the device gets, once and in
 * order; what the device uses is what the driver gets back. Each test runs for
 * every kind. What a chain may be is test_virtqueue_chain.c's.
 */

#include "virtqueue_rig.h"

static const struct drv_buf two[] = {
	{ DRV_DATA, 16, false },
	{ DRV_DATA + 0x100, 64, true },
};

static void use(struct rig *r, uint16_t id, uint32_t len)
{
	struct drv_used u;

	vq_push(&r->q, &r->c, len);
	assert_true(drv_used(&r->g, &u));
	assert_int_equal(u.id, id);
	assert_int_equal(u.len, len);
	assert_int_equal(u.wrote, len != 0);
	assert_false(drv_used(&r->g, &u));
}

/* Sizes that do and do not divide the number of entries; many laps. */
static void around(struct rig *r, uint16_t size, unsigned how, unsigned laps)
{
	for (unsigned i = 0; i < laps; i++) {
		int id = drv_add(&r->g, two, 2, how);

		assert_true(id >= 0);
		assert_int_equal(vq_pop(&r->q, &r->c), 1);
		assert_int_equal(r->c.n_out, 1);
		assert_int_equal(r->c.n_in, 1);
		assert_int_equal(r->c.out_len, 16);
		assert_int_equal(r->c.in_len, 64);
		assert_ptr_equal(r->c.iov[0].iov_base,
		                 drv_ram(&r->m.vm, DRV_DATA));
		assert_ptr_equal(r->c.iov[1].iov_base,
		                 drv_ram(&r->m.vm, DRV_DATA + 0x100));
		assert_int_equal(vq_pop(&r->q, &r->c), 0);
		use(r, (uint16_t)id, i % 3 ? i % 65 : 0);
	}
	assert_int_equal(r->q.inflight, 0);
	assert_int_equal(r->g.free, size);
}

static void chains_go_around(void **state)
{
	struct rig *r = *state;

	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		begin(r, 8, kinds[k]);
		around(r, 8, 0, 40);
		around(r, 8, DRV_INDIRECT, 40);
		begin(r, 256, kinds[k]);
		around(r, 256, 0, 1000);
	}
	begin(r, 5, F_PACKED | F_INDIRECT);
	around(r, 5, 0, 50);
	begin(r, 7, F_PACKED | F_INDIRECT | F_EVENT_IDX);
	around(r, 7, DRV_INDIRECT, 50);
}

/* The 16-bit index of a split ring wraps. */
static void index_wraps(void **state)
{
	struct rig *r = *state;

	begin(r, 4, F_INDIRECT | F_EVENT_IDX);
	around(r, 4, 0, 70000);
	begin(r, 1, F_INDIRECT | F_PACKED);
	around(r, 1, DRV_INDIRECT, 10);
}

static void full_ring(void **state)
{
	struct rig *r = *state;
	struct vq_chain all[8];
	struct drv_used u;

	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		begin(r, 8, kinds[k]);
		for (unsigned lap = 0; lap < 5; lap++) {
			for (unsigned i = 0; i < 8; i++)
				assert_true(drv_add(&r->g, two, 1, 0) >= 0);
			assert_int_equal(drv_add(&r->g, two, 1, 0), -1);
			for (unsigned i = 0; i < 8; i++)
				assert_int_equal(vq_pop(&r->q, &all[i]), 1);
			assert_int_equal(vq_pop(&r->q, &r->c), 0);
			/* Backwards: completion is in any order. */
			for (unsigned i = 8; i-- > 0;)
				vq_push(&r->q, &all[i], i);
			for (unsigned i = 8; i-- > 0;) {
				assert_true(drv_used(&r->g, &u));
				assert_int_equal(u.id, all[i].id);
				assert_int_equal(u.len, i);
			}
		}
	}
}

static void unpop_gives_it_back(void **state)
{
	struct rig *r = *state;
	struct vq_chain again;

	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		begin(r, 4, kinds[k]);
		for (unsigned i = 0; i < 9; i++) {
			int id = drv_add(&r->g, two, 2, i & 1);

			assert_int_equal(vq_pop(&r->q, &r->c), 1);
			vq_unpop(&r->q, &r->c);
			assert_true(vq_arm(&r->q));
			assert_int_equal(vq_pop(&r->q, &again), 1);
			assert_int_equal(again.id, r->c.id);
			assert_int_equal(again.descs, r->c.descs);
			assert_int_equal(vq_pop(&r->q, &r->c), 0);
			r->c = again;
			use(r, (uint16_t)id, 1);
		}
	}
}

/* Nothing is seen before the flush, then everything. */
static void pushed_together(void **state)
{
	struct rig *r = *state;
	struct vq_chain c[3];
	struct drv_used u;

	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		begin(r, 8, kinds[k]);
		for (unsigned lap = 0; lap < 7; lap++) {
			for (unsigned i = 0; i < 3; i++) {
				drv_add(&r->g, two, 2, i == 1);
				assert_int_equal(vq_pop(&r->q, &c[i]), 1);
			}
			for (unsigned i = 0; i < 3; i++) {
				vq_push_more(&r->q, &c[i], i + 1);
				assert_false(drv_used(&r->g, &u));
			}
			vq_push_flush(&r->q);
			for (unsigned i = 0; i < 3; i++) {
				assert_true(drv_used(&r->g, &u));
				assert_int_equal(u.id, c[i].id);
				assert_int_equal(u.len, i + 1);
			}
			assert_false(drv_used(&r->g, &u));
			vq_push_flush(&r->q); /* nothing to do */
			assert_false(drv_used(&r->g, &u));
		}
		assert_int_equal(r->q.inflight, 0);
	}
}

static void hidden_until_whole(void **state)
{
	struct rig *r = *state;

	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		begin(r, 8, kinds[k]);
		drv_add(&r->g, two, 2, DRV_HIDDEN);
		assert_int_equal(vq_pop(&r->q, &r->c), 0);
		assert_false(vq_arm(&r->q));
		drv_add(&r->g, two, 2, 0);
		assert_int_equal(vq_pop(&r->q, &r->c), 1);
		assert_int_equal(vq_pop(&r->q, &r->c), 1);
		assert_int_equal(vq_pop(&r->q, &r->c), 0);
	}
}

/* ---- events -------------------------------------------------------------- */

static void take_one(struct rig *r)
{
	assert_true(drv_add(&r->g, two, 1, 0) >= 0);
	assert_int_equal(vq_pop(&r->q, &r->c), 1);
	vq_push(&r->q, &r->c, 0);
}

static void collect(struct rig *r)
{
	struct drv_used u;

	while (drv_used(&r->g, &u))
		;
}

static void interrupts_wanted(void **state)
{
	struct rig *r = *state;

	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		begin(r, 8, kinds[k]);
		for (unsigned i = 0; i < 40; i++) {
			drv_interrupts(&r->g, i & 1);
			take_one(r);
			assert_int_equal(vq_wants_interrupt(&r->q), i & 1);
			collect(r);
		}
	}
}

/* An event index names one entry: the push that passes it interrupts, once,
 * also when the push is one of a burst, and at each place of the ring. */
static void interrupt_index(void **state)
{
	struct rig *r = *state;

	for (unsigned k = 1; k < ARRAY_SIZE(kinds); k += 2) {
		begin(r, 8, kinds[k]);
		for (unsigned i = 0; i < 60; i++) {
			unsigned after = i % 5;

			drv_interrupt_at_next(&r->g, (uint16_t)after);
			for (unsigned n = 0; n < 6; n++) {
				take_one(r);
				assert_int_equal(vq_wants_interrupt(&r->q),
				                 n == after);
			}
			collect(r);
			drv_interrupt_at_next(&r->g, (uint16_t)after);
			for (unsigned n = 0; n < 6; n++)
				take_one(r);
			assert_true(vq_wants_interrupt(&r->q));
			assert_false(vq_wants_interrupt(&r->q));
			collect(r);
		}
	}
}

static void kicks(void **state)
{
	struct rig *r = *state;

	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		begin(r, 8, kinds[k]);
		drv_add(&r->g, two, 1, 0);
		assert_true(drv_wants_kick(&r->g)); /* as after reset */
		for (unsigned i = 0; i < 40; i++) {
			vq_disarm(&r->q);
			assert_int_equal(vq_pop(&r->q, &r->c), 1);
			drv_add(&r->g, two, 1, 0);
			/* Of a split ring's index only the first kick is
			 * promised not to come. */
			assert_int_equal(drv_wants_kick(&r->g), false);
			vq_push(&r->q, &r->c, 0);
			assert_true(vq_arm(&r->q));
			assert_int_equal(vq_pop(&r->q, &r->c), 1);
			vq_push(&r->q, &r->c, 0);
			assert_false(vq_arm(&r->q));
			drv_add(&r->g, two, 1, 0);
			assert_true(drv_wants_kick(&r->g));
			collect(r);
		}
	}
}

/* ---- anything at all ----------------------------------------------------- */

struct model {
	struct {
		uint16_t id;
		uint32_t out, in;
	} added[64], out[64];
	struct vq_chain chain[64];
	unsigned n_added, n_out;
	uint32_t used[64]; /* by id: length + 1 */
	unsigned n_used;
};

static unsigned roll(uint64_t *seed, unsigned n)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(*seed >> 33) % n;
}

static void do_add(struct rig *r, struct model *m, uint64_t *seed)
{
	struct drv_buf b[5];
	unsigned n = 1 + roll(seed, 5), out = roll(seed, n + 1);
	uint32_t len[2] = { 0, 0 };
	int id;

	for (unsigned i = 0; i < n; i++) {
		b[i] = (struct drv_buf){ DRV_DATA + roll(seed, 4096),
			                 1 + roll(seed, 300), i >= out };
		len[b[i].write] += b[i].len;
	}
	id = drv_add(&r->g, b, n, roll(seed, 3) ? 0 : DRV_INDIRECT);
	if (id < 0)
		return;
	m->added[m->n_added].id = (uint16_t)id;
	m->added[m->n_added].out = len[0];
	m->added[m->n_added++].in = len[1];
}

static void do_pop(struct rig *r, struct model *m)
{
	struct vq_chain *c = &m->chain[m->n_out];

	assert_int_equal(vq_pop(&r->q, c), m->n_added != 0);
	if (!m->n_added)
		return;
	assert_int_equal(c->id, m->added[0].id);
	assert_int_equal(c->out_len, m->added[0].out);
	assert_int_equal(c->in_len, m->added[0].in);
	m->n_added--;
	memmove(m->added, m->added + 1, m->n_added * sizeof(*m->added));
	m->n_out++;
}

static void do_push(struct rig *r, struct model *m, uint64_t *seed)
{
	unsigned some = 1 + roll(seed, 3), n = MIN(m->n_out, some);

	for (unsigned i = 0; i < n; i++) {
		unsigned k = roll(seed, m->n_out);
		uint32_t len = roll(seed, m->chain[k].in_len + 1);

		vq_push_more(&r->q, &m->chain[k], len);
		m->used[m->chain[k].id] = len + 1;
		m->n_used++;
		m->chain[k] = m->chain[--m->n_out];
	}
	vq_push_flush(&r->q);
}

static void do_used(struct rig *r, struct model *m)
{
	struct drv_used u;

	assert_int_equal(drv_used(&r->g, &u), m->n_used != 0);
	if (!m->n_used)
		return;
	assert_int_equal(u.len + 1, m->used[u.id]);
	m->used[u.id] = 0;
	m->n_used--;
}

static void traffic(struct rig *r, uint16_t size, uint64_t features,
                    uint64_t seed)
{
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	begin(r, size, features);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned what = roll(&seed, 5);

		if (what == 0)
			do_add(r, m, &seed);
		else if (what == 1)
			do_pop(r, m);
		else if (what == 2)
			do_push(r, m, &seed);
		else if (what == 3)
			do_used(r, m);
		else
			assert_int_equal(vq_arm(&r->q), m->n_added != 0);
		assert_true(r->q.inflight <= size);
	}
	free(m);
}

static void random_traffic(void **state)
{
	struct rig *r = *state;

	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++)
		for (uint64_t seed = 1; seed <= 5; seed++) {
			traffic(r, 8, kinds[k], seed);
			traffic(r, 64, kinds[k], seed);
			if (kinds[k] & F_PACKED)
				traffic(r, 13, kinds[k], seed);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(chains_go_around),
		TEST(index_wraps),
		TEST(full_ring),
		TEST(unpop_gives_it_back),
		TEST(pushed_together),
		TEST(hidden_until_whole),
		TEST(interrupts_wanted),
		TEST(interrupt_index),
		TEST(kicks),
		TEST(random_traffic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
