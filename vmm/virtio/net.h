/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_VIRTIO_NET_H
#define FL_VMM_VIRTIO_NET_H

/*
 * A network device (virtio 1.2, 5.1) on a tap, inside.
 *
 * Theory of operation
 *   A pair is a receive queue, a send queue and a queue of the tap. The tap
 *   speaks the device's own header (TUNSETVNETHDRSZ 12), so a packet goes from
 *   guest memory to the tap, and back, in one call and untouched: checksums and
 *   segments are the kernel's business (TUNSETOFFLOAD says what the driver
 *   takes), and it is the kernel that refuses a header that makes no sense.
 *
 *   net_rx.c, net_tx.c   a turn each of one pair, in the data path's loop
 *   net_ctrl.c           the control queue: filters, MAC, pairs, offloads
 *   net_tap.c            what is asked of the tap
 *   net.c                the device; with vhost the queues but for the control
 *                        queue are the kernel's (vhost.h)
 *
 *   A tap that goes away (its interface was deleted) takes the link down, which
 *   is said once; the driver may go on sending, into nothing. With vhost
 *   nothing tells us of that: it is seen at the next start, control command or
 *   look at the status.
 *
 * Threads: everything here is under net.lock, which is taken inside the
 * transport's.
 */

#include <linux/virtio_net.h>

#include "vmm/virtio/vhost.h"

#define NET_HEADER 12u /* struct virtio_net_hdr_v1, 5.1.6 */
/* The largest frame: IP's limit behind an Ethernet header and two tags. */
#define NET_FRAME_MAX (65535u + 22u)
#define NET_PACKET_MAX (NET_HEADER + NET_FRAME_MAX)

/* Receive buffers that are popped and not yet returned. */
#define RX_CHAINS 128u
#define RX_IOVS (RX_CHAINS + VQ_SEGS)

struct rx_chain {
	uint16_t id, descs, n_iov;
	uint32_t len;
};
struct net_rx {
	struct rx_chain chain[RX_CHAINS];
	struct iovec iov[RX_IOVS + 1]; /* the last place is the spill's */
	unsigned chain0, chains;       /* the first one, how many */
	unsigned iov0, iovs;
	size_t bytes;   /* room in them */
	size_t packet;  /* 0, or one that waits for more buffers ... */
	size_t held;    /* ... as long as so much of it is in the spill */
	unsigned large; /* how many packets more are taken for large ones */
	uint8_t spill[NET_PACKET_MAX];
};

struct net;
struct net_pair {
	struct net *n;
	unsigned index;
	int tap;               /* the configuration's */
	struct io_watch watch; /* of the tap */
	bool attached;         /* the kernel gives this queue packets */
	bool watched;
	bool starved; /* the driver has given no buffers */
	bool full;    /* the tap takes no more */
	struct net_rx *rx;
	struct vhost vhost;
};

struct net {
	struct vm *vm;
	struct virtio *v;
	char name[VM_NAME];
	pthread_mutex_t lock;
	bool vhost, started;
	bool gone;                  /* the tap */
	bool mq;                    /* negotiated */
	bool merge;                 /* mergeable receive buffers */
	bool changed;               /* the link: the driver is to be told */
	uint8_t mac[6], own_mac[6]; /* as the driver set it; the policy's */
	uint16_t mtu;
	uint64_t features;     /* negotiated */
	bool fresh;            /* not started since the last reset */
	uint64_t offloads;     /* of features, as the driver has them */
	struct vq_chain chain; /* for the loop's thread */
	unsigned pairs, active;
	struct net_counts {
		uint64_t rx_packets, rx_dropped, tx_packets, tx_dropped;
	} counts;
	struct net_pair pair[];
};

/* ---- net.c ---- */

static inline unsigned net_ctrl_index(const struct net *n)
{
	return n->mq ? 2 * n->pairs : 2; /* 5.1.2 */
}
static inline struct vq *net_rxq(const struct net_pair *p)
{
	return virtio_queue(p->n->v, 2 * p->index);
}
static inline struct vq *net_txq(const struct net_pair *p)
{
	return virtio_queue(p->n->v, 2 * p->index + 1);
}
/* The pairs that the driver uses, from the first one on. */
_must_check_ int net_set_active(struct net *n, unsigned pairs);
/* Stops it all: DEVICE_NEEDS_RESET. */
void net_broken(struct net *n, const char *why);
/* The link is down from now on. */
void net_gone(struct net *n);
/* What the tap is watched for, by starved and full. */
void net_watch(struct net_pair *p);

/* ---- net_rx.c, net_tx.c, net_ctrl.c: a bounded turn ---- */

_must_check_ int net_rx_start(struct net_pair *p);
void net_rx_stop(struct net_pair *p);
void net_rx(struct net_pair *p);
void net_tx(struct net_pair *p);
void net_ctrl(struct net *n);

/* ---- net_tap.c ---- */

/* Headers as the device's; nothing that the driver has not asked for. One of
 * several queues is given no packets yet. *ret_uso: the tap knows segments of
 * UDP. FL_VMM_NIC. */
_must_check_ int tap_open(int fd, const char *name, bool one_more,
                          bool *ret_uso, struct diag *d);
/* `features`: VIRTIO_NET_F_GUEST_*. -EBADFD = it is gone. */
_must_check_ int tap_offload(int fd, uint64_t features);
_must_check_ int tap_attach(int fd, bool on);
/* What came while nobody wanted it. */
void tap_drain(int fd);
bool tap_lives(int fd);

#endif
