/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tests of the 82540EM's rings share: descriptors' bits, frames to send,
 * and what was received. To be included by one file of a test.
 */
#ifndef FL_TESTS_E1000_PACKETS_H
#define FL_TESTS_E1000_PACKETS_H

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

/* A frame of `len` bytes for `dst`, of a pattern. */
static inline void fill(uint8_t *f, size_t len, const uint8_t *dst)
{
	for (size_t i = 0; i < len; i++)
		f[i] = (uint8_t)(i * 7 + i / 256);
	memcpy(f, dst, 6);
	f[12] = 0x08;
	f[13] = 0x00;
}

static inline void kick(struct rig *r)
{
	wr(r, R_TDT, r->tail);
}

struct rx_desc {
	uint64_t addr;
	uint16_t len, csum;
	uint8_t status, errors;
	uint16_t special;
};

static inline struct rx_desc rx_desc(struct rig *r, unsigned i)
{
	struct rx_desc d;

	memcpy(&d, at(r, RX_RING + 16ull * i), sizeof(d));
	return d;
}

/* Of a device that was just reset: a long frame, and a short one. */
static inline void check_rx(struct rig *r)
{
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

#endif
