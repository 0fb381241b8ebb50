/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's own words, and the quiet after them. events.h says in which
 * order; reconcile.h what for.
 *
 *   rtnetlink   RTNLGRP_LINK: VF attributes of a PF that is up, its link
 *   uevents     functions and interfaces that come, go, or change drivers
 *   devlink     "config" of the devlink family: ports, parameters, reloads
 *
 * What is lost (ENOBUFS) counts as heard. One read of each is bounded: epoll
 * says again that there is more.
 */

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#include "netd/audit.h"
#include "netd/events.h"
#include "netd/reconcile.h"
#include "netd/reload.h"
#include "netd/server.h"

#define MESSAGES_AT_ONCE 64
#define MESSAGE_MAX 8192
#define FIRST_LOOK_MS 30000 /* again, where the first has failed */
#define UEVENT_GROUP 1      /* the kernel's, not udev's */

/* ---- which matter -------------------------------------------------------- */

static bool of_one(const struct nlmsghdr *h, const int *index, size_t n)
{
	const struct ifinfomsg *i = NLMSG_DATA(h);

	if ((h->nlmsg_type != RTM_NEWLINK && h->nlmsg_type != RTM_DELLINK) ||
	    h->nlmsg_len < NLMSG_LENGTH(sizeof(*i)))
		return false;
	for (size_t k = 0; k < n; k++)
		if (index[k] == i->ifi_index)
			return true;
	return false;
}

/* Not by NLMSG_NEXT(), which takes more off the length than is there where the
 * last message's is no multiple of four. */
bool event_of_link(const void *msg, size_t len, const int *index, size_t n)
{
	for (size_t at = 0; at < len && len - at >= NLMSG_HDRLEN;) {
		const struct nlmsghdr *h =
			(const void *)((const char *)msg + at);

		if (h->nlmsg_len < NLMSG_HDRLEN || h->nlmsg_len > len - at)
			return false;
		if (of_one(h, index, n))
			return true;
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	return false;
}

/* "add@/devices/pci0000:00/...", then KEY=VALUE, each ended by a 0. */
const char *event_value(const char *msg, size_t len, const char *key)
{
	size_t n = strlen(key);

	for (size_t at = 0; at < len;) {
		size_t left = strnlen(msg + at, len - at);

		if (left > n && !strncmp(msg + at, key, n) &&
		    msg[at + n] == '=')
			return msg + at + n + 1;
		at += left + 1;
	}
	return "";
}

bool event_of_uevent(const char *msg, size_t len)
{
	const char *subsystem, *path;

	if (!len || msg[len - 1])
		return false;
	subsystem = event_value(msg, len, "SUBSYSTEM");
	path = event_value(msg, len, "DEVPATH");
	/* Taps come and go with guests. */
	return !strcmp(subsystem, "pci") ||
	       (!strcmp(subsystem, "net") && !strstr(path, "/virtual/"));
}

/* ---- the timer ----------------------------------------------------------- */

static void set_timer(struct server *s, uint64_t ms)
{
	const struct itimerspec t = {
		.it_value = { .tv_sec = (time_t)(ms / 1000),
		              .tv_nsec = (long)(ms % 1000) * 1000000 }
	};

	if (s->events.timer >= 0)
		(void)!timerfd_settime(s->events.timer, 0, &t, NULL);
}

/* After a look: the sweep, or nothing. Until one has ended well, nobody knows
 * what the policy says. */
static void set_sweep(struct server *s)
{
	const struct reconcile *r = &s->reconcile;

	s->events.first = 0;
	if (!r->looks)
		set_timer(s, FIRST_LOOK_MS);
	else
		set_timer(s, r->active ? r->interval_ms : 0);
}

/* A look when it has been quiet, or has not been for long enough. */
static void look_soon(struct server *s)
{
	uint64_t now = now_ns(), end;

	if (!s->events.first)
		s->events.first = now;
	end = s->events.first + EVENT_QUIET_MAX_MS * 1000000ull;
	if (now + EVENT_QUIET_MS * 1000000ull < end)
		set_timer(s, EVENT_QUIET_MS);
	else
		set_timer(s, now < end ? (end - now) / 1000000 + 1 : 1);
}

void events_timer(struct server *s)
{
	uint64_t n;

	if (read(s->events.timer, &n, sizeof(n)) != (ssize_t)sizeof(n))
		return;
	s->events.first = 0;
	if (s->events.reload)
		chore_reload(s, false);
	s->events.reload = false;
	/* What is being looked at now may have been read before the event. */
	if (!chore_look(s))
		look_soon(s);
}

void events_changed(struct server *s)
{
	look_soon(s);
}

/* ---- heard --------------------------------------------------------------- */

static bool matters(struct server *s, unsigned which, const char *buf,
                    size_t len)
{
	const struct reconcile *r = &s->reconcile;
	struct recovery_count c;

	switch (which) {
	case EVENT_RTNL:
		return event_of_link(buf, len, r->ifindex, r->n_ifindex);
	case EVENT_UEVENT:
		if (recoveries_uevent(buf, len, &c))
			recoveries_note(&s->env->recoveries, &c);
		return event_of_uevent(buf, len);
	default:
		return true;
	}
}

static void deaf(struct server *s, unsigned which, int err)
{
	log_line(s->env->log, LOG_LVL_WARN,
	         "events are not heard any more (%s): the sweep is left",
	         strerror(-err));
	close_fd(&s->events.sock[which].fd);
}

/* 1 = heard, 0 = nothing left, negative = the socket is gone. */
static int hear_one(struct server *s, unsigned which)
{
	_Alignas(struct nlmsghdr) char buf[MESSAGE_MAX];
	struct sockaddr_nl from = { 0 };
	struct iovec v = { buf, sizeof(buf) };
	struct msghdr m = { .msg_name = &from,
		            .msg_namelen = sizeof(from),
		            .msg_iov = &v,
		            .msg_iovlen = 1 };
	ssize_t n = recvmsg(s->events.sock[which].fd, &m, MSG_DONTWAIT);

	if (n < 0 && errno == ENOBUFS) {
		s->reconcile.overruns++;
		return 1;
	}
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	/* Only the kernel is pid 0: others may send to a group of uevents. */
	if (from.nl_pid)
		return 2;
	return m.msg_flags & MSG_TRUNC || matters(s, which, buf, (size_t)n) ? 1
	                                                                    : 2;
}

void events_heard(struct server *s, unsigned which)
{
	struct reconcile *r = &s->reconcile;
	bool heard = false;
	int e = 1;

	for (unsigned i = 0; i < MESSAGES_AT_ONCE && e > 0; i++) {
		e = hear_one(s, which);
		heard |= e == 1;
	}
	if (e < 0)
		deaf(s, which, e);
	if (!heard || !r->active || !r->on_event)
		return;
	r->events++;
	look_soon(s);
}

/* ---- the policy ---------------------------------------------------------- */

void events_file(struct server *s)
{
	_Alignas(struct inotify_event) char buf[4096];
	ssize_t n = read(s->events.file, buf, sizeof(buf));

	for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= n;) {
		const struct inotify_event *e = (const void *)(buf + at);

		s->events.reload |= reload_event(s, e);
		at += (ssize_t)(sizeof(*e) + e->len);
	}
	if (s->events.reload)
		look_soon(s);
}

