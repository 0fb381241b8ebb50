/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packet of the guest's to the tap, without a copy of ours: the kernel takes
 * it from the guest's memory. Checksums and TCP segmentation are not done here
 * but asked of it, by the header before the packet (virtio 1.2, 5.1.6.2), as
 * virtio-net asks; what is changed on its way, a tag put in or lengths made
 * true, is changed in a copy of its first bytes.
 *
 * What the header cannot say, and what comes back to the guest, is done in
 * software: e1000_segment.c.
 */

#include "vmm/e1000.h"

#include <errno.h>

#define GSO_MAX 65535u

uint32_t e1000_sum(const uint8_t *p, size_t len, uint32_t sum)
{
	size_t i = 0;

	for (; i + 2 <= len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	return i < len ? sum + (uint32_t)(p[i] << 8) : sum;
}

uint16_t e1000_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)(sum + (sum >> 16));
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

int e1000_put(struct e1000 *e, const struct iovec *iov, unsigned n,
              uint32_t len)
{
	static const uint8_t unknown[6];
	ssize_t r = writev(e->tap, iov, (int)n);

	if (r < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	/* Else it is lost, as on a wire; a tap that is no more is heard of by
	 * the loop. */
	if (r >= 0)
		e1000_count_frame(&e->tx.count,
		                  iov[1].iov_len >= sizeof(unknown)
		                          ? iov[1].iov_base
		                          : unknown,
		                  len + E1000_CRC);
	return 0;
}

/* ---- what the header can say --------------------------------------------- */

static bool sum_fits(const struct e1000_packet *p)
{
	const struct e1000_context *c = &p->cx;

	return !c->tucse && c->tucso >= c->tucss && c->tucso + 2u <= p->len;
}

static bool ip_fits(const struct e1000_packet *p)
{
	const struct e1000_context *c = &p->cx;

	return c->ipcss <= c->ipcso && c->ipcso + 1u <= c->ipcse &&
	       c->ipcse < E1000_HEAD - E1000_TAG && c->ipcse < p->len;
}

/* TCP over IP, with the headers where they must be. */
static bool tso_fits(const struct e1000_packet *p)
{
	const struct e1000_context *c = &p->cx;
	unsigned ip = c->ip4 ? 20 : 40;

	return c->tcp && p->txsm && c->mss && c->ipcss >= 14 &&
	       c->ipcss + ip <= c->tucss && c->tucss + 20u <= c->hdrlen &&
	       c->tucso == c->tucss + 16 && c->hdrlen < p->len &&
	       p->len - c->ipcss <= GSO_MAX && p->ixsm == c->ip4 &&
	       (!c->ip4 ||
	        (c->ipcso == c->ipcss + 10 && c->ipcse + 1u <= c->hdrlen));
}

static bool header_fits(const struct e1000_packet *p)
{
	return (!p->txsm || sum_fits(p)) && (!p->ixsm || ip_fits(p)) &&
	       (!p->tso || tso_fits(p));
}

static void ask_checksum(const struct e1000_packet *p, struct virtio_net_hdr *h)
{
	unsigned tag = p->tag ? E1000_TAG : 0;

	h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	h->csum_start = htole16((uint16_t)(p->cx.tucss + tag));
	h->csum_offset = htole16((uint16_t)(p->cx.tucso - p->cx.tucss));
}

static void ask_segments(const struct e1000_packet *p, struct virtio_net_hdr *h)
{
	unsigned tag = p->tag ? E1000_TAG : 0;

	if (p->len - p->cx.hdrlen <= p->cx.mss)
		return;
	h->gso_type =
		p->cx.ip4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
	h->hdr_len = htole16((uint16_t)(p->cx.hdrlen + tag));
	h->gso_size = htole16(p->cx.mss);
}

/* ---- its first bytes ----------------------------------------------------- */

static unsigned head_bytes(const struct e1000_packet *p)
{
	unsigned n = p->tag ? E1000_MACS : 0;

	if (p->ixsm)
		n = MAX(n, p->cx.ipcse + 1u);
	return p->tso ? MAX(n, p->cx.hdrlen) : n;
}

/* Takes them from the pieces. */
static void pull(struct e1000_packet *p, uint8_t *to, unsigned n)
{
	unsigned i = 0;

	while (n && i < p->n) {
		struct iovec *v = &p->iov[2 + i];
		unsigned part = (unsigned)MIN((size_t)n, v->iov_len);

		memcpy(to, v->iov_base, part);
		v->iov_base = (uint8_t *)v->iov_base + part;
		v->iov_len -= part;
		to += part;
		n -= part;
		i += !v->iov_len;
	}
	/* Pieces that are empty now are left in: the kernel skips them. */
}

/* The lengths of one packet that is all of them, SDM 3.5.7. */
static void true_lengths(const struct e1000_packet *p, uint8_t *f)
{
	const struct e1000_context *c = &p->cx;
	uint8_t *sum = f + c->tucso;
	uint32_t ip = p->len - c->ipcss, tcp = p->len - c->tucss;

	if (c->ip4)
		put16(f + c->ipcss + 2, ip);
	else
		put16(f + c->ipcss + 4, ip - 40);
	/* The guest's sum of the pseudo header has no length in it. */
	put16(sum, e1000_fold((uint32_t)(sum[0] << 8 | sum[1]) + tcp));
}

static void ip_checksum(const struct e1000_packet *p, uint8_t *f)
{
	const struct e1000_context *c = &p->cx;
	uint32_t sum = e1000_sum(f + c->ipcss, c->ipcse + 1u - c->ipcss, 0);

	put16(f + c->ipcso, ~(uint32_t)e1000_fold(sum) & 0xffff);
}

static void put_tag(const struct e1000 *e, const struct e1000_packet *p,
                    uint8_t *head)
{
	memmove(head, head + E1000_TAG, E1000_MACS);
	put16(head + E1000_MACS, e1000_reg(e, R_VET));
	put16(head + E1000_MACS + 2, p->vlan);
}

static int send_changed(struct e1000 *e, struct e1000_packet *p, unsigned n)
{
	struct virtio_net_hdr_mrg_rxbuf h = { .num_buffers = 0 };
	uint8_t head[E1000_HEAD], *f = head + E1000_TAG;
	unsigned skip = p->tag ? 0 : E1000_TAG;

	pull(p, f, n);
	if (p->txsm)
		ask_checksum(p, &h.hdr);
	if (p->tso) {
		ask_segments(p, &h.hdr);
		true_lengths(p, f);
	}
	if (p->ixsm)
		ip_checksum(p, f);
	if (p->tag)
		put_tag(e, p, head);
	p->iov[0] = (struct iovec){ &h, sizeof(h) };
	p->iov[1] = (struct iovec){ head + skip, n + E1000_TAG - skip };
	e->tx.count.tso += p->tso;
	return e1000_put(e, p->iov, 2 + p->n,
	                 p->len + (p->tag ? E1000_TAG : 0));
}

int e1000_send(struct e1000 *e, struct e1000_packet *p)
{
	struct virtio_net_hdr_mrg_rxbuf h = { .num_buffers = 0 };
	unsigned n;

	if (p->len < E1000_MACS + 2 || (!p->tso && p->len > E1000_FRAME_MAX))
		return 0;
	if (e->tx.loop || !header_fits(p))
		return e1000_send_soft(e, p);
	n = head_bytes(p);
	if (n)
		return n <= p->len ? send_changed(e, p, n) : 0;
	if (p->txsm)
		ask_checksum(p, &h.hdr);
	p->iov[1] = (struct iovec){ &h, sizeof(h) };
	return e1000_put(e, p->iov + 1, 1 + p->n, p->len);
}
