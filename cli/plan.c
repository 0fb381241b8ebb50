/* SPDX-License-Identifier: GPL-2.0-or-later */

/* plan, apply and restore: three requests whose answer is a list of actions. */

#include "cli/cli.h"
#include "cli/sim.h"

#include <stdio.h>
#include <string.h>

static void print_action(size_t i, const json_t *a)
{
	const char *disruption = cli_text(a, "disruption", "none");

	printf("%3zu. %s", i + 1, cli_text(a, "text", "?"));
	if (strcmp(disruption, "none") != 0)
		printf("  [%s]", disruption);
	printf("\n       %s\n", cli_text(a, "command", ""));
}

static void print_warnings(const json_t *reply)
{
	const json_t *list = json_object_get(reply, "warnings");

	for (size_t i = 0; i < json_array_size(list); i++)
		fprintf(stderr, "fairlead: warning: %s\n",
		        json_string_value(json_array_get(list, i)));
}

/* Not done by an apply: it lasts as long as a guest runs. */
static void print_at_start(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *o = json_array_get(list, i);
		const char *command = cli_text(o, "command", "");

		printf("  when guest %s starts: %s\n",
		       cli_text(o, "guest", "?"), cli_text(o, "text", "?"));
		if (*command)
			printf("       %s\n", command);
	}
}

static int print_actions(const struct cli *c, json_t *reply, const char *none,
                         const char *some)
{
	const json_t *list = json_object_get(reply, "actions");
	size_t n = json_array_size(list);

	if (c->json)
		return cli_print_json(reply);
	print_warnings(reply);
	for (size_t i = 0; i < n; i++)
		print_action(i, json_array_get(list, i));
	print_at_start(json_object_get(reply, "at-start"));
	if (n)
		printf("%zu action(s) %s\n", n, some);
	else
		printf("%s\n", none);
	json_decref(reply);
	return CLI_OK;
}

static json_t *request(const char *verb)
{
	return json_pack("{s:i, s:s}", "version", NETD_PROTO_VERSION, "verb",
	                 verb);
}

static int with_policy(const struct cli *c, const char *verb, const char *file,
                       json_t **ret)
{
	_cleanup_close_ int fd = -1;
	struct diag d = { 0 };
	json_t *req;

	fd = cli_policy_memfd(file, &d);
	if (fd < 0)
		return cli_refuse(c, CLI_REFUSED, &d);
	req = request(verb);
	json_object_set_new(req, "file", json_string(file));
	if (c->force)
		json_object_set_new(req, "force", json_true());
	return cli_transact(c, req, fd, file, ret);
}

int cli_plan(const struct cli *c, char *const *args, unsigned n)
{
	json_t *reply = NULL;
	const char *file = n ? args[0] : CLI_POLICY_ETC;
	int r = c->sim ? sim_plan(c, file, &reply)
	               : with_policy(c, "plan", file, &reply);

	return r ? r
	         : print_actions(
			   c, reply,
			   "nothing to do: the machine is as the policy says",
			   "would be done; nothing was changed");
}

int cli_apply(const struct cli *c, char *const *args, unsigned n)
{
	const char *file = n ? args[0] : CLI_POLICY_ETC;
	json_t *reply = NULL;
	int r;

	if (c->sim)
		return sim_apply(c, file);
	r = with_policy(c, "apply", file, &reply);
	return r ? r
	         : print_actions(
			   c, reply,
			   "nothing to do: the machine is as the policy says",
			   "done");
}

int cli_restore(const struct cli *c, char *const *args, unsigned n)
{
	json_t *reply = NULL;
	int r = cli_transact(c, request("restore"), -1, NULL, &reply);

	(void)args;
	(void)n;
	return r ? r
	         : print_actions(c, reply,
	                         "nothing to restore: the machine is "
	                         "as it was found",
	                         "done; the machine is as it was found");
}
