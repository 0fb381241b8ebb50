/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_POLICY_LIMITS_H
#define FL_POLICY_LIMITS_H

/* A part of policy.h, and included by model.h alone: how much of a policy there
 * can be, how long its texts are, and how one value of it is stated. */

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
#define POL_MTU_MIN 68         /* RFC 791 */
#define POL_MTU_MAX 65521
#define POL_RATE_MAX 2000000u /* Mbit/s */
#define POL_MEMORY_MIN (16ull << 20)
#define POL_MEMORY_MAX (4ull << 40)
#define POL_MEMORY_STEP (2ull << 20)
#define POL_MEMORY_NODES_MAX 8 /* memory nodes of a guest */
#define POL_HOST_NODES 1024    /* numbers that nodes of the host may have */
#define POL_SOCKET_NODES 128   /* of those, whose socket can be told */
#define POL_SMBIOS_TEXT 128
#define POL_MSIX_MAX 2048      /* of a function: PCIe 6.0 7.7.2.2 */
#define POL_PARAMS_MAX 16      /* of a physical function */
#define POL_PARAMS_SEEN 256    /* that one has, where all were asked for */
#define POL_GROUPS_MAX 32      /* rate groups of one */
#define POL_BRIDGES_MAX 16     /* that policies put one into, in turn */
#define POL_PARAM_VALUE 33     /* devlink's longest text and a NUL */
#define POL_VLAN_RANGES_MAX 16 /* of a trunk */
#define POL_DEV_SERIAL 64      /* of a function of the host */
#define POL_ALTNAME 128        /* the kernel's ALTIFNAMSIZ */
#define POL_MACHINE_ID 33
#define POL_HOSTNAME 65 /* the kernel's __NEW_UTS_LEN, and its end */

struct pol_pos {
	unsigned line, column; /* from 1; 0 = none */
	unsigned file;         /* of pol_policy.files; 0 where there is one */
};
#define POL_FILES_MAX 64
#define POL_FILE_NAME 64
struct pol_names {
	size_t n; /* 0 = the policy is one text, without a name */
	char name[POL_FILES_MAX][POL_FILE_NAME];
};

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

#endif
