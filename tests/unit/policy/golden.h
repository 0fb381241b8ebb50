/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_TEST_POLICY_GOLDEN_H
#define FL_TEST_POLICY_GOLDEN_H

/*
 * Files with expected text. With GOLDEN_UPDATE=1 in the environment the
 * expectation is written instead of compared: read the difference in git
 * before committing it.
 */

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/policy.h"

#define TEXT_MAX (64u << 10)

struct text {
	char buf[TEXT_MAX];
	size_t n;
};

_printf_(2, 3) static inline void text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->n, sizeof(t->buf) - t->n, fmt, ap);
	va_end(ap);
	assert_true(n >= 0 && (size_t)n < sizeof(t->buf) - t->n);
	t->n += (size_t)n;
}

static inline void text_read(struct text *t, const char *path)
{
	FILE *f = fopen(path, "r");

	if (!f)
		fail_msg("%s: cannot be read", path);
	t->n = fread(t->buf, 1, sizeof(t->buf) - 1, f);
	t->buf[t->n] = '\0';
	fclose(f);
}

static inline bool golden_update(void)
{
	return getenv("GOLDEN_UPDATE") != NULL;
}

static inline void text_write(const char *path, const char *s)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(s, f);
	fclose(f);
}

/* Each must say what mends it. */
static inline void text_errors(struct text *t, const struct pol_errors *errs)
{
	char buf[4 * DIAG_LINE];

	for (size_t i = 0; i < errs->n; i++) {
		pol_error_format(&errs->e[i], "policy.yaml", buf, sizeof(buf));
		text_add(t, "%s", buf);
		if (!*errs->e[i].diag.mend)
			fail_msg("no mend: %s", buf);
	}
	if (errs->dropped)
		text_add(t, "and %zu more\n", errs->dropped);
}

/* Calls `fn` with each file of `dir` that ends so, in order; returns how
 * many. */
static inline int each_file(const char *dir, const char *suffix,
                            void (*fn)(const char *path))
{
	struct dirent **list;
	char path[512];
	int n = scandir(dir, &list, NULL, alphasort), found = 0;

	if (n < 0)
		fail_msg("%s: cannot be read (run from the top folder)", dir);
	for (int i = 0; i < n; i++) {
		size_t len = strlen(list[i]->d_name), sl = strlen(suffix);

		if (len > sl && !strcmp(list[i]->d_name + len - sl, suffix)) {
			snprintf(path, sizeof(path), "%s/%s", dir,
			         list[i]->d_name);
			fn(path);
			found++;
		}
		free(list[i]);
	}
	free(list);
	return found;
}

#endif
