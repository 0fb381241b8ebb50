/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A socket device, whose kernel writes down what it is asked for. */

#include "fake_virtio.h"

#include <linux/vhost.h>

static int add(struct diag *d)
{
	const struct vm_vsock c = { .slot = 4, .cid = 0x1234567, .fd = 1000 };

	return vsock_add(&fake.vm, &c, d);
}

static void tells_its_cid(void **state)
{
	uint64_t arg = 0;
	struct diag d;

	(void)state;
	assert_int_equal(add(&d), 0);
	assert_int_equal(fake_asked(VHOST_SET_OWNER, NULL), 1);
	assert_int_equal(fake_asked(VHOST_VSOCK_SET_GUEST_CID, &arg), 1);
	assert_int_equal(arg, 0x1234567);
	assert_int_equal(fake_config(0, 4), 0x1234567);
	assert_int_equal(fake_config(4, 4), 0);
	assert_int_equal(fake_config(8, 4), UINT32_MAX);
	assert_int_equal(fake.v.desc.queues, 3);
	fake_end();
}

static void runs_and_stops(void **state)
{
	uint64_t arg = 0;
	struct diag d;

	(void)state;
	assert_int_equal(add(&d), 0);
	for (unsigned i = 1; i < 4; i++) {
		assert_int_equal(fake_start(~0ull), 0);
		fake_asked(VHOST_VSOCK_SET_RUNNING, &arg);
		assert_int_equal((int)arg, 1);
		assert_int_equal(fake_asked(VHOST_SET_VRING_ADDR, NULL), 2 * i);
		fake_stop();
		fake_asked(VHOST_VSOCK_SET_RUNNING, &arg);
		assert_int_equal((int)arg, 0);
	}
	fake_end();
}

static void breaks_alone(void **state)
{
	uint64_t arg = 0;
	struct diag d;

	(void)state;
	assert_int_equal(add(&d), 0);
	assert_int_equal(fake_start(~0ull), 0);
	fake_asked(VHOST_SET_VRING_ERR, &arg);
	assert_int_equal(eventfd_write((int)(arg >> 32), 1), 0);
	fake_run();
	assert_int_equal(fake.v.broken, 1);
	fake_asked(VHOST_VSOCK_SET_RUNNING, &arg);
	assert_int_equal((int)arg, 0);
	fake_stop();
	fake.fails = VHOST_VSOCK_SET_RUNNING;
	fake.error = EFAULT;
	assert_int_equal(fake_start(~0ull), -EFAULT);
	fake_end();
}

static void refuses(void **state)
{
	static const unsigned long what[] = {
		VHOST_SET_OWNER,
		VHOST_GET_FEATURES,
		VHOST_VSOCK_SET_GUEST_CID,
	};
	struct diag d = { 0 };

	(void)state;
	fake.error = EADDRINUSE;
	for (size_t i = 0; i < ARRAY_SIZE(what); i++) {
		fake.fails = what[i];
		assert_int_equal(add(&d), -EADDRINUSE);
		assert_int_equal(d.code, FL_VMM_VHOST);
		assert_true(d.mend[0]);
	}
	assert_string_equal(d.why, "another guest has it");
	memset(&fake, 0, sizeof(fake));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_its_cid),
		cmocka_unit_test(runs_and_stops),
		cmocka_unit_test(breaks_alone),
		cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
