/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two-phase commit over a sink that plays KVM: it keeps the routes it was
 * given and holds the rule that an irqfd needs its GSI's route. The real one
 * is proved by tests/micro and the lab.
 */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "irq-remap/irq-remap.h"

#define GSI_BASE 24u
#define GSI_MAX 64u

struct sink {
	struct irq_route route[4096];
	size_t n_routes;
	unsigned commits, adds, dels;
	int tied[4096];            /* by GSI - base: eventfd + 1 */
	int fail_routes, fail_add; /* errno to return */
	uint32_t fail_gsi;         /* fail_add for this one only, 0 = all */
};

static const struct irq_route *find(const struct sink *s, uint32_t gsi)
{
	for (size_t i = 0; i < s->n_routes; i++)
		if (s->route[i].gsi == gsi)
			return &s->route[i];
	return NULL;
}

static int set_routes(void *ctx, const struct irq_route *r, size_t n)
{
	struct sink *s = ctx;

	if (s->fail_routes)
		return -s->fail_routes;
	for (uint32_t i = 0; i < ARRAY_SIZE(s->tied); i++) {
		bool kept = !s->tied[i];

		for (size_t k = 0; k < n; k++)
			kept |= r[k].gsi == GSI_BASE + i;
		assert_true(kept); /* a tied GSI must keep a route */
	}
	memcpy(s->route, r, n * sizeof(*r));
	s->n_routes = n;
	s->commits++;
	return 0;
}

static int irqfd_add(void *ctx, int eventfd, uint32_t gsi)
{
	struct sink *s = ctx;

	if (s->fail_add && (!s->fail_gsi || s->fail_gsi == gsi))
		return -s->fail_add;
	assert_non_null(find(s, gsi)); /* routes before irqfds */
	assert_true(eventfd >= 0);
	assert_int_equal(s->tied[gsi - GSI_BASE], 0);
	s->tied[gsi - GSI_BASE] = eventfd + 1;
	s->adds++;
	return 0;
}

static int irqfd_del(void *ctx, int eventfd, uint32_t gsi)
{
	struct sink *s = ctx;

	assert_int_equal(s->tied[gsi - GSI_BASE], eventfd + 1);
	s->tied[gsi - GSI_BASE] = 0;
	s->dels++;
	return 0;
}

static const struct irq_sink_ops OPS = {
	.set_routes = set_routes,
	.irqfd_add = irqfd_add,
	.irqfd_del = irqfd_del,
};

struct fix {
	struct sink sink;
	struct irq_table *t;
};

static int setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(
		irq_table_new(&OPS, &f->sink, GSI_BASE, GSI_MAX, &f->t), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	assert_int_equal(f->sink.adds, f->sink.dels);
	assert_int_equal(irq_table_stats(f->t).routes, 0);
	assert_int_equal(irq_table_stats(f->t).irqfds, 0);
	irq_table_free(f->t);
	free(f);
	return 0;
}

static struct irq_msg msg(uint32_t data)
{
	return (struct irq_msg){ .addr = 0xfee00000, .data = data };
}

static struct irq_bank *bank_of(struct fix *f, unsigned n)
{
	struct irq_bank *b = NULL;

	assert_int_equal(irq_bank_new(f->t, 0x0108, n, &b), 0);
	return b;
}

static void stage(struct irq_bank *b, unsigned from, unsigned n, uint32_t data)
{
	for (unsigned i = from; i < from + n; i++)
		assert_int_equal(irq_bank_stage(b, i, msg(data + i)), 0);
}

/* n vectors, one table write; again without change, none. */
static void test_one_commit(void **state)
{
	struct fix *f = *state;
	struct irq_bank *b = bank_of(f, 16);
	const struct irq_route *r;

	stage(b, 0, 16, 0x40);
	assert_int_equal(f->sink.commits, 0);
	assert_int_equal(irq_bank_commit(b, NULL), 0);
	assert_int_equal(f->sink.commits, 1);
	assert_int_equal(f->sink.adds, 16);
	assert_int_equal(irq_bank_live(b), 16);
	r = find(&f->sink, GSI_BASE + 5);
	assert_non_null(r);
	assert_int_equal(r->msg.data, 0x45);
	assert_int_equal(r->devid, 0x0108);
	stage(b, 0, 16, 0x40);
	assert_int_equal(irq_bank_commit(b, NULL), 0);
	assert_int_equal(f->sink.commits, 1);
	assert_int_equal(f->sink.adds, 16);
	irq_bank_free(b);
}

