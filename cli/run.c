/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * `fairlead run`: ask for the lease, arrange the descriptors, become the VMM.
 *
 * Order: descriptors first, while we may still open files; then the account;
 * then no_new_privs; then exec, by descriptor, since the new account need not
 * be able to reach the VMM's path.
 */

#include "cli/launch.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* A build tree has the VMM beside the command; an installation in libexec. */
static int open_vmm(const struct cli *c, struct diag *d)
{
	const char *env = secure_getenv("FAIRLEAD_VMM");
	char self[PATH_MAX], path[PATH_MAX + 32];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int fd = -1;

	(void)c;
	if (env) {
		fd = open(env, O_PATH | O_CLOEXEC);
	} else if (len > 0) {
		self[len] = '\0';
		*(strrchr(self, '/') + 1) = '\0';
		snprintf(path, sizeof(path), "%sfairlead-vmm", self);
		fd = open(path, O_PATH | O_CLOEXEC);
	}
	if (fd < 0 && !env)
		fd = open(FL_LIBEXEC "/fairlead-vmm", O_PATH | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	diag_fail(d, -errno, FL_CLI_EXEC, "cannot find fairlead-vmm at %s",
	          env ? env : FL_LIBEXEC);
	diag_why(d, "%s", strerror(errno));
	diag_mend(d, "make install, or name it in FAIRLEAD_VMM");
	return d->err;
}

static int open_report(const struct cli *c, struct diag *d)
{
	const char *path = c->report ? c->report : "/dev/null";
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd >= 0)
		return fd;
	diag_fail(d, -errno, FL_CLI_FILE, "cannot write the report %s", path);
	diag_why(d, "%s", strerror(errno));
	diag_mend(d, "name a file that you may write");
	return d->err;
}

static int lease_memfd(const json_t *lease, struct diag *d)
{
	_cleanup_free_ char *text = json_dumps(lease, JSON_COMPACT);
	_cleanup_close_ int fd = memfd_create("lease", MFD_CLOEXEC);

	if (!text || fd < 0 || fd_pwrite_full(fd, text, strlen(text), 0) < 0)
		return diag_fail(d, -ENOMEM, FL_CLI_EXEC,
		                 "no memory for the lease");
	return TAKE_FD(fd);
}

/* Above every fixed number, so that placing one cannot overwrite another. */
static int move_high(int *fd)
{
	int high = fcntl(*fd, F_DUPFD_CLOEXEC, NETD_VMM_FD0 + NETD_FDS_MAX);

	if (high < 0)
		return -errno;
	close_fd(fd);
	*fd = high;
	return 0;
}

static int place(const int *fd, int at)
{
	return dup2(*fd, at) < 0 ? -errno : 0;
}

static int arrange(struct launch *l)
{
	struct {
		int *fd, at;
	} fixed[] = {
		{ &l->lease, NETD_VMM_FD_LEASE },
		{ &l->conn, NETD_VMM_FD_CONN },
		{ &l->report, NETD_VMM_FD_REPORT },
	};
	int r = move_high(&l->vmm);

	for (size_t i = 0; i < l->n && r == 0; i++)
		r = move_high(&l->fd[i]);
	for (size_t i = 0; i < ARRAY_SIZE(fixed) && r == 0; i++)
		r = move_high(fixed[i].fd);
	for (size_t i = 0; i < ARRAY_SIZE(fixed) && r == 0; i++)
		r = place(fixed[i].fd, fixed[i].at);
	for (size_t i = 0; i < l->n && r == 0; i++)
		r = place(&l->fd[i], NETD_VMM_FD0 + (int)i);
	/* Everything else closes at exec, whoever left it open. */
	if (r == 0 && close_range(NETD_VMM_FD0 + (unsigned)l->n, ~0u,
	                          CLOSE_RANGE_CLOEXEC) < 0)
		r = -errno;
	return r;
}

static const struct passwd *account(const struct cli *c)
{
	const struct passwd *pw;

	if (c->user)
		return getpwnam(c->user);
	pw = getpwnam("fairlead");
	return pw ? pw : getpwnam("nobody");
}

static int drop_root(const struct cli *c, struct diag *d)
{
	const struct passwd *pw;

	if (geteuid() != 0)
		return 0;
	pw = account(c);
	if (!pw || pw->pw_uid == 0) {
		diag_fail(d, -EINVAL, FL_CLI_USER,
		          "the guest cannot run as \"%s\"",
		          c->user ? c->user : "fairlead");
		diag_why(d, pw ? "a guest never runs as root"
		               : "there is no such account");
		diag_mend(d,
		          "adduser --system --group fairlead, or --user NAME");
		return -EINVAL;
	}
	if (setgroups(0, NULL) < 0 ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0) {
		diag_fail(d, -errno, FL_CLI_USER, "cannot become %s: %s",
		          pw->pw_name, strerror(errno));
		diag_mend(d, "run it as root with CAP_SETUID and CAP_SETGID, "
		             "or as that user");
		return d->err;
	}
	return 0;
}

