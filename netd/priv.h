/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_NETD_PRIV_H
#define FL_NETD_PRIV_H

// clang-format off
/*
 * Inside netd. Two worlds, and each function belongs to one:
 *
 *   main process  main.c server.c client.c jobs.c ask.c failover.c frame.c
 *                 permit.c caps.c faults.c: sockets, permissions, leases, deadlines,
 *                 the kernel's log. Opens no device, reads no sysfs, never
 *                 blocks.
 *   a worker      verbs.c transact.c apply.c ops.c observe*.c rtnl*.c grant*.c
 *                 open*.c memlock.c cpus.c status.c intent.c history*.c: a
 *                 fork of main
 *                 for one request; may block, is killed at its deadline, ends
 *                 with one answer.
 *   both          reply.c lease.c journal.c control.c. Of the journal main looks
 *                 whether there is an intent; boot.c is main's, before it
 *                 listens.
 */
// clang-format on

#include <jansson.h>
#include <sys/types.h>

#include "base/base.h"
#include "iommu/iommu.h"
#include "netd/metrics.h"
#include "netd/netd-proto.h"
#include "netd/observe.h"
#include "netd/request.h"
#include "netd/rtnl.h"
#include "policy/policy.h"
#include "sriov/sriov.h"

/* ---- leases: kept by main, seen by workers as they were at the fork ------ */

#define LEASES_MAX 64
#define LEASE_DEVICES_MAX POL_GUEST_NICS_MAX
/* What the VMM itself is: for `status`, and for who has a disk. */
#define LEASE_OWN_MAX (POL_OWN_NICS_MAX + POL_DISKS_MAX + 4)
struct lease_own {
	/* "disk", "nic", "vsock", "console", "watchdog", "rng" */
	char kind[12];
	char name[POL_NAME];
	uint8_t slot;
	char what[POL_PATH]; /* path of a disk, interface of a nic */
};
struct lease {
	char guest[POL_NAME]; /* "" = free entry */
	pid_t pid;
	int64_t since; /* CLOCK_REALTIME, seconds */
	bool ending;   /* its connection is gone, the device is looked after */
	char backend[8]; /* "iommufd", "group"; "" = it never had a device */
	size_t n;
	struct {
		/* As in the lease: a nic's, a device's, or its companion's
		 * ("gpu:1"). */
		char name[POL_NAME];
		struct bdf bdf;
		uint8_t slot;
		char on_fault[8]; /* as in "dma-fault"; "" = go-on */
	} device[LEASE_DEVICES_MAX];
	uint32_t ports; /* device numbers of the guest's root ports, as bits */
	size_t n_own;
	struct lease_own own[LEASE_OWN_MAX];
};
struct leases {
	struct lease l[LEASES_MAX];
	/* None was ever behind these: what was not touched is no memory, and of
	 * each function it is asked who leases it. */
	size_t used;
};
const struct lease *lease_find(const struct leases *all, const char *guest);
const struct lease *lease_of_device(const struct leases *all, struct bdf b,
                                    size_t *ret_index);
/* From a granted lease's reply. NULL when the table is full or the reply is
 * none of ours. */
struct lease *lease_add(struct leases *all, const json_t *reply, pid_t pid,
                        int64_t now);
/* Those of an attach's reply, functions and what the VMM itself is, into a
 * lease that is there. -E2BIG, -EBADMSG; then none is added. */
_must_check_ int lease_more(struct lease *l, const json_t *reply);
/* Which back end the guest's address space has, once it has one. */
void lease_backend(struct lease *l, const json_t *reply);
/* `device` and its companions. False where it has none such. */
bool lease_has(const struct lease *l, const char *device);
/* Is it one that the VMM itself is? */
bool lease_has_own(const struct lease *l, const char *device);
void lease_less(struct lease *l, const char *device);
/* -ENOENT FL_NETD_NOT_RUNNING. */
_must_check_ int lease_none(const char *guest, struct diag *d);
/* Frees the entry, if its connection is gone. */
void lease_end(struct leases *all, const char *guest);

/* ---- faults.c: DMA that was refused; kept by main as the leases are ------ */

