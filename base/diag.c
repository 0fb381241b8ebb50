/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Refusals as text. A diag is filled from what the kernel, a file or a guest
 * said, so control characters and broken UTF-8 are taken out before they
 * reach a terminal, a log or a JSON document: one line stays one line.
 */

#include <stdarg.h>
#include <stdio.h>

#include "base/base.h"

/* Length of the UTF-8 sequence at `s`, 0 where there is none (RFC 3629: no
 * overlong forms, no surrogates; nor C1 controls, which move cursors too). */
static unsigned utf8_length(const unsigned char *s)
{
	static const struct {
		unsigned char lo, hi;   /* first byte */
		unsigned char lo2, hi2; /* second byte */
		unsigned char len;
	} forms[] = {
		{ 0xc2, 0xc2, 0xa0, 0xbf, 2 }, { 0xc3, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if (s[0] < forms[i].lo || s[0] > forms[i].hi)
			continue;
		if (s[1] < forms[i].lo2 || s[1] > forms[i].hi2)
			return 0;
		for (unsigned k = 2; k < forms[i].len; k++)
			if ((s[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].len;
	}
	return 0;
}

/* One line that a terminal, a log and a JSON document all take. A sequence
 * that the line's end cut in two shows as question marks. */
static void make_printable(char line[static DIAG_LINE])
{
	unsigned char *s = (unsigned char *)line;

	while (*s) {
		if (*s < 0x20 || *s == 0x7f) {
			*s++ = ' ';
		} else if (*s < 0x80) {
			s++;
		} else {
			unsigned n = utf8_length(s);

			if (!n)
				*s = '?';
			s += n ? n : 1;
		}
	}
	/* A kernel's text often ends with the newline just made a space. */
	while (s > (unsigned char *)line && s[-1] == ' ')
		*--s = '\0';
}

static void fill(char line[static DIAG_LINE], const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
static void fill(char line[static DIAG_LINE], const char *fmt, va_list ap)
{
	if (vsnprintf(line, DIAG_LINE, fmt, ap) < 0)
		line[0] = '\0';
	make_printable(line);
}

/* Of errors that have nothing to do with what was tried. */
static const char *mend_of(int err)
{
	switch (err) {
	case -ENOMEM:
		return "free memory on this host (see `free -m`), then try "
		       "again";
	case -EMFILE:
		return "raise the limit of open files: prlimit --nofile, or "
		       "LimitNOFILE= of the unit";
	case -ENFILE:
		return "sysctl fs.file-nr: the host's files have run out; "
		       "raise fs.file-max";
	default:
		return "";
	}
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
	diag_mend(d, "%s", mend_of(err));
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

void diag_mend_else(struct diag *d, const char *fmt, ...)
{
	va_list ap;

	if (!d || d->mend[0])
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
