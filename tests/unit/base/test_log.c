/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What reaches a log: one line each, no control characters, not too many. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"

static void expect(int fd, const char *want)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	assert_int_equal(fd_read_file(fd, 1 << 20, &text, &len), 0);
	assert_string_equal(text, want);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
}

static void lines(void **state _unused_)
{
	_cleanup_close_ int fd = memfd_create("log", MFD_CLOEXEC);
	struct log l = { .fd = fd, .level = LOG_LVL_INFO, .ident = "netd" };
	struct diag d;

	log_line(&l, LOG_LVL_DEBUG, "too much");
	expect(fd, "");
	log_line(&l, LOG_LVL_INFO, "up %d", 1);
	log_line(&l, LOG_LVL_ERROR, "bad\nname \x1b[1m");
	expect(fd, "netd: up 1\nnetd: error: bad name  [1m\n");
	l.prefix = true;
	log_line(&l, LOG_LVL_WARN, "careful");
	expect(fd, "<4>netd: careful\n");
	diag_fail(&d, -EIO, 12, "read");
	diag_mend(&d, "again");
	log_diag(&l, LOG_LVL_ERROR, &d);
	expect(fd, "<3>netd: FL-0012: read\n<3>netd:   mend: again\n");
	log_line(NULL, LOG_LVL_ERROR, "nobody");
}

static void long_line(void **state _unused_)
{
	_cleanup_close_ int fd = memfd_create("log", MFD_CLOEXEC);
	const struct log l = { .fd = fd, .level = LOG_LVL_INFO };
	_cleanup_free_ char *text = NULL;
	char big[4096];
	size_t len;

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	log_line(&l, LOG_LVL_ERROR, "%s", big);
	assert_int_equal(fd_read_file(fd, 1 << 20, &text, &len), 0);
	assert_true(len < 1100);
	assert_int_equal(text[len - 1], '\n');
	assert_ptr_equal(strchr(text, '\n'), text + len - 1);
}

static void limited(void **state _unused_)
{
	struct ratelimit r = { .interval_ns = 1000, .burst = 3 };
	unsigned passed = 0;

	for (unsigned i = 0; i < 100; i++)
		passed += ratelimit_pass(&r, 5000);
	assert_int_equal(passed, 3);
	assert_int_equal(r.dropped, 97);
	assert_false(ratelimit_pass(&r, 5999));
	assert_true(ratelimit_pass(&r, 6000));
}

/* Until there is no room, and some more. */
static void fill(const struct log *l)
{
	for (unsigned i = 0; i < 100000 && l->room->lost < 3; i++)
		log_line(l, LOG_LVL_INFO, "line %u", i);
	assert_int_equal(l->room->lost, 3);
}

/* All that is there, without waiting; how many lines. */
static size_t drain(int fd, char *last, size_t size)
{
	char c, line[256];
	size_t lines = 0, n = 0;

	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	while (read(fd, &c, 1) == 1) {
		if (c != '\n') {
			line[n++] = c;
			continue;
		}
		line[n] = '\0';
		snprintf(last, size, "%s", line);
		lines++;
		n = 0;
	}
	assert_int_equal(n, 0);
	return lines;
}

/* Nobody reads: the loop that logs goes on, and it is said later. */
static void never_waits(int to, int from)
{
	struct log_room room = { .lost = 0 };
	const struct log l = { .fd = to, .level = LOG_LVL_INFO, .room = &room };
	char last[256];

	alarm(60);
	fill(&l);
	assert_true(drain(from, last, sizeof(last)) > 10);
	log_line(&l, LOG_LVL_INFO, "again");
	assert_int_equal(room.lost, 0);
	assert_int_equal(drain(from, last, sizeof(last)), 2);
	assert_string_equal(last, "again");
	fill(&l);
	log_tell_lost(&l);
	assert_int_equal(room.lost, 3);
	drain(from, last, sizeof(last));
	log_tell_lost(&l);
	log_tell_lost(&l);
	assert_int_equal(drain(from, last, sizeof(last)), 1);
	assert_string_equal(
		last, "warning: 3 message(s) were lost: nobody read the log");
	alarm(0);
}

static void full_stream(void **state _unused_)
{
	int pair[2], flags;

	/* As journald's: what others write there may wait. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	never_waits(pair[0], pair[1]);
	flags = fcntl(pair[0], F_GETFL);
	assert_true(flags >= 0 && !(flags & O_NONBLOCK));
	close(pair[0]);
	close(pair[1]);
}

static void full_pipe(void **state _unused_)
{
	int pair[2];

	assert_int_equal(pipe(pair), 0);
	never_waits(pair[1], pair[0]);
	close(pair[0]);
	close(pair[1]);
}

/* A file has room, and who may wait loses nothing. */
static void others(void **state _unused_)
{
	_cleanup_close_ int fd = memfd_create("log", MFD_CLOEXEC);
	struct log_room room = { .lost = 0 };
	const struct log l = { .fd = fd, .level = LOG_LVL_INFO, .room = &room };
	const struct log gone = { .fd = -1,
		                  .level = LOG_LVL_INFO,
		                  .room = &room };

	log_line(&l, LOG_LVL_INFO, "a");
	log_line(&gone, LOG_LVL_INFO, "b");
	assert_int_equal(room.lost, 1);
	room = (struct log_room){ .waits = true };
	log_line(&l, LOG_LVL_INFO, "c");
	assert_int_equal(room.lost, 0);
	expect(fd, "a\nc\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),     cmocka_unit_test(long_line),
		cmocka_unit_test(limited),   cmocka_unit_test(full_stream),
		cmocka_unit_test(full_pipe), cmocka_unit_test(others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
