/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_POLICY_PRIV_H
#define FL_POLICY_PRIV_H

/*
 * Inside policy: text -> nodes (node.c) -> tables of keys (keys*.c) read by
 * one engine (schema.c) with the scalar readers (scalar.c).
 */

#include "policy/policy.h"

/* As if_ether.h has them: IEEE 802.1Q-2022 table 9-1. */
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88a8

/* ---- node.c: the file as a tree that kept positions and quotes ----------- */

enum node_kind {
	NODE_SCALAR,
	NODE_MAP,
	NODE_LIST,
};
struct node {
	enum node_kind kind;
	bool quoted;  /* scalar written in quotes, or as a block */
	bool in_list; /* a scalar that is a list's item: describe.c's alone */
	struct pol_pos pos;
	char *text; /* scalar; printable, no NUL inside */
	size_t len;
	struct node *key;          /* when the parent is a mapping */
	struct node *first, *next; /* children; siblings */
	size_t n;
};
#define POL_NODES_MAX 65536u

/* 0 with a tree (errors that did not hide the rest may have been added),
 * -EINVAL where the text is no YAML or breaks a limit, -ENOMEM. */
_must_check_ int node_load(const char *text, size_t len, unsigned file,
                           size_t *nodes, struct node **ret,
                           struct pol_errors *errs);
void node_free(struct node *n);
const struct node *node_get(const struct node *map, const char *key);
bool node_is_null(const struct node *n);
#define SHOWN 64
/* The scalar for a message: ASCII, cut to fit. Returns buf. */
const char *node_show(const struct node *n, char buf[static SHOWN]);

/* ---- errors.c ------------------------------------------------------------ */

/* Adds one error and returns its diag for why and mend; NULL (which diag_*
 * allow) when the table is full. */
struct diag *pol_err(struct pol_errors *errs, struct pol_pos pos, int code,
                     const char *fmt, ...) _printf_(4, 5);
/* The errno that goes with a code; every FL_POL_* has one. */
int pol_code_errno(int code);
/* In the files' order, each with its file's name. */
void pol_errors_sort(struct pol_errors *errs, const struct pol_names *files);

/* ---- files.c ------------------------------------------------------------- */

struct files {
	const char *text[POL_FILES_MAX];
	size_t len[POL_FILES_MAX], n;
};
_must_check_ int files_split(const char *text, size_t len, struct files *ret,
                             struct pol_names *names, struct pol_errors *errs);
_must_check_ int files_load(const struct files *f, const struct pol_policy *p,
                            struct node **ret, struct pol_errors *errs);
#define FILES_WHERE (POL_FILE_NAME + 24)
/* "line 5", and "of 20-b.yaml" where that is another than `from` is in. */
const char *files_where(const struct pol_policy *p, struct pol_pos of,
                        struct pol_pos from, char buf[static FILES_WHERE]);
#define WHERE(p, of, from)                                                     \
	files_where((p), (of), (from), (char[FILES_WHERE]){ "" })

/* ---- parse.c ------------------------------------------------------------- */

/* One text or several files' as a tree; of `p` the files are filled in. */
_must_check_ int policy_load(const char *text, size_t len, struct pol_policy *p,
                             struct node **ret, struct pol_errors *errs);

/* ---- schema.c: mappings read by tables ----------------------------------- */

