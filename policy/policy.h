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
 *
 *   A guest's NICs are given their VFs here, at planning time and for good:
 *   guests in file order take VFs of the named pool in ascending order. So a
 *   plan shows everything, and a lease later only looks the answer up.
 *
 *   Order of actions on one PF, and why:
 *     autoprobe   before the VFs exist, so that no netdev is ever born
 *     numvfs      0 first where it changes from another value
 *     PF link     a VF of a PF that is down has no link
 *     VF MAC      before the driver: else the guest sees a random or zero MAC;
 *                 before spoof check: Intel checks against the MAC it has
 *     VF VLAN, spoof check, trust
 *     VF driver   last: from here on the VF may be opened
 *   One exception: where VFs are made anew, a driver is stated for each of
 *   them and autoprobe is wanted on, autoprobe is off while they are made and
 *   goes on at the very end, so that no driver reads a MAC not yet set.
 *   The other way about: where autoprobe is to be off and a VF is to have the
 *   kernel's own choice of driver, autoprobe is on for that step.
 *
 *   VFs that a change of numvfs makes anew have nothing of what was observed:
 *   all that is wanted of them is said again.
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

#define POL_TEXT_MAX (1u << 20)
#define POL_ERRORS_MAX 32
#define POL_NAME 32
#define POL_PATH 256
#define POL_CMDLINE 2048
#define POL_DEPTH_MAX 16
#define POL_NICS_MAX 64
#define POL_NETWORKS_MAX 256
#define POL_POOLS_MAX 256
#define POL_GUESTS_MAX 256
#define POL_VFS_MAX 256       /* of one PF */
#define POL_GUEST_NICS_MAX 16 /* as many functions as a machine takes */
#define POL_DEVICES_MAX 256
#define POL_GUEST_DEVICES_MAX 16
#define POL_DISKS_MAX 8    /* of a guest */
#define POL_OWN_NICS_MAX 8 /* emulated and standby ones, of a guest */
#define POL_QUEUES_MAX 8   /* pairs */
#define POL_SERIAL 21      /* virtio 1.2 5.2.6: 20 bytes */
#define POL_IFNAME 16      /* the kernel's IFNAMSIZ */
#define POL_CID_MIN 3      /* vsock(7): 0 to 2 are taken */
#define POL_SLOTS 31       /* root ports of a guest */
#define POL_SPARE_DEFAULT 1
#define POL_CPUS_MAX 64
#define POL_ID_SHIFT_MAX 12 /* of APIC ids: vmm/cpus.h */
#define POL_APIC_IDS 32768  /* as many as a message can name */
#define POL_PIN_IDS 255     /* ... and an interrupt pin */
#define POL_HOST_CPUS 1024  /* numbers that CPUs of the host may have */
#define POL_CPU_LIST_MAX 256
#define POL_FIFO_MAX 49        /* below the kernel's interrupt threads, 50 */
#define POL_HALT_POLL_MAX 1000 /* microseconds */
#define POL_MEMORY_MIN (16ull << 20)
#define POL_MEMORY_MAX (4ull << 40)
#define POL_MEMORY_STEP (2ull << 20)
#define POL_MEMORY_NODES_MAX 8 /* memory nodes of a guest */
#define POL_HOST_NODES 1024    /* numbers that nodes of the host may have */
#define POL_SMBIOS_TEXT 128

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
	FL_POL_CPU = 160,      /* a CPU that the host has not, or is offline */
	FL_POL_SIBLINGS = 161, /* two that share a core, and may not */
	FL_POL_NODE = 164,     /* a memory node that the host has not */
	FL_POL_NODE_MEMORY = 165, /* ... or that has too little memory */
};

struct pol_pos {
	unsigned line, column; /* from 1; 0 = none */
};
struct pol_error {
	struct pol_pos pos;
	struct diag diag;
};
struct pol_errors {
	struct pol_error e[POL_ERRORS_MAX];
	size_t n;
	size_t dropped; /* beyond POL_ERRORS_MAX */
};
/* "file:line:column: FL-0102: what" and the why and mend lines. */
int pol_error_format(const struct pol_error *e, const char *file, char *buf,
                     size_t size);

/* ---- the policy ---------------------------------------------------------- */

enum pol_given {
	POL_ABSENT,
	POL_DEFAULT /* null */,
	POL_GIVEN
};
struct pol_bool {
	enum pol_given given;
	bool v;
};
struct pol_u32 {
	enum pol_given given;
	uint32_t v;
};
struct pol_mac {
	enum pol_given given;
	uint8_t v[6];
};

