/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power Management Interface, PCIe 6.0 7.5.2.
 *
 * The power state goes to the device through VFIO, which saves and restores
 * its configuration around D3hot. No_Soft_Reset stays as the device says: its
 * own registers are lost or not, whoever restores the rest. Wake-up (PME) is
 * not offered, since nothing carries it to the guest; D1 and D2 neither. A
 * guest that writes 1 or 2 reads that back and its BARs do not decode; VFIO
 * refuses the state.
 */
#include "pci-config/priv.h"

static const struct cfg_row rows[] = {
	// clang-format off
	/* PMC: Version, Device Specific Initialization. */
	{ .off = 0x02, .width = 2, .snap = BITS(2, 0) | BIT(5),
	  .what = "Power Management Capabilities",
	  .why = "no wake-up events, no D1 and D2" },
	/* PMCSR: PowerState, No_Soft_Reset. */
	{ .off = CFG_PM_CTRL, .width = 1, .event = CFG_EV_POWER,
	  .snap = BIT(3), .rw = CFG_PM_STATE, .fwd = CFG_PM_STATE,
	  .what = "Power Management Control/Status",
	  .why = "D0 as the guest begins" },
	/* PMCSR: PME_En, Data_Select, PME_Status; PMCSR_BSE; Data. */
	{ .off = 0x05, .width = 1, .what = "Power Management Control/Status",
	  .why = "no wake-up events" },
	{ .off = 0x06, .width = 2, .what = "Bridge Extensions, Data",
	  .why = "power is the host's" },
	// clang-format on
};

static const char *take(struct cfg_layout *l, const struct cfg_cap *c)
{
	l->pm = c->off;
	return NULL;
}

static void plan(struct cfg_plan *p, const struct cfg_layout *l,
                 const struct cfg_cap *c, const struct cfg_place *place)
{
	(void)l;
	(void)place;
	CFG_PLAN_ADD(p, c->off, c->len, rows);
}

const struct cfg_kind cfg_kind_pm = {
	.name = "Power Management",
	.verdict = CFG_SHOWN,
	.reason = "D0 and D3hot; no wake-up events",
	.bytes = 8,
	.need = 8,
	.take = take,
	.plan = plan,
};
