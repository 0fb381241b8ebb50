/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The daemon's socket: one JSON datagram there, one back (netd-proto.h). */

#include "cli/cli.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int no_netd(const struct cli *c, int err, struct diag *d)
{
	diag_fail(d, err, FL_CLI_NO_NETD, "cannot reach fairlead-netd at %s",
	          c->socket);
	diag_why(d, "%s", strerror(-err));
	if (err == -EACCES || err == -EPERM)
		diag_mend(d, "run as root, or as a member of the group %s",
		          NETD_GROUP);
	else
		diag_mend(d, "systemctl start fairlead-netd");
	return err;
}

int cli_connect(const struct cli *c, struct diag *d)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;

	if (strlen(c->socket) >= sizeof(a.sun_path))
		return no_netd(c, -ENAMETOOLONG, d);
	memcpy(a.sun_path, c->socket, strlen(c->socket) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return no_netd(c, -errno, d);
	return TAKE_FD(fd);
}

static int bad_reply(struct diag *d, const char *why)
{
	diag_fail(d, -EPROTO, FL_CLI_REPLY,
	          "fairlead-netd's answer is not understood");
	diag_why(d, "%s", why);
	diag_mend(d, "use the fairlead and fairlead-netd of one version: "
	             "fairlead --version; fairlead-netd --version");
	return -EPROTO;
}

/* A long reply is announced, and is itself in the first descriptor. */
static int read_body(int fd, json_t **ret, struct diag *d)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	json_t *doc;

	if (fd_read_file(fd, NETD_REPLY_MAX, &text, &len) < 0)
		return bad_reply(d, "its body cannot be read");
	doc = json_loadb(text, len, 0, NULL);
	if (!json_is_object(doc)) {
		json_decref(doc);
		return bad_reply(d, "its body is not a JSON object");
	}
	*ret = doc;
	return 0;
}

static void close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close_fd(&fds[i]);
}

static int parse_reply(const char *buf, size_t len, int *fds, size_t *n,
                       json_t **ret, struct diag *d)
{
	json_t *doc = json_loadb(buf, len, 0, NULL);
	int r = 0;

	if (!json_is_object(doc)) {
		json_decref(doc);
		return bad_reply(d, "not a JSON object");
	}
	if (!strcmp(cli_text(doc, "body", ""), "memfd")) {
		json_decref(doc);
		doc = NULL;
		if (!*n)
			return bad_reply(d, "its body is missing");
		r = read_body(fds[0], &doc, d);
		close_fd(&fds[0]);
		memmove(fds, fds + 1, --*n * sizeof(*fds));
	}
	if (r == 0)
		*ret = doc;
	return r;
}

static int receive(int sock, json_t **ret, int *fds, size_t *ret_n,
                   struct diag *d)
{
	_cleanup_free_ char *buf = malloc(NETD_MSG_MAX);
	size_t n = 0;
	ssize_t len;
	int r;

	if (!buf)
		return bad_reply(d, "no memory");
	len = fd_recv(sock, buf, NETD_MSG_MAX, fds, NETD_FDS_MAX, &n);
	if (len <= 0)
		return bad_reply(d, len ? strerror((int)-len)
		                        : "it closed the connection");
	r = parse_reply(buf, (size_t)len, fds, &n, ret, d);
	if (r < 0) {
		close_all(fds, n);
		return r;
	}
	*ret_n = n;
	return 0;
}

int cli_ask(int sock, const json_t *request, const int *fds, size_t n_fds,
            json_t **ret, int *ret_fds, size_t *ret_n, struct diag *d)
{
	_cleanup_free_ char *text = json_dumps(request, JSON_COMPACT);
	int got[NETD_FDS_MAX];
	size_t n = 0;
	int r;

	if (!text)
		return bad_reply(d, "no memory");
	r = fd_send(sock, text, strlen(text), fds, n_fds);
	if (r < 0)
		return bad_reply(d, strerror(-r));
	r = receive(sock, ret, got, &n, d);
	if (r < 0)
		return r;
	if (!ret_fds) {
		close_all(got, n);
		return 0;
	}
	memcpy(ret_fds, got, n * sizeof(*got));
	*ret_n = n;
	return 0;
}

static void copy_text(const json_t *o, const char *key, char *to)
{
	snprintf(to, DIAG_LINE, "%s", cli_text(o, key, ""));
}

static void print_error(const json_t *e, const char *file)
{
	int line = (int)json_integer_value(json_object_get(e, "line"));
	int column = (int)json_integer_value(json_object_get(e, "column"));
	const char *in = cli_text(e, "file", "");
	char text[4 * DIAG_LINE];
	struct diag d = {
		.code = (int)json_integer_value(json_object_get(e, "code")),
	};

	copy_text(e, "what", d.what);
	copy_text(e, "why", d.why);
	copy_text(e, "mend", d.mend);
	diag_format(&d, text, sizeof(text));
	if (line && file)
		fprintf(stderr, "%s%s%s:%d:%d: ", file, *in ? "/" : "", in,
		        line, column);
	fputs(text, stderr);
}

int cli_refused_reply(const struct cli *c, json_t *reply, const char *file)
{
	const json_t *errors = json_object_get(reply, "errors");

	if (c->json) {
		cli_print_json(reply);
		return CLI_REFUSED;
	}
	if (json_array_size(errors)) {
		for (size_t i = 0; i < json_array_size(errors); i++)
			print_error(json_array_get(errors, i), file);
	} else {
		print_error(json_object_get(reply, "error"), file);
	}
	json_decref(reply);
	return CLI_REFUSED;
}

int cli_transact(const struct cli *c, json_t *request, int policy_fd,
                 const char *file, json_t **ret)
{
	_cleanup_close_ int sock = -1;
	struct diag d = { 0 };
	json_t *reply = NULL;
	int r;

	sock = cli_connect(c, &d);
	if (sock < 0) {
		json_decref(request);
		return cli_refuse(c, CLI_NO_NETD, &d);
	}
	r = cli_ask(sock, request, &policy_fd, policy_fd >= 0 ? 1 : 0, &reply,
	            NULL, NULL, &d);
	json_decref(request);
	if (r < 0)
		return cli_refuse(c, CLI_INTERNAL, &d);
	if (!json_is_true(json_object_get(reply, "ok")))
		return cli_refused_reply(c, reply, file);
	*ret = reply;
	return CLI_OK;
}
