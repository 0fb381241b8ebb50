/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A network device between a socket pair for its tap and lists for queues. */

#include "fake_virtio.h"

#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <sys/syscall.h>

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

/* The kernel's, but for the error that a test wants of the next one. */
static int readv_error;

ssize_t readv(int fd, const struct iovec *iovec, int count)
{
	if (!readv_error)
		return syscall(SYS_readv, fd, iovec, count);
	/* As tun does: the packet is gone. */
	assert_true(recv(fd, NULL, 0, MSG_DONTWAIT) == 0);
	errno = readv_error;
	readv_error = 0;
	return -1;
}

static struct vm_nic config(struct rig *r, bool vhost)
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

static void begin_as(struct rig *r, bool vhost)
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

static struct rig *begin(void)
{
	struct rig *r = calloc(1, sizeof(*r));

	begin_as(r, false);
	return r;
}

static void end(struct rig *r)
{
	fake_end();
	for (unsigned i = 0; i < PAIRS; i++) {
		close_fd(&r->tap[i]);
		close_fd(&r->peer[i]);
	}
	free(r);
}

static void give_rx(struct rig *r, unsigned n, size_t len)
{
	for (unsigned i = 0; i < n; i++)
		fake_give(RX0, r->buf[fake.v.q[RX0].n], len, true);
}

static void arrive(struct rig *r, size_t len)
{
	assert_int_equal(write(r->peer[0], r->packet, len), len);
	fake_run();
}

/* Used chains [first, first + n) hold a packet of `len`. */
static void assert_packet(struct rig *r, unsigned first, unsigned n, size_t len)
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

static void receives_small(void **state)
{
	struct rig *r = begin();

	(void)state;
	assert_int_equal(fake_start(MERGE), 0);
	give_rx(r, 4, BUF);
	assert_false(fake.v.q[RX0].armed); /* of buffers nobody need tell */
	for (unsigned i = 0; i < 3; i++)
		arrive(r, 72 + i);
	assert_false(fake.v.q[RX0].armed);
	assert_int_equal(fake.v.q[RX0].n_used, 3);
	assert_true(fake.v.q[RX0].interrupts);
	assert_packet(r, 2, 1, 74);
	/* Runts are no packets. */
	arrive(r, 11);
	assert_int_equal(fake.v.q[RX0].n_used, 3);
	end(r);
}

static void receives_into_several(void **state)
{
	struct rig *r = begin();

	(void)state;
	assert_int_equal(fake_start(MERGE), 0);
	give_rx(r, 12, BUF);
	arrive(r, 5000); /* by the spill */
	assert_packet(r, 0, 4, 5000);
	arrive(r, 3200); /* straight, to the last byte of two */
	assert_packet(r, 4, 2, 3200);
	arrive(r, 3201);
	assert_packet(r, 6, 3, 3201);
	assert_int_equal(fake.v.q[RX0].n_used, 9);
	end(r);
}

/* More packets than places in the stock. */
static void receives_many(void **state)
{
	struct rig *r = begin();

	(void)state;
	assert_int_equal(fake_start(MERGE), 0);
	give_rx(r, FAKE_CHAINS, BUF);
	for (unsigned i = 0; i < 64; i++) {
		arrive(r, 1700 + i);
		assert_packet(r, 3 * i, 2, 1700 + i);
		arrive(r, 60 + i);
		assert_packet(r, 3 * i + 2, 1, 60 + i);
	}
	end(r);
}

static void waits_for_buffers(void **state)
{
	struct rig *r = begin();

	(void)state;
	assert_int_equal(fake_start(MERGE), 0);
	arrive(r, 100);
	assert_int_equal(fake.v.q[RX0].n_used, 0);
	assert_true(fake.v.q[RX0].armed);
	give_rx(r, 2, BUF);
	fake_kick(RX0);
	assert_int_equal(fake.v.q[RX0].n_used, 1);
	assert_false(fake.v.q[RX0].armed);
	/* One buffer is left: the packet is held until there are enough. */
	arrive(r, 5000);
	arrive(r, 200);
	assert_int_equal(fake.v.q[RX0].n_used, 1);
	give_rx(r, 2, BUF);
	fake_kick(RX0);
	assert_int_equal(fake.v.q[RX0].n_used, 1);
	give_rx(r, 2, BUF);
	fake_kick(RX0);
	fake_run();
	assert_int_equal(fake.v.q[RX0].n_used, 6);
	assert_packet(r, 1, 4, 5000);
	assert_packet(r, 5, 1, 200);
	end(r);
}

