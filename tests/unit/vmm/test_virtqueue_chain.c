/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a chain may be in a ring of either kind, and what a driver is refused:
 * buffers, descriptors, and the places of the ring itself. */

#include "virtqueue_rig.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(cut_at_the_hole), TEST(bad_buffers),
		TEST(nothing_in_it),   TEST(too_many_pieces),
		TEST(split_rules),     TEST(split_table_behind),
		TEST(packed_rules),    TEST(areas_are_checked),
		TEST(copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
