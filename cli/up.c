/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * `fairlead up`: as `fairlead run`, in the background. A child asks for the
 * lease, which is then its own, gives us the log that came with it, and becomes
 * the VMM, in a session of its own and without a terminal. We wait until that
 * answers on its control socket, or has ended, and pass on what it says
 * meanwhile. The log is kept when we have gone (netd/words.c).
 */

#include "cli/boot.h"
#include "cli/guest.h"
#include "cli/launch.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRY_MS 50
#define LONGEST_S 300u /* memory is brought in, devices wait for resets */

struct begin {
	const struct cli *c;
	const char *name;
	pid_t pid;
	int log;
	uint64_t at; /* in the log, what has been passed on */
};

/* What is refused with the lease is told by us, here; what goes wrong after it
 * is in the log, too: as text. */
static _Noreturn void be_child(const struct cli *c, const char *name, int sock)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct cli plain = *c;
	struct launch l;
	int status = launch_lease(c, name, true, &l);
	uint64_t at;

	if (status != CLI_OK)
		_exit(fflush(NULL) ? CLI_INTERNAL : status);
	/* Behind what earlier runs have said. */
	at = (uint64_t)lseek(l.log, 0, SEEK_CUR);
	plain.json = false;
	setsid();
	if (null < 0 || fd_send(sock, &at, sizeof(at), &l.log, 1) < 0 ||
	    dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		_exit(CLI_INTERNAL);
	_exit(launch_become(&plain, &l));
}

/* False: the child has ended without one. */
static bool get_log(struct begin *b, int sock)
{
	size_t n = 0;

	return fd_recv(sock, &b->at, sizeof(b->at), &b->log, 1, &n) ==
	               (ssize_t)sizeof(b->at) &&
	       n == 1;
}

static void pass_on(struct begin *b)
{
	char buf[4096];
	size_t n;

	while ((n = textring_more(b->log, &b->at, buf, sizeof(buf))))
		(void)!write(STDERR_FILENO, buf, n);
}

static int wait_for(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static bool answers(const struct begin *b)
{
	json_t *o = NULL;
	struct guest g;
	struct diag d;
	bool ours = false;

	if (guest_open(b->c, b->name, &g, &d) == 0 &&
	    guest_send(&g, "status", NULL, -1, &d) == 0 &&
	    guest_answer(&g, TRY_MS, &o, &d) == 0)
		ours = json_integer_value(json_object_get(o, "pid")) == b->pid;
	json_decref(o);
	guest_close(&g);
	return ours;
}

/* A guest may have powered off already: then all was well. */
static int ended(const struct begin *b, int status)
{
	if (WIFEXITED(status) && !WEXITSTATUS(status)) {
		printf("%s: has ended\n", b->name);
		return CLI_OK;
	}
	if (WIFSIGNALED(status))
		fprintf(stderr, "%s: its VMM was killed: %s\n", b->name,
		        strsignal(WTERMSIG(status)));
	return WIFEXITED(status) ? WEXITSTATUS(status) : CLI_REFUSED;
}

static int wait_until(struct begin *b)
{
	uint64_t until = now_ns() + LONGEST_S * 1000000000ull;
	int status = 0;
	struct diag d;

	while (now_ns() < until) {
		/* In this order: its last words are in the log. */
		bool gone = waitpid(b->pid, &status, WNOHANG) == b->pid;

		pass_on(b);
		if (gone)
			return ended(b, status);
		if (answers(b)) {
			printf("%s: running, pid %d\n", b->name, (int)b->pid);
			return CLI_OK;
		}
		poll(NULL, 0, TRY_MS);
	}
	diag_fail(&d, -ETIMEDOUT, FL_CLI_GUEST, "guest %.64s does not answer",
	          b->name);
	diag_why(&d, "its VMM, pid %d, has not begun within %u s", (int)b->pid,
	         LONGEST_S);
	diag_mend(&d, "kill %d; then fairlead run %.64s, to see what it does",
	          (int)b->pid, b->name);
	return cli_refuse(b->c, CLI_REFUSED, &d);
}

int guest_up(const struct cli *c, const char *name)
{
	struct begin b = { .c = c, .name = name, .log = -1 };
	_cleanup_close_ int sock = -1;
	int ends[2], status;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return CLI_INTERNAL;
	sock = ends[0];
	b.pid = fork();
	if (b.pid == 0)
		be_child(c, name, ends[1]);
	close_fd(&ends[1]);
	if (b.pid < 0)
		return CLI_INTERNAL;
	if (get_log(&b, sock))
		status = wait_until(&b);
	else
		status = ended(&b, wait_for(b.pid));
	close_fd(&b.log);
	return status;
}

/* ---- log ----------------------------------------------------------------- */

/* netd has it also of guests that have ended; the guest, where netd was
 * restarted meanwhile. */
static int ask_guest(const struct cli *c, const char *name, json_t **ret)
{
	struct diag d = { 0 };
	struct guest g;
	int r = guest_open(c, name, &g, &d);

	if (r == 0)
		r = guest_call(&g, "log", NULL, ret, &d);
	guest_close(&g);
	return r;
}

int cli_log(const struct cli *c, char *const *args, unsigned n)
{
	json_t *o = NULL, *req;
	int status;

	(void)n;
	if (ask_guest(c, args[0], &o) < 0) {
		req = json_pack("{s:i, s:s, s:s}", "version",
		                NETD_PROTO_VERSION, "verb", "log", "guest",
		                args[0]);
		status = cli_transact(c, req, -1, NULL, &o);
		if (status != CLI_OK)
			return status;
	}
	if (c->json)
		return cli_print_json(o);
	fputs(cli_text(o, "text", ""), stdout);
	json_decref(o);
	return CLI_OK;
}
