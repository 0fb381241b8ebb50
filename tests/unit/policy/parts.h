/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_TEST_POLICY_PARTS_H
#define FL_TEST_POLICY_PARTS_H

/* Random machines that have a switch, an NVMe controller and functions to give
 * away, in state.h's lines; and policies for them, that parse or nearly. */

#include "tests/unit/policy/pick.h"
#include "tests/unit/policy/state.h"

#define SWITCH_VFS 4
#define DISK_VFS 3
#define DISK_TOTAL 8 /* queues, and interrupts */
#define DISK_MOST 4

/* ---- machines ------------------------------------------------------------ */

static inline void add_groups(struct text *t)
{
	static const char *const names[] = { "gold", "silver", "old" };
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (pick(2)) {
			text_add(t, " group=%s:%u:%u:%u:%u", names[i],
			         125000 * pick(3), 1250000 * pick(3), pick(2),
			         pick(2));
			any = true;
		}
	if (!any)
		text_add(t, " group=");
}

/* In none, or in a bridge with VLANs; in Open vSwitch's only while that is
 * there. */
static inline void add_port(struct text *t, bool ovs)
{
	unsigned where = pick(8);

	if (where < 3) {
		text_add(t, " in=:");
		return;
	}
	if (where == 3 && ovs) {
		text_add(t, " in=br-ovs:%u ovs=1", pick(2) * 50);
		return;
	}
	text_add(t, " in=%s:%u", where > 4 ? "br-fast" : "br-other",
	         pick(3) * 50);
	if (pick(2))
		text_add(t, " tagged=20-2%u", pick(9));
}

static inline void add_driver(struct text *t, const char *host)
{
	if (pick(2))
		text_add(t, " driver=vfio-pci override=vfio-pci");
	else
		text_add(t, " driver=%s override=", pick(3) ? host : "");
}

/* The group that the line above has, or none. */
static inline void add_switch_vf(struct text *t, unsigned i, bool switchdev,
                                 bool ovs, const char *group)
{
	text_add(t,
	         "\nvf %u mac=00:00:00:00:00:00 vlan=0 proto=8100 spoof=%u "
	         "trust=%u rate=0-0 state=auto group=%u msix=%u",
	         i, pick(2), pick(2), 10 + i, 1 + pick(8));
	add_driver(t, "mlx5_core");
	if (!switchdev)
		return;
	text_add(t, " rate-group=%s", pick(2) ? group : "");
	add_port(t, ovs);
	text_add(t, " up=%u", pick(2));
}

static inline void add_switch(struct text *t)
{
	static const char *const drivers[] = { "mlx5_core", "ice", "bnxt_en" };
	unsigned vfs = pick(SWITCH_VFS + 1);
	bool switchdev = pick(2), ovs = pick(2);
	const char *line = t->buf + t->n;

	text_add(t, "over br-ovs ovs=1%s\nover br-blue outer=eth0:1500\n",
	         ovs ? " made=1 datapath=system" : "");
	text_add(t,
	         "pf 0000:3b:00.0 id=15b3:101d driver=%s ifname=ens1f0 total=8 "
	         "vfs=%u offset=2 stride=1 autoprobe=%u link=%s mtu=1500 "
	         "mode=%s param=flow_steering_mode:%s bridge=br-fast:%u "
	         "msix=64",
	         drivers[pick(3)], vfs, pick(2), pick(2) ? "up" : "down",
	         switchdev ? "switchdev" : "legacy", pick(2) ? "dmfs" : "smfs",
	         pick(2));
	add_port(t, ovs);
	if (switchdev)
		add_groups(t);
	else
		text_add(t, " group=");
	line = strstr(line, "group=gold") ? "gold" : "";
	for (unsigned i = 0; i < vfs; i++)
		add_switch_vf(t, i, switchdev, ovs, line);
}

/* Queues and interrupts are the controller's, VFs', or free. */
static inline void add_disk(struct text *t)
{
	unsigned vfs = pick(DISK_VFS + 1), own = 2 * pick(4);
	unsigned left = DISK_TOTAL - own;

	text_add(t,
	         "\npf 0000:81:00.0 id=1b36:0010 driver=nvme total=4 vfs=%u "
	         "offset=1 stride=1 autoprobe=%u queues=%u:%u:%u "
	         "interrupts=%u:%u:%u first=1",
	         vfs, pick(2), DISK_TOTAL, own, DISK_MOST, DISK_TOTAL, own,
	         DISK_MOST);
	for (unsigned i = 0; i < vfs; i++) {
		unsigned n = pick(DISK_MOST + 1);

		n = MIN(n, left);
		left -= n;
		text_add(t, "\nvf %u group=%u res=%u:%u:%s", i, 20 + i, n,
		         pick(n + 1), n ? "on" : "off");
		add_driver(t, n ? "nvme" : "");
	}
	text_add(t,
	         "\ndev 0000:81:00.0 id=1b36:0010 class=0108 driver=nvme "
	         "override= group=9 vfs=%u",
	         vfs);
}

static inline void add_whole(struct text *t, const char *bdf, unsigned class,
                             unsigned group, const char *host)
{
	text_add(t,
	         "\ndev %s id=10de:2204 class=%04x group=%u below-port=1 "
	         "reset=flr",
	         bdf, class, group);
	add_driver(t, host);
}

static inline struct pol_state *random_machine(void)
{
	static struct text t;

	t.n = 0;
	text_add(&t, "host iommu remapping\n");
	add_switch(&t);
	add_disk(&t);
	add_whole(&t, "0000:17:00.0", 0x0300, 30, "nouveau");
	add_whole(&t, "0000:17:00.1", 0x0403, 30, "snd_hda_intel");
	add_whole(&t, "0000:18:00.0", 0x0200, 31, "e1000e");
	return state_parse(t.buf);
}

