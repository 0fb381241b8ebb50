/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What systemd is told, by its protocol (sd_notify(3)): its library would bring
 * five more, whose mappings are copied for each worker. That the loop turns
 * (WATCHDOG=1): where the unit asks for it (WATCHDOG_USEC,
 * sd_watchdog_enabled(3)), and nowhere else, a timer wakes the loop twice in
 * that time; a daemon that is not watched sleeps until something happens. It is
 * the loop that says so, not a thread or a signal: one that stands is to be
 * seen.
 */

#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "netd/server.h"

#define USEC 1000000u

/* NOTIFY_SOCKET: a path, or behind '@' the name of an abstract socket. */
void notify_systemd(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t n = path ? strlen(path) : 0;
	_cleanup_close_ int fd = -1;

	if (!n || n >= sizeof(a.sun_path) || !strchr("/@", *path))
		return;
	memcpy(a.sun_path, path, n);
	if (*path == '@')
		*a.sun_path = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0)
		(void)!sendto(
			fd, state, strlen(state), MSG_NOSIGNAL,
			(const struct sockaddr *)&a,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) +
		                    n));
}

/* 0 = it does not watch, or another process (sd_watchdog_enabled(3)). */
static uint64_t watched_usec(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	uint64_t of = 0, ret = 0;

	if (pid && (parse_u64(pid, INT32_MAX, &of) || (pid_t)of != getpid()))
		return 0;
	return usec && !parse_u64(usec, UINT64_MAX - 1, &ret) ? ret : 0;
}

int watchdog_open(struct server *s)
{
	uint64_t usec = watched_usec();
	struct itimerspec t = { 0 };

	if (!usec)
		return 0;
	/* Half of it: a wake-up that is late by as much is in time. */
	usec = MAX(usec / 2, (uint64_t)1);
	t.it_value.tv_sec = t.it_interval.tv_sec = (time_t)(usec / USEC);
	t.it_value.tv_nsec = t.it_interval.tv_nsec =
		(long)(usec % USEC * 1000u);
	s->watchdog =
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->watchdog < 0 || timerfd_settime(s->watchdog, 0, &t, NULL) < 0)
		return -errno;
	return server_watch(s, s->watchdog, &s->watchdog_source);
}

void watchdog_event(struct server *s)
{
	uint64_t times;

	if (read(s->watchdog, &times, sizeof(times)) == sizeof(times))
		notify_systemd("WATCHDOG=1");
}
