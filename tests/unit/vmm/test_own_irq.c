/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupts of functions of our own: MSI-X, its eventfds, and the pin. */

#include <poll.h>

#include "own_rig.h"

/* ---- messages ---- */

static void test_msix(void **state)
{
	struct fixture *f = *state;
	struct own *o = f->dev.own;

	turn_on(f, MEM | MASTER);
	own_raise(o, 0); /* off: nothing, and nothing later */
	set_vector(f, 0, 0x41, false);
	set_vector(f, 69, 0x51, false);
	assert_false(own_msix_enabled(o));
	msix(f, MSIX_ON);
	assert_true(own_msix_enabled(o));
	assert_true(f->dev.enabled);
	assert_int_equal(seen.messages, 0);
	own_raise(o, 0);
	assert_int_equal(seen.messages, 1);
	assert_int_equal(seen.last_addr, MSG);
	assert_int_equal(seen.last_data, 0x41);
	own_raise(o, 69);
	assert_int_equal(seen.last_data, 0x51);
	own_raise(o, VECTORS);
	own_raise(o, UINT32_MAX);
	assert_int_equal(seen.messages, 2);
	assert_int_equal(mem_read(f, BAR2 + 8, 4), 0x41);
	assert_int_equal(f->dev.reads, 0);
	/* Behind the table, and the pending bits: the device's. */
	mem_read(f, BAR2 + VECTORS * 16, 4);
	mem_read(f, BAR2 + PBA + 16, 4);
	assert_int_equal(f->dev.reads, 2);
	msix(f, 0);
	assert_int_equal(f->dev.vectors, 2);
	own_raise(o, 0);
	assert_int_equal(seen.messages, 2);
}

/* Of the first table: the interrupts. */
static uint64_t counted(const struct fixture *f, const char *name)
{
	struct stats_set s;

	assert_true(own_counters(&f->vm, SLOT, 0, &s));
	assert_false(own_counters(&f->vm, SLOT, 1, &s));
	assert_false(own_counters(&f->vm, SLOT + 1, 0, &s));
	assert_string_equal(s.what, "interrupts");
	for (unsigned i = 0; i < s.n; i++)
		if (!strcmp(s.def[i].name, name))
			return *(const uint64_t *)((const char *)s.base +
			                           s.def[i].at);
	fail_msg("no counter %s", name);
	return 0;
}

