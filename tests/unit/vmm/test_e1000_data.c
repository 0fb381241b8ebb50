/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 82540EM's rings: packets to the tap and from it, and a guest that means
 * harm. */

#include "e1000_rig.h"

enum {
	EOP = 1 << 24,
	IFCS = 1 << 25,
	TSE = 1 << 26, /* legacy: IC */
	RS = 1 << 27,
	DEXT = 1 << 29,
	VLE = 1 << 30,
	DATA = 1 << 20,
};
#define IDE (1ull << 31)
#define LAST (EOP | IFCS | RS)
#define IXSM (1ull << 40)
#define TXSM (2ull << 40)
#define HEADER 12u
/* Descriptor status, receive. */
#define DD 1u
#define RX_EOP 2u
#define VP 8u

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* A frame of `len` bytes for `dst`, of a pattern. */
static void fill(uint8_t *f, size_t len, const uint8_t *dst)
{
	for (size_t i = 0; i < len; i++)
		f[i] = (uint8_t)(i * 7 + i / 256);
	memcpy(f, dst, 6);
	f[12] = 0x08;
	f[13] = 0x00;
}

static void kick(struct rig *r)
{
	wr(r, R_TDT, r->tail);
}

/* ---- transmit --------------------------------------------------------------
 */

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

/* ---- TCP segmentation ------------------------------------------------------
 */

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

/* ---- receive ---------------------------------------------------------------
 */

struct rx_desc {
	uint64_t addr;
	uint16_t len, csum;
	uint8_t status, errors;
	uint16_t special;
};

static struct rx_desc rx_desc(struct rig *r, unsigned i)
{
	struct rx_desc d;

	memcpy(&d, at(r, RX_RING + 16ull * i), sizeof(d));
	return d;
}

static void rx_one(void **state)
{
	struct rig *r = *state;
	uint8_t f[1514];
	struct rx_desc d;

	rig_start(r, 0);
	wr(r, R_IMS, INT_RXT0);
	fill(f, sizeof(f), rig_mac);
	to_wire(r, f, sizeof(f));
	turn(r);
	d = rx_desc(r, 0);
	assert_int_equal(d.len, 1518); /* the CRC is counted */
	assert_int_equal(d.status & (DD | RX_EOP), DD | RX_EOP);
	assert_int_equal(d.errors, 0);
	assert_memory_equal(at(r, RX_DATA), f, sizeof(f));
	assert_true(r->level);
	assert_int_equal(rd(r, R_RDH), 1);
	/* Short ones are filled up; SECRC takes the CRC off. */
	wr(r, R_RCTL, rd(r, R_RCTL) | RCTL_SECRC);
	memset(at(r, RX_DATA + 2048), 0xff, 100);
	to_wire(r, f, 42);
	turn(r);
	assert_int_equal(rx_desc(r, 1).len, 60);
	assert_int_equal(*at(r, RX_DATA + 2048 + 59), 0);
	assert_int_equal(rd(r, 0x4074), 2); /* GPRC */
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

/* ---- both ------------------------------------------------------------------
 */

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

/* ---- a guest that means harm -----------------------------------------------
 */

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
		rx_one(state);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tx_legacy),
		TEST(tx_waits_and_wraps),
		TEST(tx_without_crc),
		TEST(tx_checksum),
		TEST(tx_checksum_here),
		TEST(tx_vlan),
		TEST(tx_tso),
		TEST(rx_one),
		TEST(rx_filters),
		TEST(rx_vlan_stripped),
		TEST(rx_jumbo),
		TEST(rx_starves),
		TEST(rx_wraps),
		TEST(rx_off),
		TEST(loops_back),
		TEST(late_causes),
		TEST(late_causes_behind_a_mask),
		TEST(tap_full),
		TEST(no_ram),
		TEST(endless_packet),
		TEST(harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
