/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Receiving (virtio 1.2, 5.1.6.3, 5.1.6.4): from the tap into the driver's
 * buffers, header and all, without a copy where that is cheaper.
 *
 * How large a packet is shows when it is read. So a few buffers are popped
 * beforehand (the stock), and behind them the read has a spill of our own. What
 * went there is copied into buffers popped afterwards; as long as the driver
 * has given too few, the packet is held and the tap is not read. A read of many
 * pieces costs the kernel time for each, therefore the stock is one or two
 * buffers while packets are small, and as much as the largest packet after one
 * that was not.
 *
 * Without mergeable buffers one buffer is one packet, and what does not fit is
 * dropped (5.1.6.3.1 makes it fit).
 */

#include <sys/uio.h>

#include "vmm/virtio/net.h"

#define SMALL 1600u   /* header and the usual frame */
#define LARGE_FOR 64u /* packets */

enum rx_result {
	RX_ONE,     /* delivered or dropped: more may be there */
	RX_EMPTY,   /* the tap */
	RX_STARVED, /* the driver's queue */
	RX_BROKEN,
	RX_GONE,
};

/* ---- the stock ----------------------------------------------------------- */

/* Drops the used places in front. */
static void stock_pack(struct net_rx *x)
{
	memmove(x->chain, x->chain + x->chain0, x->chains * sizeof(*x->chain));
	memmove(x->iov, x->iov + x->iov0, x->iovs * sizeof(*x->iov));
	x->chain0 = x->iov0 = 0;
}

static bool stock_is_full(struct net_rx *x)
{
	if (x->chain0 + x->chains == RX_CHAINS ||
	    x->iov0 + x->iovs + VQ_SEGS > RX_IOVS)
		stock_pack(x);
	return x->chains == RX_CHAINS || x->iovs + VQ_SEGS > RX_IOVS;
}

static void stock_put(struct net_rx *x, const struct vq_chain *c)
{
	struct rx_chain *to = &x->chain[x->chain0 + x->chains];

	*to = (struct rx_chain){ c->id, c->descs, c->n_in, c->in_len };
	memcpy(x->iov + x->iov0 + x->iovs, c->iov + c->n_out,
	       c->n_in * sizeof(*c->iov));
	x->chains++;
	x->iovs += c->n_in;
	x->bytes += c->in_len;
}

static void stock_drop_first(struct net_rx *x)
{
	const struct rx_chain *c = &x->chain[x->chain0];

	x->iov0 += c->n_iov;
	x->iovs -= c->n_iov;
	x->bytes -= c->len;
	x->chain0++;
	x->chains--;
	if (!x->chains)
		x->chain0 = x->iov0 = 0;
}

/* One chain more: RX_ONE, RX_STARVED, RX_BROKEN. */
static enum rx_result stock_more(struct net_pair *p)
{
	struct vq_chain *c = &p->n->chain;
	int r = vq_pop(net_rxq(p), c);

	if (r == 0)
		return RX_STARVED;
	/* Without room it is no receive buffer (5.1.6.3.1). */
	if (r < 0 || !c->in_len)
		return RX_BROKEN;
	stock_put(p->rx, c);
	return RX_ONE;
}

/* At least one chain, and as many as there are up to what is wanted. */
static enum rx_result stock_fill(struct net_pair *p)
{
	struct net_rx *x = p->rx;
	size_t want = x->large ? NET_PACKET_MAX : SMALL;
	enum rx_result r = RX_ONE;

	if (!p->n->merge)
		want = 1;
	while (r == RX_ONE && x->bytes < want && !stock_is_full(x))
		r = stock_more(p);
	return r == RX_STARVED && x->chains ? RX_ONE : r;
}

/* ---- a packet ------------------------------------------------------------ */

/* `off` bytes into the stock. */
static void copy_to_stock(struct net_rx *x, size_t off, const uint8_t *from,
                          size_t len)
{
	const struct iovec *v = x->iov + x->iov0;

	for (; off >= v->iov_len; v++)
		off -= v->iov_len;
	while (len) {
		size_t n = MIN(len, v->iov_len - off);

		memcpy((uint8_t *)v->iov_base + off, from, n);
		from += n;
		len -= n;
		off = 0;
		v++;
	}
}

/* 5.1.6.4: how many chains the packet takes, in its header. */
static void put_num_buffers(struct net_rx *x, unsigned n)
{
	const size_t at = offsetof(struct virtio_net_hdr_v1, num_buffers);
	const struct iovec *v = x->iov + x->iov0;
	uint8_t buffers[2];

	if (v->iov_len >= NET_HEADER) { /* as every driver gives it */
		store_le((uint8_t *)v->iov_base + at, 2, n);
		return;
	}
	store_le(buffers, 2, n);
	copy_to_stock(x, at, buffers, 2);
}

