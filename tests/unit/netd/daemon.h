/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_TEST_NETD_DAEMON_H
#define FL_TEST_NETD_DAEMON_H

/* The daemon over its socket, on a tree of files, and what clients say. */

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "netd/reload.h"
#include "netd/server.h"
#include "tests/unit/netd/sim.h"

#define LEASE_GID 54321

struct daemon {
	struct state_dir dir;
	char socket[128];
	pid_t pid;
	const char *watched; /* below its folder */
	bool etc;            /* that is as /etc/fairlead */
	/* In its process, before it runs; NULL = nothing. */
	void (*opened)(struct daemon *d, struct server *s);
};

static inline void shell(const struct daemon *d, const char *commands)
{
	char line[512];

	snprintf(line, sizeof(line), "cd %s && %s", d->dir.path, commands);
	assert_int_equal(system(line), 0);
}

/* Without a state folder, which is the daemon's that comes first. */
static inline struct env *daemon_env(const struct daemon *d)
{
	static struct log log;
	static struct reload reload;
	struct env *e = calloc(1, sizeof(*e));

	log.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	e->log = &log;
	e->root_fd = d->dir.fd;
	e->cache_fd = e->state_fd = -1;
	e->reload = &reload;
	snprintf(reload.path, sizeof(reload.path), "%s/%s", d->dir.path,
	         d->watched);
	reload.etc = d->etc;
	e->lease_gid = LEASE_GID;
	return e;
}

static inline _Noreturn void serve(struct daemon *d)
{
	struct env *e = daemon_env(d);
	struct server *s = NULL;
	struct diag diag;
	char state[128];

	snprintf(state, sizeof(state), "%s/state", d->dir.path);
	if (journal_open(state, &e->state_fd, &diag) ||
	    server_open(e, d->socket, &s, &diag))
		_exit(1);
	if (d->opened)
		d->opened(d, s);
	_exit(server_run(s) ? 1 : 0);
}

static inline int dial(const struct daemon *d)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(a.sun_path, d->socket);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		close_fd(&fd);
	return fd;
}

/* Until it answers. */
static inline void daemon_run(struct daemon *d)
{
	int fd = -1;

	d->pid = fork();
	if (!d->pid)
		serve(d);
	for (int i = 0; fd < 0 && i < 200; i++) {
		usleep(10000);
		fd = dial(d);
	}
	assert_true(fd >= 0);
	close(fd);
}

/* It does not run yet. */
static inline struct daemon *daemon_new(const char *watched)
{
	struct daemon *d = calloc(1, sizeof(*d));

	d->watched = watched;
	dir_make(&d->dir);
	shell(d, "mkdir -p sys/bus/pci/devices proc dev && mkfifo dev/kmsg");
	snprintf(d->socket, sizeof(d->socket), "%s/run/s", d->dir.path);
	return d;
}

static inline int setup_with(void **state, const char *watched, bool etc)
{
	struct daemon *d = daemon_new(watched);

	d->etc = etc;
	daemon_run(d);
	*state = d;
	return 0;
}

static inline int setup(void **state)
{
	return setup_with(state, "policy.yaml", false);
}

static inline int teardown(void **state)
{
	struct daemon *d = *state;
	int status;

	/* Again and again: the second means not to wait for a change that
	 * hangs, and two at once are one. */
	do {
		kill(d->pid, SIGTERM);
		usleep(20000);
	} while (waitpid(d->pid, &status, WNOHANG) == 0);
	/* Children of it that hang in a device outlive it, until that answers.
	 */
	shell(d, "find sys -type p -exec sh -c ': <>\"$0\"' {} \\;");
	dir_drop(&d->dir);
	free(d);
	/* It must end as asked, not by a signal or a sanitizer. */
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	return 0;
}

/* NULL when nothing came within `ms`, or the connection ended. */
static inline json_t *receive(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	static char buf[NETD_MSG_MAX];
	int fds[NETD_FDS_MAX];
	json_t *doc;
	size_t n = 0;
	ssize_t len;

	if (poll(&p, 1, ms) != 1)
		return NULL;
	len = fd_recv(fd, buf, sizeof(buf), fds, ARRAY_SIZE(fds), &n);
	if (len <= 0)
		return NULL;
	doc = json_loadb(buf, (size_t)len, 0, NULL);
	assert_non_null(doc);
	return doc;
}

static inline bool is_closed(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char c;

	return poll(&p, 1, 2000) == 1 && recv(fd, &c, 1, 0) <= 0;
}

static inline void say(int fd, const char *text)
{
	assert_int_equal(fd_send(fd, text, strlen(text), NULL, 0), 0);
}

static inline void expect(int fd, int code)
{
	json_t *doc = receive(fd, 5000);
	const json_t *e = json_object_get(doc, "error");

	assert_non_null(doc);
	if (!code && e)
		print_error("refused: FL-%d %s: %s\n",
		            (int)json_integer_value(json_object_get(e, "code")),
		            json_string_value(json_object_get(e, "what")),
		            json_string_value(json_object_get(e, "why")));
	assert_int_equal(json_is_true(json_object_get(doc, "ok")), code == 0);
	if (code)
		assert_int_equal(json_integer_value(json_object_get(e, "code")),
		                 code);
	json_decref(doc);
}

static inline void send_policy(int fd, const char *verb, const char *text)
{
	int mem = memfd_create("policy", MFD_ALLOW_SEALING);
	char req[128];

	assert_int_equal(fd_pwrite_full(mem, text, strlen(text), 0), 0);
	assert_int_equal(fcntl(mem, F_ADD_SEALS,
	                       F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK),
	                 0);
	snprintf(req, sizeof(req), "{\"version\":1,\"verb\":\"%s\"}", verb);
	assert_int_equal(fd_send(fd, req, strlen(req), &mem, 1), 0);
	close(mem);
}

/* The first child of the daemon; 0 = it has none. */
static inline pid_t worker_of(const struct daemon *d)
{
	char path[64], text[64] = "";
	pid_t pid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", d->pid,
	         d->pid);
	f = fopen(path, "r");
	assert_non_null(f);
	if (fgets(text, sizeof(text), f))
		(void)!sscanf(text, "%d", &pid);
	fclose(f);
	return pid;
}

/* It looks at the machine when it begins. */
static inline void wait_idle(const struct daemon *d)
{
	int fd = dial(d);

	say(fd, "{\"version\":1,\"verb\":\"status\"}");
	expect(fd, 0);
	close(fd);
	for (int i = 0; i < 500 && worker_of(d); i++)
		usleep(10000);
	assert_int_equal(worker_of(d), 0);
}

#endif
