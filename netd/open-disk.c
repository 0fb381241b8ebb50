/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's disk: a raw image or a block device, opened for it alone. Two
 * writers of one filesystem destroy it within seconds, so whoever else has it
 * is looked for in all the ways there are:
 *
 *   an image     a lock on the whole file, of the open file description
 *                (F_OFD_SETLK): it goes where the descriptor goes, ends with
 *                the last copy of it, and meets those that QEMU takes. And no
 *                loop device of the host may be on it.
 *   a block      O_EXCL, which the kernel refuses where it is mounted, a part
 *   device       of swap, md or LVM, or another's. One that is only read is
 *                asked so once, then opened without: several may read it.
 *
 * Order: the kind is looked at before the open, which may do something to a
 * device, and again after it, since names can change.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "netd/priv.h"

/* As for a tap: the one before may just be closing. */
#define GONE_TRIES 10
#define GONE_STEP_NS 50000000l
/* A block device that a guest has let go of may be held by its io_uring for a
 * second more (Linux 6.1: io_rsrc_node_ref_zero). */
#define BUSY_TRIES 30
#define SECTOR 512

static int disk_fail(struct work *w, const struct pol_disk *disk, int err,
                     const char *why, const char *mend)
{
	diag_fail(&w->diag, err, FL_NETD_DISK, "guest %s: disk %s: %s",
	          w->req.guest, disk->name, disk->path);
	diag_why(&w->diag, "%s", why);
	diag_mend(&w->diag, "%s", mend);
	return err;
}

/* ---- who has it? --------------------------------------------------------- */

struct seek {
	int root_fd;
	const struct leases *leases;
	struct stat st;
	char pid[24];
	char who[DIAG_LINE / 2]; /* "" = not found */
};

