/* SPDX-License-Identifier: GPL-2.0-or-later */

/* plan, apply, assert and restore: requests whose answer is a list of actions.
 * And confirm, which ends an apply. */

#include "cli/cli.h"
#include "cli/sim.h"
#include "policy/policy.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASSERT_UNKNOWN 2
#define WAIT_STEP_MS 1000

static void print_guests(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		printf("%s%s", i ? ", " : "  touches ",
		       json_string_value(json_array_get(list, i)));
}

static void print_action(size_t i, const json_t *a)
{
	const char *disruption = cli_text(a, "disruption", "none");

	printf("%3zu. %s", i + 1, cli_text(a, "text", "?"));
	if (strcmp(disruption, "none") != 0)
		printf("  [%s]", disruption);
	print_guests(json_object_get(a, "guests"));
	printf("\n       %s\n", cli_text(a, "command", ""));
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

/* For a shell: what would be typed, and nothing else. */
static int print_commands(json_t *reply)
{
	const json_t *list = json_object_get(reply, "actions");

	for (size_t i = 0; i < json_array_size(list); i++)
		printf("%s\n",
		       cli_text(json_array_get(list, i), "command", ""));
	json_decref(reply);
	return CLI_OK;
}

static int print_actions(const struct cli *c, json_t *reply, const char *none,
                         const char *some)
{
	const json_t *list = json_object_get(reply, "actions");
	size_t n = json_array_size(list);

	if (c->json)
		return cli_print_json(reply);
	cli_warnings(reply);
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

/* `request` is consumed. */
static int with_policy(const struct cli *c, json_t *request, const char *file,
                       json_t **ret)
{
	_cleanup_close_ int fd = -1;
	struct diag d = { 0 };

	fd = cli_policy_memfd(file, &d);
	if (fd < 0) {
		json_decref(request);
		return cli_refuse(c, CLI_REFUSED, &d);
	}
	json_object_set_new(request, "file", json_string(file));
	if (c->force)
		json_object_set_new(request, "force", json_true());
	if (c->early)
		json_object_set_new(request, "early", json_true());
	return cli_transact(c, request, fd, file, ret);
}

/* Before anybody is cut off by an apply that they did not know to confirm. */
static void say_to_confirm(const struct cli *c, const json_t *reply)
{
	json_int_t within =
		json_integer_value(json_object_get(reply, "confirm-within"));

	if (within && !c->json)
		printf("to be confirmed: an apply of this is rolled back in "
		       "%" JSON_INTEGER_FORMAT " s unless `fairlead confirm`\n",
		       within);
}

int cli_plan(const struct cli *c, char *const *args, unsigned n)
{
	json_t *reply = NULL;
	const char *file = n ? args[0] : NETD_POLICY_ETC;
	int r = c->sim ? sim_plan(c, file, &reply)
	               : with_policy(c, request("plan"), file, &reply);

	if (r)
		return r;
	if (c->commands && !c->json)
		return print_commands(reply);
	say_to_confirm(c, reply);
	return print_actions(c, reply,
	                     "nothing to do: the machine is as the policy says",
	                     "would be done; nothing was changed");
}

/* "120", "120s", "2m", "1h": seconds, or -1. */
static long seconds(const char *text)
{
	static const struct {
		const char *unit;
		long s;
	} units[] = { { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 } };
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || end == text || *text < '0' || *text > '9' || v > 86400)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (!strcmp(end, units[i].unit) &&
		    (long)v * units[i].s <= 86400)
			return (long)v * units[i].s;
	return -1;
}

static void say_within(const struct cli *c, const json_t *reply)
{
	json_int_t within =
		json_integer_value(json_object_get(reply, "confirm-within"));

	if (within && !c->json)
		printf("not for good yet: it is rolled back in "
		       "%" JSON_INTEGER_FORMAT " s unless `fairlead confirm`\n",
		       within);
}

/* Of an option; none is 0. False: it was refused. */
static bool read_time(const char *option, const char *text, long *ret)
{
	*ret = text ? seconds(text) : 0;
	if (*ret >= 0)
		return true;
	fprintf(stderr,
	        "fairlead: --%s %s: a time of at most a day, as 120s or 2m\n",
	        option, text);
	return false;
}

static bool leaves(const json_t *reply)
{
	return json_array_size(json_object_get(reply, "waits")) > 0;
}

/* Would an early apply leave something out? Whatever else is wrong with the
 * policy, the apply says. */
static bool waits(const struct cli *c, const char *file)
{
	_cleanup_close_ int sock = -1, fd = -1;
	json_t *req = request("plan"), *reply = NULL;
	struct diag d = { 0 };
	bool any;

	json_object_set_new(req, "early", json_true());
	fd = cli_policy_memfd(file, &d);
	if (fd >= 0)
		sock = cli_connect(c, &d);
	if (sock >= 0)
		(void)!cli_ask(sock, req, &fd, 1, &reply, NULL, NULL, &d);
	any = leaves(reply);
	json_decref(reply);
	json_decref(req);
	return any;
}

/* Asked, since no event tells of all of them: see `early` in netd-proto.h. */
static void wait_for_network(const struct cli *c, const char *file, long s)
{
	uint64_t until = now_ns() + (uint64_t)s * 1000000000ull;

	while (now_ns() < until && waits(c, file))
		poll(NULL, 0, WAIT_STEP_MS);
}

/* What is said of how it is applied, into the request. False: it was refused.
 */
static bool put_options(const struct cli *c, json_t *req, long *ret_wait)
{
	enum pol_budget ignored;
	long s;

	if (!read_time("confirm-within", c->within, &s) ||
	    !read_time("wait", c->wait, ret_wait))
		return false;
	if (c->disruption && !pol_budget_find(c->disruption, &ignored)) {
		fprintf(stderr,
		        "fairlead: --allow-disruption %s: there are none, "
		        "none-in-use and allow\n",
		        c->disruption);
		return false;
	}
	if (c->within)
		json_object_set_new(req, "confirm-within", json_integer(s));
	if (c->disruption)
		json_object_set_new(req, "allow-disruption",
		                    json_string(c->disruption));
	return true;
}

int cli_apply(const struct cli *c, char *const *args, unsigned n)
{
	const char *file = n ? args[0] : NETD_POLICY_ETC;
	json_t *req, *reply = NULL;
	long wait = 0;
	int r;

	if (c->sim && (c->within || c->disruption || c->early || c->wait)) {
		fprintf(stderr,
		        "fairlead: --sim changes no machine: --confirm-within, "
		        "--allow-disruption, --early and --wait say nothing to "
		        "it\n");
		return CLI_USAGE;
	}
	if (c->sim)
		return sim_apply(c, file);
	req = request("apply");
	if (!put_options(c, req, &wait)) {
		json_decref(req);
		return CLI_USAGE;
	}
	wait_for_network(c, file, wait);
	r = with_policy(c, req, file, &reply);
	if (r)
		return r;
	say_within(c, reply);
	return print_actions(
		c, reply,
		leaves(reply)
			? "nothing to do yet"
			: "nothing to do: the machine is as the policy says",
		"done");
}

int cli_confirm(const struct cli *c, char *const *args, unsigned n)
{
	json_t *reply = NULL;
	int r = cli_transact(c, request("confirm"), -1, NULL, &reply);

	(void)args;
	(void)n;
	if (r)
		return r;
	if (c->json)
		return cli_print_json(reply);
	printf("%s is kept\n", cli_text(reply, "file", "the policy"));
	json_decref(reply);
	return CLI_OK;
}

/* What would be done is what differs. Refusals are none of an assertion: 2. */
int cli_assert(const struct cli *c, char *const *args, unsigned n)
{
	json_t *reply = NULL;
	const json_t *list;
	size_t differ;
	int r = n ? with_policy(c, request("plan"), args[0], &reply)
	          : cli_transact(c, request("plan"), -1, NULL, &reply);

	if (r)
		return ASSERT_UNKNOWN;
	list = json_object_get(reply, "actions");
	differ = json_array_size(list);
	if (c->json) {
		cli_print_json(reply);
		return differ ? CLI_REFUSED : CLI_OK;
	}
	cli_warnings(reply);
	for (size_t i = 0; i < differ; i++)
		printf("not so: %s\n",
		       cli_text(json_array_get(list, i), "text", "?"));
	if (!differ)
		printf("the machine is as the policy says\n");
	json_decref(reply);
	return differ ? CLI_REFUSED : CLI_OK;
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
