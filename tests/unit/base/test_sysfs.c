/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysfs below a directory descriptor, and the write that is given up: a FIFO
 * without a reader stands in for a driver that never comes back.
 */

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"

static int put(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_pwrite_full(fd, text, strlen(text), 0), 0);
	close_fd(&fd);
	return 0;
}

struct tree {
	char path[64];
	int fd;
};

static int setup(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	snprintf(t->path, sizeof(t->path), "%s", "/tmp/fl-sysfs-XXXXXX");
	assert_non_null(mkdtemp(t->path));
	t->fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(t->fd >= 0);
	*state = t;
	return 0;
}

static int remove_name(const char *name, void *arg)
{
	int dir = *(int *)arg;

	if (unlinkat(dir, name, 0) < 0)
		unlinkat(dir, name, AT_REMOVEDIR);
	return 0;
}

static int teardown(void **state)
{
	struct tree *t = *state;

	(void)!sysfs_each(t->fd, ".", remove_name, &t->fd);
	close_fd(&t->fd);
	rmdir(t->path);
	free(t);
	return 0;
}

static void reading(void **state)
{
	const struct tree *t = *state;
	char buf[16] = "untouched";
	uint64_t v = 1;

	put(t->fd, "text", "  igb 1 \n\n");
	put(t->fd, "hex", "0x8086\n");
	put(t->fd, "empty", "");
	put(t->fd, "words", "12 34\n");
	assert_int_equal(sysfs_read(t->fd, "gone", buf, sizeof(buf)), -ENOENT);
	assert_int_equal(sysfs_read(t->fd, "text", buf, 8), -ENOBUFS);
	assert_string_equal(buf, "untouched");
	assert_int_equal(sysfs_read(t->fd, "text", buf, 9), 8);
	assert_string_equal(buf, "  igb 1 ");
	assert_int_equal(sysfs_read(t->fd, "empty", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "");
	assert_int_equal(sysfs_read_u64(t->fd, "hex", &v), 0);
	assert_int_equal(v, 0x8086);
	assert_int_equal(sysfs_read_u64(t->fd, "words", &v), -EINVAL);
	assert_int_equal(sysfs_read_u64(t->fd, "empty", &v), -EINVAL);
	assert_int_equal(v, 0x8086);
	assert_true(sysfs_exists(t->fd, "text"));
	assert_false(sysfs_exists(t->fd, "gone"));
}

/* A pipe that someone may still write to has no end: a further read of it
 * would wait. */
static void attribute_read_once(void **state)
{
	const struct tree *t = *state;
	uint64_t v = 0;
	char buf[16];
	int fd, bus;

	assert_int_equal(mkdirat(t->fd, "sys", 0700), 0);
	assert_int_equal(mkdirat(t->fd, "sys/bus", 0700), 0);
	assert_int_equal(mkfifoat(t->fd, "sys/bus/f", 0600), 0);
	fd = openat(t->fd, "sys/bus/f", O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	alarm(10);
	assert_int_equal(write(fd, "vfio\n", 5), 5);
	assert_int_equal(sysfs_read(t->fd, "sys/bus/f", buf, sizeof(buf)), 4);
	assert_string_equal(buf, "vfio");
	bus = openat(t->fd, "sys/bus", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(bus >= 0);
	assert_int_equal(write(fd, "0x1af4\n", 7), 7);
	assert_int_equal(sysfs_attr_u64(bus, "f", &v), 0);
	assert_int_equal(v, 0x1af4);
	assert_int_equal(sysfs_attr(bus, "gone", buf, sizeof(buf)), -ENOENT);
	alarm(0);
	close_fd(&bus);
	close_fd(&fd);
	unlinkat(t->fd, "sys/bus/f", 0);
	unlinkat(t->fd, "sys/bus", AT_REMOVEDIR);
}

static void links(void **state)
{
	const struct tree *t = *state;
	char buf[8];

	assert_int_equal(symlinkat("../../drivers/igb", t->fd, "driver"), 0);
	assert_int_equal(symlinkat("long-driver", t->fd, "long"), 0);
	assert_int_equal(sysfs_link_name(t->fd, "driver", buf, sizeof(buf)), 3);
	assert_string_equal(buf, "igb");
	assert_int_equal(sysfs_link_name(t->fd, "long", buf, sizeof(buf)),
	                 -ENOBUFS);
	assert_int_equal(sysfs_link_name(t->fd, "gone", buf, sizeof(buf)),
	                 -ENOENT);
}

static int gather(const char *name, void *arg)
{
	char *text = arg;

	snprintf(text + strlen(text), 8, "%s,", name);
	return !strcmp(name, "b") ? 42 : 0;
}

static void each(void **state)
{
	const struct tree *t = *state;
	char text[64] = "";

	put(t->fd, "c", "");
	put(t->fd, "a", "");
	assert_int_equal(sysfs_each(t->fd, ".", gather, text), 0);
	assert_string_equal(text, "a,c,");
	put(t->fd, "b", "");
	text[0] = '\0';
	assert_int_equal(sysfs_each(t->fd, ".", gather, text), 42);
	assert_string_equal(text, "a,b,");
	assert_int_equal(sysfs_each(t->fd, "none", gather, text), -ENOENT);
	assert_int_equal(sysfs_each(t->fd, "a", gather, text), -ENOTDIR);
}

static int in_order(const char *name, void *arg)
{
	unsigned *n = arg;

	assert_int_equal(strtoul(name, NULL, 10), 1000 + (*n)++);
	return 0;
}

/* More than the kernel tells at once. */
static void each_of_many(void **state)
{
	const struct tree *t = *state;
	char name[8];
	unsigned n = 0;

	for (unsigned i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "%u", 1000 + (i * 7) % 500);
		put(t->fd, name, "");
	}
	assert_int_equal(sysfs_each(t->fd, ".", in_order, &n), 0);
	assert_int_equal(n, 500);
}

static void writing(void **state)
{
	const struct tree *t = *state;
	char buf[16];

	put(t->fd, "numvfs", "12345\n");
	assert_int_equal(sysfs_write(t->fd, "numvfs", "7"), 0);
	assert_int_equal(sysfs_read(t->fd, "numvfs", buf, sizeof(buf)), 1);
	assert_int_equal(sysfs_write(t->fd, "gone", "7"), -ENOENT);
	assert_int_equal(
		sysfs_write_deadline(t->fd, "numvfs", "42", 5000, NULL), 0);
	assert_int_equal(sysfs_read(t->fd, "numvfs", buf, sizeof(buf)), 2);
	assert_string_equal(buf, "42");
}

/* The kernel's own errno comes through the child. */
static void deadline_errno(void **state)
{
	const struct tree *t = *state;
	int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(sysfs_write_deadline(t->fd, "no", "1", 5000, NULL),
	                 -ENOENT);
	assert_int_equal(
		sysfs_write_deadline(root, "dev/full", "1", 5000, NULL),
		-ENOSPC);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	close_fd(&root);
}

static void ignore(int sig _unused_)
{
}

/* Time-out: no longer than asked, nobody left behind, signals do not end the
 * wait early. */
static void deadline_passes(void **state)
{
	const struct tree *t = *state;
	struct sigaction sa = { .sa_handler = ignore };
	int stuck = 77;
	uint64_t took;

	assert_int_equal(mkfifoat(t->fd, "stuck", 0600), 0);
	assert_int_equal(sigaction(SIGALRM, &sa, NULL), 0);
	ualarm(20000, 20000);
	took = now_ns();
	assert_int_equal(sysfs_write_deadline(t->fd, "stuck", "1", 300, &stuck),
	                 -ETIMEDOUT);
	took = now_ns() - took;
	ualarm(0, 0);
	assert_true(took >= 300000000ull);
	assert_true(took < 2000000000ull);
	assert_int_equal(stuck, 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static int held = -1;

static void let_go(int sig _unused_)
{
	close_fd(&held);
}

/* A hung write must not keep a client's connection open: when the daemon
 * closes it in the meantime, the other end learns. */
static void deadline_holds_nothing(void **state)
{
	const struct tree *t = *state;
	struct sigaction sa = { .sa_handler = let_go };
	int pair[2], status;
	pid_t peer;

	assert_int_equal(mkfifoat(t->fd, "hung", 0600), 0);
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	peer = fork();
	assert_true(peer >= 0);
	if (!peer) {
		struct pollfd p = { .fd = pair[0], .events = POLLIN };

		close(pair[1]);
		_exit(poll(&p, 1, 1000) == 1 && p.revents & POLLHUP ? 0 : 1);
	}
	held = pair[1];
	assert_int_equal(sigaction(SIGALRM, &sa, NULL), 0);
	ualarm(100000, 0);
	assert_int_equal(sysfs_write_deadline(t->fd, "hung", "1", 1500, NULL),
	                 -ETIMEDOUT);
	assert_int_equal(waitpid(peer, &status, 0), peer);
	assert_int_equal(status, 0);
	close_fd(&pair[0]);
}

/* Who asked is killed: what is not done yet is not done later. */
static void deadline_dies_with_parent(void **state)
{
	const struct tree *t = *state;
	int status = 0;
	pid_t asker, orphan = 0;

	assert_int_equal(mkfifoat(t->fd, "later", 0600), 0);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	asker = fork();
	assert_true(asker >= 0);
	if (!asker)
		_exit(sysfs_write_deadline(t->fd, "later", "1", 9000, NULL) !=
		      0);
	usleep(200000);
	assert_int_equal(kill(asker, SIGKILL), 0);
	assert_int_equal(waitpid(asker, &status, 0), asker);
	for (int i = 0; i < 100 && orphan <= 0; i++) {
		orphan = waitpid(-1, &status, WNOHANG);
		usleep(20000);
	}
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
	assert_true(orphan > 0);
	assert_true(WIFSIGNALED(status));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(reading),
		T(attribute_read_once),
		T(links),
		T(each),
		T(each_of_many),
		T(writing),
		T(deadline_errno),
		T(deadline_passes),
		T(deadline_holds_nothing),
		T(deadline_dies_with_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
