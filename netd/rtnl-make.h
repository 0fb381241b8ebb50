/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_RTNL_MAKE_H
#define FL_NETD_RTNL_MAKE_H

/*
 * Interfaces that netd makes and that outlive a descriptor. Each bears a mark,
 * its alias, and has it before it has its own name: it is made down under a
 * temporary one, marked, then named. So what a crash leaves is told from what
 * others made, and the next attempt removes it.
 */

#include "netd/priv.h"

struct rtnl_new {
	const char *kind, *temporary, *name, *mark;
	/* Into IFLA_INFO_DATA, and into the message itself (NULL = nothing);
	 * false = no room. */
	bool (*data)(struct nl_msg *m, const void *arg);
	bool (*link)(struct nl_msg *m, const void *arg);
	const void *arg;
};
/* Negative errno, with the kernel's words; nothing is left then. */
_must_check_ int rtnl_make_link(struct rtnl *r, const struct rtnl_new *n,
                                char words[static RTNL_WORDS]);
/* 0 where there is none of that name. */
_must_check_ int rtnl_remove_link(struct rtnl *r, const char *name,
                                  char words[static RTNL_WORDS]);
_must_check_ int rtnl_link_u32(struct rtnl *r, unsigned ifindex, int attr,
                               uint32_t v, char words[static RTNL_WORDS]);
_must_check_ int rtnl_link_up(struct rtnl *r, const char *name,
                              char words[static RTNL_WORDS]);
_must_check_ int rtnl_link_down(struct rtnl *r, const char *name,
                                char words[static RTNL_WORDS]);
/* Takes `m`, whose contents are complete if `ok`. */
_must_check_ int rtnl_try(struct rtnl *r, struct nl_msg *m, bool ok,
                          char words[static RTNL_WORDS]);
/* All links, one RTM_NEWLINK each. Where they change under way they are told
 * anew, and *n (may be NULL), which counts them, is 0 again. */
_must_check_ int rtnl_each_link(struct rtnl *r,
                                int (*decode)(struct nlmsghdr *h, void *arg),
                                void *arg, size_t *n);

#endif
