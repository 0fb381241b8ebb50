/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 82540EM's receive ring: which packets of the tap's, and where to. */

#include "e1000_packets.h"

static void rx_one(void **state)
{
	check_rx(*state);
}

static void rx_filters(void **state)
{
	static const uint8_t other[6] = { 0x52, 0x54, 0, 1, 2, 3 };
	static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	static const uint8_t group[6] = { 1, 0, 0x5e, 0x12, 0x34, 0x56 };
	static const struct {
		const uint8_t *dst;
		uint32_t rctl;
		bool mine;
	} table[] = {
		{ rig_mac, 0, true },       { other, 0, false },
		{ other, RCTL_UPE, true },  { other, RCTL_MPE, false },
		{ all, RCTL_BAM, true },    { all, 0, false },
		{ all, RCTL_MPE, true },    { group, 0, false },
		{ group, RCTL_BAM, false }, { group, RCTL_MPE, true },
		{ group, RCTL_UPE, false },
	};
	struct rig *r = *state;
	uint8_t f[64] = { 0 };

	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		wr(r, R_RCTL, table[i].rctl);
		memcpy(f, table[i].dst, 6);
		assert_int_equal(e1000_accepts(r->e, f, 64), table[i].mine);
	}
	/* The hash: bits of the last two bytes, by MO. */
	memcpy(f, group, 6);
	for (unsigned mo = 0; mo < 4; mo++) {
		static const unsigned shift[4] = { 4, 3, 2, 0 };
		unsigned bit = 0x5634u >> shift[mo] & 0xfff;

		wr(r, R_RCTL, mo << 12);
		assert_false(e1000_accepts(r->e, f, 64));
		wr(r, R_MTA + bit / 32 * 4, BIT(bit % 32));
		assert_true(e1000_accepts(r->e, f, 64));
		wr(r, R_MTA + bit / 32 * 4, 0);
	}
	/* A second address, valid or not. */
	memcpy(f, other, 6);
	wr(r, R_RA + 8, (uint32_t)load_le(other, 4));
	wr(r, R_RA + 12, (uint32_t)load_le(other + 4, 2));
	assert_false(e1000_accepts(r->e, f, 64));
	wr(r, R_RA + 12, (uint32_t)load_le(other + 4, 2) | RAH_AV);
	assert_true(e1000_accepts(r->e, f, 64));
	/* VLANs. */
	wr(r, R_VET, 0x8100);
	wr(r, R_RCTL, RCTL_VFE);
	memcpy(f + 12, "\x81\x00\x20\x05", 4);
	assert_false(e1000_accepts(r->e, f, 64));
	wr(r, R_VFTA, BIT(5));
	assert_true(e1000_accepts(r->e, f, 64));
}

static void rx_vlan_stripped(void **state)
{
	struct rig *r = *state;
	uint8_t f[1518];

	rig_start(r, 0);
	wr(r, R_VET, 0x8100);
	wr(r, R_CTRL, rd(r, R_CTRL) | CTRL_VME);
	fill(f, sizeof(f), rig_mac);
	memcpy(f + 12, "\x81\x00\x60\x07", 4);
	to_wire(r, f, sizeof(f));
	turn(r);
	assert_int_equal(rx_desc(r, 0).len, 1518);
	assert_int_equal(rx_desc(r, 0).special, 0x6007);
	assert_true(rx_desc(r, 0).status & VP);
	assert_memory_equal(at(r, RX_DATA), f, 12);
	assert_memory_equal(at(r, RX_DATA + 12), f + 16, sizeof(f) - 16);
	f[13] = 1; /* not a tag */
	to_wire(r, f, sizeof(f));
	turn(r);
	assert_false(rx_desc(r, 1).status & VP);
	assert_memory_equal(at(r, RX_DATA + 2048), f, sizeof(f));
}