/* ---- a look has ended ---------------------------------------------------- */

static void say(const struct drift *d, void *arg)
{
	const struct server *s = arg;
	bool done = d->state == DRIFT_REPAIRED;
	char b[BDF_STRLEN];
	struct audit a;

	audit_begin(&a, s->env->log, s->env->journal, AUDIT_DRIFT,
	            done ? LOG_LVL_INFO : LOG_LVL_WARN, "drift %s: %s%s%s",
	            drift_state_name(d->state), d->text, *d->why ? ": " : "",
	            d->why);
	if (*d->of.bridge)
		audit_field(&a, "BRIDGE", "%s", d->of.bridge);
	else
		audit_field(&a, "BDF", "%s", bdf_format(d->of.pf, b));
	if (d->of.vf >= 0)
		audit_field(&a, "VF", "%d", d->of.vf);
	audit_field(&a, "OP", "%s", pol_op_name(d->of.op));
	audit_field(&a, "OUTCOME", "%s", drift_state_name(d->state));
	audit_send(&a);
}

void events_looked(struct server *s, const char *text, size_t len)
{
	json_t *doc = text ? json_loadb(text, len, 0, NULL) : NULL;

	/* A look that failed says nothing of the machine. */
	if (json_is_true(json_object_get(doc, "differs")))
		chore_reconcile(s);
	else if (json_is_true(json_object_get(doc, "ok")))
		drift_merge(&s->reconcile, doc, time(NULL), say, s);
	json_decref(doc);
	/* What was heard meanwhile is looked after in its own time. */
	if (!s->events.first)
		set_sweep(s);
}

/* ---- begin and end ------------------------------------------------------- */

static int listen_to(struct server *s, unsigned which, int protocol,
                     unsigned group)
{
	struct event_socket *w = &s->events.sock[which];
	struct sockaddr_nl a = { .nl_family = AF_NETLINK };

	w->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
	               protocol);
	if (w->fd < 0 || bind(w->fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    setsockopt(w->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
	               sizeof(group)) < 0)
		return -errno;
	return server_watch(s, w->fd, w);
}

/* A kernel without devlink has no such family: then there is nothing to hear.
 */
static int devlink_group(void)
{
	struct nl_sock *sock = nl_socket_alloc();
	int group = -ENOMEM;

	if (sock)
		group = genl_connect(sock);
	if (!group)
		group = genl_ctrl_resolve_grp(sock, "devlink", "config");
	nl_socket_free(sock);
	return group;
}

void events_open(struct server *s)
{
	static const enum source source[] = { SOURCE_RTNL, SOURCE_UEVENT,
		                              SOURCE_DEVLINK };
	int group = devlink_group();
	int r;

	s->events.timer_source = SOURCE_TIMER;
	s->events.timer =
		timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	for (unsigned i = 0; i < EVENT_SOCKETS; i++)
		s->events.sock[i] =
			(struct event_socket){ .source = source[i], .fd = -1 };
	r = s->events.timer < 0
	            ? -errno
	            : server_watch(s, s->events.timer, &s->events.timer_source);
	if (!r)
		r = listen_to(s, EVENT_RTNL, NETLINK_ROUTE, RTNLGRP_LINK);
	if (!r)
		r = listen_to(s, EVENT_UEVENT, NETLINK_KOBJECT_UEVENT,
		              UEVENT_GROUP);
	if (!r && group > 0)
		r = listen_to(s, EVENT_DEVLINK, NETLINK_GENERIC,
		              (unsigned)group);
	if (r)
		log_line(s->env->log, LOG_LVL_WARN,
		         "not all events can be heard (%s): the sweep is left",
		         strerror(-r));
	r = *s->env->reload->path ? reload_watch(s) : 0;
	if (r)
		log_line(s->env->log, LOG_LVL_WARN,
		         "%s is not watched (%s): SIGHUP is left",
		         s->env->reload->path, strerror(-r));
}

void events_close(struct server *s)
{
	for (unsigned i = 0; i < EVENT_SOCKETS; i++)
		close_fd(&s->events.sock[i].fd);
	close_fd(&s->events.timer);
	close_fd(&s->events.file);
}
