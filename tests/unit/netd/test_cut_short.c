/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A change whose worker is killed: another finishes what is in the journal,
 * and nobody has to start the daemon anew. The test has the journal's lock, so
 * that workers are where it wants them. */

#include <sys/file.h>

#include "tests/unit/netd/daemon.h"

/* One that is not `but`; 0 = none comes. */
static pid_t next_worker(const struct daemon *d, pid_t but)
{
	for (int i = 0; i < 100; i++) {
		pid_t pid = worker_of(d);

		if (pid && pid != but)
			return pid;
		usleep(10000);
	}
	return 0;
}

static int take_lock(int state_fd)
{
	int fd = openat(state_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	return fd;
}

/* As an apply has it that has begun. */
static void put_intent(int state_fd)
{
	struct intent in = { .policy = strdup("version: 1\n"),
		             .policy_len = 11,
		             .file = "cut.yaml" };
	struct diag diag;

	in.before = calloc(1, sizeof(*in.before));
	assert_int_equal(intent_write(state_fd, &in, &diag), 0);
	intent_clear(&in);
}

static int open_state(const struct daemon *d)
{
	int fd = openat(d->dir.fd, "state", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static bool settles(int state_fd)
{
	for (int i = 0; i < 500; i++) {
		if (journal_phase(state_fd, NULL) == JOURNAL_APPLIED)
			return true;
		usleep(10000);
	}
	return false;
}

/* An apply that waits for the lock, and then is dead. */
static void cut_apply(const struct daemon *d, int state)
{
	int fd = dial(d);
	pid_t pid;

	wait_idle(d);
	send_policy(fd, "apply", "version: 1\n");
	pid = next_worker(d, 0);
	assert_true(pid > 0);
	put_intent(state);
	assert_int_equal(kill(pid, SIGKILL), 0);
	expect(fd, FL_NETD_DEADLINE);
	close(fd);
}

static void test_finished(void **state)
{
	struct daemon *d = *state;
	int dir = open_state(d), lock = take_lock(dir), fd = dial(d);
	const json_t *entry;
	json_t *doc;

	cut_apply(d, dir);
	assert_true(next_worker(d, 0) > 0);
	close(lock);
	assert_true(settles(dir));
	say(fd, "{\"version\":1,\"verb\":\"history\"}");
	doc = receive(fd, 5000);
	entry = json_array_get(json_object_get(doc, "entries"), 0);
	assert_string_equal(json_string_value(json_object_get(entry, "verb")),
	                    "recover");
	assert_string_equal(json_string_value(json_object_get(entry, "file")),
	                    "cut.yaml");
	json_decref(doc);
	close(fd);
	close(dir);
}

/* It dies, too: then there is no end of it, so there is no next. */
static void test_no_ring(void **state)
{
	struct daemon *d = *state;
	int dir = open_state(d), lock = take_lock(dir), fd = dial(d);
	pid_t pid;

	cut_apply(d, dir);
	pid = next_worker(d, 0);
	assert_true(pid > 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(next_worker(d, pid), 0);
	assert_int_equal(journal_phase(dir, NULL), JOURNAL_APPLYING);
	close(lock);
	/* Who applies goes over it. */
	send_policy(fd, "apply", "version: 1\n");
	expect(fd, 0);
	assert_true(settles(dir));
	close(fd);
	close(dir);
}

/* A lease's has nothing in the journal. */
static void test_nothing_to_do(void **state)
{
	struct daemon *d = *state;
	int dir = open_state(d), fd = dial(d);
	pid_t pid;

	wait_idle(d);
	shell(d, "mkfifo state/applied.yaml");
	say(fd, "{\"version\":1,\"verb\":\"lease\",\"guest\":\"g\"}");
	pid = next_worker(d, 0);
	assert_true(pid > 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	expect(fd, FL_NETD_DEADLINE);
	assert_int_equal(next_worker(d, pid), 0);
	close(fd);
	close(dir);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_finished),
		T(test_no_ring),
		T(test_nothing_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
