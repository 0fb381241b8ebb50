/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy, from where it is: a file, a folder of files, or, where nothing
 * is named, /etc/fairlead with its policy.yaml and policy.d. Several files
 * become one text (policy/files.c), so that what is checked, planned, applied
 * and kept is one thing.
 */

#include "cli/cli.h"
#include "policy/policy.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int file_error(const char *file, int err, struct diag *d)
{
	diag_fail(d, err, FL_CLI_FILE, "cannot read the policy %s", file);
	diag_why(d, "%s",
	         err == -EFBIG    ? "it is larger than a policy may be (1 MiB)"
	         : err == -E2BIG  ? "its files are more than 64, or larger "
	                            "together than a policy may be (1 MiB)"
	         : err == -EINVAL ? "it is a pipe or a device, not a file"
	                          : strerror(-err));
	diag_mend(d, "name a policy file, or a folder of them; their form: "
	             "docs/policy.md");
	return err;
}

static void no_files(const char *path, struct diag *d)
{
	diag_fail(d, -ENOENT, FL_CLI_FILE, "there is no policy in %s", path);
	diag_why(d, "no file in it ends in " NETD_POLICY_SUFFIX);
	diag_mend(d, "write one there, or name another; their form: "
	             "docs/policy.md");
}

/* One text of them; the file names are good for messages, or it is refused. */
static int join(const struct folder *f, const char *path, char **ret,
                size_t *ret_len, struct diag *d)
{
	struct pol_file file[FOLDER_FILES_MAX];
	int r;

	if (!f->n) {
		no_files(path, d);
		return -ENOENT;
	}
	for (size_t i = 0; i < f->n; i++)
		file[i] = (struct pol_file){ f->file[i].name, f->file[i].text,
			                     f->file[i].len };
	r = pol_files_join(file, f->n, ret, ret_len);
	if (r < 0)
		file_error(path, r, d);
	if (r == -EINVAL)
		diag_why(d, "names of its files are of printable ASCII "
		            "without ':', at most 63 characters");
	return r;
}

static int read_folder(int fd, const char *path, char **ret, size_t *ret_len,
                       struct diag *d)
{
	_cleanup_(folder_clear) struct folder f = { 0 };
	char failed[FOLDER_NAME], whole[FOLDER_NAME + POL_PATH];
	int r = folder_read(fd, ".", NETD_POLICY_SUFFIX, NETD_POLICY_MAX, &f,
	                    failed);

	if (!r)
		return join(&f, path, ret, ret_len, d);
	snprintf(whole, sizeof(whole), "%.*s/%s", POL_PATH - 2, path, failed);
	return file_error(*failed ? whole : path, r, d);
}

/* policy.yaml and the files of policy.d ('.' then 'd' is before 'y'); named
 * from `etc` on, also where it is one, so that messages are alike. */
static int read_default(const char *etc, char **ret, size_t *ret_len,
                        struct diag *d)
{
	_cleanup_close_ int fd = open(etc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(folder_clear) struct folder f = { 0 };
	char failed[FOLDER_NAME] = NETD_POLICY_ONE;
	char whole[FOLDER_NAME + POL_PATH];
	int r = fd < 0 ? -errno : 0;

	if (!r)
		r = folder_read_both(fd, NETD_POLICY_MANY, NETD_POLICY_ONE,
		                     NETD_POLICY_SUFFIX, NETD_POLICY_MAX, &f,
		                     failed);
	if (!r)
		return join(&f, etc, ret, ret_len, d);
	snprintf(whole, sizeof(whole), "%.*s/%s", POL_PATH - 2, etc, failed);
	return file_error(whole, r, d);
}

int cli_policy_text(const char *file, char **ret, size_t *ret_len,
                    struct diag *d)
{
	_cleanup_close_ int fd = -1;
	int r;

	if (!strcmp(file, NETD_POLICY_ETC))
		return read_default(file, ret, ret_len, d);
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	r = fd < 0 ? -errno : fd_read_file(fd, NETD_POLICY_MAX, ret, ret_len);
	if (r == -EISDIR)
		return read_folder(fd, file, ret, ret_len, d);
	return r < 0 ? file_error(file, r, d) : 0;
}

int cli_policy_memfd(const char *file, struct diag *d)
{
	_cleanup_close_ int mem = -1;
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r = cli_policy_text(file, &text, &len, d);

	if (r < 0)
		return r;
	mem = memfd_create("policy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (mem < 0)
		return file_error(file, -errno, d);
	r = fd_pwrite_full(mem, text, len, 0);
	if (r < 0)
		return file_error(file, r, d);
	if (fcntl(mem, F_ADD_SEALS,
	          F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return file_error(file, -errno, d);
	return TAKE_FD(mem);
}
