/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions of our own as a guest meets them: configuration space, BARs and
 * resets. Their interrupts are test_own_irq.c's.
 */

#include "own_rig.h"

/* ---- the space ---- */

static void test_space(void **state)
{
	struct fixture *f = *state;
	unsigned express = find_cap(f, 0x10, 0), at;

	assert_int_equal(get(f, 0, 4), 0x10411af4);
	assert_int_equal(get(f, 8, 4), 0x02000001);
	assert_int_equal(get(f, 0x2c, 4), 0x11001af4);
	assert_int_equal(get(f, 0x3d, 1), 1);
	assert_int_equal(get(f, 0x0e, 1), 0);
	assert_true(get(f, STATUS, 2) & 0x10);
	/* Endpoint, version 2; FLR, role-based errors; x1 at 2.5 GT/s. */
	assert_int_equal(get(f, express + 2, 2), 2);
	assert_int_equal(get(f, express + 4, 4), BIT(28) | BIT(15));
	assert_int_equal(get(f, express + 0x12, 2) & 0x3ff, 0x11);
	assert_int_equal(get(f, find_cap(f, 0x01, 0) + 2, 2), 3);
	at = find_cap(f, 0x11, 0);
	assert_int_equal(get(f, at + 2, 2), VECTORS - 1);
	assert_int_equal(get(f, at + 4, 4), TABLE | 2);
	assert_int_equal(get(f, at + 8, 4), PBA | 2);
	at = find_cap(f, 0x09, 0);
	assert_int_equal(get(f, at + 2, 1), 16);
	assert_int_equal(get(f, at + 4, 1), 0x11);
	assert_int_equal(find_cap(f, 0x05, 0), 0);
	assert_int_equal(get(f, 0x100, 4), 0);
	/* Nobody else is there. */
	assert_int_equal(own_cfg_read(&f->vm, SLOT + 1, 0, 4), UINT32_MAX);
	assert_false(own_cfg_write(&f->vm, 200, 0, 4, 0));
	assert_false(own_bus_reset(&f->vm, 0));
}

static void test_sizing(void **state)
{
	struct fixture *f = *state;

	for (unsigned off = 0x10; off <= 0x30; off += 4)
		put(f, off, 4, UINT32_MAX);
	assert_int_equal(get(f, 0x10, 4), 0xffffc00c);
	assert_int_equal(get(f, 0x14, 4), 0xffffffff);
	assert_int_equal(get(f, 0x18, 4), 0xfffff000);
	assert_int_equal(get(f, 0x1c, 4), 0);
	assert_int_equal(get(f, 0x20, 4), 0xffffffc1);
	assert_int_equal(get(f, 0x30, 4), 0);
	assert_int_equal(f->dev.moves, 0);
}

static void test_caps(void **state)
{
	struct fixture *f = *state;
	unsigned a = find_cap(f, 9, 0), b = find_cap(f, 9, 1);

	put(f, a + 4, 4, UINT32_MAX);
	assert_int_equal(get(f, a + 4, 4), 0x11);
	put(f, b, 4, UINT32_MAX);
	assert_int_equal(get(f, b, 1), 9);
	put(f, b + 4, 4, 0x12345678);
	put(f, b + 8, 4, 0x12345678);
	assert_int_equal(get(f, b + 4, 4), 0x78);
	assert_int_equal(get(f, b + 8, 4), 0x78);
	assert_int_equal(f->dev.cap_writes, 0);
	assert_int_equal(get(f, b + 17, 2), 0xa5a5a5a5u);
	assert_int_equal(f->dev.cap, 1);
	assert_int_equal(f->dev.cap_off, 17);
	put(f, b + 16, 4, 0xdeadbeef);
	assert_int_equal(f->dev.cap_writes, 1);
	assert_int_equal(f->dev.cap_value, 0xdeadbeef);
	/* Over its end: nobody's. */
	put(f, b + 18, 4, 1);
	assert_int_equal(f->dev.cap_writes, 1);
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	struct device other = { 0 };
	struct own_desc c = basic;

	c.ctx = &other;
	assert_int_equal(own_add(&f->vm, &c, &other.own, &f->d), -EBUSY);
	assert_int_equal(f->d.code, FL_VMM_SLOT);
	c.slot = 0;
	assert_int_equal(own_add(&f->vm, &c, &other.own, &f->d), -EINVAL);
	c.slot = 7;
	f->vm.cfg.n_devices = 1;
	f->vm.cfg.device[0].slot = 7;
	assert_int_equal(own_add(&f->vm, &c, &other.own, &f->d), -EBUSY);
	f->vm.cfg.n_devices = 0;
	c.pba_off = 0x1000; /* outside its BAR */
	assert_int_equal(own_add(&f->vm, &c, &other.own, &f->d), -EINVAL);
	c = basic;
	c.slot = 7;
	c.bar[2].size = 0x1800;
	assert_int_equal(own_add(&f->vm, &c, &other.own, &f->d), -EINVAL);
	c = basic;
	c.slot = 7;
	c.n_caps = OWN_CAPS_MAX;
	for (unsigned i = 0; i < OWN_CAPS_MAX; i++) {
		c.cap[i] = basic.cap[0];
		c.cap[i].len = 24;
	}
	assert_int_equal(own_add(&f->vm, &c, &other.own, &f->d), -ENOSPC);
	assert_int_equal(other.frees, 0);
	assert_false(own_has(&f->vm, 7));
}

