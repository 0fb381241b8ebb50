/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our own functions: the PCI Express root port (type 1 header, PCIe 6.0
 * 7.5.1.3) and the host bridge.
 *
 * Their ids are the ones pci.ids lists for a generic host bridge and a generic
 * root port (1b36:0008, 1b36:000c). We have no vendor id of our own; systems
 * bind these by class; and the ids of real silicon would bring that silicon's
 * quirks into the guest's kernel.
 */
#include "pci-config/priv.h"

#include <string.h>

#define VENDOR 0x1b36u
#define HOST_BRIDGE (0x0008u << 16 | VENDOR)
#define ROOT_PORT (0x000cu << 16 | VENDOR)
#define CLASS(code) ((uint32_t)(code) << 8)

static const struct cfg_row host_bridge[] = {
	// clang-format off
	{ .off = 0x00, .width = 4, .init = HOST_BRIDGE },
	/* What a bridge to memory does cannot be turned off here. */
	{ .off = CFG_COMMAND, .width = 2, .init = CFG_COMMAND_MEM |
	                                          CFG_COMMAND_MASTER },
	{ .off = 0x08, .width = 4, .init = CLASS(0x060000) },
	{ .off = 0x3c, .width = 1, .rw = 0xff },
	// clang-format on
};

/* ---- root port ----------------------------------------------------------- */

#define EXPRESS 0x40
#define EXPRESS_LEN 0x3c
#define MSI 0x80
#define MSI_LEN 0x0e

static const struct cfg_row header[] = {
	// clang-format off
	{ .off = 0x00, .width = 4, .init = ROOT_PORT },
	{ .off = CFG_COMMAND, .width = 2, .event = CFG_EV_COMMAND,
	  .rw = CFG_COMMAND_IO | CFG_COMMAND_MEM | CFG_COMMAND_MASTER |
	        CFG_COMMAND_PARITY | CFG_COMMAND_SERR | CFG_COMMAND_INTX_OFF },
	{ .off = CFG_STATUS, .width = 2,
	  .init = CFG_STATUS_CAPS | CFG_STATUS_READY,
	  .w1c = CFG_STATUS_ERRORS },
	{ .off = 0x08, .width = 4, .init = CLASS(0x060400) },
	{ .off = 0x0c, .width = 1, .rw = 0xff },         /* Cache Line Size */
	{ .off = 0x0e, .width = 1, .init = 0x01 },       /* Header Type */
	/* Primary, Secondary, Subordinate Bus; 1Bh Secondary Latency: 0. */
	{ .off = CFG_BUS_PRIMARY, .width = 4, .event = CFG_EV_BRIDGE,
	  .rw = 0x00ffffff },
	{ .off = 0x1c, .width = 2, .event = CFG_EV_BRIDGE, /* I/O window, */
	  .rw = 0xf0f0 },                                  /* 16 bits */
	{ .off = 0x1e, .width = 2, .w1c = CFG_STATUS_ERRORS },
	{ .off = 0x20, .width = 4, .event = CFG_EV_BRIDGE, /* memory window */
	  .rw = 0xfff0fff0 },
	{ .off = 0x24, .width = 4, .event = CFG_EV_BRIDGE, /* prefetchable, */
	  .rw = 0xfff0fff0, .init = 0x00010001 },          /* 64 bits */
	{ .off = 0x28, .width = 4, .event = CFG_EV_BRIDGE, .rw = UINT32_MAX },
	{ .off = 0x2c, .width = 4, .event = CFG_EV_BRIDGE, .rw = UINT32_MAX },
	{ .off = CFG_CAP_PTR, .width = 1, .init = EXPRESS },
	/* Interrupt Line; Interrupt Pin 0: none. */
	{ .off = 0x3c, .width = 1, .rw = 0xff },
	/* Bridge Control: parity, SERR#, ISA, VGA, VGA 16-bit, reset. */
	{ .off = CFG_BRIDGE_CTRL, .width = 2, .event = CFG_EV_BRIDGE,
	  .rw = BITS(4, 0) | CFG_BRIDGE_RESET },
	// clang-format on
};

/*
 * No Advanced Error Reporting here: what it would tell a guest, an error
 * message with the function's own AER log behind it, cannot be served. The
 * host's handler reads and clears the real log before anyone else may, and
 * there is nothing left for the guest's to find. It learns of an error by the
 * function leaving its slot.
 */
static const struct cfg_row express[] = {
	// clang-format off
	/* Version 2, Root Port, slot implemented. */
	{ .off = 0x02, .width = 2, .init = 2u | 4u << 4 | BIT(8) },
	/* Device Capabilities: 128-byte payload, role-based errors. */
	{ .off = 0x04, .width = 4, .init = BIT(15) },
	{ .off = CFG_EXP_DEVCTL, .width = 2, .rw = BITS(3, 0) },
	/* Link Control: ASPM, RCB, disable, common clock, extended sync.
	 * Retrain (5) reads 0 and the link has been trained for ever. */
	{ .off = CFG_EXP_LNKCTL, .width = 2, .event = CFG_EV_SLOT,
	  .rw = BITS(7, 6) | BITS(4, 3) | BITS(1, 0) },
	/* Root Control: errors to system error, PME interrupt. */
	{ .off = 0x1c, .width = 2, .rw = BITS(3, 0) },
	// clang-format on
};

