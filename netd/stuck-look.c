/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PFs are asked whether they answer, by children that may hang in it. Order: a
 * child tells in shared memory which PF it is at before it reads of it; where
 * it is not back in time, the PF it is at is noted. The child is left alone: it
 * is the witness, ends by itself when the PF answers again, and has a group of
 * its own, so that the end of its worker is not its end. Devlink is asked as
 * one PF more, the last.
 */

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netd/devlink.h"
#include "netd/stuck-priv.h"

struct ask {
	struct bdf pf[STUCK_PFS];
	size_t n_pfs, n; /* n may be one more: devlink */
	int (*ports)(void);
	volatile int n_ports;       /* of devlink; negative: not known */
	volatile uint32_t at;       /* the one that is being read */
	volatile uint32_t given_up; /* one more than it; 0 = none */
};

/* Both are read of a PF that answers, and which of them takes the device's lock
 * is the kernel's affair (drivers/pci/iov.c: the first not in all versions, the
 * second since it is there). */
static void read_itself(int pf)
{
	static const char *const attr[] = { "sriov_numvfs",
		                            "sriov_vf_total_msix" };
	char text[32];

	for (size_t i = 0; i < ARRAY_SIZE(attr); i++)
		(void)!sysfs_attr(pf, attr[i], text, sizeof(text));
}

/* Each VF's lock: who unbinds one that a guest has waits with it until that
 * lets go, and an observation would wait with him. */
static void read_vfs(int pf)
{
	char path[64], text[128];
	int r = 0;

	for (unsigned i = 0; r != -ENOENT && i < POL_VFS_MAX; i++) {
		snprintf(path, sizeof(path), "virtfn%u/driver_override", i);
		r = sysfs_attr(pf, path, text, sizeof(text));
		r = MIN(r, 0);
	}
}

/* From its folder, which is far down: it is found once. */
static void read_pf(int root_fd, struct bdf b)
{
	_cleanup_close_ int pf = -1;
	char path[64], name[BDF_STRLEN];

	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s",
	         bdf_format(b, name));
	pf = openat(root_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (pf < 0)
		return;
	read_itself(pf);
	read_vfs(pf);
}

static void read_switches(struct devlink *dl, const struct devlink_view *v)
{
	const struct devlink_handle *last = NULL;
	struct devlink_eswitch s;

	/* The ports of an instance come in a row. */
	for (size_t i = 0; i < v->n_ports; i++) {
		const struct devlink_handle *h = &v->port[i].h;

		if (!last || !devlink_same(h, last))
			(void)!devlink_eswitch_read(dl, h, &s);
		last = h;
	}
}

/* All that an observation asks: what hangs in that hangs in this. */
static int read_devlink(void)
{
	struct devlink_view v = { .n_ports = 0 };
	struct devlink *dl = NULL;
	int r = devlink_open(&dl, NULL);

	if (!r)
		r = devlink_view_read(dl, &v);
	if (!r)
		read_switches(dl, &v);
	r = r ? r : (int)v.n_ports;
	devlink_view_free(&v);
	devlink_close(dl);
	return r;
}

/* A sleeper keeps what it has open: the tree, and its PF's folder there. */
static _Noreturn void child(const struct env *e, struct ask *a)
{
	setpgid(0, 0);
	if (e->root_fd > 0)
		close_range(0, (unsigned)e->root_fd - 1, 0);
	close_range((unsigned)e->root_fd + 1, ~0u, 0);
	for (uint32_t i = a->at; i < a->n; i++) {
		a->at = i;
		if (i < a->n_pfs)
			read_pf(e->root_fd, a->pf[i]);
		else
			a->n_ports = a->ports();
		/* Whoever waited has given up on it, and asks the others. */
		if (a->given_up == i + 1)
			_exit(0);
	}
	a->at = (uint32_t)a->n;
	_exit(0);
}

static bool ends(int pidfd, int ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int r;

	do
		r = poll(&p, 1, ms);
	while (r < 0 && errno == EINTR);
	return r > 0;
}

