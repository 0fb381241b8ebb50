/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_CONTROL_PRIV_H
#define FL_VMM_CONTROL_PRIV_H

/* Between control.c (peers, the console, time) and control_methods.c. */

#include <sys/types.h>

#include "vmm/control.h"

struct control {
	struct vm *vm;
	uid_t own;
	gid_t group; /* of the socket's file; -1 = not to be seen */
	struct peer peer[CONTROL_PEERS];
	bool ending;      /* asked to stop, by its button */
	uint64_t kill_at; /* and no longer than until then; 0 = no limit */
	bool kill, ended;
	/* A core that is being written, and who waits for it. */
	struct dump *dump;
	struct peer *dump_peer;
	json_t *dump_id;
	bool dump_resumes; /* it was running */
};

/* May they have a say? Who is root or runs the VMM, and members of the group,
 * whom the file's mode let in; `groups` are the peer's, all of them. */
bool control_may(const struct control *c, uid_t uid, const gid_t *groups,
                 size_t n);
/* One line of a peer: done, and answered. */
void control_request(struct control *c, struct peer *p, const char *line,
                     size_t len);
/* The dump goes on; ends without a word where its peer has gone. */
void control_dump_step(struct control *c);
void control_dump_drop(struct control *c);

#endif
