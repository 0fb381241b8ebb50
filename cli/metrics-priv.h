/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_CLI_METRICS_PRIV_H
#define FL_CLI_METRICS_PRIV_H

/* Shared by metrics*.c: how a series is written. */

#include "cli/metrics.h"

#include <stdio.h>

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

/* metrics-drift.c */
void metrics_drift(const struct metrics_out *o);

#endif
