/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_TESTS_CLI_STAND_IN_H
#define FL_TESTS_CLI_STAND_IN_H

/*
 * Runs the command that was built, with a daemon that answers as each test
 * says, and as the VMM this very program, which tells what it was started
 * with. So only the command itself is under test.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

#define ARGS_MAX 8
#define TEXT_MAX 65536

struct outcome {
	int status; /* exit status; 128 + n: ended by signal n */
	char out[TEXT_MAX], err[TEXT_MAX];
};

struct daemon {
	char dir[64], path[96];
	int listener;
	const char *then; /* the answer to what follows; NULL = the first's */
	/* What came first, after serve(). */
	char request[TEXT_MAX];
	int fds[FD_PASS_MAX];
	size_t n_fds;
};
int daemon_setup(void **state);
int daemon_teardown(void **state);

/* `args` ends with NULL. */
void run(struct outcome *o, const char *const *args);
/* As run, with one answer, to each request. `reply` NULL: close the connection.
 * "--socket PATH" is added. */
void run_served(struct outcome *o, struct daemon *d, const char *const *args,
                const char *reply, const int *fds, size_t n);

void expect_text(const struct outcome *o, const char *where, const char *text,
                 const char *want);
int text_memfd(const char *text);

/* Called first by main: does not return when we are started as the VMM. */
void stand_in_vmm(char *const *argv, char *const *envp);

#endif