/* ---- BARs ---- */

static void test_bars(void **state)
{
	struct fixture *f = *state;
	struct device *v = &f->dev;
	uint64_t value;

	turn_on(f, MEM | IO);
	assert_int_equal(v->at[0], BAR0);
	assert_int_equal(v->at[2], BAR2);
	assert_int_equal(v->at[4], IO_BAR);
	assert_int_equal(v->command, MEM | IO);
	assert_int_equal(mem_read(f, BAR0 + 8, 4), 0x55667790);
	assert_int_equal(v->bar, 0);
	assert_int_equal(v->width, 4);
	mem_write(f, BAR0 + 0x3ff8, 8, 77);
	assert_int_equal(v->off, 0x3ff8);
	assert_int_equal(v->value, 77);
	assert_int_equal(bus_read(f->vm.pio, IO_BAR + 1, 1, &value),
	                 EXIT_AT(EXIT_OWN, SLOT, 4));
	assert_int_equal(v->bar, 4);
	/* A width that no register has: byte by byte. */
	v->writes = 0;
	mem_write(f, BAR0 + 1, 3, 0x030201);
	assert_int_equal(v->writes, 3);
	assert_int_equal(v->off, 3);
	assert_int_equal(v->value, 3);
	assert_int_equal(mem_read(f, BAR0 + 1, 3), 0x8b8a89);
	/* Above 4 GiB: in two steps, the first of which is RAM. */
	put(f, 0x10, 4, 0x00100000);
	assert_int_equal(v->at[0], 0);
	put(f, 0x14, 4, 0x2);
	assert_int_equal(v->at[0], 0x200100000);
	assert_int_equal(mem_read(f, BAR0, 4), UINT32_MAX);
	assert_int_equal(seen.offers, 1);
	put(f, COMMAND, 2, IO);
	assert_int_equal(v->at[0], 0);
	assert_int_equal(v->at[4], IO_BAR);
	assert_int_equal(v->command, IO);
	assert_int_equal(seen.offers, 2);
}

/* RAM, the first megabyte, interrupt controllers, no port. */
static void test_bars_refused(void **state)
{
	static const uint32_t bad[] = { 0x0,        0x80000,    0x100000,
		                        0x1ff00000, 0xfec00000, 0xfee00000,
		                        0xffff0000 };
	struct fixture *f = *state;

	turn_on(f, MEM | IO);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		put(f, 0x10, 4, bad[i]);
		assert_int_equal(f->dev.at[0], 0);
		put(f, 0x10, 4, (uint32_t)BAR0);
		assert_int_equal(f->dev.at[0], BAR0);
	}
	put(f, 0x10, 4, (uint32_t)BAR2 & ~0x3fffu);
	assert_int_equal(f->dev.at[0], 0);
	put(f, 0x20, 4, 0x10000);
	assert_int_equal(f->dev.at[4], 0);
	put(f, 0x20, 4, 0xffc0);
	assert_int_equal(f->dev.at[4], 0xffc0);
}

/* Two that change places: the first comes where the second leaves. */
static void test_swap(void **state)
{
	struct fixture *f = *state;
	struct device *second = &f->second;

	assert_int_equal(add(f, second, 9), 0);
	turn_on(f, MEM);
	own_cfg_write(&f->vm, 9, 0x10, 4, 0xd0000000);
	own_cfg_write(&f->vm, 9, 0x18, 4, 0xd0100000);
	own_cfg_write(&f->vm, 9, COMMAND, 2, MEM);
	assert_int_equal(second->at[0], 0xd0000000);
	put(f, 0x10, 4, 0xd0000000);
	assert_int_equal(f->dev.at[0], 0);
	own_cfg_write(&f->vm, 9, 0x10, 4, (uint32_t)BAR0);
	assert_int_equal(second->at[0], BAR0);
	assert_int_equal(f->dev.at[0], 0xd0000000);
	assert_int_equal(mem_read(f, 0xd0000000, 1), 0x88);
	assert_int_equal(f->dev.reads, 1);
}

/* ---- resets ---- */

static void check_reset(struct fixture *f, unsigned resets)
{
	struct device *v = &f->dev;

	assert_int_equal(v->resets, resets);
	assert_int_equal(v->at[0] | v->at[2] | v->at[4], 0);
	assert_int_equal(get(f, COMMAND, 2), 0);
	assert_int_equal(ties(), 0);
	assert_int_equal(get(f, find_cap(f, 0x11, 0) + 2, 2), VECTORS - 1);
	own_raise(v->own, 0);
	assert_int_equal(seen.messages, 0);
	turn_on(f, MEM | MASTER);
	assert_int_equal(mem_read(f, BAR2 + 12, 4), 1);
	assert_int_equal(pending(f, 0), 0);
	assert_int_equal(own_vector_fd(v->own, 3) < 0, 0);
}

