/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_POLICY_MACHINE_H
#define FL_POLICY_MACHINE_H

/*
 * A part of policy.h, and included by nobody else: the machine as it is seen or
 * wanted, and what a plan does to it.
 */

#include "policy/model.h"

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
	POL_HAS_RATE = 1 << 9,
	POL_HAS_RSS = 1 << 10,
	POL_HAS_LINK_STATE = 1 << 11,
	POL_HAS_MTU = 1 << 12,
	POL_HAS_MSIX = 1 << 13,  /* of a VF */
	POL_HAS_RESET = 1 << 14, /* of a whole function; observed only */
	POL_HAS_ROOT = 1 << 15,  /* struct pol_ident */
	/* Of an NVMe controller: queues and interrupts of a VF; of a PF, what
	 * it keeps of those that it could give away. */
	POL_HAS_RESOURCES = 1 << 16,
	/* Those of a VF that its driver may lack. */
	POL_HAS_KNOBS = POL_HAS_MAC | POL_HAS_VLAN | POL_HAS_SPOOF |
	                POL_HAS_TRUST | POL_HAS_RATE | POL_HAS_RSS |
	                POL_HAS_LINK_STATE,
	/* The switch in the function. Of a PF: */
	POL_HAS_ESWITCH = 1 << 20,
	POL_HAS_PARAMS = 1 << 21,
	POL_HAS_GROUPS = 1 << 22,
	POL_HAS_BRIDGE = 1 << 23,
	POL_HAS_GROUP = 1 << 24, /* of a VF */
	/* Of both, the interface at the switch: its bridge, its VLANs there. */
	POL_HAS_PORT = 1 << 25,
	POL_HAS_PORT_VLAN = 1 << 26,
	POL_HAS_SWITCH = POL_HAS_ESWITCH | POL_HAS_PARAMS | POL_HAS_GROUPS |
	                 POL_HAS_BRIDGE | POL_HAS_GROUP | POL_HAS_PORT |
	                 POL_HAS_PORT_VLAN,
	/* struct pol_ident; observed only */
	POL_HAS_NODE = 1 << 28,
	POL_HAS_DSN = 1 << 29,
	POL_HAS_PERM_MAC = 1 << 30,
	POL_HAS_IDENT =
		POL_HAS_NODE | POL_HAS_DSN | POL_HAS_PERM_MAC | POL_HAS_ROOT,
};
/* An interface of the host at the switch: the PF's own, or a VF's
 * representor. */