/* Who has what, of guests' NICs that have a VF by now (place.c). */
struct given {
	uint32_t vf[POL_NICS_MAX][POL_VFS_MAX / 32];
	uint16_t n[POL_NICS_MAX];
	/* Whose they are: the guest's place and 1; 0 = nobody's. */
	size_t guest[POL_NICS_MAX];
	bool several[POL_NICS_MAX]; /* of two guests at least */
};
struct read {
	struct pol_policy *policy;
	struct pol_errors *errs;
	bool oom;
	/* VFs that an earlier pool took, one bit a VF, one row a nic */
	uint32_t (*taken)[POL_VFS_MAX / 32];
	struct given *given;
	struct shape *shape; /* describe.c: nothing is read, all is noted */
};
enum {
	KEY_REQUIRED = 1 << 0,
	KEY_NULL = 1 << 1,  /* null is an answer: the reader sees it */
	KEY_LATER = 1 << 2, /* a word we know and do not support yet */
	KEY_NEVER = 1 << 3, /* read only to say why it cannot be; not listed */
};
struct key {
	const char *name;
	unsigned flags;
	void (*read)(struct read *r, const struct key *k, const struct node *v,
	             void *obj);
	size_t at;       /* of the field in obj */
	const void *arg; /* for the reader: range, words, list, table */
};
struct table {
	const char *what; /* "nic": for messages */
	const struct key *keys;
	size_t n;
	/* Called after the keys, for what concerns several of them. */
	void (*done)(struct read *r, const struct node *map, void *obj);
};
/* Read in the table's order, whatever the file's, so that what is named is
 * known before it is used. */
void read_map(struct read *r, const struct node *map, const struct table *t,
              void *obj);

