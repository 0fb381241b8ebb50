/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_POLICY_H
#define FL_POLICY_H

/*
 * policy: from a file to an ordered list of actions, as pure functions.
 *
 * Theory of operation
 *     text --pol_parse--> pol_policy --pol_resolve(state)--> pol_want
 *                                      pol_want --pol_plan(state)--> pol_plan
 *   `state` is what the kernel says now; netd fills it. pol_want has the
 *   same shape as the state: one record a physical function, one a virtual
 *   function, each field with its own "stated" flag, so that what a policy
 *   leaves out is left alone. Restoring a machine is planning with a want
 *   made from the state saved before the first change (pol_want_from_state).
 *
 *   Absent, null and a value are three things: absent = leave alone, null =
 *   the device's default, 0 = the value 0.
 *
 *   Whole functions (`devices`) are bound to vfio-pci and given to guests as
 *   they are: alone, or with all that shares their slot or IOMMU group. What
 *   the host itself uses (a mounted disk, its network, its screen) is refused.
 *   `gpus` become such devices as they are read, or nics and pools of their
 *   VFs: what is done to these is done to them.
 *
 *   A guest's NICs are given their VFs here, at planning time and for good:
 *   guests in file order take VFs of the named pool (place.c says which). So a
 *   plan shows everything, and a lease later only looks the answer up.
 *
 *   Order of actions on one PF, and why:
 *     autoprobe   before the VFs exist, so that no netdev is ever born
 *     PF MTU      before the VFs exist: drivers read their largest frame once
 *     numvfs      0 first where it changes from another value
 *     parameters, and the mode of the PF's switch: plan-switch.c
 *     PF link     a VF of a PF that is down has no link; some drivers know no
 *                 rate without it
 *     VF MAC      before the driver: else the guest sees a random or zero MAC;
 *                 before spoof check: Intel checks against the MAC it has
 *     VF VLAN, rate, spoof check, trust, RSS query
 *     VF link     after all of these: no frame passes before them
 *     VF driver   last: from here on the VF may be opened
 *   One exception: where VFs are made anew, a driver is stated for each of
 *   them and autoprobe is wanted on, autoprobe is off while they are made and
 *   goes on at the very end, so that no driver reads a MAC not yet set.
 *   The other way about: where autoprobe is to be off and a VF is to have the
 *   kernel's own choice of driver, autoprobe is on for that step.
 *
 *   VFs that a change of numvfs makes anew have nothing of what was observed:
 *   all that is wanted of them is said again. Except that a new VF has no MAC
 *   of its own, no rate and the link of its PF: saying so is refused by
 *   drivers that have no such setting.
 *
 *   What a guest's VF is to be: its nic's own words, then `overrides` of that
 *   VF, then its network, then its pool; each key by itself.
 *
 * Purity: no system call; the caller reads the file. Errors carry positions;
 * parsing goes on after one, so that a user sees all of them at once. They
 * come in the file's order.
 *
 * Limits: POL_TEXT_MAX bytes of text, POL_ERRORS_MAX errors kept, names of
 * POL_NAME-1 characters, POL_DEPTH_MAX nesting, the POL_*_MAX below; YAML
 * anchors and aliases are refused (a policy is short; an alias bomb is not).
 */

#include "base/base.h"
#include "policy/lend.h"
#include "policy/machine.h"
#include "policy/model.h"

#include <jansson.h>

