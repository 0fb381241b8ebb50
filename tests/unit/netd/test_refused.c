/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is noted of a driver's refusals, for whom it counts, and when it is
 * forgotten. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "netd/refused.h"
#include "tests/unit/netd/sim.h"

static const struct bdf pf_bdf = { .bus = 1 };

static struct pol_action action(enum pol_op op, int vf, uint32_t number)
{
	return (struct pol_action){ .op = op,
		                    .pf = pf_bdf,
		                    .vf = vf,
		                    .number = number,
		                    .rate_max = number,
		                    .may_fail = true };
}

static void note(const struct state_dir *d, const struct pol_action *a, int err)
{
	_cleanup_refused_ struct refused r = { 0 };

	assert_int_equal(refused_read(d->fd, pf_bdf, &r), 0);
	strcpy(r.driver, "igb");
	assert_int_equal(refused_add(&r, a, err, 1000, "it does not"), 0);
	assert_int_equal(refused_write(d->fd, pf_bdf, &r, NULL), 0);
}

struct both {
	struct pol_vf want_vf[2], seen_vf[2];
	struct pol_pf want_pf, seen_pf;
	struct pol_state want, seen;
};

/* Two VFs that are to have a link state and a rate, which the driver lacks. */
static void make(struct both *b, const char *driver, uint32_t speed)
{
	memset(b, 0, sizeof(*b));
	for (unsigned i = 0; i < 2; i++) {
		b->seen_vf[i].index = (uint16_t)i;
		b->want_vf[i] = (struct pol_vf){
			.set = POL_HAS_LINK_STATE | POL_HAS_RATE,
			.index = (uint16_t)i,
			.link_state = POL_LINK_ENABLE,
			.rate_max = 100,
			.warn = true,
		};
	}
	b->want_pf = (struct pol_pf){
		.bdf = pf_bdf, .name = "edge0", .vf = b->want_vf, .n_vfs = 2
	};
	b->seen_pf = (struct pol_pf){
		.bdf = pf_bdf, .vf = b->seen_vf, .n_vfs = 2, .speed = speed
	};
	strcpy(b->seen_pf.driver, driver);
	b->want = (struct pol_state){ .pf = &b->want_pf, .n_pfs = 1 };
	b->seen = (struct pol_state){ .pf = &b->seen_pf, .n_pfs = 1 };
}

static uint32_t refused_now(const struct state_dir *d, struct both *b,
                            unsigned vf)
{
	refused_see(d->fd, &b->seen, &b->want);
	return b->seen_vf[vf].refused;
}

static size_t warnings(const struct state_dir *d, const struct both *b)
{
	json_t *reply = json_object();
	size_t n;

	refused_tell(d->fd, &b->want, reply);
	n = json_array_size(json_object_get(reply, "warnings"));
	json_decref(reply);
	return n;
}

static void test_seen(void **state)
{
	struct pol_action a = action(POL_OP_VF_LINK, 1, POL_LINK_ENABLE);
	struct state_dir d;
	struct both b;

	(void)state;
	dir_make(&d);
	make(&b, "igb", 1000);
	assert_int_equal(refused_now(&d, &b, 1), 0); /* nothing is noted */
	note(&d, &a, -EOPNOTSUPP);
	assert_int_equal(refused_now(&d, &b, 0), 0);
	assert_int_equal(refused_now(&d, &b, 1), POL_HAS_LINK_STATE);
	assert_int_equal(warnings(&d, &b), 1);
	/* Of another driver, or another value, or nobody who does without. */
	make(&b, "ixgbe", 1000);
	assert_int_equal(refused_now(&d, &b, 1), 0);
	make(&b, "igb", 1000);
	b.want_vf[1].link_state = POL_LINK_DISABLE;
	assert_int_equal(refused_now(&d, &b, 1), 0);
	assert_int_equal(warnings(&d, &b), 0);
	make(&b, "igb", 1000);
	b.want_vf[1].warn = false;
	assert_int_equal(refused_now(&d, &b, 1), 0);
	make(&b, "igb", 1000);
	b.want_vf[1].set = POL_HAS_RATE;
	assert_int_equal(refused_now(&d, &b, 1), 0);
	dir_drop(&d);
}

