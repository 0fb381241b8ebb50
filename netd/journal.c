/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that survive a crash at any system call. Order of a put: write to a
 * temporary name, fsync it, rename over the old one, fsync the folder. So a
 * file is wholly old or wholly new; a temporary one left behind is nothing.
 *
 * A file that is torn nevertheless (a disk's doing) is never replaced: it may
 * be the only trace of how the machine was.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "netd/confirm.h"

#define JOURNAL_MAX (16u << 20)
#define LOCK_STEP_MS 20

const char *journal_phase_name(enum journal_phase p)
{
	static const char *const names[] = { [JOURNAL_NONE] = "none",
		                             [JOURNAL_APPLIED] = "applied",
		                             [JOURNAL_UNCONFIRMED_YET] =
		                                     "unconfirmed",
		                             [JOURNAL_APPLYING] = "applying" };

	return names[p];
}

static int fail(struct diag *d, int err, const char *what, const char *name)
{
	diag_fail(d, err, FL_NETD_JOURNAL, "%s the journal's %s", what, name);
	diag_why(d, "%s", strerror(-err));
	diag_mend(d, "see the folder of --state (/var/lib/fairlead): it must "
	             "be writable, and its disk not full");
	return err;
}

int journal_phase(int state_fd, struct diag *d)
{
	static const struct {
		const char *name;
		enum journal_phase phase;
	} files[] = { { JOURNAL_INTENT, JOURNAL_APPLYING },
		      { JOURNAL_UNCONFIRMED, JOURNAL_UNCONFIRMED_YET },
		      { JOURNAL_APPLIED_FILE, JOURNAL_APPLIED } };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (!faccessat(state_fd, files[i].name, F_OK, 0))
			return (int)files[i].phase;
		if (errno != ENOENT)
			return fail(d, -errno, "cannot see", files[i].name);
	}
	return JOURNAL_NONE;
}

/* Every missing folder of the path. */
int journal_folder(const char *path)
{
	char part[NETD_NAME_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(part))
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, path[i] ? 0755 : 0700) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

int journal_open(const char *path, int *ret_fd, struct diag *d)
{
	int r = journal_folder(path), fd;

	if (r)
		return fail(d, r, "cannot make", "folder");
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(d, -errno, "cannot open", "folder");
	*ret_fd = fd;
	return 0;
}

int journal_lock(int state_fd, unsigned ms, int *ret_fd, struct diag *d)
{
	const struct timespec step = { .tv_nsec = LOCK_STEP_MS * 1000000L };
	uint64_t end = now_ns() + ms * 1000000ull;
	_cleanup_close_ int fd = -1;

	fd = openat(state_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(d, -errno, "cannot open", "lock");
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return fail(d, -errno, "cannot take", "lock");
		if (now_ns() > end) {
			diag_fail(d, -EBUSY, FL_NETD_BUSY,
			          "an earlier change still runs");
			diag_why(d, "a device write of it has not returned "
			            "from the kernel");
			diag_mend(d, "see dmesg for the driver; what holds "
			             "the device must let go");
			return -EBUSY;
		}
		nanosleep(&step, NULL);
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int write_file(int state_fd, const char *name, const char *text,
                      size_t len)
{
	_cleanup_close_ int fd = -1;
	int r;

	fd = openat(state_fd, name,
	            O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
	            0600);
	if (fd < 0)
		return -errno;
	r = fd_pwrite_full(fd, text, len, 0);
	if (!r && fsync(fd) < 0)
		r = -errno;
	return r;
}

int journal_put(int state_fd, const char *name, const char *text, size_t len,
                struct diag *d)
{
	char tmp[NETD_NAME_MAX];
	int r;

	snprintf(tmp, sizeof(tmp), "%s.new", name);
	r = write_file(state_fd, tmp, text, len);
	if (!r && renameat(state_fd, tmp, state_fd, name) < 0)
		r = -errno;
	if (!r && fsync(state_fd) < 0)
		r = -errno;
	if (r)
		unlinkat(state_fd, tmp, 0);
	return r ? fail(d, r, "cannot write", name) : 0;
}

int journal_get(int state_fd, const char *name, char **ret, size_t *ret_len,
                struct diag *d)
{
	_cleanup_close_ int fd = -1;
	int r;

	fd = openat(state_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? -ENOENT
		                       : fail(d, -errno, "cannot open", name);
	r = fd_read_file(fd, JOURNAL_MAX, ret, ret_len);
	return r < 0 ? fail(d, r, "cannot read", name) : 0;
}

int journal_drop(int state_fd, const char *name, struct diag *d)
{
	if (unlinkat(state_fd, name, 0) < 0 && errno != ENOENT)
		return fail(d, -errno, "cannot remove", name);
	return fsync(state_fd) < 0 ? fail(d, -errno, "cannot sync", name) : 0;
}
