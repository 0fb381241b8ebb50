/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_LEDGER_H
#define FL_NETD_LEDGER_H

/*
 * What netd must remember of a virtual function, or of a disk given away as a
 * whole, and the kernel does not: how many times it was given away, to whom it
 * is given where that is no guest, and whether the last tenant's traces are off
 * it.
 *
 * Theory of operation
 *   One file of the state folder, ledger.json, durable as the journal's. Only
 *   workers of verbs that change something touch it, with the folder's lock,
 *   one after the other; so there is no copy in main to go stale.
 *
 *       CLEAN --given--> GIVEN --scrub proved--> CLEAN
 *         ^                |  \--not proved----> QUARANTINED
 *         |                |                        |
 *         +--`scrub`, proved------------------------+
 *
 *   GIVEN is written before the first byte of the function is changed or
 *   opened for its tenant: a crash at any point of a lease leaves GIVEN, and
 *   what is GIVEN and has no tenant any more is scrubbed before it is given
 *   again. QUARANTINED is never given.
 *
 *   What is on hold (`release: quarantine`, of disks) goes into quarantine when
 *   its tenant ends, proved or not: no reset takes off it what he has written.
 *   That it is so is written as it is given; and it lasts over boots, as what
 *   was written does.
 *
 *   The generation grows each time any function is given, and never shrinks,
 *   not at a boot either: no two tenants have the same, of whatever function.
 *   Who gives back says which one: a release that was on its way for long does
 *   nothing to the next tenant, nor to what the same one has borrowed since.
 *
 *   A loan is a function given to a program that is not a guest: until that
 *   gives it back by its name (`--hold`), or as long as its connection. The
 *   latter's name is made up and begins with '@'; a netd that starts finds no
 *   connection any more and ends it.
 *
 * Against it: a file is written for each lease, 2 fsyncs (about what `applied`
 * costs); a table in main would be faster and lost. Keyed by the VF's address,
 * which VFs made anew have again: their entry says GIVEN or QUARANTINED of
 * functions that are clean, which costs a needless scrub, never a missed one.
 * Another boot has no tenants: all are CLEAN then, with their generations.
 */

#include "netd/priv.h"

#define LEDGER_FILE "ledger.json"
#define LEDGER_MAX 16384
#define LEDGER_WHY 160

enum ledger_state {
	LEDGER_CLEAN,
	LEDGER_GIVEN,
	LEDGER_QUARANTINED,
};
struct ledger_loan {
	char holder[NETD_HOLDER_MAX]; /* "" = none */
	char pool[POL_NAME];
	uid_t uid;
	pid_t pid; /* who asked for it, for people */
	int64_t since;
	struct pol_vf attr; /* what it stated */
	/* Why this VF, and not others: pol_lend_why(), pol_lend_others(). */
	char why[DIAG_LINE], others[DIAG_LINE];
};
struct ledger_scrub {
	int64_t time; /* 0 = never */
	uint64_t generation;
	unsigned done; /* POL_SCRUB_* */
	bool proved;
	/* Its MAC then: 0, or the driver's own in place of it. */
	bool has_mac;
	uint8_t mac[6];
	char why[LEDGER_WHY]; /* it is not */
};
/* It stands in for the VF that the policy gives its tenant, a guest's nic:
 * moves.h. As the policy names it. */
struct ledger_moved {
	char nic[POL_NAME]; /* "" = it does not */
	uint16_t vf;
};
struct ledger_fn {
	struct bdf bdf;
	uint64_t generation;
	uint64_t resets; /* by scrubs, so far */
	enum ledger_state state;
	bool hold;                    /* from its tenant into quarantine */
	char tenant[NETD_HOLDER_MAX]; /* the last: "guest/nic", or a holder */
	struct ledger_moved moved;    /* while it is given */
	struct ledger_loan loan;
	struct ledger_scrub scrub;
};
struct ledger {
	struct ledger_fn *fn;
	size_t n;
};

/* Absent gives an empty one. FL_NETD_JOURNAL. */
_must_check_ int ledger_read(const struct env *e, struct ledger *ret,
                             struct diag *d);
_must_check_ int ledger_write(const struct env *e, const struct ledger *l,
                              struct diag *d);
void ledger_free(struct ledger *l);
/* NULL = it was never given. */
struct ledger_fn *ledger_find(const struct ledger *l, struct bdf b);
/* The same, made where it is not there; NULL = no memory, no room. */
struct ledger_fn *ledger_get(struct ledger *l, struct bdf b);
struct ledger_fn *ledger_held_by(const struct ledger *l, const char *holder);
/* A new tenant: a new generation. */
void ledger_give(struct ledger *l, struct ledger_fn *f, const char *tenant,
                 bool hold);
/* Its tenant, who had it on hold, has ended. */
void ledger_hold_back(struct ledger_fn *f);
const char *ledger_state_name(enum ledger_state s);
/* For `status`: as in the file, without what was never given. */
json_t *ledger_json(const struct ledger *l);
/* Pure; -EBADMSG. `boot`: of now; "" = not known: the same. */
_must_check_ int ledger_decode(const json_t *doc, const char *boot,
                               struct ledger *ret);

