/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What there is to tell of a machine (machine.h), a row a field: fields.h.
 * SAVED rows are what can be put back, and so what the journal keeps; groups,
 * holders and labels are only in inventories.
 */

#include "policy/fields.h"

#define CHECK_SET(type)                                                        \
	_Static_assert(offsetof(struct type, set) == 0 &&                      \
	                       sizeof(((struct type *)0)->set) ==              \
	                               sizeof(uint32_t),                       \
	               #type " begins with its flags")
CHECK_SET(pol_vf);
CHECK_SET(pol_pf);
CHECK_SET(pol_whole);

// clang-format off
#define VF(...) { ROW(pol_vf, __VA_ARGS__) }
static const struct field vf_rows[] = {
	{ ROW(pol_vf, index, "index", number, 0,
	      FIELD_BOTH | FIELD_MUST | FIELD_ALWAYS), .max = POL_VFS_MAX - 1 },
	VF(bdf, "bdf", bdf, 0, FIELD_BOTH | FIELD_MUST | FIELD_ALWAYS),
	VF(mac, "mac", mac, POL_HAS_MAC, FIELD_BOTH),
	VF(vlan, "vlan", vlan, POL_HAS_VLAN, FIELD_BOTH),
	VF(spoof, "spoof-check", flag, POL_HAS_SPOOF, FIELD_BOTH),
	VF(trust, "trust", flag, POL_HAS_TRUST, FIELD_BOTH),
	VF(rate_min, "tx-rate", rate, POL_HAS_RATE, FIELD_BOTH),
	VF(rss, "query-rss", flag, POL_HAS_RSS, FIELD_BOTH),
	VF(link_state, "link-state", link_state, POL_HAS_LINK_STATE,
	   FIELD_BOTH),
	VF(rate_group, "rate-group", text, POL_HAS_GROUP, FIELD_BOTH),
	VF(msix, "msix-vectors", number, POL_HAS_MSIX, FIELD_BOTH),
	VF(res.queues, "queues", number, POL_HAS_RESOURCES, FIELD_BOTH),
	VF(res.interrupts, "interrupts", number, POL_HAS_RESOURCES, FIELD_BOTH),
	VF(res.online, "online", flag, POL_HAS_RESOURCES, FIELD_BOTH),
	VF(port, "port", port, POL_HAS_PORT, FIELD_BOTH),
	VF(port.ifname, "representor", text, 0, FIELD_SEEN),
	VF(driver, "driver", text, POL_HAS_DRIVER, FIELD_BOTH),
	VF(override, "driver-override", text, POL_HAS_OVERRIDE, FIELD_BOTH),
	VF(group, "group", group, 0, FIELD_SEEN),
	VF(blocker, "group-blocker", text, 0, FIELD_SEEN),
	VF(holder_pid, "holder-pid", pid, 0, FIELD_SEEN),
	VF(holder, "holder", text, 0, FIELD_SEEN),
	VF(label, "leased-by", text, 0, FIELD_SEEN),
};
const struct fields vf_fields = TABLE(vf_rows);
_Static_assert(ARRAY_SIZE(vf_rows) <= FIELDS_MAX, "vf");

#define IDENT(type)                                                            \
	{ ROW(type, id.subvendor, "subsystem-vendor-id", hex, 0, FIELD_SEEN) }, \
	{ ROW(type, id.subdevice, "subsystem-id", hex, 0, FIELD_SEEN) },       \
	{ ROW(type, id.node, "numa-node", number, POL_HAS_NODE, FIELD_SEEN),   \
	  .max = POL_HOST_NODES - 1 },                                         \
	{ ROW(type, id.root, "pcie-root", bdf, POL_HAS_ROOT, FIELD_SEEN) },    \
	{ ROW(type, id.dsn, "serial-dsn", text, POL_HAS_DSN, FIELD_SEEN) },    \
	{ ROW(type, id.vpd, "serial-vpd", text, 0, FIELD_SEEN) }
#define PF(...) { ROW(pol_pf, __VA_ARGS__) }
static const struct field pf_rows[] = {
	PF(bdf, "bdf", bdf, 0, FIELD_BOTH | FIELD_MUST | FIELD_ALWAYS),
	PF(vendor, "vendor-id", hex, 0, FIELD_SEEN | FIELD_MUST_SEEN),
	PF(device, "device-id", hex, 0, FIELD_SEEN | FIELD_MUST_SEEN),
	PF(ifname, "ifname", text, 0, FIELD_BOTH | FIELD_ALWAYS),
	PF(driver, "driver", text, 0, FIELD_BOTH | FIELD_ALWAYS),
	PF(variant, "vfio-driver", text, 0, FIELD_SEEN),
	PF(autoprobe, "autoprobe", flag, POL_HAS_AUTOPROBE, FIELD_BOTH),
	{ ROW(pol_pf, num_vfs, "num-vfs", number, POL_HAS_NUMVFS,
	      FIELD_BOTH | FIELD_MUST_SEEN), .max = POL_VFS_MAX },
	PF(link_up, "link-up", flag, POL_HAS_LINK, FIELD_BOTH),
	PF(mtu, "mtu", number, POL_HAS_MTU, FIELD_BOTH),
	PF(speed, "speed", number, 0, FIELD_SEEN),
	PF(msix_total, "msix-total", number, 0, FIELD_SEEN),
	PF(nvme.queues.own, "queues-kept", number, POL_HAS_RESOURCES,
	   FIELD_BOTH),
	PF(nvme.interrupts.own, "interrupts-kept", number, POL_HAS_RESOURCES,
	   FIELD_BOTH),
	PF(nvme.queues.total, "queues-total", number, 0, FIELD_SEEN),
	PF(nvme.queues.most, "queues-most", number, 0, FIELD_SEEN),
	PF(nvme.queues.step, "queues-step", number, 0, FIELD_SEEN),
	PF(nvme.interrupts.total, "interrupts-total", number, 0, FIELD_SEEN),
	PF(nvme.interrupts.most, "interrupts-most", number, 0, FIELD_SEEN),
	PF(nvme.interrupts.step, "interrupts-step", number, 0, FIELD_SEEN),
	PF(nvme.name, "nvme", text, 0, FIELD_SEEN),
	PF(nvme.first_id, "vf-controller", number, 0, FIELD_SEEN),
	PF(sw.instance, "devlink", flag, 0, FIELD_SEEN),
	PF(sw.switchdev, "embedded-switch-mode", eswitch, POL_HAS_ESWITCH,
	   FIELD_BOTH),
	PF(sw, "devlink-params", params, POL_HAS_PARAMS, FIELD_BOTH),
	PF(sw, "rate-groups", groups, POL_HAS_GROUPS, FIELD_BOTH),
	PF(sw, "bridge", bridges, POL_HAS_BRIDGE, FIELD_BOTH),
	PF(sw.port, "port", port, POL_HAS_PORT, FIELD_BOTH),
	PF(total_vfs, "total-vfs", number, 0, FIELD_SEEN | FIELD_MUST_SEEN),
	PF(vf_offset, "vf-offset", number, 0, FIELD_SEEN),
	PF(vf_stride, "vf-stride", number, 0, FIELD_SEEN),
	PF(blocker, "group-blocker", text, 0, FIELD_SEEN),
	IDENT(pol_pf),
	PF(id.mac, "permanent-mac", mac, POL_HAS_PERM_MAC, FIELD_SEEN),
	PF(altname, "altnames", names, 0, FIELD_SEEN),
};
const struct fields pf_fields = TABLE(pf_rows);
_Static_assert(ARRAY_SIZE(pf_rows) <= FIELDS_MAX, "pf");

/* bridge, num_vfs and vf_user follow from the rest. */
#define WHOLE(...) { ROW(pol_whole, __VA_ARGS__) }
static const struct field whole_rows[] = {
	WHOLE(bdf, "bdf", bdf, 0, FIELD_BOTH | FIELD_MUST | FIELD_ALWAYS),
	WHOLE(vendor, "vendor-id", hex, 0, FIELD_SEEN | FIELD_MUST_SEEN),
	WHOLE(device, "device-id", hex, 0, FIELD_SEEN | FIELD_MUST_SEEN),
	WHOLE(class_code, "class", hex, 0, FIELD_SEEN | FIELD_MUST_SEEN),
	WHOLE(interface, "programming-interface", number, 0, FIELD_SEEN),
	WHOLE(driver, "driver", text, POL_HAS_DRIVER, FIELD_BOTH),
	WHOLE(override, "driver-override", text, POL_HAS_OVERRIDE, FIELD_BOTH),
	WHOLE(virtual_fn, "virtual-function", flag, 0, FIELD_SEEN),
	WHOLE(group, "group", group, 0, FIELD_SEEN),
	WHOLE(reset, "reset-methods", text, POL_HAS_RESET, FIELD_SEEN),
	WHOLE(below_port, "below-port", flag, 0, FIELD_SEEN),
	IDENT(pol_whole),
	WHOLE(use, "used-as", uses, 0, FIELD_SEEN),
	WHOLE(holder_pid, "holder-pid", pid, 0, FIELD_SEEN),
	WHOLE(holder, "holder", text, 0, FIELD_SEEN),
	WHOLE(label, "leased-by", text, 0, FIELD_SEEN),
};
const struct fields whole_fields = TABLE(whole_rows);
_Static_assert(ARRAY_SIZE(whole_rows) <= FIELDS_MAX, "whole");

#define HOST(...) { ROW(pol_state, __VA_ARGS__) }
static const struct field host_rows[] = {
	HOST(machine.hostname, "hostname", text, 0, FIELD_SEEN),
	HOST(machine.id, "machine-id", text, 0, FIELD_SEEN),
	HOST(machine.socket, "node-sockets", sockets, 0, FIELD_SEEN),
	HOST(machine, "huge-pages", pages, 0, FIELD_SEEN),
	HOST(ovs, "open-vswitch", flag, 0, FIELD_SEEN),
	HOST(iommu, "iommu", flag, 0, FIELD_SEEN | FIELD_MUST_SEEN),
	HOST(remapping, "interrupt-remapping", flag, 0, FIELD_SEEN | FIELD_MUST_SEEN),
};
// clang-format on
const struct fields host_fields = TABLE(host_rows);
_Static_assert(ARRAY_SIZE(host_rows) <= FIELDS_MAX, "host");