/* The chains that the packet takes are returned. */
static void give(struct net_pair *p, size_t len)
{
	struct vq_chain *back = &p->n->chain; /* too large to be a local */
	struct vq *q = net_rxq(p);
	struct net_rx *x = p->rx;
	unsigned n = 0;

	for (size_t at = 0; at < len; at += x->chain[x->chain0 + n++].len)
		;
	put_num_buffers(x, n);
	for (unsigned i = 0; i < n; i++) {
		const struct rx_chain *c = &x->chain[x->chain0];
		uint32_t used = (uint32_t)MIN(len, c->len);

		back->id = c->id;
		back->descs = c->descs;
		vq_push_more(q, back, used);
		len -= used;
		stock_drop_first(x);
	}
	vq_push_flush(q);
	stats_add(&p->n->counts.rx_packets, 1);
}

/* What is in the spill goes into more chains. */
static enum rx_result place_held(struct net_pair *p)
{
	struct net_rx *x = p->rx;
	const uint8_t *from = x->spill;
	enum rx_result r = RX_ONE;
	size_t at = x->packet - x->held, left = x->held;

	while (x->bytes < x->packet && r == RX_ONE) {
		if (!p->n->merge || stock_is_full(x)) {
			x->packet = x->held = 0;
			stats_add(&p->n->counts.rx_dropped, 1);
			return RX_ONE;
		}
		r = stock_more(p);
	}
	if (r != RX_ONE)
		return r;
	copy_to_stock(x, at, from, left);
	give(p, x->packet);
	x->packet = x->held = 0;
	return RX_ONE;
}

static enum rx_result read_failed(struct net_pair *p)
{
	switch (errno) {
	case EINVAL: /* a packet that tun has no header for; it is dropped */
		stats_add(&p->n->counts.rx_dropped, 1);
		return RX_ONE;
	case EAGAIN:
	case EINTR:
	case ENOMEM:
	case ENOBUFS:
		return RX_EMPTY;
	default:
		return RX_GONE;
	}
}

static enum rx_result read_one(struct net_pair *p)
{
	struct net_rx *x = p->rx;
	struct iovec *v = x->iov + x->iov0;
	ssize_t len;

	v[x->iovs] = (struct iovec){ x->spill, sizeof(x->spill) };
	len = readv(p->tap, v, (int)x->iovs + 1);
	if (len <= 0)
		return len < 0 ? read_failed(p) : RX_GONE;
	if (len < (ssize_t)NET_HEADER) {
		stats_add(&p->n->counts.rx_dropped, 1);
		return RX_ONE;
	}
	x->large = len > (ssize_t)SMALL ? LARGE_FOR : x->large - !!x->large;
	if ((size_t)len <= x->bytes) {
		give(p, (size_t)len);
		return RX_ONE;
	}
	x->packet = (size_t)len;
	x->held = x->packet - x->bytes;
	return place_held(p);
}

static enum rx_result rx_one(struct net_pair *p)
{
	enum rx_result r;

	if (p->rx->packet)
		return place_held(p);
	r = stock_fill(p);
	return r == RX_ONE ? read_one(p) : r;
}

/* ---- a turn -------------------------------------------------------------- */

static enum rx_result rx_burst(struct net_pair *p)
{
	struct vq *q = net_rxq(p);
	enum rx_result r = RX_ONE;

	for (unsigned i = 0; i < IO_BURST && r == RX_ONE; i++) {
		r = rx_one(p);
		if (r == RX_STARVED && vq_arm(q))
			r = RX_ONE;
	}
	return r;
}

void net_rx(struct net_pair *p)
{
	struct vq *q = net_rxq(p);
	struct net *n = p->n;
	uint64_t before = n->counts.rx_packets;
	enum rx_result r;

	if (!q->ready || !p->attached || n->gone)
		return;
	if (p->starved)
		vq_disarm(q);
	r = rx_burst(p);
	if (n->counts.rx_packets != before)
		virtio_interrupt(n->v, 2 * p->index);
	if (p->starved != (r == RX_STARVED)) {
		p->starved = r == RX_STARVED;
		net_watch(p);
	}
	if (r == RX_BROKEN)
		net_broken(n, "a receive queue that breaks the rules");
	else if (r == RX_GONE)
		net_gone(n);
	else if (r == RX_ONE && p->rx->packet)
		virtio_again(n->v, 2 * p->index); /* the tap may be empty */
}

int net_rx_start(struct net_pair *p)
{
	/* The spill stays untouched, and so takes no memory, until it is
	 * needed. */
	if (!p->rx)
		p->rx = malloc(sizeof(*p->rx));
	if (!p->rx)
		return -ENOMEM;
	memset(p->rx, 0, offsetof(struct net_rx, spill));
	/* A ring wants kicks when it begins: here they are of use only once the
	 * driver's buffers have run out. */
	if (net_rxq(p)->ready)
		vq_disarm(net_rxq(p));
	return 0;
}

/* The driver may only have turned its bus master off: what was popped is popped
 * again when that is over. A packet that is held is lost. */
void net_rx_stop(struct net_pair *p)
{
	struct vq_chain *back = &p->n->chain;
	struct net_rx *x = p->rx;

	back->out_len = 0;
	for (unsigned i = x ? x->chains : 0; i; i--) {
		back->descs = x->chain[x->chain0 + i - 1].descs;
		vq_unpop(net_rxq(p), back);
	}
	free(x);
	p->rx = NULL;
}
