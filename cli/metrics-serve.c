/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP, as little of it as Prometheus needs: GET /metrics, one answer, the end.
 * One loop; whoever is slow loses its connection, and keeps nobody else.
 *
 * A connection reads (the request, up to its empty line), writes (the answer),
 * then drains: what a client still sends would make the kernel reset the
 * connection, and the end of the answer with it.
 */

#include "cli/metrics.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What is sent; several connections may be at it. */
struct page {
	unsigned users;
	size_t len;
	char text[];
};
enum step {
	FREE,
	READS,
	WRITES,
	DRAINS
};
struct conn {
	enum step step;
	int fd;
	uint64_t deadline;
	size_t n; /* of the request, or of the page */
	struct page *page;
	char request[SERVE_REQUEST];
};
struct serve {
	int listener;
	const struct metrics_source *source;
	struct page *page; /* the last one */
	uint64_t made;
	bool stale; /* ends when all have their answer */
	struct conn conn[SERVE_CLIENTS];
};

/* ---- where --------------------------------------------------------------- */

static bool parse_v4(const char *host, uint16_t port,
                     struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		                 .sin_port = htons(port) };

	if (inet_pton(AF_INET, host, &a.sin_addr) != 1 ||
	    ntohl(a.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
		return false;
	memcpy(ret, &a, sizeof(a));
	*ret_len = sizeof(a);
	return true;
}

static bool parse_v6(const char *host, uint16_t port,
                     struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6,
		                  .sin6_port = htons(port) };
	char inner[INET6_ADDRSTRLEN];
	size_t len = strlen(host);

	if (len < 3 || len - 2 >= sizeof(inner) || host[0] != '[' ||
	    host[len - 1] != ']')
		return false;
	snprintf(inner, sizeof(inner), "%.*s", (int)len - 2, host + 1);
	if (inet_pton(AF_INET6, inner, &a.sin6_addr) != 1 ||
	    !IN6_IS_ADDR_LOOPBACK(&a.sin6_addr))
		return false;
	memcpy(ret, &a, sizeof(a));
	*ret_len = sizeof(a);
	return true;
}

int metrics_listen(const char *address, int *ret_fd)
{
	const char *colon = strrchr(address, ':');
	_cleanup_close_ int fd = -1;
	struct sockaddr_storage a = { 0 };
	socklen_t len = 0;
	char host[64];
	uint64_t port;
	int on = 1;

	if (!colon || (size_t)(colon - address) >= sizeof(host) ||
	    parse_u64(colon + 1, UINT16_MAX, &port) || !port)
		return -EADDRNOTAVAIL;
	snprintf(host, sizeof(host), "%.*s", (int)(colon - address), address);
	if (!parse_v4(host, (uint16_t)port, &a, &len) &&
	    !parse_v6(host, (uint16_t)port, &a, &len))
		return -EADDRNOTAVAIL;
	fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&a, len) < 0 ||
	    listen(fd, SERVE_CLIENTS) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* ---- pages --------------------------------------------------------------- */

static struct page *page_make(const char *status, const char *type,
                              const char *body, size_t len)
{
	static const char form[] = "HTTP/1.1 %s\r\nContent-Type: %s\r\n"
				   "Content-Length: %zu\r\n"
				   "Connection: close\r\n\r\n";
	size_t room = sizeof(form) + strlen(status) + strlen(type) + 24;
	struct page *p = malloc(sizeof(*p) + room + len);

	if (!p)
		return NULL;
	p->users = 1;
	p->len = (size_t)snprintf(p->text, room, form, status, type, len);
	memcpy(p->text + p->len, body, len);
	p->len += len;
	return p;
}

static void page_drop(struct page *p)
{
	if (p && !--p->users)
		free(p);
}

static struct page *page_error(const char *status)
{
	char body[64];
	int n = snprintf(body, sizeof(body), "%s\n", status);

	return page_make(status, "text/plain", body, (size_t)n);
}

static struct page *page_metrics(struct serve *s)
{
	static const char type[] = "text/plain; version=0.0.4; charset=utf-8";
	uint64_t now = now_ns();
	char *text = NULL;
	size_t len = 0;
	int r;

	if (!s->page || now - s->made > SERVE_FRESH_MS * 1000000ull) {
		page_drop(s->page);
		s->page = NULL;
		r = s->source->get(s->source->arg, &text, &len);
		s->stale |= r == -ESTALE;
		if (!r)
			s->page = page_make("200 OK", type, text, len);
		free(text);
		/* Netd may have taken its time. */
		s->made = now_ns();
	}
	if (!s->page)
		return page_error("503 Service Unavailable");
	s->page->users++;
	return s->page;
}

/* ---- a connection -------------------------------------------------------- */

static void conn_end(struct conn *c)
{
	close_fd(&c->fd);
	page_drop(c->page);
	c->page = NULL;
	c->step = FREE;
}

/* "GET /metrics HTTP/1.1"; what follows a '?' is nobody's. */
static struct page *answer_to(struct serve *s, const char *request)
{
	static const char path[] = "/metrics";
	const char *line = request + 4;
	size_t len = strlen(path);

