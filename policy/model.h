/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_POLICY_MODEL_H
#define FL_POLICY_MODEL_H

/*
 * A part of policy.h, and included by nobody else: the policy as it was read.
 */

#include "base/base.h"
#include "policy/limits.h"

/* ---- the policy ---------------------------------------------------------- */

/* host: which machine this is for, and how the daemon goes about it. Without it
 * in the file all of it is as host_init() has it. */
enum pol_mode {
	POL_MODE_ENFORCE,
	POL_MODE_OBSERVE, /* what drifts is told, never repaired */
};
enum pol_drift { /* what becomes of a difference */
	POL_DRIFT_REPAIR,
	POL_DRIFT_REPORT,
	POL_DRIFT_IGNORE,
};
struct pol_reconcile {
	bool on_event;
	uint32_t interval_ms;            /* 0 = no sweep */
	enum pol_drift safe, disruptive; /* the latter is never REPAIR */
};
enum pol_budget { /* what an apply may disrupt */
	POL_BUDGET_NONE,
	POL_BUDGET_NONE_IN_USE,
	POL_BUDGET_ALLOW,
};
const char *pol_budget_name(enum pol_budget b);
bool pol_budget_find(const char *name, enum pol_budget *ret);
struct pol_apply {
	struct pol_u32 confirm_ms; /* absent = netd decides; 0 = not asked */
	enum pol_budget budget;
	struct pol_u32 sysfs_ms; /* absent = netd's own deadline */
	bool parallel;           /* per-pf-parallel */
};
enum pol_metric_names {
	POL_METRICS_EXPORTER, /* sriov-network-metrics-exporter's, and ours */
	POL_METRICS_OWN,      /* fairlead_* alone */
};
struct pol_metrics {
	bool given; /* else nothing listens */
	bool v6;    /* [::1]; else v4, of 127.0.0.0/8 */
	uint8_t v4[4];
	uint16_t port;
	enum pol_metric_names names;
};
struct pol_host {
	struct pol_pos pos;              /* line 0 = the file has none */
	char hostname[POL_HOSTNAME];     /* match; "" = any */
	char machine_id[POL_MACHINE_ID]; /* in lower case; "" = any */
	struct pol_pos match_pos;
	enum pol_mode mode;
	/* sockets: which one a memory node is in, from 1; 0 = not stated */
	uint8_t socket[POL_SOCKET_NODES];
	struct pol_pos sockets_pos; /* line 0 = the file has none */
	bool deny_unlisted;         /* unlisted-devices: deny */
	struct pol_pos unlisted_pos;
	struct pol_reconcile reconcile;
	struct pol_apply apply;
	struct pol_metrics metrics;
};

