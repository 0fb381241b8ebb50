/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_TOOL_H
#define FL_NETD_TOOL_H

/*
 * tool: a program of the host's, run for what has no other interface than its
 * own commands. A worker's.
 *
 * No shell: each word is one argument, whatever is in it. The program is found
 * below root_fd and nowhere else (no PATH), gets an environment of one line, no
 * descriptor but its own three, and files of a bounded size to write into. It
 * has netd's capabilities and cannot gain any (caps.c: no-new-privs), is killed
 * at its deadline, and with its worker.
 *
 * Argued against: "a child of root that talks to strangers' daemons." It is the
 * distribution's own client of a daemon that is root itself; what comes back is
 * read as text of a bounded length (ovs.c), and never run.
 */

#include "netd/priv.h"

#define TOOL_TEXT_MAX (16u << 20)
#define TOOL_WORDS 200

/* `argv` as execve(2) wants it. *ret_text (may be NULL) is what it wrote, the
 * caller's to free; `said` the first line of its complaint, "" = none.
 * -ENOENT: there is no such program; -ETIMEDOUT; -EIO: it failed. */
_must_check_ int tool_run(int root_fd, const char *path,
                          const char *const *argv, unsigned ms, char **ret_text,
                          char said[static TOOL_WORDS]);

#endif