	if (!strstr(request, " HTTP/1."))
		return page_error("400 Bad Request");
	if (strncmp(request, "GET ", 4) != 0)
		return page_error("405 Method Not Allowed");
	if (strncmp(line, path, len) != 0 ||
	    (line[len] != ' ' && line[len] != '?'))
		return page_error("404 Not Found");
	return page_metrics(s);
}

static void conn_write(struct conn *c)
{
	ssize_t n = send(c->fd, c->page->text + c->n, c->page->len - c->n,
	                 MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		conn_end(c);
		return;
	}
	c->n += (size_t)n;
	if (c->n < c->page->len)
		return;
	shutdown(c->fd, SHUT_WR);
	c->step = DRAINS;
}

static void conn_read(struct serve *s, struct conn *c)
{
	ssize_t n = recv(c->fd, c->request + c->n,
	                 sizeof(c->request) - 1 - c->n, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_end(c);
		return;
	}
	c->n += (size_t)n;
	c->request[c->n] = '\0';
	if (!memmem(c->request, c->n, "\r\n\r\n", 4) &&
	    !memmem(c->request, c->n, "\n\n", 2)) {
		if (c->n < sizeof(c->request) - 1)
			return;
		c->page = page_error("431 Request Header Fields Too Large");
	} else {
		c->request[strcspn(c->request, "\r\n")] = '\0';
		c->page = answer_to(s, c->request);
	}
	c->n = 0;
	c->step = WRITES;
	c->deadline = now_ns() + SERVE_MS * 1000000ull;
	if (c->page)
		conn_write(c);
	else
		conn_end(c);
}

static void conn_drain(struct conn *c)
{
	ssize_t n = recv(c->fd, c->request, sizeof(c->request), 0);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		conn_end(c);
}

static void conn_event(struct serve *s, struct conn *c)
{
	if (c->step == READS)
		conn_read(s, c);
	else if (c->step == WRITES)
		conn_write(c);
	else if (c->step == DRAINS)
		conn_drain(c);
}

static struct conn *conn_free(struct serve *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->conn); i++)
		if (s->conn[i].step == FREE)
			return &s->conn[i];
	return NULL;
}

static void accept_one(struct serve *s)
{
	struct conn *c = conn_free(s);
	int fd = c ? accept4(s->listener, NULL, NULL,
	                     SOCK_CLOEXEC | SOCK_NONBLOCK)
	           : -1;

	if (fd < 0)
		return;
	c->fd = fd;
	c->step = READS;
	c->n = 0;
	c->deadline = now_ns() + SERVE_MS * 1000000ull;
}

/* ---- the loop ------------------------------------------------------------ */

/* What to wait for, and how long: for good where nobody is connected. */
static int prepare(const struct serve *s, struct pollfd p[])
{
	uint64_t now = now_ns(), first = UINT64_MAX;
	bool room = false;

	for (size_t i = 0; i < SERVE_CLIENTS; i++) {
		const struct conn *c = &s->conn[i];

		p[i] = (struct pollfd){ .fd = c->step == FREE ? -1 : c->fd,
			                .events = c->step == WRITES ? POLLOUT
			                                            : POLLIN };
		room = room || c->step == FREE;
		if (c->step != FREE)
			first = MIN(first, c->deadline);
	}
	p[SERVE_CLIENTS] =
		(struct pollfd){ .fd = room && !s->stale ? s->listener : -1,
		                 .events = POLLIN };
	if (first == UINT64_MAX)
		return -1;
	return first <= now ? 0 : (int)((first - now) / 1000000 + 1);
}

static bool all_free(const struct serve *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->conn); i++)
		if (s->conn[i].step != FREE)
			return false;
	return true;
}

static int turn(struct serve *s)
{
	struct pollfd p[SERVE_CLIENTS + 1];
	int ms = prepare(s, p);
	uint64_t now;

	if (poll(p, ARRAY_SIZE(p), ms) < 0 && errno != EINTR)
		return -errno;
	for (size_t i = 0; i < SERVE_CLIENTS; i++)
		if (p[i].fd >= 0 && p[i].revents)
			conn_event(s, &s->conn[i]);
	now = now_ns();
	for (size_t i = 0; i < SERVE_CLIENTS; i++)
		if (s->conn[i].step != FREE && now >= s->conn[i].deadline)
			conn_end(&s->conn[i]);
	if (p[SERVE_CLIENTS].revents)
		accept_one(s);
	return 0;
}

int metrics_serve(int listener, const struct metrics_source *source)
{
	struct serve *s = calloc(1, sizeof(*s));
	int r = s ? 0 : -ENOMEM;

	if (!s)
		return r;
	s->listener = listener;
	s->source = source;
	while (!r && !(s->stale && all_free(s)))
		r = turn(s);
	for (size_t i = 0; i < ARRAY_SIZE(s->conn); i++)
		if (s->conn[i].step != FREE)
			conn_end(&s->conn[i]);
	page_drop(s->page);
	free(s);
	return r;
}
