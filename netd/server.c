/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket and the loop. All descriptors are non-blocking; what happens on
 * them is client.c's and jobs.c's.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "netd/reload.h"
#include "netd/server.h"
#include "netd/stuck.h"

#define EVENTS 32
#define TICK_MS 500

int server_watch(struct server *s, int fd, void *source)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = source };

	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

void server_deaf(struct server *s)
{
	if (ratelimit_pass(&s->noise, now_ns()))
		log_line(s->env->log, LOG_LVL_WARN,
		         "no descriptor left for a client");
	epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->listener, NULL);
	s->deaf_until = now_ns() + DEAF_MS * 1000000ull;
}

static void listen_again(struct server *s, uint64_t now)
{
	if (!s->deaf_until || now < s->deaf_until || s->stopping)
		return;
	if (!server_watch(s, s->listener, &s->listener_source))
		s->deaf_until = 0;
}

/* ---- the loop ------------------------------------------------------------ */

/* A change under way is let finish; a second signal does not wait. */
static void signal_event(struct server *s)
{
	struct signalfd_siginfo info;

	if (read(s->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP) {
		/* Whoever put another folder in its place says so. */
		if (s->events.file >= 0)
			(void)reload_watch_all(s);
		chore_reload(s, true);
		return;
	}
	log_line(s->env->log, LOG_LVL_INFO, "ending: signal %u from pid %u",
	         info.ssi_signo, info.ssi_pid);
	notify_systemd("STOPPING=1");
	if (s->stopping)
		s->changing = NULL;
	s->stopping = true;
	epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->listener, NULL);
}

static void dispatch(struct server *s, void *source)
{
	switch (*(enum source *)source) {
	case SOURCE_LISTENER:
		client_accept(s);
		break;
	case SOURCE_SIGNALS:
		signal_event(s);
		break;
	case SOURCE_CLIENT:
		if (!((struct client *)source)->dead)
			client_event(s, source);
		break;
	case SOURCE_JOB:
		job_event(s, source);
		break;
	case SOURCE_CONFIRM:
		confirm_event(s);
		break;
	case SOURCE_KMSG:
		faults_event(s);
		break;
	case SOURCE_RTNL:
	case SOURCE_UEVENT:
	case SOURCE_DEVLINK:
		events_heard(s, *(enum source *)source - SOURCE_RTNL);
		break;
	case SOURCE_TIMER:
		events_timer(s);
		break;
	case SOURCE_FILE:
		events_file(s);
		break;
	case SOURCE_WATCHDOG:
		watchdog_event(s);
		break;
	}
}

/* Nothing has a deadline: sleep for good. */
static int patience(const struct server *s)
{
	if (s->jobs || s->deaf_until || asks_waiting(s))
		return TICK_MS;
	for (const struct client *c = s->clients; c; c = c->next)
		if (!c->lease && !*c->loan)
			return TICK_MS;
	return -1;
}

int server_run(struct server *s)
{
	struct epoll_event e[EVENTS];
	struct request r = { .verb = "recover" };
	int phase;

	/* Where that cannot be told, recovery says why. */
	phase = journal_phase(s->env->state_fd, NULL);
	if (phase < 0 || phase == JOURNAL_APPLYING ||
	    stuck_noted(s->env->state_fd))
		job_submit(s, NULL, permit_find("recover"), &r, -1);
	chore_look(s);
	if (sysfs_exists(s->env->state_fd, "ledger.json"))
		chore_tidy(s);
	confirm_set(s);
	notify_systemd("READY=1");
	while (!s->stopping || s->changing) {
		int n = epoll_wait(s->epoll, e, EVENTS, patience(s));
		uint64_t now = now_ns();

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n; i++)
			dispatch(s, e[i].data.ptr);
		jobs_deadlines(s, now);
		asks_deadlines(s, now);
		clients_drop_idle(s, now);
		clients_free_dead(s);
		listen_again(s, now);
	}
	return 0;
}

/* ---- begin and end ------------------------------------------------------- */

static int make_parent(const char *path)
{
	char dir[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (!slash || slash == dir)
		return 0;
	*slash = '\0';
	return mkdir(dir, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* The lock tells a socket left behind from one in use. */
static int take_lock(const char *path)
{
	char name[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 8];
	int fd;

	snprintf(name, sizeof(name), "%s.lock", path);
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int e = -errno;

		close_fd(&fd);
		return e == -EWOULDBLOCK ? -EADDRINUSE : e;
	}
	return fd;
}

static int listen_at(struct server *s, const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int r;

	if (strlen(path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	memcpy(a.sun_path, path, strlen(path));
	r = make_parent(path);
	if (r)
		return r;
	s->lock = take_lock(path);
	if (s->lock < 0)
		return s->lock;
	unlink(path);
	s->listener = socket(AF_UNIX,
	                     SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Everybody may ask; permit.c answers. */
	if (s->listener < 0 ||
	    bind(s->listener, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    chmod(path, 0666) < 0 || listen(s->listener, CLIENTS_MAX) < 0)
		return -errno;
	return 0;
}

static int take_signals(struct server *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals < 0 ? -errno : 0;
}

static int begin(struct server *s, const char *path)
{
	int r;

	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll < 0)
		return -errno;
	events_open(s);
	r = listen_at(s, path);
	if (!r)
		r = take_signals(s);
	if (!r)
		r = server_watch(s, s->listener, &s->listener_source);
	if (!r)
		r = server_watch(s, s->signals, &s->signals_source);
	if (!r)
		r = confirm_open(s);
	return r ? r : watchdog_open(s);
}

int server_open(struct env *e, const char *path, struct server **ret,
                struct diag *d)
{
	struct server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return diag_fail(d, -ENOMEM, FL_NETD_START, "no memory");
	e->start = now_ns();
	*s = (struct server){ .env = e,
		              .epoll = -1,
		              .listener = -1,
		              .signals = -1,
		              .lock = -1,
		              .kmsg = -1,
		              .events = { .timer = -1,
		                          .file = -1,
		                          .sock = { { .fd = -1 },
		                                    { .fd = -1 },
		                                    { .fd = -1 } } },
		              .watchdog = -1,
		              .confirm = -1,
		              .listener_source = SOURCE_LISTENER,
		              .signals_source = SOURCE_SIGNALS,
		              .watchdog_source = SOURCE_WATCHDOG,
		              .confirm_source = SOURCE_CONFIRM,
		              .noise = { .interval_ns = 10000000000ull,
		                         .burst = 10 } };
	e->reconcile = &s->reconcile;
	e->lives = client_lives;
	e->server = s;
	r = begin(s, path);
	if (!r && control_folder(e, path, d) < 0) {
		server_close(s);
		return d->err;
	}
	if (!r) {
		faults_open(s);
		*ret = s;
		return 0;
	}
	server_close(s);
	diag_fail(d, r, FL_NETD_START, "cannot listen at %s", path);
	diag_why(d, "%s",
	         r == -EADDRINUSE ? "another fairlead-netd does"
	                          : strerror(-r));
	diag_mend(d, "see `systemctl status fairlead-netd`, or give another "
	             "--socket");
	return r;
}

void server_close(struct server *s)
{
	if (!s)
		return;
	s->stopping = true;
	for (struct client *c = s->clients; c; c = c->next)
		client_drop(s, c);
	clients_free_dead(s);
	jobs_close(s);
	close_fd(&s->listener);
	close_fd(&s->signals);
	close_fd(&s->kmsg);
	events_close(s);
	close_fd(&s->watchdog);
	close_fd(&s->confirm);
	close_fd(&s->epoll);
	close_fd(&s->lock);
	free(s);
}