struct pol_port {
	char bridge[POL_IFNAME]; /* "" = in none */
	bool ovs;                /* that is Open vSwitch's: ovs.c on VLANs */
	uint16_t pvid;           /* untagged; 0 = such frames are dropped */
	struct pol_vlan_range tagged[POL_VLAN_RANGES_MAX];
	uint8_t n_tagged;
	bool up;
	/* observed only */
	bool strange; /* VLANs that cannot be said in the words above */
	char ifname[POL_IFNAME];
};
struct pol_param_value { /* of devlink */
	char name[POL_NAME], value[POL_PARAM_VALUE];
	bool init; /* cmode driverinit: has effect after a reload */
};
struct pol_bridge { /* of Linux */
	char name[POL_IFNAME];
	bool there; /* wanted: it must be */
	bool given; /* wanted: so is its filtering */
	bool filtering;
};
/* What devlink tells of a PF, and the bridge it is put into. */
struct pol_switch {
	bool instance;  /* observed: it has one */
	bool switchdev; /* else legacy */
	/* Observed: of those that are wanted, the ones that it has. */
	struct pol_param_value param[POL_PARAMS_MAX];
	uint8_t n_params;
	/* Recorded, and more than these: all that can be wanted. The state's.
	 */
	struct pol_param_value *all;
	size_t n_all;
	struct pol_group group[POL_GROUPS_MAX];
	uint8_t n_groups;
	/* Wanted, and of these names seen. One policy has one; what was before
	 * them all, each that any of them had. */
	struct pol_bridge bridge[POL_BRIDGES_MAX];
	uint8_t n_bridges;
	struct pol_port port; /* the PF's own interface */
};
struct pol_flexible {   /* queues, or interrupts, of an NVMe controller */
	uint16_t own;   /* the controller itself keeps so many */
	uint32_t total; /* observed, as all below: its own, its VFs', free */
	uint16_t most;  /* a VF may have so many */
	uint16_t step;  /* by so many at a time; 0 = any */
};
#define POL_NVME_NAME 16
struct pol_nvme { /* a controller; without POL_HAS_RESOURCES not known */
	struct pol_flexible queues, interrupts;
	/* observed only */
	char name[POL_NVME_NAME]; /* "nvme0" */
	uint16_t first_id;        /* of VF 0, the others follow; 0 = not so */
};
struct pol_vf {
	uint32_t set;
	uint16_t index;
	struct bdf bdf;
	uint8_t mac[6];
	uint8_t mac_draws; /* wanted: its last bytes are yet to be drawn */
	uint16_t vlan, proto;
	uint8_t qos;
	bool spoof, trust, rss;
	uint32_t rate_min, rate_max; /* Mbit/s; 0 = no such limit */
	enum pol_link_state link_state;
	/* Bound driver and driver_override, "" = none. A wanted driver of
	 * POL_DRIVER_DEFAULT is whatever the kernel binds by itself. */
	char driver[POL_NAME], override[POL_NAME];
	char rate_group[POL_NAME]; /* "" = in none */
	uint16_t msix;             /* vectors */
	struct pol_resources res;
	struct pol_port port; /* its representor */
	/* observed only */
	int group;        /* -1 = none */
	char blocker[96]; /* group member bound to a host driver, "" = none */
	int holder_pid;   /* 0 = nobody has it open through VFIO */
	char holder[POL_NAME]; /* that process, or the guest that leases it */
	/* "guest/nic". Wanted: whom it is for, "" = spare. Observed: who
	 * leases it, "" = nobody known. While it is held its attributes change
	 * only where the same one is known to have it and is to have it. */
	char label[2 * POL_NAME];
	bool warn; /* wanted: what the driver does not do is left out */
	/* Observed: POL_HAS_* of what it has refused to do, as it is wanted
	 * now. */
	uint32_t refused;
};
#define POL_DRIVER_DEFAULT "netdev"
#define POL_DRIVER_VFIO "vfio" /* of a policy: pol_driver_vfio() */
/* vfio-pci or a variant of it ("mlx5_vfio_pci"). */
bool pol_driver_is_vfio(const char *driver);
struct pol_pf;
/* Which of them it is that VFs of `pf` get. */
const char *pol_driver_vfio(const struct pol_pf *pf);
/* What tells one card from another of its kind. Observed only. */
struct pol_ident {
	uint16_t subvendor, subdevice;
	uint16_t node;            /* of the host's memory */
	char dsn[24];             /* PCIe 6.0 7.9.3, as lspci: "00-1b-21-.." */
	char vpd[POL_DEV_SERIAL]; /* the SN of its VPD, "" = not known */
	uint8_t mac[6];           /* the interface's permanent address */
	struct bdf root;          /* the PCIe root port that it is below */
};
#define POL_ALTNAMES 4
struct pol_pf {
	uint32_t set;
	struct bdf bdf;
	char name[POL_NAME]; /* the policy's name for it, "" = none */
	uint32_t num_vfs;
	bool autoprobe, link_up;
	uint32_t mtu;
	struct pol_vf *vf; /* observed: num_vfs of them; wanted: those stated */
	size_t n_vfs;
	struct pol_switch sw;
	struct pol_nvme nvme;
	/* observed only */
	bool stuck;   /* it does not answer: nothing of its VFs is known, and
	               * nothing of it can be changed */
	bool unasked; /* devlink hangs: nothing is known of its switch */
	uint16_t vendor, device;
	uint32_t total_vfs;
	uint32_t msix_total; /* vectors for all VFs; 0 = shares out none */
	uint32_t speed;      /* of its link, Mbit/s; 0 = not known */
	uint16_t vf_offset, vf_stride; /* PCIe 6.0 9.3.3.9, 9.3.3.10: foretell
	                                  VF addresses; both 0 = not known */
	char driver[POL_NAME], ifname[POL_NAME];
	char variant[POL_NAME]; /* `driver: vfio` of its VFs; "" = vfio-pci */
	char altname[POL_ALTNAMES][POL_ALTNAME]; /* "" from the end on */
	struct pol_ident id;
	/* Who will block the VFs' IOMMU group once they are there, as far as
	 * that can be foretold: "" = nobody */
	char blocker[96];
	/* wanted only */
	struct pol_pos pos;
	enum pol_manage manage; /* what of it is not ours, and not put back */
};
#define POL_USES 4
#define POL_RESET_TEXT 80 /* all of the kernel's words, and to spare */
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
	uint8_t interface;   /* with which it is programmed */
	struct pol_ident id; /* without MAC */
	bool virtual_fn;
	bool bridge; /* of a kind that is never assigned */
	/* How the kernel can reset it alone: "flr bus"; and is its bus below a
	 * port, by which all on it can be reset at once? */
	char reset[POL_RESET_TEXT];
	bool below_port;
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
enum { /* sizes of huge pages */
	POL_PAGE_2M,
	POL_PAGE_1G,
	POL_PAGE_SIZES,
};
uint64_t pol_page_size(unsigned i); /* in bytes */
struct pol_pages {                  /* that a memory node has, free or not */
	uint32_t n[POL_PAGE_SIZES];
};
/* Which machine it is; observed only. */
struct pol_machine {
	char hostname[POL_HOSTNAME]; /* "" = cannot be told */
	char id[POL_MACHINE_ID];     /* /etc/machine-id; the same */
	/* Which socket a memory node is in, from 1; 0 = not known. */
	uint8_t socket[POL_SOCKET_NODES];
	struct pol_pages *pages; /* of each memory node */
	size_t n_pages;          /* 0 = not known */
};
enum pol_master { /* whose port an interface is */
	POL_MASTER_NONE,
	POL_MASTER_LINUX,
	POL_MASTER_OVS,
};
/* A bridge that netd makes, by its name: an overlay's, or Open vSwitch's.
 * Observed: those that are asked for. */