/* A list of mappings that begin with a name and a position. */
struct list {
	const struct table *item;
	size_t size;  /* of one */
	size_t count; /* where in obj the number goes */
	size_t max;
	void (*init)(void *item); /* where zeros are no good beginning */
	const char *name;         /* the key of its name; NULL = "name" */
};
struct named {
	char name[POL_NAME];
	struct pol_pos pos;
};
#define CHECK_NAMED(type)                                                      \
	_Static_assert(offsetof(struct type, name) == 0 &&                     \
	                       offsetof(struct type, pos) ==                   \
	                               offsetof(struct named, pos),            \
	               #type " begins as struct named")
void read_list(struct read *r, const struct key *k, const struct node *v,
               void *obj);
/* Else an error is added. */
bool list_fits(struct read *r, const struct key *k, const struct node *v,
               size_t max);
/* A nested mapping into the same object; arg is its table. */
void read_nested(struct read *r, const struct key *k, const struct node *v,
                 void *obj);

/* ---- scalar.c: one scalar each ------------------------------------------- */

struct range {
	uint32_t min, max;
};
struct word {
	const char *text;
	unsigned value;
	bool later;      /* known, not supported yet */
	const char *why; /* it is not */
};
#define WORDS_MAX 32 /* more than any table has, of keys too */
struct words {
	const struct word *word;
	size_t n;
};
/* Each complains and returns false when the node is not so. */
bool want_scalar(struct read *r, const struct key *k, const struct node *v);
bool want_quoted(struct read *r, const struct key *k, const struct node *v);
bool want_plain(struct read *r, const struct key *k, const struct node *v,
                const char *form);
bool scalar_u32(struct read *r, const struct key *k, const struct node *v,
                const struct range *range, uint32_t *ret);
bool scalar_word(struct read *r, const struct key *k, const struct node *v,
                 const struct words *words, unsigned *ret);
bool scalar_name(struct read *r, const struct key *k, const struct node *v,
                 char ret[static POL_NAME]);
/* FL_POL_VALUE, for a reason, or as "it must be FORM"; the mend is the
 * caller's to add. */
struct diag *refused_value(struct read *r, const struct key *k,
                           const struct node *v, const char *why);
struct diag *wrong_value(struct read *r, const struct key *k,
                         const struct node *v, const char *form);
/* The same with its mend: how such a value is written. */
void bad_value(struct read *r, const struct key *k, const struct node *v,
               const char *form, const char *example);

/* ---- describe.c: what a reader would take -------------------------------- */

enum told_kind {
	TOLD_BOOL = 1 << 0,
	TOLD_NUMBER = 1 << 1,
	TOLD_WORDS = 1 << 2,
	TOLD_TEXT = 1 << 3,
	TOLD_LOOSE = 1 << 4, /* a text that may look like a number */
};
#define TOLD_PATTERNS 4
struct told {
	unsigned kinds;
	uint64_t min, max;
	const struct words *words;
	const char *pattern[TOLD_PATTERNS];
	size_t n_patterns;
};
struct shape {
	struct told scalar, item; /* item: of a list of scalars */
	const struct table *table;
	const struct list *list;
	bool some; /* the list may not be empty */
};
/* True where nothing is read: the reader is then done. A reader that takes a
 * text apart by itself begins with told_text(), so that the schema has its
 * form: a regular expression of ECMA-262, or NULL. */
bool told_text(struct read *r, const struct node *v, enum told_kind kind,
               const char *pattern);
bool told_number(struct read *r, const struct node *v, uint64_t min,
                 uint64_t max);
bool told_words(struct read *r, const struct node *v,
                const struct words *words);

#define LIST_OF_CPUS "^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$"

/* Readers for tables: into a field of the type named. */
#define READER(name)                                                           \
	void name(struct read *r, const struct key *k, const struct node *v,   \
	          void *obj)
READER(read_name);    /* char[POL_NAME] */
READER(read_u32);     /* struct pol_u32, arg range */
READER(read_bool);    /* struct pol_bool */
READER(read_path);    /* char[POL_PATH] */
READER(read_cmdline); /* char[POL_CMDLINE] */
READER(read_mac);     /* struct pol_mac */
READER(read_match);   /* struct pol_match, arg table */
READER(read_on_fault);
READER(read_companions); /* struct pol_device, as the next two */
READER(read_rom);
READER(read_in_use);
READER(read_scrub);   /* struct pol_pool */
READER(read_altname); /* char[POL_ALTNAME] */

static inline void *field(const struct key *k, void *obj)
{
	return (char *)obj + k->at;
}

/* ---- keys*.c ------------------------------------------------------------- */

extern const struct table table_policy;
extern const struct table table_network;
extern const struct list list_overrides;
extern const struct table table_pool;
extern const struct table table_device;
extern const struct table table_guest;
extern const struct list list_guest_nics, list_guest_disks;
extern const struct table table_match_nic, table_match_device;
/* Index of the item called v->text in an array of structs that begin with a
 * name; SIZE_MAX with an error added, in which it is a `what`. */
size_t find_named(struct read *r, const struct key *k, const char *what,
                  const struct node *v, const void *array, size_t size,
                  size_t n);
/* place.c: gives the nic a VF of the pool, or that VF of it, or adds an error
 * at `v`. */
void place_nic(struct read *r, const struct node *v, struct pol_guest_nic *nic,
               size_t index);
void place_named(struct read *r, const struct node *v,
                 struct pol_guest_nic *nic, size_t index, uint16_t vf);
/* "3 held, 1 gone": how many of each, where there are any. */
int tally_text(const char *const *words, const unsigned *n, size_t n_words,
               char *buf, size_t size);
void guest_nic_init(void *item);
/* keys-function.c: "pool", or the kind of function that has it for its VFs. */
const char *pool_word(const struct pol_pool *pool);
/* The key of a list of such, of the policy and of a guest: "gpus". */
const char *kind_list(enum pol_kind kind);
/* keys-gpu.c: those that `text`, a reset_method of the kernel's, has. */
unsigned reset_bits(const char *text);
void reset_names(unsigned bits, char *buf, size_t size);
extern const struct list list_gpus;
extern const struct list list_nvmes; /* keys-nvme.c */
/* keys-device.c: is the function that `m` gives the address of another's? */
void check_address(struct read *r, enum pol_kind kind, const char *name,
                   const struct pol_match *m);
/* keys-guest.c: a device of its own in `g`, named at `use`. */
void check_guest_device(struct read *r, const struct node *use,
                        const struct pol_guest *g,
                        const struct pol_guest_device *dev);
/* keys-nic.c: what concerns a NIC and its guest. */
void check_nics(struct read *r, const struct node *map,
                const struct pol_guest *g);
/* Of a nic that must have a MAC: where it could have one from. */
void mend_mac(const struct read *r, struct diag *d,
              const struct pol_guest_nic *nic, size_t pool);
/* keys-address.c: addresses of IP; how a list of them is written. */
struct ips {
	const char *form, *many; /* an example; of those beyond `max` */
	size_t max;
};
bool scalar_ip(struct read *r, const struct key *k, const struct node *v,
               bool multicast, struct pol_ip *ret);
void read_ips(struct read *r, const struct key *k, const struct node *v,
              const struct ips *form, struct pol_ip *list, size_t *n);
READER(read_addresses); /* struct pol_addresses */
void check_addresses(struct read *r, const struct pol_guest_nic *nic);
/* guard.c: does it say spoof-check? */
bool network_guards(const struct pol_network *n);
/* keys-macvtap.c */
READER(read_macvtap_mode); /* of a struct pol_tap */
void macvtap_done(struct read *r, const struct node *map, struct pol_tap *t);
void check_macvtap(struct read *r, const struct pol_guest_nic *nic);
/* keys-datapath.c */
READER(read_datapath); /* of a struct pol_guest_nic */
void datapath_done(struct read *r, const struct node *map,
                   struct pol_guest_nic *nic);
void check_datapath(struct read *r, const struct pol_guest *g,
                    const struct pol_guest_nic *nic);
/* keys-disk.c: names that a nic or device has. */
void check_disks(struct read *r, const struct node *map,
                 const struct pol_guest *g);
READER(read_vsock);    /* struct pol_vsock */
READER(read_watchdog); /* struct pol_watchdog */
READER(read_on_panic);
READER(read_flag);   /* bool */
READER(read_ifname); /* char[POL_IFNAME] */
/* Clashes of a guest's slots, then a free one to each that named none. */
void place_slots(struct read *r, const struct node *map, struct pol_guest *g);
READER(read_never); /* arg: why, of a KEY_NEVER */
extern const char never_balloon[], never_ksm[], never_reporting[];
READER(read_slot);   /* uint8_t */
READER(read_memory); /* of a struct pol_guest */
READER(read_cpus);   /* the same */
/* cpus.c: CPUs that a guest has for itself, and another names. */
void check_pins(struct read *r);
/* keys-cpus.c: APIC ids that need a word of the guest's command line. */
void check_cmdline_cpus(struct read *r, const struct node *map,
                        const struct pol_guest *g);
void read_memory_bytes(struct read *r, const struct key *k,
                       const struct node *v, uint64_t *ret);
/* keys-nodes.c */
READER(read_host_node); /* int */
READER(read_numa);      /* of a struct pol_guest */
extern const struct list list_memory_nodes;
void check_nodes(struct read *r, const struct node *map, struct pol_guest *g);
void check_numa(struct read *r, const struct node *map,
                const struct pol_guest *g);
READER(read_smbios); /* struct pol_smbios */
void guest_init(void *item);
void host_init(struct pol_host *h);
READER(read_the_host); /* struct pol_host */

/* keys-attributes.c: "10gbit", in Mbit/s */
bool scalar_rate(struct read *r, const struct key *k, const struct node *v,
                 uint32_t *ret);
/* keys-switch.c */
READER(read_switch_mode); /* of a struct pol_nic */
READER(read_rate_groups); /* of a struct pol_nic */
READER(read_trunk);       /* of a struct pol_vlan */
READER(read_native);
READER(read_vf_group); /* of a struct pol_override_vf */
extern const struct list list_params;
void check_nic_switch(struct read *r, const struct node *map,
                      const struct pol_nic *nic);
void check_trunk(struct read *r, const struct node *map,
                 const struct pol_vlan *vlan);
/* What the policy's nics carry, or cannot. */
void check_switches(struct read *r);
/* keys-bridge.c */
READER(read_nic_bridge); /* struct pol_nic_bridge */
void check_bridges(struct read *r);
void check_ovs_vlan(struct read *r, const struct pol_nic *nic,
                    const struct pol_vlan *vlan);
/* ---- pen.c: text that grows in a buffer; n counts what it would take ---- */

struct pen {
	char *buf;
	size_t size, n;
};
void pen_put(struct pen *p, const char *fmt, ...) _printf_(2, 3);

/* ---- keys-overlay.c, plan-overlay.c -------------------------------------- */

READER(read_overlay); /* struct pol_overlay */
/* After a network's keys. */
void overlay_network_done(struct read *r, const struct node *map, void *obj);
void check_overlays(struct read *r);
struct resolve;
_must_check_ int resolve_overlays(struct resolve *r);
/* Before the PFs, whose ports are put into them; those that go after. */
_must_check_ int plan_overlays(const struct pol_state *want,
                               const struct pol_state *seen,
                               struct pol_plan *plan, struct diag *d);
_must_check_ int plan_overlays_gone(const struct pol_state *want,
                                    const struct pol_state *seen,
                                    struct pol_plan *plan, struct diag *d);
size_t overlay_text(const struct pol_over *over, char *buf, size_t size);
size_t overlay_gone_text(const struct pol_over *over, char *buf, size_t size);
size_t overlay_command(const struct pol_over *over, char *buf, size_t size);
size_t overlay_gone_command(const struct pol_over *over, char *buf,
                            size_t size);

/* ovs.c: such a bridge, made or gone. */
void ovs_bridge_text(const struct pol_overlay *o, bool gone, struct pen *pen);
void ovs_bridge_command(const struct pol_overlay *o, bool gone,
                        struct pen *pen);

/* ---- mac.c --------------------------------------------------------------- */

#define MAC_LOCAL 0x02 /* locally administered: IEEE 802-2014 8.4 */
bool mac_is_zero(const uint8_t mac[static 6]);
/* Why a function may not have it, or NULL. */
const char *mac_refused(const uint8_t mac[static 6]);
/* Two guest NICs with one MAC, given or computed. */
void check_macs(struct read *r);
/* own.c: disks, interfaces and context ids that two want. */
void check_own(struct read *r);

/* ---- match.c, state.c, resolve.c ----------------------------------------- */

/* The one PF that `nic` means, or NULL with an error added. */
const struct pol_pf *match_pf(const struct pol_nic *nic,
                              const struct pol_state *seen,
                              struct pol_errors *errs);
const struct pol_pf *state_pf(const struct pol_state *s, struct bdf b);
const struct pol_vf *state_vf(const struct pol_pf *pf, unsigned index);
const struct pol_bridge *find_bridge(const struct pol_switch *sw,
                                     const char *name);
/* Where VF `index` is or will be; the PF's own address = cannot be told.
 * -ERANGE when it would lie beyond the last bus. */
_must_check_ int vf_address(const struct pol_pf *pf, unsigned index,
                            struct bdf *ret);
const struct pol_whole *state_whole(const struct pol_state *s, struct bdf b);
bool is_held(int holder_pid, const char *holder, const char *label);

/* One PF, one whole function; whole.c, plan-whole.c */
struct resolve {
	const struct pol_policy *p;
	const struct pol_guest *only; /* NULL = all of the policy */
	const char *device;           /* of it, NULL = all of it */
	const struct pol_state *seen;
	struct pol_errors *errs;
	struct pol_state *want;   /* pf[i] for nic[i] */
	const struct pol_pf **at; /* the PF of nic[i], NULL = error */
	/* pol_resolve_part(): so many errors do not keep it from the rest. */
	bool part;
	size_t forgiven;
};
/* resolve.c */
uint32_t final_count(const struct pol_nic *nic, const struct pol_pf *pf);
bool keeps_vfs(const struct pol_nic *nic, const struct pol_pf *pf);
void need_ifname(struct resolve *r, size_t i, struct pol_pos pos,
                 const char *what);
/* resolve-pool.c */
void resolve_pools(struct resolve *r);
/* resolve-vf.c: of PFs that were found. want_add_vf() has room for the VFs of
 * pools and overrides. */
/* Of the VF that it has, or would have if it were no tap; NULL = nothing. */
const struct pol_override_vf *pol_nic_override(const struct pol_policy *p,
                                               const struct pol_guest_nic *n);
struct pol_vf *want_find_vf(const struct resolve *r, struct pol_fn fn);
struct pol_vf *want_add_vf(struct resolve *r, struct pol_fn fn);
void want_attributes(struct pol_vf *w, const struct pol_attributes *a);
void resolve_overrides(struct resolve *r);
/* `pf` NULL = not known yet. */
void check_mtu(struct pol_errors *errs, const struct pol_policy *p, size_t nic,
               const struct pol_pf *pf, const struct pol_attributes *set);
void check_mtus(struct read *r);
bool was_said(const struct pol_errors *errs, struct pol_pos pos, int code);
/* driver.c; `pos` is of whose settings they are. */
void check_cannot(struct resolve *r, struct pol_pos pos,
                  const struct pol_pf *pf, const struct pol_attributes *set);
void check_rates(struct resolve *r);
bool concerns(const struct resolve *r, const struct pol_guest *g,
              const char *name);
/* The guest NIC that has this VF, if it is to be looked at. */
const struct pol_guest_nic *resolve_user(const struct resolve *r,
                                         struct pol_fn fn);
_must_check_ int resolve_devices(struct resolve *r);
/* "KIND NAME: the host uses ...", and for what. */
void refuse_use(struct resolve *r, struct pol_pos pos, enum pol_kind kind,
                const char *name, const struct pol_whole *w, const char *mend);
/* check-reset.c: can the device be reset as it must, given with fn[1] and
 * those behind it? */
void check_reset(struct resolve *r, const struct pol_device *dev,
                 const struct pol_whole *const *fn, size_t n);
/* resolve-switch.c: what nic `i` says of its switch; then of each VF, whose
 * VLAN may be its representor's; in the end the PFs' own interfaces. */
void resolve_switch(struct resolve *r, size_t i, const struct pol_pf *pf,
                    struct pol_pf *w);
void want_port(const struct resolve *r, size_t i, struct pol_vf *w,
               const struct pol_vlan *vlan, const struct pol_network *n);
void want_group(struct pol_vf *w, const struct pol_override_vf *o);
void resolve_uplinks(struct resolve *r);
/* No guest gets a VF of a switch that cannot be asked. */
void check_unasked(struct resolve *r, const struct pol_nic *nic,
                   const struct pol_pf *pf);
/* plan-switch.c */
struct switch_order {
	const char *driver;
	bool mode_first; /* switchdev while there are no VFs */
	bool unbound;    /* else with VFs that no driver has */
	bool link_first; /* VFs come and go only while the PF is up */
};
const struct switch_order *switch_order(const char *driver);
/* action-switch.c: return buf. */
const char *action_switch_text(const struct pol_action *a, const char *pf,
                               char *buf, size_t size);
const char *action_switch_command(const struct pol_action *a, const char *pf,
                                  char *buf, size_t size);
/* msix.c */
READER(read_msix_budget);  /* of a struct pol_nic */
READER(read_msix_vectors); /* of a struct pol_guest_nic */
READER(read_vf_msix);      /* of a struct pol_override_vf */
void check_msix(struct read *r);
void want_msix(const struct resolve *r, const struct pol_guest *g,
               const struct pol_guest_nic *n, struct pol_vf *w);
void want_override_msix(struct pol_vf *w, const struct pol_override_vf *o);
/* Has each PF as many? */
void check_vectors(struct resolve *r);
/* nvme.c: queues of NVMe controllers' VFs. */
bool is_nvme(const struct pol_state *s, struct bdf b);
bool same_resources(const struct pol_resources *a,
                    const struct pol_resources *b);
/* A disk is meant: true when it is none, said then. */
bool check_nvme(struct resolve *r, enum pol_kind kind, const char *name,
                struct pol_pos pos, struct bdf b);
void want_resources(const struct resolve *r, size_t nic, struct pol_vf *w);
/* Has each controller as many? And what is left to itself. */
void check_resources(struct resolve *r);
/* Return buf. */
const char *action_nvme_text(const struct pol_action *a, const char *pf,
                             char *buf, size_t size);
const char *action_nvme_command(const struct pol_action *a, char *buf,
                                size_t size);
_must_check_ int sim_resources(struct pol_pf *pf, struct pol_vf *v,
                               const struct pol_action *a);
_must_check_ int sim_keep(struct pol_pf *pf, const struct pol_action *a);
/* sim-switch.c: what sim.c leaves to it; and a port as a new VF has it. */
int sim_switch(struct pol_pf *pf, struct pol_vf *v, const struct pol_action *a);
void sim_new_port(const struct pol_pf *pf, struct pol_vf *v);
int sim_over(struct pol_state *s, const struct pol_action *a);
/* NULL = there is none, or it is not known. */
struct pol_link *sim_link(struct pol_state *s, const char *name);
/* nodes.c: has it the huge pages for guests that all run at once? */
void check_pages(struct resolve *r);
/* host.c: is this the machine, and is there more on it than there may be? */
void check_machine(struct resolve *r);
/* sockets.c: is the host as `sockets` states? */
void check_sockets(struct resolve *r);
READER(read_sockets);
/* place.c: are all functions of a guest of `numa: pcie-root` below one? */
void check_roots(struct read *r, const struct node *v,
                 const struct pol_guest *g);
uint8_t pol_socket(const struct pol_host *h, unsigned node); /* 0 = none */
/* near.c: `node` -1 = not known. */
enum pol_near near_guest(const struct pol_policy *p, const struct pol_guest *g,
                         int node);
bool is_far(const struct pol_guest *g, enum pol_near near);
/* "FIRST, or memory from there; or ...", after FL_POL_FAR. */
void mend_far(struct diag *d, const struct pol_guest *g, const char *first);
/* A VF of a nic whose memory node the policy does not state. */
void check_near(struct resolve *r, const struct pol_guest *g,
                const struct pol_guest_nic *n);
/* A guest's `numa: socket` needs to be told of them. */
void check_reach(struct read *r, const struct node *v,
                 const struct pol_guest *g);
void check_unlisted(struct resolve *r);
/* A function, as `match` looks at it. */
struct subject {
	struct bdf bdf;
	uint32_t set; /* POL_HAS_NODE, _DSN, _PERM_MAC, _ROOT */
	uint16_t vendor, device, class_code;
	uint8_t interface;
	const char *driver;
	const struct pol_ident *id;
	const struct pol_pf *pf; /* where its interface is known; NULL */
};
bool match_fits(const struct pol_match *m, const struct subject *s);
/* "serial is ..., not ...; ..." of each key that does not fit. */
void match_differences(const struct pol_match *m, const struct subject *s,
                       char *buf, size_t size);
bool pf_has_name(const struct pol_pf *pf, const char *ifname);
/* plan-touch.c: the guests that actions of PFs touch. */
_must_check_ int plan_touch(const struct pol_state *want,
                            const struct pol_state *seen,
                            struct pol_plan *plan);
/* Actions for whole functions that go to the host (or to vfio). */
_must_check_ int plan_wholes(const struct pol_state *want,
                             const struct pol_state *seen, bool to_host,
                             struct pol_plan *plan, struct diag *d);
void copy_text(char *to, size_t size, const char *from);

#endif
