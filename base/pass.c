/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors over a UNIX socket. The receiver owns what arrives at once: a
 * truncated message closes everything it brought, so that a peer cannot fill
 * a daemon's descriptor table with messages it does not read.
 */

#include <string.h>
#include <sys/socket.h>

#include "base/base.h"

union control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
};

int fd_send(int sock, const void *buf, size_t len, const int *fds, size_t n)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)buf,
		             .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control = { 0 };
	ssize_t r;

	if (n > FD_PASS_MAX)
		return -EINVAL;
	if (n) {
		struct cmsghdr *c;

		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	}
	do
		r = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	return (size_t)r == len ? 0 : -EMSGSIZE;
}

/* Take the descriptors of `msg`; all of them, for what is too many must be
 * closed. Returns their number. */
static size_t take_fds(struct msghdr *msg, int fds[static FD_PASS_MAX])
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c;
	     c = CMSG_NXTHDR(msg, c)) {
		size_t got;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		got = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		got = MIN(got, FD_PASS_MAX - n); /* the buffer's own limit */
		memcpy(fds + n, CMSG_DATA(c), got * sizeof(int));
		n += got;
	}
	return n;
}

ssize_t fd_recv(int sock, void *buf, size_t size, int *fds, size_t max_fds,
                size_t *ret_n)
{
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	union control control = { 0 };
	struct msghdr msg = { .msg_iov = &iov,
		              .msg_iovlen = 1,
		              .msg_control = control.buf,
		              .msg_controllen = sizeof(control.buf) };
	int got[FD_PASS_MAX];
	ssize_t r;
	size_t n;

	do
		r = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	n = take_fds(&msg, got);
	if (n > max_fds || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		while (n)
			close_fd(&got[--n]);
		return -EMSGSIZE;
	}
	if (n)
		memcpy(fds, got, n * sizeof(int));
	*ret_n = n;
	return r;
}
