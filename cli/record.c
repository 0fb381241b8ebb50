/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `fairlead record`: this machine as a file for `plan --sim`. */

#include "cli/inventory.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int anonymize(const struct cli *c, char **text, size_t *len)
{
	_cleanup_free_ struct pol_errors *errs = calloc(1, sizeof(*errs));
	struct pol_state *s = NULL;
	int r = errs ? pol_inventory_parse(*text, *len, &s, errs) : -ENOMEM;

	if (r)
		return errs && errs->n
		               ? cli_policy_errors(c, errs, "this machine")
		               : CLI_INTERNAL;
	free(TAKE_PTR(*text));
	r = pol_anonymize(s);
	if (!r)
		r = pol_inventory_format(s, "fairlead " FL_VERSION, text, len);
	pol_state_free(s);
	return r ? CLI_INTERNAL : CLI_OK;
}

/* Beside it first, so that a recording is there whole or not at all. */
static int write_file(const char *dir, const char *text, size_t len)
{
	static const char name[] = INVENTORY_FILE;
	static const char fresh[] = INVENTORY_FILE ".new";
	_cleanup_close_ int d = -1, fd = -1;
	int r;

	if (mkdir(dir, 0777) < 0 && errno != EEXIST)
		return -errno;
	d = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d < 0)
		return -errno;
	fd = openat(d, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		return -errno;
	r = fd_pwrite_full(fd, text, len, 0);
	if (!r && renameat(d, fresh, d, name) < 0)
		r = -errno;
	if (r)
		unlinkat(d, fresh, 0);
	return r;
}

static int cannot_write(const struct cli *c, const char *dir, int err)
{
	struct diag d;

	diag_fail(&d, err, FL_CLI_INVENTORY, "cannot write %.160s/%s", dir,
	          INVENTORY_FILE);
	diag_why(&d, "%s", strerror(-err));
	diag_mend(&d,
	          "name a folder that you may write; it is made where it is "
	          "not there");
	return cli_refuse(c, CLI_REFUSED, &d);
}

int cli_record(const struct cli *c, char *const *args, unsigned n)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r = inventory_record(c, &text, &len);

	if (!r && c->anonymize)
		r = anonymize(c, &text, &len);
	if (r)
		return r;
	if (!n) {
		fwrite(text, 1, len, stdout);
		return CLI_OK;
	}
	r = write_file(args[0], text, len);
	if (r)
		return cannot_write(c, args[0], r);
	if (c->json)
		return cli_print_json(json_pack("{s:b, s:s+}", "ok", 1, "file",
		                                args[0], "/" INVENTORY_FILE));
	printf("recorded in %s/" INVENTORY_FILE
	       "; try a policy on it: fairlead "
	       "plan --sim %s FILE\n",
	       args[0], args[0]);
	return CLI_OK;
}
