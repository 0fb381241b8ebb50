/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_TESTS_RUN_TOOL_H
#define FL_TESTS_RUN_TOOL_H

/* Programs of other packages that tests ask for their opinion. */

#include <stdio.h>
#include <stdlib.h>

/* A shell line that is to end with 0. */
#define RUN(...)                                                               \
	do {                                                                   \
		char run_[512];                                                \
		snprintf(run_, sizeof(run_), __VA_ARGS__);                     \
		if (system(run_) != 0)                                         \
			fail_msg("%s", run_);                                  \
	} while (0)

/* Skips the test, aloud, where the program is not there. */
#define WANT_TOOL(name, package)                                               \
	do {                                                                   \
		if (system("PATH=$PATH:/usr/sbin; command -v " name            \
		           " >/dev/null") != 0) {                              \
			print_message("skipped: no " name " (package " package \
			              ")\n");                                  \
			skip();                                                \
		}                                                              \
	} while (0)

#endif
