/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sending (virtio 1.2, 5.1.6.2): from the driver's buffers to the tap, header
 * and all. The kernel checks the header: what it refuses is dropped, as a wire
 * drops it.
 */

#include <sys/uio.h>

#include "vmm/virtio/net.h"

enum sent {
	SENT,
	SENT_NOT, /* dropped */
	SENT_FULL,
};

static enum sent send_one(struct net_pair *p, const struct vq_chain *c)
{
	ssize_t len;

	/* An inactive pair's packets have no way out (5.1.6.5.5). */
	if (p->n->gone || !p->attached)
		return SENT_NOT;
	if (c->out_len <= NET_HEADER || c->out_len > NET_PACKET_MAX)
		return SENT_NOT;
	len = writev(p->tap, c->iov, c->n_out);
	if (len >= 0)
		return SENT;
	if (errno == EAGAIN)
		return SENT_FULL;
	/* EIO is an interface that is down, and may come up. */
	if (errno == EBADFD)
		net_gone(p->n);
	return SENT_NOT;
}

/* 1 = a packet less, 0 = none, or no room in the tap; -EPROTO. */
static int tx_one(struct net_pair *p, struct vq *q)
{
	struct net *n = p->n;
	int r = vq_pop(q, &n->chain);
	enum sent s;

	if (r <= 0)
		return r;
	s = send_one(p, &n->chain);
	if (s == SENT_FULL) {
		vq_unpop(q, &n->chain);
		p->full = true;
		net_watch(p);
		return 0;
	}
	stats_add(&n->counts.tx_packets, s == SENT);
	stats_add(&n->counts.tx_dropped, s == SENT_NOT);
	vq_push(q, &n->chain, 0);
	return 1;
}

/* Kicks are off until the ring is found empty after they were turned on. */
void net_tx(struct net_pair *p)
{
	struct vq *q = net_txq(p);
	unsigned done = 0;
	int r = 1;

	if (!q->ready || p->full)
		return;
	vq_disarm(q);
	while (r > 0 && done < IO_BURST) {
		r = tx_one(p, q);
		if (r > 0)
			done++;
		else if (r == 0 && !p->full)
			r = vq_arm(q) ? 1 : 0;
	}
	if (done)
		virtio_interrupt(p->n->v, 2 * p->index + 1);
	if (r < 0)
		net_broken(p->n, "a send queue that breaks the rules");
	else if (r > 0)
		virtio_again(p->n->v, 2 * p->index + 1);
}