struct pol_match { /* AND of what is given; must match exactly one device */
	bool by_pci, by_vendor, by_device, by_driver, by_ifname, by_class;
	struct bdf pci;
	uint16_t vendor, device;
	uint16_t class_code; /* base class and subclass: 0108 */
	char driver[POL_NAME], ifname[POL_NAME];
	struct pol_pos pos;
};
struct pol_nic { /* a physical function that has VFs */
	char name[POL_NAME];
	struct pol_pos pos;
	struct pol_match match;    /* not by class */
	struct pol_u32 vf_count;   /* virtual-function-count */
	struct pol_bool autoprobe; /* drivers-autoprobe */
	struct pol_bool link_up;   /* link: up | down */
	struct pol_pos vf_count_pos;
};
enum pol_companions {
	POL_ALONE, /* refused where its IOMMU group has others */
	POL_TOGETHER
};
enum pol_rom {
	POL_ROM_DEVICE,
	POL_ROM_NONE,
	POL_ROM_FILE
};
enum pol_on_fault { /* on-dma-fault */
	POL_FAULT_GO_ON,
	POL_FAULT_RESET,
	POL_FAULT_STOP
};
const char *pol_on_fault_name(enum pol_on_fault f);
struct pol_device { /* a whole function, with its companions or alone */
	char name[POL_NAME];
	struct pol_pos pos;
	struct pol_match match; /* not by ifname */
	enum pol_companions companions;
	enum pol_rom rom;
	char rom_file[POL_PATH];
	enum pol_on_fault on_fault;
	bool take; /* in-use: take */
};
struct pol_vlan {
	enum pol_given given; /* DEFAULT = no VLAN */
	uint16_t id;          /* 0..4094 */
	uint8_t qos;          /* 0..7 */
	uint16_t proto;       /* ETH_P_8021Q or ETH_P_8021AD, host order */
};
struct pol_network {
	char name[POL_NAME];
	struct pol_pos pos;
	struct pol_vlan vlan;
	struct pol_bool spoof_check, trust;
};
enum pol_mac_assign {
	POL_MAC_NONE,
	POL_MAC_STABLE
};
struct pol_fn { /* one VF named by a pool */
	size_t nic;
	uint16_t vf;
};
struct pol_pool {
	char name[POL_NAME];
	struct pol_pos pos;
	struct pol_fn *fn; /* ascending as written */
	size_t n_fn;
	char driver[POL_NAME]; /* "vfio", "netdev" (also for null) or a
	                          driver's name; "" = leave */
	enum pol_mac_assign mac_assign;
	uint8_t mac_prefix[3];
};
enum pol_backend {
	POL_BACKEND_NONE,
	POL_BACKEND_TAP,   /* the VMM serves it */
	POL_BACKEND_VHOST, /* the kernel does: vhost-net */
};
enum pol_nic_model {
	POL_NIC_VIRTIO,
	POL_NIC_E1000, /* 82540EM */
};
const char *pol_nic_model_name(enum pol_nic_model m);
struct pol_tap { /* a NIC that the VMM itself is, and its host end */
	enum pol_backend backend; /* NONE = there is no such NIC */
	enum pol_nic_model model;
	uint32_t queues;         /* pairs, 1 and up */
	char bridge[POL_IFNAME]; /* "" = none */
	char tap[POL_IFNAME];    /* "" = pol_tap_name() makes one up */
	uint8_t slot;            /* of a standby; an emulated nic has its own */
	struct pol_pos pos;
};
struct pol_guest_nic {
	char name[POL_NAME];
	struct pol_pos pos;
	size_t pool;        /* SIZE_MAX = it is emulated, and has no VF */
	size_t network;     /* SIZE_MAX = none named */
	struct pol_mac mac; /* mac-address */
	uint8_t slot; /* 1..31, device number of its root port; where the file
	                 gives none, pol_parse takes the lowest free one */
	enum pol_on_fault on_fault;
	struct pol_fn fn;       /* the VF it was given (pol_parse assigns) */
	struct pol_tap own;     /* emulated */
	struct pol_tap standby; /* failover: beside the VF, with its MAC */
	uint32_t mtu;           /* of what is emulated; 0 = nothing said */
};
struct pol_disk { /* raw: a file or a block device */
	char name[POL_NAME];
	struct pol_pos pos;
	char path[POL_PATH];
	char serial[POL_SERIAL]; /* "" = its name, cut */
	bool read_only;
	bool direct; /* past the host's page cache */
	uint8_t slot;
};
struct pol_vsock {
	uint32_t cid; /* 0 = none */
	uint8_t slot;
	struct pol_pos pos;
};
struct pol_guest_device {
	char name[POL_NAME]; /* use: the device's */
	struct pol_pos pos;
	size_t device;
	uint8_t slot; /* as a nic's; all functions are in it */
};
/* What the guest's word that it has crashed does. */
enum pol_on_panic {
	POL_PANIC_IGNORE,
	POL_PANIC_STOP,
	POL_PANIC_RESET,
};
const char *pol_on_panic_name(enum pol_on_panic p);
/* And the end of its watchdog's time. */
enum pol_watchdog_action {
	POL_WATCHDOG_NONE, /* the guest has no watchdog */
	POL_WATCHDOG_RESET,
	POL_WATCHDOG_STOP,
	POL_WATCHDOG_DUMP,
	POL_WATCHDOG_IGNORE, /* told, no more */
};
const char *pol_watchdog_name(enum pol_watchdog_action a);
struct pol_watchdog {
	struct pol_pos pos;
	enum pol_watchdog_action action;
	uint8_t slot;
};
struct pol_cpu_list {
	uint16_t cpu[POL_CPU_LIST_MAX]; /* of the host, as written, each once */
	uint32_t n;                     /* 0 = left out */
	struct pol_pos pos;
};
struct pol_cpus {                         /* of a guest, beside their number */
	uint32_t sockets, cores, threads; /* all 0 = nothing said; else what
	                                     the number needs */
	uint32_t id_shift;       /* apic-id-shift; 0 = what the ids need */
	struct pol_cpu_list pin; /* one a vCPU where there are as many; else
	                            all of them for all */
	struct pol_cpu_list emulator;
	bool apart;               /* siblings: avoid */
	uint32_t fifo;            /* scheduler: fifo, its priority; 0 = none */
	struct pol_u32 halt_poll; /* microseconds */
};
struct pol_memory_node {
	char name[POL_NAME]; /* it has none: lists are of things that begin so
	                      */
	struct pol_pos pos;
	uint64_t size, cpus; /* bytes; a bit a vCPU */
	int host;            /* the host's node that it is from; -1 = any */
};
enum pol_numa { /* where a guest's memory is from a node of the host's: */
	POL_NUMA_REQUIRED,  /* from there, or it does not start */
	POL_NUMA_PREFERRED, /* what that has not may come from another */
	POL_NUMA_NONE,      /* as if none had been named */
};
struct pol_smbios { /* "" = fairlead's own, or the guest's name */
	char manufacturer[POL_SMBIOS_TEXT], product[POL_SMBIOS_TEXT];
	char version[POL_SMBIOS_TEXT], serial[POL_SMBIOS_TEXT];
	uint8_t uuid[16]; /* as it is written */
	bool has_uuid;
};
/* Who decompresses a guest's kernel. */
enum pol_unpack {
	POL_UNPACK_ANY, /* left out: the host, once it has it; else the guest */
	POL_UNPACK_HOST, /* or the guest does not start */
	POL_UNPACK_GUEST,
};
struct pol_guest {
	char name[POL_NAME];
	struct pol_pos pos;
	uint32_t cpus;
	struct pol_cpus cpu;
	uint64_t memory; /* bytes */
	uint64_t page;   /* bytes; 0 = transparent huge pages */
	bool prefault;   /* always, not only with devices */
	bool lock;       /* never swapped, whoever pins it or not */
	int host_node;   /* all of it from there; -1 = any */
	enum pol_numa numa;
	struct pol_memory_node *node; /* in the order of addresses */
	size_t n_nodes;
	uint32_t spare;      /* hotplug-slots: empty root ports */
	uint32_t interrupts; /* interrupt-limit: a second and vector; 0 = none
	                      */
	char kernel[POL_PATH], initrd[POL_PATH];
	enum pol_unpack unpack; /* kernel-decompression */
	char cmdline[POL_CMDLINE];
	struct pol_guest_nic *nic;
	size_t n_nics;
	struct pol_guest_device *device;
	size_t n_devices;
	struct pol_disk *disk;
	size_t n_disks;
	struct pol_vsock vsock;
	struct pol_watchdog watchdog;
	enum pol_on_panic on_panic;
	struct pol_smbios smbios;
	struct pol_bool rng;            /* left out: where a slot is left */
	bool virtio_console;            /* beside the serial port */
	uint8_t rng_slot, console_slot; /* 0 = none */
};
struct pol_policy {
	uint32_t version;
	struct pol_nic *nic;
	size_t n_nics;
	struct pol_device *device;
	size_t n_devices;
	struct pol_network *network;
	size_t n_networks;
	struct pol_pool *pool;
	size_t n_pools;
	struct pol_guest *guest;
	size_t n_guests;
};

