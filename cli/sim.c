/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plans on recorded machines: sim.h. */

#include "cli/sim.h"

#include "cli/inventory.h"

#include <stdio.h>

struct sim {
	const struct cli *c;
	const char *file;
	struct pol_state *seen, *want;
	struct pol_policy *policy;
	struct pol_plan *plan;
	struct pol_errors errs;
	struct diag d;
};

static int read_policy(struct sim *s)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r = cli_policy_text(s->file, &text, &len, &s->d);

	return r ? r : pol_parse(text, len, &s->policy, &s->errs);
}

static int plan(struct sim *s)
{
	int r = read_policy(s);

	if (!r)
		r = pol_resolve(s->policy, s->seen, &s->want, &s->errs);
	if (!r)
		r = pol_inventory_ask(s->want, s->seen);
	if (!r)
		r = pol_inventory_lacks(s->want, s->seen, &s->errs);
	if (!r)
		r = pol_plan(s->want, s->seen, &s->plan, &s->d);
	return r;
}

static int refuse(struct sim *s)
{
	if (s->errs.n)
		return cli_policy_errors(s->c, &s->errs, s->file);
	if (s->d.code)
		return cli_refuse(s->c, CLI_REFUSED, &s->d);
	return CLI_INTERNAL;
}

static void warn(const char *text, void *arg)
{
	json_array_append_new(arg, json_string(text));
}

static int run(struct sim *s, json_t **ret)
{
	json_t *warnings;
	uint32_t within;
	int r = inventory_state(s->c, &s->seen);

	if (r)
		return r;
	if (plan(s))
		return refuse(s);
	*ret = json_pack("{s:i, s:b, s:o, s:o, s:o}", "version",
	                 NETD_PROTO_VERSION, "ok", 1, "actions",
	                 pol_plan_to_json(s->plan), "at-start",
	                 pol_at_start_to_json(s->policy), "placement",
	                 pol_placement_to_json(s->policy, s->want));
	if (!*ret)
		return CLI_INTERNAL;
	warnings = json_array();
	pol_each_unknown(s->want, s->seen, warn, warnings);
	pol_each_risk(s->policy, s->want, s->seen, s->plan, warn, warnings);
	if (json_array_size(warnings))
		json_object_set(*ret, "warnings", warnings);
	json_decref(warnings);
	within = pol_confirm_within(s->policy, s->seen, s->plan);
	if (within)
		json_object_set_new(*ret, "confirm-within",
		                    json_integer(within));
	return CLI_OK;
}

/* The machine as it would be, for another plan on that. */
static int print_after(struct sim *s)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r = inventory_state(s->c, &s->seen);

	if (r)
		return r;
	if (plan(s) || pol_sim(s->seen, s->plan, &s->d))
		return refuse(s);
	if (pol_inventory_format(s->seen, "fairlead apply --sim", &text, &len))
		return CLI_INTERNAL;
	fwrite(text, 1, len, stdout);
	return CLI_OK;
}

/* `ret` = NULL: what it would be like after. */
static int with_sim(const struct cli *c, const char *file, json_t **ret)
{
	struct sim *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return CLI_INTERNAL;
	s->c = c;
	s->file = file;
	r = ret ? run(s, ret) : print_after(s);
	pol_plan_free(s->plan);
	pol_free(s->policy);
	pol_state_free(s->want);
	pol_state_free(s->seen);
	free(s);
	return r;
}

int sim_plan(const struct cli *c, const char *file, json_t **ret)
{
	return with_sim(c, file, ret);
}

int sim_apply(const struct cli *c, const char *file)
{
	return with_sim(c, file, NULL);
}
