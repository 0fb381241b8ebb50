/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_TEST_POLICY_PARSE_H
#define FL_TEST_POLICY_PARSE_H

/* A good file as its structs. */

#include "tests/unit/policy/golden.h"

static struct pol_errors errs;
static struct text file, got, want;

static inline struct pol_policy *parse(const char *path)
{
	struct pol_policy *p = NULL;

	text_read(&file, path);
	if (pol_parse(file.buf, file.n, &p, &errs)) {
		got.n = 0;
		text_errors(&got, &errs);
		fail_msg("%s: %s", path, got.buf);
	}
	return p;
}

#endif
