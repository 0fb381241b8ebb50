/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pool's `scrub`: what is done to a VF between two tenants. Left out, all of
 * it is done as far as it can be; null and [] are all of it and no less; none
 * is nothing, for who scrubs by other means.
 */

#include <string.h>

#include "policy/priv.h"

static const struct word step_words[] = {
	{ .text = "function-reset", .value = POL_SCRUB_RESET },
	{ .text = "zero-admin-state", .value = POL_SCRUB_ZERO },
	{ .text = "verify", .value = POL_SCRUB_VERIFY },
};
static const struct words steps = { step_words, ARRAY_SIZE(step_words) };

const char *pol_scrub_name(unsigned step)
{
	for (size_t i = 0; i < ARRAY_SIZE(step_words); i++)
		if (step_words[i].value == step)
			return step_words[i].text;
	return "unknown";
}

static void not_alone(struct read *r, const struct node *v, const char *what,
                      const char *why, const char *mend)
{
	struct diag *d =
		pol_err(r->errs, v->pos, FL_POL_SCRUB, "pool: %s", what);

	diag_why(d, "%s", why);
	diag_mend(d, "%s", mend);
}

static void read_steps(struct read *r, const struct key *k,
                       const struct node *v, struct pol_pool *pool)
{
	unsigned step;

	for (const struct node *c = v->first; c; c = c->next) {
		if (!scalar_word(r, k, c, &steps, &step))
			return;
		if (pool->scrub & step)
			not_alone(r, c, "a step of 'scrub' is given twice",
			          "the order is fixed: each is done once",
			          "remove one of them");
		pool->scrub |= step;
	}
	if (pool->scrub & POL_SCRUB_VERIFY && !(pool->scrub & POL_SCRUB_ZERO))
		not_alone(r, v, "'scrub' verifies what it does not do",
		          "verify reads back what zero-admin-state has set",
		          "write `scrub: [function-reset, zero-admin-state, "
		          "verify]`");
}

READER(read_scrub)
{
	struct pol_pool *pool = obj;

	if (v->kind == NODE_SCALAR && told_text(r, v, TOLD_TEXT, "^none$"))
		return;
	pool->scrub_given = POL_GIVEN;
	if (node_is_null(v) || (v->kind == NODE_LIST && !v->n))
		pool->scrub = POL_SCRUB_ALL;
	else if (v->kind == NODE_LIST)
		read_steps(r, k, v, pool);
	else if (v->kind != NODE_SCALAR || strcmp(v->text, "none") != 0)
		bad_value(r, k, v, "none, or a list of steps",
		          "[function-reset, zero-admin-state, verify]");
}

unsigned pol_pool_scrub(const struct pol_pool *pool)
{
	return pool->scrub_given == POL_ABSENT ? POL_SCRUB_ALL : pool->scrub;
}
