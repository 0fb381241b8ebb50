/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why the view differs: nothing that differs goes unexplained, nothing is
 * explained that does not differ.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/pci-config/recorded.h"

static struct cfg_layout layout;
static struct cfg_space space;
static struct cfg_difference diff[256];
static size_t n_diff;

static const struct cfg_place places[] = {
	{ .behind_port = true, .intx_pin = 1 },
	{ .behind_port = true, .multifunction = true, .intx_pin = 3 },
	{ .behind_port = false },
};

static void explain(const char *name, const struct cfg_place *place)
{
	assert_int_equal(recorded_layout(name, &layout), 0);
	cfg_compose_endpoint(&space, &layout, place);
	n_diff = cfg_explain(&layout, place, &space, diff, ARRAY_SIZE(diff));
	assert_true(n_diff > 0 && n_diff <= ARRAY_SIZE(diff));
}

static bool differs(unsigned at)
{
	return ((layout.raw[at] ^ space.now[at]) & ~space.hw[at]) != 0;
}

static void check_complete(void)
{
	unsigned at = 0;

	for (size_t i = 0; i < n_diff; i++) {
		const struct cfg_difference *d = &diff[i];

		for (; at < d->off; at++)
			assert_false(differs(at));
		assert_true(d->len > 0 && d->off + d->len <= CFG_SIZE);
		assert_true(differs(d->off));
		assert_true(differs(d->off + d->len - 1u));
		assert_true(strlen(d->what) > 2 && strlen(d->reason) > 5);
		at = d->off + d->len;
	}
	for (; at < CFG_SIZE; at++)
		assert_false(differs(at));
}

static void complete(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(recorded_names); i++)
		for (unsigned p = 0; p < ARRAY_SIZE(places); p++) {
			explain(recorded_names[i], &places[p]);
			check_complete();
		}
}

static const struct cfg_difference *find(const char *what)
{
	for (size_t i = 0; i < n_diff; i++)
		if (!strcmp(diff[i].what, what))
			return &diff[i];
	return NULL;
}

static void words(void **state)
{
	const struct cfg_difference *d;

	(void)state;
	explain("hidden-middle", &places[0]);
	d = find("Single Root I/O Virtualization");
	assert_non_null(d);
	assert_true(d->ext && d->cap == d->off);
	assert_string_equal(d->reason,
	                    cfg_layout_find(&layout, true, 0x10)->reason);
	d = find("Base Address 1");
	assert_non_null(d);
	assert_int_equal(d->cap, 0);
	assert_int_equal(d->off, 0x14);
	assert_non_null(find("Next Capability Pointer"));

	/* What is the same needs no word; the multi-function bit does. */
	explain("e1000e", &places[0]);
	assert_null(find("Header Type"));
	explain("e1000e", &places[1]);
	assert_int_equal(find("Header Type")->off, 0x0e);
	assert_int_equal(find("Interrupt Pin")->off, 0x3d);
	explain("hidden-middle", &places[2]);
	assert_string_equal(find("Link Control, Link Status")->reason,
	                    "not behind a port: no link");
}

/* What the guest wrote, and what the device says now, are no differences. */
static void only_fresh(void **state)
{
	size_t before;

	(void)state;
	explain("nvme", &places[0]);
	before = n_diff;
	for (unsigned off = 0; off < CFG_SIZE; off += 4)
		cfg_write(&space, off, 4, UINT32_MAX);
	n_diff = cfg_explain(&layout, &places[0], &space, diff,
	                     ARRAY_SIZE(diff));
	assert_int_equal(n_diff, before);
	assert_null(find("Device Status"));
}

static void no_room(void **state)
{
	struct cfg_difference few[2];
	size_t all;

	(void)state;
	explain("nvme", &places[0]);
	all = n_diff;
	assert_int_equal(cfg_explain(&layout, &places[0], &space, few, 2), all);
	assert_memory_equal(few, diff, sizeof(few));
	assert_int_equal(cfg_explain(&layout, &places[0], &space, NULL, 0),
	                 all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(complete),
		cmocka_unit_test(words),
		cmocka_unit_test(only_fresh),
		cmocka_unit_test(no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
