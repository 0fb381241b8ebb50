/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control sockets of guests: guests/NAME.sock beside netd's own socket. A
 * lease's worker makes one that listens, and passes it on; main removes the
 * name when the lease ends. Nothing is ever accepted here.
 *
 * Who may connect: root, and NETD_GROUP. netd may not give files to a group it
 * is not in once its capabilities are gone, so the folder is that group's and
 * set-group-ID, and what is made in it is the group's, too.
 *
 * A netd that dies leaves names behind. At one where a VMM still listens
 * nothing is changed: it is that guest's until its VMM ends. Others are
 * removed, at start or when they are in the way.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "netd/priv.h"

#define BACKLOG 8
#define SUFFIX ".sock"
#define GONE_TRIES 10
#define GONE_STEP_NS 50000000l

/* sun_path is short, whatever the folder is called. */
static void address(int folder, const char *name, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%.60s",
	         folder, name);
}

static int new_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

static bool is_dead(int folder, const char *name)
{
	_cleanup_close_ int fd = new_socket();
	struct sockaddr_un a;

	address(folder, name, &a);
	return fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 &&
	       errno == ECONNREFUSED;
}

/* ---- main ---------------------------------------------------------------- */

static int sweep_one(const char *name, void *arg)
{
	const int *folder = arg;
	size_t n = strlen(name);

	if (n > strlen(SUFFIX) && !strcmp(name + n - strlen(SUFFIX), SUFFIX) &&
	    is_dead(*folder, name))
		unlinkat(*folder, name, 0);
	return 0;
}

/* The set-group-ID bit first: it is refused on a folder of a group that netd
 * is not in, but stays when it becomes that. */
static int give_to_group(int folder, gid_t gid)
{
	if (fchown(folder, 0, 0) < 0 ||
	    fchmod(folder, gid == (gid_t)-1 ? 0700 : 02750) < 0)
		return -errno;
	return gid != (gid_t)-1 && fchown(folder, 0, gid) < 0 ? -errno : 0;
}

static int open_folder(const char *path, int *ret)
{
	char dir[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	const char *slash = strrchr(path, '/');

	snprintf(dir, sizeof(dir), "%.*s" NETD_GUESTS,
	         slash ? (int)(slash + 1 - path) : 0, path);
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	*ret = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return *ret < 0 ? -errno : 0;
}

int control_folder(struct env *e, const char *path, struct diag *d)
{
	int r;

	e->guests_fd = -1;
	r = open_folder(path, &e->guests_fd);
	if (r < 0) {
		diag_fail(d, r, FL_NETD_START,
		          "cannot make the folder of the control sockets");
		diag_why(d, "%s beside %s: %s", NETD_GUESTS, path,
		         strerror(-r));
		diag_mend(d, "remove what is there, or give another --socket");
		return r;
	}
	r = give_to_group(e->guests_fd, e->lease_gid);
	if (r < 0)
		log_line(e->log, LOG_LVL_WARN,
		         "control sockets are root's only: %s", strerror(-r));
	(void)!sysfs_each(e->guests_fd, ".", sweep_one, &e->guests_fd);
	return 0;
}

void control_remove(const struct env *e, const char *guest)
{
	char name[POL_NAME + sizeof(SUFFIX)];

	snprintf(name, sizeof(name), "%.31s" SUFFIX, guest);
	if (*guest && !strchr(guest, '/'))
		unlinkat(e->guests_fd, name, 0);
}

/* ---- a worker ------------------------------------------------------------ */

static int control_fail(struct work *w, int err)
{
	diag_fail(&w->diag, err, FL_NETD_CONTROL,
	          "guest %s: cannot make its control socket", w->req.guest);
	if (err == -EADDRINUSE) {
		diag_why(&w->diag,
		         "a VMM listens at " NETD_GUESTS "/%s" SUFFIX
		         ": the guest runs since before "
		         "fairlead-netd was restarted",
		         w->req.guest);
		diag_mend(&w->diag,
		          "end that fairlead-vmm first; see `ss -xlp`");
		return err;
	}
	diag_why(&w->diag, "%s", strerror(-err));
	diag_mend(&w->diag, "systemctl restart fairlead-netd makes its folder "
	                    "anew");
	return err;
}

static int make_way(int folder, const char *name)
{
	const struct timespec step = { .tv_nsec = GONE_STEP_NS };

	for (int i = 0; i < GONE_TRIES; i++) {
		if (is_dead(folder, name))
			return unlinkat(folder, name, 0) < 0 ? -errno : 0;
		nanosleep(&step, NULL);
	}
	return -EADDRINUSE;
}

static int listen_at(int folder, const char *name)
{
	_cleanup_close_ int fd = new_socket();
	struct sockaddr_un a;
	int r = MIN(fd, 0);

	address(folder, name, &a);
	if (r == 0 && faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		r = make_way(folder, name);
	if (r < 0)
		return r;
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -errno;
	/* Who has no right to write cannot connect: unix(7). */
	if (fchmodat(folder, name, 0660, 0) < 0 || listen(fd, BACKLOG) < 0) {
		r = -errno;
		unlinkat(folder, name, 0);
		return r;
	}
	return TAKE_FD(fd);
}

int control_open(struct work *w)
{
	char name[POL_NAME + sizeof(SUFFIX)];
	int fd, r;

	snprintf(name, sizeof(name), "%.31s" SUFFIX, w->req.guest);
	fd = listen_at(w->env->guests_fd, name);
	if (fd < 0)
		return control_fail(w, fd);
	r = open_add(w, "control", fd);
	if (r < 0)
		control_remove(w->env, w->req.guest);
	return r;
}
