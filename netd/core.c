/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file for a guest's memory, in case its watchdog finds that it hangs
 * (`watchdog: dump`): STATE/dumps/GUEST.core. It is made with the lease, since
 * the VMM can open nothing, and is empty until then. One that was written is
 * kept as GUEST.core.1, in the place of an older one: two of each guest at
 * most, whatever the guest does.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netd/priv.h"

#define FOLDER "dumps"

static int core_fail(struct work *w, int err)
{
	diag_fail(&w->diag, err, FL_NETD_OPEN,
	          "guest %s: cannot make a file for its memory", w->req.guest);
	diag_why(&w->diag, "%s in the folder " FOLDER " of the daemon's state",
	         strerror(-err));
	diag_mend(&w->diag, "make room there; or another action of "
	                    "'watchdog' than dump");
	return err;
}

static int open_folder(int state_fd)
{
	int fd;

	if (mkdirat(state_fd, FOLDER, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(state_fd, FOLDER,
	            O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

/* An empty one is nobody's work. */
static int put_away(int folder, const char *name)
{
	char kept[POL_NAME + 16];
	struct stat st;

	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!st.st_size)
		return unlinkat(folder, name, 0) < 0 ? -errno : 0;
	snprintf(kept, sizeof(kept), "%s.1", name);
	return renameat(folder, name, folder, kept) < 0 ? -errno : 0;
}

int core_open(struct work *w)
{
	_cleanup_close_ int folder = open_folder(w->env->state_fd);
	char name[POL_NAME + 8];
	int fd, r = MIN(folder, 0);

	snprintf(name, sizeof(name), "%.31s.core", w->req.guest);
	if (r == 0)
		r = put_away(folder, name);
	if (r < 0)
		return core_fail(w, r);
	fd = openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? core_fail(w, -errno) : open_add(w, "core", fd);
}
