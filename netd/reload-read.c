/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policy that netd was told of, read; reload.h says what of it counts. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netd/reload.h"

static int check(int fd, mode_t kind)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if ((st.st_mode & S_IFMT) != kind)
		return -EINVAL;
	return st.st_uid || st.st_mode & 022 ? -EPERM : 0;
}

static int check_file(int fd)
{
	return check(fd, S_IFREG);
}

/* One that is not there is no fault. */
static int check_folder(int dir, const char *name)
{
	_cleanup_close_ int fd =
		openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return check(fd, S_IFDIR);
}

static int say(int err, const char *name, char why[static DIAG_LINE])
{
	snprintf(why, DIAG_LINE, "%.64s%s%s", name, *name ? ": " : "",
	         err == -EPERM    ? "it is not root's, or others may write it"
	         : err == -EFBIG  ? "it is larger than a policy may be"
	         : err == -E2BIG  ? "its files are too many, or too large"
	         : err == -EINVAL ? "it is no file"
	                          : strerror(-err));
	return err;
}

static int join(const struct folder *f, char **ret, size_t *ret_len,
                char why[static DIAG_LINE])
{
	struct pol_file file[FOLDER_FILES_MAX];
	int r;

	for (size_t i = 0; i < f->n; i++)
		file[i] = (struct pol_file){ f->file[i].name, f->file[i].text,
			                     f->file[i].len };
	r = f->n ? pol_files_join(file, f->n, ret, ret_len) : -ENOENT;
	if (!r)
		return 0;
	say(r, "", why);
	if (r == -ENOENT)
		snprintf(why, DIAG_LINE,
		         "no file in it ends in " NETD_POLICY_SUFFIX);
	else if (r == -EINVAL)
		snprintf(why, DIAG_LINE, "the name of a file is not printable");
	return r;
}

static int read_folder(const struct reload *r, int dir, char **ret,
                       size_t *ret_len, char why[static DIAG_LINE])
{
	_cleanup_(folder_clear) struct folder f = { .check = check_file };
	char failed[FOLDER_NAME] = "";
	int e = check_folder(dir, ".");

	if (!e && r->etc) {
		e = check_folder(dir, NETD_POLICY_MANY);
		if (e)
			return say(e, NETD_POLICY_MANY, why);
		e = folder_read_both(dir, NETD_POLICY_MANY, NETD_POLICY_ONE,
		                     NETD_POLICY_SUFFIX, NETD_POLICY_MAX, &f,
		                     failed);
	} else if (!e) {
		e = folder_read(dir, ".", NETD_POLICY_SUFFIX, NETD_POLICY_MAX,
		                &f, failed);
	}
	return e ? say(e, failed, why) : join(&f, ret, ret_len, why);
}

int reload_read(const struct reload *r, char **ret, size_t *ret_len,
                char why[static DIAG_LINE])
{
	_cleanup_close_ int fd =
		open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int e;

	if (fd < 0 || fstat(fd, &st) < 0)
		return say(-errno, "", why);
	if (S_ISDIR(st.st_mode))
		return read_folder(r, fd, ret, ret_len, why);
	e = check_file(fd);
	if (!e)
		e = fd_read_file(fd, NETD_POLICY_MAX, ret, ret_len);
	return e ? say(e, "", why) : 0;
}