/* All static checks are made here. `errs` is begun anew. On -EINVAL it has at
 * least one error and *ret is untouched. -ENOMEM otherwise. */
_must_check_ int pol_parse(const char *text, size_t len,
                           struct pol_policy **ret, struct pol_errors *errs);
void pol_free(struct pol_policy *p);
const struct pol_guest *pol_guest_find(const struct pol_policy *p,
                                       const char *name);
/* The MAC a guest NIC is to have: its own, or the pool's stable one, or false
 * when neither says. Stable: the prefix, then 24 bits of FNV-1a (32 bits,
 * folded by xor of its top byte) over "guest/nic". An emulated one always has
 * a MAC: its own or the stable one of the prefix 02:f1:1d. */
bool pol_guest_nic_mac(const struct pol_policy *p, const struct pol_guest *g,
                       const struct pol_guest_nic *n, uint8_t ret[static 6]);

/* ---- cpus.c: lists of CPUs, and a guest's in a host ------------------------
 */

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
/* ---- nodes.c: a guest's memory in a host's nodes ---------------------------
 */

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

/* ---- own.c: devices of a guest that its VMM itself is ---------------------
 */

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
	char ifname[POL_IFNAME]; /* the host's end */
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
/* "disk root in 03.0: /srv/root.img, read-only" */
int pol_own_text(const struct pol_own *o, char *buf, size_t size);
/* What a person would type to have the host's side of it; "" = nothing. */
int pol_own_command(const struct pol_own *o, char *buf, size_t size);

