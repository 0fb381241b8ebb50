/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rings of both kinds: what a driver adds is what the device gets, once and in
 * order; what the device uses is what the driver gets back. Each test of the
 * first group runs for every kind.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/vmm/virtio_driver.h"

#define F_INDIRECT VIRTIO_F(28)
#define F_EVENT_IDX VIRTIO_F(29)
#define F_PACKED VIRTIO_F(34)

static const uint64_t kinds[] = {
	F_INDIRECT,
	F_INDIRECT | F_EVENT_IDX,
	F_INDIRECT | F_PACKED,
	F_INDIRECT | F_PACKED | F_EVENT_IDX,
};

struct rig {
	struct drv_machine m;
	struct drv g;
	struct vq q;
	struct vq_chain c;
};

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	*state = r;
	return !r || drv_vm_init(&r->m) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	drv_vm_fini(&r->m);
	free(r);
	return 0;
}

static void begin(struct rig *r, uint16_t size, uint64_t features)
{
	drv_init(&r->g, &r->m.vm, size, features);
	assert_int_equal(vq_start(&r->q, &r->m.vm, &r->g.setup, features), 0);
}

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

/* ---- events ----------------------------------------------------------------
 */

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

/* ---- what a chain may be ---------------------------------------------------
 */

static void cut_at_the_hole(void **state)
{
	struct rig *r = *state;
	struct drv_buf b[] = {
		{ DRV_LOW_SIZE - 8, 8, false },
		{ DRV_HIGH + DRV_HIGH_SIZE - 1, 1, true },
	};

	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		begin(r, 8, kinds[k]);
		drv_add(&r->g, b, 2, 0);
		assert_int_equal(vq_pop(&r->q, &r->c), 1);
		for (unsigned i = 0; i < 2; i++) {
			struct drv_buf bad[2] = { b[0], b[1] };

			bad[i].len++;
			begin(r, 8, kinds[k]);
			drv_add(&r->g, bad, 2, 0);
			assert_int_equal(vq_pop(&r->q, &r->c), -EPROTO);
		}
	}
	/* Regions side by side: memory that was plugged in. */
	r->m.vm.mem.region[1].gpa.v = DRV_LOW_SIZE;
	b[0].len = 20;
	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		begin(r, 8, kinds[k]);
		drv_add(&r->g, b, 1, 0);
		assert_int_equal(vq_pop(&r->q, &r->c), 1);
		assert_int_equal(r->c.n_out, 2);
		assert_int_equal(r->c.iov[0].iov_len, 8);
		assert_int_equal(r->c.iov[1].iov_len, 12);
		assert_int_equal(r->c.out_len, 20);
	}
	r->m.vm.mem.region[1].gpa.v = DRV_HIGH;
}

static void bad_buffers(void **state)
{
	static const struct drv_buf bad[][2] = {
		{ { DRV_LOW_SIZE, 1, false }, { DRV_DATA, 1, true } },
		{ { DRV_HIGH - 1, 2, false }, { DRV_DATA, 1, true } },
		{ { UINT64_MAX, 2, false }, { DRV_DATA, 1, true } },
		{ { UINT64_MAX - 7, UINT32_MAX, true }, { 0, 0, true } },
		{ { DRV_DATA, 1, false }, { 1ull << 63, 1, true } },
		{ { DRV_DATA, UINT32_MAX, false }, { DRV_DATA, 1, true } },
		{ { DRV_DATA, 1, true }, { DRV_DATA, 1, false } }, /* order */
	};
	struct rig *r = *state;

	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++)
		for (unsigned i = 0; i < 2 * ARRAY_SIZE(bad); i++) {
			begin(r, 8, kinds[k]);
			drv_add(&r->g, bad[i / 2], 2, i & 1);
			assert_int_equal(vq_pop(&r->q, &r->c), -EPROTO);
			assert_int_equal(vq_pop(&r->q, &r->c), -EPROTO);
			assert_int_equal(r->q.inflight, 0);
		}
}

