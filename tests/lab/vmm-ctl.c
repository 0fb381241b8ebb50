/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other end of a VMM's connection, for scenarios without netd: orders from
 * a FIFO, a line each, and the VMM's messages into a file, a line each.
 *
 *   vmm-ctl ORDERS REPLIES BACKEND COMMAND...
 *
 * COMMAND is run in this very process, with the connection as descriptor 4; a
 * child holds the other end until the VMM is gone. Orders:
 *
 *   attach BDF@SLOT.FN=NAME...      one slot's functions
 *   detach NAME MS
 *   query
 *   dma-fault NAME ACTION [TEXT]
 *   raw TEXT                        sent as it is
 *   close                           as if netd had died
 */

#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "netd/netd-proto.h"

struct ctl {
	int sock, out;
	bool group;
	unsigned id;
};

static void tell(const struct ctl *c, const char *text, size_t len)
{
	if (write(c->out, text, len) < 0 || write(c->out, "\n", 1) < 0)
		_exit(1);
}

static void complain(const struct ctl *c, const char *what, const char *on)
{
	char text[512];
	int n = snprintf(text, sizeof(text),
	                 "{\"event\": \"ctl\", \"error\": \"%s %s: %s\"}", what,
	                 on, strerror(errno));

	tell(c, text, (size_t)n);
}

/* ---- files --------------------------------------------------------------- */

/* The name of a device's character device or group, below /dev/vfio. */
static int vfio_file(const struct ctl *c, const char *bdf, char *ret,
                     size_t size)
{
	char path[256], link[256];
	ssize_t n;
	glob_t g;

	if (!c->group) {
		snprintf(path, sizeof(path),
		         "/sys/bus/pci/devices/%s/vfio-dev/vfio*", bdf);
		if (glob(path, 0, NULL, &g))
			return -1;
		snprintf(ret, size, "/dev/vfio/devices/%s",
		         basename(g.gl_pathv[0]));
		globfree(&g);
		return 0;
	}
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group",
	         bdf);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return -1;
	link[n] = '\0';
	snprintf(ret, size, "/dev/vfio/%s", basename(link));
	return 0;
}

struct files {
	char path[16][256];
	int fd[16];
	size_t n;
};

/* A group can be opened once at a time, and the last reference of the one
 * before goes a little after its descriptors did. */
static int open_patiently(const char *path)
{
	const struct timespec step = { .tv_nsec = 50000000 };
	int fd = open(path, O_RDWR | O_CLOEXEC);

	for (int i = 0; fd < 0 && errno == EBUSY && i < 60; i++) {
		nanosleep(&step, NULL);
		fd = open(path, O_RDWR | O_CLOEXEC);
	}
	return fd;
}

