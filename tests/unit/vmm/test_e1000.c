/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 82540EM's registers: table, EEPROM, PHY, interrupts, link, reset. */

#include "e1000_rig.h"

/* ---- registers ----------------------------------------------------------- */

/* What a driver's own test of them wants: pattern & keep is what is read. */
static const struct {
	uint32_t off, n, keep, write;
} patterns[] = {
	{ R_FCAL, 1, ~0u, ~0u },
	{ R_FCAH, 1, 0xffff, ~0u },
	{ R_FCT, 1, 0xffff, ~0u },
	{ R_VET, 1, 0xffff, ~0u },
	{ R_RDTR, 1, 0xffff, 0xffff },
	{ R_RDBAL, 1, 0xfffffff0, ~0u },
	{ R_RDBAH, 1, ~0u, ~0u },
	{ R_RDLEN, 1, 0xfff80, 0xfffff },
	{ R_RDH, 1, 0xffff, 0xffff },
	{ R_RDT, 1, 0xffff, 0xffff },
	{ R_FCRTH, 1, 0xfff8, 0xfff8 },
	{ R_FCTTV, 1, 0xffff, 0xffff },
	{ R_TIPG, 1, 0x3fffffff, 0x3fffffff },
	{ R_TDBAL, 1, 0xfffffff0, ~0u },
	{ R_TDBAH, 1, ~0u, ~0u },
	{ R_TDLEN, 1, 0xfff80, 0xfffff },
	{ R_TDH, 1, 0xffff, 0xffff },
	{ R_TDT, 1, 0xffff, 0xffff },
	{ R_TIDV, 1, 0xffff, 0xffff },
	{ R_TXCW, 1, 0xc000ffff, 0xffff },
	{ R_MTA, 128, ~0u, ~0u },
	{ R_VFTA, 128, ~0u, ~0u },
};

static void pattern(struct rig *r, uint32_t off, uint32_t keep, uint32_t write)
{
	static const uint32_t bits[] = { 0x5a5a5a5a, 0xa5a5a5a5, 0, ~0u };

	for (unsigned i = 0; i < ARRAY_SIZE(bits); i++) {
		wr(r, off, bits[i] & write);
		assert_int_equal(rd(r, off), bits[i] & write & keep);
	}
}

static void keeps_what_it_has(void **state)
{
	struct rig *r = *state;
	uint32_t status = rd(r, R_STATUS);

	for (unsigned i = 0; i < ARRAY_SIZE(patterns); i++)
		for (unsigned k = 0; k < patterns[i].n; k++)
			pattern(r, patterns[i].off + 4 * k, patterns[i].keep,
			        patterns[i].write);
	for (unsigned i = 0; i < E1000_RAR; i++)
		pattern(r, R_RA + 8 * i + 4, 0x8003ffff, ~0u);
	wr(r, R_RCTL, 0x003ffffb & 0x06dfb3fe);
	assert_int_equal(rd(r, R_RCTL) & 0x06dfb3fe, 0x003ffffb & 0x06dfb3fe);
	wr(r, R_STATUS, ~0u);
	assert_int_equal(rd(r, R_STATUS), status);
}

/* Whatever the offset and width: no reserved bit stays, nothing else breaks. */
static void every_register(void **state)
{
	static const unsigned width[] = { 1, 2, 4, 8 };
	struct rig *r = *state;

	r->dma = false;
	for (uint32_t off = 0; off < E1000_BAR_MEM; off++)
		for (unsigned w = 0; w < 4; w++) {
			if (off + width[w] > E1000_BAR_MEM)
				continue;
			r->desc.ops->write(r->e, 0, off, width[w], ~0ull);
			(void)r->desc.ops->read(r->e, 0, off, width[w]);
		}
	assert_int_equal(rd(r, 0x0004), 0);
	assert_int_equal(rd(r, E1000_REGS_END), 0);
	assert_int_equal(rd(r, 0x1fffc), 0);
}

static void less_than_a_dword(void **state)
{
	struct rig *r = *state;

	wr(r, R_VET, 0x8100);
	r->desc.ops->write(r->e, 0, R_VET, 1, 0xff);
	r->desc.ops->write(r->e, 0, R_VET, 2, 0xffff);
	assert_int_equal(rd(r, R_VET), 0x8100);
	assert_int_equal(r->desc.ops->read(r->e, 0, R_VET + 1, 1) & 0xff, 0x81);
}