/* ---- errors: FL-01xx ----------------------------------------------------- */
enum {
	FL_POL_YAML = 101,  /* not YAML, an alias, too deep, too long */
	FL_POL_KEY = 102,   /* unknown key; nearest known one */
	FL_POL_TYPE = 103,  /* mapping, list or scalar expected */
	FL_POL_VALUE = 104, /* scalar not of its form or out of range */
	FL_POL_MISSING = 105,
	FL_POL_DUPLICATE = 106, /* key or name given twice */
	FL_POL_REFERENCE =
		107,        /* names a nic, pool or network that is not there */
	FL_POL_QUOTE = 108, /* PCI address, id or MAC must be quoted */
	FL_POL_RANGE = 109, /* VF range beyond the count, overlapping, or a pool
	                       too small */
	FL_POL_CONFLICT = 110,  /* two statements that cannot both hold */
	FL_POL_HOST = 111,      /* the policy is for another machine */
	FL_POL_UNLISTED = 112,  /* there is more to give away than it names */
	FL_POL_IDENTITY = 113,  /* another card than the one stated is there */
	FL_POL_FILES = 114,     /* begins as several files, and is not */
	FL_POL_NO_MATCH = 120,  /* no device, or more than one, matches */
	FL_POL_TOTAL = 121,     /* more VFs than the device has */
	FL_POL_IN_USE = 122,    /* change would take away a VF that is in use */
	FL_POL_PF_DRIVER = 123, /* PF has no driver that can carve VFs */
	FL_POL_GROUP = 124, /* VF shares its IOMMU group with a bound device */
	FL_POL_NO_IOMMU = 125,   /* pool wants vfio, host has no IOMMU */
	FL_POL_NO_IR = 126,      /* ... or no interrupt remapping */
	FL_POL_ADDRESS = 127,    /* VF would lie beyond the last bus */
	FL_POL_HOST_USE = 128,   /* the host itself uses the device */
	FL_POL_HAS_VFS = 129,    /* a whole PF wanted, and it has VFs */
	FL_POL_COMPANIONS = 130, /* alone, and its group has others; or too many
	                            for a slot */
	FL_POL_MTU = 131,        /* a network's is more than its PF's */
	FL_POL_RATE = 132,       /* more promised to VFs than the link has */
	FL_POL_CANNOT = 133,     /* a setting that the VF's driver never does */
	FL_POL_FAR = 135, /* a guest at one memory node, its pool at another */
	FL_POL_SHARED = 136,    /* placement isolate, and none is alone */
	FL_POL_SWITCHDEV = 143, /* stated, and only switchdev has it */
	FL_POL_DEVLINK = 144,   /* the device has no such thing to set */
	FL_POL_BRIDGE = 145,    /* not there; or not ours to change */
	FL_POL_VFS_BOUND = 146, /* VFs would be bound while the mode changes */
	FL_POL_MSIX = 147,      /* more vectors than there are */
	FL_POL_DATAPATH = 149,  /* a nic cannot be what `datapath` says */
	FL_POL_OVERLAY = 150,   /* an overlay that cannot be */
	FL_POL_OVERLAY_MTU = 151,     /* ... larger than what it goes over */
	FL_POL_OVERLAY_OUTER = 152,   /* ... that has nothing to go over */
	FL_POL_OVERLAY_TAKEN = 153,   /* ... whose names others' have */
	FL_POL_STUCK = 154,           /* a guest's PF does not answer */
	FL_POL_INVENTORY = 157,       /* a line of it is not understood */
	FL_POL_INVENTORY_LACKS = 158, /* it does not say what a plan needs */
	FL_POL_SIM = 159,             /* an action of a plan would fail */
	FL_POL_CPU = 160,      /* a CPU that the host has not, or is offline */
	FL_POL_SIBLINGS = 161, /* two that share a core, and may not */
	FL_POL_NODE = 164,     /* a memory node that the host has not */
	FL_POL_NODE_MEMORY = 165, /* ... or that has too little memory */
	FL_POL_SCRUB = 166,       /* steps of a scrub that do not go together */
	FL_POL_NVME = 170,        /* no NVMe controller, or one that does not
	                             tell what it has for VFs */
	FL_POL_NVME_FEW = 171,    /* ... or has not so many queues */
	FL_POL_RESET = 175, /* none of the ways to reset it that it must have */
	FL_POL_ADDRESSES = 180, /* nothing would hold a guest to them */
	FL_POL_OVS = 181,       /* what a bridge of Open vSwitch cannot be */
	FL_POL_SOCKET = 189,    /* memory nodes are not in such sockets */
	FL_POL_ROOT = 190,      /* a guest's VFs are not below one root port */
	FL_POL_PINNED = 191,    /* a CPU is one guest's own, and another's */
	FL_POL_PAGES = 192,     /* fewer huge pages than guests need at once */
};

struct pol_error {
	struct pol_pos pos;
	char file[POL_FILE_NAME]; /* of several; "" = there is but one */
	struct diag diag;
};
struct pol_errors {
	struct pol_error e[POL_ERRORS_MAX];
	size_t n;
	size_t dropped; /* beyond POL_ERRORS_MAX */
};
/* "file:line:column: FL-0102: what" and the why and mend lines; of several
 * files `file` is their folder. */
int pol_error_format(const struct pol_error *e, const char *file, char *buf,
                     size_t size);

/* ---- reading ------------------------------------------------------------- */

/* All static checks are made here. `errs` is begun anew. On -EINVAL it has at
 * least one error and *ret is untouched. -ENOMEM otherwise. */