static const struct cfg_row slot_hotplug[] = {
	// clang-format off
	/* Attention button (0), power controller (1), attention and power
	 * indicator (3, 4), surprise removal (5), hot plug (6); commands need
	 * no waiting (18). No latch, no interlock. */
	{ .off = CFG_EXP_SLTCAP, .width = 2, .init = BITS(6, 3) | BITS(1, 0) },
	/*
	 * Slot Control: enables of button (0), power fault (1), presence (3),
	 * hot plug (5), link state (12); indicators (7:6, 9:8), power (10).
	 * Command completed (4) is hardwired where it is never notified.
	 */
	{ .off = CFG_EXP_SLTCTL, .width = 2, .event = CFG_EV_SLOT,
	  .rw = BIT(12) | BITS(10, 5) | BIT(3) | BITS(1, 0) },
	/* Slot Status: button pressed (0), power fault (1, never), presence
	 * (3) and link state (8) changed. */
	{ .off = CFG_EXP_SLTSTA, .width = 2, .event = CFG_EV_SLOT,
	  .w1c = BIT(8) | BIT(3) | BITS(1, 0) },
	// clang-format on
};
/* A slot that takes nothing in and out: occupied, and nothing to control. */
static const struct cfg_row slot_fixed[] = {
	{ .off = CFG_EXP_SLTSTA, .width = 2, .init = BIT(6) },
};

static const struct cfg_row msi[] = {
	// clang-format off
	{ .off = 0x00, .width = 2, .init = CFG_CAP_MSI },
	{ .off = 0x02, .width = 2, .event = CFG_EV_MSI, .init = BIT(7),
	  .rw = BITS(6, 4) | BIT(0) },
	{ .off = 0x04, .width = 4, .event = CFG_EV_MSI, .rw = BITS(31, 2) },
	{ .off = 0x08, .width = 4, .event = CFG_EV_MSI, .rw = UINT32_MAX },
	{ .off = 0x0c, .width = 2, .event = CFG_EV_MSI, .rw = 0xffff },
	// clang-format on
};

/* Link Capabilities and Status as the slot finds them are port_slot.c's; here
 * is what does not change with what is in the slot. */
static void plan_slot(struct cfg_plan *plan, const struct cfg_port *p)
{
	const struct cfg_row rows[] = {
		/* Link Active is reported (20); port number (31:24). */
		{ .off = CFG_EXP_LNKCAP,
		  .width = 4,
		  .init = BIT(20) | (uint32_t)p->port << 24 },
		/* Link Control 2: target speed. */
		{ .off = 0x30, .width = 2, .rw = BITS(3, 0) },
		/* Slot Capabilities: no command completed (18), number. */
		{ .off = CFG_EXP_SLTCAP,
		  .width = 4,
		  .init = (uint32_t)p->slot << 19 | BIT(18) },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		cfg_plan_row(plan, EXPRESS, EXPRESS_LEN, rows[i]);
	if (p->hotplug)
		CFG_PLAN_ADD(plan, EXPRESS, EXPRESS_LEN, slot_hotplug);
	else
		CFG_PLAN_ADD(plan, EXPRESS, EXPRESS_LEN, slot_fixed);
}

void cfg_compose_root_port(struct cfg_space *s, const struct cfg_port *p)
{
	struct cfg_plan plan = { 0 };

	cfg_space_init(s);
	s->express = EXPRESS;
	CFG_PLAN_ADD(&plan, 0, CFG_HEADER_SIZE, header);
	cfg_plan_row(&plan, EXPRESS, EXPRESS_LEN,
	             (struct cfg_row){ .off = 0,
	                               .width = 2,
	                               .init = CFG_CAP_EXP |
	                                       (p->hotplug ? MSI << 8 : 0) });
	CFG_PLAN_ADD(&plan, EXPRESS, EXPRESS_LEN, express);
	plan_slot(&plan, p);
	if (p->hotplug) {
		CFG_PLAN_ADD(&plan, MSI, MSI_LEN, msi);
		s->msi = (struct cfg_msi_facts){ .cap = MSI,
			                         .vectors = 1,
			                         .addr64 = true };
	}
	cfg_space_plan(s, NULL, &plan);
	cfg_space_seal(s, NULL);
	cfg_port_begin(s, p);
}

void cfg_compose_host_bridge(struct cfg_space *s)
{
	struct cfg_plan plan = { 0 };

	cfg_space_init(s);
	CFG_PLAN_ADD(&plan, 0, CFG_HEADER_SIZE, host_bridge);
	cfg_space_plan(s, NULL, &plan);
	cfg_space_seal(s, NULL);
}

struct cfg_bridge cfg_bridge_buses(const struct cfg_space *s)
{
	return (struct cfg_bridge){
		.primary = s->now[CFG_BUS_PRIMARY],
		.secondary = s->now[CFG_BUS_PRIMARY + 1],
		.subordinate = s->now[CFG_BUS_PRIMARY + 2],
		.reset = s->now[CFG_BRIDGE_CTRL] & CFG_BRIDGE_RESET,
	};
}
