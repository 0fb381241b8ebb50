/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_RECONCILE_H
#define FL_NETD_RECONCILE_H

/*
 * The machine kept as the applied policy says.
 *
 * Theory of operation
 *   events.c (main)       rtnetlink, uevents and devlink say that something
 *                         has changed; what, they are not believed: they may
 *                         be late, lost or another's. After a quiet time (or
 *                         the sweep's interval) one worker looks.
 *   reconcile.c (workers) "look", a read like others, beside changes: observe
 *                         and plan. Where that would repair something,
 *                         "reconcile", a change: observe, plan against the
 *                         applied policy; do what is safe, tell the rest. As
 *                         apply, but action by action: what one VF refuses is
 *                         not kept from another, and a step of this can be cut
 *                         anywhere, since each moves towards that policy.
 *   drift.c (main)        remembers: counts, what is open, what is fought over.
 *
 *   Safe is what disrupts nobody: class none; and VFs made where there are
 *   none, with all that follows (a driver that was reloaded has lost them).
 *   Anything else (VFs taken away, a host's driver taken from a function, a
 *   VLAN under a running guest, a link taken down) is told, not done.
 *
 *   What comes back again and again is somebody else's will: after FIGHT_MAX
 *   repairs of one attribute in FIGHT_SECONDS it is told who that may be, and
 *   not repaired until nobody has touched it for as long.
 *
 * Against it
 *   "Events carry the change, why look at all?" One look tells what is; ten
 *   events tell what was. A look is one walk through sysfs and one message a
 *   PF. "A storm of events is a storm of looks": the quiet time begins anew
 *   with each, at most QUIET_MAX_MS in all, and one look is under way at a
 *   time. "Own repairs are events": of which the next look finds nothing.
 *   uevents are the kernel's own (group 1), by a socket, not through sd-device:
 *   no udev database is read, and what udev does later is not waited for.
 */

#include "netd/priv.h"

#define DRIFT_MAX 256
#define DRIFT_COUNTS 512
#define DRIFT_TEXT 192
#define DRIFT_LINKS_MAX 2048 /* of others the sweep tells */
#define FIGHT_MAX 3
#define FIGHT_SECONDS 600

enum drift_state {
	DRIFT_REPAIRED,
	DRIFT_REPORTED, /* it would disrupt, or the policy says not to */
	DRIFT_REFUSED,  /* somebody has the VF */
	DRIFT_FAILED,   /* the kernel or the device refused */
	DRIFT_FOUGHT,
};
const char *drift_state_name(enum drift_state s);

/* What it is of. */
struct drift_key {
	enum pol_op op;
	struct bdf pf;           /* or of a whole function */
	int vf;                  /* -1 = the PF itself */
	char bridge[POL_IFNAME]; /* of an overlay, which has no PF; else "" */
	char part[POL_NAME];     /* a rate group, a parameter; else "" */
};
struct drift {
	struct drift_key of;
	enum drift_state state;
	bool open; /* at the last look it still was */
	int64_t since, last;
	/* Of the present bout; and those that went wrong. */
	unsigned repairs, failures;
	int64_t bout;    /* its begin */
	int64_t touched; /* somebody did something to it, or netd tried to */
	char text[DRIFT_TEXT], why[DRIFT_TEXT];
};
struct drift_count {
	struct bdf pf;
	enum pol_op op;
	uint64_t seen, repaired;
};
struct reconcile {
	bool active; /* a policy is applied */
	bool repairs;
	uint32_t interval_ms;
	bool on_event;
	uint64_t looks, events, overruns;
	int64_t last;         /* CLOCK_REALTIME, seconds */
	char why[DRIFT_TEXT]; /* the last look could not tell; "" = it could */
	size_t n, n_counts;
	struct drift d[DRIFT_MAX];
	struct drift_count count[DRIFT_COUNTS];
	uint64_t lost; /* drifts that had no room */
	int ifindex[DRIFT_LINKS_MAX];
	size_t n_ifindex;
};

/* ---- drift.c: pure ------------------------------------------------------- */

const struct drift *drift_find(const struct reconcile *r,
                               const struct drift_key *k);
/* Is repairing this once more a fight? */
bool drift_is_fight(const struct reconcile *r, const struct pol_action *a,
                    int64_t now);
/* It has failed so often that it is not tried for now: why; NULL = it is. */
const char *drift_is_hopeless(const struct reconcile *r,
                              const struct pol_action *a, int64_t now);
/* What a look found: {"pf", "vf", "op", "bridge", "part", "state", "text",
 * "why"}. */
json_t *drift_json(const struct pol_action *a, enum drift_state state,
                   const char *why);
/* A worker's reply into the memory; `say` is called for what is new. */
void drift_merge(struct reconcile *r, const json_t *reply, int64_t now,
                 void (*say)(const struct drift *d, void *arg), void *arg);
/* "reconcile" of status. */
json_t *reconcile_json(const struct reconcile *r);

/* ---- reconcile.c --------------------------------------------------------- */

struct look {
	const struct apply_ops *ops;
	void *ctx;
	const struct pol_policy *policy;
	const struct reconcile *past; /* of earlier looks */
	int64_t now;
	json_t *found; /* a list of drift_json() */
	json_t *tried; /* those that were to be repaired, for the history */
	json_t *was;   /* the machine before that (pol_state_to_json) */
	bool stuck;    /* a device hangs: nothing more is tried */
	bool only;     /* nothing is repaired ... */
	bool differs;  /* ... but would be */
	const struct env *env; /* to tell whose hand it may be; NULL = do not */
};
/* Plans `want` against `seen` and repairs what is safe. -ENOMEM only. */
_must_check_ int look_run(struct look *l, const struct pol_state *want,
                          const struct pol_state *seen);

#endif