static void test_states(void **state)
{
	struct fix *f = *state;
	struct irq_bank *b = bank_of(f, 2);

	assert_int_equal(irq_bank_state(b, 0), IRQ_VECTOR_UNUSED);
	assert_int_equal(irq_bank_state(b, 99), IRQ_VECTOR_UNUSED);
	stage(b, 0, 1, 1);
	assert_int_equal(irq_bank_state(b, 0), IRQ_VECTOR_NEW);
	assert_int_equal(irq_bank_commit(b, NULL), 0);
	assert_int_equal(irq_bank_state(b, 0), IRQ_VECTOR_LIVE);
	stage(b, 0, 1, 2);
	assert_int_equal(irq_bank_state(b, 0), IRQ_VECTOR_STALE);
	assert_int_equal(irq_bank_commit(b, NULL), 0);
	assert_int_equal(irq_bank_state(b, 0), IRQ_VECTOR_LIVE);
	assert_int_equal(f->sink.commits, 2);
	assert_int_equal(f->sink.adds, 1); /* the irqfd stays tied */
	irq_bank_unstage(b, 0);
	assert_int_equal(irq_bank_state(b, 0), IRQ_VECTOR_UNUSED);
	assert_int_equal(irq_bank_commit(b, NULL), 0);
	assert_int_equal(f->sink.commits, 2); /* a dead route is no reason */
	assert_int_equal(f->sink.dels, 1);
	irq_bank_unstage(b, 99);
	irq_bank_free(b);
}

/* Held: no irqfd, the same route; let go, it is tied without a table write
 * where the message is the same. */
static void test_hold(void **state)
{
	struct fix *f = *state;
	struct irq_bank *b = bank_of(f, 2);
	int fd;

	stage(b, 0, 2, 0x20);
	assert_int_equal(irq_bank_commit(b, NULL), 0);
	fd = irq_bank_eventfd(b, 0);
	irq_bank_hold(b, 0, true);
	irq_bank_hold(b, 99, true);
	assert_int_equal(irq_bank_commit(b, NULL), 0);
	assert_int_equal(irq_bank_live(b), 1);
	assert_non_null(find(&f->sink, GSI_BASE));
	irq_bank_hold(b, 0, false);
	assert_int_equal(irq_bank_commit(b, NULL), 0);
	assert_int_equal(irq_bank_live(b), 2);
	assert_int_equal(irq_bank_eventfd(b, 0), fd);
	assert_int_equal(f->sink.commits, 1);
	/* Held from the first, and one whose message changed meanwhile. */
	irq_bank_hold(b, 1, true);
	stage(b, 1, 1, 0x30);
	assert_int_equal(irq_bank_commit(b, NULL), 0);
	assert_int_equal(irq_bank_state(b, 1), IRQ_VECTOR_NEW);
	irq_bank_hold(b, 1, false);
	assert_int_equal(irq_bank_commit(b, NULL), 0);
	assert_int_equal(f->sink.commits, 2);
	assert_int_equal(irq_bank_state(b, 1), IRQ_VECTOR_LIVE);
	irq_bank_free(b);
}

/* A GSI given back and taken again must not keep the dead message. */
static void test_reuse(void **state)
{
	struct fix *f = *state;
	struct irq_bank *a = bank_of(f, 4), *b = bank_of(f, 4);

	stage(a, 0, 4, 0x10);
	assert_int_equal(irq_bank_commit(a, NULL), 0);
	irq_bank_clear(a);
	assert_int_equal(irq_bank_live(a), 0);
	assert_int_equal(f->sink.commits, 1);
	stage(b, 0, 2, 0x80);
	assert_int_equal(irq_bank_commit(b, NULL), 0);
	assert_int_equal(f->sink.commits, 2);
	assert_int_equal(f->sink.n_routes, 2);
	assert_int_equal(find(&f->sink, GSI_BASE)->msg.data, 0x80);
	irq_bank_free(a);
	irq_bank_free(b);
}

/* Full: what has no room is refused with its number, the others are served. */
static void test_full(void **state)
{
	struct fix *f = *state;
	struct irq_bank *a = bank_of(f, GSI_MAX - 1), *b = bank_of(f, 4);
	struct diag d = { 0 };

	stage(a, 0, GSI_MAX - 1, 0);
	assert_int_equal(irq_bank_commit(a, NULL), 0);
	stage(b, 0, 2, 0x100);
	assert_int_equal(irq_bank_commit(b, &d), -ENOSPC);
	assert_int_equal(d.code, FL_IRQ_NO_GSI);
	assert_non_null(strstr(d.what, "01:01.0"));
	assert_non_null(strstr(d.what, "1 vectors"));
	assert_int_equal(f->sink.commits, 2);
	assert_int_equal(irq_table_stats(f->t).routes, GSI_MAX);
	assert_int_equal(irq_bank_state(b, 0), IRQ_VECTOR_LIVE);
	assert_int_equal(irq_bank_state(b, 1), IRQ_VECTOR_NEW);
	/* Still none, and no table is written for it again. */
	assert_int_equal(irq_bank_commit(b, &d), -ENOSPC);
	assert_int_equal(f->sink.commits, 2);
	irq_bank_unstage(a, 3);
	assert_int_equal(irq_bank_commit(a, &d), 0);
	assert_int_equal(irq_bank_commit(b, &d), 0);
	assert_int_equal(irq_bank_state(b, 1), IRQ_VECTOR_LIVE);
	irq_bank_free(a);
	irq_bank_free(b);
}