struct pol_over {
	bool there;
	bool bare; /* the bridge alone: no tunnel of ours is in it */
	struct pol_overlay o;
	/* observed only */
	char outer[POL_IFNAME];   /* what it goes over, and that one's MTU */
	uint32_t outer_mtu;       /* 0 = there is none */
	char foreign[POL_IFNAME]; /* is there, and others' */
	/* One that is in the bridge beside it, and no PF's port. */
	char ports[POL_IFNAME];
	/* In an action: our tunnel of another id that goes from the bridge. */
	char left[POL_IFNAME];
};
/* An interface of the host: what bridges and overlays that a policy will name
 * are looked up in. Of a recorded machine only. */
struct pol_link {
	char name[POL_IFNAME];
	uint32_t mtu;
	bool bridge, filtering; /* it is one of Linux, which filters VLANs */
	bool made;              /* it bears netd's mark */
	struct pol_ip *address; /* whom a tunnel can go from */
	size_t n_addresses;
};
struct pol_state {
	struct pol_machine machine;
	struct pol_pf *pf;
	size_t n_pfs;
	struct pol_whole *whole;
	size_t n_wholes;
	struct pol_over *over;
	size_t n_overs;
	/* Recorded: all there are, 0 = not known; and `over` has all bridges of
	 * Open vSwitch, and all overlays that are netd's. */
	struct pol_link *link;
	size_t n_links;
	bool ovs;              /* it could be asked */
	bool iommu, remapping; /* observed: host can assign */
};

/* ---- the plan ------------------------------------------------------------ */

enum pol_op {
	POL_OP_AUTOPROBE,
	POL_OP_PF_MTU,
	POL_OP_NUMVFS,
	POL_OP_PARAM,
	POL_OP_ESWITCH,
	POL_OP_PF_LINK,
	POL_OP_VF_MAC,
	POL_OP_VF_VLAN,
	POL_OP_VF_RATE,
	POL_OP_VF_SPOOF,
	POL_OP_VF_TRUST,
	POL_OP_VF_RSS,
	POL_OP_VF_LINK,
	POL_OP_GROUP, /* a rate group: made or set */
	POL_OP_VF_GROUP,
	POL_OP_GROUP_DEL,
	POL_OP_BRIDGE,    /* its VLAN filtering */
	POL_OP_PORT,      /* the PF's own interface, or a VF's representor */
	POL_OP_VF_MSIX,   /* while no driver has it */
	POL_OP_NVME_KEEP, /* what a controller itself keeps; there are no VFs */
	POL_OP_VF_RESOURCES,
	POL_OP_VF_DRIVER,
	POL_OP_OVERLAY, /* to be as `over` says */
	POL_OP_OVERLAY_GONE,
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
	uint32_t number; /* AUTOPROBE, NUMVFS, PF_MTU, PF_LINK, SPOOF, TRUST,
	                    RSS, VF_LINK, ESWITCH (1 = switchdev), BRIDGE:
	                    new value, VF_MSIX; GROUP: 1 = it is there */
	uint32_t number_from; /* value before; PORT: enum pol_master */
	uint32_t rate_min, rate_max;
	bool may_fail; /* a driver that does not do it is no failure */
	uint8_t mac[6];
	uint8_t mac_draws; /* as a VF's: it is never done so */
	uint16_t vlan, proto;
	uint8_t qos;
	/* VF_DRIVER, DEV_DRIVER: both to be so in the end; driver may be
	 * POL_DRIVER_DEFAULT. driver_from: bound before, "?" = not known. */
	char driver[POL_NAME], override[POL_NAME], driver_from[POL_NAME];
	char label[2 * POL_NAME];
	union {
		struct pol_param_value param;
		struct pol_group group; /* GROUP; of the other two its name */
		struct pol_port port;   /* PORT; BRIDGE: the bridge alone */
		struct pol_nvme_change {
			struct pol_resources res;
			char name[POL_NVME_NAME]; /* the controller's */
			uint16_t id; /* the VF's; 0 = not known yet */
		} nvme;              /* NVME_KEEP, VF_RESOURCES */
	};
	uint32_t port_set;     /* PORT: with POL_HAS_PORT_VLAN its VLANs, too */
	struct pol_over *over; /* OVERLAY*: the plan's */
	char *guests; /* of a PF's: see pol_action_guest(); the plan's */
};
struct pol_plan {
	struct pol_action *action;
	size_t n;
};

#endif