/* ---- the machine, as seen or as wanted ----------------------------------- */

enum { /* pol_vf.set, pol_pf.set: which fields are stated */
	POL_HAS_AUTOPROBE = 1 << 0,
	POL_HAS_NUMVFS = 1 << 1,
	POL_HAS_LINK = 1 << 2,
	POL_HAS_MAC = 1 << 3,
	POL_HAS_VLAN = 1 << 4,
	POL_HAS_SPOOF = 1 << 5,
	POL_HAS_TRUST = 1 << 6,
	POL_HAS_DRIVER = 1 << 7,
	POL_HAS_OVERRIDE = 1 << 8,
};
struct pol_vf {
	uint32_t set;
	uint16_t index;
	struct bdf bdf;
	uint8_t mac[6];
	uint16_t vlan, proto;
	uint8_t qos;
	bool spoof, trust;
	/* Bound driver and driver_override, "" = none. A wanted driver of
	 * POL_DRIVER_DEFAULT is whatever the kernel binds by itself. */
	char driver[POL_NAME], override[POL_NAME];
	/* observed only */
	int group;        /* -1 = none */
	char blocker[96]; /* group member bound to a host driver, "" = none */
	int holder_pid;   /* 0 = nobody has it open through VFIO */
	char holder[POL_NAME]; /* that process, or the guest that leases it */
	/* "guest/nic". Wanted: whom it is for, "" = spare. Observed: who
	 * leases it, "" = nobody known. While it is held its attributes change
	 * only where the same one is known to have it and is to have it. */
	char label[2 * POL_NAME];
};
#define POL_DRIVER_DEFAULT "netdev"
/* vfio-pci or a variant of it ("mlx5_vfio_pci"). */
bool pol_driver_is_vfio(const char *driver);
struct pol_pf {
	uint32_t set;
	struct bdf bdf;
	char name[POL_NAME]; /* the policy's name for it, "" = none */
	uint32_t num_vfs;
	bool autoprobe, link_up;
	struct pol_vf *vf; /* observed: num_vfs of them; wanted: those stated */
	size_t n_vfs;
	/* observed only */
	uint16_t vendor, device;
	uint32_t total_vfs;
	uint16_t vf_offset, vf_stride; /* PCIe 6.0 9.3.3.9, 9.3.3.10: foretell
	                                  VF addresses; both 0 = not known */
	char driver[POL_NAME], ifname[POL_NAME];
	/* Who will block the VFs' IOMMU group once they are there, as far as
	 * that can be foretold: "" = nobody */
	char blocker[96];
	/* wanted only */
	struct pol_pos pos;
};
#define POL_USES 4
/* A whole function. Observed: every one that is no bridge. Wanted: those that
 * `devices` name, with their companions. */
