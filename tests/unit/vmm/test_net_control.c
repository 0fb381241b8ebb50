/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a network device's driver sets up: the control queue, the configuration
 * and, where packets are the kernel's, vhost. */

#include "net_rig.h"

#include <linux/if_tun.h>
#include <linux/vhost.h>

/* ---- the control queue --------------------------------------------------- */

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

/* ---- with vhost ---------------------------------------------------------- */

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
