/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_CLI_H
#define FL_CLI_H

/*
 * cli: the one command that people type.
 *
 * Theory of operation
 *   main.c reads options by one table and finds the verb in another; each
 *   verb is one function. Verbs that need the machine changed or the kernel
 *   asked with privilege talk to fairlead-netd (client.c); those that read a
 *   policy or the machine (`check`, `schema`, `doctor`, `plan --sim`, `import`)
 *   work alone. Results are a JSON document first; without -j the verb prints
 *   the same facts as text. Errors go to stderr as text, or with -j to stdout
 *   as {"ok": false, "error": {...}}.
 *
 *   `run` becomes the VMM: it arranges the descriptors as netd-proto.h says,
 *   drops root, and execs. So the guest's process is the one the user
 *   started, with its terminal, and the lease is its own.
 */

#include "base/base.h"
#include "netd/netd-proto.h"

#include <jansson.h>

/* Exit statuses; `fairlead --help` prints this list. */
enum cli_exit {
	CLI_OK = 0,
	CLI_REFUSED = 1, /* refused, or not as wanted: the error says why */
	CLI_USAGE = 2,
	CLI_NO_NETD = 3,  /* fairlead-netd does not answer */
	CLI_INTERNAL = 4, /* reply not understood, no memory */
	CLI_STANDBY = 5,  /* failover: the VF is away, the standby is there */
	CLI_NOT_ALL = 6,  /* up, down --boot: some guest was refused */
};

/* ---- errors: FL-021x, FL-022x, FL-08xx ---- */
enum {
	FL_CLI_INVENTORY = 211, /* a recorded machine, not read or written */
	FL_CLI_RECORD = 212,    /* nor this one recorded */
	FL_CLI_EXPORT = 213,    /* nor told as a policy */
	FL_CLI_LISTEN = 220,    /* metrics cannot be served there */
	FL_CLI_FORMAT = 221,    /* a policy cannot be in another's words */
	FL_CLI_IMPORT = 222,    /* nor another's be one */
	FL_CLI_NO_NETD = 801,
	FL_CLI_REPLY = 802,
	FL_CLI_FILE = 803,
	FL_CLI_EXEC = 804,
	FL_CLI_USER = 805,
	FL_CLI_DEVICE = 806,
	FL_CLI_CONFIG = 807, /* configuration space not to be seen */
	FL_CLI_LEASED = 808, /* no running guest has such a device */
	FL_CLI_GUEST = 809,  /* a guest's control socket does not answer */
};

struct cli {
	const char *socket;
	const char *root;          /* doctor, explain: another tree than "/" */
	const char *report, *user; /* run */
	bool no_reboot;            /* run */
	bool now;                  /* detach, failover, stop */
	bool back, to_standby;     /* failover */
	const char *grace;         /* stop: seconds */
	const char *within;        /* apply: a time, "120s" */
	const char *disruption;    /* apply: a word */
	bool commands;             /* plan */
	bool read_only, log;       /* console */
	bool force, early;         /* apply */
	const char *wait;          /* apply: a time */
	const char *hold, *device, *attributes; /* lease */
	const char *node, *pcie_root;           /* lease */
	const char *sim;                        /* plan: a recorded machine */
	bool anonymize;                         /* record */
	bool serve;                             /* metrics */
	const char *format;                     /* export */
	bool boot;                              /* up, down */
	bool json;
	const char *self; /* argv[0] */
};

struct cli_verb {
	const char *name, *args, *summary;
	unsigned min_args, max_args;
	uint32_t options; /* CLI_OPT_* it takes beyond -j and --help */
	int (*run)(const struct cli *c, char *const *args, unsigned n);
	const char *help;
};
enum {
	CLI_OPT_SOCKET = 1 << 0,
	CLI_OPT_ROOT = 1 << 1,
	CLI_OPT_REPORT = 1 << 2,
	CLI_OPT_USER = 1 << 3,
	CLI_OPT_NO_REBOOT = 1 << 4,
	CLI_OPT_NOW = 1 << 5,
	CLI_OPT_GRACE = 1 << 6,
	CLI_OPT_READ_ONLY = 1 << 7,
	CLI_OPT_LOG = 1 << 8,
	CLI_OPT_HOLD = 1 << 9,
	CLI_OPT_DEVICE = 1 << 10,
	CLI_OPT_ATTRIBUTES = 1 << 11,
	CLI_OPT_WITHIN = 1 << 12,
	CLI_OPT_COMMANDS = 1 << 13,
	CLI_OPT_FORCE = 1 << 14,
	CLI_OPT_SERVE = 1 << 15,
	CLI_OPT_FORMAT = 1 << 16,
	CLI_OPT_SIM = 1 << 17,
	CLI_OPT_ANONYMIZE = 1 << 18,
	CLI_OPT_BACK = 1 << 19,
	CLI_OPT_STANDBY = 1 << 20,
	CLI_OPT_BOOT = 1 << 21,
	CLI_OPT_DISRUPTION = 1 << 22,
	CLI_OPT_EARLY = 1 << 23,
	CLI_OPT_WAIT = 1 << 24,
	CLI_OPT_PLACE = 1 << 25,
};

