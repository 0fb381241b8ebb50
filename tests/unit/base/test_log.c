/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What reaches a log: one line each, no control characters, not too many. */

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(long_line),
		cmocka_unit_test(limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
