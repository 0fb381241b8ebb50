/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Serial numbers that were read at the start, and a card that was changed
 * since. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "netd/serials.h"
#include "tests/unit/netd/tree.h"

#define DEVICES "sys/bus/pci/devices/"
#define CARD DEVICES "0000:01:00.0"

static struct pol_ident find(const struct tree *t, const struct serials *s,
                             uint32_t *set)
{
	struct pol_ident id = { .subvendor = 1 };

	*set = 0;
	serials_find(s, t->fd, (struct bdf){ .bus = 1 }, &id, set);
	return id;
}

static void test_known(void **state)
{
	struct tree *t = *state;
	struct serials *s;
	struct pol_ident id;
	uint32_t set;

	put(t, CARD "/serial_number", "00-1b-21-ff-ff-00-00-01\n");
	put(t, CARD "/vpd", "\x90\xff\xffSN\4ABCD");
	put(t, DEVICES "0000:02:00.0/vendor", "0x8086\n");
	s = serials_read(t->fd);
	assert_non_null(s);
	id = find(t, s, &set);
	assert_string_equal(id.dsn, "00-1b-21-ff-ff-00-00-01");
	assert_int_equal(set, POL_HAS_DSN);
	id = find(t, NULL, &set);
	assert_true(!set && !*id.dsn && id.subvendor == 1);
	/* Another card at the same address: nothing is known of it. */
	assert_int_equal(renameat(t->fd, CARD, t->fd, DEVICES "old"), 0);
	put(t, CARD "/serial_number", "00-1b-21-ff-ff-00-00-01\n");
	id = find(t, s, &set);
	assert_true(!set && !*id.dsn && !*id.vpd);
	serials_free(s);
	serials_free(NULL);
}

/* A machine without PCI, and one that never answers. */
static void test_nothing(void **state)
{
	struct tree *t = *state;
	uint64_t begun = now_ns();
	struct serials *s = serials_read(t->fd);
	uint32_t set;

	assert_non_null(s);
	find(t, s, &set);
	assert_int_equal(set, 0);
	serials_free(s);
	put(t, CARD "/vendor", "0x8086\n");
	assert_int_equal(mkfifoat(t->fd, CARD "/serial_number", 0600), 0);
	s = serials_read(t->fd);
	assert_non_null(s);
	find(t, s, &set);
	assert_int_equal(set, 0);
	serials_free(s);
	assert_true(now_ns() - begun < 2 * SERIALS_MS * 1000000ull);
}

static int setup(void **state)
{
	static struct tree t;

	tree_make(&t);
	*state = &t;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_known, setup,
		                                tree_teardown),
		cmocka_unit_test_setup_teardown(test_nothing, setup,
		                                tree_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
