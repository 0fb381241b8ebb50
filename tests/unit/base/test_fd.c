/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptors: whole files, passing, and that a refused message leaks none. */

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"

static unsigned open_fds(void)
{
	unsigned n = 0;
	DIR *d = opendir("/proc/self/fd");

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static int memfd(const char *text)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_pwrite_full(fd, text, strlen(text), 0), 0);
	return fd;
}

static void whole_file(void **state _unused_)
{
	_cleanup_close_ int fd = memfd("a policy");
	_cleanup_close_ int dir = open("/", O_RDONLY | O_DIRECTORY);
	_cleanup_close_ int dev = open("/dev/zero", O_RDONLY);
	_cleanup_free_ char *text = NULL;
	char *untouched = NULL;
	size_t len;

	assert_int_equal(fd_read_file(fd, 8, &text, &len), 0);
	assert_int_equal(len, 8);
	assert_string_equal(text, "a policy");
	assert_int_equal(fd_read_file(fd, 7, &untouched, &len), -EFBIG);
	assert_int_equal(fd_read_file(dir, 7, &untouched, &len), -EISDIR);
	assert_int_equal(fd_read_file(dev, 7, &untouched, &len), -EINVAL);
	assert_null(untouched);
	assert_int_equal(len, 8);
}

static void short_transfer(void **state _unused_)
{
	_cleanup_close_ int fd = memfd("1234");
	char buf[8];

	assert_int_equal(fd_pread_full(fd, buf, 4, 0), 0);
	assert_int_equal(fd_pread_full(fd, buf, 5, 0), -EIO);
	assert_int_equal(fd_pread_full(fd, buf, 1, 4), -EIO);
	assert_int_equal(fd_pread_full(-1, buf, 1, 0), -EBADF);
}

static void keeps_errno(void **state _unused_)
{
	int fd = memfd("");

	errno = ENODEV;
	close_fd(&fd);
	assert_int_equal(fd, -1);
	assert_int_equal(errno, ENODEV);
	fd = -1;
	close_fd(&fd);
}

static void passing(void **state _unused_)
{
	_cleanup_close_ int a = memfd("first"), b = memfd("second");
	int pair[2], got[4] = { -1, -1, -1, -1 };
	char buf[16], text[8] = { 0 };
	size_t n = 99;

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(fd_send(pair[0], "hello", 5, (int[]){ a, b }, 2), 0);
	assert_int_equal(fd_recv(pair[1], buf, sizeof(buf), got, 4, &n), 5);
	assert_int_equal(n, 2);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(fd_pread_full(got[1], text, 6, 0), 0);
	assert_string_equal(text, "second");
	assert_true(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
	close_fd(&got[0]);
	close_fd(&got[1]);

	assert_int_equal(fd_send(pair[0], "x", 1, NULL, 0), 0);
	assert_int_equal(fd_recv(pair[1], buf, sizeof(buf), NULL, 0, &n), 1);
	assert_int_equal(n, 0);
	close_fd(&pair[0]);
	assert_int_equal(fd_recv(pair[1], buf, sizeof(buf), NULL, 0, &n), 0);
	assert_int_equal(fd_send(pair[1], "x", 1, NULL, 0), -EPIPE);
	close_fd(&pair[1]);
}

/* More descriptors than wanted, and more bytes than there is room for. */
static void refused_message_leaks_nothing(void **state _unused_)
{
	_cleanup_close_ int a = memfd("");
	int pair[2], many[FD_PASS_MAX], got[2];
	unsigned before;
	char buf[4];
	size_t n = 99;

	for (size_t i = 0; i < FD_PASS_MAX; i++)
		many[i] = a;
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	before = open_fds();
	assert_int_equal(fd_send(pair[0], "x", 1, many, FD_PASS_MAX), 0);
	assert_int_equal(fd_recv(pair[1], buf, sizeof(buf), got, 2, &n),
	                 -EMSGSIZE);
	assert_int_equal(open_fds(), before);
	assert_int_equal(fd_send(pair[0], "too long", 8, many, 2), 0);
	assert_int_equal(fd_recv(pair[1], buf, sizeof(buf), got, 2, &n),
	                 -EMSGSIZE);
	assert_int_equal(open_fds(), before);
	assert_int_equal(n, 99);
	assert_int_equal(fd_send(pair[0], "x", 1, many, FD_PASS_MAX + 1),
	                 -EINVAL);
	close_fd(&pair[0]);
	close_fd(&pair[1]);
}

/* The greatest number that may be sent arrives whole. */
static void passing_many(void **state _unused_)
{
	_cleanup_close_ int a = memfd("");
	int pair[2], many[FD_PASS_MAX], got[FD_PASS_MAX];
	unsigned before;
	char buf[4];
	size_t n = 0;

	for (size_t i = 0; i < FD_PASS_MAX; i++)
		many[i] = a;
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	before = open_fds();
	assert_int_equal(fd_send(pair[0], "x", 1, many, FD_PASS_MAX), 0);
	assert_int_equal(
		fd_recv(pair[1], buf, sizeof(buf), got, FD_PASS_MAX, &n), 1);
	assert_int_equal(n, FD_PASS_MAX);
	assert_int_equal(open_fds(), before + FD_PASS_MAX);
	while (n)
		close_fd(&got[--n]);
	close_fd(&pair[0]);
	close_fd(&pair[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_file),
		cmocka_unit_test(short_transfer),
		cmocka_unit_test(keeps_errno),
		cmocka_unit_test(passing),
		cmocka_unit_test(passing_many),
		cmocka_unit_test(refused_message_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
