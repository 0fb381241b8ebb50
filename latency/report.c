/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Samples in, a table out. The percentiles follow the curve that users of
 * latency reports know: each step a tenth of the tail before it.
 */

#include "latency/latency.h"

#include <inttypes.h>
#include <string.h>

static const struct {
	const char *name;
	uint32_t ppm;
} percentiles[] = {
	{ "min", 0 },          { "p50", 500000 },   { "p90", 900000 },
	{ "p99", 990000 },     { "p99.9", 999000 }, { "p99.99", 999900 },
	{ "p99.999", 999990 }, { "max", 1000000 },
};

/* 1 = a sample, 0 = nothing on the line, negative = not a number. */
static int parse_line(char *line, uint64_t *ret)
{
	char *end, *begin = line + strspn(line, " \t");

	begin[strcspn(begin, "#\r\n")] = '\0';
	end = begin + strlen(begin);
	while (end > begin && strchr(" \t", end[-1]))
		*--end = '\0';
	if (!*begin)
		return 0;
	return parse_u64(begin, UINT64_MAX, ret) < 0 ? -EINVAL : 1;
}

int lat_read(FILE *f, const char *name, struct lat_hist *h, struct diag *d)
{
	char line[128];
	uint64_t v = 0;

	for (unsigned n = 1; fgets(line, sizeof(line), f); n++) {
		int r = parse_line(line, &v);

		if (r < 0) {
			diag_fail(d, r, FL_LAT_SAMPLE,
			          "%s:%u: not a sample: \"%.40s\"", name, n,
			          line);
			diag_mend(d, "give one whole number a line, such as "
			             "nanoseconds; # begins a comment");
			return r;
		}
		if (r)
			lat_record(h, v);
	}
	if (!ferror(f))
		return 0;
	diag_fail(d, -EIO, FL_LAT_SAMPLE, "%s: cannot be read", name);
	diag_mend(d, "give a file of samples, or - for standard input");
	return -EIO;
}

static bool shown(const struct lat_hist *h, uint32_t ppm)
{
	return ppm == 0 || ppm == 1000000 || lat_percentile_known(h, ppm);
}

static void cell(FILE *out, const struct lat_hist *h, uint32_t ppm)
{
	if (shown(h, ppm))
		fprintf(out, " %14" PRIu64, lat_percentile(h, ppm));
	else
		fprintf(out, " %14s", "too few");
}

static void ratio(FILE *out, const struct lat_hist *a, const struct lat_hist *b,
                  uint32_t ppm)
{
	uint64_t vb = lat_percentile(b, ppm);

	if (shown(a, ppm) && shown(b, ppm) && vb)
		fprintf(out, " %8.3f",
		        (double)lat_percentile(a, ppm) / (double)vb);
	else
		fprintf(out, " %8s", "-");
}

static int require_samples(const char *name, const struct lat_hist *h,
                           struct diag *d)
{
	if (h->n)
		return 0;
	diag_fail(d, -ENODATA, FL_LAT_EMPTY, "%s has no samples", name);
	diag_mend(d, "measure again; an empty run has no percentiles");
	return -ENODATA;
}

int lat_report(FILE *out, const char *name_a, const struct lat_hist *a,
               const char *name_b, const struct lat_hist *b, struct diag *d)
{
	int r = require_samples(name_a, a, d);

	if (r == 0 && b)
		r = require_samples(name_b, b, d);
	if (r < 0)
		return r;

	fprintf(out, "%-8s %14.14s", "", name_a);
	if (b)
		fprintf(out, " %14.14s %8s", name_b, "ratio");
	fprintf(out, "\n%-8s %14" PRIu64, "samples", a->n);
	if (b)
		fprintf(out, " %14" PRIu64, b->n);
	fputc('\n', out);
	for (size_t i = 0; i < ARRAY_SIZE(percentiles); i++) {
		fprintf(out, "%-8s", percentiles[i].name);
		cell(out, a, percentiles[i].ppm);
		if (b) {
			cell(out, b, percentiles[i].ppm);
			ratio(out, a, b, percentiles[i].ppm);
		}
		fputc('\n', out);
	}
	return 0;
}