static void test_pending(void **state)
{
	struct fixture *f = *state;
	struct own *o = f->dev.own;

	turn_on(f, MEM | MASTER);
	set_vector(f, 1, 0x41, true);
	set_vector(f, 69, 0x42, false);
	msix(f, MSIX_ON);
	own_raise(o, 1);
	own_raise(o, 1);
	assert_int_equal(pending(f, 0), 2);
	assert_int_equal(mem_read(f, BAR2 + PBA, 4), 2);
	mem_write(f, BAR2 + PBA, 8, 0);
	assert_int_equal(pending(f, 0), 2);
	assert_int_equal(seen.messages, 0);
	set_vector(f, 1, 0x43, false);
	assert_int_equal(seen.messages, 1);
	assert_int_equal(seen.last_data, 0x43);
	assert_int_equal(pending(f, 0), 0);
	/* The whole function. */
	msix(f, MSIX_ON | MSIX_MASKED);
	own_raise(o, 69);
	own_raise(o, 1);
	assert_int_equal(pending(f, 0), 2);
	assert_int_equal(pending(f, 1), BIT64(5));
	msix(f, MSIX_ON);
	assert_int_equal(seen.messages, 3);
	/* No bus master, D3hot: it waits. */
	put(f, COMMAND, 2, MEM);
	own_raise(o, 69);
	assert_int_equal(pending(f, 1), BIT64(5));
	put(f, COMMAND, 2, MEM | MASTER);
	assert_int_equal(seen.messages, 4);
	put(f, find_cap(f, 1, 0) + 4, 2, 3);
	own_raise(o, 69);
	assert_int_equal(f->dev.command, 0);
	assert_int_equal(f->dev.at[0], 0);
	assert_int_equal(seen.messages, 4);
	put(f, find_cap(f, 1, 0) + 4, 2, 0);
	assert_int_equal(seen.messages, 5);
	assert_int_equal(counted(f, "messages"), 5);
	assert_int_equal(counted(f, "held"), 5);
	assert_int_equal(counted(f, "coalesced"), 1);
	assert_int_equal(f->dev.command, MEM | MASTER);
	/* What waited ends with MSI-X. */
	msix(f, MSIX_ON | MSIX_MASKED);
	own_raise(o, 69);
	msix(f, 0);
	msix(f, MSIX_ON);
	assert_int_equal(seen.messages, 5);
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void test_vector_fd(void **state)
{
	struct fixture *f = *state;
	struct own *o = f->dev.own;
	int fd = own_vector_fd(o, 2), high;

	assert_true(fd >= 0);
	assert_int_equal(own_vector_fd(o, 2), fd);
	assert_int_equal(own_vector_fd(o, VECTORS), -EINVAL);
	assert_int_equal(ties(), 0);
	turn_on(f, MEM | MASTER);
	/* Signalled while MSI-X is off: no interrupt, ever. */
	eventfd_write(fd, 1);
	set_vector(f, 2, 0x41, false);
	msix(f, MSIX_ON);
	assert_false(readable(fd));
	assert_int_equal(ties(), 1);
	assert_int_equal(seen.commits, 1);
	/* Masked: it stays in the eventfd, and shows. */
	mem_write(f, BAR2 + 2 * 16 + 12, 4, 1);
	assert_int_equal(ties(), 0);
	assert_int_equal(pending(f, 0), 0);
	eventfd_write(fd, 1);
	assert_int_equal(pending(f, 0), 4);
	assert_true(readable(fd));
	mem_write(f, BAR2 + 2 * 16 + 12, 4, 0);
	assert_int_equal(ties(), 1);
	assert_int_equal(seen.commits, 1);
	/* A new message is a new route; a device may use both ways. */
	set_vector(f, 2, 0x42, true);
	assert_int_equal(seen.commits, 1);
	set_vector(f, 2, 0x42, false);
	assert_int_equal(seen.commits, 2);
	own_raise(o, 2);
	assert_int_equal(seen.messages, 1);
	high = own_vector_fd(o, 68);
	assert_true(high >= 0);
	assert_int_equal(ties(), 1);
	eventfd_write(high, 1);
	assert_int_equal(pending(f, 1), BIT64(4));
	put(f, COMMAND, 2, MEM);
	assert_int_equal(ties(), 0);
	put(f, COMMAND, 2, MEM | MASTER);
	assert_int_equal(ties(), 1);
	msix(f, 0);
	assert_int_equal(ties(), 0);
	assert_int_equal(own_vector_fd(o, 2), fd);
	assert_int_equal(pending(f, 1), 0);
}

/* A device that starts once more is not told that all is well. */
static void test_vector_fd_refused(void **state)
{
	struct fixture *f = *state;
	struct own *o = f->dev.own;

	turn_on(f, MEM | MASTER);
	set_vector(f, 2, 0x41, false);
	msix(f, MSIX_ON);
	seen.refuses = true;
	assert_int_equal(own_vector_fd(o, 2), -ENOMEM);
	assert_int_equal(own_vector_fd(o, 2), -ENOMEM);
	seen.refuses = false;
	assert_true(own_vector_fd(o, 2) >= 0);
	assert_int_equal(ties(), 1);
}

/* ---- the pin ---- */

static void test_intx(void **state)
{
	struct fixture *f = *state;
	const unsigned gsi = topology_gsi(SLOT, 1);
	struct own *o = f->dev.own;

	own_intx(o, true);
	own_intx(o, true);
	assert_true(seen.pin[gsi]);
	assert_int_equal(seen.pin_changes, 1);
	assert_true(get(f, STATUS, 2) & 8);
	assert_true(get(f, STATUS, 1) & 8);
	assert_true(get(f, COMMAND, 4) & 0x80000);
	put(f, COMMAND, 2, INTX_OFF);
	assert_false(seen.pin[gsi]);
	assert_true(get(f, STATUS, 2) & 8);
	put(f, COMMAND, 2, 0);
	assert_true(seen.pin[gsi]);
	msix(f, MSIX_ON);
	assert_false(seen.pin[gsi]);
	msix(f, 0);
	assert_true(seen.pin[gsi]);
	own_intx(o, false);
	assert_false(seen.pin[gsi]);
	assert_false(get(f, STATUS, 2) & 8);
}

static void test_intx_shared(void **state)
{
	struct fixture *f = *state;
	const unsigned gsi = topology_gsi(SLOT, 1);
	struct device *second = &f->second;

	assert_int_equal(add(f, second, SLOT + 8), 0);
	assert_int_equal(topology_gsi(SLOT + 8, 1), gsi);
	own_intx(f->dev.own, true);
	own_intx(second->own, true);
	own_intx(f->dev.own, false);
	assert_true(seen.pin[gsi]);
	assert_true(own_bus_reset(&f->vm, SLOT + 8));
	assert_false(seen.pin[gsi]);
	assert_int_equal(seen.pin_changes, 2);
	/* A reset of one that is high, and an end of one. */
	own_intx(f->dev.own, true);
	own_reset_all(&f->vm);
	assert_false(seen.pin[gsi]);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_msix),      T(test_pending),
		T(test_vector_fd), T(test_vector_fd_refused),
		T(test_intx),      T(test_intx_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
