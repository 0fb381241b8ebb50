/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_CLI_METRICS_PRIV_H
#define FL_CLI_METRICS_PRIV_H

/* Shared by metrics*.c: how a series is written. */

#include "cli/metrics.h"

#include <stdio.h>

#define METRICS_LABELS 3

struct metrics_out {
	FILE *f;
	const json_t *reply;
};
void metrics_head(const struct metrics_out *o, const char *name,
                  const char *type, const char *help);
/* name{label="value",...} and a blank. LABELS("label", value, ..., NULL). */
#define LABELS(...)                                                            \
	(const char *const[])                                                  \
	{                                                                      \
		__VA_ARGS__                                                    \
	}
void metrics_series(const struct metrics_out *o, const char *name,
                    const char *const *labels);
void metrics_whole(const struct metrics_out *o, json_int_t n);

/* A metric with a series for each object of a list. */
struct metrics_list {
	const char *name, *type, *help;
	/* "label", the key of its value, ... */
	const char *labels[METRICS_LABELS * 2 + 1];
	/* Of the value, true being 1; an object without has no series. NULL: 1
	 * for each. */
	const char *key;
};
void metrics_lists(const struct metrics_out *o, const json_t *list,
                   const struct metrics_list *m, size_t n);
/* One without labels; where `n` is no number it has no series. */
void metrics_one(const struct metrics_out *o, const struct metrics_list *m,
                 const json_t *n);

/* metrics-drift.c */
void metrics_drift(const struct metrics_out *o);

#endif
