/* SPDX-License-Identifier: GPL-2.0-or-later */

/* `fairlead history`: the latest changes, or one of them whole. What the kernel
 * did not tell is "unknown". */

#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_int_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* "uid 0, pid 812, login 1000" */
static void print_who(const json_t *who)
{
	const json_t *login = json_object_get(who, "loginuid");

	if (!json_is_object(who)) {
		printf("fairlead-netd itself");
		return;
	}
	printf("uid %" JSON_INTEGER_FORMAT ", pid %" JSON_INTEGER_FORMAT,
	       number(who, "uid"), number(who, "pid"));
	if (json_is_integer(login))
		printf(", login %" JSON_INTEGER_FORMAT,
		       json_integer_value(login));
}

static void print_line(const json_t *e)
{
	const char *file = cli_text(e, "file", "");

	printf("%4" JSON_INTEGER_FORMAT
	       "  %-20s  %-9s  %-11s  %4" JSON_INTEGER_FORMAT " action(s)  ",
	       number(e, "id"), cli_text(e, "began", "?"),
	       cli_text(e, "verb", "?"), cli_text(e, "result", "?"),
	       number(e, "n-actions"));
	print_who(json_object_get(e, "who"));
	printf("%s%s\n", *file ? "  " : "", file);
}

/* A value is whatever JSON the journal has of it. */
static char *value(const json_t *a, const char *key)
{
	const json_t *v = json_object_get(a, key);

	if (!v || json_is_null(v))
		return strdup("unknown");
	if (json_is_string(v))
		return strdup(*json_string_value(v) ? json_string_value(v)
		                                    : "none");
	return json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
}

static void print_action(size_t i, const json_t *a)
{
	_cleanup_free_ char *before = value(a, "before");
	_cleanup_free_ char *after = value(a, "after");

	printf("%3zu. %s: %s\n       before %s, after %s\n", i + 1,
	       cli_text(a, "text", "?"), cli_text(a, "outcome", "?"),
	       before ? before : "?", after ? after : "?");
}

static void print_entry(const json_t *e)
{
	const json_t *list = json_object_get(e, "actions");
	const json_t *error = json_object_get(e, "error");
	json_int_t omitted = number(e, "omitted");

	printf("%s %" JSON_INTEGER_FORMAT ": %s\n  by ",
	       cli_text(e, "verb", "?"), number(e, "id"),
	       cli_text(e, "result", "?"));
	print_who(json_object_get(e, "who"));
	printf("\n  began %s, ended %s\n", cli_text(e, "began", "?"),
	       cli_text(e, "ended", "unknown"));
	if (*cli_text(e, "holder", ""))
		printf("  for the loan of %s\n", cli_text(e, "holder", ""));
	if (*cli_text(e, "file", ""))
		printf("  file %s, %s\n", cli_text(e, "file", ""),
		       cli_text(e, "policy", "no policy"));
	if (*cli_text(e, "allow-disruption", ""))
		printf("  with --allow-disruption=%s\n",
		       cli_text(e, "allow-disruption", ""));
	if (number(e, "continues"))
		printf("  goes on with %" JSON_INTEGER_FORMAT "\n",
		       number(e, "continues"));
	if (json_is_object(error))
		printf("  FL-%04d: %s: %s\n", (int)number(error, "code"),
		       cli_text(error, "what", "?"),
		       cli_text(error, "why", ""));
	for (size_t i = 0; i < json_array_size(list); i++)
		print_action(i, json_array_get(list, i));
	if (omitted)
		printf("  and %" JSON_INTEGER_FORMAT
		       " more, which were not kept\n",
		       omitted);
}

static int entry_number(const char *text, json_t *request)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || *end || *text < '1' || *text > '9' || n > UINT32_MAX) {
		fprintf(stderr, "usage: fairlead history [N], N a number\n");
		return CLI_USAGE;
	}
	json_object_set_new(request, "entry", json_integer((json_int_t)n));
	return CLI_OK;
}

int cli_history(const struct cli *c, char *const *args, unsigned n)
{
	json_t *request = json_pack("{s:i, s:s}", "version", NETD_PROTO_VERSION,
	                            "verb", "history");
	json_t *reply = NULL;
	const json_t *list;
	int r = n ? entry_number(args[0], request) : CLI_OK;

	if (r) {
		json_decref(request);
		return r;
	}
	r = cli_transact(c, request, -1, NULL, &reply);
	if (r)
		return r;
	if (c->json)
		return cli_print_json(reply);
	list = json_object_get(reply, "entries");
	for (size_t i = 0; i < json_array_size(list); i++)
		print_line(json_array_get(list, i));
	if (n)
		print_entry(json_object_get(reply, "entry"));
	else if (!json_array_size(list))
		printf("nothing was changed yet\n");
	json_decref(reply);
	return CLI_OK;
}
