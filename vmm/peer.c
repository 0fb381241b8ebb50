/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection of the control socket: bytes in, bytes out. Buffers are made
 * when they are needed, and grow to their bounds: a peer that is just there
 * costs nothing.
 */

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/control.h"

#define FIRST 4096u

void peer_init(struct peer *p, int fd)
{
	*p = (struct peer){ .fd = fd, .passed_fd = -1 };
}

void peer_close(struct peer *p)
{
	close_fd(&p->fd);
	close_fd(&p->passed_fd);
	free(p->in);
	free(p->out);
	peer_init(p, -1);
}

/* Room for `need` bytes in all, up to `max`. */
static bool grow(char **buf, size_t *size, size_t need, size_t max)
{
	size_t want = MAX(*size, FIRST);
	char *more;

	while (want < need)
		want *= 2;
	if (need > max || want > max)
		return need <= *size;
	if (want == *size)
		return true;
	more = realloc(*buf, want);
	if (!more)
		return false;
	*buf = more;
	*size = want;
	return true;
}

/* ---- reading ------------------------------------------------------------- */

/* One is kept, the last; what else came with it is closed. */
static void take_fds(struct peer *p, struct msghdr *msg)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h;
	     h = CMSG_NXTHDR(msg, h)) {
		size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int fd;

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(h) + i * sizeof(fd), sizeof(fd));
			close_fd(&p->passed_fd);
			p->passed_fd = fd;
		}
	}
}

void peer_read(struct peer *p)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec iov;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	ssize_t n;

	if (p->in_len == CONTROL_LINE)
		return;
	if (!grow(&p->in, &p->in_size, p->in_len + 1, CONTROL_LINE)) {
		p->closing = true;
		return;
	}
	iov.iov_base = p->in + p->in_len;
	iov.iov_len = p->in_size - p->in_len;
	n = recvmsg(p->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		p->eof = true;
		return;
	}
	take_fds(p, &msg);
	p->in_len += (size_t)n;
}

size_t peer_line(const struct peer *p)
{
	const char *end = p->in_len ? memchr(p->in, '\n', p->in_len) : NULL;

	if (end)
		return (size_t)(end - p->in) + 1;
	return p->in_len == CONTROL_LINE ? SIZE_MAX : 0;
}

void peer_drop(struct peer *p, size_t n)
{
	p->in_len -= n;
	memmove(p->in, p->in + n, p->in_len);
	if (!p->in_len) {
		free(TAKE_PTR(p->in));
		p->in_size = 0;
	}
}

/* ---- writing ------------------------------------------------------------- */

static bool put(struct peer *p, const char *text, size_t len)
{
	if (p->out_at) {
		p->out_len -= p->out_at;
		memmove(p->out, p->out + p->out_at, p->out_len);
		p->out_at = 0;
	}
	if (!grow(&p->out, &p->out_size, p->out_len + len, CONTROL_QUEUE))
		return false;
	memcpy(p->out + p->out_len, text, len);
	p->out_len += len;
	return true;
}

/* All but the line that is half out already. */
static void give_up(struct peer *p)
{
	static const char why[] =
		"{\"jsonrpc\": \"2.0\", \"method\": \"dropped\", \"params\": "
		"{\"reason\": \"answers were not read\"}}\n";
	const char *from = p->out + p->out_at;
	const char *end =
		p->out ? memchr(from, '\n', p->out_len - p->out_at) : NULL;

	p->closing = true;
	p->events = false;
	if (end)
		p->out_len = (size_t)(end - p->out) + 1;
	(void)put(p, why, sizeof(why) - 1);
}

void peer_say(struct peer *p, json_t *doc)
{
	_cleanup_free_ char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) : 0;

	json_decref(doc);
	if (p->fd < 0 || p->closing)
		return;
	/* The place of the final zero is the end of the line. */
	if (text)
		text[len] = '\n';
	if (!text || !put(p, text, len + 1))
		give_up(p);
	peer_write(p);
}

void peer_text(struct peer *p, const char *text)
{
	if (!put(p, text, strlen(text)))
		p->closing = true;
}

void peer_write(struct peer *p)
{
	while (peer_behind(p)) {
		ssize_t n = write(p->fd, p->out + p->out_at,
		                  p->out_len - p->out_at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			p->closing = true;
			p->out_at = p->out_len;
			return;
		}
		p->out_at += (size_t)n;
	}
	free(TAKE_PTR(p->out));
	p->out_at = p->out_len = p->out_size = 0;
}
