/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program's messages: one write(2) a line, so that lines of several
 * processes on one descriptor do not mix. Nothing here is reachable from
 * guest input without a ratelimit.
 */

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"

#define LINE_MAX_ 1024

/* sd-daemon(3): syslog's numbers in angle brackets. */
static const struct {
	const char *prefix, *word;
} levels[] = {
	[LOG_LVL_ERROR] = { "<3>", "error: " },
	[LOG_LVL_WARN] = { "<4>", "warning: " },
	[LOG_LVL_INFO] = { "<6>", "" },
	[LOG_LVL_DEBUG] = { "<7>", "debug: " },
};

/* Not by O_NONBLOCK, which is of the open file and so of every process that has
 * it. A pipe that can be written to has room for a line (PIPE_BUF); it would be
 * waited for only where another process takes that room in between. */
static ssize_t write_now(int fd, const char *line, size_t n)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	ssize_t r = send(fd, line, n, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (r >= 0 || errno != ENOTSOCK)
		return r;
	return poll(&p, 1, 0) == 1 && p.revents & POLLOUT ? write(fd, line, n)
	                                                  : -1;
}

static bool put_line(const struct log *l, enum log_level level,
                     const char *text)
{
	char line[LINE_MAX_];
	int keep = errno;
	int n = snprintf(line, sizeof(line), "%s%s%s%s%s\n",
	                 l->prefix ? levels[level].prefix : "",
	                 l->ident ? l->ident : "", l->ident ? ": " : "",
	                 l->prefix ? "" : levels[level].word, text);
	ssize_t r;

	if (n < 0)
		return true;
	if ((size_t)n >= sizeof(line)) {
		n = sizeof(line) - 1;
		line[n - 1] = '\n';
	}
	/* A log that is full or gone must not stop the program. */
	r = l->room && !l->room->waits ? write_now(l->fd, line, (size_t)n)
	                               : write(l->fd, line, (size_t)n);
	errno = keep;
	return r >= 0;
}

void log_tell_lost(const struct log *l)
{
	char text[64];

	if (!l || !l->room || !l->room->lost)
		return;
	snprintf(text, sizeof(text),
	         "%u message(s) were lost: nobody read the log", l->room->lost);
	if (put_line(l, LOG_LVL_WARN, text))
		l->room->lost = 0;
}

static void put(const struct log *l, enum log_level level, const char *text)
{
	log_tell_lost(l);
	if (!put_line(l, level, text) && l->room)
		l->room->lost++;
}

void log_line(const struct log *l, enum log_level level, const char *fmt, ...)
{
	char text[LINE_MAX_];
	va_list ap;

	if (!l || level > l->level)
		return;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	put(l, level, text);
}

void log_diag(const struct log *l, enum log_level level, const struct diag *d)
{
	char text[4 * DIAG_LINE];
	char *save = NULL;

	if (!l || level > l->level)
		return;
	diag_format(d, text, sizeof(text));
	/* One entry a line, so that a journal does not cut the mend off. */
	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		put(l, level, line);
}

bool ratelimit_pass(struct ratelimit *r, uint64_t now)
{
	if (!r->begin_ns || now - r->begin_ns >= r->interval_ns) {
		r->begin_ns = now;
		r->passed = 0;
	}
	if (r->passed >= r->burst) {
		r->dropped++;
		return false;
	}
	r->passed++;
	return true;
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}
