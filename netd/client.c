/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections: who it is, one request, one answer. A client that sends
 * rubbish is told so and dropped; one that says nothing for IDLE_MS, or does
 * not take its answer, is dropped. The end of a connection ends its lease.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netd/server.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

/* ---- clients ------------------------------------------------------------- */

static void end_lease(struct server *s, struct client *c)
{
	const struct permit *p = permit_find("release");
	struct request r = { .verb = "release" };

	if (!c->lease)
		return;
	ask_vmm_gone(s, c);
	/* When netd ends, the guests run on, and are still to be asked. */
	if (!s->stopping)
		words_end(&s->env->words, c->lease);
	c->lease->ending = true;
	memcpy(r.guest, c->lease->guest, sizeof(r.guest));
	c->lease = NULL;
	if (!s->stopping)
		control_remove(s->env, r.guest);
	log_line(s->env->log, LOG_LVL_INFO, "lease of %s ends: pid %d", r.guest,
	         c->peer.pid);
	if (!s->stopping)
		job_submit(s, NULL, p, &r, -1);
}

struct client *client_holding(const struct server *s, const char *guest)
{
	for (struct client *c = s->clients; c && *guest; c = c->next)
		if (!c->dead && c->lease && !strcmp(c->lease->guest, guest))
			return c;
	return NULL;
}

bool client_lives(const void *server, const char *holder)
{
	const struct server *s = server;

	for (const struct client *c = s->clients; c; c = c->next)
		if (!c->dead && !strcmp(c->loan, holder))
			return true;
	return false;
}

void client_drop(struct server *s, struct client *c)
{
	if (c->dead)
		return;
	c->dead = true;
	epoll_ctl(s->epoll, EPOLL_CTL_DEL, c->fd, NULL);
	if (c->job)
		job_orphan(s, c->job);
	ask_client_gone(c);
	if (*c->loan)
		chore_return(s, c->loan);
	end_lease(s, c);
	close_fd(&c->fd);
}

void clients_free_dead(struct server *s)
{
	struct client **p = &s->clients;

	while (*p) {
		struct client *c = *p;

		if (!c->dead) {
			p = &c->next;
			continue;
		}
		*p = c->next;
		close_fd(&c->peer.pidfd);
		free(c);
		s->n_clients--;
	}
}

void client_send(struct server *s, struct client *c, const char *text,
                 size_t len, const int *fds, size_t n)
{
	if (c->dead)
		return;
	c->idle_since = now_ns();
	if (fd_send(c->fd, text, len, fds, n) < 0)
		client_drop(s, c);
}

static const char long_reply[] = "{\"version\":1,\"body\":\"memfd\"}";

void client_send_long(struct server *s, struct client *c, const char *text,
                      size_t len)
{
	_cleanup_close_ int fd = -1;

	if (len <= NETD_MSG_MAX) {
		client_send(s, c, text, len, NULL, 0);
		return;
	}
	fd = memfd_create("reply", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || fd_pwrite_full(fd, text, len, 0) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) <
	            0) {
		client_drop(s, c);
		return;
	}
	client_send(s, c, long_reply, sizeof(long_reply) - 1, &fd, 1);
}

void client_refuse(struct server *s, struct client *c, const struct diag *d)
{
	json_t *doc = reply_refusal(d, NULL);
	_cleanup_free_ char *text = json_dumps(doc, JSON_COMPACT);

	json_decref(doc);
	if (text)
		client_send(s, c, text, strlen(text), NULL, 0);
	else
		client_drop(s, c);
}

static void drop_with(struct server *s, struct client *c, const struct diag *d)
{
	if (ratelimit_pass(&s->noise, now_ns()))
		log_line(s->env->log, LOG_LVL_WARN,
		         "client pid %d uid %u dropped: %s", c->peer.pid,
		         c->peer.uid, *d->why ? d->why : d->what);
	client_refuse(s, c, d);
	client_drop(s, c);
}

/* Of more groups than fit (the kernel then says how long the list is) the one
 * that is asked for is kept. */
static void read_groups(int fd, gid_t lease_gid, struct peer *p)
{
	_cleanup_free_ gid_t *all = NULL;
	socklen_t len = sizeof(p->group);

	if (!getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, p->group, &len)) {
		p->n_groups = len / sizeof(gid_t);
		return;
	}
	if (errno != ERANGE)
		return;
	all = malloc(len);
	if (!all || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, all, &len) < 0)
		return;
	for (size_t i = 0; i < len / sizeof(gid_t); i++)
		if (all[i] == lease_gid) {
			p->group[0] = lease_gid;
			p->n_groups = 1;
		}
}

/* Who it is, as the kernel noted at connect(2). */
static int read_peer(int fd, gid_t lease_gid, struct peer *p)
{
	struct ucred u;
	socklen_t len = sizeof(u);

	p->pidfd = -1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &len) < 0)
		return -errno;
	*p = (struct peer){
		.pid = u.pid, .uid = u.uid, .gid = u.gid, .pidfd = -1
	};
	read_groups(fd, lease_gid, p);
	len = sizeof(p->pidfd);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &p->pidfd, &len) < 0)
		p->pidfd = -1;
	return 0;
}

/* For the one that is in the list already. A client that has gone counts as
 * long as its worker has not ended. */
static bool have_room(const struct server *s, const struct peer *p)
{
	size_t all = s->n_clients + jobs_left(s, NULL);
	size_t same = jobs_left(s, &p->uid);

	for (const struct client *c = s->clients; c; c = c->next)
		same += c->peer.uid == p->uid;
	return all <= CLIENTS_MAX &&
	       (p->uid == 0 ||
	        (all <= CLIENTS_MAX - CLIENTS_ROOT && same <= CLIENTS_UID_MAX));
}

