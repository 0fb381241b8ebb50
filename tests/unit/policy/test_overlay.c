/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Overlays that are there: what of them is planned back, and what is left. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/policy.h"

#define OUTER_MTU 1500u
#define MTU 1450u

struct pair {
	struct pol_over want, seen;
};

/* EVPN's: who is flooded to is not the policy's to say. */
static struct pair up_pair(void)
{
	struct pair p = { .want = { .there = true,
		                    .o = { .id = 100,
		                           .bridge = "br-blue",
		                           .dev = "vx100",
		                           .local = { 4, { 192, 0, 2, 1 } },
		                           .port = 4789 } } };

	p.seen = p.want;
	p.seen.o.mtu = MTU;
	p.seen.outer_mtu = OUTER_MTU;
	strcpy(p.seen.outer, "eth0");
	return p;
}

static size_t actions(struct pair *p)
{
	const struct pol_state want = { .over = &p->want, .n_overs = 1 };
	const struct pol_state seen = { .over = &p->seen, .n_overs = 1 };
	struct pol_plan *plan = NULL;
	struct diag d = { 0 };
	size_t n;

	assert_int_equal(pol_plan(&want, &seen, &plan, &d), 0);
	n = plan->n;
	assert_true(n < 2 && (!n || plan->action[0].op == POL_OP_OVERLAY));
	pol_plan_free(plan);
	return n;
}

static void test_down(void **state)
{
	struct pair p = up_pair();

	(void)state;
	assert_int_equal(actions(&p), 0);
	p.seen.o.dev_down = true;
	assert_int_equal(actions(&p), 1);
	p.seen.o.dev_down = false;
	p.seen.o.bridge_down = true;
	assert_int_equal(actions(&p), 1);
	/* Back to how it was: that was down. */
	p.want.o.bridge_down = true;
	assert_int_equal(actions(&p), 0);
}

static void test_remotes(void **state)
{
	static const struct pol_ip far = { 4, { 192, 0, 2, 9 } };
	struct pair p = up_pair();

	(void)state;
	p.seen.o.remote[p.seen.o.n_remotes++] = far;
	assert_int_equal(actions(&p), 0);
	p.want.o.remote[p.want.o.n_remotes++] = p.want.o.local;
	assert_int_equal(actions(&p), 1);
	p.want.o.remote[0] = far;
	assert_int_equal(actions(&p), 0);
}

static struct pol_plan *plan_of(struct pair *p)
{
	const struct pol_state want = { .over = &p->want, .n_overs = 1 };
	const struct pol_state seen = { .over = &p->seen, .n_overs = 1 };
	struct pol_plan *plan = NULL;
	struct diag d = { 0 };

	assert_int_equal(pol_plan(&want, &seen, &plan, &d), 0);
	return plan;
}

/* Two tunnels in one bridge would be one network. */
static void test_id(void **state)
{
	struct pair p = up_pair();
	struct pol_plan *plan;
	char text[1024];

	(void)state;
	p.seen.o.id = 99;
	strcpy(p.seen.o.dev, "vx99");
	plan = plan_of(&p);
	assert_int_equal(plan->n, 1);
	assert_int_equal(plan->action[0].disruption, POL_DIS_LINK);
	pol_action_text(&plan->action[0], text, sizeof(text));
	assert_non_null(strstr(text, "in place of vx99"));
	pol_action_command(&plan->action[0], text, sizeof(text));
	assert_int_equal(strncmp(text, "ip link del vx99; ", 18), 0);
	pol_plan_free(plan);
}

/* Somebody has taken the tunnel away; so it was before us. */
static void test_bare(void **state)
{
	struct pair p = up_pair();
	struct pol_plan *plan;
	char text[1024];

	(void)state;
	p.want = (struct pol_over){ .there = true,
		                    .bare = true,
		                    .o = { .bridge = "br-blue" } };
	plan = plan_of(&p);
	assert_int_equal(plan->n, 1);
	pol_action_command(&plan->action[0], text, sizeof(text));
	assert_int_equal(strncmp(text, "ip link del vx100; ", 19), 0);
	assert_null(strstr(text, "vxlan"));
	pol_plan_free(plan);
	p.seen = p.want;
	plan = plan_of(&p);
	assert_int_equal(plan->n, 0);
	pol_plan_free(plan);
}

/* In a journal. One of an earlier version does not say it. */
static void test_saved(void **state)
{
	struct pair p = up_pair();
	const struct pol_state seen = { .over = &p.seen, .n_overs = 1 };
	struct pol_state *back = NULL;
	json_t *doc, *over;

	(void)state;
	p.seen.o.dev_down = true;
	doc = pol_state_to_json(&seen);
	assert_int_equal(pol_state_from_json(doc, &back), 0);
	assert_true(back->over[0].o.dev_down);
	assert_false(back->over[0].o.bridge_down);
	pol_state_free(back);
	over = json_array_get(json_object_get(doc, "overlays"), 0);
	assert_int_equal(json_object_del(over, "dev-down"), 0);
	assert_int_equal(json_object_del(over, "bridge-down"), 0);
	assert_int_equal(pol_state_from_json(doc, &back), 0);
	assert_false(back->over[0].o.dev_down);
	pol_state_free(back);
	json_decref(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_down),  cmocka_unit_test(test_remotes),
		cmocka_unit_test(test_id),    cmocka_unit_test(test_bare),
		cmocka_unit_test(test_saved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
