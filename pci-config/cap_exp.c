/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI Express capability of an endpoint, PCIe 6.0 7.5.3.
 *
 * What the guest may change in the device concerns only the requests this
 * function itself makes. What two sides must agree on (payload size, extended
 * tags, the link) or what speaks to the host (error messages) is kept in the
 * shadow for the guest to read back, and the device keeps the host's setting.
 * Function level reset is a command to the owner, who resets through VFIO.
 */
#include "pci-config/priv.h"

#define FLAGS 0x02
#define FLAGS_VERSION BITS(3, 0)
#define FLAGS_TYPE BITS(7, 4)
#define FLAGS_IRQ BITS(13, 9) /* Interrupt Message Number */
#define TYPE_LEGACY 1u
#define TYPE_RCIEP 9u
#define LINK_SPEED BITS(3, 0)
#define LINK_WIDTH BITS(9, 4)
#define LINK_X1_2G5 (FIELD_PREP(LINK_SPEED, 1u) | FIELD_PREP(LINK_WIDTH, 1u))

#define NO_PORT .what = "Slot and root registers", .why = "not an endpoint's"

static const struct cfg_row rows[] = {
	// clang-format off
	/* Device Capabilities, but for Phantom Functions (bits 4:3), whose
	 * requester ids the host's IOMMU does not know. */
	{ .off = 0x04, .width = 4, .snap = ~BITS(4, 3),
	  .what = "Device Capabilities",
	  .why = "no phantom functions: the IOMMU does not know their ids" },
	/*
	 * Device Control. In the device: Relaxed Ordering (4), No Snoop (11)
	 * and Max_Read_Request_Size (14:12, which VFIO keeps above the payload
	 * size). In the shadow: error reporting (3:0), Max_Payload_Size (7:5),
	 * Extended Tag (8). Initiate FLR (15) reads 0.
	 */
	{ .off = CFG_EXP_DEVCTL, .width = 2, .event = CFG_EV_FLR,
	  .snap = BITS(14, 12) | BIT(11) | BIT(4),
	  .rw = BITS(14, 12) | BIT(11) | BITS(8, 0),
	  .fwd = BITS(14, 12) | BIT(11) | BIT(4), .w1c = BIT(15),
	  .what = "Device Control",
	  .why = "error reporting, payload size and extended tags are agreed "
	         "with the host's port; the guest has a copy of its own" },
	/* Device Status: errors seen (3:0, RW1C), Transactions Pending (5). */
	{ .off = 0x0a, .width = 2, .hw = BIT(5) | BITS(3, 0),
	  .w1c = BITS(3, 0), .fwd = BITS(3, 0), .what = "Device Status",
	  .why = "auxiliary power and emergencies are the host's" },

	/* Slot and root registers are not an endpoint's. */
	{ .off = 0x14, .width = 4, NO_PORT }, { .off = 0x18, .width = 4, NO_PORT },
	{ .off = 0x1c, .width = 4, NO_PORT }, { .off = 0x20, .width = 4, NO_PORT },
	{ .off = 0x34, .width = 4, NO_PORT }, { .off = 0x38, .width = 4, NO_PORT },

	/*
	 * Device Capabilities 2: completion timeouts (4:0) and which atomics
	 * it completes (9:7). The rest wants partners the guest has not: LTR,
	 * OBFF, TPH, prefixes, 10-bit tags, emergency power.
	 */
	{ .off = 0x24, .width = 4, .snap = BITS(4, 0) | BITS(9, 7),
	  .what = "Device Capabilities 2",
	  .why = "LTR, OBFF, TPH, prefixes and 10-bit tags want partners that "
	         "the guest has not" },
	/* Device Control 2: completion timeout of its own requests. */
	{ .off = 0x28, .width = 2, .snap = BITS(4, 0), .rw = BITS(4, 0),
	  .fwd = BITS(4, 0), .what = "Device Control 2",
	  .why = "only the completion timeout is the guest's" },
	{ .off = 0x2a, .width = 2, .what = "Device Status 2",
	  .why = "reserved" },
	// clang-format on
};

/* ASPM (1:0), RCB (3), common clock (6), extended sync (7), clock power (8):
 * the shadow's, since the link is the host's. */
#define LNKCTL_RW (BITS(8, 6) | BIT(3) | BITS(1, 0))

#define LINK_WHY                                                               \
	"speed and width as they are; power saving and training are the host's"
#define VIRTUAL_WHY "its own tells of no link: the least one, as its port's"
#define NONE_WHY "not behind a port: no link"

static const struct cfg_row link_real[] = {
	// clang-format off
	/* Link Capabilities but L0s and L1 (11:10) and their latencies (17:12),
	 * clock power (18), port number (31:24): ASPM is the host's. */
	{ .off = CFG_EXP_LNKCAP, .width = 4,
	  .snap = LINK_SPEED | LINK_WIDTH | BIT(22),
	  .what = "Link Capabilities", .why = LINK_WHY },
	{ .off = 0x10, .width = 2, .rw = LNKCTL_RW,
	  .what = "Link Control", .why = LINK_WHY },
	{ .off = CFG_EXP_LNKSTA, .width = 2, .snap = LINK_SPEED | LINK_WIDTH,
	  .hw = LINK_SPEED | LINK_WIDTH,
	  .what = "Link Status", .why = LINK_WHY },
	{ .off = 0x2c, .width = 4, .snap = BITS(7, 1),
	  .what = "Link Capabilities 2", .why = LINK_WHY },
	{ .off = 0x30, .width = 4, .snap = LINK_SPEED,
	  .what = "Link Control 2", .why = LINK_WHY },
	// clang-format on
};

