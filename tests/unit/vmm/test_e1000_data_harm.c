/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 82540EM's rings of a guest that means harm. */

#include "e1000_packets.h"

static void no_ram(void **state)
{
	struct rig *r = *state;
	uint64_t nowhere = ~0ull - 100;
	uint8_t f[100], buf[4096];

	rig_start(r, 0);
	tx_desc(r, nowhere, 200 | LAST);
	tx_desc(r, RAM_AT + RAM_SIZE - 100, 101 | LAST);
	tx_desc(r, RAM_AT + RAM_SIZE - 100, 100 | LAST);
	tx_desc(r, RAM_AT + RAM_SIZE - 1, 1); /* its addresses are cut */
	tx_desc(r, TX_DATA, 99 | LAST);
	kick(r);
	assert_int_equal(from_wire(r, buf, sizeof(buf)), HEADER + 100);
	assert_int_equal(from_wire(r, buf, sizeof(buf)), HEADER + 100);
	assert_int_equal(from_wire(r, buf, sizeof(buf)), -1);
	assert_int_equal(rd(r, R_TDH), 5);
	memcpy(at(r, RX_RING), &nowhere, 8);
	fill(f, sizeof(f), rig_mac);
	to_wire(r, f, sizeof(f));
	to_wire(r, f, sizeof(f));
	turn(r);
	assert_int_equal(rx_desc(r, 0).len, 104);
	assert_memory_equal(at(r, RX_DATA + 2048), f, sizeof(f));
	/* Rings that are nowhere, heads and tails beyond. */
	wr(r, R_TDBAH, 0x7fff);
	kick(r);
	wr(r, R_TDBAH, 0);
	wr(r, R_TDT, RING);
	wr(r, R_TDH, 0xffff);
	kick(r);
	wr(r, R_RDH, 0xffff);
	to_wire(r, f, sizeof(f));
	turn(r);
	assert_int_equal(r->events, 0);
	wr(r, R_RDLEN, 0);
	wr(r, R_RDT, 0);
	turn(r);
}

/* More pieces than a packet has: it is lost, the next one is not. */
static void endless_packet(void **state)
{
	struct rig *r = *state;
	uint8_t buf[4096];
	unsigned n = 1024;

	rig_start(r, 0);
	wr(r, R_TDLEN, n * 16);
	for (unsigned i = 0; i < 600; i++) {
		uint64_t q[2] = { TX_DATA, 10 | (i >= 598 ? LAST : 0) };

		if (i == 599)
			q[1] = 80 | LAST;
		memcpy(at(r, TX_RING + 16ull * i), q, sizeof(q));
	}
	wr(r, R_TDT, 600);
	for (unsigned i = 0; i < 20; i++)
		turn(r);
	assert_int_equal(from_wire(r, buf, sizeof(buf)), HEADER + 80);
	assert_int_equal(rd(r, R_TDH), 600);
}

static uint32_t dice(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void random_desc(struct rig *r, uint32_t *s)
{
	uint64_t q0 = dice(s) % 4 ? TX_DATA + dice(s) % 70000
	                          : (uint64_t)dice(s) << dice(s) % 40;
	uint64_t q1 = (uint64_t)dice(s) << 40 | (uint64_t)dice(s) << 20 |
	              dice(s) % (1u << (1 + dice(s) % 20));

	if (dice(s) % 2)
		q1 |= EOP;
	if (dice(s) % 4 == 0)
		q0 = (uint64_t)dice(s) << 40 | dice(s);
	memcpy(at(r, TX_RING + 16ull * (dice(s) % RING)), &q0, 8);
	memcpy(at(r, TX_RING + 16ull * (dice(s) % RING) + 8), &q1, 8);
	if (dice(s) % 3 == 0)
		memcpy(at(r, RX_RING + 16ull * (dice(s) % RING)), &q0, 8);
}

static void random_step(struct rig *r, uint32_t *s)
{
	static const uint32_t likely[] = { R_RCTL,  R_TCTL, R_CTRL,  R_TDLEN,
		                           R_RDLEN, R_TDH,  R_RDH,   R_MDIC,
		                           R_RDTR,  R_TIDV, R_ITR,   R_IMS,
		                           R_VET,   R_ICR,  R_RDBAL, R_TDBAL };
	uint8_t f[9000];
	uint32_t v = dice(s) << 8 | (dice(s) & 0xff);

	switch (dice(s) % 8) {
	case 0:
		wr(r, likely[dice(s) % ARRAY_SIZE(likely)], v);
		break;
	case 1:
		wr(r, dice(s) % E1000_REGS_END & ~3u, v);
		break;
	case 2:
		(void)rd(r, dice(s) % E1000_REGS_END & ~3u);
		break;
	case 3:
		fill(f, sizeof(f), rig_mac);
		memcpy(f + 12, "\x81\x00\x60\x07", 4);
		if (poll(&(struct pollfd){ r->wire, POLLOUT, 0 }, 1, 0) > 0)
			(void)!send(r->wire, f, 1 + dice(s) % (sizeof(f) - 1),
			            MSG_DONTWAIT);
		break;
	case 4:
		wr(r, R_RDT, dice(s) % (RING + 1));
		break;
	case 5:
		rig_start(r, v & 0x0603ff3c);
		break;
	default:
		random_desc(r, s);
		wr(r, R_TDT, dice(s) % (RING + 1));
	}
}

static void harm(void **state)
{
	struct rig *r = *state;
	uint32_t seed = 82540;
	uint8_t buf[16];

	for (unsigned i = 0; i < 60000; i++) {
		random_step(r, &seed);
		if (r->events & EPOLLOUT)
			r->e->watch.ready(r->e, EPOLLOUT);
		if (r->events & EPOLLIN)
			r->e->watch.ready(r->e, EPOLLIN);
		r->e->irq.watch.ready(r->e, EPOLLIN);
		while (from_wire(r, buf, sizeof(buf)) >= 0)
			;
	}
	/* And it still works. */
	r->desc.ops->reset(r->e);
	r->tail = 0;
	while (recv(r->e->tap, buf, sizeof(buf), MSG_DONTWAIT) >= 0)
		;
	if (!r->said)
		check_rx(r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_ram),
		TEST(endless_packet),
		TEST(harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
