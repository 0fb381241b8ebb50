/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A virtio function, with a device behind it that does nothing. */

#include "virtio_rig.h"

static int dev_start(void *ctx, uint64_t features)
{
	struct rig *r = ctx;

	r->starts++;
	r->features = features;
	if (r->take_kick)
		assert_true(virtio_kick_fd(r->v, 0) >= 0);
	return r->start_result;
}

static void dev_stop(void *ctx)
{
	struct rig *r = ctx;

	assert_int_equal(r->starts, ++r->stops);
	assert_false(virtio_queue(r->v, 0)->ready);
}

static void dev_reset(void *ctx)
{
	struct rig *r = ctx;

	r->resets++;
}

static uint32_t dev_read(void *ctx, unsigned off, unsigned width)
{
	struct rig *r = ctx;

	assert_true(range_inside(off, width, CONFIG_LEN));
	return (uint32_t)load_le(r->config + off, width);
}

static void dev_write(void *ctx, unsigned off, unsigned width, uint32_t value)
{
	struct rig *r = ctx;

	assert_true(range_inside(off, width, CONFIG_LEN));
	store_le(r->config + off, width, value);
}

static void dev_kick(void *ctx, unsigned i)
{
	struct rig *r = ctx;

	assert_true(virtio_queue(r->v, i)->ready);
	r->kicks[i]++;
}

static void dev_free(void *ctx)
{
	struct rig *r = ctx;

	r->frees++;
}

static const struct virtio_ops dev_ops = {
	.start = dev_start,
	.stop = dev_stop,
	.reset = dev_reset,
	.config_read = dev_read,
	.config_write = dev_write,
	.kick = dev_kick,
	.free = dev_free,
};

static int setup(void **state)
{
	struct rig *r = make();
	struct virtio_desc desc = {
		.name = "dev",
		.slot = SLOT,
		.id = VIRTIO_ID_NET_,
		.class = 0x020000,
		.features = F_DEVICE,
		.queues = 2,
		.queue_size = 64,
		.config_len = CONFIG_LEN,
		.ops = &dev_ops,
		.ctx = r,
	};

	assert_int_equal(virtio_add(&r->m.vm, &desc, &r->v, &r->d), 0);
	decode(r);
	*state = r;
	return 0;
}

/* ---- tests ---- */

static void at_power_on(void **state)
{
	struct rig *r = *state;

	for (unsigned pass = 0; pass < 3; pass++) {
		assert_int_equal(cfg(r, 0, 4), 0x10411af4);
		assert_int_equal(get(r, NUM_QUEUES, 2), 2);
		assert_int_equal(get(r, STATUS, 1), 0);
		assert_int_equal(get(r, CONFIG_VECTOR, 2), 0xffff);
		assert_int_equal(get(r, QUEUE_SIZE, 2), 64);
		assert_int_equal(get(r, QUEUE_VECTOR, 2), 0xffff);
		assert_int_equal(get(r, QUEUE_ENABLE, 2), 0);
		assert_int_equal(get(r, QUEUE_DESC, 4), 0);
		assert_int_equal(get(r, QUEUE_DESC, 8), 0);
		assert_int_equal(get(r, DRIVER_FEATURE, 4), 0);
		assert_int_equal(get(r, ISR, 1), 0);
		for (unsigned i = 0; i < 3; i++) {
			uint64_t all[] = { F_ALL & UINT32_MAX, F_ALL >> 32, 0 };

			put(r, DEVICE_SELECT, 4, i);
			assert_int_equal(get(r, DEVICE_FEATURE, 4), all[i]);
		}
		put(r, QUEUE_SELECT, 2, 1);
		assert_int_equal(get(r, QUEUE_OFF, 2), 1);
		put(r, QUEUE_SELECT, 2, 2);
		assert_int_equal(get(r, QUEUE_SIZE, 2), 0);
		up(r, F_ALL);
		assert_int_equal(r->starts, pass + 1);
		if (pass == 0) {
			put(r, STATUS, 1, 0);
		} else {
			own_reset_all(&r->m.vm);
			decode(r);
		}
		assert_int_equal(r->stops, pass + 1);
	}
}

