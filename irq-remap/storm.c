/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One interrupt source that may storm: pure, fed with counts and times.
 *
 * A source above its limit is masked for a while. When it is let go and storms
 * again, it is masked for twice as long, and so on. The time starts small
 * again once the source has kept its limit for as long as it was last masked:
 * a source that pauses for one sample does not shake off its past.
 */

#include "irq-remap/irq-remap.h"

#define SECOND 1000000000ull
#define MS 1000000ull

static bool above(uint64_t interrupts, uint64_t elapsed_ns, uint32_t per_second)
{
	uint64_t have, may;

	/* What does not fit in 64 bits is a count no source reaches, and a
	 * time (500 years at one a second) that nobody waits. */
	if (__builtin_mul_overflow(interrupts, SECOND, &have))
		return true;
	if (__builtin_mul_overflow(elapsed_ns, (uint64_t)per_second, &may))
		return false;
	return have > may;
}

static enum irq_storm_verdict begin_storm(struct irq_storm *s,
                                          const struct irq_storm_limit *l,
                                          uint64_t now_ns)
{
	uint64_t next = s->off_ms ? 2ull * s->off_ms : l->first_ms;

	s->off_ms = (uint32_t)MIN(next, (uint64_t)l->longest_ms);
	s->until_ns = now_ns + s->off_ms * MS;
	s->quiet_ns = 0;
	s->masked++;
	return IRQ_STORM_MASK;
}

static void stay_quiet(struct irq_storm *s, uint64_t since_ns, uint64_t now_ns)
{
	if (!s->quiet_ns)
		s->quiet_ns = since_ns;
	if (now_ns - s->quiet_ns >= s->off_ms * MS)
		s->off_ms = 0;
}

/* The count is taken from here on. */
static enum irq_storm_verdict mark(struct irq_storm *s, uint64_t now_ns,
                                   uint64_t count, enum irq_storm_verdict v)
{
	s->since_ns = now_ns;
	s->count = count;
	return v;
}

enum irq_storm_verdict irq_storm_sample(struct irq_storm *s,
                                        const struct irq_storm_limit *l,
                                        uint64_t now_ns, uint64_t count)
{
	uint64_t since = s->since_ns, before = s->count;

	if (s->until_ns) {
		bool over = now_ns >= s->until_ns || !l->per_second;

		if (over)
			s->until_ns = 0;
		return mark(s, now_ns, count,
		            over ? IRQ_STORM_UNMASK : IRQ_STORM_NONE);
	}
	(void)mark(s, now_ns, count, IRQ_STORM_NONE);
	if (!l->per_second || !since || now_ns <= since || count < before)
		return IRQ_STORM_NONE;
	if (above(count - before, now_ns - since, l->per_second))
		return begin_storm(s, l, now_ns);
	stay_quiet(s, since, now_ns);
	return IRQ_STORM_NONE;
}