/* A rate may be refused for what the link is now. */
static void test_speed(void **state)
{
	struct pol_action a = action(POL_OP_VF_RATE, 0, 100);
	struct state_dir d;
	struct both b;

	(void)state;
	dir_make(&d);
	note(&d, &a, -EINVAL);
	make(&b, "igb", 1000);
	assert_int_equal(refused_now(&d, &b, 0), POL_HAS_RATE);
	make(&b, "igb", 10000);
	assert_int_equal(refused_now(&d, &b, 0), 0);
	note(&d, &a, -EOPNOTSUPP); /* in place of the older one */
	assert_int_equal(refused_now(&d, &b, 0), POL_HAS_RATE);
	assert_int_equal(warnings(&d, &b), 1);
	dir_drop(&d);
}

static void test_each_setting(void **state)
{
	static const enum pol_op ops[] = { POL_OP_VF_MAC,   POL_OP_VF_VLAN,
		                           POL_OP_VF_RATE,  POL_OP_VF_SPOOF,
		                           POL_OP_VF_TRUST, POL_OP_VF_RSS,
		                           POL_OP_VF_LINK };
	_cleanup_refused_ struct refused r = { 0 };
	struct state_dir d;
	struct both b;
	json_t *list;

	(void)state;
	dir_make(&d);
	make(&b, "igb", 1000);
	b.want_vf[0] = (struct pol_vf){ .set = POL_HAS_KNOBS,
		                        .warn = true,
		                        .rate_max = 1,
		                        .spoof = true,
		                        .trust = true,
		                        .rss = true,
		                        .link_state = POL_LINK_ENABLE };
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		struct pol_action a = action(ops[i], 0, 1);

		note(&d, &a, -EOPNOTSUPP);
	}
	refused_see(d.fd, &b.seen, &b.want);
	assert_int_equal(b.seen_vf[0].refused, POL_HAS_KNOBS);
	assert_int_equal(refused_read(d.fd, pf_bdf, &r), 0);
	assert_int_equal(r.n, ARRAY_SIZE(ops));
	list = refused_json(&r, 0);
	assert_int_equal(json_array_size(list), ARRAY_SIZE(ops));
	json_decref(list);
	list = refused_json(&r, 1);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
	dir_drop(&d);
}

static void test_forget(void **state)
{
	struct pol_action a = action(POL_OP_VF_RATE, 0, 100);
	struct state_dir d;
	char names[256];

	(void)state;
	dir_make(&d);
	assert_int_equal(refused_forget(d.fd, pf_bdf, NULL), 0);
	note(&d, &a, -EINVAL);
	assert_string_equal(dir_list(&d, names), "refused-0000:01:00.0.json");
	assert_int_equal(refused_forget(d.fd, (struct bdf){ .bus = 2 }, NULL),
	                 0);
	assert_string_equal(dir_list(&d, names), "refused-0000:01:00.0.json");
	assert_int_equal(refused_forget(d.fd, pf_bdf, NULL), 0);
	assert_string_equal(dir_list(&d, names), "");
	note(&d, &a, -EINVAL);
	assert_int_equal(journal_put(d.fd, JOURNAL_APPLIED_FILE, "x", 1, NULL),
	                 0);
	assert_int_equal(refused_forget_all(d.fd, NULL), 0);
	assert_string_equal(dir_list(&d, names), JOURNAL_APPLIED_FILE);
	dir_drop(&d);
}

/* What is no good file of ours is no note. */
static void test_damaged(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"{\"driver\": 1, \"refused\": 2}",
		"{\"driver\": \"igb\", \"refused\": [1, {}, {\"vf\": -1}]}",
		"{\"driver\": \"igb\", \"refused\": [{\"vf\": 256, \"op\": "
		"\"vf-rate\", \"value\": \"\", \"errno\": 1, \"speed\": 0, "
		"\"words\": \"\"}]}",
		"{\"driver\": \"igb\", \"refused\": [{\"vf\": 0, \"op\": "
		"\"numvfs\", \"value\": \"\", \"errno\": 1, \"speed\": 0, "
		"\"words\": \"\"}]}",
	};
	struct state_dir d;

	(void)state;
	dir_make(&d);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_refused_ struct refused r = { 0 };

		assert_int_equal(journal_put(d.fd, "refused-0000:01:00.0.json",
		                             texts[i], strlen(texts[i]), NULL),
		                 0);
		assert_int_equal(refused_read(d.fd, pf_bdf, &r), 0);
		assert_int_equal(r.n, 0);
	}
	dir_drop(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seen),
		cmocka_unit_test(test_speed),
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_each_setting),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
