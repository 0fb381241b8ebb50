/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's CPUs in a host that is a tree of files, and in its lease. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/netd/tree.h"

#define CPU "sys/devices/system/cpu/"

/* Eight CPUs online of ten; n and n + 4 are of one core, and 8 and 9. */
static int setup(void **state)
{
	static struct tree t;

	tree_make(&t);
	put(&t, CPU "online", "0-5,8-9\n");
	put(&t, CPU "cpu0/topology/thread_siblings_list", "0,4\n");
	put(&t, CPU "cpu1/topology/thread_siblings_list", "1,5\n");
	put(&t, CPU "cpu4/topology/thread_siblings_list", "0,4\n");
	put(&t, CPU "cpu5/topology/thread_siblings_list", "1,5\n");
	put(&t, CPU "cpu8/topology/thread_siblings_list", "8-9\n");
	put(&t, CPU "cpu9/topology/thread_siblings_list", "8-9\n");
	*state = &t;
	return 0;
}

static struct pol_policy *policy(const char *cpus)
{
	static struct pol_errors errs;
	struct pol_policy *p;
	char text[512];

	snprintf(text, sizeof(text),
	         "version: 1\nguests:\n"
	         "  - { name: a, memory: 16M, kernel: /k, cpus: { %s } }\n"
	         "  - { name: b, memory: 16M, kernel: /k,\n"
	         "      cpus: { count: 1, pin: \"5\", emulator: \"9\" } }\n",
	         cpus);
	assert_int_equal(pol_parse(text, strlen(text), &p, &errs), 0);
	return p;
}

static int check(int root_fd, const char *cpus, struct work *w)
{
	const struct env e = { .root_fd = root_fd };
	struct pol_policy *p = policy(cpus);
	int r;

	*w = (struct work){ .env = &e, .reply = json_object() };
	r = cpus_check(w, p, &p->guest[0]);
	pol_free(p);
	return r;
}

static void host(void **state)
{
	static const struct {
		const char *cpus;
		int code;
	} row[] = {
		{ "count: 1", 0 },
		{ "count: 2, pin: \"0-1\", emulator: \"2\"", 0 },
		{ "count: 2, pin: \"0,6\"", FL_POL_CPU },
		{ "count: 1, emulator: \"7\"", FL_POL_CPU },
		{ "count: 2, pin: \"0,4\"", 0 },
		{ "count: 2, pin: \"0,4\", siblings: avoid", FL_POL_SIBLINGS },
		{ "count: 2, threads: 2, pin: \"0,4\", siblings: avoid", 0 },
		{ "count: 1, pin: \"1\", siblings: avoid", FL_POL_SIBLINGS },
		/* where the threads of b's VMM are */
		{ "count: 1, pin: \"8\", siblings: avoid", FL_POL_SIBLINGS },
		/* the kernel says nothing of their cores */
		{ "count: 2, pin: \"2-3\", siblings: avoid", 0 },
	};
	const struct tree *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct work w;
		int r = check(t->fd, row[i].cpus, &w);

		assert_int_equal(w.diag.code, row[i].code);
		assert_int_equal(r < 0, row[i].code != 0);
		assert_null(json_object_get(w.reply, "warnings"));
		json_decref(w.reply);
	}
}

/* Nothing is refused for want of /sys: the VMM looks, too. */
static void no_host(void **state)
{
	_cleanup_close_ int empty = -1;
	const struct tree *t = *state;
	struct work w;

	assert_int_equal(mkdirat(t->fd, "empty", 0755), 0);
	empty = openat(t->fd, "empty", O_RDONLY | O_DIRECTORY);
	assert_int_equal(check(empty, "count: 1, pin: \"7\"", &w), 0);
	assert_int_equal(json_array_size(json_object_get(w.reply, "warnings")),
	                 1);
	json_decref(w.reply);
}

static void described(const char *cpus, const char *want)
{
	struct pol_policy *p = policy(cpus);
	json_t *got = json_object();
	char *text;

	cpus_describe(got, &p->guest[0].cpu);
	text = json_dumps(got, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, want);
	free(text);
	json_decref(got);
	pol_free(p);
}

static void lease(void **state)
{
	(void)state;
	described("count: 4", "{}");
	described("count: 4, pin: \"3,0-2\", emulator: \"4\", sockets: 2, "
	          "scheduler: fifo, priority: 7, halt-poll: 0us",
	          "{\"cores\":2,\"emulator\":[4],\"fifo\":7,"
	          "\"halt_poll_ns\":0,\"pin\":[3,0,1,2],\"sockets\":2,"
	          "\"threads\":1}");
	described("count: 2, halt-poll: 50us, apic-id-shift: 4",
	          "{\"apic_id_shift\":4,\"halt_poll_ns\":50000}");
}

/* Of this process itself, which may lower what it has: the soft limit. */
static void raised(void **state)
{
	struct rlimit before, now;
	struct work w = { .peer = { .pid = getpid(), .pidfd = -1 } };

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	now = before;
	now.rlim_cur = 64;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
	assert_int_equal(limit_raise(&w, RLIMIT_NOFILE, 100), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
	assert_int_equal(now.rlim_cur, 100);
	/* Never down. */
	assert_int_equal(limit_raise(&w, RLIMIT_NOFILE, 50), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
	assert_int_equal(now.rlim_cur, 100);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host),
		cmocka_unit_test(no_host),
		cmocka_unit_test(lease),
		cmocka_unit_test(raised),
	};

	return cmocka_run_group_tests(tests, setup, tree_teardown);
}
