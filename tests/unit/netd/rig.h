/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_TEST_NETD_RIG_H
#define FL_TEST_NETD_RIG_H

/* Transactions over the machine of sim.h, with real files of the journal. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "netd/history.h"
#include "tests/unit/netd/sim.h"

struct rig {
	struct sim *sim;
	struct state_dir dir;
	struct env env;
	struct diag d;
	struct pol_errors errs;
	json_t *reply;
	const struct apply_ops *ops;
	uint32_t confirm_s; /* of the next applies; 0 = not asked for */
	struct allow allow; /* the same */
	bool early;         /* of the next applies */
	char before[2048];
};

static inline int rig_setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	r->sim = sim_new();
	r->ops = &sim_ops;
	dir_make(&r->dir);
	r->env.root_fd = -1;
	r->env.state_fd = r->dir.fd;
	sim_text(r->sim, r->before);
	*state = r;
	return 0;
}

static inline int rig_teardown(void **state)
{
	struct rig *r = *state;

	json_decref(r->reply);
	dir_drop(&r->dir);
	sim_free(r->sim);
	free(r);
	return 0;
}

static inline int rig_run(struct rig *r, const char *verb, struct intent *in)
{
	struct transaction t = { .env = &r->env,
		                 .ops = r->ops,
		                 .ctx = r->sim,
		                 .d = &r->d,
		                 .allow = r->allow,
		                 .verb = verb };

	json_decref(r->reply);
	t.reply = r->reply = json_object();
	memset(&r->d, 0, sizeof(r->d));
	r->sim->n = 0;
	return in->kind == INTENT_APPLY     ? transact_policy(&t, in, &r->errs)
	       : in->kind == INTENT_RESTORE ? transact_restore(&t, in)
	                                    : transact_rollback(&t, in);
}

static inline int rig_apply(struct rig *r, const char *text)
{
	struct intent in = { .policy = strdup(text),
		             .policy_len = strlen(text),
		             .file = "test.yaml",
		             .early = r->early,
		             .has_confirm = r->confirm_s != 0,
		             .confirm_s = r->confirm_s };

	return rig_run(r, "apply", &in);
}

static inline int rig_restore(struct rig *r)
{
	struct intent in = { .kind = INTENT_RESTORE };

	return rig_run(r, "restore", &in);
}

static inline int rig_rollback(struct rig *r)
{
	struct intent in = { .kind = INTENT_ROLLBACK };

	return rig_run(r, "rollback", &in);
}

/* What verb_recover does. */
static inline int rig_recover(struct rig *r)
{
	struct intent in = { 0 };
	int e = intent_read(r->dir.fd, &in, &r->d);

	return e == -ENOENT ? 0 : e ? e : rig_run(r, "recover", &in);
}

/* In a process that ends at the action `at`; false where there are not so
 * many. */
static inline bool rig_die(struct rig *r, int at, int (*what)(struct rig *r))
{
	int status;
	pid_t pid;

	r->sim->die_at = at;
	pid = fork();
	if (!pid)
		_exit(what(r) ? 1 : 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	r->sim->die_at = 0;
	assert_true(WIFEXITED(status));
	assert_true(WEXITSTATUS(status) == 9 || WEXITSTATUS(status) == 0);
	return WEXITSTATUS(status) == 9;
}

static inline void rig_machine(struct rig *r, const char *want)
{
	char now[2048];

	assert_string_equal(sim_text(r->sim, now), want);
}

static inline void rig_files(struct rig *r, const char *want)
{
	char list[256];

	assert_string_equal(dir_list(&r->dir, list), want);
}

static inline void rig_is(struct rig *r, const char *machine, const char *files)
{
	rig_machine(r, machine);
	rig_files(r, files);
}

/* What is applied, by the file. */
static inline void rig_applied(struct rig *r, const char *want)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;

	assert_int_equal(journal_get(r->dir.fd, JOURNAL_APPLIED_FILE, &text,
	                             &len, &r->d),
	                 0);
	assert_string_equal(text, want);
}

static inline void rig_fail(struct rig *r, int at, bool always)
{
	r->sim->fail_at = at;
	r->sim->fail_always = always;
	r->sim->fail_errno = -EIO;
	r->sim->fail_code = FL_NETD_LINK;
}

#endif