#define FAULTS_MAX 64
struct fault_count {
	char guest[POL_NAME], device[POL_NAME]; /* "" = not leased then */
	uint64_t count;                         /* at least */
	int64_t seen;                           /* CLOCK_REALTIME, seconds */
	struct iommu_fault last;
	struct ratelimit limit; /* of what is said of it */
};
struct faults {
	bool watched;
	char why[80];  /* it is not */
	uint64_t lost; /* records of the kernel's log: at least */
	bool segments; /* the host has several: VT-d's lines name none */
	size_t n;
	struct fault_count f[FAULTS_MAX];
};
/* Is this record of /dev/kmsg the kernel's, and a fault? */
bool faults_record(const char *record, struct iommu_fault *ret);
/* Counts it for whoever has the function leased. Valid until the next. */
struct fault_count *faults_note(struct faults *all, const struct leases *leases,
                                const struct iommu_fault *f, int64_t now);
json_t *faults_json(const struct faults *all);

/* ---- cpus.c -------------------------------------------------------------- */

#define CPUS_MAX 8192 /* CONFIG_NR_CPUS with MAXSMP */
struct cpus {
	uint64_t bit[CPUS_MAX / 64];
};
/* "0-3,8": as the kernel prints lists. */
_must_check_ int cpus_parse(const char *s, struct cpus *ret);
struct work;
/* Are the guest's CPUs in this host? FL_POL_CPU, FL_POL_SIBLINGS. */
_must_check_ int cpus_check(struct work *w, const struct pol_policy *p,
                            const struct pol_guest *g);
/* Into the lease's "guest". */
void cpus_describe(json_t *guest, const struct pol_cpus *c);
/* The peer's RLIMIT_RTPRIO, as memlock_raise(). */
void cpus_allow_fifo(struct work *w, const struct pol_cpus *c);

/* ---- affinity.c ---------------------------------------------------------- */

/* Moves the host's interrupts of a guest to the CPUs of the vCPUs they serve,
 * where those are pinned; `state` is its VMM's answer to a query. A worker's.
 * Returns {"vectors": [{"device", "index", "irq", "vcpu", "cpus", "ok",
 * "moved", "why"}], "why": why nothing is moved}; those that stay are not in
 * it. */
json_t *affinity_follow(int root_fd, const struct lease *l,
                        const json_t *state);

/* ---- requests ------------------------------------------------------------ */

typedef int verb_fn(struct work *w);
enum {
	WHO_NOBODY = 0, /* netd itself */
	WHO_ROOT = 1 << 0,
	WHO_GROUP = 1 << 1, /* NETD_GROUP */
	WHO_ANYONE = 1 << 2,
};
enum {
	PERMIT_CHANGES = 1 << 0, /* one at a time */
	PERMIT_WAITS = 1 << 1,   /* for its turn, instead of "busy" */
	PERMIT_POLICY = 1 << 2,  /* may bring a policy */
	PERMIT_NEEDS_POLICY = 1 << 3,
	PERMIT_GUEST = 1 << 4,  /* names a guest */
	PERMIT_LEASE = 1 << 5,  /* the answer begins a lease */
	PERMIT_DEVICE = 1 << 6, /* names a device of it */
	PERMIT_ASKS = 1 << 7,   /* the guest's VMM has the last word */
	PERMIT_LOAN = 1 << 8,   /* names a pool, and begins a loan */
	PERMIT_HOLDER = 1 << 9, /* names who has a loan */
	PERMIT_SHORT = 1 << 10, /* a change that refuses nobody else's */
	PERMIT_ENTRY = 1 << 11, /* may name an entry of the history */
	PERMIT_APPLY = 1 << 12, /* may say how it is applied */
};
struct permit {
	const char *verb;
	unsigned who, flags, deadline_ms;
	verb_fn *run;
};
const struct permit *permit_find(const char *verb);
/* 0, or -EPERM FL_NETD_DENIED. `lease_gid`: NETD_GROUP's, or (gid_t)-1. */
_must_check_ int permit_check(const struct permit *p, const struct peer *peer,
                              gid_t lease_gid, struct diag *d);
/* Does the request have what the verb needs? -EPROTO FL_NETD_REQUEST. */
_must_check_ int permit_request(const struct permit *p, const struct request *r,
                                size_t n_fds, struct diag *d);