static int become(const struct cli *c, struct launch *l, struct diag *d)
{
	char name[] = "fairlead-vmm", no_reboot[] = "--no-reboot";
	char *argv[] = { name, c->no_reboot ? no_reboot : NULL, NULL };
	char *envp[] = { NULL };
	int r = arrange(l);

	if (r < 0) {
		diag_fail(d, r, FL_CLI_EXEC, "cannot arrange descriptors: %s",
		          strerror(-r));
		diag_mend(d, "ulimit -n 1024");
		return r;
	}
	r = drop_root(c, d);
	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		diag_fail(d, -errno, FL_CLI_EXEC, "no_new_privs: %s",
		          strerror(errno));
		diag_mend(d, "a seccomp filter forbids prctl(): run it outside "
		             "of that sandbox");
		return d->err;
	}
	execveat(l->vmm, "", argv, envp, AT_EMPTY_PATH);
	diag_fail(d, -errno, FL_CLI_EXEC, "cannot start fairlead-vmm");
	diag_why(d, "%s", strerror(errno));
	diag_mend(d, "make install; the file must be executable for all");
	return d->err;
}

/* ---- the two steps ------------------------------------------------------- */

void launch_close(struct launch *l)
{
	close_fd(&l->conn);
	close_fd(&l->lease);
	close_fd(&l->report);
	close_fd(&l->vmm);
	close_fd(&l->log);
	while (l->n)
		close_fd(&l->fd[--l->n]);
}

/* It is the command's: out of the lease, whose numbers the others keep. */
static void take_log(json_t *lease, struct launch *l)
{
	json_t *names = json_object_get(lease, "fds");

	for (size_t i = 0; i < json_array_size(names) && i < l->n; i++) {
		const char *name = json_string_value(json_array_get(names, i));

		if (!name || strcmp(name, "log") != 0)
			continue;
		l->log = l->fd[i];
		l->n--;
		memmove(l->fd + i, l->fd + i + 1,
		        (l->n - i) * sizeof(l->fd[0]));
		json_array_remove(names, i);
		return;
	}
}

static int open_files(const struct cli *c, struct launch *l)
{
	struct diag d = { 0 };

	l->vmm = open_vmm(c, &d);
	l->report = l->vmm < 0 ? -1 : open_report(c, &d);
	if (l->report < 0)
		return cli_refuse(c, CLI_REFUSED, &d);
	l->conn = cli_connect(c, &d);
	return l->conn < 0 ? cli_refuse(c, CLI_NO_NETD, &d) : CLI_OK;
}

static int ask_lease(const struct cli *c, const char *guest, bool log,
                     struct launch *l)
{
	json_t *lease = NULL, *req;
	struct diag d = { 0 };
	int r;

	req = json_pack("{s:i, s:s, s:s}", "version", NETD_PROTO_VERSION,
	                "verb", "lease", "guest", guest);
	if (log)
		json_object_set_new(req, "log", json_true());
	r = cli_ask(l->conn, req, NULL, 0, &lease, l->fd, &l->n, &d);
	json_decref(req);
	if (r < 0)
		return cli_refuse(c, CLI_INTERNAL, &d);
	if (!json_is_true(json_object_get(lease, "ok")))
		return cli_refused_reply(c, lease, NULL);
	cli_warnings(lease);
	take_log(lease, l);
	l->lease = lease_memfd(lease, &d);
	json_decref(lease);
	return l->lease < 0 ? cli_refuse(c, CLI_REFUSED, &d) : CLI_OK;
}

int launch_lease(const struct cli *c, const char *guest, bool log,
                 struct launch *ret)
{
	int status;

	*ret = (struct launch){
		.conn = -1, .lease = -1, .report = -1, .vmm = -1, .log = -1
	};
	status = open_files(c, ret);
	if (status == CLI_OK)
		status = ask_lease(c, guest, log, ret);
	if (status != CLI_OK)
		launch_close(ret);
	return status;
}

int launch_become(const struct cli *c, struct launch *l)
{
	struct diag d = { 0 };

	if (l->log >= 0 && dup2(l->log, STDERR_FILENO) < 0) {
		diag_fail(&d, -errno, FL_CLI_EXEC, "the guest's log: %s",
		          strerror(errno));
		diag_mend(&d, "ulimit -n 1024");
	} else {
		become(c, l, &d);
	}
	return cli_refuse(c, CLI_REFUSED, &d);
}

int cli_run(const struct cli *c, char *const *args, unsigned n)
{
	struct launch l;
	int status = launch_lease(c, args[0], false, &l);

	(void)n;
	return status == CLI_OK ? launch_become(c, &l) : status;
}
