/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a daemon that does its work in forks, and strikes at one system call of
 * one of them.
 *
 *   fault-at SET CONTROL LOG PROGRAM ARGS...
 *
 * When PROGRAM itself forks for a client (a "worker") and the file CONTROL is
 * there, it is read and removed; it says what is to become of that worker and
 * of all that the worker forks:
 *
 *   count                   each call of the set a line of LOG: its number, who
 *                           called, the call, what it was about
 *   fail N ERRNO            the N-th is not made, and answers with the errno
 *   kill-self N             who is about to make the N-th is killed
 *   kill-worker N           the worker is, whoever makes it
 *   kill-main N             PROGRAM is, whoever makes it
 *   run N                   `sh CONTROL.sh` is run, then it is made
 *
 * With a text behind N (and ERRNO; 0 where there is none) the N-th of those
 * whose line would contain it is meant.
 *
 * SET is "trace", calls that leave something behind (a file, a message, a
 * process, what the kernel was told); or "fail", calls that the kernel may
 * refuse. A hit is a line of LOG, too; the first line is PROGRAM's number.
 * strace has no such count over several processes, and none that begins in the
 * middle of a run.
 *
 * Order: a seccomp filter that stops at the calls of the set, inherited by all;
 * a victim has ended before whoever was at the call goes on, so that nothing
 * depends on who is quicker. All of it ends with fault-at.
 */

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"

#define PROCS_MAX 64
#define TEXT_MAX 160
#define LINE_MAX_LEN 192

enum {
	TRACE = 1,
	FAIL = 2,
	PATH = 4,
	FD = 8,
	HEARD = 16
};

/* `arg`: where the path or the descriptor is. */
struct call {
	long nr;
	const char *name;
	unsigned flags;
	unsigned arg;
};
// clang-format off
static const struct call calls[] = {
	{ SYS_openat,      "openat",      TRACE | FAIL | PATH, 1 },
	{ SYS_read,        "read",        FAIL | FD, 0 },
	{ SYS_pread64,     "pread64",     FAIL | FD, 0 },
	{ SYS_write,       "write",       TRACE | FAIL | FD, 0 },
	{ SYS_pwrite64,    "pwrite64",    TRACE | FAIL | FD, 0 },
	{ SYS_fsync,       "fsync",       TRACE | FAIL | FD, 0 },
	{ SYS_rename,      "rename",      TRACE | FAIL | PATH, 1 },
	{ SYS_renameat,    "renameat",    TRACE | FAIL | PATH, 3 },
	{ SYS_renameat2,   "renameat2",   TRACE | FAIL | PATH, 3 },
	{ SYS_unlink,      "unlink",      TRACE | FAIL | PATH, 0 },
	{ SYS_unlinkat,    "unlinkat",    TRACE | FAIL | PATH, 1 },
	{ SYS_mkdir,       "mkdir",       TRACE | FAIL | PATH, 0 },
	{ SYS_mkdirat,     "mkdirat",     TRACE | FAIL | PATH, 1 },
	{ SYS_readlink,    "readlink",    FAIL | PATH, 0 },
	{ SYS_readlinkat,  "readlinkat",  FAIL | PATH, 1 },
	{ SYS_newfstatat,  "newfstatat",  FAIL | PATH, 1 },
	{ SYS_access,      "access",      FAIL | PATH, 0 },
	{ SYS_faccessat,   "faccessat",   FAIL | PATH, 1 },
	{ SYS_faccessat2,  "faccessat2",  FAIL | PATH, 1 },
	{ SYS_getdents64,  "getdents64",  FAIL | FD, 0 },
	{ SYS_flock,       "flock",       TRACE | FAIL | FD, 0 },
	{ SYS_ioctl,       "ioctl",       TRACE | FAIL | FD, 0 },
	{ SYS_socket,      "socket",      FAIL, 0 },
	{ SYS_bind,        "bind",        FAIL | FD, 0 },
	{ SYS_setsockopt,  "setsockopt",  FAIL | FD, 0 },
	{ SYS_sendto,      "sendto",      TRACE | FAIL | FD, 0 },
	{ SYS_sendmsg,     "sendmsg",     TRACE | FAIL | FD, 0 },
	{ SYS_recvfrom,    "recvfrom",    FAIL | FD, 0 },
	{ SYS_recvmsg,     "recvmsg",     FAIL | FD | HEARD, 0 },
	{ SYS_epoll_wait,  "epoll_wait",  HEARD, 0 },
	{ SYS_memfd_create, "memfd_create", FAIL, 0 },
	{ SYS_mmap,        "mmap",        FAIL, 0 },
	{ SYS_pidfd_open,  "pidfd_open",  FAIL, 0 },
	{ SYS_poll,        "poll",        FAIL, 0 },
	{ SYS_clone,       "clone",       TRACE | FAIL, 0 },
	{ SYS_clone3,      "clone3",      TRACE | FAIL, 0 },
	{ SYS_fork,        "fork",        TRACE | FAIL, 0 },
	{ SYS_vfork,       "vfork",       TRACE | FAIL, 0 },
	{ SYS_kill,        "kill",        TRACE, 0 },
	{ SYS_exit_group,  "exit_group",  TRACE, 0 },
};
// clang-format on

