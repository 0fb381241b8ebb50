/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What systemd is told: that the loop turns (WATCHDOG=1). Where the unit asks
 * for it (WATCHDOG_USEC, sd_watchdog_enabled(3)), and nowhere else, a timer
 * wakes the loop twice in that time; a daemon that is not watched sleeps until
 * something happens. It is the loop that says so, not a thread or a signal: one
 * that stands is to be seen.
 */

#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "netd/server.h"

#define USEC 1000000u

int watchdog_open(struct server *s)
{
	uint64_t usec = 0;
	struct itimerspec t = { 0 };
	int r = sd_watchdog_enabled(0, &usec);

	if (r <= 0)
		return r;
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
		sd_notify(0, "WATCHDOG=1");
}
