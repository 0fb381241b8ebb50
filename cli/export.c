/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `fairlead export`: this machine, or a recorded one, as a policy. What is
 * printed has been tried: it is read as `check` reads a file, and planned on
 * the machine it is of, and where that is not empty it is said.
 */

#include "cli/inventory.h"

#include <stdio.h>
#include <string.h>

struct tried {
	struct pol_errors errs;
	struct pol_policy *policy;
	struct pol_state *want;
	struct pol_plan *plan;
	struct diag d;
};

static int refused(const struct cli *c, struct tried *t, int r)
{
	if (t->errs.n)
		return cli_policy_errors(c, &t->errs, "the export");
	if (!t->d.code) {
		diag_fail(&t->d, r, FL_CLI_EXPORT, "cannot export: %s",
		          strerror(-r));
		diag_mend(&t->d, "try again");
	}
	return cli_refuse(c, CLI_REFUSED, &t->d);
}

static int not_empty(const struct cli *c, const struct pol_plan *plan)
{
	char text[DIAG_LINE];
	struct diag d;

	pol_action_text(&plan->action[0], text, sizeof(text));
	diag_fail(&d, -ENOTSUP, FL_CLI_EXPORT,
	          "the policy would not leave this machine as it is");
	diag_why(&d, "of %zu action(s) the first is: %.180s", plan->n, text);
	diag_mend(&d, "report it, with what `fairlead record --anonymize` "
	              "prints");
	return cli_refuse(c, CLI_REFUSED, &d);
}

static int try(const struct cli *c, struct tried *t, const char *text,
               size_t len, const struct pol_state *seen)
{
	int r = pol_parse(text, len, &t->policy, &t->errs);

	if (!r)
		r = pol_resolve(t->policy, seen, &t->want, &t->errs);
	if (!r)
		r = pol_plan(t->want, seen, &t->plan, &t->d);
	if (r)
		return refused(c, t, r);
	return t->plan->n ? not_empty(c, t->plan) : CLI_OK;
}

static int print(const struct cli *c, const char *text, size_t len,
                 const struct pol_state *seen)
{
	struct tried *t = calloc(1, sizeof(*t));
	int r = t ? try(c, t, text, len, seen) : CLI_INTERNAL;

	if (!r && c->json)
		r = cli_print_json(
			json_pack("{s:b, s:s%}", "ok", 1, "policy", text, len));
	else if (!r)
		fwrite(text, 1, len, stdout);
	if (t) {
		pol_plan_free(t->plan);
		pol_state_free(t->want);
		pol_free(t->policy);
	}
	free(t);
	return r;
}

int cli_export(const struct cli *c, char *const *args, unsigned n)
{
	_cleanup_free_ char *text = NULL;
	struct pol_state *seen = NULL;
	size_t len = 0;
	int r;

	if (c->format)
		return n ? cli_export_as(c, args[0]) : CLI_USAGE;
	if (n)
		return CLI_USAGE;
	r = inventory_state(c, &seen);
	if (r)
		return r;
	r = pol_export(seen, &text, &len);
	r = r ? CLI_INTERNAL : print(c, text, len, seen);
	pol_state_free(seen);
	return r;
}
