/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A message with fields, and where it goes. The native protocol of journald:
 * KEY=VALUE and a newline, in one datagram; no value has a newline, as control
 * characters are blanks here (systemd's JOURNAL_NATIVE_PROTOCOL).
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "netd/audit.h"

/* Made once for each kind, by systemd-id128 new; they stay. */
static const char *const ids[] = {
	[AUDIT_CHANGE] = "f7453db1b37344d2a6335cd9fefad8de",
	[AUDIT_ACTION] = "98cc541e30d145aeb5f3a6ab2b7dfe37",
	[AUDIT_LEASE] = "aa5967f8559145b08ab08db86c896f53",
	[AUDIT_REFUSED] = "8eedef3783bc494ebccb211ebc65f1ed",
	[AUDIT_FAULT] = "c13bc6d190da4ba4ad901bdcee26c9c3",
	[AUDIT_DRIFT] = "911e3a488fb64a7fba02e07fc936757e",
};
/* syslog(3). */
static const int priorities[] = {
	[LOG_LVL_ERROR] = 3,
	[LOG_LVL_WARN] = 4,
	[LOG_LVL_INFO] = 6,
	[LOG_LVL_DEBUG] = 7,
};

/* "device:inode" of what systemd connected to standard error: somebody may
 * have put a file there since. */
const char *audit_where(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char is[48];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return NULL;
	snprintf(is, sizeof(is), "%llu:%llu", (unsigned long long)st.st_dev,
	         (unsigned long long)st.st_ino);
	return !strcmp(is, stream) ? AUDIT_SOCKET : NULL;
}

/* One field, cut where there is no room; always whole with its newline. */
_printf_(3, 0) static void add(struct audit *a, const char *key,
                               const char *fmt, va_list ap)
{
	size_t begin = a->n, room = sizeof(a->buf) - a->n;
	int n = snprintf(a->buf + a->n, room, "%s=", key);
	size_t value;

	if (n < 0 || (size_t)n + 2 > room)
		return;
	a->n += (size_t)n;
	value = a->n;
	room -= (size_t)n;
	n = vsnprintf(a->buf + a->n, room - 1, fmt, ap);
	if (n <= 0) {
		a->n = begin;
		return;
	}
	a->n += MIN((size_t)n, room - 2);
	for (size_t i = value; i < a->n; i++)
		if ((unsigned char)a->buf[i] < 0x20 || a->buf[i] == 0x7f)
			a->buf[i] = ' ';
	a->buf[a->n++] = '\n';
}

_printf_(3, 4) static void put(struct audit *a, const char *key,
                               const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(a, key, fmt, ap);
	va_end(ap);
}

void audit_begin(struct audit *a, const struct log *log, const char *socket,
                 enum audit_kind kind, enum log_level level, const char *fmt,
                 ...)
{
	va_list ap;

	a->log = log;
	a->socket = socket;
	a->level = level;
	a->n = 0;
	/* A log line has the message alone. */
	if (socket) {
		put(a, "SYSLOG_IDENTIFIER", "fairlead-netd");
		put(a, "MESSAGE_ID", "%s", ids[kind]);
		put(a, "PRIORITY", "%d", priorities[level]);
	}
	a->text = a->n + sizeof("MESSAGE=") - 1;
	va_start(ap, fmt);
	add(a, "MESSAGE", fmt, ap);
	va_end(ap);
}

void audit_field(struct audit *a, const char *key, const char *fmt, ...)
{
	char name[64];
	va_list ap;

	if (!a->socket)
		return;
	snprintf(name, sizeof(name), "FAIRLEAD_%s", key);
	va_start(ap, fmt);
	add(a, name, fmt, ap);
	va_end(ap);
}

static bool to_journal(const struct audit *a)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd =
		socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || strlen(a->socket) >= sizeof(to.sun_path))
		return false;
	memcpy(to.sun_path, a->socket, strlen(a->socket));
	return sendto(fd, a->buf, a->n, MSG_NOSIGNAL, (struct sockaddr *)&to,
	              sizeof(to)) == (ssize_t)a->n;
}

void audit_send(struct audit *a)
{
	const char *text = a->buf + a->text;

	if (!a->log || a->level > a->log->level)
		return;
	if (a->socket && to_journal(a)) {
		log_tell_lost(a->log);
		return;
	}
	log_line(a->log, a->level, "%.*s", (int)strcspn(text, "\n"), text);
}
