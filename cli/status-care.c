/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The end of `fairlead status`: what is not as somebody may take it to be.
 * Functions that are given to nobody, or to another than the policy says; a
 * policy that was written and is not taken; what is not as applied. Else
 * nothing. */

#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static void print_policy_file(const json_t *file)
{
	const json_t *e = json_object_get(file, "error");

	if (!json_is_object(e))
		return;
	printf("\nnot taken: %s\n  FL-%04d: %s\n", cli_text(file, "path", "?"),
	       (int)json_integer_value(json_object_get(e, "code")),
	       cli_text(e, "why", ""));
	if (*cli_text(e, "mend", ""))
		printf("    mend: %s\n", cli_text(e, "mend", ""));
}

static bool is_quarantined(const json_t *f)
{
	return !strcmp(cli_text(f, "state", ""), "quarantined");
}

static void print_function(const json_t *f)
{
	const json_t *loan = json_object_get(f, "loan");
	const json_t *moved = json_object_get(f, "moved");
	const char *bdf = cli_text(f, "bdf", "?");

	if (is_quarantined(f))
		printf("  %s  in quarantine: %s\n"
		       "    mend: that first, then `fairlead scrub %s`\n",
		       bdf, cli_text(json_object_get(f, "scrub"), "why", "?"),
		       bdf);
	else if (loan)
		printf("  %s  lent to %s, of pool %s\n", bdf,
		       cli_text(loan, "holder", "?"),
		       cli_text(loan, "pool", "?"));
	else if (moved)
		printf("  %s  %s has it since a failover, not the VF that the "
		       "policy gives it\n",
		       bdf, cli_text(f, "tenant", "?"));
}

static void print_functions(const json_t *list)
{
	bool head = false;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *f = json_array_get(list, i);

		if (!is_quarantined(f) && !json_object_get(f, "loan") &&
		    !json_object_get(f, "moved"))
			continue;
		if (!head)
			printf("\nfunctions away from the policy\n");
		head = true;
		print_function(f);
	}
}

static void print_drift(const json_t *list)
{
	bool head = false;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *d = json_array_get(list, i);

		if (!json_is_true(json_object_get(d, "open")))
			continue;
		if (!head)
			printf("\nnot as applied\n");
		head = true;
		printf("  %s (%s)\n    why: %s\n", cli_text(d, "text", "?"),
		       cli_text(d, "state", "?"), cli_text(d, "why", "?"));
	}
}

void status_care(const json_t *reply)
{
	print_functions(json_object_get(reply, "functions"));
	print_drift(
		json_object_get(json_object_get(reply, "reconcile"), "drift"));
	print_policy_file(json_object_get(reply, "policy-file"));
}
