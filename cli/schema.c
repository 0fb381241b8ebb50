/* SPDX-License-Identifier: GPL-2.0-or-later */

/* `fairlead schema`: what a policy may say, for editors. */

#include "cli/cli.h"
#include "policy/policy.h"

#include <stdio.h>

int cli_schema(const struct cli *c, char *const *args, unsigned n)
{
	_cleanup_free_ char *text = NULL;
	json_t *doc = NULL;

	(void)c;
	(void)args;
	(void)n;
	if (!pol_schema(&text))
		doc = json_loads(text, 0, NULL);
	if (!doc || json_dumpf(doc, stdout, JSON_INDENT(1)) < 0) {
		json_decref(doc);
		return CLI_INTERNAL;
	}
	putchar('\n');
	json_decref(doc);
	return CLI_OK;
}
