/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `fairlead export --format ...`: see formats.h. */

#include "cli/formats.h"
#include "cli/function.h"

#include <stdarg.h>
#include <string.h>

static const struct {
	const char *name;
	int (*fn)(struct format *f);
} formats[] = {
	{ "libvirt", export_libvirt },
	{ "device-plugin", export_device_plugin },
	{ "openstack", export_openstack },
};

/* ---- what all formats share ---------------------------------------------- */

void format_left_out(struct format *f, const char *mark, const char *end,
                     const char *fmt, ...)
{
	char text[DIAG_LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "fairlead: not held: %s\n", text);
	/* XML's comments may not have "--". */
	for (char *c = text; *end && *c; c++)
		if (c[0] == '-' && c[1] == '-')
			*c = '~';
	fprintf(f->out, "%snot held: %s%s\n", mark, text, end);
}

size_t format_ranges(const struct pol_fn *fn, size_t n, char *buf, size_t size)
{
	size_t i = 0, at = 0;

	buf[0] = '\0';
	while (i < n && fn[i].nic == fn[0].nic && at < size) {
		size_t last = i;

		while (last + 1 < n && fn[last + 1].nic == fn[0].nic &&
		       fn[last + 1].vf == fn[last].vf + 1)
			last++;
		at += (size_t)snprintf(buf + at, size - at, "%s%u",
		                       i ? "," : "", fn[i].vf);
		if (last > i && at < size)
			at += (size_t)snprintf(buf + at, size - at, "-%u",
			                       fn[last].vf);
		i = last + 1;
	}
	return i;
}

/* ---- the verb ------------------------------------------------------------ */

static int refuse(const struct cli *c, struct format *f, const char *file)
{
	if (f->said)
		return f->said;
	if (f->d->code)
		return cli_refuse(c, CLI_REFUSED, f->d);
	return f->errs && f->errs->n ? cli_policy_errors(c, f->errs, file)
	                             : CLI_INTERNAL;
}

static int print(const struct cli *c, struct format *f, const char *file,
                 int (*fn)(struct format *f))
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r;

	/* All of it or nothing: half a network is worse than none. */
	f->out = open_memstream(&text, &len);
	if (!f->out)
		return CLI_INTERNAL;
	r = format_look(c, f);
	if (!r)
		r = fn(f);
	if (fclose(f->out) != 0)
		return CLI_INTERNAL;
	if (r < 0)
		return refuse(c, f, file);
	fwrite(text, 1, len, stdout);
	return CLI_OK;
}

int cli_export_as(const struct cli *c, const char *file)
{
	struct diag d = { 0 };
	struct format f = { .d = &d };
	struct pol_policy *p = NULL;
	_cleanup_close_ int root = -1;
	_cleanup_free_ char *text = NULL;
	int r = cli_policy_read(c, file, &p, &text, &f.len);

	if (r != CLI_OK)
		return r;
	root = cli_open_root(c, &d);
	if (root < 0) {
		pol_free(p);
		return cli_refuse(c, CLI_REFUSED, &d);
	}
	f.p = p;
	f.text = text;
	f.root_fd = root;
	r = CLI_USAGE;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (!strcmp(formats[i].name, c->format))
			r = print(c, &f, file, formats[i].fn);
	format_forget(&f);
	pol_free(p);
	if (r == CLI_USAGE)
		fprintf(stderr,
		        "fairlead: no format \"%s\"\n  mend: --format "
		        "libvirt, device-plugin or openstack\n",
		        c->format);
	return r;
}
