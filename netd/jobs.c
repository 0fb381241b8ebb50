/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests under way. Reads run side by side; changes one after the other:
 * leases and netd's own work wait for their turn, and so do apply and restore
 * where only such is before them; behind another one they are told "busy".
 *
 * A deadline: the worker is killed; if the kernel does not let it go within
 * a second it is called stuck, its client is answered, and the next change
 * may begin (it waits for the journal's lock, which the stuck one has). What a
 * dead worker has left in the journal is finished by another at once. A client
 * that goes takes its read with it, but never a change: half a transaction is
 * worse than one nobody waits for.
 */

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "netd/audit.h"
#include "netd/failover.h"
#include "netd/reload.h"

#define KILL_GRACE_MS 1000u

static void job_free(struct server *s, struct job *j)
{
	for (struct job **p = &s->jobs; *p; p = &(*p)->next)
		if (*p == j) {
			*p = j->next;
			break;
		}
	if (s->changing == j)
		s->changing = NULL;
	if (j->client)
		j->client->job = NULL;
	close_fd(&j->policy_fd);
	free(j);
}

static void detach(struct job *j)
{
	if (!j->client)
		return;
	j->client->job = NULL;
	j->client->idle_since = now_ns();
	j->client = NULL;
}

static void refuse(struct server *s, struct job *j, const struct diag *d)
{
	struct client *c = j->client;

	if (ratelimit_pass(&s->noise, now_ns()))
		log_diag(s->env->log, LOG_LVL_WARN, d);
	detach(j);
	if (c)
		client_refuse(s, c, d);
}

/* Of the machine as a whole: not what a guest needs. */
static bool is_big(const struct job *j)
{
	return j->permit->flags & PERMIT_CHANGES &&
	       !(j->permit->flags & (PERMIT_GUEST | PERMIT_SHORT));
}

/* An apply, restore or recovery that is under way or waits. What guests need
 * (leases, releases) is short and waits itself: it refuses nobody. */
static const struct job *big_change(const struct server *s)
{
	for (const struct job *j = s->jobs; j; j = j->next)
		if (j->state != JOB_STUCK && is_big(j))
			return j;
	return NULL;
}

static void refuse_busy(struct server *s, struct client *c,
                        const struct permit *p, const struct job *j)
{
	struct diag d;

	diag_fail(&d, -EBUSY, FL_NETD_BUSY, "%s: busy", p->verb);
	if (j->peer.pid)
		diag_why(&d, "%s by pid %d (uid %u) is under way since %u s",
		         j->permit->verb, j->peer.pid, j->peer.uid,
		         (unsigned)((now_ns() - j->begun) / 1000000000));
	else
		diag_why(&d, "fairlead-netd's own \"%s\" is under way",
		         j->permit->verb);
	diag_mend(&d, "wait for it, then try again");
	client_refuse(s, c, &d);
}

/* ---- start --------------------------------------------------------------- */

static int launch(struct server *s, struct job *j)
{
	struct env *e = s->env;
	const int keep[] = { e->root_fd,    e->state_fd,
		             e->guests_fd,  e->cache_fd,
		             e->nvme_fd,    j->policy_fd,
		             j->peer.pidfd, words_of(&e->words, j->req.guest) };
	_cleanup_free_ struct work *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->env = e;
	w->permit = j->permit;
	w->req = j->req;
	w->peer = j->peer;
	w->policy_fd = j->policy_fd;
	r = worker_start(&j->worker, w, keep, ARRAY_SIZE(keep),
	                 j->permit->deadline_ms);
	if (r)
		return r;
	r = server_watch(s, j->worker.pidfd, j);
	if (r) {
		worker_kill(&j->worker);
		worker_close(&j->worker);
	}
	return r;
}

/* The end of a device is not the lease's. */
static void end_release(struct server *s, const struct job *j)
{
	if (!strcmp(j->permit->verb, "release") && !*j->req.device)
		lease_end(&s->env->leases, j->req.guest);
}

static bool is_look(const struct job *j)
{
	return j->permit->run == verb_look || j->permit->run == verb_reconcile;
}

static void job_start(struct server *s, struct job *j)
{
	struct diag d;
	int r = launch(s, j);

	j->begun = now_ns();
	if (!r) {
		j->state = JOB_RUNNING;
		if (j->permit->flags & PERMIT_CHANGES)
			s->changing = j;
		return;
	}
	diag_fail(&d, r, FL_NETD_MEMORY, "%s: cannot start a worker",
	          j->permit->verb);
	diag_why(&d, "%s", strerror(-r));
	diag_mend(&d, "free memory, or raise TasksMax= of "
	              "fairlead-netd.service; then try again");
	refuse(s, j, &d);
	end_release(s, j);
	if (is_look(j))
		events_looked(s, NULL, 0);
	job_free(s, j);
}

static void start_next(struct server *s)
{
	for (struct job *j = s->jobs; j && !s->changing && !s->stopping;) {
		struct job *next = j->next;

		if (j->state == JOB_WAITING)
			job_start(s, j);
		j = next;
	}
}

void job_submit(struct server *s, struct client *c, const struct permit *p,
                const struct request *r, int policy_fd)
{
	const struct job *other = big_change(s);
	struct job *j, **end = &s->jobs;

	if (p->flags & PERMIT_CHANGES && other && !(p->flags & PERMIT_WAITS)) {
		close_fd(&policy_fd);
		refuse_busy(s, c, p, other);
		return;
	}
	j = calloc(1, sizeof(*j));
	if (!j) {
		close_fd(&policy_fd);
		if (c)
			client_drop(s, c);
		return;
	}
	*j = (struct job){ .source = SOURCE_JOB,
		           .permit = p,
		           .req = *r,
		           .policy_fd = policy_fd,
		           .client = c,
		           .begun = now_ns() };
	j->peer.pidfd = -1;
	if (c) {
		j->peer = c->peer;
		c->job = j;
	}
	while (*end)
		end = &(*end)->next;
	*end = j;
	if (!(p->flags & PERMIT_CHANGES) || !s->changing)
		job_start(s, j);
}

/* ---- end ----------------------------------------------------------------- */

static const char long_reply[] = "{\"version\":1,\"body\":\"memfd\"}";

static void deliver(struct server *s, struct client *c, struct answer *a,
                    char *text, size_t len)
{
	int fds[NETD_FDS_MAX + 1];

	if (len <= NETD_MSG_MAX) {
		client_send(s, c, text, len, a->fd, a->n_fds);
		return;
	}
	fds[0] = a->body;
	memcpy(fds + 1, a->fd, a->n_fds * sizeof(fds[0]));
	client_send(s, c, long_reply, sizeof(long_reply) - 1, fds,
	            a->n_fds + 1);
}

static int64_t wall_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec;
}

