/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The entropy device, and the console, before a driver. */

#include "virtio_rig.h"

static int setup_rng(void **state)
{
	struct rig *r = make();

	assert_int_equal(rng_add(&r->m.vm, SLOT, &r->d), 0);
	decode(r);
	*state = r;
	return 0;
}

static void random_bytes(void **state)
{
	static const uint8_t zero[64];
	struct drv_buf b = { DRV_DATA, 64, true };
	struct rig *r = *state;
	struct drv_used u;
	unsigned n = 0;

	msix(r, true);
	for (unsigned pass = 0; pass < 2; pass++) {
		up(r, VIRTIO_RING_FEATURES & ~(pass ? VIRTIO_F(34) : 0));
		turn();
		assert_int_equal(drv_add(&r->g, &b, 1, 0) >= 0, true);
		assert_true(drv_wants_kick(&r->g));
		put(r, NOTIFY, 2, 0);
		seen.messages = 0;
		turn();
		assert_int_equal(seen.messages, 1);
		assert_int_equal(seen.data, 0x41);
		assert_true(drv_used(&r->g, &u));
		assert_int_equal(u.len, 64);
		assert_memory_not_equal(drv_ram(&r->m.vm, DRV_DATA), zero, 64);
		memset(drv_ram(&r->m.vm, DRV_DATA), 0, 64);
		/* One that lasts: no more than a part of it. */
		b.len = 0x10000;
		drv_add(&r->g, &b, 1, DRV_INDIRECT);
		put(r, NOTIFY, 2, 0);
		turn();
		assert_true(drv_used(&r->g, &u));
		assert_in_range(u.len, 1, 4096);
		/* What breaks it, and how that ends. */
		b.gpa = DRV_LOW_SIZE;
		drv_add(&r->g, &b, 1, 0);
		put(r, NOTIFY, 2, 0);
		n = seen.messages;
		turn();
		assert_int_equal(seen.messages, n + 1);
		assert_true(get(r, STATUS, 1) & NEEDS_RESET);
		b = (struct drv_buf){ DRV_DATA, 64, true };
		put(r, NOTIFY, 2, 0);
		turn();
		assert_false(drv_used(&r->g, &u));
		put(r, STATUS, 1, 0);
		assert_int_equal(get(r, STATUS, 1), 0);
	}
}

static int setup_console(void **state)
{
	struct rig *r = make();
	int in[2], out[2];

	assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
	r->m.vm.cfg.in_fd = in[0];
	r->m.vm.cfg.out_fd = out[1];
	r->in = in[1];
	r->out = out[0];
	assert_int_equal(serial_new(&r->m.vm, &r->m.vm.serial), 0);
	assert_int_equal(console_new(&r->m.vm, &r->m.vm.console, &r->d), 0);
	assert_int_equal(vconsole_add(&r->m.vm, SLOT, &r->d), 0);
	decode(r);
	*state = r;
	return 0;
}

static void type(struct rig *r, const char *text)
{
	assert_int_equal(write(r->in, text, strlen(text)), strlen(text));
	assert_false(console_read(r->m.vm.console));
}

static void two_ports(void **state)
{
	struct drv_buf in = { DRV_DATA, 4, true };
	struct drv_buf out = { DRV_DATA + 64, 6, false };
	struct rig *r = *state;
	struct drv_used u;
	struct drv tx;
	char got[64] = "";

	drv_init_nth(&r->g, &r->m.vm, 0, 16, VIRTIO_RING_FEATURES);
	drv_init_nth(&tx, &r->m.vm, 1, 16, VIRTIO_RING_FEATURES);
	set_features(r, VIRTIO_RING_FEATURES);
	set_queue(r, 0, &r->g.setup);
	set_queue(r, 1, &tx.setup);
	put(r, STATUS, 1, ACK | DRIVER | FEATURES_OK | DRIVER_OK);
	type(r, "s"); /* the serial line's */
	assert_int_equal(serial_room(r->m.vm.serial), 0);
	memcpy(drv_ram(&r->m.vm, DRV_DATA + 64), "hello\n", 6);
	drv_add(&tx, &out, 1, 0);
	put(r, NOTIFY + 4, 2, 1);
	turn();
	assert_true(drv_used(&tx, &u));
	console_write(r->m.vm.console);
	assert_int_equal(read(r->out, got, sizeof(got)), 6);
	assert_string_equal(got, "hello\n");
	/* No buffer, no input. */
	assert_false(console_wants_input(r->m.vm.console));
	drv_add(&r->g, &in, 1, 0);
	assert_true(drv_wants_kick(&r->g));
	put(r, NOTIFY, 2, 0);
	turn();
	assert_true(console_wants_input(r->m.vm.console));
	type(r, "abcdef");
	assert_true(drv_used(&r->g, &u));
	assert_int_equal(u.len, 4);
	assert_memory_equal(drv_ram(&r->m.vm, DRV_DATA), "abcd", 4);
	assert_false(console_wants_input(r->m.vm.console));
	drv_add(&r->g, &in, 1, 0);
	(void)console_wants_input(r->m.vm.console);
	assert_true(drv_used(&r->g, &u));
	assert_int_equal(u.len, 2);
	/* Its driver goes: the serial line's again. */
	put(r, STATUS, 1, 0);
	assert_false(console_wants_input(r->m.vm.console));
	serial_reset(r->m.vm.serial);
	assert_true(console_wants_input(r->m.vm.console));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(random_bytes, setup_rng),
		TEST(two_ports, setup_console),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
