/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_RELOAD_H
#define FL_NETD_RELOAD_H

/*
 * The policy file that netd was told of (--policy), applied anew when it has
 * changed: on SIGHUP, and when somebody has written it (inotify).
 *
 * Only what is applied is reloaded: a machine that nobody has applied a policy
 * to is not carved because a file was saved. Nor does saving a file disrupt
 * anything: what inotify brings is done where the whole difference is of class
 * none, and else told; SIGHUP is somebody's word, and does what apply would. A
 * file with errors changes nothing, either way.
 *
 * The file is root's and nobody else may write it, or it is not read: whoever
 * can write it, carves. Where several files are applied as one policy it is not
 * taken, since it is not all of it.
 */

#include "netd/priv.h"

struct reload {
	char path[POL_PATH]; /* "" = netd knows of none */
	int64_t last;        /* CLOCK_REALTIME, seconds; 0 = never */
	bool ok;
	int code;
	char what[DIAG_LINE], why[DIAG_LINE];
};
/* "policy-file" of status; null = none is known. */
json_t *reload_json(const struct reload *r);
/* A reload has ended: its reply. */
void reload_note(struct reload *r, const json_t *reply, int64_t now);
/* Is all of the plan of class none? -EBUSY FL_NETD_RELOAD. */
_must_check_ int reload_calm(const struct pol_plan *plan, struct diag *d);

#endif
