/* SPDX-License-Identifier: GPL-2.0-or-later */

/* `fairlead check`: the parser alone, every error with its place. */

#include "cli/cli.h"
#include "policy/policy.h"

#include <stdio.h>

static json_t *error_json(const struct pol_error *e)
{
	json_t *o = cli_diag_json(&e->diag);

	json_object_set_new(o, "line", json_integer(e->pos.line));
	json_object_set_new(o, "column", json_integer(e->pos.column));
	if (*e->file)
		json_object_set_new(o, "file", json_string(e->file));
	return o;
}

int cli_policy_errors(const struct cli *c, const struct pol_errors *errs,
                      const char *file)
{
	char text[4 * DIAG_LINE];
	json_t *list = json_array();

	for (size_t i = 0; i < errs->n; i++) {
		json_array_append_new(list, error_json(&errs->e[i]));
		if (c->json)
			continue;
		pol_error_format(&errs->e[i], file, text, sizeof(text));
		fputs(text, stderr);
	}
	if (!c->json) {
		json_decref(list);
		if (errs->dropped)
			fprintf(stderr, "... and %zu more\n", errs->dropped);
		return CLI_REFUSED;
	}
	cli_print_json(json_pack("{s:b, s:O, s:o}", "ok", 0, "error",
	                         json_array_get(list, 0), "errors", list));
	return CLI_REFUSED;
}

/* What the file gives by itself: addresses, names and slots that it does not
 * say. */
static void print_own(const struct pol_policy *p)
{
	char text[2 * DIAG_LINE];
	struct pol_own o;

	for (size_t g = 0; g < p->n_guests; g++)
		for (size_t i = 0; pol_guest_own(p, &p->guest[g], i, &o); i++) {
			if (o.kind == POL_OWN_RNG)
				continue; /* nearly all have one */
			pol_own_text(&o, text, sizeof(text));
			printf("  guest %s: %s\n", p->guest[g].name, text);
		}
}

/* gpus that are cut into VFs are nics and pools to all else. */
static size_t cut(const struct pol_policy *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_nics; i++)
		n += p->nic[i].kind != POL_KIND_NIC;
	return n;
}

static int print_good(const struct cli *c, const struct pol_policy *p,
                      const char *file)
{
	size_t nics = p->n_nics - cut(p), pools = p->n_pools - cut(p);

	if (c->json)
		return cli_print_json(json_pack(
			"{s:b, s:I, s:I, s:I, s:I}", "ok", 1, "nics",
			(json_int_t)nics, "networks", (json_int_t)p->n_networks,
			"pools", (json_int_t)pools, "guests",
			(json_int_t)p->n_guests));
	printf("%s: good: %zu nic(s), %zu network(s), %zu pool(s), %zu guest(s)\n",
	       file, nics, p->n_networks, pools, p->n_guests);
	print_own(p);
	return CLI_OK;
}

int cli_policy_read(const struct cli *c, const char *file,
                    struct pol_policy **ret, char **ret_text, size_t *ret_len)
{
	_cleanup_free_ struct pol_errors *errs = calloc(1, sizeof(*errs));
	_cleanup_free_ char *text = NULL;
	struct diag d = { 0 };
	size_t len = 0;

	if (!errs)
		return CLI_INTERNAL;
	if (cli_policy_text(file, &text, &len, &d) < 0)
		return cli_refuse(c, CLI_REFUSED, &d);
	if (pol_parse(text, len, ret, errs))
		return errs->n ? cli_policy_errors(c, errs, file)
		               : CLI_INTERNAL;
	if (ret_text) {
		*ret_text = TAKE_PTR(text);
		*ret_len = len;
	}
	return CLI_OK;
}

int cli_check(const struct cli *c, char *const *args, unsigned n)
{
	struct pol_policy *p = NULL;
	int r = cli_policy_read(c, args[0], &p, NULL, NULL);

	(void)n;
	if (r != CLI_OK || !p)
		return r;
	r = print_good(c, p, args[0]);
	pol_free(p);
	return r;
}