static void keep_words(struct server *s, const struct lease *l,
                       const json_t *reply, const struct answer *a)
{
	const json_t *fds = json_object_get(reply, "fds");

	for (size_t i = 0; i < json_array_size(fds) && i < a->n_fds; i++) {
		const char *name = json_string_value(json_array_get(fds, i));

		if (name && !strcmp(name, "log"))
			words_keep(s->env, l, a->fd[i]);
	}
}

/* Before the answer leaves: whoever has it, has the lease. */
static int begin_lease(struct server *s, struct client *c, const char *text,
                       size_t len, const struct answer *a)
{
	json_t *doc = json_loadb(text, len, 0, NULL);

	if (doc)
		c->lease = lease_add(&s->env->leases, doc, c->peer.pid,
		                     wall_clock());
	if (c->lease)
		keep_words(s, c->lease, doc, a);
	/* What the lease had to do without, for the next one. */
	if (c->lease && json_is_true(json_object_get(doc, "unpack")))
		chore_unpack(s, c->lease->guest);
	json_decref(doc);
	return c->lease ? 0 : -ENOSPC;
}

/* A loan without a name of its own is the connection's. */
static void begin_loan(struct server *s, struct client *c, const char *text,
                       size_t len)
{
	json_t *doc = json_loadb(text, len, 0, NULL);
	const char *holder = json_string_value(json_object_get(doc, "holder"));

	if (holder && *holder == '@' && c)
		snprintf(c->loan, sizeof(c->loan), "%s", holder);
	else if (holder && *holder == '@')
		chore_return(s, holder);
	json_decref(doc);
}