static void drops_what_never_fits(void **state)
{
	struct rig *r = begin();

	(void)state;
	assert_int_equal(fake_start(MERGE), 0);
	give_rx(r, 200, 20);
	arrive(r, 20000); /* 128 chains of 20 bytes do not hold it */
	assert_int_equal(fake.v.q[RX0].n_used, 0);
	arrive(r, 50);
	assert_packet(r, 0, 3, 50);
	end(r);
}

static void one_buffer_is_one_packet(void **state)
{
	struct rig *r = begin();

	(void)state;
	assert_int_equal(fake_start(0), 0);
	give_rx(r, 4, BUF);
	arrive(r, BUF + 1);
	assert_int_equal(fake.v.q[RX0].n_used, 0);
	arrive(r, BUF);
	arrive(r, 60);
	assert_int_equal(fake.v.q[RX0].n_used, 2);
	assert_packet(r, 0, 1, BUF);
	assert_packet(r, 1, 1, 60);
	end(r);
}

/* What was popped and not used goes back to the ring. */
static void gives_back_at_stop(void **state)
{
	struct rig *r = begin();

	(void)state;
	assert_int_equal(fake_start(MERGE), 0);
	give_rx(r, 100, BUF);
	arrive(r, 5000); /* from now on many are popped beforehand */
	arrive(r, 60);
	assert_int_equal(fake.v.q[RX0].n_used, 5);
	assert_true(fake.v.q[RX0].next > 5);
	fake.v.desc.ops->stop(fake.v.desc.ctx);
	assert_int_equal(fake.v.q[RX0].next, 5);
	assert_int_equal(fake_start(MERGE), 0);
	arrive(r, 70);
	assert_packet(r, 5, 1, 70);
	end(r);
}

static void forgets_at_stop(void **state)
{
	struct rig *r = begin();

	(void)state;
	assert_int_equal(fake_start(MERGE), 0);
	give_rx(r, 1, BUF);
	arrive(r, 5000); /* held */
	fake_stop();
	arrive(r, 60); /* for nobody */
	assert_int_equal(fake_start(MERGE), 0);
	give_rx(r, 4, BUF);
	fake_run();
	assert_int_equal(fake.v.q[RX0].n_used, 0);
	arrive(r, 80);
	assert_packet(r, 0, 1, 80);
	end(r);
}

static void sends(void **state)
{
	struct rig *r = begin();
	struct vq_chain *c;
	uint8_t got[400];

	(void)state;
	assert_int_equal(fake_start(MERGE), 0);
	fake_give(TX0, r->packet, 12, false); /* a header alone */
	fake_give(TX0, r->packet, sizeof(r->packet), false);
	fake_give(TX0, r->packet, 12, false);
	c = &fake.v.q[TX0].avail[2];
	c->iov[1] = (struct iovec){ r->packet + 12, 300 };
	c->n_out = 2;
	c->out_len = 312;
	fake_kick(TX0);
	assert_int_equal(recv(r->peer[0], got, sizeof(got), MSG_DONTWAIT), 312);
	assert_memory_equal(got, r->packet, 312);
	assert_int_equal(recv(r->peer[0], got, sizeof(got), MSG_DONTWAIT), -1);
	assert_int_equal(fake.v.q[TX0].n_used, 3);
	assert_true(fake.v.q[TX0].armed);
	end(r);
}