/* All of KVM's routes. */
static void test_4096(void **state)
{
	struct sink *s = calloc(1, sizeof(*s));
	struct irq_table *t = NULL;
	struct irq_bank *b[3] = { 0 };
	struct diag d = { 0 };

	(void)state;
	assert_non_null(s);
	assert_int_equal(irq_table_new(&OPS, s, GSI_BASE, 4096 - GSI_BASE, &t),
	                 0);
	for (unsigned i = 0; i < 3; i++) {
		/* Few eventfds: only routes are of interest here. */
		assert_int_equal(irq_bank_new(t, i, IRQ_VECTORS_MAX, &b[i]), 0);
		s->fail_add = EMFILE;
		for (unsigned v = 0; v < IRQ_VECTORS_MAX; v++)
			assert_int_equal(irq_bank_stage(b[i], v, msg(v)), 0);
	}
	assert_true(irq_bank_commit(b[0], &d) < 0);
	assert_true(irq_bank_commit(b[1], &d) < 0);
	assert_int_equal(irq_table_stats(t).routes, 4096 - GSI_BASE);
	for (unsigned i = 0; i < 3; i++)
		irq_bank_free(b[i]);
	assert_int_equal(irq_table_stats(t).routes, 0);
	irq_table_free(t);
	free(s);
}

/* Holes are filled from below, over the borders of the table's words, and the
 * routes written are those in use, in GSI order. */
static void test_free_list(void **state)
{
	struct sink *s = calloc(1, sizeof(*s));
	struct irq_table *t = NULL;
	struct irq_bank *a = NULL, *b = NULL;
	static const unsigned hole[] = { 3, 63, 64, 127, 199 };

	(void)state;
	assert_non_null(s);
	assert_int_equal(irq_table_new(&OPS, s, GSI_BASE, 200, &t), 0);
	assert_int_equal(irq_bank_new(t, 0, 200, &a), 0);
	assert_int_equal(irq_bank_new(t, 1, 8, &b), 0);
	for (unsigned v = 0; v < 200; v++)
		assert_int_equal(irq_bank_stage(a, v, msg(v)), 0);
	assert_int_equal(irq_bank_commit(a, NULL), 0);
	assert_int_equal(s->n_routes, 200);
	for (size_t i = 0; i < ARRAY_SIZE(hole); i++)
		irq_bank_unstage(a, hole[i]);
	assert_int_equal(irq_bank_commit(a, NULL), 0);
	assert_int_equal(irq_table_stats(t).routes, 195);
	for (unsigned v = 0; v < ARRAY_SIZE(hole); v++)
		assert_int_equal(irq_bank_stage(b, v, msg(1000 + v)), 0);
	assert_int_equal(irq_bank_commit(b, NULL), 0);
	assert_int_equal(s->n_routes, 200);
	for (unsigned v = 0; v < ARRAY_SIZE(hole); v++)
		assert_int_equal(s->route[hole[v]].msg.data,
		                 msg(1000 + v).data);
	/* Full; one given back is found again. */
	assert_int_equal(irq_bank_stage(b, 5, msg(5)), 0);
	assert_int_equal(irq_bank_commit(b, NULL), -ENOSPC);
	irq_bank_unstage(a, 150);
	assert_int_equal(irq_bank_commit(a, NULL), 0);
	assert_int_equal(irq_bank_commit(b, NULL), 0);
	assert_int_equal(s->route[150].msg.data, msg(5).data);
	/* The table ends with the last that is used. */
	irq_bank_free(a);
	assert_int_equal(irq_bank_stage(b, 6, msg(6)), 0);
	assert_int_equal(irq_bank_commit(b, NULL), 0);
	assert_int_equal(s->n_routes, 7);
	assert_int_equal(s->route[0].gsi, GSI_BASE);
	irq_bank_free(b);
	irq_table_free(t);
	free(s);
}