/* ---- work: what a verb sees ---------------------------------------------- */

/* words.c: what guests in the background have said last; kept by main. */
struct words {
	struct guest_words {
		int fd; /* a textring; -1 = free entry */
		char guest[POL_NAME];
		int64_t since;
	} w[LEASES_MAX];
};

struct reconcile;
struct reload;
struct env {
	int root_fd, state_fd;
	int guests_fd; /* folder of the control sockets */
	int cache_fd;  /* of decompressed kernels; -1 = none */
	int nvme_fd;   /* nvme.h; -1 = nobody to ask */
	const struct log *log;
	const char *journal;     /* systemd's, for audit.h; NULL = not there */
	struct serials *serials; /* serials.h; NULL = none are known */
	struct sriov_variants *variants; /* modules.h; the same */
	struct leases leases;
	struct words words;
	struct faults faults;
	struct verb_tally tally;
	struct spoofs spoofs;
	struct recoveries recoveries;
	struct reconcile *reconcile; /* reconcile.h; the server's */
	struct reload *reload;       /* reload.h; main's */
	gid_t lease_gid;
	uint64_t start; /* of this netd: tells its connections from another's */
	/* Does a connection live that has a loan of this name? As a worker was
	 * begun; NULL = there are no connections. */
	bool (*lives)(const void *server, const char *holder);
	const void *server;
};
struct work {
	const struct env *env;
	const struct permit *permit;
	struct request req;
	struct peer peer;
	int policy_fd;
	/* the answer */
	json_t *reply;
	int fd[NETD_FDS_MAX];
	size_t n_fds;
	struct diag diag;
	struct pol_errors errs;
};
verb_fn verb_status, verb_metrics, verb_plan, verb_apply, verb_restore,
	verb_recover, verb_lease, verb_release, verb_attach, verb_follow,
	verb_unpack, verb_log, verb_stand_in, verb_foresee, verb_borrow,
	verb_return, verb_scrub, verb_tidy, verb_look, verb_reconcile,
	verb_reload, verb_history, verb_confirm, verb_rollback;

/* words.c: main's. */
void words_init(struct words *all);
void words_clear(struct words *all);
int words_of(const struct words *all, const char *guest); /* -1 = none */
/* Keeps a copy of `fd`. */
void words_keep(struct env *e, const struct lease *l, int fd);
/* Its VMM has gone, perhaps without a word. */
void words_end(const struct words *all, const struct lease *l);
/* A worker's: as "log". */
_must_check_ int words_open(struct work *w);

/* reply.c: JSON of answers. */
json_t *reply_error(const struct diag *d);
json_t *reply_refusal(const struct diag *d, const struct pol_errors *errs);
void reply_warn(json_t *reply, const char *fmt, ...) _printf_(2, 3);

/* ---- worker.c ------------------------------------------------------------ */

struct worker {
	pid_t pid;
	int pidfd, sock;
	uint64_t deadline_ns;
	bool killed;
};
struct answer {
	bool ok;
	int body; /* memfd of JSON */
	int fd[NETD_FDS_MAX];
	size_t n_fds;
};
#define WORKER_KEEP_MAX 8
/* Forks. `run` fills the work's answer in the child; of all descriptors only
 * 0 to 2 and keep[] (negative ones are passed over) are open there. */
_must_check_ int worker_start(struct worker *ret, struct work *w,
                              const int *keep, size_t n_keep, unsigned ms);
/* The process has ended (pidfd is readable): its answer. -ETIMEDOUT when the
 * deadline killed it, -EIO when it died without one. */
_must_check_ int worker_finish(struct worker *w, struct answer *ret);
/* Kill it and all that it started. */
void worker_kill(struct worker *w);
void worker_close(struct worker *w);
void answer_close(struct answer *a);

/* ---- journal.c, intent.c: what survives a crash -------------------------- */

