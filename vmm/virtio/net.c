/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network device (virtio 1.2, 5.1) on a tap: net.h.
 *
 * Order of a start: what the driver takes is told to the tap, what is old in it
 * is thrown away, then the queues are served. Of a stop: the tap is not watched
 * any more, or vhost has lost its backend, before the rings go. Pairs beyond
 * the first one are the kernel's only while the driver uses them: it spreads
 * packets over all that it has.
 */

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "vmm/devices.h"
#include "vmm/virtio/net.h"

#define RING 256
#define CLASS 0x020000u /* network controller, Ethernet */
#define CONFIG_LEN offsetof(struct virtio_net_config, speed)

/* clang-format off */
#define OFFERED                                                                \
	(VIRTIO_F(VIRTIO_NET_F_CSUM) | VIRTIO_F(VIRTIO_NET_F_GUEST_CSUM) |     \
	 VIRTIO_F(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) |                          \
	 VIRTIO_F(VIRTIO_NET_F_MAC) | VIRTIO_F(VIRTIO_NET_F_GUEST_TSO4) |      \
	 VIRTIO_F(VIRTIO_NET_F_GUEST_TSO6) |                                   \
	 VIRTIO_F(VIRTIO_NET_F_GUEST_ECN) | VIRTIO_F(VIRTIO_NET_F_HOST_TSO4) | \
	 VIRTIO_F(VIRTIO_NET_F_HOST_TSO6) | VIRTIO_F(VIRTIO_NET_F_HOST_ECN) |  \
	 VIRTIO_F(VIRTIO_NET_F_MRG_RXBUF) | VIRTIO_F(VIRTIO_NET_F_STATUS) |    \
	 VIRTIO_F(VIRTIO_NET_F_CTRL_VQ) | VIRTIO_F(VIRTIO_NET_F_CTRL_RX) |     \
	 VIRTIO_F(VIRTIO_NET_F_CTRL_RX_EXTRA) |                                \
	 VIRTIO_F(VIRTIO_NET_F_CTRL_MAC_ADDR))
#define OFFERED_USO                                                            \
	(VIRTIO_F(VIRTIO_NET_F_GUEST_USO4) |                                   \
	 VIRTIO_F(VIRTIO_NET_F_GUEST_USO6) | VIRTIO_F(VIRTIO_NET_F_HOST_USO))
/* clang-format on */

/* ---- the link ------------------------------------------------------------ */

static void unwatch(struct net_pair *p)
{
	if (p->watched)
		io_del(p->n->vm->io, &p->watch);
	p->watched = false;
}

void net_gone(struct net *n)
{
	char text[VM_NAME + 64];

	if (n->gone)
		return;
	n->gone = n->changed = true;
	for (unsigned i = 0; i < n->pairs; i++)
		unwatch(&n->pair[i]);
	snprintf(text, sizeof(text), "NIC %s: its tap is gone: link down\n",
	         n->name);
	loop_say(text);
}

/* The driver is told when no lock is held: it asks for the status. */
static void unlock(struct net *n)
{
	bool changed = n->changed;

	n->changed = false;
	pthread_mutex_unlock(&n->lock);
	if (changed)
		virtio_config_changed(n->v);
}

static uint32_t net_config(void *ctx, unsigned off, unsigned width)
{
	struct virtio_net_config c = { .mtu = 0 };
	struct net *n = ctx;

	if (!range_inside(off, width, CONFIG_LEN))
		return UINT32_MAX;
	pthread_mutex_lock(&n->lock);
	if (n->vhost && !tap_lives(n->pair[0].tap))
		net_gone(n);
	n->changed = false; /* it is looking */
	memcpy(c.mac, n->mac, sizeof(c.mac));
	store_le(&c.status, 2, n->gone ? 0 : VIRTIO_NET_S_LINK_UP);
	store_le(&c.max_virtqueue_pairs, 2, n->pairs);
	store_le(&c.mtu, 2, n->mtu);
	pthread_mutex_unlock(&n->lock);
	return (uint32_t)load_le((const uint8_t *)&c + off, width);
}

/* ---- pairs --------------------------------------------------------------- */

void net_watch(struct net_pair *p)
{
	uint32_t events =
		(p->starved ? 0 : EPOLLIN) | (p->full ? EPOLLOUT : 0u);

	if (p->watched)
		(void)!io_change(p->n->vm->io, &p->watch, events);
}

static int watch(struct net_pair *p)
{
	int r;

	p->starved = p->full = false;
	if (p->watched || p->n->vhost || p->n->gone)
		return 0;
	r = io_add(p->n->vm->io, &p->watch, EPOLLIN);
	p->watched = r == 0;
	return r;
}

/* Pair 0 is always the kernel's: a tap of one queue has no other way. */
static int attach(struct net_pair *p, bool on)
{
	int r = 0;

	if (p->attached == on)
		return 0;
	if (!on)
		unwatch(p);
	if (p->index && !p->n->gone)
		r = tap_attach(p->tap, on);
	if (r < 0 && on)
		return r;
	p->attached = on;
	return on ? watch(p) : 0;
}

