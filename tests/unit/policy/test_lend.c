/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which VF of a pool is lent, of two nics at two memory nodes and one of which
 * the kernel does not tell it; and what is said of it and of the others. */

#include "tests/unit/policy/golden.h"

#define PFS 3
#define VFS 3

static const char text[] =
	"version: 1\n"
	"nics:\n"
	"  - { name: a, match: { pci: \"0000:01:00.0\" } }\n"
	"  - { name: b, match: { pci: \"0000:02:00.0\" } }\n"
	"  - { name: c, match: { pci: \"0000:03:00.0\" } }\n"
	"pools:\n"
	"  - { name: packed, functions: [\"a#0-1\", \"b#0-1\", \"c#0\"] }\n"
	"  - name: balanced\n"
	"    functions: [\"a#2\", \"b#2\", \"c#1-2\"]\n"
	"    placement: balanced\n"
	"guests:\n"
	"  - name: g\n"
	"    memory: 512M\n"
	"    kernel: /k\n"
	"    nics: [{ name: wan, pool: packed }]\n";

struct rig {
	struct pol_policy *policy;
	struct pol_pf pf[PFS];
	struct pol_vf vf[PFS][VFS];
	struct pol_lend_vf of[PFS * VFS];
	struct pol_lending l;
};

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct pol_errors *errs = calloc(1, sizeof(*errs));

	if (pol_parse(text, strlen(text), &r->policy, errs))
		fail_msg("%s", errs->e[0].diag.what);
	free(errs);
	for (uint8_t i = 0; i < PFS; i++) {
		r->pf[i] = (struct pol_pf){ .vf = r->vf[i], .n_vfs = VFS };
		r->pf[i].set = POL_HAS_ROOT | (i < 2 ? POL_HAS_NODE : 0u);
		r->pf[i].id.node = i;
		r->pf[i].id.root = (struct bdf){ 0, 0, i, 0 };
		for (uint8_t k = 0; k < VFS; k++) {
			r->vf[i][k].index = k;
			r->vf[i][k].bdf = (struct bdf){ 0, i + 1u, 2, k };
		}
	}
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	pol_free(r->policy);
	free(r);
	return 0;
}

/* All of the pool that no guest has are free. */
static void begin(struct rig *r, size_t pool)
{
	r->l = (struct pol_lending){ .policy = r->policy,
		                     .pool = &r->policy->pool[pool],
		                     .vf = r->of };
	for (size_t i = 0; i < r->l.pool->n_fn; i++) {
		struct pol_fn fn = r->l.pool->fn[i];

		r->of[i].pf = &r->pf[fn.nic];
		r->of[i].state = pol_fn_nic(r->policy, fn, NULL)
		                         ? POL_LEND_GUEST
		                         : POL_LEND_FREE;
	}
}

static void hold(struct rig *r, size_t i)
{
	struct pol_fn fn = r->l.pool->fn[i];

	strcpy(r->vf[fn.nic][fn.vf].label, "loan x");
	r->of[i].state = POL_LEND_HELD;
}

static void expect(const struct rig *r, size_t want, const char *why,
                   const char *others)
{
	char said[DIAG_LINE];
	size_t i = SIZE_MAX;

	assert_true(pol_lend_choose(&r->l, &i));
	assert_int_equal(i, want);
	assert_int_equal(pol_lend_why(&r->l, i, said, sizeof(said)),
	                 strlen(why));
	assert_string_equal(said, why);
	assert_int_equal(pol_lend_others(&r->l, i, said, sizeof(said)),
	                 strlen(others));
	assert_string_equal(said, others);
}

static void expect_none(const struct rig *r, const char *others)
{
	char said[DIAG_LINE];
	size_t i;

	assert_false(pol_lend_choose(&r->l, &i));
	pol_lend_others(&r->l, SIZE_MAX, said, sizeof(said));
	assert_string_equal(said, others);
}

#define FIRST "the first that is free, in the order written"
#define LATER "as good, and later in the order written"

/* a#0 is the guest's, whether it runs or not. */
static void test_packed(void **state)
{
	struct rig *r = *state;

	begin(r, 0);
	expect(r, 1, FIRST, "1 given to guests, 3 " LATER);
	hold(r, 1);
	r->of[2].state = POL_LEND_QUARANTINED;
	expect(r, 3, FIRST,
	       "1 given to guests, 1 held, 1 in quarantine, 1 " LATER);
	r->of[3].state = POL_LEND_GONE;
	r->of[4].pf = NULL;
	expect_none(r, "1 given to guests, 2 not there, 1 held, "
	               "1 in quarantine");
}

