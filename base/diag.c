/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Refusals as text. A diag is filled from what the kernel, a file or a guest
 * said, so control characters are made visible before they reach a terminal
 * or a log: one line stays one line.
 */

#include <stdarg.h>
#include <stdio.h>

#include "base/base.h"

/* UTF-8 passes; what could move a cursor or end the line does not. */
static void make_printable(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = ' ';
}

static void fill(char line[static DIAG_LINE], const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
static void fill(char line[static DIAG_LINE], const char *fmt, va_list ap)
{
	size_t n;

	if (vsnprintf(line, DIAG_LINE, fmt, ap) < 0)
		line[0] = '\0';
	make_printable(line);
	/* A kernel's text often ends with the newline just made a space. */
	for (n = 0; line[n]; n++)
		;
	while (n && line[n - 1] == ' ')
		line[--n] = '\0';
}

int diag_fail(struct diag *d, int err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!d)
		return err;
	/* Filled apart: the arguments may point into *d itself. */
	char what[DIAG_LINE];
	va_start(ap, fmt);
	fill(what, fmt, ap);
	va_end(ap);
	*d = (struct diag){ .code = code, .err = err };
	snprintf(d->what, sizeof(d->what), "%s", what);
	return err;
}

void diag_why(struct diag *d, const char *fmt, ...)
{
	va_list ap;

	if (!d)
		return;
	va_start(ap, fmt);
	fill(d->why, fmt, ap);
	va_end(ap);
}

void diag_mend(struct diag *d, const char *fmt, ...)
{
	va_list ap;

	if (!d)
		return;
	va_start(ap, fmt);
	fill(d->mend, fmt, ap);
	va_end(ap);
}

int diag_format(const struct diag *d, char *buf, size_t size)
{
	return snprintf(buf, size, "FL-%04d: %s\n%s%s%s%s%s%s", d->code,
	                d->what, d->why[0] ? "  why: " : "", d->why,
	                d->why[0] ? "\n" : "", d->mend[0] ? "  mend: " : "",
	                d->mend, d->mend[0] ? "\n" : "");
}
