/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last words of a process: base.h.
 *
 * Order of a line that does not fit before the end: zeros to the end, where
 * lines of the lap before would be taken for newer ones; the offset to the
 * beginning; the line. Readers pass over zeros.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"

#define SEALS (F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

int textring_new(void)
{
	_cleanup_close_ int fd =
		memfd_create("log", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, TEXTRING_SIZE) < 0 ||
	    fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	return TAKE_FD(fd);
}

bool textring_is(int fd)
{
	int keep = errno, seals = fcntl(fd, F_GET_SEALS);

	errno = keep;
	return seals >= 0 && (seals & SEALS) == SEALS;
}

/* ---- writing ------------------------------------------------------------- */

/* Days since 1970 to a date, by eras of 400 years that begin in March. Not
 * gmtime(), which looks for the time zone's file. */
static void date_of(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 719468;
	int64_t era = z / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*year = (int)(yoe + era * 400 + (*month <= 2));
}

static int put_time(char *buf, size_t size)
{
	int year, month, day;
	struct timespec t;
	int64_t s;

	clock_gettime(CLOCK_REALTIME, &t);
	s = t.tv_sec % 86400;
	date_of(t.tv_sec / 86400, &year, &month, &day);
	return snprintf(buf, size, "%04d-%02d-%02dT%02d:%02d:%02dZ ", year,
	                month, day, (int)(s / 3600), (int)(s / 60 % 60),
	                (int)(s % 60));
}

static bool is_text(char c)
{
	return (unsigned char)c >= ' ' && c != 0x7f;
}

static void turn(int fd, off_t at)
{
	static const char zeros[TEXTRING_LINE];

	(void)!pwrite(fd, zeros, (size_t)(TEXTRING_SIZE - at), at);
	lseek(fd, 0, SEEK_SET);
}

void textring_put(int fd, const char *text)
{
	char line[TEXTRING_LINE];
	int keep = errno, begin = put_time(line, sizeof(line));
	int n = begin + snprintf(line + begin, sizeof(line) - (size_t)begin,
	                         "%s", text);
	off_t at = lseek(fd, 0, SEEK_CUR);

	n = MIN(n, (int)sizeof(line) - 2);
	for (int i = begin; i < n; i++)
		if (!is_text(line[i]))
			line[i] = '?';
	line[n++] = '\n';
	if (at < 0 || at > TEXTRING_SIZE)
		at = TEXTRING_SIZE;
	if (at + n > TEXTRING_SIZE)
		turn(fd, at);
	(void)!write(fd, line, (size_t)n);
	errno = keep;
}

/* ---- reading ------------------------------------------------------------- */

/* Whoever has it may have set the offset to anything. */
static size_t head_of(int fd)
{
	off_t at = lseek(fd, 0, SEEK_CUR);

	return at < 0 || at > TEXTRING_SIZE ? 0 : (size_t)at;
}

static char shown(char c)
{
	if (c == '\n' || is_text(c))
		return c;
	return '?';
}

/* Without zeros, which are no text; and nothing that moves a terminal. */
static size_t clean(char *text, size_t n)
{
	size_t to = 0;

	for (size_t i = 0; i < n; i++)
		if (text[i] && text[i] != '\r')
			text[to++] = shown(text[i]);
	return to;
}

/* The oldest line was cut by the newest, unless it is whole by chance. */
static size_t first_whole(const char *text, size_t n)
{
	const char *end = memchr(text, '\n', n);

	return end ? (size_t)(end - text) + 1 : 0;
}

int textring_read(int fd, char **ret)
{
	_cleanup_free_ char *all = malloc(TEXTRING_SIZE + 1);
	size_t head = head_of(fd), old, new, from;
	int r;

	if (!all)
		return -ENOMEM;
	old = TEXTRING_SIZE - head;
	r = fd_pread_full(fd, all, old, head);
	if (r == 0)
		r = fd_pread_full(fd, all + old, head, 0);
	if (r < 0)
		return r;
	new = clean(all + old, head);
	old = clean(all, old);
	from = first_whole(all, old);
	old -= from;
	memmove(all, all + from, old);
	memmove(all + old, all + TEXTRING_SIZE - head, new);
	all[old + new] = '\0';
	*ret = TAKE_PTR(all);
	return 0;
}

size_t textring_more(int fd, uint64_t *at, char *buf, size_t size)
{
	size_t head = head_of(fd), n;
	ssize_t got;

	if (*at > head)
		*at = 0;
	n = MIN(size, head - *at);
	got = n ? pread(fd, buf, n, (off_t)*at) : 0;
	if (got <= 0)
		return 0;
	*at += (uint64_t)got;
	return clean(buf, (size_t)got);
}