struct pol_match { /* AND of what is given; must match exactly one device */
	bool by_pci, by_vendor, by_device, by_driver, by_ifname, by_class;
	bool by_subvendor, by_subdevice, by_serial, by_mac, by_node, by_root;
	bool by_interface; /* with by_class */
	struct bdf pci;
	struct bdf root; /* pcie-root: the root port that it is below */
	uint16_t vendor, device, subvendor, subdevice;
	uint16_t class_code; /* base class and subclass: 0108 */
	uint8_t interface;   /* the programming interface of it: 02 */
	uint16_t node;       /* of the host's memory: numa */
	uint8_t mac[6];      /* its interface's permanent address */
	char driver[POL_NAME];
	char ifname[POL_ALTNAME]; /* or an alternative name of it */
	char serial[POL_DEV_SERIAL];
	struct pol_pos pos;
};
enum { /* pol_group.set */
	POL_GROUP_SHARE = 1 << 0,
	POL_GROUP_MAX = 1 << 1,
	POL_GROUP_PRIORITY = 1 << 2,
	POL_GROUP_WEIGHT = 1 << 3,
	POL_GROUP_ALL = 15,
};
struct pol_group { /* VFs that share a rate, in a PF's own switch */
	char name[POL_NAME];
	struct pol_pos pos;
	uint32_t set;        /* which are stated */
	uint64_t share, max; /* bytes a second; 0 = no limit */
	uint32_t priority, weight;
};
struct pol_param { /* of devlink */
	char name[POL_NAME];
	struct pol_pos pos;
	char value[POL_PARAM_VALUE]; /* as devlink(8) prints it */
	bool init;                   /* cmode driverinit; else runtime */
};
enum pol_ovs_datapath { /* datapath-type of an Open vSwitch bridge */
	POL_OVS_ANY,    /* nothing said: the kernel's where it is made */
	POL_OVS_SYSTEM, /* the kernel's */
	POL_OVS_NETDEV, /* ovs-vswitchd's own */
};
struct pol_nic_bridge { /* of its own interface and its VFs' representors */
	char name[POL_IFNAME]; /* "" = none stated */
	bool ovs;              /* Open vSwitch's; else Linux' */
	enum pol_ovs_datapath datapath;
	struct pol_bool filtering;
	struct pol_pos pos;
};
enum pol_manage { /* whose a physical function is */
	POL_MANAGE_FULL,
	POL_MANAGE_ADOPT,     /* how many VFs there are is another's */
	POL_MANAGE_FUNCTIONS, /* so is all of it but the pools' VFs */
};
enum pol_share { /* msix-budget, where it is no number */
	POL_SHARE_NONE,
	POL_SHARE_VCPUS, /* VFs of guests: as many as vCPUs, and one */
};
/* The list of the policy that something is of. */
enum pol_kind {
	POL_KIND_NIC,
	POL_KIND_DEVICE,
	POL_KIND_GPU,
	POL_KIND_NVME,
};
const char *pol_kind_name(enum pol_kind kind);
/* What a VF has of an NVMe controller. */
struct pol_resources {
	uint16_t queues, interrupts;
	bool online; /* else no driver can start it */
};
struct pol_nic { /* a physical function that has VFs */
	char name[POL_NAME];
	struct pol_pos pos;
	enum pol_kind kind;       /* of a pol_function: no network card */
	struct pol_match match;   /* not by class */
	char ifname[POL_ALTNAME]; /* asserted of what matched; "" = nothing */
	struct pol_pos ifname_pos;
	enum pol_manage manage;
	struct pol_u32 vf_count;   /* virtual-function-count */
	struct pol_bool autoprobe; /* drivers-autoprobe */
	struct pol_bool link_up;   /* link: up | down */
	struct pol_u32 mtu;
	struct pol_pos vf_count_pos;
	struct pol_bool switchdev; /* embedded-switch-mode */
	struct pol_pos switchdev_pos;
	struct pol_param *param; /* devlink-params */
	size_t n_params;
	struct pol_group *rates; /* rate-groups */
	size_t n_rates;
	bool rates_given; /* the list is all of them */
	struct pol_nic_bridge bridge;
	enum pol_share msix_share; /* msix-budget */
	uint32_t msix_total;       /* its VFs together; 0 = no such limit */
	struct pol_pos msix_pos;
	enum pol_given res_given; /* vf-resources, of an NVMe controller: of */
	struct pol_resources res; /* each VF; null is none, and offline */
	struct pol_pos res_pos;
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
enum { /* ways to reset a function, as the kernel has them */
	POL_RESET_SPECIFIC = 1 << 0,
	POL_RESET_ACPI = 1 << 1,
	POL_RESET_FLR = 1 << 2,
	POL_RESET_AF_FLR = 1 << 3,
	POL_RESET_PM = 1 << 4,
	POL_RESET_BUS = 1 << 5,
	POL_RESET_CXL_BUS = 1 << 6,
};
enum pol_release {             /* of a disk, when its guest has ended */
	POL_RELEASE_REUSE,     /* reset, then it is free */
	POL_RELEASE_QUARANTINE /* until somebody has looked after it */
};
struct pol_device { /* a whole function, with its companions or alone */
	char name[POL_NAME];
	struct pol_pos pos;
	enum pol_kind kind;
	struct pol_match match; /* not by ifname, not by MAC */
	enum pol_companions companions;
	enum pol_rom rom;
	char rom_file[POL_PATH];
	enum pol_on_fault on_fault;
	bool take;       /* in-use: take */
	unsigned resets; /* reset: require, POL_RESET_*; 0 = nothing said */
	struct pol_pos resets_pos;
	enum pol_release release; /* of a disk */
};
enum pol_shared { /* share */
	POL_SHARED_WHOLE,
	POL_SHARED_SRIOV,
};
/* gpus, nvme: a function that is no network card. As it is read it is put among
 * the devices, or among the nics and with all its VFs among the pools, where
 * all else finds it: keys-function.c. */
struct pol_function {
	struct pol_device whole; /* its name and match, too */
	enum pol_shared share;
	struct pol_u32 vf_count;
	struct pol_pos vf_count_pos;
	size_t device;    /* of pol_policy.device; SIZE_MAX = it is cut, */
	size_t nic, pool; /* and these are its; SIZE_MAX = it is whole */
	/* vf-resources, of nvme: see pol_nic */
	enum pol_given res_given;
	struct pol_resources res;
	struct pol_pos res_pos;
};
struct pol_vlan_range {
	uint16_t first, last;
};
struct pol_vlan {
	enum pol_given given; /* DEFAULT = no VLAN */
	uint16_t id;          /* 0..4094 */
	uint8_t qos;          /* 0..7 */
	uint16_t proto;       /* ETH_P_8021Q or ETH_P_8021AD, host order */
	/* trunk: then no id; `native` of it goes untagged, 0 = none does */
	struct pol_vlan_range trunk[POL_VLAN_RANGES_MAX];
	uint8_t n_trunk;
	uint16_t native;
	struct pol_pos pos;
};
/* As IFLA_VF_LINK_STATE_*: what the VF's driver is told of the wire. */
enum pol_link_state {
	POL_LINK_AUTO, /* as the PF's link is */
	POL_LINK_ENABLE,
	POL_LINK_DISABLE,
	POL_LINK_MAX,
};
const char *pol_link_state_name(enum pol_link_state s);
struct pol_rate { /* tx-rate; what it leaves out is 0 */
	enum pol_given given;
	uint32_t min, max; /* Mbit/s; 0 = no such limit */
};
enum pol_unsupported { /* the driver does not do it: */
	POL_UNSUPPORTED_ABSENT,
	POL_UNSUPPORTED_FAIL, /* what absent means in the end */
	POL_UNSUPPORTED_WARN,
};
/* What a VF may do on the wire. */
struct pol_attributes {
	struct pol_vlan vlan;
	struct pol_bool spoof_check, trust, query_rss;
	struct pol_u32 link_state; /* enum pol_link_state */
	struct pol_rate rate;
	struct pol_u32 mtu; /* checked, and told to a standby */
	struct pol_pos mtu_pos;
	enum pol_unsupported unsupported;
};
struct pol_ip {
	uint8_t family; /* 4, 6; 0 = none */
	uint8_t b[16];  /* of IPv4 the first four */
};
#define POL_ADDRESSES_MAX 16
struct pol_addresses { /* that a guest may use */
	struct pol_ip ip[POL_ADDRESSES_MAX];
	size_t n; /* 0 = any */
	struct pol_pos pos;
};
#define POL_REMOTES_MAX 16
struct pol_overlay { /* VXLAN: a bridge, and an interface in it */
	uint32_t id; /* 0 = there is none */
	/* No tunnel: Open vSwitch's bridge of a nic; `bridge` is its name.
	 * Observed: its datapath, ANY = there is no such bridge. */
	bool ovs;
	enum pol_ovs_datapath datapath;
	struct pol_pos pos;
	char bridge[POL_IFNAME], dev[POL_IFNAME];
	char device[POL_IFNAME]; /* that it goes by; "" = as it is routed */
	struct pol_ip local, group, remote[POL_REMOTES_MAX];
	size_t n_remotes;
	uint16_t port;
	uint32_t mtu; /* 0 = what fits */
	bool learning;
	uint16_t vlan; /* of its network, untagged in the tunnel; 0 = none */
	bool dev_down, bridge_down; /* as observed; no policy says it */
};
struct pol_network {
	char name[POL_NAME];
	struct pol_pos pos;
	char bridge[POL_IFNAME]; /* of its taps; "" = as each says */
	struct pol_overlay overlay;
	struct pol_attributes set;
};
/* Of one VF, before its network; what is absent here is the network's. */
struct pol_override_vf {
	char name[POL_NAME]; /* none: lists are of things that begin so */
	struct pol_pos pos;
	uint32_t id;
	struct pol_mac mac;
	struct pol_attributes set;
	uint32_t msix;              /* msix-vectors; 0 = left out */
	enum pol_given group_given; /* rate-group; null = in none */
	char group[POL_NAME];
};
struct pol_override {
	char name[POL_NAME]; /* nic: that one's */
	struct pol_pos pos;
	size_t nic; /* SIZE_MAX = an error */
	struct pol_override_vf *vf;
	size_t n_vfs;
};
enum pol_mac_assign {
	POL_MAC_NONE,
	POL_MAC_STABLE,
	POL_MAC_RANDOM, /* drawn at the first apply, and kept: netd/macs.h */
};
enum { /* pol_pool.scrub: what is done to a VF between two tenants */
	POL_SCRUB_RESET = 1 << 0,  /* function-reset */
	POL_SCRUB_ZERO = 1 << 1,   /* zero-admin-state */
	POL_SCRUB_VERIFY = 1 << 2, /* verify */
};
#define POL_SCRUB_ALL (POL_SCRUB_RESET | POL_SCRUB_ZERO | POL_SCRUB_VERIFY)
const char *pol_scrub_name(unsigned step);
/* Which VFs of a pool are taken first: place.c. */
enum pol_placement {
	POL_PLACE_PACKED,   /* in the order written */
	POL_PLACE_BALANCED, /* of the physical function that has given least */
	POL_PLACE_ISOLATE,  /* of one that has given to no other guest */
	POL_PLACE_NAMED,    /* no pool's: the guest has named it */
};
enum pol_near {       /* is it at the guest's memory node? */
	POL_NEAR_ANY, /* nobody asks */
	POL_NEAR_SAME,
	POL_NEAR_SOCKET,  /* at another one of the same socket */
	POL_NEAR_UNKNOWN, /* the policy does not say where the card is */
	POL_NEAR_OTHER,
};
struct pol_why { /* a VF was chosen: pol_why_text() */
	enum pol_placement placement;
	enum pol_near near;
	bool root;     /* it is below the guest's root port */
	uint16_t used; /* of its physical function, by guests before */
};
struct pol_fn { /* one VF named by a pool */
	size_t nic;
	uint16_t vf;
};
struct pol_pool {
	char name[POL_NAME];
	struct pol_pos pos;
	enum pol_kind kind; /* of a pol_function: all its VFs */
	struct pol_fn *fn;  /* ascending as written */
	size_t n_fn;
	char driver[POL_NAME]; /* "vfio", "netdev" (also for null) or a
	                          driver's name; "" = leave */
	enum pol_placement placement;
	enum pol_mac_assign mac_assign;
	uint8_t mac_prefix[3];
	uint8_t mac_fixed; /* bytes of it; 1 = `random` without a prefix */
	enum pol_given scrub_given; /* null counts as given */
	unsigned scrub;             /* POL_SCRUB_*; see pol_pool_scrub() */
	bool hold;                  /* of disks' VFs: release: quarantine */
};
enum pol_backend {
	POL_BACKEND_NONE,
	POL_BACKEND_TAP,     /* the VMM serves it */
	POL_BACKEND_VHOST,   /* the kernel does: vhost-net */
	POL_BACKEND_MACVTAP, /* the VMM serves it; on `parent` */
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
	char parent[POL_IFNAME]; /* of a macvtap */
	unsigned mode;           /* the same: MACVLAN_MODE_* */
	uint8_t slot;            /* of a standby; an emulated nic has its own */
	struct pol_pos pos;
};
struct pol_guest_nic {
	char name[POL_NAME];
	struct pol_pos pos;
	size_t pool;          /* SIZE_MAX = it is emulated, and has no VF */
	size_t network;       /* SIZE_MAX = none named */
	struct pol_mac mac;   /* mac-address */
	struct pol_mac drawn; /* of a `random` one, once it is known */
	uint8_t slot; /* 1..31, device number of its root port; where the file
	                 gives none, pol_parse takes the lowest free one */
	enum pol_on_fault on_fault;
	struct pol_fn fn;   /* the VF it was given (pol_parse assigns) */
	struct pol_why why; /* that one */
	/* `fn` stands in for `home`, which the policy gives: whoever knows that
	 * (pol_nic_move) says so before the policy is resolved. */
	bool moved;
	struct pol_fn home;
	struct pol_tap own; /* emulated */
	/* NONE = passthrough. Else `pool` is SIZE_MAX, `own` is what it is,
	 * and `fn` is idle, of `idle_pool` (SIZE_MAX = it has none). */
	enum pol_backend datapath;
	size_t idle_pool;
	uint32_t msix; /* msix-vectors of its VF; 0 = nothing said */
	bool msix_per_vcpu;
	struct pol_tap standby; /* failover: beside the VF, with its MAC */
	struct pol_addresses addresses; /* of a tap that is guarded */
	uint32_t mtu; /* of what is emulated; 0 = nothing said: pol_own's is
	                 its network's then */
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
struct pol_guest_use {       /* gpus, nvme of a guest */
	char name[POL_NAME]; /* use: "gpu0", "gpu1#2"; "" = any VF */
	struct pol_pos pos;
	size_t function; /* of the policy's list; SIZE_MAX = an error */
	int vf;          /* named; -1 = any, or it is whole */
	uint8_t slot;
	size_t nic, device; /* which of the guest's it is; SIZE_MAX */
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
	bool shared;              /* those of `pin`, with other guests */
	uint32_t fifo;            /* scheduler: fifo, its priority; 0 = none */
	struct pol_u32 halt_poll; /* microseconds */
};
struct pol_memory_node {
	char name[POL_NAME]; /* none: lists are of things that begin so */
	struct pol_pos pos;
	int host;            /* the host's node that it is from; -1 = any */
	uint64_t size, cpus; /* bytes; a bit a vCPU */
};
enum pol_numa { /* where a guest's memory is from a node of the host's: */
	POL_NUMA_REQUIRED,  /* from there, or it does not start */
	POL_NUMA_PREFERRED, /* what that has not may come from another */
	POL_NUMA_NONE,      /* as if none had been named */
};
/* How far from its memory a guest's VFs may be. Those of socket and pcie-root
 * have memory as with `required`. */
enum pol_reach {
	POL_REACH_NODE,
	POL_REACH_SOCKET,
	POL_REACH_ROOT, /* ... and all of them below one root port */
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
	enum pol_reach reach;         /* numa: socket, pcie-root */
	struct pol_memory_node *node; /* in the order of addresses */
	size_t n_nodes;
	uint32_t spare;      /* hotplug-slots: empty root ports */
	uint32_t interrupts; /* interrupt-limit, a second and vector; or 0 */
	bool boot_auto;      /* boot: auto; started with the machine */
	char kernel[POL_PATH], initrd[POL_PATH];
	enum pol_unpack unpack; /* kernel-decompression */
	char cmdline[POL_CMDLINE];
	struct pol_guest_nic *nic;
	size_t n_nics;
	struct pol_guest_device *device;
	size_t n_devices;
	struct pol_guest_use *gpu;
	size_t n_gpus;
	struct pol_guest_use *nvme;
	size_t n_nvmes;
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
	struct pol_names files; /* that it was read from */
	struct pol_host host;
	struct pol_nic *nic;
	size_t n_nics;
	struct pol_device *device;
	size_t n_devices;
	struct pol_function *gpu;
	size_t n_gpus;
	struct pol_function *nvme;
	size_t n_nvmes;
	struct pol_network *network;
	size_t n_networks;
	struct pol_override *override;
	size_t n_overrides;
	struct pol_pool *pool;
	size_t n_pools;
	struct pol_guest *guest;
	size_t n_guests;
};

#endif
