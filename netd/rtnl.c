/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A rtnetlink socket that listens to what the kernel says. Extended
 * acknowledgements are on, so that a refusal comes with the driver's own
 * words (NLMSGERR_ATTR_MSG), not with an errno alone.
 *
 * One request at a time, each with its own sequence number; answers to
 * anything else are passed over.
 */

#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include "netd/priv.h"

#define RECEIVE_SECONDS 5
#define DUMP_TRIES 3
#define BUFFER (1u << 20) /* a link with 256 VFs is about 60 kB */
/* Of one message, or what a dump has put together: an attribute, and so the
 * list of VFs, is below 64 KiB. Room for it costs less than asking first how
 * long each message is; the C library maps none of this size anew. */
#define MESSAGE (96u << 10)

struct rtnl {
	struct nl_sock *sock;
};

static void set_options(struct nl_sock *sock)
{
	const struct timeval tv = { .tv_sec = RECEIVE_SECONDS };
	int fd = nl_socket_get_fd(sock), on = 1;

	/* Without these an error is less clear, or a silent kernel is waited
	 * for until the worker's own deadline. */
	(void)!setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)!setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on,
	                  sizeof(on));
	(void)!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	nl_socket_set_buffer_size(sock, BUFFER, BUFFER);
	nl_socket_disable_msg_peek(sock);
	(void)!nl_socket_set_msg_buf_size(sock, MESSAGE);
}

int rtnl_open_protocol(int protocol, struct rtnl **ret, struct diag *d)
{
	struct rtnl *r = calloc(1, sizeof(*r));

	if (r)
		r->sock = nl_socket_alloc();
	if (r && r->sock && !nl_connect(r->sock, protocol)) {
		set_options(r->sock);
		*ret = r;
		return 0;
	}
	rtnl_close(r);
	diag_fail(d, -EIO, FL_NETD_LINK, "cannot open a %s socket",
	          protocol == NETLINK_ROUTE ? "rtnetlink" : "netlink");
	diag_why(d, "%s", errno ? strerror(errno) : "no memory");
	diag_mend(d, "raise LimitNOFILE= of fairlead-netd.service, or let "
	             "RestrictAddressFamilies= of it have AF_NETLINK");
	return -EIO;
}

int rtnl_open(struct rtnl **ret, struct diag *d)
{
	return rtnl_open_protocol(NETLINK_ROUTE, ret, d);
}

void rtnl_close(struct rtnl *r)
{
	if (!r)
		return;
	if (r->sock)
		nl_socket_free(r->sock);
	free(r);
}

/* The attributes of an acknowledgement follow the request it repeats, or its
 * header alone (NLM_F_CAPPED). */
static void take_words(struct nlmsghdr *h, const struct nlmsgerr *e,
                       char words[static RTNL_WORDS])
{
	size_t skip = sizeof(*e);
	struct nlattr *at, *msg;
	size_t len = h->nlmsg_len;

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(h->nlmsg_flags & NLM_F_CAPPED) &&
	    e->msg.nlmsg_len > sizeof(e->msg))
		skip += NLMSG_ALIGN(e->msg.nlmsg_len - sizeof(e->msg));
	skip += NLMSG_HDRLEN;
	if (skip >= len)
		return;
	at = (struct nlattr *)(void *)((char *)h + skip);
	msg = nla_find(at, (int)(len - skip), NLMSGERR_ATTR_MSG);
	if (msg)
		snprintf(words, RTNL_WORDS, "%.*s", nla_len(msg),
		         (const char *)nla_data(msg));
}

/* A dump ends with its result instead. -EAGAIN: what was dumped changed under
 * way. */
static int end_of_dump(const struct nlmsghdr *h)
{
	int result = 0;

	if (h->nlmsg_len >= NLMSG_HDRLEN + sizeof(result))
		memcpy(&result, nlmsg_data(h), sizeof(result));
	if (!result && h->nlmsg_flags & NLM_F_DUMP_INTR)
		result = -EAGAIN;
	return MIN(result, 0);
}

/* 1 = more to come, 0 = done, negative = refused. */
static int take_message(struct nlmsghdr *h,
                        int (*reply)(struct nlmsghdr *h, void *arg), void *arg,
                        char words[static RTNL_WORDS])
{
	const struct nlmsgerr *e = nlmsg_data(h);

	if (h->nlmsg_type == NLMSG_DONE)
		return end_of_dump(h);
	/* libnl asks for an acknowledgement of everything: that is the end. */
	if (h->nlmsg_type != NLMSG_ERROR) {
		int r = reply ? reply(h, arg) : 0;

		return r < 0 ? r : 1;
	}
	if (h->nlmsg_len < NLMSG_HDRLEN + sizeof(*e))
		return -EBADMSG;
	take_words(h, e, words);
	return e->error;
}

static int receive(struct rtnl *r, uint32_t seq,
                   int (*reply)(struct nlmsghdr *h, void *arg), void *arg,
                   char words[static RTNL_WORDS])
{
	for (;;) {
		unsigned char *buf = NULL;
		struct sockaddr_nl from;
		int n = nl_recv(r->sock, &from, &buf, NULL);
		struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf;
		int answer = 1;

		if (n <= 0)
			return n == -NLE_MSG_TRUNC ? -EMSGSIZE : -ETIMEDOUT;
		for (; from.nl_pid == 0 && answer == 1 && nlmsg_ok(h, n);
		     h = nlmsg_next(h, &n))
			if (h->nlmsg_seq == seq)
				answer = take_message(h, reply, arg, words);
		free(buf);
		if (answer != 1)
			return answer;
	}
}

int rtnl_talk(struct rtnl *r, struct nl_msg *msg,
              int (*reply)(struct nlmsghdr *h, void *arg), void *arg,
              char words[static RTNL_WORDS])
{
	uint32_t seq;
	int n;

	words[0] = '\0';
	nl_complete_msg(r->sock, msg);
	seq = nlmsg_hdr(msg)->nlmsg_seq;
	n = nl_send(r->sock, msg);
	nlmsg_free(msg);
	if (n < 0)
		return -EIO;
	return receive(r, seq, reply, arg, words);
}

int rtnl_dump(struct rtnl *r, struct nl_msg *msg,
              int (*reply)(struct nlmsghdr *h, void *arg), void *arg, size_t *n)
{
	char words[RTNL_WORDS];
	int e = msg ? -EAGAIN : -ENOMEM;

	for (int i = 0; e == -EAGAIN && i < DUMP_TRIES; i++) {
		struct nl_msg *one = nlmsg_convert(nlmsg_hdr(msg));

		if (n)
			*n = 0;
		e = one ? rtnl_talk(r, one, reply, arg, words) : -ENOMEM;
	}
	nlmsg_free(msg);
	return e;
}
