/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is recorded beside the functions: parameters of devlink, and the
 * interfaces of whatever network the test runs in, of which one is "lo". */

#include <linux/devlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "netd/devlink.h"
#include "netd/record.h"
#include "tests/unit/netd/tree.h"

static struct devlink_param param(const char *name, uint8_t cmode,
                                  const char *value)
{
	struct devlink_param p = { .type = 0 };

	snprintf(p.name, sizeof(p.name), "%s", name);
	p.value[cmode].has = true;
	snprintf(p.value[cmode].text, sizeof(p.value[cmode].text), "%s", value);
	return p;
}

/* Of the three cmodes a policy has two. */
static void test_param(void **state)
{
	struct pol_pf pf = { .set = 0 };
	struct devlink_param p =
		param("max_macs", DEVLINK_PARAM_CMODE_PERMANENT, "1");

	(void)state;
	assert_true(record_param(&p, &pf.sw));
	assert_int_equal(pf.sw.n_all, 0);
	p = param("max_macs", DEVLINK_PARAM_CMODE_DRIVERINIT, "32");
	p.value[DEVLINK_PARAM_CMODE_RUNTIME] =
		p.value[DEVLINK_PARAM_CMODE_DRIVERINIT];
	assert_true(record_param(&p, &pf.sw));
	record_params_done(&pf);
	assert_true(pf.set & POL_HAS_PARAMS);
	assert_int_equal(pf.sw.n_params, 2);
	assert_null(pf.sw.all);
	assert_string_equal(pf.sw.param[0].name, "max_macs");
	assert_string_equal(pf.sw.param[0].value, "32");
	assert_false(pf.sw.param[0].init);
	assert_true(pf.sw.param[1].init);
}

/* None is an answer; more than a policy can name are kept apart. */
static void test_many(void **state)
{
	const struct devlink_param p =
		param("x", DEVLINK_PARAM_CMODE_RUNTIME, "1");
	struct pol_pf pf = { .set = 0 };

	(void)state;
	record_params_done(&pf);
	assert_true(pf.set & POL_HAS_PARAMS);
	assert_int_equal(pf.sw.n_params, 0);
	for (unsigned i = 0; i < POL_PARAMS_SEEN; i++)
		assert_true(record_param(&p, &pf.sw));
	assert_false(record_param(&p, &pf.sw));
	record_params_done(&pf);
	assert_int_equal(pf.sw.n_params, 0);
	assert_int_equal(pf.sw.n_all, POL_PARAMS_SEEN);
	free(pf.sw.all);
}

static int set_up(void **state)
{
	static struct tree t;

	tree_make(&t);
	*state = &t;
	return 0;
}

static void test_links(void **state)
{
	struct tree *t = *state;
	struct env env = { .root_fd = t->fd };
	struct pol_state *s = calloc(1, sizeof(*s));
	struct machine m = { 0 };
	const struct pol_link *lo = NULL;
	struct diag d;

	assert_non_null(s);
	if (machine_open(&env, &m, &d)) {
		free(s);
		skip();
	}
	assert_int_equal(record_net(&m, s), 0);
	machine_close(&m);
	assert_false(s->ovs);
	for (size_t i = 0; i < s->n_links; i++) {
		assert_true(*s->link[i].name);
		if (!strcmp(s->link[i].name, "lo"))
			lo = &s->link[i];
	}
	assert_non_null(lo);
	assert_true(lo->mtu && !lo->bridge && !lo->made);
	for (size_t i = 0; i < s->n_overs; i++)
		assert_true(s->over[i].there && *s->over[i].o.bridge);
	pol_state_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_param),
		cmocka_unit_test(test_many),
		cmocka_unit_test_setup_teardown(test_links, set_up,
		                                tree_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