enum journal_phase {
	JOURNAL_NONE,
	JOURNAL_APPLIED,
	JOURNAL_UNCONFIRMED_YET, /* applied, and rolled back in time */
	JOURNAL_APPLYING
};
const char *journal_phase_name(enum journal_phase p);
/* A phase, or a negative errno: a file that cannot be seen is not absent. */
_must_check_ int journal_phase(int state_fd, struct diag *d);
/* Every missing folder of the path; the last one 0700. */
_must_check_ int journal_folder(const char *path);
/* Makes `path` and its parents, 0700. */
_must_check_ int journal_open(const char *path, int *ret_fd, struct diag *d);
/* Held as long as the descriptor is open in any process. -EBUSY. */
_must_check_ int journal_lock(int state_fd, unsigned ms, int *ret_fd,
                              struct diag *d);
/* Durable: the file is either the old or the new one after a crash. */
_must_check_ int journal_put(int state_fd, const char *name, const char *text,
                             size_t len, struct diag *d);
/* -ENOENT without a diag when there is none. */
_must_check_ int journal_get(int state_fd, const char *name, char **ret,
                             size_t *ret_len, struct diag *d);
_must_check_ int journal_drop(int state_fd, const char *name, struct diag *d);
#define JOURNAL_BOOT "boot"
#define JOURNAL_BEFORE_BOOT "applied-before-boot.yaml"
#define BOOT_ID_LEN 64
/* "" = there is none (a tree of files): no boots to tell. */
_must_check_ int boot_id(const struct env *e, char ret[BOOT_ID_LEN],
                         struct diag *d);
/* Once, before the journal is read: away with an earlier boot's. */
_must_check_ int journal_boot(const struct env *e, struct diag *d);
#define JOURNAL_ORIGINAL "original.json"
#define JOURNAL_INTENT "intent.json"
#define JOURNAL_APPLIED_FILE "applied.yaml"

/* intent.c: a JSON object of the state folder. -ENOENT without a diag. */
_must_check_ int document_read(int state_fd, const char *name, json_t **ret,
                               struct diag *d);
/* Takes `doc`; NULL is no memory. */
_must_check_ int document_write(int state_fd, const char *name, json_t *doc,
                                struct diag *d);
/* -EBADMSG FL_NETD_JOURNAL. */
int document_torn(struct diag *d, const char *name);

/* The words for pol_pf_learn()'s -E2BIG; any other is returned as it is. */
int not_learnt(int r, struct diag *d);
/* Adds those functions of `want` that the file does not have yet, as seen. */
_must_check_ int original_add(int state_fd, const struct pol_state *seen,
                              const struct pol_state *want, struct diag *d);
_must_check_ int original_read(int state_fd, struct pol_state **ret,
                               struct diag *d);

enum intent_kind {
	INTENT_APPLY,
	INTENT_RESTORE,
	INTENT_ROLLBACK, /* confirm.h */
};
struct intent {
	enum intent_kind kind;
	char *policy; /* text; NULL where it is none */
	size_t policy_len;
	char *previous; /* text of what was applied before; NULL = nothing */
	size_t previous_len;
	bool back;        /* gone back: only files are still to go */
	bool early;       /* what waits for the network is left: early.h */
	bool has_confirm; /* confirm_s was asked for */
	uint32_t confirm_s;
	char file[NETD_NAME_MAX];
	struct pol_state *before;
	struct asker who;
	uint32_t history; /* its entry, 0 = none yet */
};
void intent_clear(struct intent *i);
_must_check_ int intent_write(int state_fd, const struct intent *i,
                              struct diag *d);
_must_check_ int intent_read(int state_fd, struct intent *ret, struct diag *d);

/* ---- apply.c, ops.c, transact.c: plans done ------------------------------ */

/* The seam between the order of things (tested with a mock) and the machine
 * (tested in the lab). */
