/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_METRICS_H
#define FL_NETD_METRICS_H

/*
 * What is counted, for whoever watches the machine over time.
 *
 * Theory of operation
 *   The endpoint that Prometheus asks is no part of this daemon: `fairlead
 *   metrics --serve` is (cli/metrics-serve.c), a process without any right,
 *   that asks by the verb "metrics" as anybody may. So not a byte of HTTP comes
 *   near root, and a scrape is one read among others: it runs in a worker,
 *   beside changes, with a deadline.
 *
 *   What only main sees is counted by main, in struct env, which workers have
 *   as it was at their fork: requests (tally.c), frames that a driver refused
 *   for their source (spoofs.c), what the kernel says of a function that it
 *   recovers (recoveries.c). VFs' counters are the kernel's, asked through the
 *   PF (rtnl-stats.c), so that those bound to VFIO have them, too. Resets by
 *   scrubs are in the ledger: they last over a netd, as generations do.
 *
 *   rtnetlink gives eight zeros where a driver counts nothing
 *   (rtnl_fill_vfinfo() begins with zeros, and asks only drivers that have
 *   ndo_get_vf_stats). Zeros are believed of the drivers that have it, by a
 *   table; of another driver from the first number on that is not zero. Else
 *   the counters are unknown, and there is no series: a graph with a gap says
 *   so, one at 0 would lie.
 *
 * Limits: TALLY_VERBS, SPOOFS_MAX, RECOVERIES_MAX; of a PF whose answer the
 * kernel cannot put into 64 kB (from about 180 VFs on) nothing is known.
 */

#include <jansson.h>

#include "base/base.h"
#include "policy/policy.h"

/* ---- tally.c: main's ----------------------------------------------------- */

#define TALLY_VERBS 48
struct verb_tally {
	size_t n;
	struct tally_one {
		char verb[16];
		uint64_t done, refused;
		uint64_t ms; /* all of them together */
	} v[TALLY_VERBS];
};
void tally_note(struct verb_tally *t, const char *verb, bool ok, uint64_t ms);
json_t *tally_json(const struct verb_tally *t);

/* ---- spoofs.c: main's ---------------------------------------------------- */

#define SPOOFS_MAX 64
struct spoofs {
	size_t n;
	struct spoof_count {
		struct bdf pf;
		int vf; /* -1: the driver does not tell which */
		uint64_t count;
	} s[SPOOFS_MAX];
};
/* A record of /dev/kmsg, the kernel's own: does a driver say that it dropped
 * what a VF sent under another's address? *ret has its count. */
bool spoofs_record(const char *record, struct spoof_count *ret);
/* Full: the rest is not counted. */
void spoofs_note(struct spoofs *all, const struct spoof_count *c);
json_t *spoofs_json(const struct spoofs *all);

/* ---- recoveries.c: main's ------------------------------------------------ */

#define RECOVERIES_MAX 64
struct recoveries {
	size_t n;
	struct recovery_count {
		struct bdf bdf;
		unsigned event; /* one of recoveries.c's words */
		uint64_t count;
	} r[RECOVERIES_MAX];
};
/* A uevent: does the kernel say that it recovers a function from an error, or
 * how that went? *ret counts 1. */
bool recoveries_uevent(const char *msg, size_t len, struct recovery_count *ret);
/* Full: the rest is not counted. */
void recoveries_note(struct recoveries *all, const struct recovery_count *c);
json_t *recoveries_json(const struct recoveries *all);

/* ---- rtnl-stats.c -------------------------------------------------------- */

enum vf_stat { /* in IFLA_VF_STATS' order */
	VF_RX_PACKETS,
	VF_TX_PACKETS,
	VF_RX_BYTES,
	VF_TX_BYTES,
	VF_BROADCAST,
	VF_MULTICAST,
	VF_RX_DROPPED,
	VF_TX_DROPPED,
	VF_STATS
};
extern const char *const vf_stat_names[VF_STATS];
struct vf_stats {
	bool there;
	uint64_t v[VF_STATS];
};
struct link_stats {
	struct vf_stats vf[POL_VFS_MAX];
};
struct rtnl;
struct nlmsghdr;
_must_check_ int rtnl_stats_read(struct rtnl *r, const char *ifname,
                                 struct link_stats *ret);
/* Pure: from one RTM_NEWLINK. */
_must_check_ int rtnl_stats_decode(struct nlmsghdr *h, struct link_stats *ret);
/* Pure: does a PF with this driver count its VFs? See above. */
bool stats_counted(const struct link_stats *s, const char *driver);

#endif
