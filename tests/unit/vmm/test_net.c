/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A network device's packets, from its tap and to it. Its control queue, and
 * vhost, are test_net_control.c's. */

#include "net_rig.h"

#include <sys/syscall.h>

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
