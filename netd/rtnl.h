/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_RTNL_H
#define FL_NETD_RTNL_H

/*
 * rtnetlink, as netd's workers speak it: one request at a time, each answered
 * or refused with the kernel's own words. Messages are decoded by pure
 * functions, which fuzzers and recorded answers reach without a socket.
 */

#include "base/base.h"
#include "policy/policy.h"

struct rtnl;
struct nl_msg;
struct nlmsghdr;
_must_check_ int rtnl_open(struct rtnl **ret, struct diag *d);
_must_check_ int rtnl_open_protocol(int protocol, struct rtnl **ret,
                                    struct diag *d);
void rtnl_close(struct rtnl *r);
#define RTNL_WORDS 160
/* Sends, and waits for the answer. `reply` (may be NULL) gets each message
 * that is not an acknowledgement. `words` gets the kernel's own explanation
 * or "". Frees `msg`. */
_must_check_ int rtnl_talk(struct rtnl *r, struct nl_msg *msg,
                           int (*reply)(struct nlmsghdr *h, void *arg),
                           void *arg, char words[static RTNL_WORDS]);

/* The same for a dump, which is asked again while what it tells of changes
 * under way. Before each try *n is 0; NULL: to `reply` a message twice is as
 * once. `msg` NULL is no memory. */
_must_check_ int rtnl_dump(struct rtnl *r, struct nl_msg *msg,
                           int (*reply)(struct nlmsghdr *h, void *arg),
                           void *arg, size_t *n);

struct rtnl_vf {
	uint32_t has; /* of POL_HAS_KNOBS */
	uint8_t mac[6], qos;
	uint16_t vlan, proto;
	bool spoof, trust, rss;
	uint32_t rate_min, rate_max;
	enum pol_link_state link_state;
};
struct rtnl_link {
	int ifindex;
	bool up;
	uint32_t mtu; /* 0 = not told */
	bool has_perm_mac;
	uint8_t perm_mac[6];
	char altname[POL_ALTNAMES][POL_ALTNAME]; /* "" from the end on */
	struct rtnl_vf vf[POL_VFS_MAX];
};
/* -ENODEV where `ifindex` is 0. */
_must_check_ int rtnl_link_read(struct rtnl *r, const char *ifname,
                                unsigned ifindex, struct rtnl_link *ret,
                                struct diag *d);
/* Pure: calls `fn` with each VF below POL_VFS_MAX that one RTM_NEWLINK has, and
 * its attributes (IFLA_VF_MAX + 1 of them). */
struct nlattr;
typedef void (*rtnl_vf_fn)(struct nlattr *const *at, unsigned vf, void *arg);
_must_check_ int rtnl_each_vf(struct nlmsghdr *h, rtnl_vf_fn fn, void *arg);
/* Pure: fills `ret` from one RTM_NEWLINK. */
_must_check_ int rtnl_link_decode(struct nlmsghdr *h, struct rtnl_link *ret);

#define RTNL_BATCH 256
/* How many of the actions, from the first on, are of one PF and its VFs and go
 * in one message; 1 where the first is none such. */
size_t rtnl_together(const struct pol_action *a, size_t n);
/* Those in one message. NULL = no memory. */
struct nl_msg *rtnl_set_message(const struct pol_action *a, size_t n,
                                unsigned ifindex);
/* Sets those, and reads them back. *ret_done: how many are done; the next is
 * the one that failed. FL_NETD_LINK, FL_NETD_READBACK. `driver` is for the
 * message. */
_must_check_ int rtnl_set(struct rtnl *r, const struct pol_action *a, size_t n,
                          const char *driver, size_t *ret_done, struct diag *d);
/* A setting of a VF: its key in a policy, and POL_HAS_*. NULL, 0 = `op` sets
 * none. */
const char *rtnl_knob_key(enum pol_op op);
uint32_t rtnl_knob_has(enum pol_op op);
/* Is `err` a driver's word for "I do not do that"? */
bool rtnl_unsupported(const struct pol_action *a, int err);

/* rtnl-fdb.c: of an interface in a bridge. The bridge learns nothing from it;
 * it has (`here`) or has not an entry that sends the MAC there. FL_NETD_TAP. */
_must_check_ int rtnl_no_learning(struct rtnl *r, const char *ifname,
                                  struct diag *d);
_must_check_ int rtnl_fdb(struct rtnl *r, const char *ifname,
                          const uint8_t mac[static 6], bool here,
                          struct diag *d);

#endif