struct apply_ops {
	/* In a process of its own, before its first action; NULL: all actions
	 * are done here, one after the other. */
	int (*enter)(void *ctx, struct diag *d);
	/* A write to the PF did not come back (`what`): does it hang? Then it
	 * is left alone from now on. */
	bool (*hangs)(void *ctx, struct bdf pf, const char *what);
	int (*act[POL_OP_MAX])(void *ctx, const struct pol_action *a,
	                       struct diag *d);
	/* How many of them, from the first on, can be done at once, and that;
	 * both may be NULL. *ret_done: as far as it went. */
	size_t (*together)(const struct pol_action *a, size_t n);
	int (*many)(void *ctx, const struct pol_action *a, size_t n,
	            size_t *ret_done, struct diag *d);
	int (*observe)(void *ctx, const struct observing *what,
	               struct pol_state **ret, struct diag *d);
	/* What it is costly to see, of the functions in `want`. */
	int (*observe_more)(void *ctx, struct pol_state *seen,
	                    const struct pol_state *want, struct diag *d);
};
enum apply_outcome {
	APPLY_NOT_TRIED,
	APPLY_DONE,
	APPLY_FAILED,
	APPLY_STUCK, /* it has not come back */
};
struct apply_how {
	bool here;          /* in this process, as where there is no enter() */
	bool one_by_one;    /* PFs are not done side by side */
	bool go_on;         /* an error is no reason to leave the rest */
	unsigned action_ms; /* one action of a PF; 0 = by what it is */
};
/* apply.h says in which order. `outcome` has a byte for each action, all of
 * them APPLY_NOT_TRIED. What fails is said; where nothing fails but PFs hang,
 * -ETIMEDOUT FL_NETD_STUCK is: all others have been done then. */
_must_check_ int apply_plan(const struct apply_ops *ops, void *ctx,
                            const struct pol_plan *plan, uint8_t *outcome,
                            const struct apply_how *how, struct diag *d);
size_t apply_done(const struct pol_plan *plan, const uint8_t *outcome);
/* Back to all that `before` says, from whatever is: it may name PFs of an
 * earlier change that was cut short. */
_must_check_ int apply_undo(const struct apply_ops *ops, void *ctx,
                            const struct pol_state *before,
                            const struct apply_how *how, struct diag *d);
/* Only the functions that `keep` names, deep copy. */
_must_check_ int state_of(const struct pol_state *s,
                          const struct pol_state *keep, struct pol_state **ret);
/* Out of `want` goes what is not in `seen`; `gone` (may be NULL) is called
 * for each. */
void state_drop_gone(struct pol_state *want, const struct pol_state *seen,
                     void (*gone)(struct bdf b, void *arg), void *arg);
/* Out of `want` go the PFs that hang; how many, and the first. */
size_t state_drop_stuck(struct pol_state *want, const struct pol_state *seen,
                        struct bdf *ret_first);
/* Adds to `s` those functions of `more` that it does not have; `more` itself
 * learns how bridges were that `s` knows. */
_must_check_ int state_add(struct pol_state *s, struct pol_state *more);

struct machine {
	const struct env *env;
	struct rtnl *rtnl;
	int *lock; /* journal_lock()'s, for enter() to close; or NULL */
};
extern const struct apply_ops machine_ops;
_must_check_ int machine_open(const struct env *e, struct machine *ret,
                              struct diag *d);
void machine_close(struct machine *m);

/* transact.c */
struct transaction {
	const struct env *env;
	const struct apply_ops *ops;
	void *ctx;
	json_t *reply;
	struct diag *d;
	bool mind_owners, force; /* owners.h */
	bool calm;               /* reload.h: disrupts nobody */
	struct allow allow;      /* instead of the policy's word */
	const char *verb;        /* for the history */
};
/* Journal, do, undo on failure, journal. `in` is consumed. */
_must_check_ int transact_policy(struct transaction *t, struct intent *in,
                                 struct pol_errors *errs);
_must_check_ int transact_restore(struct transaction *t, struct intent *in);
_must_check_ int transact_rollback(struct transaction *t, struct intent *in);
/* What an unfinished change began from is still where `in` is to go back to;
 * not so of one that has gone back. */
_must_check_ int transact_inherit(int state_fd, struct intent *in,
                                  struct diag *d);

/* verbs.c */
/* As apply: of what netd has itself. `in` is consumed. */
_must_check_ int transact_again(struct work *w, struct intent *in, bool calm);
/* An intent of what has gone back: its last files go. Without one, nothing. */
_must_check_ int verb_end_back(struct work *w);
/* Lock, machine, transaction. `in` is consumed. */
_must_check_ int verb_transact(struct work *w, struct intent *in);
_must_check_ int policy_parse(const char *text, size_t len,
                              struct pol_policy **ret, struct pol_errors *errs,
                              struct diag *d);
_must_check_ int policy_applied(const struct env *e, struct pol_policy **ret,
                                struct pol_errors *errs, struct diag *d);