/* Every width at every offset, reads and writes: nothing but answers. */
static void any_access(void **state)
{
	static const unsigned widths[] = { 1, 2, 3, 4, 8 };
	struct rig *r = *state;

	for (unsigned pass = 0; pass < 4; pass++)
		for (unsigned off = 0; off < 0x3020; off++) {
			if (off == 0x100 || off == 0x1010)
				off += 0xf00 - 0x10;
			for (unsigned w = 0; w < ARRAY_SIZE(widths); w++) {
				(void)get(r, off, widths[w]);
				put(r, off, widths[w],
				    pass & 1 ? UINT64_MAX : off * pass);
			}
		}
	put(r, STATUS, 1, 0);
	/* 4.1.3.1: by its own width only. */
	assert_int_equal(get(r, STATUS, 2), 0xffff);
	put(r, QUEUE_SELECT, 4, 1);
	assert_int_equal(get(r, QUEUE_SELECT, 2), 0);
}

static void features(void **state)
{
	const struct {
		uint64_t f;
		bool fits;
	} rows[] = {
		{ F_ALL, true },
		{ VIRTIO_F(32), true },
		{ 0, false },
		{ F_ALL & ~VIRTIO_F(32), false },
		{ F_ALL | VIRTIO_F(4), false },
		{ F_ALL | VIRTIO_F(40), false },
		{ F_ALL | VIRTIO_F(63), false },
	};
	struct rig *r = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		set_features(r, rows[i].f);
		assert_int_equal(get(r, STATUS, 1),
		                 rows[i].fits ? ACK | DRIVER | FEATURES_OK
		                              : ACK | DRIVER);
		put(r, STATUS, 1, ACK | DRIVER | FEATURES_OK | DRIVER_OK);
		assert_int_equal(!!(get(r, STATUS, 1) & DRIVER_OK),
		                 rows[i].fits);
	}
	/* Not any more afterwards; bits from 64 on. */
	set_features(r, VIRTIO_F(32));
	put(r, DRIVER_SELECT, 4, 0);
	put(r, DRIVER_FEATURE, 4, F_DEVICE);
	assert_int_equal(get(r, DRIVER_FEATURE, 4), 0);
	put(r, STATUS, 1, 0);
	put(r, DRIVER_SELECT, 4, 2);
	put(r, DRIVER_FEATURE, 4, 1);
	put(r, DRIVER_SELECT, 4, 1);
	put(r, DRIVER_FEATURE, 4, 1);
	put(r, STATUS, 1, FEATURES_OK);
	assert_int_equal(get(r, STATUS, 1), 0);
}

static void bad_queues(void **state)
{
	static const struct vq_setup rows[] = {
		{ 0x1008, 0x2000, 0x3000, 16 },
		{ 0x1000, 0x2001, 0x3000, 16 },
		{ 0x1000, 0x2000, 0x3002, 16 },
		{ DRV_LOW_SIZE, 0x2000, 0x3000, 16 },
		{ 0x1000, UINT64_MAX - 1, 0x3000, 16 },
		{ 0x1000, 0x2000, 0x3000, 15 },
	};
	struct rig *r = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		set_features(r, VIRTIO_F(32));
		set_queue(r, 0, &rows[i]);
		assert_int_equal(get(r, QUEUE_ENABLE, 2), 0);
		assert_true(get(r, STATUS, 1) & NEEDS_RESET);
		put(r, STATUS, 1, ACK | DRIVER | FEATURES_OK | DRIVER_OK);
		assert_int_equal(r->starts, 0);
	}
	/* Too large: as if not written. Enabled: fixed. */
	drv_init(&r->g, &r->m.vm, 16, VIRTIO_F(32));
	set_features(r, VIRTIO_F(32));
	put(r, QUEUE_SIZE, 2, 128);
	put(r, QUEUE_SIZE, 2, 0);
	assert_int_equal(get(r, QUEUE_SIZE, 2), 64);
	set_queue(r, 0, &r->g.setup);
	put(r, QUEUE_SIZE, 2, 8);
	put(r, QUEUE_DESC, 4, 0);
	put(r, QUEUE_ENABLE, 2, 0);
	assert_int_equal(get(r, QUEUE_SIZE, 2), 16);
	assert_int_equal(get(r, QUEUE_DESC, 4), r->g.setup.desc);
	assert_int_equal(get(r, QUEUE_ENABLE, 2), 1);
	put(r, QUEUE_VECTOR, 2, 3);
	assert_int_equal(get(r, QUEUE_VECTOR, 2), 0xffff);
}

