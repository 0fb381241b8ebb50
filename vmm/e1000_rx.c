/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The receive ring, SDM 3.2: the tap is read straight into the guest's
 * buffers, then looked at, and given to the guest, or kept for the next frame
 * where it is not the guest's. The buffers are the device's until then, so
 * nobody sees the difference.
 *
 * A guest that gives no buffers leaves frames in the tap, whose queue the
 * kernel limits; nothing is read, and nothing watched, until RDT moves.
 *
 * The CRC is counted in the length unless SECRC is set, but not computed: no
 * driver looks at one that the hardware has checked.
 */

#include "vmm/e1000.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Second quadword. */
enum {
	STATUS_DD = BIT(0),
	STATUS_EOP = BIT(1),
	STATUS_IXSM = BIT(2), /* checksums were not looked at */
	STATUS_VP = BIT(3),   /* `special` is the frame's tag */
	STATUS_TCPCS = BIT(5),
};
#define Q_STATUS(s) ((uint64_t)(s) << 32)
#define Q_SPECIAL(s) ((uint64_t)(s) << 48)

#define STANDARD_MAX 1522u /* SDM 3.2.3, with tag and CRC */

/* ---- free descriptors ---------------------------------------------------- */

static uint32_t available(const struct e1000_ring *r)
{
	uint32_t head = atomic_load(&r->head), tail = atomic_load(&r->tail);

	if (!r->base || head >= r->n || tail >= r->n)
		return 0;
	return tail >= head ? tail - head : tail + r->n - head;
}

/* What the ring can never have is not waited for. */
static uint32_t wanted(const struct e1000_rx *rx)
{
	return MAX(1u, MIN(atomic_load(&rx->need), rx->ring.n / 2));
}

static uint32_t wrap(const struct e1000_ring *r, uint32_t i)
{
	return i >= r->n ? i - r->n : i;
}

/* A buffer that is not in RAM takes the frame nowhere. */
static void *buffer(struct e1000 *e, const uint8_t *desc)
{
	struct e1000_rx *rx = &e->rx;
	const uint64_t *at = (const void *)desc;
	struct gpa gpa = { le64toh(__atomic_load_n(at, __ATOMIC_RELAXED)) };
	void *p = memory_at(e->vm, gpa, rx->size);

	if (p)
		return p;
	if (!rx->sink)
		rx->sink = malloc(E1000_FRAME_MAX);
	return rx->sink;
}

/* Pieces for the longest frame, or as many as there are, and not a byte more:
 * a frame that is too long is seen before it is stored (SDM 3.2.3), on which
 * drivers rely whose buffers end there and not where RCTL says. */
static void make_room(struct e1000 *e, uint32_t n)
{
	struct e1000_rx *rx = &e->rx;
	struct e1000_room *m = &rx->room;
	uint32_t i = atomic_load(&rx->ring.head), part;
	void *at;

	m->n = m->bytes = 0;
	while (m->n < n && m->bytes < rx->longest) {
		at = buffer(e, rx->ring.base + i * E1000_DESC);
		if (!at)
			break;
		part = MIN(rx->size, rx->longest - E1000_CRC - m->bytes);
		m->iov[1 + m->n++] = (struct iovec){ at, part };
		m->bytes += rx->size;
		i = wrap(&rx->ring, i + 1);
	}
	m->iov[0] = (struct iovec){ &m->hdr, sizeof(m->hdr) };
	m->iov[1 + m->n] = (struct iovec){ &m->more, 1 };
}

static bool ready(struct e1000 *e)
{
	return e->rx.on && own_dma(e->own);
}

/* False = the guest must give more first. */
static bool get_room(struct e1000 *e)
{
	struct e1000_rx *rx = &e->rx;
	uint32_t n = available(&rx->ring), need = wanted(rx);

	if (n < need) {
		atomic_store(&rx->starved, true);
		n = available(&rx->ring); /* since then */
		if (n < need)
			return false;
		atomic_store(&rx->starved, false);
	}
	make_room(e, n);
	return rx->room.n > 0;
}

/* ---- a frame that lies in the room --------------------------------------- */

