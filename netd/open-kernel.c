/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A lease's decompressed kernel, where one is kept (kernels.h); and netd's own
 * verb "unpack", which makes what a lease has missed, for the next one.
 *
 * Where nothing is said in the policy, a guest never fails for want of it: it
 * decompresses its kernel itself.
 */

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netd/kernels.h"

/* Of a lease's deadline; of the verb's. */
#define WAIT_MS 25000u
#define LATER_MS 150000u

int kernels_open(const char *path, int *ret_fd)
{
	_cleanup_close_ int fd = -1;
	int r = journal_folder(path);
	struct stat st;

	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	/* What others may write, they could give to guests as a kernel. */
	if (st.st_uid != geteuid() || st.st_mode & 0022)
		return -EPERM;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static const char *reason(int err)
{
	switch (err) {
	case -ENOEXEC:
		return "it is no bzImage, or is cut off";
	case -ENOTSUP:
		return "its compression is not gzip, xz, lzma, lz4 or zstd";
	case -EFBIG:
		return "it is too large";
	case -EBADMSG:
		return "what is compressed in it is broken, or no ELF file";
	case -ECHILD:
		return "decompressing it ended in a system call or a fault "
		       "that is not allowed";
	case -ETIMEDOUT:
		return "decompressing it took too long";
	case -ELIBACC:
		return "the library that decompresses its kind is not "
		       "installed";
	case -EBUSY:
		return "another kernel is being decompressed";
	case -EBADF:
		return "the folder for it (--cache) is missing or not root's "
		       "alone";
	default:
		return strerror(-err);
	}
}

static int refuse(struct work *w, const struct pol_guest *g, int err)
{
	diag_fail(&w->diag, err, FL_NETD_UNPACK,
	          "lease %s: cannot decompress the kernel %s", w->req.guest,
	          g->kernel);
	diag_why(&w->diag, "%s", reason(err));
	diag_mend(&w->diag,
	          err == -ENOSPC ? "free room in the folder of --cache "
	                           "(/var/cache/fairlead/kernels)"
	                         : "remove `kernel-decompression: host`: the "
	                           "guest then does it itself");
	return err;
}

int open_unpacked(struct work *w, const struct pol_guest *g, int kernel_fd)
{
	int cache = w->env->cache_fd, fd = -1, r;

	if (g->unpack == POL_UNPACK_GUEST)
		return 0;
	r = cache < 0 ? -EBADF : kernels_find(cache, kernel_fd, &fd);
	if (r == -ENOENT && g->unpack == POL_UNPACK_HOST)
		r = kernels_make(cache, kernel_fd, WAIT_MS, &fd);
	if (r == 0)
		return open_add(w, "unpacked", fd);
	if (g->unpack == POL_UNPACK_HOST)
		return refuse(w, g, r);
	/* For main: the job comes when the lease has gone out. */
	if (r == -ENOENT)
		json_object_set_new(w->reply, "unpack", json_true());
	return 0;
}

static int open_kernel(const struct work *w, const struct pol_guest *g)
{
	return openat(w->env->root_fd, open_below(g->kernel),
	              O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

/* The guest that starts meanwhile comes first. */
static void be_idle(void)
{
	const struct sched_param p = { .sched_priority = 0 };

	(void)sched_setscheduler(0, SCHED_IDLE, &p);
}

/* Not being able to is nothing that anybody waits for: it is logged. */
int verb_unpack(struct work *w)
{
	_cleanup_close_ int kernel = -1, fd = -1;
	struct pol_policy *p = NULL;
	const struct pol_guest *g;
	uint64_t began = now_ns();
	int r = policy_applied(w->env, &p, &w->errs, &w->diag);

	be_idle();
	g = r ? NULL : pol_guest_find(p, w->req.guest);
	if (g) {
		kernel = open_kernel(w, g);
		r = kernel < 0 ? -errno
		               : kernels_make(w->env->cache_fd, kernel,
		                              LATER_MS, &fd);
		log_line(w->env->log, LOG_LVL_INFO,
		         "the kernel %s of guest %s %s%s, %u ms", g->kernel,
		         g->name,
		         r ? "is left to the guest to decompress: "
		           : "is decompressed from its next start on",
		         r ? reason(r) : "",
		         (unsigned)((now_ns() - began) / 1000000));
	}
	pol_free(p);
	return 0;
}