/* True: all from a->at on have answered. Else a->at does not, and *ret_pid is
 * who hangs in it. */
static bool ask_from(const struct env *e, struct ask *a, unsigned ms,
                     pid_t *ret_pid)
{
	_cleanup_close_ int pidfd = -1;
	pid_t pid = fork();

	if (!pid)
		child(e, a);
	pidfd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0) {
		if (pid > 0)
			kill(pid, SIGKILL);
		return true; /* not known: as if it were not asked */
	}
	if (!ends(pidfd, (int)ms)) {
		*ret_pid = pid;
		return false;
	}
	(void)!waitpid(pid, NULL, 0);
	return true;
}

/* `what` NULL: what reading is said to do. */
static void note(const struct env *e, const struct ask *a, uint32_t at,
                 const char *what, pid_t pid)
{
	if (at >= a->n_pfs)
		stuck_note(e, NULL, "asking it does not return", pid);
	else
		stuck_note(e, &a->pf[at],
		           what ? what
		                : "reading of it or of its VFs does not return",
		           pid);
}

static void ask_all(const struct env *e, struct ask *a, unsigned ms,
                    const char *what)
{
	pid_t pid;

	while (a->at < a->n && !ask_from(e, a, ms, &pid)) {
		uint32_t at = a->at;

		/* It has come back in this moment. */
		if (at >= a->n)
			return;
		a->given_up = at + 1;
		note(e, a, at, what, pid);
		a->at = at + 1;
	}
}

static struct ask *ask_new(void)
{
	struct ask *a = mmap(NULL, sizeof(*a), PROT_READ | PROT_WRITE,
	                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return a == MAP_FAILED ? NULL : a;
}

struct collect {
	struct ask *a;
	const struct stuck *known;
	struct stuck_pfs *ret; /* or NULL */
	size_t n;
};

static int add_pf(struct bdf b, void *arg)
{
	struct collect *c = arg;
	size_t i = c->n++;

	if (i >= STUCK_PFS)
		return 0;
	if (c->ret)
		c->ret->pf[i] = b;
	if (!stuck_hangs(c->known, b))
		c->a->pf[c->a->n_pfs++] = b;
	return 0;
}

enum stuck_devlink stuck_look_by(const struct env *e, unsigned ms,
                                 int (*ports)(void), struct stuck_pfs *ret)
{
	struct stuck known;
	struct collect c = { .a = ask_new(), .known = &known, .ret = ret };
	int n;

	if (!c.a)
		return STUCK_DEVLINK_ANSWERS; /* not known, as in ask_from() */
	stuck_read(e, &known);
	n = sriov_each_pf(e->root_fd, add_pf, &c);
	if (ret)
		ret->n = n || c.n > STUCK_PFS ? 0 : c.n;
	/* Without a PF there is nobody of whom it would tell something. */
	c.a->n = c.a->n_pfs + (c.n && !known.devlink_hangs);
	c.a->ports = ports;
	c.a->n_ports = -1;
	ask_all(e, c.a, ms, NULL);
	n = c.a->n_ports;
	munmap(c.a, sizeof(*c.a));
	stuck_read(e, &known);
	return known.devlink_hangs ? STUCK_DEVLINK_HANGS
	       : n                 ? STUCK_DEVLINK_ANSWERS
	                           : STUCK_DEVLINK_NONE;
}

enum stuck_devlink stuck_look(const struct env *e, unsigned ms,
                              struct stuck_pfs *ret)
{
	return stuck_look_by(e, ms, read_devlink, ret);
}

bool stuck_probe(const struct env *e, struct bdf pf, const char *what)
{
	struct ask *a = ask_new();
	struct stuck now;

	if (!a)
		return true;
	a->pf[0] = pf;
	a->n_pfs = a->n = 1;
	ask_all(e, a, STUCK_MS, what);
	munmap(a, sizeof(*a));
	stuck_read(e, &now);
	return stuck_hangs(&now, pf);
}