/* Takes the four bytes behind the addresses out: SDM 9.4. */
static uint16_t take_tag(struct e1000_room *m, uint32_t len)
{
	uint8_t *f = m->iov[1].iov_base;
	uint16_t tag = (uint16_t)(f[E1000_MACS + 2] << 8 | f[E1000_MACS + 3]);
	size_t size = m->iov[1].iov_len, at = E1000_MACS;

	for (unsigned i = 1; i <= m->n && len > at; i++, at = 0) {
		uint8_t *p = m->iov[i].iov_base;
		size_t here = MIN((size_t)len, size);

		if (here > at + E1000_TAG)
			memmove(p + at, p + at + E1000_TAG,
			        here - at - E1000_TAG);
		len -= (uint32_t)here;
		if (len && i < m->n)
			memcpy(p + size - E1000_TAG, m->iov[i + 1].iov_base,
			       MIN(len, E1000_TAG));
	}
	return tag;
}

static bool tagged(const struct e1000 *e, const uint8_t *f, uint32_t len)
{
	return e1000_reg(e, R_CTRL) & CTRL_VME &&
	       len >= E1000_MACS + E1000_TAG + 2 &&
	       (uint32_t)(f[12] << 8 | f[13]) == e1000_reg(e, R_VET);
}

/* The kernel may know that the frame's checksum is right. */
static unsigned checksum_status(const struct e1000 *e)
{
	bool valid = e->rx.room.hdr.hdr.flags & VIRTIO_NET_HDR_F_DATA_VALID;

	return valid && e1000_reg(e, R_RXCSUM) & RXCSUM_TUOFLD ? STATUS_TCPCS
	                                                       : STATUS_IXSM;
}

/* Descriptors from the head on, each with its part of `len` bytes. */
static void give(struct e1000 *e, uint32_t len, unsigned status,
                 uint16_t special)
{
	struct e1000_rx *rx = &e->rx;
	struct e1000_ring *r = &rx->ring;
	uint32_t i = atomic_load(&r->head), part, n = available(r);
	uint32_t used = (len + rx->size - 1) / rx->size;

	for (; len; len -= part, i = wrap(r, i + 1)) {
		uint64_t *q = (void *)(r->base + i * E1000_DESC);
		unsigned s = STATUS_DD;

		part = MIN(len, rx->size);
		if (part == len)
			s |= STATUS_EOP | status;
		/* The frame is there before DD says so. */
		__atomic_store_n(
			&q[1], htole64(part | Q_STATUS(s) | Q_SPECIAL(special)),
			__ATOMIC_RELEASE);
	}
	atomic_store(&r->head, i);
	if (n > rx->low && n - MIN(n, used) <= rx->low)
		rx->causes |= INT_RXDMT0;
}

/* Too long for the buffers that are free, or for all. */
static bool fits(struct e1000_rx *rx, uint32_t len)
{
	uint32_t descs = (len + rx->crc + rx->size - 1) / rx->size;

	if (len + E1000_CRC > rx->longest) {
		rx->count.long_++;
		return false;
	}
	if (descs > atomic_load(&rx->need))
		atomic_store(&rx->need, descs);
	if (len + rx->crc <= rx->room.bytes)
		return true;
	rx->count.missed++;
	rx->causes |= INT_RXO;
	return false;
}

static void frame(struct e1000 *e, uint32_t len)
{
	struct e1000_rx *rx = &e->rx;
	uint8_t *f = rx->room.iov[1].iov_base;
	unsigned status = checksum_status(e);
	uint16_t special = 0;

	if (len < E1000_MACS + 2) {
		rx->count.short_++;
		return;
	}
	if (!fits(rx, len) || !e1000_accepts(e, f, len))
		return;
	e1000_count_frame(&rx->count, f, MAX(len, E1000_MIN) + E1000_CRC);
	if (tagged(e, f, len)) {
		special = take_tag(&rx->room, len);
		len -= E1000_TAG;
		status |= STATUS_VP;
	}
	if (len < E1000_MIN) {
		memset(f + len, 0, E1000_MIN - len);
		len = E1000_MIN;
	}
	give(e, len + rx->crc, status, special);
	rx->causes |= INT_RXT0;
}

/* ---- a burst ------------------------------------------------------------- */

