/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets whose checksums and segments are made here, SDM 3.5 and 3.6: those
 * that come back to the guest, and those that the tap's header has no words
 * for (UDP in segments, headers of an unknown protocol, a checksum that ends
 * before the packet does). Slow, and seldom.
 */

#include "vmm/e1000.h"

/* The whole packet, and behind it a segment; each with room for a tag. */
#define BOUNCE (E1000_TAG + E1000_SEND_MAX)
#define SEGMENT (E1000_TAG + UINT8_MAX + E1000_FRAME_MAX)
#define SEGMENTS_MAX 256u /* of a packet: the guest's CPU sends them */

enum {
	TCP_FIN = BIT(0),
	TCP_PSH = BIT(3),
};

static uint32_t get(const uint8_t *p, unsigned width)
{
	uint32_t v = 0;

	while (width--)
		v = v << 8 | *p++;
	return v;
}

static void put(uint8_t *p, unsigned width, uint32_t v)
{
	for (; width--; v >>= 8)
		p[width] = (uint8_t)v;
}

/* The sum of [from, end] into `at`; `add` is what the sum lacks. */
static void checksum(uint8_t *f, uint32_t len, unsigned from, unsigned at,
                     unsigned end, uint32_t add)
{
	uint32_t to = end ? MIN(end + 1u, len) : len;

	if (at + 2 > len || from >= to)
		return;
	put(f + at, 2,
	    ~(uint32_t)e1000_fold(e1000_sum(f + from, to - from, add)));
}

static void checksums(const struct e1000_packet *p, uint8_t *f, uint32_t len)
{
	const struct e1000_context *c = &p->cx;
	/* Of segments the pseudo header's sum is without their length. */
	uint32_t add = p->tso && len > c->tucss ? len - c->tucss : 0;

	if (p->ixsm)
		checksum(f, len, c->ipcss, c->ipcso, c->ipcse, 0);
	if (p->txsm)
		checksum(f, len, c->tucss, c->tucso, c->tucse, add);
}

/* One frame, whose first E1000_TAG bytes are free for a tag. */
static int emit(struct e1000 *e, const struct e1000_packet *p, uint8_t *room,
                uint32_t len)
{
	struct virtio_net_hdr_mrg_rxbuf h = { .num_buffers = 0 };
	struct iovec iov[2] = { { &h, sizeof(h) } };
	uint8_t *f = room + E1000_TAG;

	checksums(p, f, len);
	if (p->tag) {
		memmove(room, f, E1000_MACS);
		put(room + E1000_MACS, 2, e1000_reg(e, R_VET));
		put(room + E1000_MACS + 2, 2, p->vlan);
		f = room;
		len += E1000_TAG;
	}
	if (e->tx.loop) {
		e1000_count_frame(&e->tx.count, f, len + E1000_CRC);
		e1000_rx_loop(e, f, len);
		return 0;
	}
	iov[1] = (struct iovec){ f, len };
	return e1000_put(e, iov, 2, len);
}

/* ---- segments ------------------------------------------------------------ */

/* Headers of the segment at `off` of the payload: SDM 3.5.7 to 3.5.9. */
static void segment_headers(const struct e1000_context *c, uint8_t *f,
                            uint32_t len, uint32_t off, bool last)
{
	unsigned n = c->mss ? off / c->mss : 0;

	if (c->ip4 && c->ipcss + 6u <= len) {
		put(f + c->ipcss + 2, 2, len - c->ipcss);
		put(f + c->ipcss + 4, 2, get(f + c->ipcss + 4, 2) + n);
	} else if (!c->ip4 && c->ipcss + 40u <= len) {
		put(f + c->ipcss + 4, 2, len - c->ipcss - 40);
	}
	if (c->tcp && c->tucss + 14u <= len) {
		put(f + c->tucss + 4, 4, get(f + c->tucss + 4, 4) + off);
		if (!last)
			f[c->tucss + 13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	} else if (!c->tcp && c->tucss + 6u <= len) {
		put(f + c->tucss + 4, 2, len - c->tucss);
	}
}

static void send_segments(struct e1000 *e, const struct e1000_packet *p,
                          const uint8_t *all)
{
	uint8_t *room = e->tx.bounce + BOUNCE;
	const struct e1000_context *c = &p->cx;
	uint32_t payload, off = 0, part;

	if (!c->mss || p->len <= c->hdrlen || c->hdrlen < E1000_MACS + 2 ||
	    c->mss > E1000_FRAME_MAX || p->len / c->mss > SEGMENTS_MAX) {
		e->tx.count.tso_failed++;
		return;
	}
	payload = p->len - c->hdrlen;
	e->tx.count.tso++;
	for (; off < payload; off += part) {
		uint8_t *f = room + E1000_TAG;

		part = MIN((uint32_t)c->mss, payload - off);
		memcpy(f, all, c->hdrlen);
		memcpy(f + c->hdrlen, all + c->hdrlen + off, part);
		segment_headers(c, f, c->hdrlen + part, off,
		                off + part == payload);
		/* What the tap has no room for now is lost: there is no way to
		 * come back to the middle of it. */
		(void)emit(e, p, room, c->hdrlen + part);
	}
}

static bool gather(struct e1000_tx *t, const struct e1000_packet *p)
{
	uint32_t off = E1000_TAG;

	if (!t->bounce)
		t->bounce = malloc(BOUNCE + SEGMENT);
	if (!t->bounce)
		return false;
	for (unsigned i = 0; i < p->n; i++) {
		const struct iovec *v = &p->iov[2 + i];

		memcpy(t->bounce + off, v->iov_base, v->iov_len);
		off += (uint32_t)v->iov_len;
	}
	return true;
}

int e1000_send_soft(struct e1000 *e, struct e1000_packet *p)
{
	struct e1000_tx *t = &e->tx;

	if (!gather(t, p))
		return 0; /* lost, as everything may be */
	if (!p->tso)
		return emit(e, p, t->bounce, p->len);
	send_segments(e, p, t->bounce + E1000_TAG);
	return 0;
}