int net_set_active(struct net *n, unsigned pairs)
{
	int r = 0;

	for (unsigned i = 0; i < n->pairs; i++) {
		struct net_pair *p = &n->pair[i];
		int e = attach(p, i < pairs && net_rxq(p)->ready);

		r = r < 0 ? r : e;
	}
	if (r < 0 && !tap_lives(n->pair[0].tap))
		net_gone(n);
	n->active = pairs;
	return r;
}

/* ---- the kernel serves --------------------------------------------------- */

static int set_backend(const struct net_pair *p, int fd)
{
	for (unsigned i = 0; i < VHOST_QUEUES; i++) {
		const struct vhost_vring_file f = { .index = i, .fd = fd };

		if (ioctl(p->vhost.fd, VHOST_NET_SET_BACKEND, &f) < 0)
			return -errno;
	}
	return 0;
}

static int start_vhost(struct net_pair *p)
{
	int r;

	/* A pair that the driver has left out. */
	if (!net_rxq(p)->ready || !net_txq(p)->ready)
		return 0;
	r = vhost_start(&p->vhost, p->n->v, 2 * p->index, p->n->features);
	if (r == 0)
		r = set_backend(p, p->tap);
	if (r == 0)
		vhost_poke(&p->vhost);
	return r;
}

static void stop_vhost(struct net_pair *p)
{
	if (p->vhost.started)
		(void)!set_backend(p, -1);
	vhost_stop(&p->vhost);
}

/* ---- start and stop ------------------------------------------------------ */

static void halt(struct net *n)
{
	if (!n->started)
		return;
	n->started = false;
	for (unsigned i = 0; i < n->pairs; i++) {
		struct net_pair *p = &n->pair[i];

		if (n->vhost)
			stop_vhost(p);
		(void)!attach(p, false);
		net_rx_stop(p);
	}
}

void net_broken(struct net *n, const char *why)
{
	halt(n);
	virtio_broken(n->v, why);
}

static int start_pairs(struct net *n)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < n->pairs; i++) {
		struct net_pair *p = &n->pair[i];

		tap_drain(p->tap);
		r = n->vhost ? start_vhost(p) : net_rx_start(p);
	}
	return r < 0 ? r : net_set_active(n, n->active);
}

static int net_start(void *ctx, uint64_t features)
{
	struct net *n = ctx;
	int r;

	pthread_mutex_lock(&n->lock);
	n->features = features;
	if (n->fresh)
		n->offloads = features;
	n->fresh = false;
	n->mq = n->pairs > 1 && (features & VIRTIO_F(VIRTIO_NET_F_MQ));
	n->merge = features & VIRTIO_F(VIRTIO_NET_F_MRG_RXBUF);
	n->started = true;
	if (!n->gone && tap_offload(n->pair[0].tap, n->offloads) < 0)
		net_gone(n);
	r = start_pairs(n);
	if (n->gone && r != -ENOMEM)
		r = 0; /* a NIC without a cable */
	if (r < 0)
		halt(n);
	n->changed = false; /* the driver asks for the status after this */
	pthread_mutex_unlock(&n->lock);
	return r;
}

static void net_stop(void *ctx)
{
	struct net *n = ctx;

	pthread_mutex_lock(&n->lock);
	halt(n);
	pthread_mutex_unlock(&n->lock);
}

static void set_initial(struct net *n)
{
	n->fresh = true;
	n->active = 1; /* 5.1.6.5.5 */
	memcpy(n->mac, n->own_mac, sizeof(n->mac));
}

static void net_reset(void *ctx)
{
	struct net *n = ctx;

	pthread_mutex_lock(&n->lock);
	set_initial(n);
	pthread_mutex_unlock(&n->lock);
}

/* ---- the loop's callbacks ------------------------------------------------ */

static void serve(struct net *n, unsigned i)
{
	struct net_pair *p = &n->pair[MIN(i / 2, n->pairs - 1)];

	if (i == net_ctrl_index(n)) {
		net_ctrl(n);
		return;
	}
	/* With vhost it is a pair of which half is ready. */
	if (n->vhost || i / 2 >= n->pairs)
		return;
	if (i & 1)
		net_tx(p);
	else if (p->starved || p->rx->packet)
		net_rx(p);
}

static void net_kick(void *ctx, unsigned i)
{
	struct net *n = ctx;

	pthread_mutex_lock(&n->lock);
	/* Else it is broken meanwhile. */
	if (n->started)
		serve(n, i);
	unlock(n);
}

static void tap_ready(void *ctx, uint32_t events)
{
	struct net_pair *p = ctx;
	struct net *n = p->n;

	pthread_mutex_lock(&n->lock);
	if (p->watched && (events & (EPOLLERR | EPOLLHUP)))
		net_gone(n);
	/* It may have been found in the life before this one. */
	if (n->started && p->full && (events & EPOLLOUT)) {
		p->full = false;
		net_watch(p);
		net_tx(p);
	}
	if (n->started && (events & EPOLLIN))
		net_rx(p);
	unlock(n);
}

