/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where an inventory comes from. netd knows who leases what, so it is asked
 * first; where it does not run, its program is started to look once, which
 * root may do before the first policy is there.
 */

#include "cli/inventory.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- netd ---------------------------------------------------------------- */

static int bad_answer(const struct cli *c, const char *why)
{
	struct diag d;

	diag_fail(&d, -EPROTO, FL_CLI_REPLY,
	          "record: netd's answer is not "
	          "understood");
	diag_why(&d, "%s", why);
	diag_mend(&d, "use the fairlead and fairlead-netd of one version");
	return cli_refuse(c, CLI_INTERNAL, &d);
}

static int ask_netd(const struct cli *c, int sock, char **ret, size_t *ret_len)
{
	json_t *req = json_pack("{s:i, s:s}", "version", NETD_PROTO_VERSION,
	                        "verb", "record");
	json_t *reply = NULL;
	int fds[NETD_FDS_MAX], status = CLI_OK, r;
	struct diag d = { 0 };
	size_t n = 0;

	r = cli_ask(sock, req, NULL, 0, &reply, fds, &n, &d);
	json_decref(req);
	if (r < 0)
		return cli_refuse(c, CLI_INTERNAL, &d);
	if (!json_is_true(json_object_get(reply, "ok")))
		status = cli_refused_reply(c, json_incref(reply), NULL);
	else if (n != 1)
		status = bad_answer(c, "no inventory came with it");
	else if (fd_read_file(fds[0], INVENTORY_MAX, ret, ret_len) < 0)
		status = bad_answer(c, "the inventory cannot be read");
	json_decref(reply);
	while (n)
		close_fd(&fds[--n]);
	return status;
}

/* ---- its program --------------------------------------------------------- */

/* Beside this one, as it is built, or as it is installed. */
static void find_netd(char path[static PATH_MAX])
{
	const char *env = secure_getenv("FAIRLEAD_NETD");
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 40);
	char *base;

	if (env || len <= 0) {
		snprintf(path, PATH_MAX, "%s", env ? env : "fairlead-netd");
		return;
	}
	path[len] = '\0';
	base = strrchr(path, '/') + 1;
	memcpy(base, "fairlead-netd", sizeof("fairlead-netd"));
	if (access(path, X_OK) < 0)
		memcpy(base, "../sbin/fairlead-netd",
		       sizeof("../sbin/fairlead-netd"));
}

static pid_t start(const struct cli *c, const char *path, int out)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	if (dup2(out, STDOUT_FILENO) >= 0)
		execl(path, "fairlead-netd", "--observe", "--root", c->root,
		      NULL);
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	_exit(127);
}

static bool finished(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

static int run_netd(const struct cli *c, char **ret, size_t *ret_len)
{
	_cleanup_close_ int mem = memfd_create("inventory", MFD_CLOEXEC);
	char path[PATH_MAX];
	struct diag d;
	pid_t pid;
	int r;

	find_netd(path);
	pid = mem < 0 ? -1 : start(c, path, mem);
	if (pid > 0 && finished(pid)) {
		r = fd_read_file(mem, INVENTORY_MAX, ret, ret_len);
		if (!r)
			return CLI_OK;
	}
	diag_fail(&d, -EIO, FL_CLI_RECORD, "cannot record this machine");
	diag_why(&d, "netd does not run at %s, and %.80s --observe failed",
	         c->socket, path);
	diag_mend(&d, "run as root; or name the program in FAIRLEAD_NETD");
	return cli_refuse(c, CLI_NO_NETD, &d);
}

int inventory_record(const struct cli *c, char **ret, size_t *ret_len)
{
	_cleanup_close_ int sock = -1;
	struct diag d = { 0 };

	/* Another tree than netd's. */
	if (strcmp(c->root, "/") != 0)
		return run_netd(c, ret, ret_len);
	sock = cli_connect(c, &d);
	return sock < 0 ? run_netd(c, ret, ret_len)
	                : ask_netd(c, sock, ret, ret_len);
}

/* ---- a file -------------------------------------------------------------- */

static int read_file(const char *path, char **ret, size_t *ret_len)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -errno : fd_read_file(fd, INVENTORY_MAX, ret, ret_len);
}

static int parse(const struct cli *c, const char *file, const char *text,
                 size_t len, struct pol_state **ret)
{
	_cleanup_free_ struct pol_errors *errs = calloc(1, sizeof(*errs));
	int r = errs ? pol_inventory_parse(text, len, ret, errs) : -ENOMEM;

	if (!r)
		return CLI_OK;
	return errs && errs->n ? cli_policy_errors(c, errs, file)
	                       : CLI_INTERNAL;
}

static int from_file(const struct cli *c, struct pol_state **ret)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	struct stat st;
	struct diag d;
	size_t len = 0;
	int r;

	snprintf(path, sizeof(path), "%s", c->sim);
	if (!stat(c->sim, &st) && S_ISDIR(st.st_mode))
		snprintf(path, sizeof(path), "%s/" INVENTORY_FILE, c->sim);
	r = read_file(path, &text, &len);
	if (!r)
		return parse(c, path, text, len, ret);
	diag_fail(&d, r, FL_CLI_INVENTORY, "cannot read the inventory %.160s",
	          path);
	diag_why(&d, "%s",
	         r == -EFBIG ? "it is larger than 64 MiB" : strerror(-r));
	diag_mend(&d, "make one: as root, `fairlead record DIR` on the machine "
	              "that it is to be of");
	return cli_refuse(c, CLI_REFUSED, &d);
}

int inventory_state(const struct cli *c, struct pol_state **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r;

	if (c->sim)
		return from_file(c, ret);
	r = inventory_record(c, &text, &len);
	return r ? r : parse(c, "this machine", text, len, ret);
}
