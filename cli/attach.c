/* SPDX-License-Identifier: GPL-2.0-or-later */

/* attach and detach: a device into a guest that runs, and out of it. netd asks
 * the guest's VMM; what is printed is that one's answer. */

#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static int ask(const struct cli *c, const char *verb, char *const *args,
               json_t **ret)
{
	json_t *req =
		json_pack("{s:i, s:s, s:s, s:s}", "version", NETD_PROTO_VERSION,
	                  "verb", verb, "guest", args[0], "device", args[1]);

	/* Not UTF-8, for one: netd would say no more than that. */
	if (!req)
		return cli_refuse_name(c);
	if (c->now)
		json_object_set_new(req, "now", json_true());
	return cli_transact(c, req, -1, NULL, ret);
}

static int print(const struct cli *c, json_t *reply, const char *done)
{
	if (c->json)
		return cli_print_json(reply);
	cli_warnings(reply);
	printf("%s: %s %s%s\n", cli_text(reply, "guest", "?"),
	       cli_text(reply, "device", "?"), done,
	       json_is_true(json_object_get(reply, "forced"))
	               ? ", by force: the guest did not let go in time"
	               : "");
	json_decref(reply);
	return CLI_OK;
}

int cli_attach(const struct cli *c, char *const *args, unsigned n)
{
	json_t *reply = NULL;
	int r = ask(c, "attach", args, &reply);

	(void)n;
	return r ? r : print(c, reply, "attached");
}

int cli_detach(const struct cli *c, char *const *args, unsigned n)
{
	json_t *reply = NULL;
	int r = ask(c, "detach", args, &reply);

	(void)n;
	return r ? r : print(c, reply, "detached");
}