/* loan.c, loan-tidy.c: a VF of a pool as its borrower stated it. */
void loan_merge(struct pol_vf *to, const struct pol_vf *attr);
/* loan-may.c: root may state all of a VF. Before one is looked for: -EPERM
 * FL_NETD_DENIED. */
_must_check_ int loan_may_state(struct work *w);
/* `fn`, which the policy has as `want`, can be his: w->req.attr is what he
 * stated, and else what the policy says. -EEXIST FL_NETD_LOAN: his MAC is
 * another's. */
_must_check_ int loan_may_have(struct work *w, const struct pol_policy *p,
                               const struct pol_state *seen, struct pol_fn fn,
                               const struct pol_vf *want);
/* Is there one of a connection that is gone, and that can be ended? */
bool loan_orphans(struct work *w);

/* ---- scrub.c ------------------------------------------------------------- */

/* The seam: a machine, and its function reset. */
struct scrub_ops {
	const struct apply_ops *apply;
	/* -EOPNOTSUPP: the kernel offers none. */
	int (*reset)(void *ctx, struct bdf b, struct diag *d);
};
extern const struct scrub_ops machine_scrub;
/* What the kernel told of it; index -1: no PF has it. */
struct scrub_seen {
	struct bdf pf;
	int index;
	struct pol_vf before, after; /* after: known once it was verified */
	bool verified;
};
struct scrub_how {
	unsigned steps; /* POL_SCRUB_* */
	bool exact;     /* a step that cannot be done is a failure (else only
	                 * what was done and went wrong is) */
	bool port;      /* its representor leaves its bridge */
	/* Only where that is an overlay's of this policy; NULL: any */
	const struct pol_policy *overlays;
};
/*
 * The last tenant's traces off VF `vf` (its address), as observed now. In
 * order: a host's driver goes; function reset; the administrative state to
 * what a new VF has (no VLAN, trust off, spoof check on, MAC 0 or the
 * driver's fallback); read back. *ret is filled whatever comes of it.
 */
void scrub_function(const struct scrub_ops *ops, void *ctx, struct bdf vf,
                    const struct scrub_how *how, struct ledger_scrub *ret,
                    struct scrub_seen *ret_seen);
/* Has the VF, of these POL_HAS_* and by `how`, what a new one has not? A MAC is
 * a trace where `last` (NULL = none) knows that it came since: that of a new VF
 * may be its driver's own. */
bool scrub_traces(const struct pol_state *seen, struct bdf vf,
                  const struct scrub_how *how, uint32_t knobs,
                  const struct ledger_scrub *last);
/* Of a whole function, which has no state beside itself: its reset. What is
 * stored in it is not looked at. */
void scrub_whole(const struct scrub_ops *ops, void *ctx, struct bdf b,
                 struct ledger_scrub *ret);

/* ---- tenancy.c: what grants and loans do with both ----------------------- */

/* Each that writes takes the folder's lock itself. */

/* By whose words a VF is scrubbed; NULL: they say nothing. */
struct tenancy_words {
	const struct pol_policy *policy;
	const struct pol_pool *pool; /* its */
};

/* Who is to have it. */
struct tenancy_next {
	const char *tenant;           /* "guest/nic"; NULL = a borrower */
	const struct pol_state *seen; /* what it has now */
	uint32_t stated;              /* POL_HAS_* that will be set for him */
};
/*
 * Before a tenant gets it. Scrubbed are: what is GIVEN; what was another's and
 * has something that this one does not state, which a policy left there that
 * has forgotten that other; a borrower's, too, if nobody had it before. 1 = it
 * was: what is known of it is old. What cannot be is refused: -EUCLEAN
 * FL_NETD_QUARANTINE. -EBUSY FL_NETD_LEASED: it is lent.
 */
_must_check_ int tenancy_clean(struct work *w, struct machine *m,
                               const struct tenancy_words *by, struct bdf vf,
                               const struct tenancy_next *next);
/* It is in no quarantine now; nothing is done. -EUCLEAN as above. */
_must_check_ int tenancy_fit(struct work *w, struct bdf vf);
/* It is the tenant's from here on; *ret_generation as written. `hold`: then it
 * goes into quarantine. */
_must_check_ int tenancy_give(struct work *w, struct bdf vf, const char *tenant,
                              bool hold, uint64_t *ret_generation);
/* The tenant has gone: scrubbed now. What is not proved is logged, and the
 * function waits in quarantine; that is no error of this. */
_must_check_ int tenancy_end(struct work *w, struct machine *m,
                             const struct tenancy_words *by, struct bdf vf);
/* What is given stands in for another, by the policy's name for it. */
_must_check_ int tenancy_moved(struct work *w, struct bdf vf, const char *nic,
                               unsigned index);
/* The folder's lock, and the ledger as it is. */
_must_check_ int tenancy_open(struct work *w, int *ret_lock,
                              struct ledger *ret);

#endif
