/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A log-linear histogram: values below 2^(SUB+1) have a counter each, every
 * octave above has 2^SUB of them. Index and value are each other's inverse
 * by shifts alone.
 */

#include "latency/latency.h"

#define SUB_COUNT ((size_t)1 << LAT_SUB_BITS)

static size_t index_of(uint64_t v)
{
	unsigned shift;

	if (v < 2 * SUB_COUNT)
		return (size_t)v;
	shift = 63u - (unsigned)__builtin_clzll(v) - LAT_SUB_BITS;
	return ((size_t)shift << LAT_SUB_BITS) + (size_t)(v >> shift);
}

/* The largest value that falls into the counter: percentiles must not claim
 * less than what was seen. */
static uint64_t top_of(size_t index)
{
	size_t shift = index >> LAT_SUB_BITS;

	if (index < 2 * SUB_COUNT)
		return index;
	shift--;
	return (((uint64_t)(index - (shift << LAT_SUB_BITS)) + 1) << shift) - 1;
}

struct lat_hist *lat_hist_new(void)
{
	struct lat_hist *h = calloc(1, sizeof(*h));

	if (h)
		h->min = UINT64_MAX;
	return h;
}

void lat_hist_free(struct lat_hist *h)
{
	free(h);
}

void lat_record(struct lat_hist *h, uint64_t value)
{
	h->count[index_of(value)]++;
	h->n++;
	h->min = MIN(h->min, value);
	h->max = MAX(h->max, value);
}

void lat_merge(struct lat_hist *to, const struct lat_hist *from)
{
	for (size_t i = 0; i < LAT_BUCKETS; i++)
		to->count[i] += from->count[i];
	to->n += from->n;
	to->min = MIN(to->min, from->min);
	to->max = MAX(to->max, from->max);
}

/* How many samples must lie at or below the answer; n * ppm may not fit. */
static uint64_t rank_of(const struct lat_hist *h, uint32_t ppm)
{
	unsigned __int128 r = (unsigned __int128)h->n * ppm;

	return (uint64_t)((r + 999999) / 1000000);
}

uint64_t lat_percentile(const struct lat_hist *h, uint32_t ppm)
{
	uint64_t want, seen = 0;

	if (!h->n)
		return 0;
	want = rank_of(h, MIN(ppm, 1000000u));
	if (!want)
		return h->min;
	for (size_t i = 0; i < LAT_BUCKETS; i++) {
		seen += h->count[i];
		if (seen >= want)
			return MIN(top_of(i), h->max);
	}
	return h->max;
}

bool lat_percentile_known(const struct lat_hist *h, uint32_t ppm)
{
	return h->n - rank_of(h, MIN(ppm, 1000000u)) >= LAT_TAIL;
}
