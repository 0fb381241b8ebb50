/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A driver of the 82540EM: descriptors as Linux' e1000 writes them, the
 * interrupt's cause read once a burst. */

#include <unistd.h>

#include "tests/bench/packet.h"
#include "vmm/e1000.h"

#define RING 256u
#define BUFFER 2048u
#define STOCK 64u /* buffers that are there when packets come alone */
#define RX_RING 0x10000ull
#define TX_RING 0x20000ull

/* SDM 3.2.3, 3.3.7. */
#define TX_COMMAND 0x2b100000ull /* DEXT, RS, IFCS, EOP; data */
#define DONE (1ull << 32)

static struct {
	uint64_t *rx, *tx; /* two words a descriptor */
	unsigned rx_next, tx_next, rx_tail;
	unsigned given;
} s;

static void put(struct bench *b, uint32_t reg, uint32_t v)
{
	bench_write(b, BENCH_BAR + reg, 4, v);
}

static void ring(struct bench *b, uint32_t reg, uint64_t at)
{
	put(b, reg, (uint32_t)at);
	put(b, reg + 4, 0);
	put(b, reg + 8, RING * 16);
	put(b, reg + 0x10, 0);
	put(b, reg + 0x18, 0);
}

static void start(struct bench *b)
{
	s.rx = drv_ram(&b->vm, RX_RING);
	s.tx = drv_ram(&b->vm, TX_RING);
	ring(b, R_RDBAL, RX_RING);
	ring(b, R_TDBAL, TX_RING);
	put(b, R_CTRL, CTRL_SLU | CTRL_FD);
	put(b, R_RCTL, RCTL_EN | RCTL_BAM | RCTL_SECRC);
	put(b, R_TCTL, TCTL_EN | 1u << 3);
	put(b, R_IMS, 0x9d);
	usleep(100000); /* QEMU's receives a moment after RCTL */
}

static bool all_sent(struct bench *b _unused_)
{
	unsigned last = (s.tx_next + RING - 1) % RING;

	return __atomic_load_n(&s.tx[2 * last + 1], __ATOMIC_ACQUIRE) & DONE;
}

static void send(struct bench *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t *d = &s.tx[2 * s.tx_next];

		d[0] = htole64(BENCH_DATA + (uint64_t)BUFFER * i);
		d[1] = htole64(b->frame | TX_COMMAND);
		s.tx_next = (s.tx_next + 1) % RING;
	}
	put(b, R_TDT, s.tx_next);
	bench_until(b, all_sent);
	(void)bench_read(b, BENCH_BAR + R_ICR, 4);
}

static void give(struct bench *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t *d = &s.rx[2 * s.rx_tail];

		d[0] = htole64(BENCH_DATA + (1ull << 20) +
		               (uint64_t)BUFFER * s.rx_tail);
		d[1] = 0;
		s.rx_tail = (s.rx_tail + 1) % RING;
	}
	s.given += n;
	put(b, R_RDT, s.rx_tail);
}

static bool all_come(struct bench *b _unused_)
{
	unsigned last = (s.rx_next + RING - 1) % RING;

	return __atomic_load_n(&s.rx[2 * last + 1], __ATOMIC_ACQUIRE) & DONE;
}

static void wait_come(struct bench *b, unsigned n)
{
	s.rx_next = (s.rx_next + n) % RING;
	bench_until(b, all_come);
	(void)bench_read(b, BENCH_BAR + R_ICR, 4);
}

static void receive(struct bench *b, unsigned n)
{
	bench_arrive(b, n);
	give(b, n);
	wait_come(b, n);
}

/* Buffers by the dozen, as drivers give them. */
static void receive_alone(struct bench *b, unsigned n)
{
	if (!s.given)
		give(b, STOCK);
	for (unsigned i = 0; i < n; i++) {
		bench_arrive(b, 1);
		wait_come(b, 1);
		if (i % 16 == 15)
			give(b, 16);
	}
}

const struct driver e1000_driver = { start, send, receive, receive_alone };