static void dirty(struct fixture *f)
{
	turn_on(f, MEM | MASTER | IO);
	set_vector(f, 0, 0x41, true);
	set_vector(f, 3, 0x41, false);
	assert_true(own_vector_fd(f->dev.own, 3) >= 0);
	msix(f, MSIX_ON);
	own_raise(f->dev.own, 0);
	assert_int_equal(ties(), 1);
}

static void test_reset(void **state)
{
	struct fixture *f = *state;
	unsigned express = find_cap(f, 0x10, 0);

	dirty(f);
	put(f, express + 8, 2, BIT(15) | 0x2810);
	assert_int_equal(get(f, 0x10, 4), 0xc);
	check_reset(f, 1);
	assert_int_equal(get(f, express + 8, 2), 0x2810);
	dirty(f);
	assert_true(own_bus_reset(&f->vm, SLOT));
	check_reset(f, 2);
	/* The machine's: addresses as before the guest ran. */
	assert_int_equal(own_bar_place(&f->vm, SLOT, 0, 0x240000000), 0);
	assert_int_equal(own_bar_place(&f->vm, SLOT, 2, 0xc0200000), 0);
	assert_int_equal(own_bar_place(&f->vm, SLOT, 2, 0xc0200001), -EINVAL);
	assert_int_equal(own_bar_place(&f->vm, SLOT + 1, 2, 0), -ENOENT);
	dirty(f);
	own_reset_all(&f->vm);
	assert_int_equal(get(f, 0x10, 4), 0x4000000c);
	assert_int_equal(get(f, 0x14, 4), 2);
	assert_int_equal(get(f, 0x18, 4), 0xc0200000);
	assert_int_equal(f->dev.resets, 3);
}

/* ---- an area ---- */

static uint32_t area_read(void *ctx, unsigned off, unsigned width)
{
	(void)ctx;
	return off << 8 | width;
}

static void area_write(void *ctx, unsigned off, unsigned width, uint32_t value)
{
	struct device *v = ctx;

	v->cap_writes++;
	v->cap_off = off;
	v->width = width;
	v->cap_value = value;
}

static const struct own_ops area_ops = {
	.read = dev_read,
	.write = dev_write,
	.reset = dev_reset,
	.area_read = area_read,
	.area_write = area_write,
	.free = dev_free,
};

/* Registers in the configuration space that are no capability's. */
static void with_an_area(void **state)
{
	struct fixture *f = *state;
	struct own_desc c = {
		.name = "timer",
		.slot = SLOT + 1,
		.bar = { [0] = { CFG_BAR_MEM32, false, 16 } },
		.area = { 0x60, 0x10 },
		.ops = &area_ops,
		.ctx = &f->second,
	};
	uint32_t v, at;

	assert_int_equal(own_add(&f->vm, &c, &f->second.own, &f->d), 0);
	for (unsigned off = 0x60; off < 0x70; off++) {
		v = own_cfg_read(&f->vm, SLOT + 1, off, 1);
		assert_int_equal(v, off << 8 | 1);
	}
	assert_true(own_cfg_write(&f->vm, SLOT + 1, 0x68, 1, 2));
	assert_int_equal(f->second.cap_writes, 1);
	assert_int_equal(f->second.cap_off, 0x68);
	assert_int_equal(f->second.cap_value, 2);
	/* Beside it, and across its end, is nobody's. */
	assert_true(own_cfg_write(&f->vm, SLOT + 1, 0x5c, 4, 2));
	assert_true(own_cfg_write(&f->vm, SLOT + 1, 0x6f, 2, 2));
	assert_int_equal(f->second.cap_writes, 1);
	/* The capabilities are behind it, and all there. */
	at = own_cfg_read(&f->vm, SLOT + 1, 0x34, 1);
	assert_int_equal(at, 0x70);
	v = own_cfg_read(&f->vm, SLOT + 1, at, 2);
	assert_int_equal(v & 0xff, 1);
	v = own_cfg_read(&f->vm, SLOT + 1, v >> 8, 2);
	assert_int_equal(v, 0x0010);
	/* Where they would find no room, and where the header is. */
	c.slot++;
	c.area.len = 0x21;
	assert_int_equal(own_add(&f->vm, &c, &f->second.own, &f->d), -EINVAL);
	c.area.at = 0x3c;
	c.area.len = 4;
	assert_int_equal(own_add(&f->vm, &c, &f->second.own, &f->d), -EINVAL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_space),   T(test_sizing), T(test_caps),
		T(test_refused), T(test_bars),   T(test_bars_refused),
		T(test_swap),    T(test_reset),  T(with_an_area),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
