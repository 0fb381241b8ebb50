/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * `fairlead up` and `down`: one guest, or with --boot all that go with the
 * machine. Up in the order of the policy, down in the other: what a guest needs
 * of another is there before it, and until it has gone. One that is refused
 * keeps none of the others; the exit status says that there was one.
 */

#include "cli/boot.h"

#include <stdio.h>
#include <string.h>

static json_t *request(void)
{
	return json_pack("{s:i, s:s}", "version", NETD_PROTO_VERSION, "verb",
	                 "guests");
}

/* It goes with the machine, and is not yet as it shall be. */
static bool is_due(const json_t *g, bool up)
{
	bool running = json_is_true(json_object_get(g, "running"));

	return !strcmp(cli_text(g, "boot", ""), "auto") && running != up;
}

static int all(const struct cli *c, bool up)
{
	json_t *reply = NULL;
	const json_t *list;
	size_t n, bad = 0;
	int r = cli_transact(c, request(), -1, NULL, &reply);

	if (r != CLI_OK)
		return r;
	list = json_object_get(reply, "guests");
	n = json_array_size(list);
	for (size_t i = 0; i < n; i++) {
		const json_t *g = json_array_get(list, up ? i : n - 1 - i);
		const char *name = cli_text(g, "guest", "?");

		if (!is_due(g, up))
			continue;
		fflush(stdout);
		r = up ? guest_up(c, name) : guest_stop(c, name);
		bad += r != CLI_OK;
	}
	json_decref(reply);
	return bad ? CLI_NOT_ALL : CLI_OK;
}

/* ---- ps ------------------------------------------------------------------ */

/* Quietly: without netd guests run on, and are listed. */
static json_t *ask(const struct cli *c)
{
	json_t *reply = NULL, *req = request();
	struct diag d = { 0 };
	_cleanup_close_ int sock = cli_connect(c, &d);

	if (sock >= 0)
		(void)!cli_ask(sock, req, NULL, 0, &reply, NULL, NULL, &d);
	json_decref(req);
	return reply;
}

void boot_mark(const struct cli *c, json_t *guests)
{
	json_t *reply = ask(c), *known = json_object_get(reply, "guests");

	for (size_t i = 0; i < json_array_size(guests); i++) {
		json_t *o = json_array_get(guests, i), *boot = json_null();

		for (size_t k = 0; k < json_array_size(known); k++) {
			const json_t *g = json_array_get(known, k);

			if (!strcmp(cli_text(g, "guest", ""),
			            cli_text(o, "guest", "?")))
				boot = json_object_get(g, "boot");
		}
		json_object_set(o, "boot", boot);
	}
	json_decref(reply);
}

/* ---- the verbs ----------------------------------------------------------- */

static int misused(const char *verb)
{
	fprintf(stderr, "usage: fairlead %s GUEST, or fairlead %s --boot\n",
	        verb, verb);
	return CLI_USAGE;
}

int cli_up(const struct cli *c, char *const *args, unsigned n)
{
	if (c->boot == (n > 0))
		return misused("up");
	if (c->boot && c->report) {
		fprintf(stderr, "fairlead: --report is of one guest: each "
		                "would begin the file anew\n");
		return CLI_USAGE;
	}
	return c->boot ? all(c, true) : guest_up(c, args[0]);
}

int cli_down(const struct cli *c, char *const *args, unsigned n)
{
	if (c->boot == (n > 0))
		return misused("down");
	return c->boot ? all(c, false) : guest_stop(c, args[0]);
}