static void sends_in_turns(void **state)
{
	struct rig *r = begin();
	uint8_t got[100];
	unsigned n = 0;

	(void)state;
	assert_int_equal(fake_start(MERGE), 0);
	for (unsigned i = 0; i < 200; i++) {
		r->buf[i][20] = (uint8_t)i;
		fake_give(TX0, r->buf[i], 60, false);
	}
	/* The socket takes fewer than a turn's at once; the order is kept. */
	fake_kick(TX0);
	assert_true(fake.v.q[TX0].n_used <= IO_BURST);
	while (n < 200) {
		while (recv(r->peer[0], got, sizeof(got), MSG_DONTWAIT) == 60)
			assert_int_equal(got[20], n++);
		fake_turn();
	}
	assert_int_equal(fake.v.q[TX0].n_used, 200);
	end(r);
}

static void loses_its_tap(void **state)
{
	struct rig *r = begin();

	(void)state;
	assert_int_equal(fake_start(MERGE), 0);
	assert_int_equal(fake_config(6, 2), VIRTIO_NET_S_LINK_UP);
	close_fd(&r->peer[0]);
	fake_run();
	assert_int_equal(fake_config(6, 2), 0);
	assert_int_equal(fake.v.changed, 1);
	assert_int_equal(fake.said, 1);
	fake_give(TX0, r->packet, 60, false);
	fake_kick(TX0);
	assert_int_equal(fake.v.q[TX0].n_used, 1);
	fake_stop();
	assert_int_equal(fake_start(MERGE), 0);
	assert_int_equal(fake_config(6, 2), 0);
	assert_int_equal(fake.said, 1);
	end(r);
}

/* tun has no header for a packet of segments it does not know: anybody beside
 * the guest may have sent it. */
static void outlives_a_strange_packet(void **state)
{
	struct rig *r = begin();

	(void)state;
	assert_int_equal(fake_start(MERGE), 0);
	give_rx(r, 4, BUF);
	readv_error = EINVAL;
	arrive(r, 60);
	assert_int_equal(fake.v.q[RX0].n_used, 0);
	arrive(r, 70);
	assert_packet(r, 0, 1, 70);
	assert_int_equal(fake.said, 0);
	end(r);
}

static void breaks(void **state)
{
	static const unsigned queue[] = { RX0, TX0, CTL };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(queue); i++) {
		struct rig *r = begin();

		assert_int_equal(fake_start(MERGE | MQ), 0);
		fake.v.q[queue[i]].broken = true;
		if (queue[i] == RX0)
			arrive(r, 60);
		else
			fake_kick(queue[i]);
		assert_int_equal(fake.v.broken, 1);
		/* It is dead, and lives again after a reset. */
		fake_kick(TX0);
		assert_int_equal(fake.v.broken, 1);
		fake.v.q[queue[i]].broken = false;
		fake_stop();
		assert_int_equal(fake_start(MERGE), 0);
		give_rx(r, 1, BUF);
		arrive(r, 61);
		assert_packet(r, 0, 1, 61);
		end(r);
	}
}

/* A receive buffer without a byte would be popped for ever. */
static void empty_buffer_breaks(void **state)
{
	struct rig *r = begin();

	(void)state;
	assert_int_equal(fake_start(MERGE), 0);
	fake_give(RX0, r->packet, 10, false);
	arrive(r, 60);
	assert_int_equal(fake.v.broken, 1);
	end(r);
}

/* ---- the control queue -----------------------------------------------------
 */

static int command(uint8_t class, uint8_t cmd, const void *arg, size_t len)
{
	uint8_t bytes[64] = { class, cmd }, ack = 0xee;
	struct fake_queue *q = &fake.v.q[CTL];
	struct vq_chain *c;

	memcpy(bytes + 2, arg, len);
	fake_give(CTL, bytes, 2 + len, false);
	c = &q->avail[q->n - 1];
	c->iov[1] = (struct iovec){ &ack, 1 };
	c->n_in = 1;
	c->in_len = 1;
	fake_kick(CTL);
	fake_run();
	assert_int_equal(q->used[q->n_used - 1].len, 1);
	return ack;
}

static const uint64_t all = ~0ull;