_must_check_ int pol_parse(const char *text, size_t len,
                           struct pol_policy **ret, struct pol_errors *errs);
void pol_free(struct pol_policy *p);
/* The steps of a pool's `scrub`; left out: all. */
unsigned pol_pool_scrub(const struct pol_pool *pool);

/* given.c: all keys of a text that pol_parse() takes, in its order; a key's
 * inner keys where `say` wants them. Each item of a list of mappings is told of
 * before its keys, with "" for a key. -ENOMEM. */
struct pol_given_key {
	char path[128];    /* "guests/nics/slot" */
	char of[192];      /* "guest fw, nic wan"; "" = the policy itself */
	char key[128];     /* of that: "slot", "vlan id" */
	const char *value; /* of a scalar, else "" */
	bool null;
	const char *name;   /* of the item; "" = it has none */
	struct pol_pos pos; /* of the value */
};
_must_check_ int pol_each_given(const char *text, size_t len,
                                bool (*say)(const struct pol_given_key *k,
                                            void *arg),
                                void *arg);

/* files.c: several files as one text, which pol_parse() takes: errors then
 * name them. In ascending order of their names. -EINVAL: names that are not
 * so, or cannot be shown; -E2BIG: beyond POL_FILES_MAX, POL_TEXT_MAX. */
struct pol_file {
	const char *name, *text;
	size_t len;
};
_must_check_ int pol_files_join(const struct pol_file *file, size_t n,
                                char **ret, size_t *ret_len);
/* Is it such a text? */
bool pol_files_several(const char *text, size_t len);
const struct pol_guest *pol_guest_find(const struct pol_policy *p,
                                       const char *name);
/* The nic has another VF, with all that it would have had: also what overrides
 * say of that one. */
void pol_nic_move(struct pol_guest_nic *n, struct pol_fn to);
/* Whose VF is it, or was it before a move? NULL = no guest's. */
const struct pol_guest_nic *pol_fn_nic(const struct pol_policy *p,
                                       struct pol_fn fn,
                                       const struct pol_guest_nic *but);
/* Why it was given its VF: "balanced: ...", for people. */
int pol_why_text(const struct pol_policy *p, const struct pol_guest_nic *n,
                 char *buf, size_t size);
/* And the other VFs of its pool not: "3 given to nics before it, ..."; "" = it
 * has no other, or was not chosen: it was named, or has been moved. */
int pol_others_text(const struct pol_policy *p, const struct pol_guest_nic *n,
                    char *buf, size_t size);
/* describe.c: what pol_parse() takes, as a JSON Schema (2020-12), made from its
 * own tables. The caller frees it. -ENOMEM. */
_must_check_ int pol_schema(char **ret);
/* The MAC a guest NIC is to have: its own, its VF's of `overrides`, the pool's
 * stable or drawn one, or false when none is known. Stable: the prefix, then 24
 * bits of FNV-1a (32 bits, folded by xor of its top byte) over "guest/nic". An
 * emulated one always has a MAC: its own or the stable one of the prefix
 * 02:f1:1d. */
bool pol_guest_nic_mac(const struct pol_policy *p, const struct pol_guest *g,
                       const struct pol_guest_nic *n, uint8_t ret[static 6]);

/* A MAC of `assign: random` is drawn by who applies the policy, into the nic's
 * `drawn`. How many bytes of it, behind the first of *ret, which are stated;
 * 0 = the nic's is none such. */
unsigned pol_nic_draws(const struct pol_policy *p,
                       const struct pol_guest_nic *n, uint8_t ret[static 6]);
/* Is it another's, as far as the policy knows? */
bool pol_mac_taken(const struct pol_policy *p, const uint8_t mac[static 6],
                   const struct pol_guest_nic *but);

/* What `overrides` say of a VF, or NULL. */
const struct pol_override_vf *pol_override_find(const struct pol_policy *p,
                                                struct pol_fn fn);
/* What a guest's VF is to be, of override and network. */
void pol_guest_nic_set(const struct pol_policy *p,
                       const struct pol_guest_nic *n,
                       struct pol_attributes *ret);
/* 32 hex digits and nothing else, as machine-id(5) has them, in lower case. */
bool pol_machine_id(const char *text, char ret[static POL_MACHINE_ID]);

/* ---- cpus.c: lists of CPUs, and a guest's in a host ---------------------- */

/* "0-3,8", as the kernel writes them: *ret_n numbers below POL_HOST_CPUS, in
 * the order written, each once. -EINVAL, -E2BIG beyond `max`. */
