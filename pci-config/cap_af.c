/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Advanced Features of conventional PCI (PCI AF ECN): a function level reset
 * for functions without a PCI Express capability. The reset is the owner's to
 * do, through VFIO; nothing is forwarded.
 */
#include "pci-config/priv.h"

static const struct cfg_row rows[] = {
	// clang-format off
	{ .off = 0x02, .width = 1, .snap = 0xff }, /* Length */
	{ .off = 0x03, .width = 1, .snap = 0x03 }, /* TP_CAP, FLR_CAP */
	{ .off = 0x04, .width = 1, .w1c = BIT(0), .event = CFG_EV_FLR,
	  .what = "Control", .why = "its reset is done through VFIO" },
	{ .off = 0x05, .width = 1, .hw = BIT(0) }, /* Transactions Pending */
	// clang-format on
};

static void plan(struct cfg_plan *p, const struct cfg_layout *l,
                 const struct cfg_cap *c, const struct cfg_place *place)
{
	(void)l;
	(void)place;
	CFG_PLAN_ADD(p, c->off, c->len, rows);
}

const struct cfg_kind cfg_kind_af = {
	.name = "Advanced Features",
	.verdict = CFG_SHOWN,
	.reason = "its reset is done through VFIO",
	.bytes = 6,
	.need = 6,
	.plan = plan,
};