static void io_window(void **state)
{
	struct rig *r = *state;
	const struct own_ops *o = r->desc.ops;

	o->write(r->e, 1, 0, 4, R_VET);
	o->write(r->e, 1, 4, 4, 0x88a8);
	assert_int_equal(rd(r, R_VET), 0x88a8);
	assert_int_equal(o->read(r->e, 1, 4, 4), 0x88a8);
	assert_int_equal(o->read(r->e, 1, 0, 4), R_VET);
	o->write(r->e, 1, 0, 4, ~0u); /* beyond the registers */
	assert_int_equal(o->read(r->e, 1, 4, 4), 0);
	/* The reset as Linux does it. */
	o->write(r->e, 1, 0, 4, R_CTRL);
	o->write(r->e, 1, 4, 4, CTRL_RST);
	assert_int_equal(rd(r, R_VET), 0);
	assert_false(rd(r, R_CTRL) & CTRL_RST);
}

static void buffer_is_shared(void **state)
{
	struct rig *r = *state;

	assert_int_equal(rd(r, R_PBA), 0x00100030);
	wr(r, R_PBA, 0x28);
	assert_int_equal(rd(r, R_PBA), 0x00180028);
	wr(r, R_PBA, 0xffff);
	assert_int_equal(rd(r, R_PBA), 0x00000040);
}

/* ---- EEPROM -------------------------------------------------------------- */

enum {
	SK = 1,
	CS = 2,
	DI = 4,
	DO = 8,
	REQ = 0x40,
	GNT = 0x80,
};

static void clock_out(struct rig *r, uint32_t v, unsigned bits)
{
	while (bits--) {
		uint32_t e = REQ | CS | (v >> bits & 1 ? DI : 0);

		wr(r, R_EECD, e);
		wr(r, R_EECD, e | SK);
		wr(r, R_EECD, e);
	}
}

static uint16_t microwire(struct rig *r, unsigned word)
{
	uint16_t v = 0;

	wr(r, R_EECD, REQ);
	assert_true(rd(r, R_EECD) & GNT);
	wr(r, R_EECD, REQ | SK);
	wr(r, R_EECD, REQ | SK | CS); /* no clock of the instruction's */
	clock_out(r, 6, 3);
	clock_out(r, word, 6);
	for (unsigned i = 0; i < 16; i++) {
		wr(r, R_EECD, REQ | CS | SK);
		v = (uint16_t)(v << 1 | !!(rd(r, R_EECD) & DO));
		wr(r, R_EECD, REQ | CS);
	}
	wr(r, R_EECD, 0);
	return v;
}

static uint16_t eerd(struct rig *r, unsigned word)
{
	wr(r, R_EERD, word << 8 | 1);
	assert_true(rd(r, R_EERD) & BIT(4));
	return (uint16_t)(rd(r, R_EERD) >> 16);
}

static void eeprom(void **state)
{
	struct rig *r = *state;
	uint16_t sum = 0;

	for (unsigned i = 0; i < 64; i++) {
		assert_int_equal(microwire(r, i), eerd(r, i));
		sum = (uint16_t)(sum + eerd(r, i));
	}
	assert_int_equal(sum, 0xbaba);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(eerd(r, i), load_le(rig_mac + 2 * i, 2));
	assert_int_equal(eerd(r, 0xff), 0xffff);
}

/* A write is never done, and changes nothing. */
static void eeprom_is_protected(void **state)
{
	struct rig *r = *state;
	uint16_t was = eerd(r, 0);

	wr(r, R_EECD, REQ | CS);
	clock_out(r, 4, 3); /* enable */
	clock_out(r, 0x30, 6);
	wr(r, R_EECD, REQ);
	wr(r, R_EECD, REQ | CS);
	clock_out(r, 5, 3);
	clock_out(r, 0, 6);
	clock_out(r, 0x1234, 16);
	wr(r, R_EECD, REQ);
	wr(r, R_EECD, REQ | CS);
	assert_false(rd(r, R_EECD) & DO);
	wr(r, R_EECD, 0);
	assert_int_equal(microwire(r, 0), was);
}

