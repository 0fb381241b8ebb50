/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Workers: their answers, their deadlines, and what they do not inherit. */

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "netd/priv.h"

struct shared {
	int fd, kept;
};
static struct shared *shared; /* the test's, for its child to look at */

static bool ended(const struct worker *w, int ms)
{
	struct pollfd p = { .fd = w->pidfd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

static int run(verb_fn *fn, unsigned ms, struct worker *wk, const int *keep,
               size_t n)
{
	static const struct env env = { .root_fd = -1, .state_fd = -1 };
	struct permit p = { .verb = "test", .run = fn };
	struct work *w = calloc(1, sizeof(*w));
	int r;

	w->env = &env;
	w->permit = &p;
	w->policy_fd = -1;
	r = worker_start(wk, w, keep, n, ms);
	free(w);
	return r;
}

static json_t *body(struct answer *a)
{
	char *text = NULL;
	size_t len;
	json_t *doc;

	assert_int_equal(fd_read_file(a->body, NETD_REPLY_MAX, &text, &len), 0);
	doc = json_loadb(text, len, 0, NULL);
	free(text);
	assert_non_null(doc);
	return doc;
}

static int fn_ok(struct work *w)
{
	w->fd[0] = memfd_create("x", MFD_CLOEXEC);
	if (fd_pwrite_full(w->fd[0], "hello", 5, 0))
		return -EIO;
	w->n_fds = 1;
	json_object_set_new(w->reply, "answer", json_integer(42));
	return 0;
}

static void test_answer(void **state)
{
	struct answer a = { .body = -1 };
	struct worker w;
	char text[6] = "";
	json_t *doc;

	(void)state;
	assert_int_equal(run(fn_ok, 5000, &w, NULL, 0), 0);
	assert_true(ended(&w, 5000));
	assert_int_equal(worker_finish(&w, &a), 0);
	assert_true(a.ok);
	assert_int_equal(a.n_fds, 1);
	assert_int_equal(fd_pread_full(a.fd[0], text, 5, 0), 0);
	assert_string_equal(text, "hello");
	doc = body(&a);
	assert_true(json_is_true(json_object_get(doc, "ok")));
	assert_int_equal(json_integer_value(json_object_get(doc, "answer")),
	                 42);
	json_decref(doc);
	/* The client may get this very file: it must not change any more. */
	assert_true(fcntl(a.body, F_GET_SEALS) & F_SEAL_WRITE);
	answer_close(&a);
}

static int fn_refuse(struct work *w)
{
	w->fd[0] = memfd_create("never passed", MFD_CLOEXEC);
	w->n_fds = 1;
	diag_fail(&w->diag, -EBUSY, 204, "no");
	diag_mend(&w->diag, "wait");
	return -EBUSY;
}

static int fn_mute(struct work *w)
{
	(void)w;
	return -EXDEV;
}

static void refused(verb_fn *fn, int code, int err)
{
	struct answer a = { .body = -1 };
	const json_t *e;
	struct worker w;
	json_t *doc;

	assert_int_equal(run(fn, 5000, &w, NULL, 0), 0);
	assert_true(ended(&w, 5000));
	assert_int_equal(worker_finish(&w, &a), 0);
	assert_false(a.ok);
	assert_int_equal(a.n_fds, 0);
	doc = body(&a);
	e = json_object_get(doc, "error");
	assert_int_equal(json_integer_value(json_object_get(e, "code")), code);
	assert_int_equal(json_integer_value(json_object_get(e, "errno")), err);
	json_decref(doc);
	answer_close(&a);
}

static void test_refusal(void **state)
{
	(void)state;
	refused(fn_refuse, 204, EBUSY);
	refused(fn_mute, FL_NETD_MEMORY, EXDEV); /* an error is never mute */
}

static int fn_die(struct work *w)
{
	(void)w;
	raise(SIGKILL);
	return 0;
}

static void test_died(void **state)
{
	struct answer a = { .body = -1 };
	struct worker w;

	(void)state;
	assert_int_equal(run(fn_die, 5000, &w, NULL, 0), 0);
	assert_true(ended(&w, 5000));
	assert_int_equal(worker_finish(&w, &a), -EIO);
	assert_int_equal(a.body, -1);
}

/* A worker that hangs, with a child that hangs. */
static int fn_hang(struct work *w)
{
	(void)w;
	if (fork() == 0)
		pause();
	pause();
	return 0;
}

static void test_deadline(void **state)
{
	struct answer a = { .body = -1 };
	struct worker w;
	int pipe_fd[2];
	char c;

	(void)state;
	assert_int_equal(pipe2(pipe_fd, O_CLOEXEC), 0);
	assert_int_equal(run(fn_hang, 50, &w, &pipe_fd[1], 1), 0);
	close(pipe_fd[1]);
	assert_false(ended(&w, 200));
	assert_true(now_ns() >= w.deadline_ns);
	worker_kill(&w);
	assert_true(ended(&w, 2000));
	assert_int_equal(worker_finish(&w, &a), -ETIMEDOUT);
	/* The child has gone, too: nobody has the pipe open. */
	assert_int_equal(read(pipe_fd[0], &c, 1), 0);
	close(pipe_fd[0]);
}

static int fn_look(struct work *w)
{
	json_object_set_new(w->reply, "other",
	                    json_boolean(fcntl(shared->fd, F_GETFD) >= 0));
	json_object_set_new(w->reply, "kept",
	                    json_boolean(fcntl(shared->kept, F_GETFD) >= 0));
	return 0;
}

static void test_inherits(void **state)
{
	struct answer a = { .body = -1 };
	struct worker w;
	json_t *doc;

	(void)state;
	shared = calloc(1, sizeof(*shared));
	for (int i = 0; i < 20; i++) { /* below and above the kept one */
		int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		if (i == 3)
			shared->fd = fd;
		if (i == 10)
			shared->kept = fd;
	}
	assert_int_equal(run(fn_look, 5000, &w, &shared->kept, 1), 0);
	assert_true(ended(&w, 5000));
	assert_int_equal(worker_finish(&w, &a), 0);
	doc = body(&a);
	assert_true(json_is_false(json_object_get(doc, "other")));
	assert_true(json_is_true(json_object_get(doc, "kept")));
	json_decref(doc);
	answer_close(&a);
	free(shared);
}

static int fn_wait(struct work *w)
{
	(void)w;
	pause();
	return 0;
}

/* Main is killed: its worker goes with it, so that the pipe's end closes. */
static void test_dies_with_main(void **state)
{
	int pipe_fd[2];
	pid_t main_pid;
	char c;

	(void)state;
	assert_int_equal(pipe2(pipe_fd, O_CLOEXEC), 0);
	main_pid = fork();
	if (!main_pid) {
		struct worker w;

		close(pipe_fd[0]);
		if (run(fn_wait, 60000, &w, &pipe_fd[1], 1))
			_exit(1);
		/* Long enough for the worker to have begun to wait. */
		usleep(200000);
		raise(SIGKILL);
	}
	close(pipe_fd[1]);
	alarm(10); /* a worker left alive would hold this up for good */
	assert_int_equal(read(pipe_fd[0], &c, 1), 0);
	alarm(0);
	waitpid(main_pid, NULL, 0);
	close(pipe_fd[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_refusal),
		cmocka_unit_test(test_died),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_inherits),
		cmocka_unit_test(test_dies_with_main),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