static void nothing_in_it(void **state)
{
	static const struct drv_buf empty[] = {
		{ UINT64_MAX, 0, false },
		{ DRV_DATA, 3, false },
		{ 0, 0, true },
	};
	struct rig *r = *state;

	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		begin(r, 8, kinds[k]);
		drv_add(&r->g, empty, 3, 0);
		assert_int_equal(vq_pop(&r->q, &r->c), 1);
		assert_int_equal(r->c.n_out, 1);
		assert_int_equal(r->c.n_in, 0);
	}
}

static void too_many_pieces(void **state)
{
	struct drv_buf many[VQ_SEGS + 1];
	struct rig *r = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct drv_buf){ DRV_DATA + i, 1, i > 5 };
	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		begin(r, 256, kinds[k]);
		drv_add(&r->g, many, VQ_SEGS, 0);
		assert_int_equal(vq_pop(&r->q, &r->c), 1);
		assert_int_equal(r->c.n_out + r->c.n_in, VQ_SEGS);
		begin(r, 256, kinds[k]);
		drv_add(&r->g, many, VQ_SEGS + 1, 0);
		assert_int_equal(vq_pop(&r->q, &r->c), -EPROTO);
	}
}

enum {
	NEXT = 1,
	INDIRECT = 4,
	AVAIL = 0x80,
};

static void split_rules(void **state)
{
	static const struct {
		uint64_t addr;
		uint32_t len;
		uint16_t flags, next, head;
		int expect;
	} rows[] = {
		{ DRV_DATA, 4, 0, 0, 0, 1 },
		{ DRV_DATA, 4, NEXT, 0, 0, -EPROTO }, /* a loop */
		{ DRV_DATA, 0, NEXT, 0, 0, -EPROTO },
		{ DRV_DATA, 4, NEXT, 8, 0, -EPROTO },
		{ DRV_DATA, 4, NEXT, 0xffff, 0, -EPROTO },
		{ DRV_DATA, 4, 0, 0, 8, -EPROTO },
		{ DRV_DATA, 16, INDIRECT, 0, 0, 1 },     /* of zeros: empty */
		{ DRV_DATA, 16, INDIRECT | 2, 0, 0, 1 }, /* WRITE ignored */
		{ DRV_DATA, 16, INDIRECT | NEXT, 1, 0, -EPROTO },
		{ DRV_DATA, 0, INDIRECT, 0, 0, -EPROTO },
		{ DRV_DATA, 15, INDIRECT, 0, 0, -EPROTO },
		{ DRV_DATA + 1, 16, INDIRECT, 0, 0, -EPROTO },
		{ DRV_LOW_SIZE - 16, 32, INDIRECT, 0, 0, -EPROTO },
		{ 0, 0xfffffff0, INDIRECT, 0, 0, -EPROTO },
	};
	struct rig *r = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		begin(r, 8, F_INDIRECT);
		drv_poke(&r->g, 0, rows[i].addr, rows[i].len, rows[i].flags,
		         rows[i].next);
		drv_poke_entry(&r->g, 0, rows[i].head);
		drv_poke_idx(&r->g, 1);
		assert_int_equal(vq_pop(&r->q, &r->c), rows[i].expect);
	}
	/* Not negotiated. */
	begin(r, 8, 0);
	drv_poke(&r->g, 0, DRV_DATA, 16, INDIRECT, 0);
	drv_poke_idx(&r->g, 1);
	assert_int_equal(vq_pop(&r->q, &r->c), -EPROTO);
	/* More than there can be. */
	begin(r, 8, 0);
	drv_poke_idx(&r->g, 9);
	assert_int_equal(vq_pop(&r->q, &r->c), -EPROTO);
}

