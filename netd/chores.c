/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work that nobody asks netd for: what follows from a lease, or from what a VMM
 * says (ask.c). Each is a job of a verb that only netd itself may use
 * (permit.c), and has no client.
 *
 * A VMM can say the same any number of times, and a client can lease and end
 * any number of times. So what is under way already is not begun again; but for
 * "release", of which each one is of a device that has left a lease.
 */

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "netd/reload.h"
#include "netd/server.h"

#define LOOKS_STUCK_MAX 2

static struct request request_of(const char *verb, const char *guest,
                                 const char *device)
{
	struct request r = { .verb = "" };

	snprintf(r.verb, sizeof(r.verb), "%s", verb);
	snprintf(r.guest, sizeof(r.guest), "%s", guest);
	/* Companions go with the first. */
	snprintf(r.device, sizeof(r.device), "%.*s", (int)strcspn(device, ":"),
	         device);
	return r;
}

/* Takes `fd`. When netd ends, nothing is begun. */
static void submit(struct server *s, const struct request *r, int fd)
{
	if (s->stopping)
		close_fd(&fd);
	else
		job_submit(s, NULL, permit_find(r->verb), r, fd);
}

/* `guest` NULL: anybody's. */
static bool under_way(const struct server *s, const char *verb,
                      const char *guest)
{
	for (const struct job *j = s->jobs; j; j = j->next)
		if (!strcmp(j->permit->verb, verb) &&
		    (!guest || !strcmp(j->req.guest, guest)))
			return true;
	return false;
}

void chore_release(struct server *s, const char *guest, const char *device)
{
	const struct request r = request_of("release", guest, device);

	submit(s, &r, -1);
}

void chore_release_for(struct server *s, const char *guest, const struct ask *a)
{
	struct request r = request_of("release", guest, a->device);

	memcpy(r.way, a->way, sizeof(r.way));
	r.who = a->who;
	submit(s, &r, -1);
}

/* One at a time a guest: what its standby is to do is then the same for all. */
void chore_stand_in(struct server *s, const char *guest, const char *device)
{
	const struct request r = request_of("stand-in", guest, device);

	if (!under_way(s, r.verb, guest))
		submit(s, &r, -1);
}

/* Host interrupts follow the vCPUs (affinity.c); one at a time. */
void chore_follow(struct server *s, const char *guest, const json_t *state)
{
	_cleanup_free_ char *text = json_dumps(state, JSON_COMPACT);
	const struct request r = request_of("follow", guest, "");
	_cleanup_close_ int fd = -1;

	if (under_way(s, r.verb, NULL))
		return;
	fd = memfd_create("state", MFD_CLOEXEC);
	if (text && fd >= 0 && fd_pwrite_full(fd, text, strlen(text), 0) == 0)
		submit(s, &r, TAKE_FD(fd));
}

void chore_return(struct server *s, const char *holder)
{
	struct request r = request_of("return", "", "");

	snprintf(r.holder, sizeof(r.holder), "%s", holder);
	submit(s, &r, -1);
}

void chore_reload(struct server *s, bool now)
{
	struct request r = request_of("reload", "", "");

	r.now = now;
	if (*s->env->reload->path)
		submit(s, &r, -1);
	else
		log_line(s->env->log, LOG_LVL_WARN,
		         "nothing to reload: start it with --policy FILE");
}

bool chore_look(struct server *s)
{
	const struct request r = request_of("look", "", "");
	unsigned stuck = 0;

	for (const struct job *j = s->jobs; j; j = j->next) {
		if (strcmp(j->permit->verb, r.verb) != 0)
			continue;
		if (j->state != JOB_STUCK)
			return false;
		stuck++;
	}
	/* Those that the kernel holds are not heaped up: the sweep tries. */
	if (stuck < LOOKS_STUCK_MAX)
		submit(s, &r, -1);
	else
		events_looked(s, NULL, 0);
	return true;
}

void chore_reconcile(struct server *s)
{
	const struct request r = request_of("reconcile", "", "");

	for (const struct job *j = s->jobs; j; j = j->next)
		if (!strcmp(j->permit->verb, r.verb) && j->state == JOB_WAITING)
			return;
	submit(s, &r, -1);
}

/* A recovery that died is not begun again: the next would end as it did, and so
 * without end. A change that runs by now has the journal. */
void chore_recover(struct server *s, const struct permit *died)
{
	const struct request r = request_of("recover", "", "");

	if (died->run == verb_recover || s->changing ||
	    journal_phase(s->env->state_fd, NULL) != JOURNAL_APPLYING)
		return;
	log_line(s->env->log, LOG_LVL_WARN,
	         "%s was cut short, its worker is dead: another finishes it",
	         died->verb);
	submit(s, &r, -1);
}

void chore_tidy(struct server *s)
{
	const struct request r = request_of("tidy", "", "");

	submit(s, &r, -1);
}

void chore_unpack(struct server *s, const char *guest)
{
	const struct request r = request_of("unpack", guest, "");

	if (!under_way(s, r.verb, guest))
		submit(s, &r, -1);
}

/* What was made for the nic may not have gone with its descriptors. */
void chore_unlink(struct server *s, const char *guest)
{
	const struct request r = request_of("unlink", guest, "");

	submit(s, &r, -1);
}