_must_check_ int pol_cpus_parse(const char *text, uint16_t *ret, size_t max,
                                size_t *ret_n);
struct pol_host_cpus {
	bool online[POL_HOST_CPUS];
	uint16_t core[POL_HOST_CPUS]; /* the first CPU of the same core */
};
/* Can the guest's threads be where the policy puts them? -ENODEV FL_POL_CPU,
 * -EBUSY FL_POL_SIBLINGS; the latter looks at the other guests, too. */
_must_check_ int pol_cpus_check(const struct pol_policy *p,
                                const struct pol_guest *g,
                                const struct pol_host_cpus *h, struct diag *d);
/* ---- nodes.c: a guest's memory in a host's nodes ------------------------- */

struct pol_host_node {
	bool there;           /* online, with memory */
	uint64_t total, free; /* bytes; free: page cache too */
	uint64_t free_pages;  /* bytes, of the guest's size of pages */
};
/* The guest's nodes, of which `numa: N` is one, with the host's that each is to
 * be from; 0 = it has none and is bound to none. */
size_t pol_guest_nodes(const struct pol_guest *g,
                       struct pol_memory_node ret[static POL_MEMORY_NODES_MAX]);
/* Has the host what they need? `held`: the guest has its memory whole from the
 * start on. -ENODEV FL_POL_NODE, -ENOMEM FL_POL_NODE_MEMORY. */
_must_check_ int pol_nodes_check(const struct pol_guest *g, bool held,
                                 const struct pol_host_node *host,
                                 size_t n_host, struct diag *d);

/* ---- own.c: devices of a guest that its VMM itself is -------------------- */

enum pol_own_kind {
	POL_OWN_NIC,
	POL_OWN_DISK,
	POL_OWN_VSOCK,
	POL_OWN_CONSOLE,
	POL_OWN_WATCHDOG,
	POL_OWN_RNG,
};
struct pol_own {
	enum pol_own_kind kind;
	char name[POL_NAME]; /* a standby's is its nic's with ":standby"; of
	                        those without a name, what they are */
	uint8_t slot;
	const struct pol_disk *disk; /* of a disk */
	const struct pol_tap *tap;   /* of a nic, as all below */
	bool standby;
	bool tap_of_vf;          /* a tap for now, by `datapath` */
	char ifname[POL_IFNAME]; /* the host's end */
	char bridge[POL_IFNAME]; /* that it is put into; "" = none */
	bool ovs; /* which is Open vSwitch's, as a nic of the policy says */
	const struct pol_network *network; /* NULL = none named */
	const struct pol_addresses *addresses;
	struct pol_vlan vlan; /* the network's, or its VF's own */
	uint8_t mac[6];
	uint32_t mtu;
	uint32_t cid; /* of a vsock */
	const struct pol_watchdog *watchdog;
};
/* The `i`th, in the order nics, standbys, disks, vsock, console, watchdog, rng;
 * false = there are not so many. Valid as long as the policy. */
bool pol_guest_own(const struct pol_policy *p, const struct pol_guest *g,
                   size_t i, struct pol_own *ret);
/* The interface's name: the one given, else fl-GUEST-NIC where that fits and
 * can be no other's, else fl- and 48 bits of a hash of both in hex. */
void pol_tap_name(const struct pol_guest *g, const char *nic,
                  const struct pol_tap *t, char ret[static POL_IFNAME]);
/* keys-macvtap.c: "bridge" */
const char *pol_macvtap_mode_name(unsigned mode);
/* Of a nic in a bridge: its VLAN there; 0 = none. */
uint16_t pol_own_vlan(const struct pol_own *o);
/* "disk root in 03.0: /srv/root.img, read-only" */
int pol_own_text(const struct pol_own *o, char *buf, size_t size);
/* What a person would type to have the host's side of it; "" = nothing. */
int pol_own_command(const struct pol_own *o, char *buf, size_t size);

/* ---- guard.c: what may pass a tap whose network says spoof-check --------- */

bool pol_own_guarded(const struct pol_own *o);
#define POL_GUARD_CHAIN 80
#define POL_GUARD_SCRIPT 8192 /* more than the longest */
void pol_guard_chain(const char *ifname, char ret[static POL_GUARD_CHAIN]);
/* For nft(8); returns its length, as snprintf() does. */
size_t pol_guard_script(const struct pol_own *o, char *buf, size_t size);

/* ---- keys-address.c ------------------------------------------------------ */

