/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 82540EM's rings: packets to the tap, and both ways at once. What comes
 * from the tap is test_e1000_data_rx.c's, harm test_e1000_data_harm.c's.
 */

#include "e1000_packets.h"

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* ---- transmit ------------------------------------------------------------ */

static void tx_legacy(void **state)
{
	struct rig *r = *state;
	uint8_t buf[4096];

	rig_start(r, 0);
	fill(at(r, TX_DATA), 1000, rig_mac);
	tx_desc(r, TX_DATA, 600);
	tx_desc(r, TX_DATA + 600, 0); /* nothing */
	tx_desc(r, TX_DATA + 600, 400 | LAST);
	kick(r);
	assert_int_equal(from_wire(r, buf, sizeof(buf)), HEADER + 1000);
	assert_int_equal(buf[0], 0);
	assert_memory_equal(buf + HEADER, at(r, TX_DATA), 1000);
	assert_int_equal(rd(r, R_TDH), 3);
	assert_int_equal(tx_status(r, 0), 0); /* without RS */
	assert_int_equal(tx_status(r, 2), 1);
	assert_int_equal(rd(r, R_ICR) & (INT_TXDW | INT_TXQE),
	                 INT_TXDW | INT_TXQE);
	assert_int_equal(rd(r, 0x4080), 1); /* GPTC */
	assert_int_equal(rd(r, 0x4090), 1004);
}

/* Half of a packet waits for the other, around the ring's end. */
static void tx_waits_and_wraps(void **state)
{
	struct rig *r = *state;
	uint8_t buf[4096];

	rig_start(r, 0);
	for (unsigned i = 0; i < 5 * RING; i++) {
		fill(at(r, TX_DATA), 100 + i, rig_mac);
		tx_desc(r, TX_DATA, 50);
		kick(r);
		assert_int_equal(from_wire(r, buf, sizeof(buf)), -1);
		tx_desc(r, TX_DATA + 50, (50 + i) | LAST);
		kick(r);
		assert_int_equal(from_wire(r, buf, sizeof(buf)),
		                 HEADER + 100 + i);
		assert_memory_equal(buf + HEADER, at(r, TX_DATA), 100 + i);
		assert_int_equal(rd(r, R_TDH), r->tail);
	}
}

static void tx_without_crc(void **state)
{
	struct rig *r = *state;
	uint8_t buf[4096];

	rig_start(r, 0);
	tx_desc(r, TX_DATA, 98);
	tx_desc(r, TX_DATA, 2 | EOP);
	kick(r);
	assert_int_equal(from_wire(r, buf, sizeof(buf)), HEADER + 96);
}

static void context(struct rig *r, bool ip4, unsigned hdrlen, unsigned mss,
                    uint32_t more)
{
	uint64_t ip = 14, tcp = ip + (ip4 ? 20 : 40);
	uint64_t q0 = ip | (ip + 10) << 8 | (ip4 ? tcp - 1 : 0) << 16 |
	              tcp << 32 | (tcp + 16) << 40;

	tx_desc(r, q0,
	        DEXT | more | 1u << 24 | (ip4 ? 1u << 25 : 0) |
	                (uint64_t)hdrlen << 40 | (uint64_t)mss << 48);
}