/* 2.7.5.3.2: chained descriptors, then a table. And none in a table. */
static void split_table_behind(void **state)
{
	struct rig *r = *state;
	uint8_t *table = drv_ram(&r->m.vm, DRV_DATA + 0x1000);

	begin(r, 8, F_INDIRECT);
	memset(table, 0, 16);
	store_le(table, 8, DRV_DATA + 0x200);
	store_le(table + 8, 4, 5);
	store_le(table + 12, 2, 2);
	drv_poke(&r->g, 0, DRV_DATA, 4, NEXT, 3);
	drv_poke(&r->g, 3, DRV_DATA + 0x1000, 16, INDIRECT, 0);
	drv_poke_idx(&r->g, 1);
	assert_int_equal(vq_pop(&r->q, &r->c), 1);
	assert_int_equal(r->c.out_len, 4);
	assert_int_equal(r->c.in_len, 5);
	store_le(table + 12, 2, INDIRECT);
	store_le(table, 8, DRV_DATA + 0x1000);
	store_le(table + 8, 4, 16);
	drv_poke_idx(&r->g, 2);
	assert_int_equal(vq_pop(&r->q, &r->c), -EPROTO);
}

static void packed_rules(void **state)
{
	struct rig *r = *state;

	/* A list that never ends. */
	begin(r, 4, F_PACKED);
	for (unsigned i = 0; i < 4; i++)
		drv_poke(&r->g, i, DRV_DATA, 4, AVAIL | NEXT, 0);
	assert_int_equal(vq_pop(&r->q, &r->c), -EPROTO);
	/* A list into what is still out. */
	begin(r, 4, F_PACKED);
	drv_poke(&r->g, 0, DRV_DATA, 4, AVAIL, 0);
	for (unsigned i = 1; i < 4; i++)
		drv_poke(&r->g, i, DRV_DATA, 4, AVAIL | NEXT, 0);
	assert_int_equal(vq_pop(&r->q, &r->c), 1);
	assert_int_equal(vq_pop(&r->q, &r->c), -EPROTO);
	/* The next lap, before the first has been used. */
	begin(r, 2, F_PACKED);
	for (unsigned i = 0; i < 2; i++)
		drv_poke(&r->g, i, DRV_DATA, 4, AVAIL, 0);
	assert_int_equal(vq_pop(&r->q, &r->c), 1);
	assert_int_equal(vq_pop(&r->q, &r->c), 1);
	assert_int_equal(vq_pop(&r->q, &r->c), 0);
	drv_poke(&r->g, 0, DRV_DATA, 4, 0x8000, 0);
	assert_int_equal(vq_pop(&r->q, &r->c), -EPROTO);
	/* A table in a list. */
	begin(r, 4, F_PACKED | F_INDIRECT);
	drv_poke(&r->g, 0, DRV_DATA, 16, AVAIL | NEXT, 0);
	drv_poke(&r->g, 1, DRV_DATA, 16, AVAIL | INDIRECT, 0);
	assert_int_equal(vq_pop(&r->q, &r->c), -EPROTO);
	/* Not negotiated. */
	begin(r, 4, F_PACKED);
	drv_poke(&r->g, 0, DRV_DATA, 16, AVAIL | INDIRECT, 0);
	assert_int_equal(vq_pop(&r->q, &r->c), -EPROTO);
	/* Both bits the same: used, or nothing. */
	begin(r, 4, F_PACKED);
	drv_poke(&r->g, 0, DRV_DATA, 16, AVAIL | 0x8000, 0);
	assert_int_equal(vq_pop(&r->q, &r->c), 0);
}

