/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program run and waited for; tool.h has the rules. What it writes goes to
 * memory, so that nobody has to empty pipes while it runs.
 */

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netd/tool.h"

/* 0 to 2 are its own; the program itself is 3, which a script's interpreter
 * opens by that number. */
#define PROGRAM_FD 3
#define PROGRAM "/proc/self/fd/3"

static int put_fds(int program, int out, int err)
{
	/* Out of the way of the numbers that are given. */
	int in = open("/dev/null", O_RDWR | O_CLOEXEC);
	int at[] = { in, out, err, program };

	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		at[i] = fcntl(at[i], F_DUPFD_CLOEXEC, PROGRAM_FD + 1);
		if (at[i] < 0)
			return -errno;
	}
	for (size_t i = 0; i < ARRAY_SIZE(at); i++)
		if (dup2(at[i], (int)i) < 0)
			return -errno;
	return close_range(PROGRAM_FD + 1, ~0u, 0) < 0 ? -errno : 0;
}

static _Noreturn void child(pid_t parent, int program, int out, int err,
                            const char *const *argv)
{
	static const char *const env[] = { "LC_ALL=C", NULL };
	const struct rlimit most = { TOOL_TEXT_MAX, TOOL_TEXT_MAX };

	if (!prctl(PR_SET_PDEATHSIG, SIGKILL) && getppid() == parent &&
	    !setrlimit(RLIMIT_FSIZE, &most) && !put_fds(program, out, err))
		execve(PROGRAM, (char *const *)(uintptr_t)argv,
		       (char *const *)(uintptr_t)env);
	_exit(127);
}

static int wait_for(pid_t pid, unsigned ms)
{
	int s, r = child_wait(pid, ms, &s, NULL);

	if (r)
		return r;
	/* A deadline of its own ends it by this signal. */
	if (WIFSIGNALED(s) && WTERMSIG(s) == SIGALRM)
		return -ETIMEDOUT;
	return WIFEXITED(s) && !WEXITSTATUS(s) ? 0 : -EIO;
}

static void first_line(int fd, char said[static TOOL_WORDS])
{
	ssize_t n = pread(fd, said, TOOL_WORDS - 1, 0);

	said[MAX(n, 0)] = '\0';
	said[strcspn(said, "\n")] = '\0';
}

int tool_run(int root_fd, const char *path, const char *const *argv,
             unsigned ms, char **ret_text, char said[static TOOL_WORDS])
{
	_cleanup_close_ int program = openat(root_fd, path, O_PATH | O_CLOEXEC);
	_cleanup_close_ int out = memfd_create("tool", MFD_CLOEXEC);
	_cleanup_close_ int err = memfd_create("tool", MFD_CLOEXEC);
	size_t len;
	pid_t parent = getpid(), pid;
	int r;

	said[0] = '\0';
	if (program < 0)
		return errno == ENOTDIR ? -ENOENT : -errno;
	if (out < 0 || err < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid)
		child(parent, program, out, err, argv);
	r = wait_for(pid, ms);
	first_line(err, said);
	if (r || !ret_text)
		return r;
	r = fd_read_file(out, TOOL_TEXT_MAX, ret_text, &len);
	return MIN(r, 0);
}