static void tx_checksum(void **state)
{
	struct rig *r = *state;
	uint8_t buf[4096];

	rig_start(r, 0);
	fill(at(r, TX_DATA), 500, rig_mac);
	context(r, true, 0, 0, 0);
	tx_desc(r, TX_DATA, 500 | DATA | DEXT | LAST | TXSM);
	kick(r);
	assert_int_equal(from_wire(r, buf, sizeof(buf)), HEADER + 500);
	assert_int_equal(buf[0], VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(load_le(buf + 6, 2), 34);
	assert_int_equal(load_le(buf + 8, 2), 16);
	assert_memory_equal(buf + HEADER, at(r, TX_DATA), 500);
	/* The context stays; the IP header's is made here. */
	memset(at(r, TX_DATA + 24), 0, 2);
	tx_desc(r, TX_DATA, 500 | DATA | DEXT | LAST | TXSM | IXSM);
	kick(r);
	assert_int_equal(from_wire(r, buf, sizeof(buf)), HEADER + 500);
	assert_int_equal(e1000_fold(e1000_sum(buf + HEADER + 14, 20, 0)),
	                 0xffff);
	/* A legacy descriptor's: CSS 34, CSO 50. */
	tx_desc(r, TX_DATA, 500 | 50 << 16 | LAST | TSE | 34ull << 40);
	kick(r);
	assert_int_equal(from_wire(r, buf, sizeof(buf)), HEADER + 500);
	assert_int_equal(load_le(buf + 6, 2), 34);
	assert_int_equal(load_le(buf + 8, 2), 16);
}

/* What the header cannot say is computed: a sum that ends before the packet. */
static void tx_checksum_here(void **state)
{
	struct rig *r = *state;
	uint8_t buf[4096];
	uint16_t sum;

	rig_start(r, 0);
	fill(at(r, TX_DATA), 101, rig_mac);
	memset(at(r, TX_DATA + 50), 0, 2);
	tx_desc(r, 34ull << 32 | 50ull << 40 | 79ull << 48, DEXT);
	tx_desc(r, TX_DATA, 101 | DATA | DEXT | LAST | TXSM);
	kick(r);
	assert_int_equal(from_wire(r, buf, sizeof(buf)), HEADER + 101);
	assert_int_equal(buf[0], 0);
	sum = e1000_fold(e1000_sum(buf + HEADER + 34, 46, 0));
	assert_int_equal(sum, 0xffff);
}

static void tx_vlan(void **state)
{
	struct rig *r = *state;
	uint8_t buf[4096];

	rig_start(r, 0);
	wr(r, R_VET, 0x8100);
	wr(r, R_CTRL, rd(r, R_CTRL) | CTRL_VME);
	fill(at(r, TX_DATA), 500, rig_mac);
	context(r, true, 0, 0, 0);
	tx_desc(r, TX_DATA, 5);
	tx_desc(r, TX_DATA + 5,
	        495 | DATA | DEXT | LAST | VLE | 0x6123ull << 48);
	kick(r);
	assert_int_equal(from_wire(r, buf, sizeof(buf)), HEADER + 504);
	assert_int_equal(be16(buf + HEADER + 12), 0x8100);
	assert_int_equal(be16(buf + HEADER + 14), 0x6123);
	assert_memory_equal(buf + HEADER, at(r, TX_DATA), 12);
	assert_memory_equal(buf + HEADER + 16, at(r, TX_DATA + 12), 488);
	tx_desc(r, TX_DATA,
	        500 | DATA | DEXT | LAST | VLE | TXSM | 0x6123ull << 48);
	kick(r);
	assert_int_equal(from_wire(r, buf, sizeof(buf)), HEADER + 504);
	assert_int_equal(load_le(buf + 6, 2), 38);
}

/* ---- TCP segmentation ---------------------------------------------------- */

static void tcp_headers(uint8_t *f, bool ip4)
{
	uint8_t *ip = f + 14, *tcp = ip + (ip4 ? 20 : 40);

	memset(ip, 0, ip4 ? 40 : 60);
	if (ip4) {
		ip[0] = 0x45;
		ip[4] = 0x12; /* identification */
		ip[9] = 6;
	} else {
		ip[0] = 0x60;
		ip[6] = 6;
	}
	f[12] = ip4 ? 0x08 : 0x86;
	f[13] = ip4 ? 0x00 : 0xdd;
	tcp[7] = 100; /* sequence */
	tcp[12] = 0x50;
	tcp[13] = 0x19; /* ACK, PSH, FIN */
	tcp[17] = 6;    /* the pseudo header of addresses 0, without length */
}

static void tso_offloaded(struct rig *r, bool ip4)
{
	unsigned hdr = ip4 ? 54 : 74, tcp = hdr - 20;
	uint8_t buf[16384];

	fill(at(r, TX_DATA), 8000, rig_mac);
	tcp_headers(at(r, TX_DATA), ip4);
	context(r, ip4, hdr, 1448, TSE);
	tx_desc(r, TX_DATA, hdr | DATA | DEXT | TSE | TXSM | (ip4 ? IXSM : 0));
	tx_desc(r, TX_DATA + hdr, 4000 | DATA | DEXT | TSE);
	tx_desc(r, TX_DATA + hdr + 4000,
	        (4000 - hdr) | DATA | DEXT | TSE | LAST);
	kick(r);
	assert_int_equal(from_wire(r, buf, sizeof(buf)), HEADER + 8000);
	assert_int_equal(buf[0], VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(buf[1], ip4 ? VIRTIO_NET_HDR_GSO_TCPV4
	                             : VIRTIO_NET_HDR_GSO_TCPV6);
	assert_int_equal(load_le(buf + 2, 2), hdr);
	assert_int_equal(load_le(buf + 4, 2), 1448);
	assert_int_equal(load_le(buf + 6, 2), tcp);
	if (ip4) {
		assert_int_equal(be16(buf + HEADER + 16), 8000 - 14);
		assert_int_equal(
			e1000_fold(e1000_sum(buf + HEADER + 14, 20, 0)),
			0xffff);
	} else {
		assert_int_equal(be16(buf + HEADER + 18), 8000 - hdr + 20);
	}
	/* With the length in it. */
	assert_int_equal(be16(buf + HEADER + tcp + 16), 6 + 8000 - tcp);
	assert_memory_equal(buf + HEADER + hdr, at(r, TX_DATA + hdr),
	                    8000 - hdr);
}

static void tx_tso(void **state)
{
	struct rig *r = *state;

	rig_start(r, 0);
	tso_offloaded(r, true);
	tso_offloaded(r, false);
	assert_int_equal(rd(r, 0x40f8), 2); /* TSCTC */
}

/* ---- both ---------------------------------------------------------------- */

/* What a driver's test of loopback does. */
static void loops_back(void **state)
{
	struct rig *r = *state;
	uint8_t buf[64];

	rig_start(r, RCTL_UPE);
	wr(r, R_MDIC, 1u << 26 | 1u << 21 | 0x4140);
	fill(at(r, TX_DATA), 1024, rig_mac);
	tx_desc(r, TX_DATA, 1024 | LAST);
	kick(r);
	assert_int_equal(from_wire(r, buf, sizeof(buf)), -1);
	assert_int_equal(rx_desc(r, 0).len, 1028);
	assert_memory_equal(at(r, RX_DATA), at(r, TX_DATA), 1024);
	/* Segments, whole: each with its headers and sums. */
	tcp_headers(at(r, TX_DATA), true);
	context(r, true, 54, 400, TSE);
	tx_desc(r, TX_DATA, 1024 | DATA | DEXT | TSE | LAST | TXSM | IXSM);
	kick(r);
	for (unsigned i = 0; i < 3; i++) {
		uint8_t *f = at(r, RX_DATA + 2048 * (1 + i));
		unsigned len = i < 2 ? 454 : 224;

		assert_int_equal(rx_desc(r, 1 + i).len, len + 4);
		assert_int_equal(be16(f + 16), len - 14);
		assert_int_equal(be16(f + 18), 0x1200 + i);
		assert_int_equal(be16(f + 40), 100 + 400 * i);
		assert_int_equal(f[47], i < 2 ? 0x10 : 0x19);
		assert_int_equal(e1000_fold(e1000_sum(f + 14, 20, 0)), 0xffff);
		assert_int_equal(
			e1000_fold(e1000_sum(f + 34, len - 34, 6 + len - 34)),
			0xffff);
		assert_memory_equal(f + 54, at(r, TX_DATA + 54 + 400 * i),
		                    len - 54);
	}
}

/* TXDW that may wait comes with RXT0, or by its timer. */
static void late_causes(void **state)
{
	struct rig *r = *state;
	struct pollfd p = { .fd = r->e->irq.timer_fd, .events = POLLIN };
	uint8_t f[60];

	rig_start(r, 0);
	wr(r, R_IMS, INT_TXDW | INT_RXT0);
	wr(r, R_TIDV, 0xffff); /* 67 ms */
	tx_desc(r, TX_DATA, 60 | LAST | IDE);
	kick(r);
	assert_int_equal(tx_status(r, 0), 1);
	assert_false(r->level);
	fill(f, sizeof(f), rig_mac);
	to_wire(r, f, sizeof(f));
	turn(r);
	assert_true(r->level);
	assert_int_equal(rd(r, R_ICR) & (INT_TXDW | INT_RXT0),
	                 INT_TXDW | INT_RXT0);
	tx_desc(r, TX_DATA, 60 | LAST | IDE);
	kick(r);
	assert_false(r->level);
	while (!r->level) {
		assert_int_equal(poll(&p, 1, 1000), 1);
		r->e->irq.watch.ready(r->e, EPOLLIN);
	}
	assert_true(rd(r, R_ICR) & INT_TXDW);
	/* Not while a quarter of the ring waits. */
	for (unsigned i = 0; i < RING / 4; i++)
		tx_desc(r, TX_DATA, 60 | LAST | IDE);
	kick(r);
	assert_true(r->level);
}

/* Linux has all causes masked while it polls: what may wait then comes after,
 * at the latest when its time is over. */
static void late_causes_behind_a_mask(void **state)
{
	struct rig *r = *state;
	struct pollfd p = { .fd = r->e->irq.timer_fd, .events = POLLIN };
	uint8_t f[60];

	rig_start(r, 0);
	wr(r, R_TIDV, 0x4000); /* 17 ms */
	tx_desc(r, TX_DATA, 60 | LAST | IDE);
	kick(r);
	assert_int_equal(poll(&p, 1, 30), 0); /* nobody waits */
	wr(r, R_IMS, INT_TXDW);
	assert_true(r->level);
	assert_true(rd(r, R_ICR) & INT_TXDW);
	wr(r, R_IMC, UINT32_MAX);
	tx_desc(r, TX_DATA, 60 | LAST | IDE);
	kick(r);
	wr(r, R_IMS, INT_TXDW);
	assert_false(r->level);
	while (!r->level) {
		assert_int_equal(poll(&p, 1, 1000), 1);
		r->e->irq.watch.ready(r->e, EPOLLIN);
	}
	/* Each has its own time. */
	(void)rd(r, R_ICR);
	wr(r, R_TIDV, 0xffff); /* 67 ms */
	wr(r, R_RDTR, 1);
	wr(r, R_IMS, INT_RXT0);
	tx_desc(r, TX_DATA, 60 | LAST | IDE);
	kick(r);
	fill(f, sizeof(f), rig_mac);
	to_wire(r, f, sizeof(f));
	turn(r);
	assert_true(r->e->irq.late_ns < now_ns() + 30000000);
}

/* The tap is full: the rest goes when it is not, in order. */
static void tap_full(void **state)
{
	struct rig *r = *state;
	unsigned sent = 0, got = 0;
	uint8_t buf[2048];

	rig_start(r, 0);
	while (!(r->events & EPOLLOUT)) {
		tx_desc(r, TX_DATA + 64ull * (sent % 64), 60 | LAST);
		*at(r, TX_DATA + 64ull * (sent % 64) + 20) = (uint8_t)sent;
		sent++;
		kick(r);
		assert_true(sent < 10000);
	}
	while (from_wire(r, buf, sizeof(buf)) > 0) {
		assert_int_equal(buf[HEADER + 20], got & 0xff);
		got++;
		turn(r);
	}
	assert_int_equal(got, sent);
	assert_false(r->events & EPOLLOUT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tx_legacy),        TEST(tx_waits_and_wraps),
		TEST(tx_without_crc),   TEST(tx_checksum),
		TEST(tx_checksum_here), TEST(tx_vlan),
		TEST(tx_tso),           TEST(loops_back),
		TEST(late_causes),      TEST(late_causes_behind_a_mask),
		TEST(tap_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
