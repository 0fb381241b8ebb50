/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parts of a plan, each in a process of its own (apply.h). What they say comes
 * back in memory that is shared: it is there up to the last action, however a
 * process ends.
 *
 * A part's process leads a group, so that its deadline ends the children it
 * writes with, too. It dies with its worker: what follows is planned anew from
 * what is then.
 */

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netd/apply.h"

#define TICK_MS 100
#define GRACE_MS 200
/* Of an action: several writes of SRIOV_WRITE_MS, and what is waited for. */
#define ACTION_MS (6 * SRIOV_WRITE_MS)
#define NUMVFS_MS (2 * SRIOV_NUMVFS_MS + ACTION_MS)
#define NS_MS 1000000ull

/* What a part's process tells; `outcome` of all parts lies behind them. */
struct told {
	volatile uint64_t begun_ns; /* of the action it is at */
	volatile size_t at;         /* counted from the part's first */
	volatile bool ended;
	int r;
	struct diag d;
};
struct side {
	const struct apply_run *run;
	struct apply_part *parts;
	size_t n, begun, running;
	struct told *told;
	uint8_t *outcome; /* shared */
	size_t size;
	struct {
		pid_t pid;
		int pidfd;
		size_t part;
	} slot[APPLY_AT_ONCE];
};

/* ---- the process --------------------------------------------------------- */

static _Noreturn void child(const struct side *s, size_t part, pid_t parent)
{
	const struct apply_part *p = &s->parts[part];
	struct told *t = &s->told[part];
	struct apply_run run = *s->run;
	size_t done;
	int r;

	setpgid(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	run.outcome = s->outcome;
	r = run.ops->enter(run.ctx, &t->d);
	for (size_t i = 0; !r && i < p->n; i += done) {
		t->at = i;
		t->begun_ns = now_ns();
		r = apply_some(&run, p->first + i, p->n - i, &done, &t->d);
	}
	t->r = r;
	t->ended = true;
	_exit(0);
}

/* ---- the parent ---------------------------------------------------------- */

static int begin(struct side *s, size_t slot)
{
	size_t part = s->begun;
	pid_t parent = getpid(), pid;
	int pidfd;

	s->told[part].begun_ns = now_ns();
	pid = fork();
	if (!pid)
		child(s, part, parent);
	pidfd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0) {
		int e = -errno;

		if (pid > 0)
			kill(pid, SIGKILL);
		return e;
	}
	s->slot[slot].pid = pid;
	s->slot[slot].pidfd = pidfd;
	s->slot[slot].part = part;
	s->begun++;
	s->running++;
	return 0;
}

static unsigned deadline_ms(const struct side *s, size_t part)
{
	const struct apply_part *p = &s->parts[part];
	size_t i = p->first + s->told[part].at;

	if (s->run->how->action_ms)
		return s->run->how->action_ms;
	return s->run->plan->action[i].op == POL_OP_NUMVFS ? NUMVFS_MS
	                                                   : ACTION_MS;
}

static bool is_late(const struct side *s, size_t part)
{
	uint64_t begun = s->told[part].begun_ns;
	uint64_t now = now_ns();

	return now > begun && now - begun > deadline_ms(s, part) * NS_MS;
}

/* What it was at has not come back: so says the part. */
static void say_late(struct side *s, size_t part)
{
	struct apply_part *p = &s->parts[part];
	size_t i = p->first + s->told[part].at;
	char text[DIAG_LINE];

	pol_action_text(&s->run->plan->action[i], text, sizeof(text));
	p->r = diag_fail(&p->d, -ETIMEDOUT, FL_SRIOV_STUCK, "%s", text);
	diag_why(&p->d, "it did not come back within %u ms",
	         deadline_ms(s, part));
	diag_mend(&p->d, "see `dmesg` for the driver; what holds the device "
	                 "must let go");
	s->outcome[i] = APPLY_FAILED;
}

static void take(struct side *s, size_t part)
{
	struct apply_part *p = &s->parts[part];
	const struct told *t = &s->told[part];

	if (t->ended) {
		p->r = t->r;
		p->d = t->d;
		return;
	}
	p->r = diag_fail(&p->d, -EIO, FL_NETD_DEADLINE,
	                 "a process of the apply died");
	diag_why(&p->d, "it was killed, or met an error of its own");
	diag_mend(&p->d, "try again; see the daemon's log");
}

static bool ended(int pidfd, int ms)
{
	struct pollfd f = { .fd = pidfd, .events = POLLIN };

	return poll(&f, 1, ms) > 0;
}

static void end_slot(struct side *s, size_t slot, bool late)
{
	size_t part = s->slot[slot].part;
	pid_t pid = s->slot[slot].pid;

	if (late) {
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
	}
	if (!late || ended(s->slot[slot].pidfd, GRACE_MS))
		(void)!waitpid(pid, NULL, 0);
	if (late)
		say_late(s, part);
	else
		take(s, part);
	close_fd(&s->slot[slot].pidfd);
	s->running--;
}

static bool go_on(const struct side *s)
{
	for (size_t i = 0; !s->run->how->go_on && i < s->begun; i++)
		if (s->parts[i].r && s->parts[i].d.code != FL_SRIOV_STUCK)
			return false;
	return s->begun < s->n;
}

static void fill(struct side *s)
{
	size_t most = s->run->how->one_by_one ? 1 : APPLY_AT_ONCE;

	for (size_t i = 0; i < most && go_on(s); i++) {
		struct apply_part *p = &s->parts[s->begun];

		if (s->slot[i].pidfd >= 0)
			continue;
		p->r = begin(s, i);
		if (!p->r)
			continue;
		diag_fail(&p->d, p->r, FL_NETD_MEMORY,
		          "cannot start a process for the apply: %s",
		          strerror(-p->r));
		diag_mend(&p->d, "free memory, or raise TasksMax= of "
		                 "fairlead-netd.service; then try again");
		s->begun++;
	}
}

static void wait_any(struct side *s)
{
	struct pollfd f[APPLY_AT_ONCE];

	for (size_t i = 0; i < APPLY_AT_ONCE; i++)
		f[i] = (struct pollfd){ .fd = s->slot[i].pidfd,
			                .events = POLLIN };
	if (poll(f, APPLY_AT_ONCE, TICK_MS) < 0)
		return;
	for (size_t i = 0; i < APPLY_AT_ONCE; i++) {
		if (f[i].fd < 0)
			continue;
		if (f[i].revents)
			end_slot(s, i, false);
		else if (is_late(s, s->slot[i].part))
			end_slot(s, i, true);
	}
}

static int side_open(struct side *s)
{
	void *p;

	s->size = s->n * sizeof(*s->told) + s->run->plan->n;
	p = mmap(NULL, s->size, PROT_READ | PROT_WRITE,
	         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	s->told = p;
	s->outcome = (uint8_t *)(s->told + s->n);
	memcpy(s->outcome, s->run->outcome, s->run->plan->n);
	for (size_t i = 0; i < APPLY_AT_ONCE; i++)
		s->slot[i].pidfd = -1;
	return 0;
}

void apply_side_by_side(const struct apply_run *run, struct apply_part *parts,
                        size_t n)
{
	struct side s = { .run = run, .parts = parts, .n = n };
	int r = side_open(&s);

	if (r) {
		parts[0].r = diag_fail(&parts[0].d, -ENOMEM, FL_NETD_MEMORY,
		                       "no memory for the apply");
		return;
	}
	do {
		fill(&s);
		if (s.running)
			wait_any(&s);
	} while (s.running || go_on(&s));
	memcpy(run->outcome, s.outcome, run->plan->n);
	munmap(s.told, s.size);
}