/* The kernel refuses the table: the old messages are still the live ones. */
static void test_refused_routes(void **state)
{
	struct fix *f = *state;
	struct irq_bank *b = bank_of(f, 3);
	struct diag d = { 0 };

	stage(b, 0, 2, 0x20);
	assert_int_equal(irq_bank_commit(b, NULL), 0);
	stage(b, 0, 3, 0x30);
	f->sink.fail_routes = EINVAL;
	assert_int_equal(irq_bank_commit(b, &d), -EINVAL);
	assert_int_equal(d.code, FL_IRQ_ROUTES);
	assert_int_equal(irq_bank_state(b, 0), IRQ_VECTOR_STALE);
	assert_int_equal(irq_bank_state(b, 2), IRQ_VECTOR_NEW);
	assert_int_equal(irq_bank_live(b), 2);
	assert_int_equal(irq_table_stats(f->t).routes, 2);
	assert_int_equal(irq_table_stats(f->t).commits, 1);
	f->sink.fail_routes = 0;
	assert_int_equal(irq_bank_commit(b, &d), 0);
	assert_int_equal(find(&f->sink, GSI_BASE)->msg.data, 0x30);
	assert_int_equal(irq_bank_live(b), 3);
	irq_bank_free(b);
}

/* One vector's irqfd is refused: the others live, and it may try again. */
static void test_refused_irqfd(void **state)
{
	struct fix *f = *state;
	struct irq_bank *b = bank_of(f, 3);
	struct diag d = { 0 };

	stage(b, 0, 3, 0x20);
	f->sink.fail_add = EBUSY;
	f->sink.fail_gsi = GSI_BASE + 1;
	assert_int_equal(irq_bank_commit(b, &d), -EBUSY);
	assert_int_equal(d.code, FL_IRQ_IRQFD);
	assert_int_equal(irq_bank_live(b), 2);
	assert_int_equal(irq_bank_state(b, 1), IRQ_VECTOR_NEW);
	f->sink.fail_add = 0;
	assert_int_equal(irq_bank_commit(b, &d), 0);
	assert_int_equal(irq_bank_live(b), 3);
	assert_int_equal(f->sink.commits, 1);
	irq_bank_free(b);
}

static void test_bad_arguments(void **state)
{
	struct fix *f = *state;
	struct irq_bank *b = NULL;
	struct irq_table *t = NULL;

	assert_int_equal(irq_bank_new(f->t, 0, 0, &b), -EINVAL);
	assert_int_equal(irq_bank_new(f->t, 0, IRQ_VECTORS_MAX + 1, &b),
	                 -EINVAL);
	assert_int_equal(irq_table_new(&OPS, NULL, 0, 0, &t), -EINVAL);
	assert_int_equal(irq_table_new(&OPS, NULL, UINT32_MAX, 2, &t), -EINVAL);
	assert_null(b);
	assert_null(t);
	b = bank_of(f, 2);
	assert_int_equal(irq_bank_stage(b, 2, msg(0)), -EINVAL);
	assert_int_equal(irq_bank_eventfd(b, 2), -EINVAL);
	assert_int_equal(irq_bank_commit(b, NULL), 0); /* of nothing */
	assert_int_equal(f->sink.commits, 0);
	irq_bank_free(b);
	irq_bank_free(NULL);
	irq_table_free(NULL);
}

/* The eventfd that VFIO got before the commit is the one that is tied, and a
 * new one is used after a clear. */
static void test_eventfd(void **state)
{
	struct fix *f = *state;
	struct irq_bank *b = bank_of(f, 1);
	int fd = irq_bank_eventfd(b, 0);

	assert_true(fd >= 0);
	assert_int_equal(irq_bank_eventfd(b, 0), fd);
	stage(b, 0, 1, 1);
	assert_int_equal(irq_bank_commit(b, NULL), 0);
	assert_int_equal(f->sink.tied[0], fd + 1);
	irq_bank_clear(b);
	assert_int_equal(f->sink.tied[0], 0);
	assert_int_equal(irq_bank_state(b, 0), IRQ_VECTOR_UNUSED);
	assert_int_equal(fcntl(fd, F_GETFD), -1); /* closed */
	irq_bank_free(b);
}

/* A message of zeros is one, too: it needs its route. */
static void test_zero_message(void **state)
{
	struct fix *f = *state;
	struct irq_bank *b = bank_of(f, 1);

	assert_int_equal(irq_bank_stage(b, 0, (struct irq_msg){ 0 }), 0);
	assert_int_equal(irq_bank_commit(b, NULL), 0);
	assert_int_equal(f->sink.commits, 1);
	irq_bank_free(b);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_one_commit),
		T(test_states),
		T(test_hold),
		T(test_reuse),
		T(test_full),
		T(test_refused_routes),
		T(test_refused_irqfd),
		T(test_bad_arguments),
		T(test_eventfd),
		T(test_zero_message),
		cmocka_unit_test(test_4096),
		cmocka_unit_test(test_free_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