static void kicked(void **state)
{
	struct rig *r = *state;
	struct stats_set s;

	up(r, F_ALL);
	assert_int_equal(r->features, F_ALL);
	assert_int_equal(turn(), 1); /* what came before */
	put(r, NOTIFY, 2, 0);
	put(r, NOTIFY, 4, 0);
	put(r, NOTIFY + 4, 2, 1); /* not enabled */
	put(r, NOTIFY + 8, 2, 2); /* nobody */
	assert_int_equal(turn(), 1);
	assert_int_equal(r->kicks[0], 2);
	assert_true(own_counters(&r->m.vm, SLOT, 1, &s));
	assert_string_equal(s.what, "queue");
	assert_string_equal(s.def[0].name, "kicks");
	assert_int_equal(
		*(const uint64_t *)((const char *)s.base + s.def[0].at), 2);
	assert_true(own_counters(&r->m.vm, SLOT, 2, &s));
	assert_int_equal(s.index, 1);
	put(r, NOTIFY, 2, 0);
	put(r, STATUS, 1, 0);
	assert_int_equal(turn(), 0);
	/* Somebody else's. */
	r->take_kick = true;
	up(r, F_ALL);
	put(r, NOTIFY, 2, 0);
	assert_int_equal(turn(), 0);
	assert_int_equal(virtio_call_fd(r->v, 0), -ENOENT);
	cfg_put(r, 4, 2, 2);
	cfg_put(r, 4, 2, 6);
	/* It left the ring's position, and goes on there. */
	assert_false(get(r, STATUS, 1) & NEEDS_RESET);
}

static void bus_master(void **state)
{
	struct rig *r = *state;

	cfg_put(r, 4, 2, 2);
	up(r, F_ALL);
	assert_int_equal(r->starts, 0);
	r->resets = 0;
	cfg_put(r, 4, 2, 6);
	assert_int_equal(r->starts, 1);
	virtio_queue(r->v, 0)->next_avail = 7;
	cfg_put(r, 4, 2, 2);
	assert_int_equal(r->stops, 1);
	cfg_put(r, 4, 2, 6);
	assert_int_equal(r->starts, 2);
	assert_int_equal(virtio_queue(r->v, 0)->next_avail, 7);
	assert_int_equal(r->resets, 0);
	put(r, STATUS, 1, 0);
	assert_int_equal(r->resets, 1);
	assert_true(own_bus_reset(&r->m.vm, SLOT));
	assert_int_equal(r->resets, 2);
}

static void cannot_start(void **state)
{
	struct rig *r = *state;

	r->start_result = -EIO;
	up(r, F_ALL);
	assert_int_equal(get(r, STATUS, 1),
	                 ACK | DRIVER | FEATURES_OK | DRIVER_OK | NEEDS_RESET);
	put(r, STATUS, 1, 0);
	assert_int_equal(get(r, STATUS, 1), 0);
	assert_int_equal(r->stops, 0);
	r->stops = r->starts;
}

static void interrupts(void **state)
{
	struct rig *r = *state;

	msix(r, true);
	up(r, F_ALL);
	virtio_config_changed(r->v);
	assert_int_equal(get(r, GENERATION, 1), 1);
	assert_int_equal(seen.messages, 1);
	assert_int_equal(seen.data, 0x40);
	virtio_broken(r->v, "a test");
	virtio_broken(r->v, "a test");
	assert_int_equal(seen.messages, 2);
	assert_int_equal(get(r, ISR, 1), 0);
	put(r, STATUS, 1, 0);
	msix(r, false);
	up(r, F_ALL & ~VIRTIO_F(29));
	virtio_config_changed(r->v);
	assert_true(seen.pin[topology_gsi(SLOT, 1)]);
	virtio_interrupt(r->v, 0);
	assert_int_equal(get(r, ISR, 1), 3);
	assert_false(seen.pin[topology_gsi(SLOT, 1)]);
	assert_int_equal(get(r, ISR, 1), 0);
	assert_int_equal(seen.messages, 2);
}