static void obeys(void **state)
{
	static const uint8_t tables[] = { 1, 0, 0, 0, 2, 0, 0,
		                          0, 0, 1, 0, 0, 0, 0 };
	static const uint8_t tables_short[] = { 1, 0, 0, 0, 2, 0, 0,
		                                0, 0, 1, 0, 0, 0 };
	static const uint8_t tables_huge[] = { 0xff, 0xff, 0xff, 0xff,
		                               0,    0,    0,    0 };
	static const uint8_t other[6] = { 2, 9, 9, 9, 9, 9 };
	static const uint8_t group[6] = { 1, 9, 9, 9, 9, 9 };
	struct rig *r = begin();

	(void)state;
	assert_int_equal(fake_start(all), 0);
	for (uint8_t i = 0; i < 6; i++) {
		assert_int_equal(command(0, i, "\1", 1), VIRTIO_NET_OK);
		assert_int_equal(command(0, i, "", 0), VIRTIO_NET_ERR);
	}
	assert_int_equal(command(0, 6, "\1", 1), VIRTIO_NET_ERR);
	assert_int_equal(command(77, 0, "\1", 1), VIRTIO_NET_ERR);
	assert_int_equal(command(1, 0, tables, 14), VIRTIO_NET_OK);
	assert_int_equal(command(1, 0, tables_short, 13), VIRTIO_NET_ERR);
	assert_int_equal(command(1, 0, tables_huge, 8), VIRTIO_NET_ERR);
	assert_int_equal(command(1, 1, group, 6), VIRTIO_NET_ERR);
	assert_int_equal(command(1, 1, other, 5), VIRTIO_NET_ERR);
	assert_int_equal(fake_config(5, 1), 7);
	assert_int_equal(command(1, 1, other, 6), VIRTIO_NET_OK);
	assert_int_equal(fake_config(5, 1), 9);
	fake_stop();
	assert_int_equal(fake_config(5, 1), 7);
	end(r);
}

static void uses_pairs(void **state)
{
	struct rig *r = begin();

	(void)state;
	/* The second queue was detached before anything else. */
	assert_int_equal(fake_asked(TUNSETQUEUE, NULL), 1);
	assert_int_equal(fake_config(8, 2), PAIRS);
	assert_int_equal(fake_start(all), 0);
	assert_int_equal(fake_asked(TUNSETQUEUE, NULL), 1);
	fake_give(3, r->packet, 60, false);
	fake_kick(3); /* not in use: into nothing */
	assert_int_equal(fake.v.q[3].n_used, 1);
	assert_int_equal(command(4, 0, "\0\0", 2), VIRTIO_NET_ERR);
	assert_int_equal(command(4, 0, "\3\0", 2), VIRTIO_NET_ERR);
	assert_int_equal(command(4, 0, "\2\0", 2), VIRTIO_NET_OK);
	assert_int_equal(fake_asked(TUNSETQUEUE, NULL), 2);
	fake_give(2, r->buf[9], BUF, true);
	assert_int_equal(write(r->peer[1], r->packet, 90), 90);
	fake_run();
	assert_int_equal(fake.v.q[2].n_used, 1);
	assert_int_equal(command(4, 0, "\1\0", 2), VIRTIO_NET_OK);
	assert_int_equal(fake_asked(TUNSETQUEUE, NULL), 3);
	fake.fails = TUNSETQUEUE;
	fake.error = EINVAL;
	assert_int_equal(command(4, 0, "\2\0", 2), VIRTIO_NET_ERR);
	fake.fails = 0;
	/* Without the feature the control queue is another, 5.1.2. */
	fake_stop();
	assert_int_equal(fake_start(all & ~MQ), 0);
	fake.v.q[2].broken = true;
	fake_kick(2);
	assert_int_equal(fake.v.broken, 1);
	end(r);
}

