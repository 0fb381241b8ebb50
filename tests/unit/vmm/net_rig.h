/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network device between socket pairs for its taps and lists for its queues
 * (fake_virtio.h). To be included by one file of a test.
 */
#ifndef FL_TESTS_NET_RIG_H
#define FL_TESTS_NET_RIG_H

#include "fake_virtio.h"

#include "vmm/virtio/net.h"

#define PAIRS 2
#define RX0 0
#define TX0 1
#define CTL 4 /* of two pairs */
#define BUF 1600u
#define MERGE VIRTIO_F(VIRTIO_NET_F_MRG_RXBUF)
#define MQ VIRTIO_F(VIRTIO_NET_F_MQ)

static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 7 };

struct rig {
	int peer[PAIRS], tap[PAIRS];
	uint8_t buf[FAKE_CHAINS][BUF];
	uint8_t packet[NET_PACKET_MAX + 100];
};

static inline struct vm_nic config(struct rig *r, bool vhost)
{
	struct vm_nic c = {
		.name = "lan",
		.slot = 3,
		.mtu = 9000,
		.pairs = PAIRS,
		.standby = true,
		.vhost_fd = { vhost ? 1000 : -1, vhost ? 1001 : -1 },
	};

	memcpy(c.mac, mac, sizeof(mac));
	for (unsigned i = 0; i < PAIRS; i++)
		c.tap_fd[i] = r->tap[i];
	return c;
}

static inline void begin_as(struct rig *r, bool vhost)
{
	struct vm_nic c;
	struct diag d;

	for (unsigned i = 0; i < PAIRS; i++) {
		int s[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
		r->tap[i] = s[0];
		r->peer[i] = s[1];
	}
	for (size_t i = 0; i < sizeof(r->packet); i++)
		r->packet[i] = (uint8_t)(i * 7 + i / 251);
	c = config(r, vhost);
	assert_int_equal(net_add(&fake.vm, &c, &d), 0);
}

static inline struct rig *begin(void)
{
	struct rig *r = calloc(1, sizeof(*r));

	begin_as(r, false);
	return r;
}

static inline void end(struct rig *r)
{
	fake_end();
	for (unsigned i = 0; i < PAIRS; i++) {
		close_fd(&r->tap[i]);
		close_fd(&r->peer[i]);
	}
	free(r);
}

static inline void give_rx(struct rig *r, unsigned n, size_t len)
{
	for (unsigned i = 0; i < n; i++)
		fake_give(RX0, r->buf[fake.v.q[RX0].n], len, true);
}

static inline void arrive(struct rig *r, size_t len)
{
	assert_int_equal(write(r->peer[0], r->packet, len), len);
	fake_run();
}

/* Used chains [first, first + n) hold a packet of `len`. */
static inline void assert_packet(struct rig *r, unsigned first, unsigned n,
                                 size_t len)
{
	size_t at = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct fake_used *u = &fake.v.q[RX0].used[first + i];
		size_t skip = i ? 0 : NET_HEADER;

		assert_memory_equal(r->buf[u->id] + skip, r->packet + at + skip,
		                    u->len - skip);
		at += u->len;
	}
	assert_int_equal(at, len);
	assert_int_equal(load_le(r->buf[fake.v.q[RX0].used[first].id] + 10, 2),
	                 n);
}

#endif