/* Of VFs outside of the pool, too: a has the guest's. */
static void test_balanced(void **state)
{
	struct rig *r = *state;

	begin(r, 1);
	expect(r, 1, "balanced: 0 VF(s) of b are in use, and of no other less",
	       "1 of a nic of which more are in use, 2 " LATER);
	hold(r, 1);
	expect(r, 2, "balanced: 0 VF(s) of c are in use, and of no other less",
	       "1 held, 1 of a nic of which more are in use, 1 " LATER);
	hold(r, 2);
	r->vf[2][0].holder_pid = 7;
	expect(r, 0, "balanced: 1 VF(s) of a are in use, and of no other less",
	       "2 held, 1 of a nic of which more are in use");
}

static void test_isolate(void **state)
{
	struct rig *r = *state;

	r->policy->pool[1].placement = POL_PLACE_ISOLATE;
	begin(r, 1);
	expect(r, 1, "isolate: nobody has a VF of b",
	       "1 of a nic of which others have VFs, 2 " LATER);
	strcpy(r->vf[1][0].holder, "qemu");
	hold(r, 2);
	expect_none(r, "1 held, 3 of a nic of which others have VFs");
	/* Who names one has it all the same. */
	r->l.wish =
		(struct pol_lend_wish){ .by_vf = true, .vf = r->vf[0][2].bdf };
	expect(r, 0, "it was asked for", "3 not the one that is asked for");
}

/* What is known to be there first, what is not known at last. */
static void test_node(void **state)
{
	struct rig *r = *state;

	begin(r, 0);
	r->l.wish = (struct pol_lend_wish){ .by_node = true, .node = 1 };
	expect(r, 2, "at memory node 1, " FIRST,
	       "1 given to guests, 1 at another memory node, 1 at a memory "
	       "node that is not known, 1 " LATER);
	hold(r, 2);
	hold(r, 3);
	expect(r, 4, "none is free at memory node 1, " FIRST,
	       "1 given to guests, 2 held, 1 at another memory node");
	hold(r, 4);
	expect_none(r, "1 given to guests, 3 held, 1 at another memory node");
}

/* Before the balance: c, of which nothing is known, has none in use. */
static void test_node_balanced(void **state)
{
	struct rig *r = *state;

	begin(r, 1);
	r->l.wish = (struct pol_lend_wish){ .by_node = true, .node = 0 };
	expect(r, 0,
	       "at memory node 0, balanced: 1 VF(s) of a are in use, and of "
	       "no other less",
	       "1 at another memory node, 2 at a memory node that is not "
	       "known");
}

/* What is not known to be below it is not taken for it. */
static void test_root(void **state)
{
	struct rig *r = *state;

	begin(r, 0);
	r->l.wish = (struct pol_lend_wish){ .by_root = true,
		                            .root = r->pf[1].id.root };
	expect(r, 2, "below root port 0000:00:01.0, " FIRST,
	       "1 given to guests, 2 not below that root port, 1 " LATER);
	r->pf[1].set &= ~(uint32_t)POL_HAS_ROOT;
	expect_none(r, "1 given to guests, 4 not below that root port");
}

static void test_named(void **state)
{
	struct rig *r = *state;

	begin(r, 0);
	r->l.wish =
		(struct pol_lend_wish){ .by_vf = true, .vf = r->vf[1][1].bdf };
	expect(r, 3, "it was asked for", "4 not the one that is asked for");
	hold(r, 3);
	expect_none(r, "4 not the one that is asked for, 1 held");
	r->l.wish.vf = r->vf[0][0].bdf;
	expect_none(r, "4 not the one that is asked for, 1 given to guests");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_packed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_balanced, setup, teardown),
		cmocka_unit_test_setup_teardown(test_isolate, setup, teardown),
		cmocka_unit_test_setup_teardown(test_node, setup, teardown),
		cmocka_unit_test_setup_teardown(test_node_balanced, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_root, setup, teardown),
		cmocka_unit_test_setup_teardown(test_named, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