static void refuse_full(struct server *s, struct client *c)
{
	struct diag d;

	diag_fail(&d, -EMFILE, FL_NETD_FULL, "too many connections");
	diag_why(&d, "%d in all, %d of one user", CLIENTS_MAX, CLIENTS_UID_MAX);
	diag_mend(&d, "see `ss -xp src " NETD_SOCKET "`");
	drop_with(s, c, &d);
}

void client_accept(struct server *s)
{
	int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *c = fd < 0 ? NULL : calloc(1, sizeof(*c));

	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		server_deaf(s);
	if (!c) {
		close_fd(&fd);
		return;
	}
	*c = (struct client){ .source = SOURCE_CLIENT,
		              .fd = fd,
		              .idle_since = now_ns() };
	if (read_peer(fd, s->env->lease_gid, &c->peer) < 0 ||
	    server_watch(s, fd, c) < 0) {
		close_fd(&fd);
		close_fd(&c->peer.pidfd);
		free(c);
		return;
	}
	c->next = s->clients;
	s->clients = c;
	s->n_clients++;
	if (!have_room(s, &c->peer))
		refuse_full(s, c);
}

/* ---- requests ------------------------------------------------------------ */

static int check_request(struct server *s, struct client *c, const char *buf,
                         size_t len, size_t n_fds, struct request *r,
                         const struct permit **ret, struct diag *d)
{
	const struct permit *p;
	int e = frame_parse(buf, len, r, d);

	if (e)
		return e;
	p = permit_find(r->verb);
	e = permit_check(p, &c->peer, s->env->lease_gid, d);
	if (!e)
		e = permit_request(p, r, n_fds, d);
	if (!e && (c->job || c->asking)) {
		e = diag_fail(d, -EPROTO, FL_NETD_REQUEST,
		              "a request is under way on this connection");
		diag_mend(d, "wait for its answer, or ask on another");
	}
	*ret = p;
	return e;
}

static void take_request(struct server *s, struct client *c, const char *buf,
                         size_t len, int *fds, size_t n_fds)
{
	const struct permit *p = NULL;
	struct diag d = { 0 };
	struct request r;
	int policy_fd, e;

	e = check_request(s, c, buf, len, n_fds, &r, &p, &d);
	if (e) {
		while (n_fds)
			close_fd(&fds[--n_fds]);
		if (e == -EPERM)
			client_refuse(s, c, &d);
		else
			drop_with(s, c, &d);
		return;
	}
	policy_fd = n_fds ? TAKE_FD(fds[0]) : -1;
	if (!have_room(s, &c->peer)) { /* earlier requests of it hang */
		close_fd(&policy_fd);
		refuse_full(s, c);
		return;
	}
	if (p->run)
		job_submit(s, c, p, &r, policy_fd);
	else
		ask_request(s, c, &r);
}

static bool is_request(const char *buf, size_t len)
{
	json_t *o = json_loadb(buf, len, 0, NULL);
	bool yes = json_object_get(o, "verb");

	json_decref(o);
	return yes;
}

/* A VMM has the connection of the command that started it, and with it the
 * credentials of whoever called that: perhaps root's. So no request is taken
 * from it, be it well formed or not; only what it may say of its own lease.
 * The lease stays. */
static void hear_holder(struct server *s, struct client *c, const char *buf,
                        size_t len, int *fds, size_t n)
{
	struct diag d;

	if (c->lease && !is_request(buf, len)) {
		ask_heard(s, c, buf, len, fds, n);
		return;
	}
	while (n)
		close_fd(&fds[--n]);
	diag_fail(&d, -EPERM, FL_NETD_DENIED, "this connection holds %s %s",
	          c->lease ? "the lease of guest" : "the loan",
	          c->lease ? c->lease->guest : c->loan);
	diag_why(&d, "it takes no further request");
	diag_mend(&d, "ask on a connection of its own");
	client_refuse(s, c, &d);
}

void client_event(struct server *s, struct client *c)
{
	_cleanup_free_ char *buf = malloc(NETD_MSG_MAX);
	int fds[NETD_FDS_MAX];
	struct diag d = { 0 };
	size_t n = 0;
	ssize_t len;

	if (!buf) {
		client_drop(s, c);
		return;
	}
	len = fd_recv(c->fd, buf, NETD_MSG_MAX, fds, ARRAY_SIZE(fds), &n);
	if (len == -EAGAIN)
		return;
	if ((c->lease || *c->loan) && (len > 0 || len == -EMSGSIZE)) {
		hear_holder(s, c, buf, len > 0 ? (size_t)len : 0, fds,
		            len > 0 ? n : 0);
		return;
	}
	if (len == -EMSGSIZE) {
		diag_fail(&d, -EPROTO, FL_NETD_REQUEST,
		          "request not understood");
		diag_why(&d,
		         "it is longer than %d bytes, or has more than %d "
		         "descriptors",
		         NETD_MSG_MAX, NETD_FDS_MAX);
		diag_mend(&d, "see netd/netd-proto.h");
		drop_with(s, c, &d);
		return;
	}
	if (len <= 0) {
		while (len == 0 && n)
			close_fd(&fds[--n]);
		client_drop(s, c);
		return;
	}
	take_request(s, c, buf, (size_t)len, fds, n);
}

void clients_drop_idle(struct server *s, uint64_t now)
{
	for (struct client *c = s->clients; c; c = c->next)
		if (!c->dead && !c->job && !c->lease && !*c->loan &&
		    !c->asking && now > c->idle_since + IDLE_MS * 1000000ull)
			client_drop(s, c);
}
