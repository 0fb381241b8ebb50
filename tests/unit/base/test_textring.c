/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The last words of a process: whole lines, in their order, and no more than
 * fit, whoever writes. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"

#define TIME_LEN 21 /* 2026-11-26T15:40:12Z and a space */

static time_t fixed;

int clock_gettime(clockid_t clock_id, struct timespec *tp)
{
	(void)clock_id;
	*tp = (struct timespec){ .tv_sec = fixed };
	return 0;
}

static void lines(void **state)
{
	char *text;
	int fd = textring_new();

	(void)state;
	assert_true(fd >= 0);
	assert_true(textring_is(fd));
	assert_int_equal(textring_read(fd, &text), 0);
	assert_string_equal(text, "");
	free(text);
	fixed = 1795707612;
	textring_put(fd, "one");
	fixed = 951782400;
	textring_put(fd, "\033[2Jtwo\r\n");
	fixed = 0;
	textring_put(fd, "");
	/* Somebody who knows nothing of it. */
	assert_int_equal(write(fd, "abort()\n", 8), 8);
	assert_int_equal(textring_read(fd, &text), 0);
	assert_string_equal(text, "2026-11-26T15:40:12Z one\n"
	                          "2000-02-29T00:00:00Z ?[2Jtwo??\n"
	                          "1970-01-01T00:00:00Z \n"
	                          "abort()\n");
	free(text);
	close(fd);
}

/* Every length of line, several laps of each: what is read is the end of what
 * was written. */
static void laps(void **state)
{
	(void)state;
	for (size_t len = 1; len < 1100; len += 97) {
		int fd = textring_new();
		unsigned n = (unsigned)(200000 / (len + TIME_LEN) + 3);
		char line[1200], *text, *at;
		unsigned seen = 0;

		for (unsigned i = 0; i < n; i++) {
			memset(line, 'x', len);
			line[len] = '\0';
			snprintf(line, 9, "%08u", i);
			if (len > 8)
				line[8] = 'x';
			textring_put(fd, line);
		}
		assert_int_equal(textring_read(fd, &text), 0);
		assert_true(strlen(text) <= TEXTRING_SIZE);
		at = text;
		for (char *end; (end = strchr(at, '\n')); at = end + 1) {
			unsigned long v = strtoul(at + TIME_LEN, NULL, 10);

			assert_memory_equal(at, "1970-01-01T", 11);
			if (seen)
				assert_int_equal(v, seen + 1);
			seen = (unsigned)v;
		}
		assert_int_equal(seen, n - 1);
		assert_string_equal(at, "");
		/* No less than all but a lap's rest. */
		assert_true(strlen(text) > TEXTRING_SIZE - 2u * TEXTRING_LINE);
		free(text);
		close(fd);
	}
}

static void of_a_bad_neighbour(void **state)
{
	static char junk[TEXTRING_SIZE];
	int fd = textring_new();
	struct stat st;
	char *text;

	(void)state;
	memset(junk, 0xff, sizeof(junk));
	assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
	/* It cannot grow, nor be made so. */
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 1 << 20), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, TEXTRING_SIZE);
	assert_int_equal(textring_read(fd, &text), 0);
	free(text);
	assert_int_equal(lseek(fd, 1 << 30, SEEK_SET), 1 << 30);
	assert_int_equal(textring_read(fd, &text), 0);
	free(text);
	textring_put(fd, "and on");
	assert_int_equal(textring_read(fd, &text), 0);
	assert_non_null(strstr(text, "Z and on\n"));
	for (char *p = text; *p; p++)
		assert_true(*p == '\n' || (unsigned char)*p >= ' ');
	free(text);
	close(fd);
}

static void what_is_none(void **state)
{
	int ends[2], fd = open("/dev/null", O_RDWR);

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_false(textring_is(ends[1]));
	assert_false(textring_is(fd));
	assert_false(textring_is(-1));
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

static void as_it_comes(void **state)
{
	int fd = textring_new();
	uint64_t at = 0;
	char buf[64];
	size_t n;

	(void)state;
	assert_int_equal(textring_more(fd, &at, buf, sizeof(buf)), 0);
	textring_put(fd, "a");
	n = textring_more(fd, &at, buf, sizeof(buf));
	assert_int_equal(n, TIME_LEN + 2);
	assert_int_equal(textring_more(fd, &at, buf, sizeof(buf)), 0);
	/* It has turned. */
	lseek(fd, 10, SEEK_SET);
	assert_int_equal(textring_more(fd, &at, buf, sizeof(buf)), 10);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(laps),
		cmocka_unit_test(of_a_bad_neighbour),
		cmocka_unit_test(what_is_none),
		cmocka_unit_test(as_it_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
