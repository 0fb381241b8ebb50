/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The client's side of a guest's control socket. */

#include "cli/guest.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MS 30000
#define PIECE ((size_t)16384)

static int no_guest(const char *name, int err, struct diag *d)
{
	diag_fail(d, err, FL_CLI_GUEST, "cannot reach guest %.64s", name);
	if (err == -ENOENT || err == -ECONNREFUSED) {
		diag_why(d, "it does not run");
		diag_mend(d, "fairlead ps; fairlead up %.64s", name);
	} else if (err == -EACCES) {
		diag_why(d, "%s", strerror(-err));
		diag_mend(d, "run as root, or as a member of the group %s",
		          NETD_GROUP);
	} else {
		diag_why(d, "%s", strerror(-err));
		diag_mend(d, "fairlead ps");
	}
	return err;
}

static int bad_answer(const struct guest *g, const char *why, struct diag *d)
{
	diag_fail(d, -EPROTO, FL_CLI_REPLY,
	          "what guest %.64s answers is not understood", g->name);
	diag_why(d, "%s", why);
	diag_mend(d, "use the fairlead of the version that started the guest");
	return -EPROTO;
}

char *guest_folder(const struct cli *c)
{
	const char *end = strrchr(c->socket, '/');
	char *path = NULL;

	if (asprintf(&path, "%.*s" NETD_GUESTS,
	             end ? (int)(end - c->socket) + 1 : 0, c->socket) < 0)
		return NULL;
	return path;
}

int guest_open(const struct cli *c, const char *name, struct guest *ret,
               struct diag *d)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_cleanup_free_ char *folder = guest_folder(c);
	_cleanup_close_ int fd = -1;
	int n;

	*ret = (struct guest){ .name = name, .fd = -1 };
	if (!folder || strchr(name, '/') || !*name)
		return no_guest(name, -ENOENT, d);
	n = snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s.sock", folder,
	             name);
	if (n < 0 || (size_t)n >= sizeof(a.sun_path))
		return no_guest(name, -ENAMETOOLONG, d);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return no_guest(name, -errno, d);
	ret->fd = TAKE_FD(fd);
	return 0;
}

void guest_close(struct guest *g)
{
	close_fd(&g->fd);
	free(TAKE_PTR(g->buf));
}

/* ---- asking -------------------------------------------------------------- */

static int send_all(int sock, const char *text, size_t len, int fd)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)text,
		             .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		struct cmsghdr *h;

		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		h = CMSG_FIRSTHDR(&msg);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(h), &fd, sizeof(int));
	}
	/* Requests are short: a socket takes them whole. */
	return sendmsg(sock, &msg, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -EIO;
}

int guest_send(struct guest *g, const char *method, json_t *params, int fd,
               struct diag *d)
{
	json_t *o = json_pack("{s:s, s:I, s:s}", "jsonrpc", "2.0", "id",
	                      ++g->id, "method", method);
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (params)
		json_object_set_new(o, "params", params);
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (!text)
		return bad_answer(g, "no memory", d);
	len = strlen(text);
	text[len] = '\n'; /* for its final zero */
	return send_all(g->fd, text, len + 1, fd) < 0
	               ? no_guest(g->name, -ECONNREFUSED, d)
	               : 0;
}

/* ---- hearing ------------------------------------------------------------- */

static int take_line(struct guest *g, size_t n, json_t **ret, struct diag *d)
{
	json_t *o = json_loadb(g->buf, n, 0, NULL);

	g->len -= n;
	memmove(g->buf, g->buf + n, g->len);
	if (!json_is_object(o)) {
		json_decref(o);
		return bad_answer(g, "it is not a JSON object", d);
	}
	*ret = o;
	return 1;
}

static int wait_for(const struct guest *g, int ms)
{
	struct pollfd p = { .fd = g->fd, .events = POLLIN };
	int r;

	do
		r = poll(&p, 1, ms);
	while (r < 0 && errno == EINTR);
	return r ? r : -ETIMEDOUT;
}

static int silent(const struct guest *g, struct diag *d)
{
	diag_fail(d, -ETIMEDOUT, FL_CLI_GUEST, "guest %.64s does not answer",
	          g->name);
	diag_mend(d, "try again; `fairlead log %.64s` has what it said last",
	          g->name);
	return -ETIMEDOUT;
}

/* 1 = some more, 0 = the end. */
static int read_more(struct guest *g, int ms, struct diag *d)
{
	ssize_t n;
	int r = wait_for(g, ms);

	if (r == -ETIMEDOUT)
		return silent(g, d);
	if (r < 0)
		return bad_answer(g, strerror(errno), d);
	if (g->size - g->len < PIECE) {
		char *more = g->size < GUEST_LINE_MAX
		                     ? realloc(g->buf, g->size + 4 * PIECE)
		                     : NULL;

		if (!more)
			return bad_answer(g, "it is too long", d);
		g->buf = more;
		g->size += 4 * PIECE;
	}
	n = read(g->fd, g->buf + g->len, g->size - g->len);
	if (n > 0)
		g->len += (size_t)n;
	return n > 0;
}

int guest_next(struct guest *g, int ms, json_t **ret, struct diag *d)
{
	for (;;) {
		const char *end = g->len ? memchr(g->buf, '\n', g->len) : NULL;
		int r;

		if (end)
			return take_line(g, (size_t)(end - g->buf) + 1, ret, d);
		r = read_more(g, ms, d);
		if (r <= 0)
			return r;
	}
}

static void copy(char *to, const json_t *from, const char *key)
{
	snprintf(to, DIAG_LINE, "%s", cli_text(from, key, ""));
}

static int refusal(const struct guest *g, const json_t *error, struct diag *d)
{
	const json_t *data = json_object_get(error, "data");

	diag_fail(d, -EREMOTEIO, FL_CLI_REPLY, "guest %.64s refuses: %.128s",
	          g->name, cli_text(error, "message", "?"));
	diag_mend(d, "fairlead --help");
	if (!data)
		return -EREMOTEIO;
	d->code = (int)json_integer_value(json_object_get(data, "code"));
	copy(d->what, data, "what");
	copy(d->why, data, "why");
	copy(d->mend, data, "mend");
	return -EREMOTEIO;
}

static int take_answer(struct guest *g, json_t *o, json_t **ret, struct diag *d)
{
	const json_t *error = json_object_get(o, "error");
	json_t *result = json_object_get(o, "result");
	int r = 0;

	if (error)
		r = refusal(g, error, d);
	else if (!result)
		r = bad_answer(g, "it has no result", d);
	else if (ret)
		*ret = json_incref(result);
	json_decref(o);
	return r;
}

int guest_answer(struct guest *g, int ms, json_t **ret, struct diag *d)
{
	for (;;) {
		const json_t *id;
		json_t *o = NULL;
		int r = guest_next(g, ms, &o, d);

		if (r < 0)
			return r;
		if (r == 0)
			return no_guest(g->name, -ECONNREFUSED, d);
		id = json_object_get(o, "id");
		/* Without one it is an event; null is of what came before. */
		if (id && (json_is_null(id) || json_integer_value(id) == g->id))
			return take_answer(g, o, ret, d);
		json_decref(o);
	}
}

int guest_call(struct guest *g, const char *method, json_t *params,
               json_t **ret, struct diag *d)
{
	int r = guest_send(g, method, params, -1, d);

	return r < 0 ? r : guest_answer(g, ANSWER_MS, ret, d);
}