/* Nobody has what was opened: what does not go with its descriptors. */
static void forget_lease(struct server *s, const struct job *j,
                         const struct answer *a)
{
	if (!a->ok || !(j->permit->flags & PERMIT_LEASE))
		return;
	control_remove(s->env, j->req.guest);
	chore_unlink(s, j->req.guest);
}

/* A refusal in one line; the client has all of it. What an apply did, action by
 * action, its worker tells (audit-entry.c). */
static void log_end(struct server *s, const struct job *j, bool ok,
                    const char *text, size_t len)
{
	/* What anybody may ask at any rate must not fill the log. */
	enum log_level level =
		!(j->permit->flags & PERMIT_CHANGES) ||
				(ok && j->permit->run == verb_reconcile)
			? LOG_LVL_DEBUG
		: ok ? LOG_LVL_INFO
		     : LOG_LVL_WARN;
	unsigned ms = (unsigned)((now_ns() - j->begun) / 1000000);
	/* A long answer to a question is not read again for its log line. */
	bool told = !ok || j->permit->flags &
	                           (PERMIT_GUEST | PERMIT_LOAN | PERMIT_HOLDER);
	json_t *doc = told ? json_loadb(text, len, 0, NULL) : NULL;
	const json_t *e = json_object_get(doc, "error");
	const char *what = json_string_value(json_object_get(e, "what"));
	const char *why = json_string_value(json_object_get(e, "why"));
	int code = (int)json_integer_value(json_object_get(e, "code"));
	char of[AUDIT_SUBJECT];
	struct audit a;

	audit_subject(doc, *j->req.guest ? j->req.guest : j->req.holder, of);
	tally_note(&s->env->tally, j->permit->verb, ok, ms);
	audit_begin(&a, s->env->log, s->env->journal,
	            ok ? AUDIT_LEASE : AUDIT_REFUSED, level,
	            "%s%s by pid %d: %s%s%s, %u ms", j->permit->verb, of,
	            j->peer.pid,
	            ok     ? "done"
	            : what ? what
	                   : "refused",
	            why && *why ? ": " : "", why ? why : "", ms);
	audit_field(&a, "VERB", "%s", j->permit->verb);
	audit_field(&a, "GUEST", "%s", j->req.guest);
	audit_field(&a, "DEVICE", "%s", j->req.device);
	if (j->peer.pid) {
		audit_field(&a, "PID", "%d", j->peer.pid);
		audit_field(&a, "UID", "%u", j->peer.uid);
	}
	if (code)
		audit_field(&a, "CODE", "FL-%04d", code);
	if (!ok) {
		audit_field(&a, "HOLDER", "%s", j->req.holder);
		audit_field(&a, "POOL", "%s", j->req.pool);
	}
	audit_reply(&a, doc);
	audit_send(&a);
	json_decref(doc);
}

static void note_reload(struct server *s, const char *text, size_t len)
{
	json_t *doc = json_loadb(text, len, 0, NULL);

	if (doc)
		reload_note(s->env->reload, doc, wall_clock());
	json_decref(doc);
}

/* What was done is looked at, once all of it is. */
static void look_after(struct server *s, const struct job *j, const char *text,
                       size_t len)
{
	static const char *const verbs[] = { "apply",  "restore", "recover",
		                             "reload", "confirm", "rollback" };

	if (is_look(j))
		events_looked(s, text, len);
	if (!strcmp(j->permit->verb, "reload"))
		note_reload(s, text, len);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(j->permit->verb, verbs[i]))
			events_changed(s);
}