#define POL_IP_TEXT 46
_must_check_ bool pol_ip_parse(const char *text, struct pol_ip *ret);
/* Returns buf; "" = none. */
const char *pol_ip_format(const struct pol_ip *ip,
                          char buf[static POL_IP_TEXT]);
bool pol_ip_equal(const struct pol_ip *a, const struct pol_ip *b);
/* ---- ovs.c: ports of Open vSwitch in its words --------------------------- */

#define POL_OVS_MARK "fairlead=made" /* external_ids of what netd made */
const char *pol_ovs_datapath_name(enum pol_ovs_datapath d);
/* Columns of its table Port, for `add-port`. */
struct pol_ovs_words {
	char word[3][192];
	unsigned n;
};
void pol_ovs_words(const struct pol_port *p, struct pol_ovs_words *ret);
/* Does it carry all? As a port is that nothing is said of. */
bool pol_ovs_all(const struct pol_port *p);
void pol_ovs_set_all(struct pol_port *p);
/* ---- plan-overlay.c ------------------------------------------------------ */

#define POL_OVERLAY_MARK "fairlead overlay" /* the alias of what netd made */
const struct pol_over *state_over(const struct pol_state *s,
                                  const char *bridge);

/* ---- planning ------------------------------------------------------------ */

void pol_state_free(struct pol_state *s);
/* What a whole function is known by through its VFs. */
void pol_whole_of_pf(struct pol_whole *w, const struct pol_pf *pf);

/* The one PF of `seen` that a nic means, which is all that is asked. `errs` is
 * begun anew; -EINVAL with FL_POL_NO_MATCH or FL_POL_IDENTITY. */
_must_check_ int pol_match_nic(const struct pol_policy *p,
                               const struct pol_nic *nic,
                               const struct pol_state *seen,
                               const struct pol_pf **ret,
                               struct pol_errors *errs);
/* Dynamic checks and the wanted state: the device is there (NO_MATCH), has a
 * driver and an interface (PF_DRIVER), enough VFs (TOTAL, RANGE), addresses
 * for them (ADDRESS), and can be assigned (NO_IOMMU, NO_IR, GROUP). `errs` is
 * begun anew; -EINVAL when it has errors, else 0 or -ENOMEM. */
_must_check_ int pol_resolve(const struct pol_policy *p,
                             const struct pol_state *seen,
                             struct pol_state **ret_want,
                             struct pol_errors *errs);
/* The same for a look: what can be told of the machine although a nic is not
 * there or hangs, or the machine has too little of something (rates, vectors,
 * pages). 0 with errors in `errs`: *ret_want has no word of those nics. */
_must_check_ int pol_resolve_part(const struct pol_policy *p,
                                  const struct pol_state *seen,
                                  struct pol_state **ret_want,
                                  struct pol_errors *errs);
/* The same for what one guest is to have, or only its NIC or device `device`
 * (NULL = all): what the rest of the policy names need not be there. A want so
 * made states nothing of a PF itself. */
_must_check_ int
pol_resolve_guest(const struct pol_policy *p, const struct pol_guest *g,
                  const char *device, const struct pol_state *seen,
                  struct pol_state **ret_want, struct pol_errors *errs);
/* Everything `saved` says about the PFs that it names becomes wanted. No check
 * but pol_plan's stands before it: what was so once may be so again. */
_must_check_ int pol_want_from_state(const struct pol_state *saved,
                                     struct pol_state **ret_want);

/* What is seen of a PF, and was not known of it in the older state: into that
 * (learn.c). 0 = nothing new, 1; -ENOMEM, -E2BIG (more parameters or bridges
 * than limits.h has: restore first, so that they are before it). */
_must_check_ int pol_pf_learn(struct pol_pf *have, const struct pol_pf *now);
/* To be called before: a bridge is the host's, and how it was is known where
 * any PF had it; another that comes to have it sees what the former made of
 * it. */
void pol_learn_bridges(const struct pol_state *have, struct pol_state *now);

/* Whole functions go back to drivers of the host before PFs are touched, and
 * to vfio after: a PF has neither VFs nor a link without its driver.
 * Nothing to do gives an empty plan. Refusals: -EBUSY FL_POL_IN_USE (a VF that
 * is held would go away, or change its driver, MAC or owner), -ENODEV
 * FL_POL_NO_MATCH (a PF wanted is not in `seen`), -EINVAL FL_POL_RANGE. */
_must_check_ int pol_plan(const struct pol_state *want,
                          const struct pol_state *seen, struct pol_plan **ret,
                          struct diag *d);