static void tell(struct e1000 *e)
{
	struct e1000_rx *rx = &e->rx;
	uint32_t delay = e1000_reg(e, R_RDTR), causes = rx->causes;

	rx->causes = 0;
	pthread_mutex_lock(&e->lock);
	e1000_count_rx(e, &rx->count);
	if (delay && causes & INT_RXT0) {
		causes &= ~(uint32_t)INT_RXT0;
		e1000_raise_late(e, INT_RXT0, delay);
	}
	if (causes)
		e1000_raise(e, causes);
	e1000_watch(e);
	pthread_mutex_unlock(&e->lock);
}

/* Bytes of a frame, or negative errno. */
static ssize_t read_tap(struct e1000 *e)
{
	struct e1000_room *m = &e->rx.room;
	ssize_t r = readv(e->tap, m->iov, (int)m->n + 2);

	if (r < 0)
		return -errno;
	/* What has no header is no frame; nothing at all is an end. */
	return r == 0 ? -EPIPE : MAX(r - (ssize_t)sizeof(m->hdr), (ssize_t)0);
}

void e1000_rx_run(struct e1000 *e)
{
	ssize_t r = 0;

	pthread_mutex_lock(&e->rx.lock);
	for (unsigned n = 0; n < IO_BURST && ready(e) && get_room(e); n++) {
		r = read_tap(e);
		if (r < 0)
			break;
		frame(e, (uint32_t)r);
	}
	tell(e);
	pthread_mutex_unlock(&e->rx.lock);
	/* An interface that is down has nothing; one that is gone never will.
	 */
	if (r == -EBADFD || r == -EPIPE || r == -ENODEV)
		e1000_gone(e);
}

void e1000_rx_tail(struct e1000 *e, uint32_t tail)
{
	struct e1000_rx *rx = &e->rx;

	atomic_store(&rx->ring.tail, tail & 0xffff);
	if (!atomic_load(&rx->starved))
		return;
	pthread_mutex_lock(&e->lock);
	if (available(&rx->ring) >= wanted(rx))
		atomic_store(&rx->starved, false);
	e1000_watch(e);
	pthread_mutex_unlock(&e->lock);
}

void e1000_rx_loop(struct e1000 *e, const uint8_t *data, uint32_t len)
{
	struct e1000_room *m = &e->rx.room;
	uint32_t off = 0;

	pthread_mutex_lock(&e->rx.lock);
	if (ready(e) && get_room(e)) {
		memset(&m->hdr, 0, sizeof(m->hdr));
		for (unsigned i = 1; i <= m->n && off < len; i++) {
			size_t part = MIN(len - off, m->iov[i].iov_len);

			memcpy(m->iov[i].iov_base, data + off, part);
			off += (uint32_t)part;
		}
		frame(e, len);
	} else {
		e->rx.count.missed++;
	}
	tell(e);
	pthread_mutex_unlock(&e->rx.lock);
}

/* ---- settings ------------------------------------------------------------ */

/* SDM 13.4.22: BSIZE, times 16 with BSEX. */
static uint32_t buffer_size(uint32_t rctl)
{
	uint32_t size = 2048u >> FIELD_GET(RCTL_BSIZE, rctl);

	if (rctl & RCTL_BSEX && size < 2048)
		size *= 16;
	return size;
}

void e1000_rx_setup(struct e1000 *e)
{
	struct e1000_rx *rx = &e->rx;
	uint32_t rctl = e1000_reg(e, R_RCTL), size = buffer_size(rctl);
	unsigned rdmts = FIELD_GET(RCTL_RDMTS, rctl);
	bool on = rctl & RCTL_EN;

	e1000_ring_setup(e, &rx->ring, R_RDBAL);
	rx->longest = rctl & RCTL_LPE ? E1000_FRAME_MAX : STANDARD_MAX;
	rx->crc = rctl & RCTL_SECRC ? 0 : E1000_CRC;
	rx->low = rx->ring.n >> (1 + MIN(rdmts, 2u));
	if (size != rx->size || on != rx->on)
		atomic_store(&rx->need, 1);
	rx->size = size;
	/* While frames come back, those of the tap do not come. */
	rx->on = on;
	atomic_store(&rx->starved, false);
}

bool e1000_rx_ready(const struct e1000 *e)
{
	return e->rx.on && !e->tx.loop && !atomic_load(&e->rx.starved) &&
	       e1000_reg(e, R_STATUS) & STATUS_LU && own_dma(e->own);
}