/*
 * A VF's Link Status reads 0 (9.3.5.6), as does a root complex integrated
 * endpoint's. Behind a port a link of no width would be odd: it has the least
 * one, as the port has by default.
 */
static const struct cfg_row link_virtual[] = {
	// clang-format off
	{ .off = CFG_EXP_LNKCAP, .width = 4, .init = LINK_X1_2G5,
	  .what = "Link Capabilities", .why = VIRTUAL_WHY },
	{ .off = 0x10, .width = 2, .rw = LNKCTL_RW,
	  .what = "Link Control", .why = VIRTUAL_WHY },
	{ .off = CFG_EXP_LNKSTA, .width = 2, .init = LINK_X1_2G5,
	  .what = "Link Status", .why = VIRTUAL_WHY },
	{ .off = 0x2c, .width = 4, .init = BIT(1),
	  .what = "Link Capabilities 2", .why = VIRTUAL_WHY },
	{ .off = 0x30, .width = 4, .init = FIELD_PREP(LINK_SPEED, 1u),
	  .what = "Link Control 2", .why = VIRTUAL_WHY },
	// clang-format on
};

static const struct cfg_row link_none[] = {
	// clang-format off
	{ .off = CFG_EXP_LNKCAP, .width = 4,
	  .what = "Link Capabilities", .why = NONE_WHY },
	{ .off = 0x10, .width = 4,
	  .what = "Link Control, Link Status", .why = NONE_WHY },
	{ .off = 0x2c, .width = 4,
	  .what = "Link Capabilities 2", .why = NONE_WHY },
	{ .off = 0x30, .width = 4,
	  .what = "Link Control 2", .why = NONE_WHY },
	// clang-format on
};

static unsigned len(const struct cfg_layout *l, unsigned off)
{
	const uint32_t flags = cfg_raw(l, off + FLAGS, 2);

	/* Version 1 ends where its type has no more registers; an endpoint's
	 * last is Link Status. */
	return FIELD_GET(FLAGS_VERSION, flags) >= 2 ? 0x3c : 0x14;
}

static const char *take(struct cfg_layout *l, const struct cfg_cap *c)
{
	const uint32_t flags = cfg_raw(l, c->off + FLAGS, 2);
	const unsigned type = FIELD_GET(FLAGS_TYPE, flags);

	if (type > TYPE_LEGACY && type != TYPE_RCIEP)
		return "says it is a port, a bridge or an event collector";
	l->express = c->off;
	return NULL;
}

static bool link_is_up(uint32_t status)
{
	return (status & LINK_SPEED) && (status & LINK_WIDTH);
}

static struct cfg_row type_row(unsigned type)
{
	return (struct cfg_row){
		.off = FLAGS,
		.width = 2,
		.snap = FLAGS_VERSION | FLAGS_IRQ,
		.init = FIELD_PREP(FLAGS_TYPE, type),
		.what = "PCI Express Capabilities",
		.why = "the type of its place in the guest",
	};
}

static void plan(struct cfg_plan *p, const struct cfg_layout *l,
                 const struct cfg_cap *c, const struct cfg_place *place)
{
	const uint32_t flags = cfg_raw(l, c->off + FLAGS, 2);
	const uint32_t link = cfg_raw(l, c->off + CFG_EXP_LNKSTA, 2);
	unsigned type = FIELD_GET(FLAGS_TYPE, flags);

	CFG_PLAN_ADD(p, c->off, c->len, rows);
	if (!place->behind_port) {
		cfg_plan_row(p, c->off, c->len, type_row(TYPE_RCIEP));
		CFG_PLAN_ADD(p, c->off, c->len, link_none);
		return;
	}
	if (type == TYPE_RCIEP)
		type = 0;
	cfg_plan_row(p, c->off, c->len, type_row(type));
	if (link_is_up(link))
		CFG_PLAN_ADD(p, c->off, c->len, link_real);
	else
		CFG_PLAN_ADD(p, c->off, c->len, link_virtual);
}

const struct cfg_kind cfg_kind_exp = {
	.name = "PCI Express",
	.verdict = CFG_SHOWN,
	.reason = "payload size, errors, link and reset are virtual",
	.need = 0x14,
	.len = len,
	.take = take,
	.plan = plan,
};

void cfg_port_match_link(struct cfg_port *p, const struct cfg_layout *l)
{
	const uint32_t status =
		l->express ? cfg_raw(l, l->express + CFG_EXP_LNKSTA, 2) : 0;
	const bool up = link_is_up(status);

	p->link_speed = up ? (uint16_t)FIELD_GET(LINK_SPEED, status) : 0;
	p->link_width = up ? (uint16_t)FIELD_GET(LINK_WIDTH, status) : 0;
}
