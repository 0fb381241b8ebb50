/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process for each request, so that nothing a driver does can hold up the
 * daemon. Main waits for the worker's end (a pidfd) and only then takes the
 * answer: one datagram with a memfd of JSON and the descriptors to pass on.
 *
 * A worker leads its own process group, so that its deadline ends the
 * children it writes with, too; and it dies with main (PR_SET_PDEATHSIG), as
 * they do with it, so that after a crash of netd the next one is alone. Only a
 * write that the driver is at goes on: the next change waits for it, since it
 * first reads what takes the device's lock (stuck.h).
 */

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netd/priv.h"

struct head {
	uint32_t magic;
	uint32_t ok;
};
#define MAGIC 0x666c6431u

/* ---- the child --------------------------------------------------------- */

static int compare_ints(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* A client's descriptor left open here would keep its connection alive. */
static int close_others(const int *keep, size_t n, int sock)
{
	int k[WORKER_KEEP_MAX + 1];
	size_t m = 0;
	unsigned from = 3;

	for (size_t i = 0; i < n; i++)
		if (keep[i] > 2)
			k[m++] = keep[i];
	k[m++] = sock;
	qsort(k, m, sizeof(k[0]), compare_ints);
	for (size_t i = 0; i < m; i++) {
		if ((unsigned)k[i] > from &&
		    close_range(from, (unsigned)k[i] - 1, 0) < 0)
			return -errno;
		from = MAX(from, (unsigned)k[i] + 1);
	}
	return close_range(from, ~0u, 0) < 0 ? -errno : 0;
}

static int prepare(const int *keep, size_t n, int sock, pid_t parent)
{
	sigset_t none;

	setpgid(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		return -ECANCELED;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	return close_others(keep, n, sock);
}

static int body_memfd(const json_t *doc)
{
	_cleanup_free_ char *text = json_dumps(doc, JSON_COMPACT);
	_cleanup_close_ int fd = -1;

	if (!text || strlen(text) > NETD_REPLY_MAX)
		return -ENOMEM;
	fd = memfd_create("reply", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || fd_pwrite_full(fd, text, strlen(text), 0) < 0 ||
	    fcntl(fd, F_ADD_SEALS,
	          F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int send_answer(struct work *w, int sock, int r)
{
	struct head h = { MAGIC, r == 0 };
	int fds[NETD_FDS_MAX + 1];
	size_t n = r == 0 ? w->n_fds : 0;

	if (r < 0) {
		json_t *undo = json_object_get(w->reply, "undo");
		json_t *doc = reply_refusal(&w->diag, &w->errs);

		if (undo)
			json_object_set(doc, "undo", undo);
		w->reply = doc;
	}
	fds[0] = body_memfd(w->reply);
	if (fds[0] < 0)
		return fds[0];
	for (size_t i = 0; i < n; i++)
		fds[i + 1] = w->fd[i];
	return fd_send(sock, &h, sizeof(h), fds, n + 1);
}

/* What main must not, a worker may: nobody but its client waits for it. What
 * main has lost is main's to tell. */
static void wait_for_log(const struct work *w)
{
	struct log_room *room =
		w->env && w->env->log ? w->env->log->room : NULL;

	if (room)
		*room = (struct log_room){ .waits = true };
}

static _Noreturn void child(struct work *w, int sock)
{
	int r;

	wait_for_log(w);
	w->reply =
		json_pack("{s:i, s:b}", "version", NETD_PROTO_VERSION, "ok", 1);
	if (!w->reply)
		_exit(1);
	r = w->permit->run(w);
	if (r < 0 && !w->diag.code && !w->errs.n) {
		diag_fail(&w->diag, r, FL_NETD_MEMORY, "%s failed",
		          w->permit->verb);
		diag_why(&w->diag, "%s", strerror(-r));
		diag_mend(&w->diag, "see `dmesg` and the daemon's log, then "
		                    "try again");
	}
	_exit(send_answer(w, sock, r) < 0);
}

int worker_start(struct worker *ret, struct work *w, const int *keep,
                 size_t n_keep, unsigned ms)
{
	pid_t parent = getpid(), pid;
	int pair[2], pidfd;

	if (n_keep > WORKER_KEEP_MAX)
		return -EINVAL;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
	               0, pair) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		if (prepare(keep, n_keep, pair[1], parent) < 0)
			_exit(1);
		child(w, pair[1]);
	}
	close(pair[1]);
	pidfd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0) {
		int e = -errno;

		if (pid > 0)
			kill(pid, SIGKILL);
		close(pair[0]);
		return e;
	}
	*ret = (struct worker){ .pid = pid,
		                .pidfd = pidfd,
		                .sock = pair[0],
		                .deadline_ns = now_ns() + ms * 1000000ull };
	return 0;
}

/* ---- main ---------------------------------------------------------------- */

void worker_kill(struct worker *w)
{
	w->killed = true;
	/* The group first: it is named after a process we have not reaped, so
	 * no other can bear that number. */
	kill(-w->pid, SIGKILL);
	kill(w->pid, SIGKILL);
}

void worker_close(struct worker *w)
{
	close_fd(&w->sock);
	close_fd(&w->pidfd);
}

void answer_close(struct answer *a)
{
	close_fd(&a->body);
	while (a->n_fds)
		close_fd(&a->fd[--a->n_fds]);
}

static int take_answer(struct worker *w, struct answer *ret)
{
	int fds[NETD_FDS_MAX + 1];
	struct head h;
	size_t n = 0;
	ssize_t len = fd_recv(w->sock, &h, sizeof(h), fds, ARRAY_SIZE(fds), &n);

	if (len != (ssize_t)sizeof(h) || h.magic != MAGIC || !n) {
		while (len > 0 && n)
			close_fd(&fds[--n]);
		return -EIO;
	}
	ret->ok = h.ok;
	ret->body = fds[0];
	ret->n_fds = n - 1;
	memcpy(ret->fd, fds + 1, (n - 1) * sizeof(fds[0]));
	return 0;
}

int worker_finish(struct worker *w, struct answer *ret)
{
	int status, r = take_answer(w, ret);

	while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r && w->killed)
		r = -ETIMEDOUT;
	worker_close(w);
	return r;
}
