/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Main's timer of what is not confirmed yet (confirm.h). It is set when netd
 * starts and when a change has ended, from the file; it rings once. A roll-back
 * that could not begin, or has not come to its end, is gone on with after a
 * while, not at once.
 */

#include <sys/timerfd.h>
#include <unistd.h>

#include "netd/confirm.h"
#include "netd/server.h"

#define NS 1000000000ull
#define AGAIN_NS (60 * NS)

int confirm_open(struct server *s)
{
	s->confirm = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	return s->confirm < 0 ? -errno
	                      : server_watch(s, s->confirm, &s->confirm_source);
}

void confirm_set(struct server *s)
{
	uint64_t due = unconfirmed_due(s->env->state_fd);
	struct itimerspec t = { 0 };

	/* Another apply has rung for nothing yet. */
	if (due > confirm_now_ns())
		s->confirm_rang = 0;
	if (due) {
		if (s->confirm_rang)
			due = MAX(due, s->confirm_rang + AGAIN_NS);
		t.it_value.tv_sec = (time_t)(due / NS);
		t.it_value.tv_nsec = (long)(due % NS);
	} else {
		s->confirm_rang = 0;
	}
	(void)!timerfd_settime(s->confirm, TFD_TIMER_ABSTIME, &t, NULL);
}

void confirm_event(struct server *s)
{
	const struct request r = { .verb = "rollback" };
	uint64_t times;
	bool again = s->confirm_rang;

	if (read(s->confirm, &times, sizeof(times)) != sizeof(times))
		return;
	s->confirm_rang = confirm_now_ns();
	/* The one that is begun next will see the file. */
	if (s->stopping)
		return;
	if (!again)
		log_line(s->env->log, LOG_LVL_WARN,
		         "the apply was not confirmed in time: rolling it "
		         "back");
	job_submit(s, NULL, permit_find(r.verb), &r, -1);
}
