/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sending and receiving: conn.h. One datagram is one object. A message that is
 * longer than a datagram may be goes as a sealed memfd, as netd's own do.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netd/netd-proto.h"
#include "vmm/conn.h"

/* One slot's functions, a ROM each, the address space; or a NIC's pairs. */
#define FDS_MAX (2 * VM_FUNCTIONS_MAX + 1)
_Static_assert(FDS_MAX >= 2 * VM_NIC_PAIRS_MAX, "each with vhost");

struct message {
	char *text;
	int body; /* -1, or the memfd it announces */
};
struct conn {
	int fd; /* borrowed; -1 = nobody is there */
	struct message queue[CONN_QUEUE_MAX];
	unsigned first, n;
	uint64_t dropped;
	char buf[NETD_MSG_MAX];
};

int conn_new(int fd, struct conn **ret)
{
	struct conn *c = calloc(1, sizeof(*c));
	struct stat st;

	if (!c)
		return -ENOMEM;
	c->fd = fd >= 0 && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) ? fd
	                                                               : -1;
	*ret = c;
	return 0;
}

static void drop(struct message *m)
{
	free(TAKE_PTR(m->text));
	close_fd(&m->body);
}

static void forget(struct conn *c)
{
	for (; c->n; c->n--, c->first = (c->first + 1) % CONN_QUEUE_MAX)
		drop(&c->queue[c->first]);
}

void conn_free(struct conn *c)
{
	if (!c)
		return;
	forget(c);
	free(c);
}

int conn_fd(const struct conn *c)
{
	return c->fd;
}

bool conn_wants_output(const struct conn *c)
{
	return c->n > 0;
}

uint64_t conn_dropped(const struct conn *c)
{
	return c->dropped;
}

/* ---- sending ------------------------------------------------------------- */

static int send_now(const struct conn *c, const struct message *m)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = m->text, .iov_len = strlen(m->text) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (m->body >= 0) {
		struct cmsghdr *h;

		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		h = CMSG_FIRSTHDR(&msg);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(h), &m->body, sizeof(int));
	}
	if (sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return 0;
	return errno == EINTR ? -EAGAIN : -errno;
}

/* What cannot be sent for another reason than that netd is slow has nobody to
 * go to; that netd is gone is found by reading. */
void conn_output(struct conn *c)
{
	while (c->n) {
		struct message *m = &c->queue[c->first];
		int r = c->fd < 0 ? -ENOTCONN : send_now(c, m);

		if (r == -EAGAIN)
			return;
		c->dropped += r < 0;
		drop(m);
		c->first = (c->first + 1) % CONN_QUEUE_MAX;
		c->n--;
	}
}

/* Takes what is in it. */
static void put(struct conn *c, struct message m)
{
	if (!m.text || c->fd < 0 || c->n == CONN_QUEUE_MAX) {
		c->dropped += c->fd >= 0;
		drop(&m);
		return;
	}
	c->queue[(c->first + c->n++) % CONN_QUEUE_MAX] = m;
	conn_output(c);
}

static int body_of(const char *text)
{
	_cleanup_close_ int fd =
		memfd_create("state", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || fd_pwrite_full(fd, text, strlen(text), 0) < 0 ||
	    fcntl(fd, F_ADD_SEALS,
	          F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return -EIO;
	return TAKE_FD(fd);
}

/* `doc` is taken. */
static void say(struct conn *c, json_t *doc)
{
	struct message m = { json_dumps(doc, JSON_COMPACT), -1 };

	json_decref(doc);
	if (m.text && strlen(m.text) > NETD_MSG_MAX) {
		m.body = body_of(m.text);
		free(m.text);
		m.text = m.body < 0 ? NULL : strdup("{\"body\":\"memfd\"}");
	}
	put(c, m);
}

void conn_done(struct conn *c, uint64_t id, bool forced)
{
	say(c, json_pack("{s:s, s:I, s:b, s:b}", "event", "done", "id",
	                 (json_int_t)id, "ok", 1, "forced", forced));
}

void conn_refuse(struct conn *c, uint64_t id, const struct diag *why)
{
	json_t *error =
		json_pack("{s:i, s:i, s:s, s:s, s:s}", "code", why->code,
	                  "errno", -why->err, "what", why->what, "why",
	                  why->why, "mend", why->mend);

	say(c, json_pack("{s:s, s:I, s:b, s:o}", "event", "done", "id",
	                 (json_int_t)id, "ok", 0, "error", error));
}

void conn_gone(struct conn *c, const char *device, const char *reason)
{
	say(c, json_pack("{s:s, s:s, s:s}", "event", "gone", "device", device,
	                 "reason", reason));
}

void conn_dark(struct conn *c, const char *device)
{
	say(c, json_pack("{s:s, s:s}", "event", "dark", "device", device));
}

void conn_state(struct conn *c, uint64_t id, json_t *state)
{
	json_object_set_new(state, "event", json_string("state"));
	json_object_set_new(state, "id", json_integer((json_int_t)id));
	say(c, state);
}

/* ---- receiving ----------------------------------------------------------- */

static int lost(struct conn *c)
{
	forget(c);
	c->fd = -1;
	return -ECONNRESET;
}

static int too_long(struct conn *c)
{
	struct diag d;

	diag_fail(&d, -EMSGSIZE, FL_VMM_CONN, "a message of netd");
	diag_why(&d,
	         "it is longer than %d bytes, or brings more than %d "
	         "descriptors",
	         NETD_MSG_MAX, FDS_MAX);
	diag_mend(&d, "restart the guest: netd and its VMM differ in version");
	conn_refuse(c, 0, &d);
	return 0;
}

int conn_input(struct conn *c, struct conn_order *ret)
{
	int fds[FDS_MAX];
	struct diag d;
	ssize_t len;
	size_t n;
	int r;

	if (c->fd < 0)
		return 0;
	len = fd_recv(c->fd, c->buf, sizeof(c->buf), fds, FDS_MAX, &n);
	if (len == -EMSGSIZE)
		return too_long(c);
	if (len == -EAGAIN)
		return 0;
	if (len <= 0) {
		/* An empty message looks like the end, and may bring some. */
		while (len == 0 && n)
			close_fd(&fds[--n]);
		return lost(c);
	}
	r = conn_parse(c->buf, (size_t)len, fds, n, ret, &d);
	if (r == 0)
		return ret->verb != CONN_NOTHING;
	conn_refuse(c, ret->id, &d);
	return 0;
}
