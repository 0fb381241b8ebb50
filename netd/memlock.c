/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits of the process that asked, raised by what its guest needs; they stay
 * over exec. VFIO pins all of a guest's memory, and the kernel counts that
 * against RLIMIT_MEMLOCK: a few MiB by default.
 *
 * prlimit(2) takes a pid, and a pid may be another's by now. A pidfd that is
 * still alive after the call proves that it was the right one; where the
 * kernel gives none with the connection, one is opened from the pid, which
 * leaves the time between connect and now to trust.
 */

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "netd/priv.h"

/* Rings, page tables and the kernel's own part, beside guest memory. */
#define HEADROOM (64ull << 20)

static bool alive(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

static int raise_limit(const struct peer *p, enum __rlimit_resource resource,
                       rlim_t need)
{
	struct rlimit now, new;

	if (prlimit(p->pid, resource, NULL, &now) < 0)
		return -errno;
	new = now;
	if (now.rlim_cur != RLIM_INFINITY && now.rlim_cur < need)
		new.rlim_cur = need;
	if (now.rlim_max != RLIM_INFINITY && now.rlim_max < need)
		new.rlim_max = need;
	return prlimit(p->pid, resource, &new, NULL) < 0 ? -errno : 0;
}

int limit_raise(struct work *w, int resource, uint64_t need)
{
	_cleanup_close_ int opened = -1;
	struct peer p = w->peer;
	int r;

	if (p.pidfd < 0) {
		opened = (int)syscall(SYS_pidfd_open, p.pid, 0);
		if (opened < 0)
			return -errno;
		p.pidfd = opened;
	}
	r = raise_limit(&p, (enum __rlimit_resource)resource, need);
	return r == 0 && !alive(p.pidfd) ? -ESRCH : r;
}

void memlock_raise(struct work *w, uint64_t bytes)
{
	rlim_t need;
	int r;

	if (__builtin_add_overflow(bytes, HEADROOM, &need))
		need = RLIM_INFINITY;
	r = limit_raise(w, RLIMIT_MEMLOCK, need);
	if (r)
		reply_warn(w->reply,
		           "cannot raise RLIMIT_MEMLOCK of pid %d to %llu: %s",
		           w->peer.pid, (unsigned long long)need, strerror(-r));
	json_object_set_new(w->reply, "memlock",
	                    json_integer(r ? 0 : (json_int_t)need));
}
