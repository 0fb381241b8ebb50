/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_TEST_NETD_TRANSACT_H
#define FL_TEST_NETD_TRANSACT_H

/* A policy with an action of nearly each kind, over the machine of sim.h. */

#include "tests/unit/netd/rig.h"

static const char policy[] =
	"version: 1\n"
	"nics:\n"
	"  - { name: e, match: { pci: \"0000:01:00.0\" }, link: up,\n"
	"      virtual-function-count: 3, drivers-autoprobe: false }\n"
	"networks:\n"
	"  - { name: net, vlan: { id: 100, qos: 3 }, spoof-check: false,\n"
	"      trust: true }\n"
	"  - { name: ov, bridge: br-o, overlay: { type: vxlan, id: 9,\n"
	"      local: 192.0.2.1, remote: [192.0.2.2] } }\n"
	"pools:\n"
	"  - { name: p, functions: [\"e#0-2\"], driver: vfio,\n"
	"      mac: { prefix: \"02:5a:10\", assign: stable } }\n"
	"devices:\n"
	"  - { name: d, match: { pci: \"0000:03:00.0\" },\n"
	"      group: with-companions }\n"
	"guests:\n"
	"  - name: g\n"
	"    cpus: { count: 1 }\n"
	"    memory: { size: 512M }\n"
	"    kernel: /k\n"
	"    nics:\n"
	"      - { name: a, pool: p, network: net }\n"
	"      - { name: b, pool: p }\n"
	"    devices: [{ use: d }]\n";

/* A part of it. */
static const char small[] = "version: 1\n"
			    "devices:\n"
			    "  - { name: d, match: { pci: \"0000:03:00.0\" },\n"
			    "      group: with-companions }\n";

static inline int apply(struct rig *r)
{
	return rig_apply(r, policy);
}

static inline int actions_of_apply(void)
{
	struct rig *r;
	void *p;
	int n;

	rig_setup(&p);
	r = p;
	assert_int_equal(apply(r), 0);
	n = r->sim->n;
	rig_teardown(&p);
	return n;
}

#endif