/* Each returns an enum cli_exit. */
int cli_doctor(const struct cli *c, char *const *args, unsigned n);
int cli_check(const struct cli *c, char *const *args, unsigned n);
int cli_plan(const struct cli *c, char *const *args, unsigned n);
int cli_export(const struct cli *c, char *const *args, unsigned n);
int cli_record(const struct cli *c, char *const *args, unsigned n);
int cli_apply(const struct cli *c, char *const *args, unsigned n);
int cli_assert(const struct cli *c, char *const *args, unsigned n);
int cli_confirm(const struct cli *c, char *const *args, unsigned n);
int cli_restore(const struct cli *c, char *const *args, unsigned n);
int cli_history(const struct cli *c, char *const *args, unsigned n);
int cli_status(const struct cli *c, char *const *args, unsigned n);
int cli_lease(const struct cli *c, char *const *args, unsigned n);
int cli_release(const struct cli *c, char *const *args, unsigned n);
int cli_scrub(const struct cli *c, char *const *args, unsigned n);
int cli_run(const struct cli *c, char *const *args, unsigned n);
int cli_attach(const struct cli *c, char *const *args, unsigned n);
int cli_detach(const struct cli *c, char *const *args, unsigned n);
int cli_failover(const struct cli *c, char *const *args, unsigned n);
int cli_irq(const struct cli *c, char *const *args, unsigned n);
int cli_latency(const struct cli *c, char *const *args, unsigned n);
int cli_up(const struct cli *c, char *const *args, unsigned n);
int cli_down(const struct cli *c, char *const *args, unsigned n);
int cli_log(const struct cli *c, char *const *args, unsigned n);
int cli_ps(const struct cli *c, char *const *args, unsigned n);
int cli_stop(const struct cli *c, char *const *args, unsigned n);
int cli_reset(const struct cli *c, char *const *args, unsigned n);
int cli_pause(const struct cli *c, char *const *args, unsigned n);
int cli_resume(const struct cli *c, char *const *args, unsigned n);
int cli_console(const struct cli *c, char *const *args, unsigned n);
int cli_dump(const struct cli *c, char *const *args, unsigned n);
int cli_metrics(const struct cli *c, char *const *args, unsigned n);
/* cni.c: the plugin, of which this program has the name. */
int cni_main(void);
int cli_export_as(const struct cli *c, const char *file);
int cli_import(const struct cli *c, char *const *args, unsigned n);
int cli_schema(const struct cli *c, char *const *args, unsigned n);
int cli_explain(const struct cli *c, char *const *args, unsigned n);

/* ---- output (out.c) ---- */

struct pol_errors;
/* Errors of the file (check.c); returns CLI_REFUSED. */
int cli_policy_errors(const struct cli *c, const struct pol_errors *errs,
                      const char *file);

/* Print a refusal; returns `status`. */
int cli_refuse(const struct cli *c, int status, const struct diag *d);
/* The same of a guest or device that no request can name; CLI_REFUSED. */
int cli_refuse_name(const struct cli *c);
/* What netd warns of in its reply, to standard error. */
void cli_warnings(const json_t *reply);
/* Print a JSON document and drop it; returns CLI_OK. */
int cli_print_json(json_t *doc);
/* Text of a member, `none` when it is absent or null ("unknown", "-"). */
const char *cli_text(const json_t *o, const char *key, const char *none);
/* status-switch.c: what status tells of a PF's switch, and of a VF at it. */
void status_pf_switch(const json_t *pf);
void status_vf_switch(const json_t *vf);
/* status-care.c: what of it is not as one may take it to be. */
void status_care(const json_t *reply);
json_t *cli_diag_json(const struct diag *d);

/* ---- netd's socket (client.c) ---- */

/* -> descriptor, or negative errno with FL_CLI_NO_NETD. */
_must_check_ int cli_connect(const struct cli *c, struct diag *d);
/* One request and its reply. `fds` go along and stay the caller's; received
 * ones go to ret_fds (may be NULL: then none may come). 0 for any reply that
 * is a JSON object, whatever it says. */
_must_check_ int cli_ask(int sock, const json_t *request, const int *fds,
                         size_t n_fds, json_t **ret, int *ret_fds,
                         size_t *ret_n, struct diag *d);
/* The usual: connect, ask, print what is refused (policy errors with the name
 * `file`), hand over a reply that is ok. Returns an enum cli_exit. */
int cli_transact(const struct cli *c, json_t *request, int policy_fd,
                 const char *file, json_t **ret);
/* Print the refusal in a reply; returns CLI_REFUSED. */
int cli_refused_reply(const struct cli *c, json_t *reply, const char *file);
/* Reads and parses it; what is wrong is printed. An enum cli_exit. `ret_text`
 * may be NULL. */
struct pol_policy;
_must_check_ int cli_policy_read(const struct cli *c, const char *file,
                                 struct pol_policy **ret, char **ret_text,
                                 size_t *ret_len);
/* The function of `explain`'s arguments, and why whoever has it has that one:
 * "pool", "why", "others" and more; NULL = nothing is known. What is refused is
 * printed; an enum cli_exit. */
_must_check_ int cli_whose(const struct cli *c, char *const *args, unsigned n,
                           struct bdf *ret, json_t **ret_chosen);
/* The policy's whole text, the caller's to free: of a file, of the *.yaml of a
 * folder; of NETD_POLICY_ETC its policy.yaml and those of its policy.d. */
_must_check_ int cli_policy_text(const char *file, char **ret, size_t *ret_len,
                                 struct diag *d);
/* The file's text as a sealed memfd: netd need not trust a file that may
 * change or hang under it. */
_must_check_ int cli_policy_memfd(const char *file, struct diag *d);

#endif
