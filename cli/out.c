/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Results to stdout, refusals to stderr, either as JSON where asked. */

#include "cli/cli.h"

#include <stdio.h>

json_t *cli_diag_json(const struct diag *d)
{
	return json_pack("{s:i, s:i, s:s, s:s, s:s}", "code", d->code, "errno",
	                 -d->err, "what", d->what, "why", d->why, "mend",
	                 d->mend);
}

int cli_refuse(const struct cli *c, int status, const struct diag *d)
{
	char text[4 * DIAG_LINE];

	if (c->json) {
		cli_print_json(json_pack("{s:b, s:o}", "ok", 0, "error",
		                         cli_diag_json(d)));
		return status;
	}
	diag_format(d, text, sizeof(text));
	fputs(text, stderr);
	return status;
}

int cli_refuse_name(const struct cli *c)
{
	struct diag d = { 0 };

	diag_fail(&d, -EINVAL, FL_CLI_DEVICE, "a name is not printable text");
	diag_mend(&d, "`fairlead status` lists guests and devices");
	return cli_refuse(c, CLI_REFUSED, &d);
}

void cli_warnings(const json_t *reply)
{
	const json_t *list = json_object_get(reply, "warnings");

	for (size_t i = 0; i < json_array_size(list); i++)
		fprintf(stderr, "fairlead: warning: %s\n",
		        json_string_value(json_array_get(list, i)));
}

int cli_print_json(json_t *doc)
{
	if (!doc)
		return CLI_INTERNAL;
	json_dumpf(doc, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(doc);
	return CLI_OK;
}

const char *cli_text(const json_t *o, const char *key, const char *none)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s && *s ? s : none;
}