/* Whoever was about to tell of the life before, when it ended: nobody would
 * ever let the pin go. */
static void none_after_a_reset(void **state)
{
	struct rig *r = *state;

	up(r, F_ALL & ~VIRTIO_F(29));
	put(r, STATUS, 1, 0);
	virtio_interrupt(r->v, 0);
	assert_false(seen.pin[topology_gsi(SLOT, 1)]);
	assert_int_equal(get(r, ISR, 1), 0);
	up(r, F_ALL & ~VIRTIO_F(29));
	virtio_interrupt(r->v, 0);
	assert_true(seen.pin[topology_gsi(SLOT, 1)]);
}

/* Who has a queue's kick was given a call with it, which follows the vector. */
static void calls_follow_the_vector(void **state)
{
	struct rig *r = *state;

	r->take_kick = true;
	msix(r, true);
	up(r, F_ALL);
	assert_int_equal(r->starts, 1);
	put(r, QUEUE_VECTOR, 2, 1);
	assert_int_equal(r->starts, 1);
	put(r, QUEUE_VECTOR, 2, 2);
	assert_int_equal(r->starts, 2);
	/* What came by the old one may not have been seen. */
	assert_int_equal(seen.messages, 1);
	assert_int_equal(seen.data, 0x42);
	msix(r, false);
	assert_int_equal(r->starts, 3);
	assert_true(seen.pin[topology_gsi(SLOT, 1)]);
	msix(r, true);
	assert_int_equal(r->starts, 4);
	assert_int_equal(seen.messages, 2);
	/* Of our own queues nothing is to follow. */
	put(r, STATUS, 1, 0);
	r->take_kick = false;
	up(r, F_ALL);
	put(r, QUEUE_VECTOR, 2, 2);
	msix(r, false);
	assert_int_equal(r->starts, 5);
}

static void device_config(void **state)
{
	struct rig *r = *state;

	put(r, CONFIG, 8, 0x1122334455667788);
	put(r, CONFIG + 8, 2, 0x99aa);
	put(r, CONFIG + 11, 2, 0xffff); /* behind its end */
	assert_int_equal(get(r, CONFIG, 8), 0x1122334455667788);
	assert_int_equal(get(r, CONFIG + 5, 1), 0x33);
	assert_int_equal(get(r, CONFIG + 8, 4), 0x99aa);
	assert_int_equal(get(r, CONFIG + 12, 1), 0xff);
}

/* 4.1.4.9: without BARs that decode. */
static void config_window(void **state)
{
	struct rig *r = *state;
	unsigned cap = (unsigned)cfg(r, 0x34, 1);

	while (cfg(r, cap, 1) != 9 || cfg(r, cap + 3, 1) != 5)
		cap = (unsigned)cfg(r, cap + 1, 1);
	cfg_put(r, 4, 2, 0);
	cfg_put(r, cap + 4, 1, 0);
	cfg_put(r, cap + 8, 4, NUM_QUEUES);
	cfg_put(r, cap + 12, 4, 2);
	assert_int_equal(cfg(r, cap + 16, 2), 2);
	cfg_put(r, cap + 8, 4, STATUS);
	cfg_put(r, cap + 12, 4, 1);
	cfg_put(r, cap + 16, 1, ACK);
	assert_int_equal(cfg(r, cap + 16, 4) & 0xff, ACK);
	for (unsigned off = 0; off < 20; off++)
		for (unsigned w = 1; w <= 4; w *= 2)
			if (off % w == 0) {
				cfg_put(r, cap + off, w, UINT32_MAX);
				(void)cfg(r, cap + off, w);
			}
	cfg_put(r, cap + 4, 1, 0);
	cfg_put(r, cap + 8, 4, 0x3ffe);
	cfg_put(r, cap + 12, 4, 4);
	cfg_put(r, cap + 16, 4, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(at_power_on, setup),
		TEST(any_access, setup),
		TEST(features, setup),
		TEST(bad_queues, setup),
		TEST(kicked, setup),
		TEST(bus_master, setup),
		TEST(cannot_start, setup),
		TEST(interrupts, setup),
		TEST(none_after_a_reset, setup),
		TEST(calls_follow_the_vector, setup),
		TEST(device_config, setup),
		TEST(config_window, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
