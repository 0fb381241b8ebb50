/* SPDX-License-Identifier: GPL-2.0-or-later */

/* `fairlead doctor`: gathers findings, prints them, and says yes or no. */

#include "cli/doctor.h"
#include "cli/function.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const states[] = {
	[FINDING_OK] = "ok",
	[FINDING_NOTE] = "note",
	[FINDING_NO] = "no",
};

void finding_add(json_t *list, enum finding f, const char *subject,
                 const char *mend, const char *fmt, ...)
{
	char text[2 * DIAG_LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(list,
	                      json_pack("{s:s, s:s, s:s, s:s}", "state",
	                                states[f], "subject", subject, "text",
	                                text, "mend", mend ? mend : ""));
}

void finding_add_diag(json_t *list, const char *subject, const struct diag *d)
{
	finding_add(list, FINDING_NO, subject, d->mend, "%s%s%s", d->what,
	            *d->why ? ": " : "", d->why);
}

bool findings_prevent(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!strcmp(cli_text(json_array_get(list, i), "state", ""),
		            states[FINDING_NO]))
			return true;
	return false;
}

static void print_finding(const json_t *f)
{
	const char *mend = cli_text(f, "mend", "");

	printf("%-5s %-22s %s\n", cli_text(f, "state", "?"),
	       cli_text(f, "subject", "?"), cli_text(f, "text", ""));
	if (*mend)
		printf("%28s mend: %s\n", "", mend);
}

static int print_findings(const struct cli *c, const char *who, json_t *list)
{
	bool no = findings_prevent(list);

	if (c->json) {
		cli_print_json(json_pack("{s:b, s:b, s:o}", "ok", 1,
		                         "assignable", !no, "findings", list));
		return no ? CLI_REFUSED : CLI_OK;
	}
	for (size_t i = 0; i < json_array_size(list); i++)
		print_finding(json_array_get(list, i));
	printf("%s %s\n", who,
	       no ? "cannot be used as it is: see the lines that begin with \"no\""
	          : "is ready");
	json_decref(list);
	return no ? CLI_REFUSED : CLI_OK;
}

int cli_doctor(const struct cli *c, char *const *args, unsigned n)
{
	_cleanup_close_ int root = -1;
	json_t *list = json_array();
	struct diag d = { 0 };
	struct bdf b = { 0 };
	int r;

	root = cli_open_root(c, &d);
	r = root;
	if (r >= 0 && n)
		r = cli_parse_bdf(args[0], &b, &d);
	if (r >= 0 && n)
		r = doctor_device(root, b, list, &d);
	else if (r >= 0)
		doctor_host(root, list);
	if (r < 0) {
		json_decref(list);
		return cli_refuse(c, CLI_REFUSED, &d);
	}
	return print_findings(c, n ? args[0] : "this host", list);
}