/* ---- policies ------------------------------------------------------------ */

static inline void say_groups(struct text *t)
{
	switch (pick(4)) {
	case 0:
		return;
	case 1:
		text_add(t, "    rate-groups: null\n");
		return;
	case 2:
		text_add(t, "    rate-groups: [{ name: silver, tx-max: "
		            "10mbit, tx-weight: 1 }]\n");
		return;
	default:
		text_add(t, "    rate-groups:\n"
		            "      - { name: gold, tx-share: 1mbit, tx-max: "
		            "20mbit }\n"
		            "      - { name: silver, tx-priority: 1 }\n");
	}
}

static inline void say_switch(struct text *t, unsigned vfs, bool switchdev)
{
	text_add(t,
	         "nics:\n"
	         "  - name: fast0\n"
	         "    match: { pci: \"0000:3b:00.0\" }\n"
	         "    virtual-function-count: %u\n",
	         vfs);
	if (switchdev || pick(2))
		text_add(t, "    drivers-autoprobe: false\n");
	if (switchdev || pick(2))
		text_add(t, "    embedded-switch-mode: %s\n",
		         switchdev ? "switchdev"
		         : pick(2) ? "legacy"
		                   : "null");
	if (pick(2))
		text_add(t,
		         "    devlink-params: [{ name: flow_steering_mode, "
		         "value: %s, cmode: runtime }]\n",
		         pick(2) ? "smfs" : "dmfs");
	if (!switchdev)
		return;
	say_groups(t);
	switch (pick(3)) {
	case 0:
		return;
	case 1:
		text_add(t, "    bridge: { type: ovs, name: br-ovs }\n");
		return;
	default:
		text_add(t, "    bridge: { type: linux, name: br-fast, "
		            "vlan-filtering: true }\n");
	}
}

static inline void say_networks(struct text *t, bool switchdev)
{
	text_add(t,
	         "networks:\n"
	         "  - { name: tenant, vlan: { id: 100 }, spoof-check: true }\n"
	         "  - { name: trunk, vlan: %s, trust: true }\n",
	         switchdev ? "{ trunk: [10, 20-29], native: 10 }" : "null");
	if (switchdev)
		text_add(t,
		         "  - { name: blue, bridge: br-blue, overlay: { type: "
		         "vxlan, id: %u, local: 192.0.2.1, remote: [192.0.2.2] "
		         "} }\n",
		         1 + pick(3));
}

/* Whether the groups that it names are there is the parser's to say. */
static inline void say_override(struct text *t, unsigned vfs, bool switchdev)
{
	text_add(t,
	         "overrides:\n"
	         "  - nic: fast0\n"
	         "    vfs:\n"
	         "      - { id: %u, msix-vectors: %u%s }\n",
	         pick(vfs), 1 + pick(10),
	         switchdev && pick(2) ? ", rate-group: silver" : "");
}

static inline void say_guest(struct text *t, unsigned vfs, bool switchdev,
                             bool whole)
{
	static const char *const networks[] = { "", ", network: tenant",
		                                ", network: trunk",
		                                ", network: blue" };
	unsigned n = pick(vfs + 1);

	if (!n && !whole)
		return;
	text_add(t, "guests:\n  - name: g\n    cpus: 2\n    memory: 16M\n"
	            "    kernel: /k\n");
	if (n)
		text_add(t, "    nics:\n");
	for (unsigned i = 0; i < n; i++)
		text_add(t,
		         "      - { name: c%u, pool: fast, mac-address: "
		         "\"02:00:00:00:00:%02x\"%s%s }\n",
		         i, i, networks[pick(switchdev ? 4 : 3)],
		         pick(3) ? "" : ", msix-vectors: per-vcpu");
	if (whole)
		text_add(t, "    gpus: [{ use: gpu0 }]\n");
}

static inline void say_disk(struct text *t)
{
	unsigned vfs = pick(DISK_VFS + 1), n = pick(2) ? 2 + pick(2) : 0;

	text_add(t,
	         "nvme:\n"
	         "  - name: shared\n"
	         "    match: { pci: \"0000:81:00.0\" }\n"
	         "    share: sriov\n"
	         "    virtual-function-count: %u\n",
	         vfs);
	if (n && vfs)
		text_add(t,
		         "    vf-resources: { queues: %u, interrupts: %u }\n",
		         n, 1 + pick(n));
	else if (pick(2) && vfs)
		text_add(t, "    vf-resources: null\n");
}

static inline void random_policy(struct text *t)
{
	unsigned vfs = pick(SWITCH_VFS + 1);
	bool switchdev = pick(3), whole = pick(2);

	t->n = 0;
	text_add(t, "version: 1\n");
	say_switch(t, vfs, switchdev);
	say_networks(t, switchdev);
	if (vfs)
		text_add(t,
		         "pools:\n"
		         "  - { name: fast, functions: [\"fast0#0-%u\"], "
		         "driver: vfio }\n",
		         vfs - 1);
	if (vfs && pick(2))
		say_override(t, vfs, switchdev);
	if (pick(2))
		say_disk(t);
	if (whole)
		text_add(t, "gpus:\n  - { name: gpu0, match: { pci: "
		            "\"0000:17:00.0\" }, group: with-companions, "
		            "reset: { require: [flr] } }\n");
	if (pick(2))
		text_add(t, "devices:\n  - { name: card, match: { pci: "
		            "\"0000:18:00.0\" } }\n");
	say_guest(t, vfs, switchdev, whole);
}

#endif