static void take_reply(struct server *s, struct job *j, struct answer *a)
{
	_cleanup_free_ char *text = NULL;
	struct client *c = j->client;
	struct diag d;
	size_t len = 0;
	int r = fd_read_file(a->body, NETD_REPLY_MAX, &text, &len);

	if (r < 0) {
		diag_fail(&d, -ENOMEM, FL_NETD_MEMORY,
		          "%s: no memory for the answer", j->permit->verb);
		refuse(s, j, &d);
		return;
	}
	log_end(s, j, a->ok, text, len);
	look_after(s, j, text, len);
	detach(j);
	/* What is open is given even where nobody waits any more: or it would
	 * be a matter of luck. */
	if (a->ok && j->permit->flags & PERMIT_ASKS) {
		ask_attach(s, c, &j->req, text, len, a);
		return;
	}
	if (a->ok && c && j->permit->run == verb_foresee) {
		failover_foreseen(s, c, &j->req);
		return;
	}
	if (a->ok && j->permit->flags & PERMIT_LOAN)
		begin_loan(s, c, text, len);
	if (!c) {
		forget_lease(s, j, a);
		return;
	}
	if (a->ok && j->permit->flags & PERMIT_LEASE &&
	    begin_lease(s, c, text, len, a) < 0) {
		forget_lease(s, j, a);
		diag_fail(&d, -ENOSPC, FL_NETD_FULL, "lease %s: no room",
		          j->req.guest);
		diag_why(&d, "%d guests are leased, or this one is",
		         LEASES_MAX);
		diag_mend(&d, "see `fairlead status`");
		client_refuse(s, c, &d);
		return;
	}
	deliver(s, c, a, text, len);
}

static const char *mend_of(const struct job *j)
{
	if (j->permit->run == verb_recover)
		return "what it meant to do is in the journal: free the device "
		       "(see dmesg), then `systemctl restart fairlead-netd` "
		       "finishes it";
	if (is_big(j))
		return "what it meant to do is in the journal, and another "
		       "worker finishes it as soon as this one has ended; a "
		       "device that hangs must let go (see dmesg); see "
		       "`fairlead history`";
	return "see dmesg for the device that hangs, then try again";
}

static void no_answer(struct server *s, struct job *j, int r)
{
	struct diag d;

	diag_fail(&d, r, FL_NETD_DEADLINE, "%s did not end", j->permit->verb);
	if (r == -ETIMEDOUT)
		diag_why(&d, "no answer from the devices within %u s",
		         j->permit->deadline_ms / 1000);
	else
		diag_why(&d, "its worker died");
	diag_mend(&d, "%s", mend_of(j));
	refuse(s, j, &d);
	if (is_look(j))
		events_looked(s, NULL, 0);
}

void job_event(struct server *s, struct job *j)
{
	struct answer a = { .body = -1 };
	const struct permit *p = j->permit;
	bool big = is_big(j);
	int r;

	/* Closing a descriptor that a fork may share does not unwatch it. */
	epoll_ctl(s->epoll, EPOLL_CTL_DEL, j->worker.pidfd, NULL);
	r = worker_finish(&j->worker, &a);
	if (j->state == JOB_RUNNING) {
		if (r < 0)
			no_answer(s, j, r);
		else
			take_reply(s, j, &a);
		end_release(s, j);
	}
	answer_close(&a);
	job_free(s, j);
	/* Before those that wait: leases among them would be refused. */
	if (big && r < 0)
		chore_recover(s, p);
	if (big)
		confirm_set(s);
	start_next(s);
}

static void call_stuck(struct server *s, struct job *j)
{
	no_answer(s, j, -ETIMEDOUT);
	end_release(s, j);
	j->state = JOB_STUCK;
	if (s->changing == j)
		s->changing = NULL;
	start_next(s);
}

void jobs_deadlines(struct server *s, uint64_t now)
{
	for (struct job *j = s->jobs; j; j = j->next) {
		if (j->state != JOB_RUNNING || now < j->worker.deadline_ns)
			continue;
		if (j->worker.killed) {
			call_stuck(s, j);
			return; /* the list has changed */
		}
		worker_kill(&j->worker);
		j->worker.deadline_ns = now + KILL_GRACE_MS * 1000000ull;
	}
}

size_t jobs_left(const struct server *s, const uid_t *uid)
{
	size_t n = 0;

	for (const struct job *j = s->jobs; j; j = j->next)
		n += !j->client && j->peer.pid && (!uid || j->peer.uid == *uid);
	return n;
}

void job_orphan(struct server *s, struct job *j)
{
	detach(j);
	if (j->state == JOB_WAITING)
		job_free(s, j);
	else if (!(j->permit->flags & PERMIT_CHANGES))
		worker_kill(&j->worker);
}

void jobs_close(struct server *s)
{
	while (s->jobs) {
		struct job *j = s->jobs;

		if (j->state == JOB_RUNNING)
			worker_kill(&j->worker);
		if (j->state != JOB_WAITING)
			worker_close(&j->worker);
		job_free(s, j);
	}
}
