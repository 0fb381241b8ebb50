/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_RELOAD_H
#define FL_NETD_RELOAD_H

/*
 * The policy that netd was told of (--policy: a file, or a folder of them),
 * applied anew when it has changed: on SIGHUP, and when somebody has written it
 * (inotify).
 *
 * Only what is applied is reloaded: a machine that nobody has applied a policy
 * to is not carved because a file was saved. Nor does saving a file disrupt
 * anything: what inotify brings is done where the whole difference is of class
 * none, and else told; SIGHUP is somebody's word, and does what apply would. A
 * file with errors changes nothing, either way; nor does a folder that has no
 * file left: that is no wish to have nothing.
 *
 * Files and folders are root's and nobody else may write them, or none is read:
 * whoever can write one, carves. They become the text that `fairlead apply` of
 * the same name makes (base/folder.c, pol_files_join), and where that is what
 * is applied, nothing is written, no entry of the history either. Where netd
 * watches one file and several are applied as one policy, it is not taken,
 * since it is not all of it.
 *
 * Which names count: in a folder those that end in ".yaml" and are not hidden,
 * as they are read; what editors leave beside them (4913, .x.swp, x~, x.tmp)
 * does not begin a reload. A name that comes by a rename counts, and so does
 * one that goes. Several files saved together are one reload, after the quiet
 * time of all events (events.h).
 */

#include "netd/priv.h"

struct reload {
	char path[POL_PATH]; /* "" = netd knows of none */
	bool etc;            /* as NETD_POLICY_ETC: one file and a folder */
	int64_t last;        /* CLOCK_REALTIME, seconds; 0 = never */
	bool ok;
	struct diag said; /* it is not */
};
/* "policy-file" of status; null = none is known. */
json_t *reload_json(const struct reload *r);
/* A reload has ended: its reply. */
void reload_note(struct reload *r, const json_t *reply, int64_t now);
/* reload-read.c, a worker's: its whole text. `why`: what is wrong, and with
 * which of its files. */
_must_check_ int reload_read(const struct reload *r, char **ret,
                             size_t *ret_len, char why[static DIAG_LINE]);
/* reload-watch.c, main's. */
struct server;
struct inotify_event;
_must_check_ int reload_watch(struct server *s);
/* Once more: folders may have come. */
int reload_watch_all(struct server *s);
/* Is this one to reload for? It may also be a folder that came or went, which
 * is watched then. */
bool reload_event(struct server *s, const struct inotify_event *e);
/* Is all of the plan of class none? -EBUSY FL_NETD_RELOAD. */
_must_check_ int reload_calm(const struct pol_plan *plan, struct diag *d);

#endif