static bool same_file(const struct stat *a, const struct stat *b)
{
	if (S_ISBLK(a->st_mode))
		return S_ISBLK(b->st_mode) && a->st_rdev == b->st_rdev;
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static void name_process(struct seek *s)
{
	char path[64], comm[POL_NAME] = "?";
	long pid = strtol(s->pid, NULL, 10);

	for (size_t i = 0; i < LEASES_MAX; i++)
		if (*s->leases->l[i].guest && s->leases->l[i].pid == pid) {
			snprintf(s->who, sizeof(s->who), "guest %s (pid %ld)",
			         s->leases->l[i].guest, pid);
			return;
		}
	snprintf(path, sizeof(path), "proc/%s/comm", s->pid);
	(void)!sysfs_read(s->root_fd, path, comm, sizeof(comm));
	snprintf(s->who, sizeof(s->who), "%s (pid %ld)", comm, pid);
}

/* proc(5), fdinfo: the locks of an open file description are in it. */
static int seek_fd(const char *name, void *arg)
{
	struct seek *s = arg;
	char path[96], text[SYSFS_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "proc/%.20s/fd/%.20s", s->pid, name);
	if (fstatat(s->root_fd, path, &st, 0) < 0 || !same_file(&s->st, &st))
		return 0;
	snprintf(path, sizeof(path), "proc/%.20s/fdinfo/%.20s", s->pid, name);
	if (!S_ISBLK(st.st_mode) &&
	    (sysfs_read(s->root_fd, path, text, sizeof(text)) < 0 ||
	     !strstr(text, "lock:")))
		return 0;
	name_process(s);
	return 1;
}

static int seek_process(const char *name, void *arg)
{
	struct seek *s = arg;
	char path[64];
	int r;

	if (name[0] < '0' || name[0] > '9' ||
	    strtol(name, NULL, 10) == getpid())
		return 0;
	snprintf(s->pid, sizeof(s->pid), "%.20s", name);
	snprintf(path, sizeof(path), "proc/%s/fd", s->pid);
	r = sysfs_each(s->root_fd, path, seek_fd, s);
	return r > 0;
}

static int has_user(struct work *w, const struct pol_disk *disk, int err,
                    const struct stat *st)
{
	struct seek s = { .root_fd = w->env->root_fd,
		          .leases = &w->env->leases,
		          .st = *st };
	char why[DIAG_LINE];

	(void)!sysfs_each(s.root_fd, "proc", seek_process, &s);
	if (*s.who) {
		snprintf(why, sizeof(why), "%s has it", s.who);
		return disk_fail(w, disk, err, why,
		                 "stop that first; or give each a copy, or "
		                 "`read-only: true` to all");
	}
	return disk_fail(w, disk, err,
	                 S_ISBLK(st->st_mode)
	                         ? "the host uses it: a filesystem, swap, LVM "
	                           "or md is on it"
	                         : "another program has it locked",
	                 S_ISBLK(st->st_mode)
	                         ? "see `lsblk` for what is on it; umount, "
	                           "swapoff, vgchange -an"
	                         : "see `lslocks`");
}

/* ---- loop devices -------------------------------------------------------- */

struct on_loop {
	int root_fd;
	const struct stat *st;
	char name[POL_NAME];
};

static int check_loop(const char *name, void *arg)
{
	char path[96], file[SYSFS_MAX];
	struct on_loop *l = arg;
	struct stat st;

	if (strncmp(name, "loop", strlen("loop")) != 0)
		return 0;
	snprintf(path, sizeof(path), "sys/block/%.31s/loop/backing_file", name);
	if (sysfs_read(l->root_fd, path, file, sizeof(file)) < 0 ||
	    fstatat(l->root_fd, open_below(file), &st, 0) < 0 ||
	    !same_file(l->st, &st))
		return 0;
	snprintf(l->name, sizeof(l->name), "%.31s", name);
	return 1;
}

static int check_loops(struct work *w, const struct pol_disk *disk,
                       const struct stat *st)
{
	struct on_loop l = { .root_fd = w->env->root_fd, .st = st };
	char why[DIAG_LINE], mend[DIAG_LINE];

	if (sysfs_each(l.root_fd, "sys/block", check_loop, &l) <= 0)
		return 0;
	snprintf(why, sizeof(why), "the host has it as /dev/%s", l.name);
	snprintf(mend, sizeof(mend), "umount /dev/%s; losetup -d /dev/%s",
	         l.name, l.name);
	return disk_fail(w, disk, -EBUSY, why, mend);
}

/* ---- opening ------------------------------------------------------------- */

static int open_failed(struct work *w, const struct pol_disk *disk, int err,
                       const struct stat *st)
{
	const char *mend = "name an image or a block device in the policy";

	if (err == -EBUSY)
		return has_user(w, disk, err, st);
	if (err == -EACCES)
		mend = "netd writes what is root's: chown root FILE, or write "
		       "`read-only: true`";
	if (err == -EROFS)
		mend = "write `read-only: true`, or move it to a filesystem "
		       "that netd can write: not /home, where systemd runs it";
	if (err == -EINVAL && disk->direct)
		mend = "its filesystem knows no O_DIRECT: write `direct: "
		       "false`";
	if (err == -ENOENT)
		mend = "make it (truncate -s 10G FILE), or correct 'path' in "
		       "the policy";
	return disk_fail(w, disk, err, strerror(-err), mend);
}

static int open_flags(const struct pol_disk *disk, bool exclusive)
{
	/* O_NONBLOCK: should it be a FIFO by now, nobody is waited for. */
	return (disk->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK |
	       O_NOCTTY | (disk->direct ? O_DIRECT : 0) |
	       (exclusive ? O_EXCL : 0);
}

static int try_open(struct work *w, const struct pol_disk *disk, bool exclusive)
{
	const struct timespec step = { .tv_nsec = GONE_STEP_NS };
	int fd = -1;

	for (int i = 0; i < BUSY_TRIES; i++) {
		fd = openat(w->env->root_fd, open_below(disk->path),
		            open_flags(disk, exclusive));
		if (fd >= 0 || errno != EBUSY)
			break;
		nanosleep(&step, NULL);
	}
	return fd < 0 ? -errno : fd;
}

static int open_medium(struct work *w, const struct pol_disk *disk, bool block)
{
	int fd = try_open(w, disk, block);

	if (fd < 0 || !block || !disk->read_only)
		return fd;
	close_fd(&fd);
	return try_open(w, disk, false);
}

static bool is_kind(const struct stat *st)
{
	return S_ISREG(st->st_mode) || S_ISBLK(st->st_mode);
}

static int lock(int fd, bool read_only)
{
	const struct timespec step = { .tv_nsec = GONE_STEP_NS };
	int r = 0;

	for (int i = 0; i < GONE_TRIES; i++) {
		struct flock all = { .l_type = read_only ? F_RDLCK : F_WRLCK,
			             .l_whence = SEEK_SET };

		r = fcntl(fd, F_OFD_SETLK, &all) < 0 ? -errno : 0;
		if (r != -EAGAIN && r != -EACCES)
			return r;
		nanosleep(&step, NULL);
	}
	return -EBUSY;
}

/* io_uring gives up where it would wait, on a file that is O_NONBLOCK. */
static int make_blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ? -errno
	                                                                : 0;
}

/* The guest may write such a head itself: it is said, and not refused. */
static void warn_of_format(struct work *w, const struct pol_disk *disk, int fd)
{
	static const char qcow[] = { 'Q', 'F', 'I', (char)0xfb };
	_Alignas(4096) char head[4096];

	if (pread(fd, head, sizeof(head), 0) >= (ssize_t)sizeof(qcow) &&
	    !memcmp(head, qcow, sizeof(qcow)))
		reply_warn(w->reply,
		           "disk %s: %s begins as a qcow2 image, and is taken "
		           "as a raw one: qemu-img convert -O raw FILE NEW",
		           disk->name, disk->path);
}

static int check_image(struct work *w, const struct pol_disk *disk,
                       const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return 0;
	if (st->st_size < SECTOR)
		return disk_fail(w, disk, -EINVAL, "it is empty",
		                 "truncate -s 10G FILE");
	return check_loops(w, disk, st);
}

/* What was opened: its kind, its users, its lock. */
static int take(struct work *w, const struct pol_disk *disk, int fd)
{
	struct stat st;
	int r = fstat(fd, &st) < 0 ? -errno : 0;

	if (r == 0 && !is_kind(&st))
		r = -EINVAL;
	if (r == 0)
		r = make_blocking(fd);
	if (r < 0)
		return disk_fail(w, disk, r, strerror(-r),
		                 "name an image or a block device");
	r = check_image(w, disk, &st);
	if (r < 0)
		return r;
	r = lock(fd, disk->read_only);
	if (r == -EBUSY)
		return has_user(w, disk, r, &st);
	/* A filesystem without locks: nothing can be known there. */
	if (r < 0)
		reply_warn(w->reply, "disk %s: %s cannot be locked: %s",
		           disk->name, disk->path, strerror(-r));
	warn_of_format(w, disk, fd);
	return 0;
}

int open_disk(struct work *w, const struct pol_disk *disk)
{
	_cleanup_close_ int fd = -1;
	char name[2 * POL_NAME];
	struct stat st = { 0 };
	int r;

	if (fstatat(w->env->root_fd, open_below(disk->path), &st, 0) < 0)
		return open_failed(w, disk, -errno, &st);
	if (!is_kind(&st))
		return disk_fail(w, disk, -EINVAL,
		                 "it is neither a regular file nor a block "
		                 "device",
		                 "name an image or a block device in the "
		                 "policy");
	fd = open_medium(w, disk, S_ISBLK(st.st_mode));
	if (fd < 0)
		return open_failed(w, disk, fd, &st);
	r = take(w, disk, fd);
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "disk:%s", disk->name);
	return open_add(w, name, TAKE_FD(fd));
}