/* Every size of buffer, tags in between, frames across buffers. */
static void rx_jumbo(void **state)
{
	static const struct {
		uint32_t bits, size;
	} sizes[] = {
		{ 3u << 16, 256 },
		{ 2u << 16, 512 },
		{ 1u << 16, 1024 },
		{ 0, 2048 },
	};
	struct rig *r = *state;
	uint8_t f[9018];

	wr(r, R_VET, 0x8100);
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint32_t size = sizes[i].size, len = sizes[i].size * 4 + 18;
		unsigned head;

		wr(r, R_CTRL, CTRL_SLU | CTRL_VME);
		rig_start(r, RCTL_LPE | RCTL_SECRC | sizes[i].bits);
		fill(f, sizeof(f), rig_mac);
		memcpy(f + 12, "\x81\x00\x00\x07", 4);
		for (unsigned k = 0; k < 8; k++) {
			head = rd(r, R_RDH);
			wr(r, R_RDT, (head + RING - 1) % RING);
			to_wire(r, f, len + k);
			turn(r);
			for (unsigned n = 0; n < 4; n++)
				assert_int_equal(
					rx_desc(r, (head + n) % RING).len,
					size);
			assert_int_equal(rx_desc(r, (head + 4) % RING).len,
			                 14 + k);
			assert_true(rx_desc(r, (head + 4) % RING).status &
			            RX_EOP);
			assert_memory_equal(at(r, rx_desc(r, head).addr + 12),
			                    f + 16, size - 12);
			for (unsigned n = 1; n < 5; n++)
				assert_memory_equal(
					at(r,
				           rx_desc(r, (head + n) % RING).addr),
					f + n * size + 4,
					n < 4 ? size : 14 + k);
		}
		assert_int_equal(rd(r, 0x40ac), 0); /* ROC */
		r->desc.ops->reset(r->e);
		wr(r, R_VET, 0x8100);
	}
	/* Without LPE it is too long. */
	rig_start(r, 0);
	to_wire(r, f, 1519);
	turn(r);
	assert_int_equal(rd(r, R_RDH), 0);
	assert_int_equal(rd(r, 0x40ac), 1);
}

/* A ring without buffers: nothing is read, nor lost, until there are. */
/* RCTL says buffers of 2048; without LPE a driver's may end at 1522. */
static void rx_too_long(void **state)
{
	static const uint16_t lengths[] = { 1519, 1700, 2047, 2048, 4000 };
	struct rig *r = *state;
	uint8_t f[4000], untouched[2048];

	memset(untouched, 0xee, sizeof(untouched));
	rig_start(r, 0);
	fill(f, sizeof(f), rig_mac);
	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		memset(at(r, RX_DATA), 0xee, 4096);
		to_wire(r, f, lengths[i]);
		turn(r);
		assert_int_equal(rd(r, R_RDH), 0);
		assert_memory_equal(at(r, RX_DATA + 1518), untouched, 530);
		assert_memory_equal(at(r, RX_DATA + 2048), untouched, 2048);
		assert_int_equal(rd(r, 0x40ac), 1); /* ROC */
	}
	to_wire(r, f, 1518);
	turn(r);
	assert_int_equal(rd(r, R_RDH), 1);
	assert_memory_equal(at(r, RX_DATA), f, 1518);
	assert_memory_equal(at(r, RX_DATA + 1518), untouched, 530);
}

static void rx_starves(void **state)
{
	struct rig *r = *state;
	uint8_t f[100];

	rig_start(r, 0);
	wr(r, R_RDT, 2);
	fill(f, sizeof(f), rig_mac);
	for (unsigned i = 0; i < 5; i++) {
		f[20] = (uint8_t)i;
		to_wire(r, f, sizeof(f));
	}
	turn(r);
	assert_int_equal(rd(r, R_RDH), 2);
	assert_int_equal(r->events, 0);
	assert_true(rd(r, R_ICR) & INT_RXT0);
	wr(r, R_RDT, 10);
	assert_int_equal(r->events, EPOLLIN);
	turn(r);
	assert_int_equal(rd(r, R_RDH), 5);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(*at(r, RX_DATA + 2048 * i + 20), i);
	assert_int_equal(rd(r, 0x4010), 0); /* MPC */
}

static void rx_wraps(void **state)
{
	struct rig *r = *state;
	uint8_t f[100];

	rig_start(r, 0);
	fill(f, sizeof(f), rig_mac);
	for (unsigned i = 0; i < 3 * RING; i++) {
		unsigned at_ = i % RING;

		f[20] = (uint8_t)i;
		to_wire(r, f, sizeof(f));
		turn(r);
		assert_int_equal(*at(r, RX_DATA + 2048ull * at_ + 20), i);
		assert_true(rx_desc(r, at_).status & DD);
		wr(r, R_RDT, at_);
	}
}

static void rx_off(void **state)
{
	struct rig *r = *state;

	assert_int_equal(r->events, 0);
	rig_start(r, 0);
	assert_int_equal(r->events, EPOLLIN);
	r->dma = false;
	r->desc.ops->command(r->e, 0);
	assert_int_equal(r->events, 0);
	r->dma = true;
	r->desc.ops->command(r->e, 4);
	assert_int_equal(r->events, EPOLLIN);
	wr(r, R_RCTL, 0);
	assert_int_equal(r->events, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rx_one),   TEST(rx_filters),  TEST(rx_vlan_stripped),
		TEST(rx_jumbo), TEST(rx_too_long), TEST(rx_starves),
		TEST(rx_wraps), TEST(rx_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