static void tells_offloads(void **state)
{
	const uint64_t csum = VIRTIO_F(VIRTIO_NET_F_GUEST_CSUM);
	const uint64_t tso4 = VIRTIO_F(VIRTIO_NET_F_GUEST_TSO4);
	const uint64_t ecn = VIRTIO_F(VIRTIO_NET_F_GUEST_ECN);
	struct rig *r = begin();
	uint8_t wanted[8];
	uint64_t arg = 0;

	(void)state;
	assert_int_equal(fake_start(tso4), 0);
	fake_asked(TUNSETOFFLOAD, &arg);
	assert_int_equal(arg, 0);
	fake_stop();
	assert_int_equal(fake_start(csum | ecn), 0);
	fake_asked(TUNSETOFFLOAD, &arg);
	assert_int_equal(arg, TUN_F_CSUM);
	fake_stop();
	assert_int_equal(fake_start(all), 0);
	fake_asked(TUNSETOFFLOAD, &arg);
	assert_int_equal(arg, 0x6f);
	store_le(wanted, 8, csum | tso4);
	assert_int_equal(command(5, 0, wanted, 8), VIRTIO_NET_OK);
	fake_asked(TUNSETOFFLOAD, &arg);
	assert_int_equal(arg, TUN_F_CSUM | TUN_F_TSO4);
	end(r);
}

/* Bus master off and on is no reset: what the driver has set stays. */
static void keeps_its_settings(void **state)
{
	static const uint8_t other[6] = { 2, 0, 0, 0, 0, 9 };
	const uint64_t csum = VIRTIO_F(VIRTIO_NET_F_GUEST_CSUM);
	struct rig *r = begin();
	uint8_t wanted[8];
	uint64_t arg = 0;

	(void)state;
	assert_int_equal(fake_start(all), 0);
	store_le(wanted, 8, csum);
	assert_int_equal(command(5, 0, wanted, 8), VIRTIO_NET_OK);
	assert_int_equal(command(1, 1, other, 6), VIRTIO_NET_OK);
	assert_int_equal(command(4, 0, "\2\0", 2), VIRTIO_NET_OK);
	fake_pause();
	assert_int_equal(fake_start(all), 0);
	fake_asked(TUNSETOFFLOAD, &arg);
	assert_int_equal(arg, TUN_F_CSUM);
	assert_int_equal(fake_config(5, 1), 9);
	fake_give(3, r->packet, 60, false);
	fake_kick(3);
	assert_int_equal(recv(r->peer[1], r->buf, BUF, MSG_DONTWAIT), 60);
	fake_stop();
	assert_int_equal(fake_config(5, 1), 7);
	assert_int_equal(fake_start(all), 0);
	fake_asked(TUNSETOFFLOAD, &arg);
	assert_int_equal(arg, 0x6f);
	fake_give(3, r->packet, 60, false);
	fake_kick(3);
	assert_int_equal(recv(r->peer[1], r->buf, BUF, MSG_DONTWAIT), -1);
	end(r);
}

static void offers(void **state)
{
	struct rig *r = begin();

	(void)state;
	assert_true(fake.v.desc.features & MQ);
	assert_true(fake.v.desc.features & VIRTIO_F(VIRTIO_NET_F_MTU));
	assert_true(fake.v.desc.features & VIRTIO_F(VIRTIO_NET_F_STANDBY));
	assert_true(fake.v.desc.features & VIRTIO_F(VIRTIO_NET_F_HOST_USO));
	assert_int_equal(fake_config(10, 2), 9000);
	for (unsigned off = 0; off < 70; off++)
		for (unsigned width = 1; width <= 4; width *= 2)
			(void)fake_config(off, width);
	end(r);
}

static void refuses_what_is_no_tap(void **state)
{
	struct rig r = { .tap = { -1, -1 } };
	struct vm_nic c = config(&r, false);
	struct diag d;

	(void)state;
	assert_int_equal(net_add(&fake.vm, &c, &d), -EBADF);
	assert_int_equal(d.code, FL_VMM_NIC);
	assert_true(d.mend[0]);
	memset(&fake, 0, sizeof(fake));
}

/* ---- with vhost ------------------------------------------------------------
 */

