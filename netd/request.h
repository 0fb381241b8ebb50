/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_REQUEST_H
#define FL_NETD_REQUEST_H

/* What is asked for (frame.c), and by whom: for main, which decides, and for
 * the worker that does it. */

#include <sys/types.h>

#include "netd/netd-proto.h"
#include "policy/policy.h"

#define NETD_VERB_MAX 16
#define NETD_NAME_MAX 256
/* What an apply may disrupt, where who asks for it says so. */
struct allow {
	bool given;
	enum pol_budget budget;
};
/* Who asked for a change, for the history (history.h): kept in the intent, so
 * that what goes on after a crash is still theirs. */
#define ASKER_NO_LOGIN UINT32_MAX
struct asker {
	bool known; /* false: netd itself */
	uid_t uid;
	pid_t pid;
	uint32_t loginuid; /* ASKER_NO_LOGIN = none, or not known */
};
struct request {
	char verb[NETD_VERB_MAX];
	char guest[POL_NAME];
	char device[POL_NAME];
	char file[NETD_NAME_MAX]; /* for people; never opened */
	bool now;
	bool log;                  /* a lease is to have one */
	bool force;                /* apply: what another owns, too */
	bool early;                /* plan, apply: early.h */
	char way[12];              /* of a failover: failover.h */
	char function[BDF_STRLEN]; /* the VF that it is to give; "" = any */
	struct asker who; /* netd's own: on whose word it is; known or not */
	/* borrow, return */
	char pool[POL_NAME];
	char holder[NETD_HOLDER_MAX];
	uint64_t generation; /* 0 = whichever */
	struct pol_vf attr;  /* what is set of it */
	bool has_node;       /* of memory, that it is to be at */
	uint32_t node;
	char root[BDF_STRLEN]; /* root port that it is to be below; "" = any */
	uint32_t entry;        /* of the history; 0 = all */
	bool has_confirm;
	uint32_t confirm_s; /* an apply is to be confirmed within; 0 = never */
	struct allow allow; /* of an apply */
};
/* Pure. -EPROTO FL_NETD_REQUEST; *ret untouched then. */
_must_check_ int frame_parse(const char *buf, size_t len, struct request *ret,
                             struct diag *d);

#define PEER_GROUPS_MAX 64
struct peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	gid_t group[PEER_GROUPS_MAX]; /* of more: NETD_GROUP, if in it */
	size_t n_groups;
	int pidfd; /* -1 = not known */
};

#endif
