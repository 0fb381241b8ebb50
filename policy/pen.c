/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text that grows piece by piece in a buffer. */

#include <stdarg.h>
#include <stdio.h>

#include "policy/priv.h"

void pen_put(struct pen *p, const char *fmt, ...)
{
	size_t left = p->n < p->size ? p->size - p->n : 0;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(left ? p->buf + p->n : NULL, left, fmt, ap);
	va_end(ap);
	p->n += n > 0 ? (size_t)n : 0;
}