/* A group is opened once, however many of its functions go. */
static int open_file(struct files *f, const char *path)
{
	int fd = -1;

	if (f->n == ARRAY_SIZE(f->fd))
		return -1;
	for (size_t i = 0; fd < 0 && i < f->n; i++)
		if (!strcmp(f->path[i], path))
			fd = fcntl(f->fd[i], F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		fd = open_patiently(path);
	if (fd < 0)
		return -1;
	snprintf(f->path[f->n], sizeof(f->path[0]), "%s", path);
	f->fd[f->n++] = fd;
	return 0;
}

/* ---- orders -------------------------------------------------------------- */

static void send_order(const struct ctl *c, const char *text,
                       const struct files *f)
{
	if (fd_send(c->sock, text, strlen(text), f ? f->fd : NULL,
	            f ? f->n : 0) < 0)
		complain(c, "send", text);
}

static void attach(struct ctl *c, char *words)
{
	char devices[2048] = "", fds[1024] = "\"iommu\"", text[NETD_MSG_MAX];
	struct files f = { .n = 0 };
	char *save = NULL;

	if (open_file(&f, c->group ? "/dev/vfio/vfio" : "/dev/iommu") < 0)
		complain(c, "open", "the address space");
	for (char *w = strtok_r(words, " ", &save); w;
	     w = strtok_r(NULL, " ", &save)) {
		char bdf[32], name[64], path[256];
		unsigned slot, fn;
		size_t at = strlen(devices), end = strlen(fds);

		if (sscanf(w, "%31[^@]@%u.%u=%63s", bdf, &slot, &fn, name) !=
		            4 ||
		    vfio_file(c, bdf, path, sizeof(path)) < 0 ||
		    open_file(&f, path) < 0) {
			complain(c, "open", w);
			continue;
		}
		snprintf(devices + at, sizeof(devices) - at,
		         "%s{\"name\": \"%s\", \"bdf\": \"%s\", \"slot\": %u, "
		         "\"function\": %u}",
		         at ? ", " : "", name, bdf, slot, fn);
		snprintf(fds + end, sizeof(fds) - end, ", \"device:%s\"", name);
	}
	snprintf(text, sizeof(text),
	         "{\"event\": \"attach\", \"id\": %u, \"backend\": \"%s\", "
	         "\"devices\": [%s], \"fds\": [%s]}",
	         ++c->id, c->group ? "group" : "iommufd", devices, fds);
	send_order(c, text, &f);
	while (f.n)
		close_fd(&f.fd[--f.n]);
}

static void order(struct ctl *c, char *line)
{
	char text[1024], name[64] = "", word[16] = "";
	char *rest = strchr(line, ' ');
	unsigned ms = 0;

	rest = rest ? rest + 1 : line + strlen(line);
	if (!strncmp(line, "attach ", 7)) {
		attach(c, rest);
	} else if (sscanf(line, "detach %63s %u", name, &ms) == 2) {
		snprintf(text, sizeof(text),
		         "{\"event\": \"detach\", \"id\": %u, \"device\": "
		         "\"%s\", \"deadline_ms\": %u}",
		         ++c->id, name, ms);
		send_order(c, text, NULL);
	} else if (sscanf(line, "dma-fault %63s %15s", name, word) == 2) {
		snprintf(text, sizeof(text),
		         "{\"event\": \"dma-fault\", \"device\": \"%s\", "
		         "\"action\": \"%s\", \"text\": \"fault addr "
		         "0x7000000\"}",
		         name, word);
		send_order(c, text, NULL);
	} else if (!strcmp(line, "query")) {
		snprintf(text, sizeof(text),
		         "{\"event\": \"query\", \"id\": %u}", ++c->id);
		send_order(c, text, NULL);
	} else if (!strncmp(line, "raw ", 4)) {
		send_order(c, rest, NULL);
	} else if (!strcmp(line, "close")) {
		_exit(0);
	} else {
		errno = EINVAL;
		complain(c, "understand", "an order");
	}
}

/* ---- both ways ----------------------------------------------------------- */

static void reply(const struct ctl *c)
{
	static char buf[NETD_MSG_MAX];
	int fds[FD_PASS_MAX];
	size_t n;
	ssize_t len = fd_recv(c->sock, buf, sizeof(buf), fds, FD_PASS_MAX, &n);

	if (len <= 0)
		_exit(0);
	if (n) {
		_cleanup_free_ char *body = NULL;
		size_t size;

		if (fd_read_file(fds[0], 1 << 24, &body, &size) == 0)
			tell(c, body, size);
		while (n)
			close_fd(&fds[--n]);
		return;
	}
	tell(c, buf, (size_t)len);
}

static void serve(struct ctl *c, const char *orders)
{
	/* Read and write: no end of file when a writer goes. */
	int fifo = open(orders, O_RDWR | O_CLOEXEC);
	FILE *in = fifo < 0 ? NULL : fdopen(fifo, "r");
	struct pollfd p[] = { { .fd = c->sock, .events = POLLIN },
		              { .fd = fifo, .events = POLLIN } };
	char line[4096];

	if (!in) {
		complain(c, "open", orders);
		_exit(1);
	}
	/* A line at a time, or poll would not know of those that are read. */
	setvbuf(in, NULL, _IONBF, 0);
	while (poll(p, 2, -1) > 0) {
		if (p[0].revents)
			reply(c);
		if (p[1].revents && fgets(line, sizeof(line), in)) {
			line[strcspn(line, "\n")] = '\0';
			order(c, line);
		}
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	int s[2], out;

	if (argc < 5) {
		fputs("usage: vmm-ctl ORDERS REPLIES BACKEND COMMAND...\n",
		      stderr);
		return 2;
	}
	out = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (out < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s) < 0) {
		perror("vmm-ctl");
		return 1;
	}
	switch (fork()) {
	case -1:
		perror("vmm-ctl: fork");
		return 1;
	case 0: {
		struct ctl c = { .group = !strcmp(argv[3], "group") };

		/* Nothing of the VMM's is kept open from here. */
		if (dup2(out, 1) < 0 || dup2(s[0], 0) < 0 || dup2(out, 2) < 0)
			_exit(1);
		closefrom(3);
		c.sock = 0;
		c.out = 1;
		serve(&c, argv[1]);
		break;
	}
	default:
		break;
	}
	close(s[0]);
	close(out);
	if (s[1] != NETD_VMM_FD_CONN) {
		dup2(s[1], NETD_VMM_FD_CONN);
		close(s[1]);
	}
	execvp(argv[4], argv + 4);
	perror(argv[4]);
	return 127;
}
