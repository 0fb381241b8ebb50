/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bus: who answers, overlaps, straddles, changes under readers. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vmm/priv.h"

/* A range that remembers what it was asked. */
struct probe {
	uint64_t off, value;
	unsigned width, reads, writes;
};

static uint64_t probe_read(void *ctx, uint64_t off, unsigned width)
{
	struct probe *p = ctx;

	p->off = off;
	p->width = width;
	p->reads++;
	return p->value;
}

static void probe_write(void *ctx, uint64_t off, unsigned width, uint64_t value)
{
	struct probe *p = ctx;

	p->off = off;
	p->width = width;
	p->value = value;
	p->writes++;
}

static const struct bus_ops probe_ops = { probe_read, probe_write };

static int setup(void **state)
{
	struct bus *b;

	if (bus_new(&b) < 0)
		return -1;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	bus_free(*state);
	return 0;
}

static void nobody(void **state)
{
	uint64_t v = 0;

	assert_int_equal(bus_read(*state, 0x80, 1, &v), EXIT_OTHER);
	assert_int_equal(v, 0xff);
	bus_read(*state, 0x80, 4, &v);
	assert_int_equal(v, 0xffffffff);
	bus_read(*state, UINT64_MAX - 3, 8, &v);
	assert_true(v == UINT64_MAX);
	assert_int_equal(bus_write(*state, 0x80, 4, 1), EXIT_OTHER);
}

static void offset_width_class(void **state)
{
	struct probe p = { .value = 0x1122334455667788 };
	uint64_t v;

	assert_int_equal(bus_add(*state, 0x1000, 16, EXIT_BAR, &probe_ops, &p),
	                 0);
	assert_int_equal(bus_read(*state, 0x1004, 2, &v), EXIT_BAR);
	assert_int_equal(v, 0x7788); /* no more than was asked for */
	assert_int_equal(p.off, 4);
	assert_int_equal(p.width, 2);
	assert_int_equal(bus_write(*state, 0x1008, 8, 5), EXIT_BAR);
	assert_int_equal(p.value, 5);
	bus_write(*state, 0x100f, 1, 0xff);
	assert_int_equal(p.value, 0xff);
	bus_read(*state, 0x1010, 1, &v);
	assert_int_equal(v, 0xff);
	assert_int_equal(p.reads, 1);
}

static void overlap_refused(void **state)
{
	struct probe p = { 0 };

	assert_int_equal(bus_add(*state, 0x1000, 16, 0, &probe_ops, &p), 0);
	assert_int_equal(bus_add(*state, 0x1000, 16, 0, &probe_ops, &p),
	                 -EADDRINUSE);
	assert_int_equal(bus_add(*state, 0xff1, 16, 0, &probe_ops, &p),
	                 -EADDRINUSE);
	assert_int_equal(bus_add(*state, 0x100f, 1, 0, &probe_ops, &p),
	                 -EADDRINUSE);
	assert_int_equal(bus_add(*state, 0, UINT64_MAX, 0, &probe_ops, &p),
	                 -EADDRINUSE);
	assert_int_equal(bus_add(*state, 0xff0, 16, 0, &probe_ops, &p), 0);
	assert_int_equal(bus_add(*state, 0x1010, 16, 0, &probe_ops, &p), 0);
	assert_int_equal(bus_add(*state, 0, 0, 0, &probe_ops, &p), -EINVAL);
	assert_int_equal(bus_add(*state, UINT64_MAX, 2, 0, &probe_ops, &p),
	                 -EINVAL);
}

/* An access over a border: each byte goes to whom it belongs. */
static void straddle(void **state)
{
	struct probe a = { .value = 0xaa }, b = { .value = 0xbb };
	uint64_t v;

	assert_int_equal(bus_add(*state, 0x10, 2, 0, &probe_ops, &a), 0);
	assert_int_equal(bus_add(*state, 0x12, 1, 0, &probe_ops, &b), 0);
	bus_read(*state, 0x10, 4, &v);
	assert_int_equal(v, 0xffbbaaaa);
	bus_read(*state, 0xf, 2, &v);
	assert_int_equal(v, 0xaaff);
	bus_write(*state, 0xf, 4, 0x04030201);
	assert_int_equal(a.value, 3);
	assert_int_equal(a.off, 1);
	assert_int_equal(b.value, 4);
}

static void remove_exact(void **state)
{
	struct probe p = { 0 };
	uint64_t v;

	assert_int_equal(bus_add(*state, 0x1000, 16, 0, &probe_ops, &p), 0);
	bus_del(*state, 0x1000, 8);
	bus_del(*state, 0x1004, 12);
	bus_read(*state, 0x1000, 4, &v);
	assert_int_equal(v, 0);
	bus_del(*state, 0x1000, 16);
	bus_read(*state, 0x1000, 4, &v);
	assert_int_equal(v, 0xffffffff);
}