static void kernel_serves(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	uint64_t arg = 0;

	(void)state;
	begin_as(r, true);
	assert_int_equal(fake.v.desc.without, VIRTIO_F(34));
	assert_int_equal(fake_asked(VHOST_SET_OWNER, NULL), 2);
	assert_int_equal(fake_start(all), 0);
	assert_int_equal(fake_asked(VHOST_SET_VRING_KICK, NULL), 4);
	assert_int_equal(fake_asked(VHOST_SET_FEATURES, NULL), 2);
	assert_int_equal(fake_asked(VHOST_NET_SET_BACKEND, &arg), 4);
	assert_int_equal(arg >> 32, r->tap[1]);
	/* Packets are the kernel's, commands ours. */
	arrive(r, 60);
	assert_int_equal(fake.v.q[RX0].n_used, 0);
	assert_int_equal(command(4, 0, "\2\0", 2), VIRTIO_NET_OK);
	fake_stop();
	assert_int_equal(fake_asked(VHOST_NET_SET_BACKEND, &arg), 8);
	assert_int_equal((int)(arg >> 32), -1);
	/* A bus master that was off: the kernel goes on where it was. */
	assert_int_equal(fake_start(all), 0);
	fake_asked(VHOST_SET_VRING_BASE, &arg);
	assert_int_equal(arg >> 32, FAKE_POSITION);
	end(r);
}

static int err_fd(void)
{
	uint64_t arg = 0;

	assert_true(fake_asked(VHOST_SET_VRING_ERR, &arg));
	return (int)(arg >> 32);
}

static void kernel_complains(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	(void)state;
	begin_as(r, true);
	assert_int_equal(fake_start(all), 0);
	assert_int_equal(eventfd_write(err_fd(), 1), 0);
	fake_run();
	assert_int_equal(fake.v.broken, 1);
	fake_stop();
	assert_int_equal(fake_start(all), 0);
	fake_run();
	assert_int_equal(fake.v.broken, 1);
	end(r);
}

static void kernel_refuses(void **state)
{
	static const unsigned long what[] = {
		VHOST_SET_FEATURES,   VHOST_SET_MEM_TABLE,
		VHOST_SET_VRING_NUM,  VHOST_SET_VRING_ADDR,
		VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR,
		VHOST_SET_VRING_KICK, VHOST_NET_SET_BACKEND,
	};
	struct rig *r = calloc(1, sizeof(*r));

	(void)state;
	begin_as(r, true);
	fake.error = EFAULT;
	for (size_t i = 0; i < ARRAY_SIZE(what); i++) {
		fake.fails = what[i];
		assert_int_equal(fake_start(all), -EFAULT);
		fake_run();
	}
	fake.fails = 0;
	assert_int_equal(fake_start(all), 0);
	end(r);
}

static void without_a_vector(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	uint64_t arg = 0;

	(void)state;
	begin_as(r, true);
	close_fd(&fake.v.q[2].call);
	close_fd(&fake.v.q[3].call);
	assert_int_equal(fake_start(all), 0);
	fake_asked(VHOST_SET_VRING_CALL, &arg);
	assert_int_equal(eventfd_write((int)(arg >> 32), 1), 0);
	fake_run();
	assert_int_equal(fake.v.q[3].interrupts, 1);
	end(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(receives_small),
		cmocka_unit_test(receives_into_several),
		cmocka_unit_test(receives_many),
		cmocka_unit_test(waits_for_buffers),
		cmocka_unit_test(drops_what_never_fits),
		cmocka_unit_test(one_buffer_is_one_packet),
		cmocka_unit_test(gives_back_at_stop),
		cmocka_unit_test(forgets_at_stop),
		cmocka_unit_test(sends),
		cmocka_unit_test(sends_in_turns),
		cmocka_unit_test(loses_its_tap),
		cmocka_unit_test(outlives_a_strange_packet),
		cmocka_unit_test(breaks),
		cmocka_unit_test(empty_buffer_breaks),
		cmocka_unit_test(obeys),
		cmocka_unit_test(uses_pairs),
		cmocka_unit_test(tells_offloads),
		cmocka_unit_test(keeps_its_settings),
		cmocka_unit_test(offers),
		cmocka_unit_test(refuses_what_is_no_tap),
		cmocka_unit_test(kernel_serves),
		cmocka_unit_test(kernel_complains),
		cmocka_unit_test(kernel_refuses),
		cmocka_unit_test(without_a_vector),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
