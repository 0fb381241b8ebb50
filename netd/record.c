/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine as it is, for a plan made elsewhere: record.h. */

#include "netd/record.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

/* As much as a reader takes. */
#define RECORD_MAX (64u << 20)

/* What would be there is no machine, but what was to be had of it. */
static int check_known(const struct pol_state *s, struct diag *d)
{
	char b[BDF_STRLEN];

	for (size_t i = 0; i < s->n_pfs; i++) {
		if (!s->pf[i].stuck && !s->pf[i].unasked)
			continue;
		diag_fail(d, -EBUSY, FL_NETD_RECORD, "cannot record %s",
		          bdf_format(s->pf[i].bdf, b));
		diag_why(d, "%s", pol_stuck_why(&s->pf[i]));
		diag_mend(d, "see `fairlead status` for what hangs; record it "
		             "when that has come back");
		return -EBUSY;
	}
	return 0;
}

static int observe_text(const struct env *e, const struct machine *m,
                        char **ret, size_t *ret_len, struct diag *d)
{
	struct pol_state *s = NULL;
	struct utsname u = { 0 };
	char by[96];
	int r = observe(e, m->rtnl, NULL, &s, d);

	if (!r)
		r = check_known(s, d);
	if (!r)
		r = observe_overrides(e, s, s);
	if (!r)
		r = record_net(m, s);
	(void)!uname(&u);
	snprintf(by, sizeof(by), "fairlead " FL_VERSION ", Linux %.64s",
	         u.release);
	if (!r)
		r = pol_inventory_format(s, by, ret, ret_len);
	pol_state_free(s);
	if (!r && *ret_len > RECORD_MAX)
		r = -EFBIG;
	if (r && !d->code) {
		diag_fail(d, r, FL_NETD_RECORD, "cannot record the machine");
		diag_why(d, "%s", strerror(-r));
		diag_mend(d, "try again; where a device is just changing its "
		             "driver, after that");
	}
	return r;
}

static int record(const struct env *e, char **ret, size_t *ret_len,
                  struct diag *d)
{
	struct machine m = { 0 };
	int r = machine_open(e, &m, d);

	if (!r)
		r = observe_text(e, &m, ret, ret_len, d);
	machine_close(&m);
	return r;
}

int record_print(const struct env *e, int fd, struct diag *d)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r = record(e, &text, &len, d);

	for (size_t at = 0; !r && at < len;) {
		ssize_t n = write(fd, text + at, len - at);

		if (n < 0 && errno != EINTR) {
			r = diag_fail(d, -errno, FL_NETD_RECORD,
			              "cannot write what was recorded: %s",
			              strerror(errno));
			diag_mend(d, "make room where its output goes");
		}
		at += n > 0 ? (size_t)n : 0;
	}
	return r;
}

int verb_record(struct work *w)
{
	static const int seals =
		F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	size_t len = 0;
	int r = record(w->env, &text, &len, &w->diag);

	if (r)
		return r;
	fd = memfd_create("inventory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	r = fd_pwrite_full(fd, text, len, 0);
	if (r)
		return r;
	if (fcntl(fd, F_ADD_SEALS, seals) < 0)
		return -errno;
	json_object_set_new(w->reply, "fds", json_pack("[s]", "inventory"));
	w->fd[w->n_fds++] = TAKE_FD(fd);
	return 0;
}