static void areas_are_checked(void **state)
{
	static const struct {
		struct vq_setup s;
		uint64_t features;
		int expect;
	} rows[] = {
		{ { 0x1000, 0x2000, 0x3000, 8 }, 0, 0 },
		{ { 0x1000, 0x2000, 0x3000, 0 }, 0, -EINVAL },
		{ { 0x1000, 0x2000, 0x3000, 7 }, 0, -EINVAL },
		{ { 0x1000, 0x2000, 0x3000, 2048 }, 0, -EINVAL },
		{ { 0x1008, 0x2000, 0x3000, 8 }, 0, -EINVAL },
		{ { 0x1000, 0x2001, 0x3000, 8 }, 0, -EINVAL },
		{ { 0x1000, 0x2000, 0x3002, 8 }, 0, -EINVAL },
		{ { DRV_LOW_SIZE - 112, 0x2000, 0x3000, 8 }, 0, -EINVAL },
		{ { 0x1000, DRV_LOW_SIZE - 20, 0x3000, 8 }, 0, -EINVAL },
		{ { 0x1000, DRV_LOW_SIZE - 22, 0x3000, 8 }, 0, 0 },
		{ { 0x1000, 0x2000, DRV_LOW_SIZE - 68, 8 }, 0, -EINVAL },
		{ { 0x1000, 0x2000, DRV_LOW_SIZE - 72, 8 }, 0, 0 },
		{ { ~0ull & ~15ull, 0x2000, 0x3000, 8 }, 0, -EINVAL },
		{ { 0x1000, 0x2000, 0x3000, 7 }, F_PACKED, 0 },
		{ { 0x1000, 0x2002, 0x3000, 7 }, F_PACKED, -EINVAL },
		{ { 0x1000, 0x2000, 0x3002, 7 }, F_PACKED, -EINVAL },
		{ { 0x1000, DRV_LOW_SIZE - 4, 0x3000, 7 }, F_PACKED, 0 },
		{ { 0x1000, DRV_LOW_SIZE, 0x3000, 7 }, F_PACKED, -EINVAL },
		{ { 0x1000, 0x2000, 0x3000, 1025 }, F_PACKED, -EINVAL },
	};
	struct rig *r = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(
			vq_start(&r->q, &r->m.vm, &rows[i].s, rows[i].features),
			rows[i].expect);
}

static void copies(void **state)
{
	static const struct drv_buf b[] = {
		{ DRV_DATA, 3, false },
		{ DRV_DATA + 16, 5, false },
		{ DRV_DATA + 32, 2, true },
		{ DRV_DATA + 48, 9, true },
	};
	struct rig *r = *state;
	char *data = drv_ram(&r->m.vm, DRV_DATA), got[16] = "";

	begin(r, 8, 0);
	memcpy(data, "abc", 3);
	memcpy(data + 16, "defgh", 5);
	drv_add(&r->g, b, 4, 0);
	assert_int_equal(vq_pop(&r->q, &r->c), 1);
	assert_int_equal(vq_copy_out(&r->c, 0, got, sizeof(got)), 8);
	assert_string_equal(got, "abcdefgh");
	assert_int_equal(vq_copy_out(&r->c, 4, got, 2), 2);
	assert_memory_equal(got, "ef", 2);
	assert_int_equal(vq_copy_out(&r->c, 8, got, 2), 0);
	assert_int_equal(vq_copy_in(&r->c, 1, "123456789abc", 12), 10);
	assert_memory_equal(data + 33, "1", 1);
	assert_memory_equal(data + 48, "23456789a", 9);
}

/* ---- anything at all -------------------------------------------------------
 */

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
		cmocka_unit_test_setup_teardown(chains_go_around, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(index_wraps, setup, teardown),
		cmocka_unit_test_setup_teardown(full_ring, setup, teardown),
		cmocka_unit_test_setup_teardown(unpop_gives_it_back, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(pushed_together, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(hidden_until_whole, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(interrupts_wanted, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(interrupt_index, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(kicks, setup, teardown),
		cmocka_unit_test_setup_teardown(cut_at_the_hole, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(bad_buffers, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_in_it, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_pieces, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(split_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(split_table_behind, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(packed_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(areas_are_checked, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(copies, setup, teardown),
		cmocka_unit_test_setup_teardown(random_traffic, setup,
		                                teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
