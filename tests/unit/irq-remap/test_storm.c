/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a source is masked, for how long, and when it is forgiven. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "irq-remap/irq-remap.h"

#define SECOND 1000000000ull
#define MS 1000000ull

static const struct irq_storm_limit LIMIT = {
	.per_second = 1000,
	.first_ms = 1000,
	.longest_ms = 8000,
};

struct play {
	struct irq_storm s;
	uint64_t now, count;
};

/* `ms` later the source has fired `more` times. */
static enum irq_storm_verdict after(struct play *p, unsigned ms, uint64_t more)
{
	p->now += ms * MS;
	p->count += more;
	return irq_storm_sample(&p->s, &LIMIT, p->now, p->count);
}

static struct play begin(void)
{
	struct play p = { .now = 7 * SECOND, .count = 1000000 };

	/* What was before the first sample is nobody's rate. */
	assert_int_equal(after(&p, 1, 0), IRQ_STORM_NONE);
	return p;
}

static void test_rate(void **state)
{
	struct play p = begin();

	(void)state;
	assert_int_equal(after(&p, 1000, 1000), IRQ_STORM_NONE);
	assert_int_equal(after(&p, 500, 500), IRQ_STORM_NONE);
	assert_int_equal(after(&p, 1000, 1001), IRQ_STORM_MASK);
	assert_int_equal(p.s.masked, 1);
	p = begin();
	/* A short burst between late samples is no storm. */
	assert_int_equal(after(&p, 10000, 10000), IRQ_STORM_NONE);
	assert_int_equal(after(&p, 1, 2), IRQ_STORM_MASK);
}

/* Masked 1, 2, 4, 8, 8 seconds. */
static void test_back_off(void **state)
{
	static const unsigned off[] = { 1000, 2000, 4000, 8000, 8000 };
	struct play p = begin();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(off); i++) {
		assert_int_equal(after(&p, 1000, 5000), IRQ_STORM_MASK);
		assert_int_equal(p.s.off_ms, off[i]);
		/* One that was under way when it was masked. */
		assert_int_equal(after(&p, off[i] - 1, 1), IRQ_STORM_NONE);
		assert_int_equal(after(&p, 1, 0), IRQ_STORM_UNMASK);
	}
	assert_int_equal(p.s.masked, ARRAY_SIZE(off));
}

static void test_forgiven(void **state)
{
	struct play p = begin();

	(void)state;
	assert_int_equal(after(&p, 1000, 5000), IRQ_STORM_MASK);
	assert_int_equal(after(&p, 1000, 0), IRQ_STORM_UNMASK);
	assert_int_equal(after(&p, 1000, 5000), IRQ_STORM_MASK);
	assert_int_equal(after(&p, 2000, 0), IRQ_STORM_UNMASK);
	/* One quiet second is not the two it was masked for. */
	assert_int_equal(after(&p, 1000, 10), IRQ_STORM_NONE);
	assert_int_equal(after(&p, 1000, 5000), IRQ_STORM_MASK);
	assert_int_equal(p.s.off_ms, 4000);
	assert_int_equal(after(&p, 4000, 0), IRQ_STORM_UNMASK);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(after(&p, 1000, 10), IRQ_STORM_NONE);
	assert_int_equal(after(&p, 1000, 5000), IRQ_STORM_MASK);
	assert_int_equal(p.s.off_ms, 1000);
}

/* What it raised while it was masked is one rate's worth of nothing. */
static void test_masked_counts(void **state)
{
	struct play p = begin();

	(void)state;
	assert_int_equal(after(&p, 1000, 5000), IRQ_STORM_MASK);
	assert_int_equal(after(&p, 1000, 900000), IRQ_STORM_UNMASK);
	assert_int_equal(after(&p, 1000, 900), IRQ_STORM_NONE);
}

/* The host's line went away and came anew: MSI-X was off meanwhile. */
static void test_backwards(void **state)
{
	struct play p = begin();

	(void)state;
	p.count = 3;
	assert_int_equal(after(&p, 1000, 0), IRQ_STORM_NONE);
	assert_int_equal(after(&p, 1000, 1000), IRQ_STORM_NONE);
	assert_int_equal(after(&p, 1000, 1001), IRQ_STORM_MASK);
	/* A clock that stands still divides by nothing. */
	p = begin();
	assert_int_equal(after(&p, 0, 5000), IRQ_STORM_NONE);
}

static void test_no_limit(void **state)
{
	struct irq_storm_limit none = LIMIT;
	struct play p = begin();

	(void)state;
	none.per_second = 0;
	assert_int_equal(
		irq_storm_sample(&p.s, &none, p.now + SECOND, UINT64_MAX),
		IRQ_STORM_NONE);
	/* Taken away while masked: let go at once. */
	p = begin();
	assert_int_equal(after(&p, 1000, 5000), IRQ_STORM_MASK);
	assert_int_equal(irq_storm_sample(&p.s, &none, p.now + 1, p.count),
	                 IRQ_STORM_UNMASK);
}

static void test_extremes(void **state)
{
	struct irq_storm s = { 0 };
	struct irq_storm_limit most = LIMIT;

	(void)state;
	most.per_second = UINT32_MAX;
	assert_int_equal(irq_storm_sample(&s, &most, 1, 0), IRQ_STORM_NONE);
	assert_int_equal(irq_storm_sample(&s, &most, 1 + SECOND, UINT64_MAX),
	                 IRQ_STORM_MASK);
	memset(&s, 0, sizeof(s));
	assert_int_equal(irq_storm_sample(&s, &most, 1, 0), IRQ_STORM_NONE);
	assert_int_equal(irq_storm_sample(&s, &most, UINT64_MAX, 1000),
	                 IRQ_STORM_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_back_off),
		cmocka_unit_test(test_forgiven),
		cmocka_unit_test(test_masked_counts),
		cmocka_unit_test(test_backwards),
		cmocka_unit_test(test_no_limit),
		cmocka_unit_test(test_extremes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