static void full(void **state)
{
	struct probe p = { 0 };
	uint64_t v;

	/* In an order that is neither up nor down. */
	for (uint64_t i = 0; i < BUS_RANGES_MAX; i++)
		assert_int_equal(bus_add(*state, (i * 37 % 256) * 0x10, 8, 0,
		                         &probe_ops, &p),
		                 0);
	assert_int_equal(bus_add(*state, 0x100000, 8, 0, &probe_ops, &p),
	                 -ENOSPC);
	for (uint64_t i = 0; i < BUS_RANGES_MAX; i++) {
		bus_read(*state, i * 0x10 + 7, 1, &v);
		assert_int_equal(v, 0);
		bus_read(*state, i * 0x10 + 8, 1, &v);
		assert_int_equal(v, 0xff);
	}
}

/* The hint of what was found last never shows: a small bus whose ranges come
 * and go, against the plain answer byte by byte. */
#define SPACE 64u
#define PROBES 8u
struct plain {
	struct probe probe[PROBES];
	uint64_t base[PROBES], size[PROBES]; /* 0 = not there */
};

static unsigned plain_at(const struct plain *p, uint64_t addr)
{
	for (unsigned i = 0; i < PROBES; i++)
		if (p->size[i] && addr - p->base[i] < p->size[i])
			return i;
	return PROBES;
}

static uint8_t plain_byte(const struct plain *p, uint64_t addr)
{
	unsigned i = plain_at(p, addr);

	return i < PROBES ? (uint8_t)p->probe[i].value : 0xff;
}

static void come_or_go(struct bus *b, struct plain *p, unsigned i)
{
	uint64_t base = (uint64_t)random() % SPACE;
	uint64_t size = 1 + (uint64_t)random() % 12;

	if (p->size[i]) {
		bus_del(b, p->base[i], p->size[i]);
		p->size[i] = 0;
	} else if (bus_add(b, base, size, EXIT_BAR, &probe_ops, &p->probe[i]) ==
	           0) {
		p->base[i] = base;
		p->size[i] = size;
	}
}

static void expect_read(struct bus *b, const struct plain *p, uint64_t addr,
                        unsigned width)
{
	enum exit_class cls =
		plain_at(p, addr) < PROBES ? EXIT_BAR : EXIT_OTHER;
	uint64_t v;

	assert_int_equal(bus_read(b, addr, width, &v), cls);
	for (unsigned i = 0; i < width; i++)
		assert_int_equal(v >> 8 * i & 0xff, plain_byte(p, addr + i));
	if (width < 8)
		assert_true(v >> 8 * width == 0);
}

static void expect_write(struct bus *b, const struct plain *p, uint64_t addr)
{
	const unsigned i = plain_at(p, addr);
	struct plain before = *p;

	bus_write(b, addr, 1, i);
	for (unsigned k = 0; k < PROBES; k++)
		before.probe[k].writes += k == i;
	if (i < PROBES) {
		before.probe[i].value = i;
		before.probe[i].off = addr - p->base[i];
		before.probe[i].width = 1;
		/* What a probe reads is the same in each byte. */
		assert_int_equal(p->probe[i].value, i);
	}
	assert_memory_equal(&before, p, sizeof(before));
}

static void any_order(void **state)
{
	static struct plain p;

	srandom(1);
	for (unsigned i = 0; i < PROBES; i++)
		p.probe[i].value = i * 0x0101010101010101;
	for (unsigned n = 0; n < 200000; n++) {
		uint64_t addr = (uint64_t)random() % SPACE;

		if (random() % 8 == 0)
			come_or_go(*state, &p, (unsigned)random() % PROBES);
		expect_read(*state, &p, addr, 1u << random() % 4);
	}
	for (uint64_t addr = 0; addr < SPACE; addr++)
		expect_write(*state, &p, addr);
}

/* A BAR that moves back and forth while another vCPU reads: the reader always
 * gets its own range or nobody, never another's. */
struct race {
	struct bus *bus;
	struct probe steady, moving;
	_Atomic bool stop;
};

static void *mover(void *arg)
{
	struct race *r = arg;

	while (!atomic_load(&r->stop)) {
		if (bus_add(r->bus, 0x1000, 16, 0, &probe_ops, &r->moving) < 0)
			return r;
		bus_del(r->bus, 0x1000, 16);
	}
	return NULL;
}

static void changes_under_readers(void **state)
{
	struct race r = {
		.bus = *state,
		.steady = { .value = 0x5a },
		.moving = { .value = 0xa5 },
	};
	pthread_t t;
	void *failed;

	assert_int_equal(bus_add(*state, 0x2000, 16, 0, &probe_ops, &r.steady),
	                 0);
	assert_int_equal(pthread_create(&t, NULL, mover, &r), 0);
	for (unsigned i = 0; i < 200000; i++) {
		uint64_t v;

		bus_read(*state, 0x2000, 1, &v);
		assert_int_equal(v, 0x5a);
		bus_read(*state, 0x1000, 1, &v);
		assert_true(v == 0xff || v == 0xa5);
	}
	atomic_store(&r.stop, true);
	pthread_join(t, &failed);
	assert_null(failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(offset_width_class, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(overlap_refused, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(straddle, setup, teardown),
		cmocka_unit_test_setup_teardown(remove_exact, setup, teardown),
		cmocka_unit_test_setup_teardown(full, setup, teardown),
		cmocka_unit_test_setup_teardown(any_order, setup, teardown),
		cmocka_unit_test_setup_teardown(changes_under_readers, setup,
		                                teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