struct pol_whole {
	uint32_t set; /* POL_HAS_DRIVER, POL_HAS_OVERRIDE */
	struct bdf bdf;
	char driver[POL_NAME], override[POL_NAME]; /* "" = none */
	/* "guest/device"; of a companion "guest/device:F", F its function in
	 * the guest's slot. Otherwise as a VF's. */
	char label[2 * POL_NAME];
	/* observed only */
	uint16_t vendor, device, class_code;
	bool virtual_fn;
	bool bridge; /* of a kind that is never assigned */
	int group;
	int holder_pid;
	char holder[POL_NAME];
	uint32_t num_vfs;
	char vf_user[96]; /* which of its VFs is open, and by whom */
	/* What the host does with it: "nvme0n1p1 is mounted at /". */
	char use[POL_USES][96];
	size_t n_uses;
	/* wanted only */
	size_t owner;     /* of pol_policy.device */
	uint8_t function; /* in the guest's slot */
};
struct pol_state {
	struct pol_pf *pf;
	size_t n_pfs;
	struct pol_whole *whole;
	size_t n_wholes;
	bool iommu, remapping; /* observed: host can assign */
};
void pol_state_free(struct pol_state *s);

/* Dynamic checks and the wanted state: the device is there (NO_MATCH), has a
 * driver and an interface (PF_DRIVER), enough VFs (TOTAL, RANGE), addresses
 * for them (ADDRESS), and can be assigned (NO_IOMMU, NO_IR, GROUP). `errs` is
 * begun anew; -EINVAL when it has errors, else 0 or -ENOMEM. */
_must_check_ int pol_resolve(const struct pol_policy *p,
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

/* ---- the plan ------------------------------------------------------------ */

enum pol_op {
	POL_OP_AUTOPROBE,
	POL_OP_NUMVFS,
	POL_OP_PF_LINK,
	POL_OP_VF_MAC,
	POL_OP_VF_VLAN,
	POL_OP_VF_SPOOF,
	POL_OP_VF_TRUST,
	POL_OP_VF_DRIVER,
	POL_OP_DEV_DRIVER, /* of a whole function: pf is its address */
	POL_OP_MAX,
};
const char *pol_op_name(enum pol_op op);
enum pol_disruption {
	POL_DIS_NONE,
	POL_DIS_LINK,    /* link bounces */
	POL_DIS_VF_LOST, /* VFs go away */
	POL_DIS_HOST,    /* host network at risk */
};
const char *pol_disruption_name(enum pol_disruption d);
struct pol_action {
	enum pol_op op;
	enum pol_disruption disruption;
	struct bdf pf;
	char ifname[POL_NAME]; /* of the PF, as observed */
	int vf;                /* index, -1 = the PF itself */
	struct bdf vf_bdf;     /* as observed or foretold (the capability may
	                          say otherwise once numvfs has changed: read it
	                          back); the PF's own = not known */
	uint32_t number; /* AUTOPROBE, NUMVFS, PF_LINK, SPOOF, TRUST: new value
	                  */
	uint32_t number_from; /* value before */
	uint8_t mac[6];
	uint16_t vlan, proto;
	uint8_t qos;
	/* VF_DRIVER, DEV_DRIVER: both to be so in the end; driver may be
	 * POL_DRIVER_DEFAULT. driver_from: bound before, "?" = not known. */
	char driver[POL_NAME], override[POL_NAME], driver_from[POL_NAME];
	char label[2 * POL_NAME];
};
struct pol_plan {
	struct pol_action *action;
	size_t n;
};
/* Whole functions go back to drivers of the host before PFs are touched, and
 * to vfio after: a PF has neither VFs nor a link without its driver.
 * Nothing to do gives an empty plan. Refusals: -EBUSY FL_POL_IN_USE (a VF that
 * is held would go away, or change its driver, MAC or owner), -ENODEV
 * FL_POL_NO_MATCH (a PF wanted is not in `seen`), -EINVAL FL_POL_RANGE. */
_must_check_ int pol_plan(const struct pol_state *want,
                          const struct pol_state *seen, struct pol_plan **ret,
                          struct diag *d);
void pol_plan_free(struct pol_plan *p);
/* "set VF 1 of ens1f0 MAC 02:..:01 (vrouter/wan)" */
int pol_action_text(const struct pol_action *a, char *buf, size_t size);
/* What a person would type: an ip, devlink or shell line with the same effect.
 */
int pol_action_command(const struct pol_action *a, char *buf, size_t size);

#endif
