/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_LATENCY_H
#define FL_LATENCY_H

/*
 * latency: measuring passthrough against emulation, and saying so honestly.
 *
 * Theory of operation
 *   Samples are nanoseconds (or icount instructions; the unit is a label).
 *   They go into a histogram of constant relative error: LAT_DIGITS decimal
 *   digits whatever the magnitude, so that a maximum is as exact as a median
 *   and histograms of several runs can be merged. Percentiles are never
 *   averaged; runs are merged, then asked.
 *
 *   lat_report() sets two histograms side by side, percentile by percentile,
 *   with the ratio of the first to the second. A percentile is left out when
 *   fewer than LAT_TAIL samples lie beyond it: with 100 samples there is no
 *   p99.9, and none is printed.
 *
 * This is the report half. There is no agent and no runner yet, which would
 * make the samples inside a guest: samples are read from files, a number a
 * line.
 *
 * Limits: any uint64_t is a sample; LAT_BUCKETS counters, 440 KiB each.
 */

#include "base/base.h"

#include <stdio.h>

#define LAT_SUB_BITS 10 /* 1024 steps an octave: error below 0.1 % */
#define LAT_DIGITS 3
#define LAT_BUCKETS ((64 - LAT_SUB_BITS + 1) << LAT_SUB_BITS)
#define LAT_TAIL 3

/* ---- errors: FL-10xx ---- */
enum {
	FL_LAT_SAMPLE = 1001, /* line of a sample file is no number */
	FL_LAT_EMPTY = 1002,
};

struct lat_hist {
	uint64_t n, min, max;
	uint64_t count[LAT_BUCKETS];
};
_must_check_ struct lat_hist *lat_hist_new(void); /* NULL: no memory */
void lat_hist_free(struct lat_hist *h);
void lat_record(struct lat_hist *h, uint64_t value);
void lat_merge(struct lat_hist *to, const struct lat_hist *from);
/* The smallest recorded value v, within the histogram's error and never
 * beyond the maximum, such that `ppm` millionths of all samples are <= v.
 * ppm 0 is the minimum, 1000000 the maximum. Empty: 0. */
uint64_t lat_percentile(const struct lat_hist *h, uint32_t ppm);
/* True when at least LAT_TAIL samples lie beyond the percentile. */
bool lat_percentile_known(const struct lat_hist *h, uint32_t ppm);

/* Samples from text, a number a line, '#' begins a comment. On -EINVAL the
 * diag names file and line. */
_must_check_ int lat_read(FILE *f, const char *name, struct lat_hist *h,
                          struct diag *d);
/* `b` may be NULL: one column. -ENODATA FL_LAT_EMPTY for no samples. */
_must_check_ int lat_report(FILE *out, const char *name_a,
                            const struct lat_hist *a, const char *name_b,
                            const struct lat_hist *b, struct diag *d);

#endif
