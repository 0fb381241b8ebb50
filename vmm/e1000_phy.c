/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PHY behind MDIC (SDM 13.4.7): as Marvell's 88E1000 family (M88E1011)
 * looks to a driver, registers of IEEE 802.3 clause 22 and a few of its own
 * (SDM table 13-6 and on). Its link partner can do everything, and negotiation
 * is over when it begins. No link while the tap is gone, or the PHY is powered
 * down or isolated.
 */

#include "vmm/e1000.h"

enum {
	MDIC_DATA = BITS(15, 0),
	MDIC_REG = BITS(20, 16),
	MDIC_PHY = BITS(25, 21),
	MDIC_WRITE = BIT(26),
	MDIC_READ = BIT(27),
	MDIC_READY = BIT(28),
	MDIC_INT = BIT(29),
	MDIC_ERROR = BIT(30),
	PHY_ADDRESS = 1,
};

enum {
	PHY_CTRL = 0,
	PHY_STATUS = 1,
	PHY_LPA = 5,
	PHY_EXPANSION = 6,
	PHY_1000_STATUS = 10,
	PHY_SPECIFIC_STATUS = 17,
	CTRL_RESET = BIT(15),
	CTRL_LOOPBACK = BIT(14),
	CTRL_AUTONEG = BIT(12),
	CTRL_POWER_DOWN = BIT(11),
	CTRL_ISOLATE = BIT(10),
	CTRL_RESTART = BIT(9),
	BMSR_AUTONEG_DONE = BIT(5),
	BMSR_LINK = BIT(2),
	/* Specific status: 1000 Mb/s, full duplex, resolved; link. */
	PSSR_RESOLVED = 0xa800,
	PSSR_LINK = 0x0400,
};

struct phy_reg {
	uint16_t initial, keep;
};

/* In order of their numbers; what is absent reads 0 and keeps nothing. */
static const struct phy_reg table[32] = {
	[0] = { 0x1140, 0x7dc0 }, /* control: negotiate, 1000, full duplex */
	[1] = { 0x7949, 0 },      /* status: all that copper does */
	[2] = { 0x0141, 0 },      /* identifier */
	[3] = { 0x0c20, 0 },
	[4] = { 0x0de1, 0xbfff },  /* advertisement: 10, 100, PAUSE */
	[5] = { 0, 0 },            /* link partner: below */
	[6] = { 0x0004, 0 },       /* expansion */
	[7] = { 0x2001, 0xffff },  /* next page to send */
	[9] = { 0x0e00, 0xff00 },  /* 1000BASE-T control */
	[15] = { 0x3000, 0 },      /* 1000BASE-T, both duplexes */
	[16] = { 0x0068, 0xffff }, /* M88: PHY specific control */
	[18] = { 0, 0xffff },      /* M88: interrupts */
	[20] = { 0x0d60, 0xffff }, /* M88: extended specific control */
	[21] = { 0, 0 },           /* M88: errors received */
	[29] = { 0, 0x001f },      /* M88: page */
	[30] = { 0, 0xffff },      /* M88: general control, of the page */
};

static bool phy_link(const struct e1000 *e)
{
	return !e->gone &&
	       !(e->phy[PHY_CTRL] & (CTRL_POWER_DOWN | CTRL_ISOLATE));
}

bool e1000_phy_loops(const struct e1000 *e)
{
	return e->phy[PHY_CTRL] & CTRL_LOOPBACK;
}

/* What depends on the link, of PHY and MAC; SDM 13.4.1 has SLU let the MAC
 * hear of it. LSC says that it changed. */
void e1000_link_update(struct e1000 *e)
{
	bool link = phy_link(e), was = e1000_reg(e, R_STATUS) & STATUS_LU;
	bool up = link && e1000_reg(e, R_CTRL) & CTRL_SLU;
	uint16_t *p = e->phy;

	p[PHY_STATUS] = table[PHY_STATUS].initial;
	if (link)
		p[PHY_STATUS] |= BMSR_LINK;
	if (link && p[PHY_CTRL] & CTRL_AUTONEG)
		p[PHY_STATUS] |= BMSR_AUTONEG_DONE;
	p[PHY_LPA] = link ? 0x4de1 : 0;
	p[PHY_EXPANSION] = link ? 0x0007 : 0x0004;
	p[PHY_1000_STATUS] = link ? 0x3c00 : 0;
	p[PHY_SPECIFIC_STATUS] =
		link ? (uint16_t)(PSSR_RESOLVED | PSSR_LINK) : 0;
	e->reg[R_STATUS / 4] =
		STATUS_FD | STATUS_SPEED_1000 | (up ? (uint32_t)STATUS_LU : 0);
	if (up != was)
		e1000_raise(e, INT_LSC);
}

void e1000_phy_init(struct e1000 *e)
{
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
		e->phy[i] = table[i].initial;
	e1000_link_update(e);
}

static void phy_write(struct e1000 *e, unsigned n, uint16_t v)
{
	const struct phy_reg *t = &table[n];
	bool negotiate = n == PHY_CTRL && v & CTRL_AUTONEG &&
	                 v & (CTRL_RESTART | CTRL_RESET);

	/* Reset keeps control's other bits, of which some wait for it: 802.3,
	 * 22.2.4.1.1. Restart and reset are over at once. */
	e->phy[n] = (uint16_t)((e->phy[n] & ~t->keep) | (v & t->keep));
	if (n != PHY_CTRL)
		return;
	e1000_link_update(e);
	/* Negotiation takes the link down and up again. */
	if (negotiate && e1000_reg(e, R_STATUS) & STATUS_LU)
		e1000_raise(e, INT_LSC);
}

void e1000_mdic_write(struct e1000 *e, uint32_t v)
{
	unsigned n = FIELD_GET(MDIC_REG, v);
	uint32_t r = v & ~(uint32_t)(MDIC_READY | MDIC_ERROR | BIT(31));

	if (FIELD_GET(MDIC_PHY, v) != PHY_ADDRESS)
		r |= MDIC_ERROR;
	else if (v & MDIC_READ)
		r = (r & ~(uint32_t)MDIC_DATA) | e->phy[n];
	else if (v & MDIC_WRITE)
		phy_write(e, n, (uint16_t)v);
	e->reg[R_MDIC / 4] = r | MDIC_READY;
	if (v & MDIC_INT)
		e1000_raise(e, INT_MDAC);
}