/* ---- PHY and link -------------------------------------------------------- */

static uint16_t phy_read(struct rig *r, unsigned n)
{
	wr(r, R_MDIC, 2u << 26 | 1u << 21 | n << 16);
	assert_int_equal(rd(r, R_MDIC) >> 28, 1);
	return (uint16_t)rd(r, R_MDIC);
}

static void phy_write(struct rig *r, unsigned n, uint16_t v)
{
	wr(r, R_MDIC, 1u << 26 | 1u << 21 | n << 16 | v);
}

static void phy(void **state)
{
	struct rig *r = *state;

	assert_int_equal(phy_read(r, 2), 0x0141);
	assert_int_equal(phy_read(r, 3), 0x0c20);
	assert_int_equal(phy_read(r, 1) & 0x24, 0x24);
	assert_int_equal(phy_read(r, 17) & 0xac00, 0xac00);
	phy_write(r, 2, 0xffff);
	assert_int_equal(phy_read(r, 2), 0x0141);
	phy_write(r, 0, 0x9140); /* reset is over at once */
	assert_int_equal(phy_read(r, 0), 0x1140);
	wr(r, R_MDIC, 2u << 26 | 2u << 21); /* nobody there */
	assert_true(rd(r, R_MDIC) & BIT(30));
	for (unsigned i = 0; i < 32; i++) {
		phy_write(r, i, 0xffff);
		(void)phy_read(r, i);
	}
	wr(r, R_CTRL, CTRL_PHY_RST);
	assert_int_equal(phy_read(r, 0), 0x1140);
}

static void link_and_lsc(void **state)
{
	struct rig *r = *state;

	assert_false(rd(r, R_STATUS) & STATUS_LU);
	wr(r, R_IMS, INT_LSC);
	wr(r, R_CTRL, CTRL_SLU);
	assert_int_equal(rd(r, R_STATUS), 0x83);
	assert_true(r->level);
	assert_int_equal(rd(r, R_ICR) & INT_LSC, INT_LSC);
	assert_false(r->level);
	phy_write(r, 0, 0x1940); /* powered down */
	assert_false(rd(r, R_STATUS) & STATUS_LU);
	assert_true(r->level);
	(void)rd(r, R_ICR);
	phy_write(r, 0, 0x1140);
	assert_true(rd(r, R_STATUS) & STATUS_LU);
	assert_true(r->level);
}

static void tap_goes(void **state)
{
	struct rig *r = *state;

	rig_start(r, 0);
	wr(r, R_IMS, INT_LSC);
	for (unsigned i = 0; i < 3; i++)
		r->e->watch.ready(r->e, EPOLLERR);
	assert_int_equal(r->said, 1);
	assert_int_equal(r->deleted, 1);
	assert_true(r->level);
	assert_false(rd(r, R_STATUS) & STATUS_LU);
	/* And for ever. */
	r->desc.ops->reset(r->e);
	wr(r, R_CTRL, CTRL_SLU | CTRL_PHY_RST);
	assert_false(rd(r, R_STATUS) & STATUS_LU);
}

/* ---- interrupts ---------------------------------------------------------- */

static void causes(void **state)
{
	struct rig *r = *state;

	for (unsigned i = 0; i < 10; i++) {
		wr(r, R_IMC, ~0u);
		wr(r, R_ICS, BIT(i));
		assert_false(r->level);
		wr(r, R_IMS, BIT(i));
		assert_true(r->level);
		assert_int_equal(rd(r, R_ICR), BIT(i));
		assert_false(r->level);
		wr(r, R_ICS, ~BIT(i));
		assert_false(r->level);
		wr(r, R_ICS, BIT(i));
		assert_true(r->level);
		wr(r, R_ICR, BIT(i)); /* a one clears */
		assert_false(r->level);
		(void)rd(r, R_ICR);
	}
	assert_int_equal(rd(r, R_IMS), BIT(9));
	assert_int_equal(rd(r, R_ICS), 0);
	assert_int_equal(rd(r, R_IMC), 0);
}

static bool timer_within(struct rig *r, int ms)
{
	struct pollfd p = { .fd = r->e->irq.timer_fd, .events = POLLIN };

	if (poll(&p, 1, ms) <= 0)
		return false;
	r->e->irq.watch.ready(r->e, EPOLLIN);
	return true;
}