enum action {
	COUNT,
	REFUSE,
	KILL_SELF,
	KILL_WORKER,
	KILL_MAIN,
	RUN,
	NO_ACTION
};
static const char *const action_names[] = { "count",     "fail",
	                                    "kill-self", "kill-worker",
	                                    "kill-main", "run" };

struct proc {
	pid_t pid;    /* 0 = free */
	pid_t worker; /* 0 = the program, or before anything is known of it */
	pid_t waits_for; /* stopped until that one has ended */
	bool known, stopped;
};
struct run {
	const char *control;
	FILE *log;
	pid_t main;
	struct proc proc[PROCS_MAX];
	enum action action;
	unsigned set;
	pid_t worker; /* of the action */
	bool heard;
	unsigned long at, n, err;
	char text[TEXT_MAX];
};

/* ---- the filter ---------------------------------------------------------- */

#define STMT(code, k) ((struct sock_filter)BPF_STMT(code, k))
#define JUMP(code, k, yes, no) ((struct sock_filter)BPF_JUMP(code, k, yes, no))

/* Stops at the calls of the set, and at those that note_main() wants; a file
 * that is only read is opened without a trace. */
static int stop_at_calls(unsigned set)
{
	struct sock_filter f[2 * ARRAY_SIZE(calls) + 8];
	struct sock_fprog prog = { .filter = f };
	unsigned short n = 0;

	f[n++] = STMT(BPF_LD | BPF_W | BPF_ABS,
	              offsetof(struct seccomp_data, nr));
	if (set == TRACE) {
		f[n++] = JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 4);
		f[n++] = STMT(BPF_LD | BPF_W | BPF_ABS,
		              offsetof(struct seccomp_data, args[2]));
		f[n++] = JUMP(BPF_JMP | BPF_JSET | BPF_K,
		              O_WRONLY | O_RDWR | O_CREAT | O_TRUNC, 0, 1);
		f[n++] = STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
		f[n++] = STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		if (!(calls[i].flags & (set | HEARD)))
			continue;
		f[n++] = JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i].nr,
		              0, 1);
		f[n++] = STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	}
	f[n++] = STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	prog.len = n;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

static _Noreturn void become(char **argv, unsigned set)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) ||
	    stop_at_calls(set) < 0)
		_exit(126);
	execv(argv[0], argv);
	_exit(127);
}

/* ---- processes ----------------------------------------------------------- */

static struct proc *proc_of(struct run *r, pid_t pid)
{
	struct proc *free_one = NULL;

	for (size_t i = 0; i < PROCS_MAX; i++) {
		if (r->proc[i].pid == pid)
			return &r->proc[i];
		if (!r->proc[i].pid && !free_one)
			free_one = &r->proc[i];
	}
	if (!free_one) {
		fputs("fault-at: too many processes\n", stderr);
		exit(1);
	}
	*free_one = (struct proc){ .pid = pid };
	return free_one;
}