void pol_plan_free(struct pol_plan *p);
/* Seconds in which an apply of it is to be confirmed, 0 = it is not; as far as
 * the functions' uses in `seen` tell (risk.c). */
#define POL_CONFIRM_USUAL_S 120u
uint32_t pol_confirm_within(const struct pol_policy *p,
                            const struct pol_state *seen,
                            const struct pol_plan *plan);
/* Each nic that it changes and that has the host's default route. */
void pol_each_risk(const struct pol_policy *p, const struct pol_state *want,
                   const struct pol_state *seen, const struct pol_plan *plan,
                   void (*say)(const char *text, void *arg), void *arg);
/* Nothing can be planned of it: it hangs, or something is wanted of its switch,
 * which could not be asked. And why that is. */
bool pol_pf_stuck(const struct pol_pf *want, const struct pol_pf *seen);
const char *pol_stuck_why(const struct pol_pf *seen);
/* "set VF 1 of ens1f0 MAC 02:..:01 (vrouter/wan)" */
int pol_action_text(const struct pol_action *a, char *buf, size_t size);
/* The guests that it touches: one after the other from *at = 0, false at the
 * end. Of a PF's those that lease a VF of it or are to have one. */
bool pol_action_guest(const struct pol_action *a, size_t *at,
                      char ret[static POL_NAME]);
/* What a person would type: an ip, devlink or shell line with the same effect.
 */
int pol_action_command(const struct pol_action *a, char *buf, size_t size);

/* ---- inventories: a machine as text (inventory.c says how) --------------- */

/* `by`: who wrote it, for people. Functions come in the order of their
 * addresses. */
_must_check_ int pol_inventory_format(const struct pol_state *s, const char *by,
                                      char **ret, size_t *ret_len);
/* Errors have lines, and `errs` is begun anew: FL_POL_INVENTORY,
 * FL_POL_INVENTORY_LACKS. -EINVAL with at least one, -ENOMEM. */
_must_check_ int pol_inventory_parse(const char *text, size_t len,
                                     struct pol_state **ret,
                                     struct pol_errors *errs);
/* What is wanted and, of what stays, not known: unknown.c. */
void pol_each_unknown(const struct pol_state *want,
                      const struct pol_state *seen,
                      void (*say)(const char *text, void *arg), void *arg);
/* What netd asks of the machine only then, asked of its inventory: bridges and
 * overlays by name (inventory-ask.c). */
_must_check_ int pol_inventory_ask(const struct pol_state *want,
                                   struct pol_state *seen);
/* After it. -EINVAL with FL_POL_INVENTORY_LACKS where the plan would be
 * refused, or would leave something out, only because the inventory does not
 * say it. */
_must_check_ int pol_inventory_lacks(const struct pol_state *want,
                                     const struct pol_state *seen,
                                     struct pol_errors *errs);
/* The plan is done to `s`: sim.c. FL_POL_SIM where the kernel would refuse an
 * action; those before it are done. VFs are wanted in their order. */
_must_check_ int pol_sim(struct pol_state *s, const struct pol_plan *plan,
                         struct diag *d);
/* The machine as a policy: export.c. It is well formed, and its plan on `s` is
 * empty. */
_must_check_ int pol_export(const struct pol_state *s, char **ret,
                            size_t *ret_len);
/* Its MACs become others: anonymize.c. */
_must_check_ int pol_anonymize(struct pol_state *s);

/* ---- as JSON: machine-json.c, plan-json.c (jansson: no system call) ------ */

/* What can be put back of a machine: the journal's. */
json_t *pol_state_to_json(const struct pol_state *s);
/* -EBADMSG when it is no such document. */
_must_check_ int pol_state_from_json(const json_t *j, struct pol_state **ret);
/* The settings of a VF that are set, and only those; vf-json.c. */
json_t *pol_vf_to_json(const struct pol_vf *v);
/* -EBADMSG when it has a member that is none of them, or is not of its form. */
_must_check_ int pol_vf_from_json(const json_t *o, struct pol_vf *ret);
/* "actions" and "at-start" of netd's answers (netd-proto.h). */
json_t *pol_plan_to_json(const struct pol_plan *plan);
json_t *pol_at_start_to_json(const struct pol_policy *p);
/* "placement": each guest's nic that has a VF, which, and why that one. Where
 * `want` has it, its address, too. */
json_t *pol_placement_to_json(const struct pol_policy *p,
                              const struct pol_state *want);

#endif
