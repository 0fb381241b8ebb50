/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control queue of a network device (virtio 1.2, 5.1.6.5).
 *
 * Filters are accepted and not kept: a tap gives its guest what the bridge
 * sends there, and a driver must be ready for more than it asked for
 * (5.1.6.5.1, "best effort"). A command that is cut short, unknown or of a
 * feature that was not negotiated is answered by VIRTIO_NET_ERR, and has no
 * effect.
 */

#include "vmm/virtio/net.h"

struct command {
	uint8_t class, cmd;
	uint8_t feature; /* that it needs */
	bool (*run)(struct net *n, const struct vq_chain *c);
};

#define HEAD sizeof(struct virtio_net_ctrl_hdr)

/* False when the driver has sent less. */
static bool argument(const struct vq_chain *c, size_t off, unsigned width,
                     uint64_t *ret)
{
	uint8_t bytes[8];

	if (vq_copy_out(c, HEAD + off, bytes, width) != width)
		return false;
	*ret = load_le(bytes, width);
	return true;
}

static bool rx_mode(struct net *n, const struct vq_chain *c)
{
	uint64_t on;

	(void)n;
	return argument(c, 0, 1, &on);
}

/* Two tables, each a count and so many addresses. */
static bool mac_table(struct net *n, const struct vq_chain *c)
{
	size_t off = 0, have = c->out_len - HEAD;

	(void)n;
	for (unsigned i = 0; i < 2; i++) {
		uint64_t entries;

		if (!argument(c, off, 4, &entries))
			return false;
		off += 4;
		if (entries > (have - off) / 6)
			return false;
		off += (size_t)entries * 6;
	}
	return true;
}

static bool mac_set(struct net *n, const struct vq_chain *c)
{
	uint8_t mac[6];

	if (vq_copy_out(c, HEAD, mac, sizeof(mac)) != sizeof(mac) ||
	    (mac[0] & 1))
		return false;
	memcpy(n->mac, mac, sizeof(mac));
	return true;
}

static bool mq_pairs(struct net *n, const struct vq_chain *c)
{
	uint64_t pairs;

	return argument(c, 0, 2, &pairs) && pairs >= 1 && pairs <= n->pairs &&
	       net_set_active(n, (unsigned)pairs) == 0;
}

static bool offloads(struct net *n, const struct vq_chain *c)
{
	uint64_t wanted;

	/* Its bits are those of the features (5.1.6.5.6.1). */
	if (!argument(c, 0, 8, &wanted) || (wanted & ~n->features) ||
	    tap_offload(n->pair[0].tap, wanted) < 0)
		return false;
	n->offloads = wanted;
	return true;
}

static const struct command commands[] = {
	{ VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, VIRTIO_NET_F_CTRL_RX,
	  rx_mode },
	{ VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI, VIRTIO_NET_F_CTRL_RX,
	  rx_mode },
	{ VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLUNI,
	  VIRTIO_NET_F_CTRL_RX_EXTRA, rx_mode },
	{ VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOMULTI,
	  VIRTIO_NET_F_CTRL_RX_EXTRA, rx_mode },
	{ VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOUNI,
	  VIRTIO_NET_F_CTRL_RX_EXTRA, rx_mode },
	{ VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOBCAST,
	  VIRTIO_NET_F_CTRL_RX_EXTRA, rx_mode },
	{ VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET,
	  VIRTIO_NET_F_CTRL_RX, mac_table },
	{ VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET,
	  VIRTIO_NET_F_CTRL_MAC_ADDR, mac_set },
	{ VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, VIRTIO_NET_F_MQ,
	  mq_pairs },
	{ VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET,
	  VIRTIO_NET_F_CTRL_GUEST_OFFLOADS, offloads },
};

static bool serve(struct net *n, const struct vq_chain *c)
{
	struct virtio_net_ctrl_hdr h;

	if (vq_copy_out(c, 0, &h, HEAD) != HEAD)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const struct command *m = &commands[i];

		if (m->class == h.class && m->cmd == h.cmd)
			return (n->features & VIRTIO_F(m->feature)) &&
			       m->run(n, c);
	}
	return false;
}

static int ctrl_one(struct net *n, struct vq *q)
{
	int r = vq_pop(q, &n->chain);
	virtio_net_ctrl_ack ack;

	if (r <= 0)
		return r;
	ack = serve(n, &n->chain) ? VIRTIO_NET_OK : VIRTIO_NET_ERR;
	vq_push(q, &n->chain,
	        (uint32_t)vq_copy_in(&n->chain, 0, &ack, sizeof(ack)));
	return 1;
}

void net_ctrl(struct net *n)
{
	struct vq *q = virtio_queue(n->v, net_ctrl_index(n));
	unsigned done = 0;
	int r = 1;

	if (!q->ready)
		return;
	vq_disarm(q);
	while (r > 0 && done < IO_BURST) {
		r = ctrl_one(n, q);
		if (r > 0)
			done++;
		else if (r == 0)
			r = vq_arm(q) ? 1 : 0;
	}
	if (done)
		virtio_interrupt(n->v, net_ctrl_index(n));
	if (r < 0)
		net_broken(n, "a control queue that breaks the rules");
	else if (r > 0)
		virtio_again(n->v, net_ctrl_index(n));
}