static void go_on(struct proc *p, int sig)
{
	p->stopped = false;
	(void)!ptrace(PTRACE_CONT, p->pid, NULL, (void *)(uintptr_t)sig);
}

static void read_control(struct run *r, pid_t worker)
{
	char what[16] = "";
	FILE *f = fopen(r->control, "re");

	if (!f)
		return;
	r->n = r->err = r->at = 0;
	r->action = NO_ACTION;
	r->text[0] = '\0';
	if (fscanf(f, "%15s %lu %lu %159[^\n]", what, &r->n, &r->err,
	           r->text) >= 1)
		for (size_t i = 0; i < ARRAY_SIZE(action_names); i++)
			if (!strcmp(what, action_names[i]))
				r->action = (enum action)i;
	r->worker = worker;
	fclose(f);
	unlink(r->control);
}

static void on_fork(struct run *r, struct proc *parent)
{
	unsigned long msg = 0;
	struct proc *p;

	(void)!ptrace(PTRACE_GETEVENTMSG, parent->pid, NULL, &msg);
	p = proc_of(r, (pid_t)msg);
	p->known = true;
	p->worker = parent->worker;
	if (parent->pid == r->main) {
		p->worker = p->pid;
		if (r->heard)
			read_control(r, p->pid);
	}
	if (p->stopped)
		go_on(p, 0);
}

static void on_end(struct run *r, pid_t pid)
{
	proc_of(r, pid)->pid = 0;
	for (size_t i = 0; i < PROCS_MAX; i++)
		if (r->proc[i].pid && r->proc[i].waits_for == pid) {
			r->proc[i].waits_for = 0;
			go_on(&r->proc[i], 0);
		}
}

/* ---- a call -------------------------------------------------------------- */

static unsigned long arg_of(const struct user_regs_struct *u, unsigned i)
{
	const unsigned long a[] = { u->rdi, u->rsi, u->rdx, u->r10 };

	return a[i];
}

static void describe(pid_t pid, const struct call *c,
                     const struct user_regs_struct *u, char text[TEXT_MAX])
{
	unsigned long arg = arg_of(u, c->arg);
	struct iovec to = { text, TEXT_MAX - 1 };
	struct iovec from = { (void *)arg, TEXT_MAX - 1 };
	char link[48];

	memset(text, 0, TEXT_MAX);
	if (c->flags & PATH) {
		/* Not over the end of the page: the next may not be there. */
		from.iov_len = MIN(from.iov_len, 4096 - arg % 4096);
		(void)!process_vm_readv(pid, &to, 1, &from, 1, 0);
	} else if (c->flags & FD) {
		snprintf(link, sizeof(link), "/proc/%d/fd/%lu", pid, arg);
		(void)!readlink(link, text, TEXT_MAX - 1);
	}
}

/* "WHO CALL WHAT". */
static void line_of(const struct proc *p, const struct call *c,
                    const struct user_regs_struct *u, char ret[LINE_MAX_LEN])
{
	char text[TEXT_MAX];

	describe(p->pid, c, u, text);
	snprintf(ret, LINE_MAX_LEN, "%s %s %s",
	         p->pid == p->worker ? "worker" : "child", c->name, text);
}

static void say(struct run *r, const char *before, const char *line)
{
	fprintf(r->log, "%s%lu %s\n", before, r->at, line);
	fflush(r->log);
}

static bool is_there(const struct run *r, pid_t pid)
{
	for (size_t i = 0; i < PROCS_MAX; i++)
		if (r->proc[i].pid == pid)
			return true;
	return false;
}

static void run_script(const struct run *r)
{
	char command[TEXT_MAX];

	snprintf(command, sizeof(command), "sh %s.sh", r->control);
	if (system(command))
		fprintf(r->log, "the script failed\n");
}

