/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * `fairlead up`: as `fairlead run`, in the background. The child gets a session
 * of its own and no terminal, and becomes the VMM; we wait until that one
 * answers on its control socket, or has ended, and pass on what it said.
 */

#include "cli/guest.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRY_MS 50
#define LONGEST_S 300u /* memory is brought in, devices wait for resets */

static void be_child(const struct cli *c, char *const *args, int err)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0)
		_exit(CLI_INTERNAL);
	_exit(cli_run(c, args, 1));
}

/* What the child has to say goes on; true once it has ended. */
static bool pass_on(int from, int ms)
{
	struct pollfd p = { .fd = from, .events = POLLIN };
	char buf[512];
	ssize_t n;

	if (poll(&p, 1, ms) <= 0)
		return false;
	n = read(from, buf, sizeof(buf));
	if (n > 0)
		(void)!write(STDERR_FILENO, buf, (size_t)n);
	return n <= 0;
}

static bool answers(const struct cli *c, const char *name, pid_t pid)
{
	json_t *o = NULL;
	struct guest g;
	struct diag d;
	bool ours = false;

	if (guest_open(c, name, &g, &d) == 0 &&
	    guest_send(&g, "status", NULL, -1, &d) == 0 &&
	    guest_answer(&g, TRY_MS, &o, &d) == 0)
		ours = json_integer_value(json_object_get(o, "pid")) == pid;
	json_decref(o);
	guest_close(&g);
	return ours;
}

static int ended(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status)
	                                                : CLI_REFUSED;
}

static int wait_until(const struct cli *c, const char *name, pid_t pid,
                      int from)
{
	uint64_t until = now_ns() + LONGEST_S * 1000000000ull;
	struct diag d;

	while (now_ns() < until) {
		if (pass_on(from, TRY_MS))
			return ended(pid);
		if (answers(c, name, pid)) {
			printf("%s: running, pid %d\n", name, (int)pid);
			return CLI_OK;
		}
	}
	diag_fail(&d, -ETIMEDOUT, FL_CLI_GUEST, "guest %.64s does not answer",
	          name);
	diag_why(&d, "its VMM, pid %d, has not begun within %u s", (int)pid,
	         LONGEST_S);
	diag_mend(&d, "kill %d; then fairlead run %.64s, to see what it does",
	          (int)pid, name);
	return cli_refuse(c, CLI_REFUSED, &d);
}

int cli_up(const struct cli *c, char *const *args, unsigned n)
{
	_cleanup_close_ int from = -1;
	int ends[2];
	pid_t pid;

	(void)n;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return CLI_INTERNAL;
	from = ends[0];
	pid = fork();
	if (pid == 0)
		be_child(c, args, ends[1]);
	close_fd(&ends[1]);
	if (pid < 0)
		return CLI_INTERNAL;
	return wait_until(c, args[0], pid, from);
}
