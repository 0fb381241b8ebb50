/* SPDX-License-Identifier: GPL-2.0-or-later */

/* `fairlead latency`: sample files into histograms, side by side. */

#include "latency/latency.h"
#include "cli/cli.h"

#include <string.h>

static int load(const char *file, struct lat_hist **ret, struct diag *d)
{
	struct lat_hist *h;
	FILE *f = fopen(file, "re");
	int r;

	if (!f) {
		r = errno > 0 ? -errno : -EIO;
		diag_fail(d, r, FL_CLI_FILE, "cannot read the samples %s",
		          file);
		diag_why(d, "%s", strerror(-r));
		diag_mend(d, "name a file with one number a line");
		return r;
	}
	h = lat_hist_new();
	r = h ? lat_read(f, file, h, d) : -ENOMEM;
	fclose(f);
	if (r < 0) {
		lat_hist_free(h);
		return r;
	}
	*ret = h;
	return 0;
}

static json_t *hist_json(const char *name, const struct lat_hist *h)
{
	static const struct {
		const char *key;
		uint32_t ppm;
	} rows[] = {
		{ "min", 0 },      { "p50", 500000 },   { "p90", 900000 },
		{ "p99", 990000 }, { "p99.9", 999000 }, { "max", 1000000 },
	};
	json_t *o = json_pack("{s:s, s:I}", "name", name, "samples",
	                      (json_int_t)h->n);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool known = rows[i].ppm == 0 || rows[i].ppm == 1000000 ||
		             lat_percentile_known(h, rows[i].ppm);

		json_object_set_new(
			o, rows[i].key,
			known ? json_integer((json_int_t)lat_percentile(
					h, rows[i].ppm))
			      : json_null());
	}
	return o;
}

static int print(const struct cli *c, char *const *args, struct lat_hist *h[2],
                 unsigned n, struct diag *d)
{
	json_t *runs;

	if (!c->json)
		return lat_report(stdout, args[0], h[0], n > 1 ? args[1] : NULL,
		                  h[1], d);
	runs = json_array();
	for (unsigned i = 0; i < 2 && h[i]; i++)
		json_array_append_new(runs, hist_json(args[i], h[i]));
	return cli_print_json(json_pack("{s:b, s:o}", "ok", 1, "runs", runs));
}

int cli_latency(const struct cli *c, char *const *args, unsigned n)
{
	struct lat_hist *h[2] = { NULL, NULL };
	struct diag d = { 0 };
	int r = 0;

	for (unsigned i = 0; i < MIN(n, 2u) && r == 0; i++)
		r = load(args[i], &h[i], &d);
	if (r == 0)
		r = print(c, args, h, n, &d);
	lat_hist_free(h[0]);
	lat_hist_free(h[1]);
	return r < 0 ? cli_refuse(c, CLI_REFUSED, &d) : r;
}