static void strike(struct run *r, struct proc *p, struct user_regs_struct *u)
{
	const pid_t victim[] = { [KILL_SELF] = p->pid,
		                 [KILL_WORKER] = r->worker,
		                 [KILL_MAIN] = r->main };
	enum action a = r->action;

	r->action = NO_ACTION;
	if (a == RUN) {
		run_script(r);
		go_on(p, 0);
		return;
	}
	if (a == REFUSE) {
		u->orig_rax = (unsigned long)-1;
		u->rax = (unsigned long)-(long)r->err;
		(void)!ptrace(PTRACE_SETREGS, p->pid, NULL, u);
		go_on(p, 0);
		return;
	}
	if (!is_there(r, victim[a])) {
		go_on(p, 0);
		return;
	}
	if (victim[a] != p->pid)
		p->waits_for = victim[a];
	kill(victim[a], SIGKILL);
}

/* It forks for a client if a message came since it has waited last. */
static void note_main(struct run *r, const struct proc *p)
{
	struct user_regs_struct u = { 0 };

	if (ptrace(PTRACE_GETREGS, p->pid, NULL, &u) < 0)
		return;
	if (u.orig_rax == SYS_epoll_wait)
		r->heard = false;
	else if (u.orig_rax == SYS_recvmsg)
		r->heard = true;
}

/* NULL: not one that is looked for. */
static const struct call *call_of(const struct run *r, const struct proc *p,
                                  struct user_regs_struct *ret)
{
	if (r->action == NO_ACTION || p->worker != r->worker ||
	    ptrace(PTRACE_GETREGS, p->pid, NULL, ret) < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].nr == (long)ret->orig_rax)
			return calls[i].flags & r->set ? &calls[i] : NULL;
	return NULL;
}

static void on_call(struct run *r, struct proc *p)
{
	struct user_regs_struct u = { 0 };
	const struct call *c = call_of(r, p, &u);
	char line[LINE_MAX_LEN] = "";

	if (c && (r->action == COUNT || *r->text || r->at + 1 == r->n))
		line_of(p, c, &u, line);
	if (!c || !strstr(line, r->text)) {
		go_on(p, 0);
		return;
	}
	r->at++;
	if (r->action == COUNT)
		say(r, "", line);
	if (r->action == COUNT || r->at != r->n) {
		go_on(p, 0);
		return;
	}
	say(r, "hit ", line);
	strike(r, p, &u);
}

/* ---- all ----------------------------------------------------------------- */

static void on_stop(struct run *r, struct proc *p, int status)
{
	int sig = WSTOPSIG(status);

	p->stopped = true;
	switch (status >> 16) {
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		on_fork(r, p);
		go_on(p, 0);
		break;
	case PTRACE_EVENT_SECCOMP:
		if (p->pid == r->main)
			note_main(r, p);
		on_call(r, p);
		break;
	case 0:
		/* A new one, before or after its parent's word of it. */
		if (p->known)
			go_on(p, sig == SIGSTOP ? 0 : sig);
		break;
	default:
		go_on(p, 0);
	}
}

static int follow(struct run *r)
{
	int status, result = 1;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFSTOPPED(status)) {
			on_stop(r, proc_of(r, pid), status);
			continue;
		}
		if (pid == r->main)
			result = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
		on_end(r, pid);
	}
	return result;
}

int main(int argc, char **argv)
{
	static const long options = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
	                            PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
	                            PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL;
	struct run r = { .action = NO_ACTION };
	int status;

	if (argc < 5) {
		fputs("fault-at SET CONTROL LOG PROGRAM ARGS...\n", stderr);
		return 2;
	}
	r.set = !strcmp(argv[1], "trace") ? TRACE : FAIL;
	r.control = argv[2];
	r.log = fopen(argv[3], "ae");
	r.main = r.log ? fork() : -1;
	if (!r.main)
		become(argv + 4, r.set);
	if (r.main < 0 || waitpid(r.main, &status, 0) < 0 ||
	    ptrace(PTRACE_SETOPTIONS, r.main, NULL, options) < 0) {
		perror("fault-at");
		return 1;
	}
	fprintf(r.log, "main %d\n", r.main);
	fflush(r.log);
	proc_of(&r, r.main)->known = true;
	go_on(proc_of(&r, r.main), 0);
	return follow(&r);
}