/* ---- grant.c (lease, release), open.c, memlock.c ------------------------- */

struct grant_fn {
	char name[POL_NAME];
	struct bdf bdf;
	uint8_t slot, function;
	int group;
	enum pol_rom rom;
	const char *rom_file;
	enum pol_on_fault on_fault;
	const struct pol_pool *pool;   /* of a VF */
	bool booked, hold;             /* ledger.h: VFs, and disks */
	uint64_t generation;           /* of such a one */
	const struct pol_vf *vf;       /* as observed, NULL = none */
	const struct pol_whole *whole; /* the same */
};
struct grant {
	struct grant_fn fn[LEASE_DEVICES_MAX];
	size_t n;
};
/* Everything the guest's VMM needs, into w->fd, named in the reply's "fds";
 * "backend" too. */
_must_check_ int open_guest(struct work *w, const struct pol_guest *g,
                            const struct grant *give);
/* What is added to the running guest of `l`. */
_must_check_ int open_more(struct work *w, const struct lease *l,
                           const struct grant *give);
/* For what opens more: into w->fd and "fds"; takes fd. */
_must_check_ int open_add(struct work *w, const char *name, int fd);
/* A node of /dev, for reading and writing. FL_NETD_OPEN. */
_must_check_ int open_node(struct work *w, const char *name, const char *path,
                           const char *mend);
/* `path` of the policy, to be taken below root_fd. */
const char *open_below(const char *path);
/* open-kernel.c: "unpacked", where that is kept. FL_NETD_UNPACK where the
 * policy insists; else the reply may say "unpack": it is to be made. */
_must_check_ int open_unpacked(struct work *w, const struct pol_guest *g,
                               int kernel_fd);
/* open-own.c: what the VMM itself is; its descriptors, and in the reply what
 * they are. After open_guest(). */
_must_check_ int open_own(struct work *w, struct rtnl *rtnl,
                          const struct pol_policy *p,
                          const struct pol_guest *g);
/* One of them, for a guest that runs: that alone is in the reply. */
_must_check_ int open_own_one(struct work *w, struct rtnl *rtnl,
                              struct pol_own *o);
/* open-disk.c: as "disk:NAME". FL_NETD_DISK. */
_must_check_ int open_disk(struct work *w, const struct pol_disk *disk);
/* control.c: the folder, beside the socket `path`; and away with what nobody
 * listens at. main's. */
_must_check_ int control_folder(struct env *e, const char *path,
                                struct diag *d);
/* core.c: as "core", an empty file. FL_NETD_OPEN. */
_must_check_ int core_open(struct work *w);
/* As "control". FL_NETD_CONTROL. */
_must_check_ int control_open(struct work *w);
void control_remove(const struct env *e, const char *guest);
/* grant-host.c: FL_IOMMU_*. */
_must_check_ int grant_host(struct work *w);
_must_check_ int grant_group(struct work *w, struct bdf b);
/* memory.c: has the host's node what the guest is to have of it? FL_POL_NODE,
 * FL_POL_NODE_MEMORY; where it is only preferred, a warning in the reply. */
_must_check_ int memory_check(struct work *w, const struct pol_guest *g);
/* Into the lease's "guest". */
void memory_describe(int root_fd, const struct pol_guest *g,
                     const struct grant *give, json_t *guest);
void identity_describe(const struct pol_guest *g, json_t *guest);
/* What counts against RLIMIT_MEMLOCK. */
uint64_t memory_locked(const struct pol_guest *g);
/* Raises the peer's RLIMIT_MEMLOCK to at least `bytes` and 64 MiB; never
 * lowers it, and does not take it back when the lease ends. A failure is a
 * warning in the reply. */
void memlock_raise(struct work *w, uint64_t bytes);
/* The peer's limit `resource` is at least `need`; negative errno. */
_must_check_ int limit_raise(struct work *w, int resource, uint64_t need);

/* ---- server.c, jobs.c, caps.c -------------------------------------------- */

struct server;
_must_check_ int server_open(struct env *e, const char *path,
                             struct server **ret, struct diag *d);
_must_check_ int server_run(struct server *s);
void server_close(struct server *s);

_must_check_ int caps_reduce(const struct log *log, struct diag *d);

#endif
