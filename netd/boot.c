/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal and a reboot. VFs, their attributes and bindings do not outlive
 * one, nor need a PF have the number it had: what the journal says is of
 * another machine. So its files are marked with the kernel's boot id, and
 * those of another boot are put away before anything reads them.
 *
 * Order: away with the files, then the new mark; a crash in between does it
 * again.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "netd/confirm.h"
#include "netd/refused.h"
#include "netd/stuck.h"

#define BOOT_ID "proc/sys/kernel/random/boot_id"

int boot_id(const struct env *e, char ret[BOOT_ID_LEN], struct diag *d)
{
	int r = sysfs_read(e->root_fd, BOOT_ID, ret, BOOT_ID_LEN);

	if (r >= 0)
		return 0;
	/* What cannot be read is an error, and no other boot. */
	ret[0] = '\0';
	if (r == -ENOENT)
		return 0;
	diag_fail(d, r, FL_NETD_JOURNAL, "cannot read /" BOOT_ID);
	diag_why(d, "%s; without it nothing tells this boot from another",
	         strerror(-r));
	diag_mend(d, "mount /proc where fairlead-netd runs, and let it read "
	             "/" BOOT_ID);
	return r;
}

/* The policy is somebody's work: it is kept, but is not the applied one. */
static int put_away(int state_fd, struct diag *d)
{
	int r = 0;

	if (renameat(state_fd, JOURNAL_APPLIED_FILE, state_fd,
	             JOURNAL_BEFORE_BOOT) < 0 &&
	    errno != ENOENT) {
		r = diag_fail(d, -errno, FL_NETD_JOURNAL,
		              "cannot put away the journal's "
		              "%s: %s",
		              JOURNAL_APPLIED_FILE, strerror(errno));
		diag_mend(d, "let the folder of --state be writable");
		return r;
	}
	r = refused_forget_all(state_fd, d);
	if (!r)
		r = journal_drop(state_fd, JOURNAL_ORIGINAL, d);
	if (!r)
		r = journal_drop(state_fd, JOURNAL_UNCONFIRMED, d);
	return r ? r : journal_drop(state_fd, JOURNAL_INTENT, d);
}

int journal_boot(const struct env *e, struct diag *d)
{
	_cleanup_free_ char *old = NULL;
	char now[BOOT_ID_LEN];
	size_t len = 0;
	int r;

	r = boot_id(e, now, d);
	if (r || !*now)
		return r;
	r = journal_get(e->state_fd, JOURNAL_BOOT, &old, &len, d);
	if (r && r != -ENOENT)
		return r;
	if (!r && len == strlen(now) && !memcmp(old, now, len))
		return 0;
	if (!r) {
		log_line(e->log, LOG_LVL_INFO,
		         "the machine was booted since: what the journal says "
		         "is over, no policy is applied");
		r = put_away(e->state_fd, d);
		stuck_forget(e);
		if (r)
			return r;
	}
	return journal_put(e->state_fd, JOURNAL_BOOT, now, strlen(now), d);
}
