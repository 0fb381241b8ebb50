/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_TEST_POLICY_PROPERTIES_H
#define FL_TEST_POLICY_PROPERTIES_H

/*
 * What must hold of every plan, whoever plays the kernel:
 *   - carried out, it gives what is wanted, and then there is nothing to do;
 *   - cut short after any action and planned again, it ends the same;
 *   - going back to the state saved before gives that state, also from a plan
 *     cut short.
 */

#include "tests/unit/policy/pick.h"
#include "tests/unit/policy/state.h"

struct kernel {
	struct pol_state *(*copy)(const struct pol_state *s);
	/* The first `n` actions; each can be done where it stands. */
	void (*carry_out)(struct pol_state *s, const struct pol_plan *plan,
	                  size_t n);
	/* What is wanted is so. */
	void (*reached)(const struct pol_state *want, struct pol_state *s);
	/* Of a whole plan, before it is carried out; NULL = nothing more. */
	void (*plan)(const struct pol_plan *plan);
	/* All that is to be as it was. Caller frees. */
	char *(*text)(const struct pol_state *s);
};

static inline void check_reached(const struct kernel *k,
                                 const struct pol_state *want,
                                 struct pol_state *s)
{
	struct pol_plan *plan = plan_for(want, s);

	if (plan->n) {
		struct text t = { .n = 0 };

		plan_print(&t, plan);
		fail_msg("left to do:\n%s", t.buf);
	}
	pol_plan_free(plan);
	k->reached(want, s);
}

static inline struct pol_plan *check_done(const struct kernel *k,
                                          const struct pol_state *want,
                                          struct pol_state *s)
{
	struct pol_plan *plan = plan_for(want, s);

	if (k->plan)
		k->plan(plan);
	k->carry_out(s, plan, plan->n);
	check_reached(k, want, s);
	return plan;
}

static inline void check_back(const struct kernel *k,
                              const struct pol_state *original,
                              struct pol_state *s)
{
	struct pol_state *want;
	char *is, *was;

	assert_int_equal(pol_want_from_state(original, &want), 0);
	pol_plan_free(check_done(k, want, s));
	is = k->text(s);
	was = k->text(original);
	assert_string_equal(is, was);
	free(is);
	free(was);
	pol_state_free(want);
}

static inline void check_cut(const struct kernel *k,
                             const struct pol_state *want,
                             const struct pol_state *seen,
                             const struct pol_plan *plan, size_t n)
{
	struct pol_state *s = k->copy(seen), *t;

	k->carry_out(s, plan, n);
	t = k->copy(s);
	pol_plan_free(check_done(k, want, s));
	check_back(k, seen, t);
	pol_state_free(s);
	pol_state_free(t);
}

/* All of them, of a policy that fits the machine. Returns what was to do. */
static inline size_t check_plan(const struct kernel *k,
                                const struct pol_state *want,
                                const struct pol_state *seen)
{
	struct pol_state *s = k->copy(seen);
	struct pol_plan *plan = check_done(k, want, s);
	size_t n = plan->n;

	check_back(k, seen, s);
	if (n)
		check_cut(k, want, seen, plan, pick((unsigned)n));
	pol_plan_free(plan);
	pol_state_free(s);
	return n;
}

#endif
