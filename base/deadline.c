/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a driver does, with a deadline. It happens in a child, because a
 * driver may sleep in it for ever, and no signal wakes a process in such a
 * sleep; the parent only ever waits on a pidfd.
 *
 * Order: the child gets a pidfd before it can end; on time-out SIGKILL, a
 * short grace in which a killable sleep ends, then the child is left to the
 * kernel and reported (a later wait by the caller, or init, reaps it). It dies
 * with the parent: what it was to do and has not begun is nobody's will any
 * more, and would come in the middle of what is done then.
 */

#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"

#define KILL_GRACE_MS 200u

/* The child's answer is its exit status: 0, or an errno (all fit 8 bits). */
static _Noreturn void child(pid_t parent, int keep_fd, int (*fn)(void *arg),
                            void *arg)
{
	sigset_t none;
	int r;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(ECANCELED);
	/* A child that hangs must hold nobody's connection or device open. */
	if (keep_fd > 0)
		close_range(0, (unsigned)keep_fd - 1, 0);
	close_range(keep_fd < 0 ? 0 : (unsigned)keep_fd + 1, ~0u, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	r = fn(arg);
	_exit(r < 0 && -r < 256 ? -r : r ? EIO : 0);
}

/* 1 when the process ended within `ms`, 0 when it did not. */
static int wait_end(int pidfd, unsigned ms)
{
	uint64_t end = now_ns() + ms * 1000000ull;

	for (;;) {
		struct pollfd p = { .fd = pidfd, .events = POLLIN };
		uint64_t now = now_ns();
		int left =
			now < end ? (int)((end - now + 999999) / 1000000) : 0;
		int r = poll(&p, 1, left);

		if (r >= 0)
			return r;
		if (errno != EINTR)
			return -errno;
	}
}

/* The child has ended: its status. That is waited for where somebody traces
 * it, who has it first. */
static int reap(pid_t pid, int *ret_status)
{
	pid_t r;

	do
		r = waitpid(pid, ret_status, 0);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

static int give_up(pid_t pid, int pidfd, int *ret_stuck)
{
	int status;

	kill(pid, SIGKILL);
	if (wait_end(pidfd, KILL_GRACE_MS) > 0)
		(void)!reap(pid, &status);
	else if (ret_stuck)
		*ret_stuck = pid;
	return -ETIMEDOUT;
}

int child_wait(pid_t pid, unsigned ms, int *ret_status, int *ret_stuck)
{
	/* An unreaped child keeps its number: no other process can be meant. */
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int r = pidfd < 0 ? -errno : wait_end(pidfd, ms);

	if (r > 0)
		return reap(pid, ret_status);
	if (!r)
		return give_up(pid, pidfd, ret_stuck);
	kill(pid, SIGKILL);
	return r;
}

int run_deadline(int keep_fd, int (*fn)(void *arg), void *arg,
                 unsigned timeout_ms, int *ret_stuck)
{
	pid_t parent = getpid(), pid = fork();
	int status, r;

	if (pid < 0)
		return -errno;
	if (!pid)
		child(parent, keep_fd, fn, arg);
	if (ret_stuck)
		*ret_stuck = 0;
	r = child_wait(pid, timeout_ms, &status, ret_stuck);
	if (r)
		return r;
	/* Killed by somebody else: whether the write happened is unknown. */
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

struct attr_write {
	int root_fd;
	const char *path, *value;
};

static int write_attr(void *arg)
{
	const struct attr_write *w = arg;

	return sysfs_write(w->root_fd, w->path, w->value);
}

int sysfs_write_deadline(int root_fd, const char *path, const char *value,
                         unsigned timeout_ms, int *ret_stuck)
{
	struct attr_write w = { root_fd, path, value };

	return run_deadline(root_fd, write_attr, &w, timeout_ms, ret_stuck);
}
