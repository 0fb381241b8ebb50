/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors with positions: added, ordered, formatted. */

#include <stdarg.h>
#include <stdio.h>

#include "policy/priv.h"

/* Statements that are wrong in themselves are -EINVAL. */
int pol_code_errno(int code)
{
	switch (code) {
	case FL_POL_NO_MATCH:
	case FL_POL_IDENTITY:
	case FL_POL_PF_DRIVER:
	case FL_POL_NO_IOMMU:
	case FL_POL_CPU:
	case FL_POL_NODE:
	case FL_POL_RESET:
	case FL_POL_OVERLAY_OUTER:
		return -ENODEV;
	case FL_POL_NODE_MEMORY:
	case FL_POL_PAGES:
		return -ENOMEM;
	case FL_POL_NO_IR:
	case FL_POL_HOST:
	case FL_POL_UNLISTED:
		return -EPERM;
	case FL_POL_TOTAL:
	case FL_POL_ADDRESS:
		return -ERANGE;
	case FL_POL_IN_USE:
	case FL_POL_GROUP:
	case FL_POL_HOST_USE:
	case FL_POL_HAS_VFS:
	case FL_POL_COMPANIONS:
	case FL_POL_SIBLINGS:
		return -EBUSY;
	default:
		return -EINVAL;
	}
}

struct diag *pol_err(struct pol_errors *errs, struct pol_pos pos, int code,
                     const char *fmt, ...)
{
	char what[DIAG_LINE];
	struct pol_error *e;
	va_list ap;

	if (errs->n == POL_ERRORS_MAX) {
		errs->dropped++;
		return NULL;
	}
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	e = &errs->e[errs->n++];
	e->pos = pos;
	e->file[0] = '\0';
	diag_fail(&e->diag, pol_code_errno(code), code, "%s", what);
	return &e->diag;
}

static bool before(const struct pol_error *a, const struct pol_error *b)
{
	if (a->pos.file != b->pos.file)
		return a->pos.file < b->pos.file;
	if (a->pos.line != b->pos.line)
		return a->pos.line < b->pos.line;
	return a->pos.column < b->pos.column;
}

/* Insertion: few, nearly in order, and equals stay as they came. */
void pol_errors_sort(struct pol_errors *errs, const struct pol_names *files)
{
	for (size_t i = 0; i < errs->n; i++)
		if (errs->e[i].pos.file < files->n)
			copy_text(errs->e[i].file, sizeof(errs->e[i].file),
			          files->name[errs->e[i].pos.file]);
	for (size_t i = 1; i < errs->n; i++) {
		struct pol_error e = errs->e[i];
		size_t j = i;

		for (; j && before(&e, &errs->e[j - 1]); j--)
			errs->e[j] = errs->e[j - 1];
		errs->e[j] = e;
	}
}

int pol_error_format(const struct pol_error *e, const char *file, char *buf,
                     size_t size)
{
	int n, more;

	n = e->pos.line ? snprintf(buf, size, "%s%s%s:%u:%u: ", file,
	                           *e->file ? "/" : "", e->file, e->pos.line,
	                           e->pos.column)
	                : snprintf(buf, size, "%s: ", file);
	if (n < 0)
		return n;
	more = (size_t)n < size
	               ? diag_format(&e->diag, buf + n, size - (size_t)n)
	               : diag_format(&e->diag, NULL, 0);
	return more < 0 ? more : n + more;
}