static void vhost_broken(void *ctx)
{
	struct net *n = ctx;

	pthread_mutex_lock(&n->lock);
	if (n->started)
		net_broken(n, "the kernel cannot follow its rings");
	unlock(n);
}

/* ---- life ---------------------------------------------------------------- */

/* In the order of docs/control.md. */
static const struct stats_def packet_defs[] = {
	{ "rx_packets", STATS_COUNT, offsetof(struct net_counts, rx_packets) },
	{ "rx_dropped", STATS_COUNT, offsetof(struct net_counts, rx_dropped) },
	{ "tx_packets", STATS_COUNT, offsetof(struct net_counts, tx_packets) },
	{ "tx_dropped", STATS_COUNT, offsetof(struct net_counts, tx_dropped) },
};

/* Of those that go through here: vhost's are the kernel's, and its tap's. */
static bool net_counters(void *ctx, unsigned i, struct stats_set *ret)
{
	const struct net *n = ctx;

	if (i || n->vhost)
		return false;
	*ret = (struct stats_set){
		.what = "packets",
		.def = packet_defs,
		.n = ARRAY_SIZE(packet_defs),
		.base = &n->counts,
	};
	return true;
}

static void net_free(void *ctx)
{
	struct net *n = ctx;

	halt(n);
	for (unsigned i = 0; i < n->pairs; i++)
		vhost_close(&n->pair[i].vhost);
	pthread_mutex_destroy(&n->lock);
	free(n);
}

static const struct virtio_ops ops = {
	.start = net_start,
	.stop = net_stop,
	.reset = net_reset,
	.config_read = net_config,
	.counters = net_counters,
	.free = net_free,
	.kick = net_kick,
};

static struct net *net_alloc(struct vm *vm, const struct vm_nic *c)
{
	struct net *n =
		calloc(1, sizeof(*n) + c->pairs * sizeof(struct net_pair));

	if (!n)
		return NULL;
	n->vm = vm;
	snprintf(n->name, sizeof(n->name), "%s", c->name);
	pthread_mutex_init(&n->lock, NULL);
	n->vhost = c->vhost_fd[0] >= 0;
	memcpy(n->own_mac, c->mac, sizeof(n->own_mac));
	set_initial(n);
	n->mtu = c->mtu;
	n->pairs = c->pairs;
	for (unsigned i = 0; i < n->pairs; i++) {
		struct net_pair *p = &n->pair[i];

		p->n = n;
		p->index = i;
		p->tap = c->tap_fd[i];
		p->watch = (struct io_watch){ p->tap, tap_ready, p, NULL, 0 };
	}
	return n;
}

static int open_pairs(struct net *n, const struct vm_nic *c, bool *ret_uso,
                      struct diag *d)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < n->pairs; i++) {
		struct net_pair *p = &n->pair[i];

		r = tap_open(p->tap, n->name, i > 0, ret_uso, d);
		if (r < 0 || !n->vhost)
			continue;
		r = vhost_open(&p->vhost, n->vm, c->vhost_fd[i], n->name, d);
		p->vhost.broken = vhost_broken;
		p->vhost.ctx = n;
	}
	return r;
}

static uint64_t offered(const struct net *n, const struct vm_nic *c, bool uso)
{
	uint64_t f = OFFERED;

	if (uso)
		f |= OFFERED_USO;
	if (c->mtu)
		f |= VIRTIO_F(VIRTIO_NET_F_MTU);
	if (c->pairs > 1)
		f |= VIRTIO_F(VIRTIO_NET_F_MQ);
	if (c->standby)
		f |= VIRTIO_F(VIRTIO_NET_F_STANDBY);
	if (n->vhost &&
	    !(n->pair[0].vhost.features & VIRTIO_F(VIRTIO_NET_F_MRG_RXBUF)))
		f &= ~VIRTIO_F(VIRTIO_NET_F_MRG_RXBUF);
	return f;
}

static int describe(struct net *n, const struct vm_nic *c, bool uso,
                    struct diag *d)
{
	struct virtio_desc desc = {
		.slot = c->slot,
		.id = VIRTIO_ID_NET_,
		.class = CLASS,
		.features = offered(n, c, uso),
		.without = n->vhost ? vhost_without(&n->pair[0].vhost) : 0,
		.queues = 2 * n->pairs + 1,
		.queue_size = RING,
		.config_len = CONFIG_LEN,
		.ops = &ops,
		.ctx = n,
	};

	snprintf(desc.name, sizeof(desc.name), "%s", n->name);
	return virtio_add(n->vm, &desc, &n->v, d);
}

int net_add(struct vm *vm, const struct vm_nic *c, struct diag *d)
{
	struct net *n = net_alloc(vm, c);
	bool uso = false;
	int r;

	if (!n) {
		diag_fail(d, -ENOMEM, FL_VMM_MEMORY, "NIC \"%s\"", c->name);
		diag_why(d, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	r = open_pairs(n, c, &uso, d);
	if (r == 0)
		r = describe(n, c, uso, d);
	if (r < 0)
		net_free(n);
	return r;
}
