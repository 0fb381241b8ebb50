/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A driver of virtio-net (virtio 1.2, 5.1): one buffer a packet both ways, as
 * Linux gives them; kicks and interrupts by event indices. */

#include "tests/bench/packet.h"

#define QUEUE 256u
#define HEADER 12u
#define BUFFER 2048u
#define STOCK 64u /* buffers that are there when packets come alone */

enum {
	CAP_COMMON = 1,
	CAP_NOTIFY = 2,
	RX = 0,
	TX = 1,
};

/* Common configuration, 4.1.4.3. */
enum {
	DRIVER_FEATURE_SELECT = 8,
	DRIVER_FEATURE = 12,
	STATUS = 20,
	QUEUE_SELECT = 22,
	QUEUE_SIZE = 24,
	QUEUE_VECTOR = 26,
	QUEUE_ENABLE = 28,
	QUEUE_NOTIFY_OFF = 30,
	QUEUE_DESC = 32,
};

#define FEATURES                                                               \
	(VIRTIO_F(5) /* MAC */ | VIRTIO_F(15) /* MRG_RXBUF */ |                \
	 VIRTIO_F(29) /* EVENT_IDX */ | VIRTIO_F(32) /* VERSION_1 */)

static struct {
	struct drv q[2];
	uint64_t common, notify[2];
	unsigned done[2], want[2]; /* used, and to be waited for */
	unsigned given;            /* receive buffers, ever */
} s;

static void start_queue(struct bench *b, unsigned i, uint64_t notify,
                        uint32_t multiplier, uint64_t features)
{
	struct drv *g = &s.q[i];

	drv_init_nth(g, &b->vm, i, QUEUE, features);
	bench_write(b, s.common + QUEUE_SELECT, 2, i);
	bench_write(b, s.common + QUEUE_SIZE, 2, QUEUE);
	bench_write(b, s.common + QUEUE_VECTOR, 2, i);
	for (unsigned k = 0; k < 3; k++) {
		const uint64_t at[] = { g->setup.desc, g->setup.driver,
			                g->setup.device };

		bench_write(b, s.common + QUEUE_DESC + 8 * k, 4, at[k]);
		bench_write(b, s.common + QUEUE_DESC + 8 * k + 4, 4, 0);
	}
	s.notify[i] =
		notify +
		multiplier * bench_read(b, s.common + QUEUE_NOTIFY_OFF, 2);
	bench_write(b, s.common + QUEUE_ENABLE, 2, 1);
	drv_interrupts(g, true);
}

static void start(struct bench *b, uint64_t features)
{
	uint32_t multiplier;
	uint64_t notify;

	s.common = bench_virtio_cap(b, CAP_COMMON, &multiplier);
	notify = bench_virtio_cap(b, CAP_NOTIFY, &multiplier);
	bench_write(b, s.common + STATUS, 1, 0);
	bench_write(b, s.common + STATUS, 1, 1 | 2);
	for (unsigned i = 0; i < 2; i++) {
		bench_write(b, s.common + DRIVER_FEATURE_SELECT, 4, i);
		bench_write(b, s.common + DRIVER_FEATURE, 4,
		            (uint32_t)(features >> 32 * i));
	}
	bench_write(b, s.common + STATUS, 1, 1 | 2 | 8);
	if (!(bench_read(b, s.common + STATUS, 1) & 8))
		bench_fail("features of virtio's");
	start_queue(b, RX, notify, multiplier, features);
	start_queue(b, TX, notify, multiplier, features);
	bench_write(b, s.common + STATUS, 1, 1 | 2 | 8 | 4);
}

static void start_split(struct bench *b)
{
	start(b, FEATURES);
}

static void start_packed(struct bench *b)
{
	start(b, FEATURES | VIRTIO_F(34));
}

static bool reaped(struct bench *b _unused_, unsigned i)
{
	struct drv_used u;

	while (drv_used(&s.q[i], &u))
		s.done[i]++;
	return s.done[i] == s.want[i];
}

static bool all_sent(struct bench *b)
{
	return reaped(b, TX);
}

static bool all_come(struct bench *b)
{
	return reaped(b, RX);
}

static void add(unsigned i, unsigned nth, uint32_t len, bool hidden)
{
	struct drv_buf buf = { BENCH_DATA + (uint64_t)BUFFER * (nth % QUEUE) +
		                       i * (1ull << 20),
		               len, i == RX };

	if (drv_add(&s.q[i], &buf, 1, hidden ? DRV_HIDDEN : 0) < 0)
		bench_fail("no room in a ring");
}

static void kick(struct bench *b, unsigned i)
{
	if (drv_wants_kick(&s.q[i]))
		bench_write(b, s.notify[i], 2, i);
}

static void send(struct bench *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		add(TX, i, HEADER + b->frame, i + 1 < n);
	s.want[TX] += n;
	kick(b, TX);
	bench_until(b, all_sent);
	drv_interrupts(&s.q[TX], true);
}

static void give(struct bench *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		add(RX, s.given++, BUFFER, i + 1 < n);
	kick(b, RX);
}

static void receive(struct bench *b, unsigned n)
{
	bench_arrive(b, n);
	give(b, n);
	s.want[RX] += n;
	bench_until(b, all_come);
	drv_interrupts(&s.q[RX], true);
}

static void receive_alone(struct bench *b, unsigned n)
{
	if (!s.given)
		give(b, STOCK);
	for (unsigned i = 0; i < n; i++) {
		bench_arrive(b, 1);
		s.want[RX]++;
		bench_until(b, all_come);
		give(b, 1);
		drv_interrupts(&s.q[RX], true);
	}
}

const struct driver virtio_split = { start_split, send, receive,
	                             receive_alone };
const struct driver virtio_packed = { start_packed, send, receive,
	                              receive_alone };