static void throttle(void **state)
{
	struct rig *r = *state;

	wr(r, R_IMS, INT_RXT0);
	wr(r, R_ITR, 0xffff); /* 16.8 ms */
	wr(r, R_ICS, INT_RXT0);
	assert_true(r->level);
	assert_false(timer_within(r, 0)); /* nothing waits */
	(void)rd(r, R_ICR);
	wr(r, R_ICS, INT_RXT0);
	assert_false(r->level);
	while (!r->level)
		assert_true(timer_within(r, 1000));
	assert_int_equal(r->highs, 2);
	(void)rd(r, R_ICR);
	/* What is read before its time does not come. */
	wr(r, R_ICS, INT_RXT0);
	assert_int_equal(rd(r, R_ICR), INT_RXT0);
	assert_true(timer_within(r, 1000));
	assert_false(r->level);
	assert_false(timer_within(r, 30));
}

/* ---- reset and statistics ------------------------------------------------ */

static void resets(void **state)
{
	struct rig *r = *state;

	rig_start(r, RCTL_UPE);
	wr(r, R_IMS, ~0u);
	wr(r, R_ICS, INT_TXDW);
	wr(r, R_RA, 0);
	assert_true(r->level);
	r->desc.ops->reset(r->e);
	assert_false(r->level);
	assert_int_equal(rd(r, R_IMS), 0);
	assert_int_equal(rd(r, R_RCTL), 0);
	assert_int_equal(rd(r, R_RDT), 0);
	assert_int_equal(rd(r, R_RA), load_le(rig_mac, 4));
	assert_int_equal(rd(r, R_RA + 4), load_le(rig_mac + 4, 2) | RAH_AV);
	assert_int_equal(r->events, 0);
}

static void statistics(void **state)
{
	struct rig *r = *state;
	uint8_t dst[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct e1000_count c = { 0 };

	static const uint32_t len[] = {
		60, 64, 65, 127, 128, 1023, 1024, 9000
	};

	for (unsigned i = 0; i < ARRAY_SIZE(len); i++)
		e1000_count_frame(&c, dst, len[i]);
	e1000_count_tx(r->e, &c);
	assert_int_equal(rd(r, 0x4080), 8);
	assert_int_equal(rd(r, 0x4080), 0); /* cleared */
	assert_int_equal(rd(r, 0x40d8), 2);
	assert_int_equal(rd(r, 0x40dc), 2);
	assert_int_equal(rd(r, 0x40e0), 1);
	assert_int_equal(rd(r, 0x40e8), 1);
	assert_int_equal(rd(r, 0x40ec), 2);
	assert_int_equal(rd(r, 0x40f4), 8);
	assert_int_equal(rd(r, 0x4090), 11491);
	assert_int_equal(rd(r, 0x4090), 11491); /* with its upper half */
	assert_int_equal(rd(r, 0x4094), 0);
	assert_int_equal(rd(r, 0x4090), 0);
	c.packets = UINT32_MAX;
	e1000_count_rx(r->e, &c);
	c.packets = 5;
	e1000_count_rx(r->e, &c);
	assert_int_equal(rd(r, 0x4074), UINT32_MAX);
}

static void what_it_is(void **state)
{
	struct rig *r = *state;

	assert_int_equal(r->desc.vendor, 0x8086);
	assert_int_equal(r->desc.device, 0x100e);
	assert_int_equal(r->desc.class, 0x020000);
	assert_int_equal(r->desc.bar[0].size, 128 << 10);
	assert_int_equal(r->desc.bar[1].kind, CFG_BAR_IO);
	assert_int_equal(r->desc.vectors, 0);
	assert_true(r->desc.intx);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_it_is),
		TEST(keeps_what_it_has),
		TEST(every_register),
		TEST(less_than_a_dword),
		TEST(io_window),
		TEST(buffer_is_shared),
		TEST(eeprom),
		TEST(eeprom_is_protected),
		TEST(phy),
		TEST(link_and_lsc),
		TEST(tap_goes),
		TEST(causes),
		TEST(throttle),
		TEST(resets),
		TEST(statistics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
