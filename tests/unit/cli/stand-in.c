/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command's surroundings: its daemon and its VMM. */

#include "tests/unit/cli/stand-in.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netd/netd-proto.h"

/* ---- the daemon ---------------------------------------------------------- */

int daemon_setup(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct daemon *d = calloc(1, sizeof(*d));

	assert_non_null(d);
	snprintf(d->dir, sizeof(d->dir), "/tmp/fl-cli-XXXXXX");
	assert_non_null(mkdtemp(d->dir));
	snprintf(d->path, sizeof(d->path), "%s/sock", d->dir);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", d->path);
	d->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_true(d->listener >= 0);
	assert_int_equal(bind(d->listener, (struct sockaddr *)&a, sizeof(a)),
	                 0);
	assert_int_equal(listen(d->listener, 1), 0);
	*state = d;
	return 0;
}

int daemon_teardown(void **state)
{
	struct daemon *d = *state;

	for (size_t i = 0; i < d->n_fds; i++)
		close_fd(&d->fds[i]);
	close_fd(&d->listener);
	unlink(d->path);
	rmdir(d->dir);
	free(d);
	return 0;
}

static void serve(struct daemon *d, const char *reply, const int *fds, size_t n)
{
	struct pollfd p = { .fd = d->listener, .events = POLLIN };
	_cleanup_close_ int conn = -1;
	ssize_t len;

	if (poll(&p, 1, 10000) != 1)
		return; /* it never came: its exit status will tell */
	conn = accept4(d->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(conn >= 0);
	len = fd_recv(conn, d->request, sizeof(d->request) - 1, d->fds,
	              ARRAY_SIZE(d->fds), &d->n_fds);
	assert_true(len > 0);
	d->request[len] = '\0';
	for (char more[NETD_MSG_MAX]; reply && len > 0;) {
		int none[1];
		size_t n_none = 0;

		assert_int_equal(fd_send(conn, reply, strlen(reply), fds, n),
		                 0);
		reply = d->then ? d->then : reply;
		len = fd_recv(conn, more, sizeof(more), none, 0, &n_none);
	}
}

/* ---- the command --------------------------------------------------------- */

/* build/tests/unit/cli/test_command -> build/fairlead */
static const char *command(char path[static 4096])
{
	ssize_t n = readlink("/proc/self/exe", path, 4000);

	assert_true(n > 0);
	path[n] = '\0';
	for (unsigned i = 0; i < 4; i++)
		*strrchr(path, '/') = '\0';
	strcat(path, "/fairlead");
	return path;
}

static pid_t start(const char *const *args, const char *socket, int out,
                   int err)
{
	const char *argv[ARGS_MAX + 4] = { "fairlead" };
	char path[4096];
	size_t n = 1;
	pid_t pid;

	if (socket) {
		argv[n++] = "--socket";
		argv[n++] = socket;
	}
	while (*args)
		argv[n++] = *args++;
	command(path);
	pid = fork();
	assert_true(pid >= 0);
	if (pid)
		return pid;
	dup2(out, 1);
	dup2(err, 2);
	execv(path, (char *const *)(uintptr_t)argv);
	_exit(127);
}

static void take_text(int fd, char *to)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	assert_int_equal(fd_read_file(fd, TEXT_MAX - 1, &text, &len), 0);
	memcpy(to, text, len + 1);
}

static void finish(struct outcome *o, pid_t pid, int out, int err)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	o->status = WIFEXITED(status) ? WEXITSTATUS(status)
	                              : 128 + WTERMSIG(status);
	take_text(out, o->out);
	take_text(err, o->err);
}

void run(struct outcome *o, const char *const *args)
{
	_cleanup_close_ int out = memfd_create("out", MFD_CLOEXEC);
	_cleanup_close_ int err = memfd_create("err", MFD_CLOEXEC);

	finish(o, start(args, NULL, out, err), out, err);
}

void run_served(struct outcome *o, struct daemon *d, const char *const *args,
                const char *reply, const int *fds, size_t n)
{
	_cleanup_close_ int out = memfd_create("out", MFD_CLOEXEC);
	_cleanup_close_ int err = memfd_create("err", MFD_CLOEXEC);
	pid_t pid = start(args, d->path, out, err);

	serve(d, reply, fds, n);
	finish(o, pid, out, err);
}

void expect_text(const struct outcome *o, const char *where, const char *text,
                 const char *want)
{
	if (!strstr(text, want))
		fail_msg("%s: no \"%s\"\nstatus %d\nstdout: %s\nstderr: %s",
		         where, want, o->status, o->out, o->err);
}

int text_memfd(const char *text)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_pwrite_full(fd, text, strlen(text), 0), 0);
	return fd;
}

/* ---- the VMM ------------------------------------------------------------- */

void stand_in_vmm(char *const *argv, char *const *envp)
{
	char text[256];

	if (strcmp(argv[0], "fairlead-vmm") != 0)
		return;
	printf("args");
	for (unsigned i = 1; argv[i]; i++)
		printf(" %s", argv[i]);
	printf("\nenvironment %s\n", envp[0] ? "is there" : "is empty");
	printf("user %s\n", getuid() && geteuid() ? "is not root" : "is root");
	printf("groups %d\n", getgroups(0, NULL));
	printf("no_new_privs %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	printf("open");
	for (int fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf(" %d", fd);
	printf("\n");
	for (int fd = NETD_VMM_FD0; fd < NETD_VMM_FD0 + 3; fd++) {
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

		printf("%d: %.*s\n", fd, n > 0 ? (int)n : 0, text);
	}
	text[0] = '\0';
	(void)!pread(NETD_VMM_FD_LEASE, text, sizeof(text) - 1, 0);
	printf("lease %.10s\n", text);
	printf("report %zd\n", write(NETD_VMM_FD_REPORT, "{}\n", 3));
	fflush(stdout);
	_exit(10);
}
