/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * lease, release and scrub: a VF of a pool for a program that is no guest.
 * Without --hold the lease is the connection's, so the connection is left
 * open in the program that this becomes; with it the name holds the VF.
 */

#include "cli/cli.h"
#include "cli/function.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static json_t *request(const char *verb)
{
	return json_pack("{s:i, s:s}", "version", NETD_PROTO_VERSION, "verb",
	                 verb);
}

static int usage_error(const struct cli *c, const char *what, const char *mend)
{
	struct diag d = { 0 };

	diag_fail(&d, -EINVAL, FL_CLI_DEVICE, "%s", what);
	diag_mend(&d, "%s", mend);
	return cli_refuse(c, CLI_USAGE, &d);
}

/* ---- lease --------------------------------------------------------------- */

/* NULL is left out; what is no UTF-8 cannot be said. */
static int put_text(json_t *req, const char *key, const char *text)
{
	return text ? json_object_set_new(req, key, json_string(text)) : 0;
}

static int put_attributes(const struct cli *c, json_t *req)
{
	json_t *o = json_loads(c->attributes, 0, NULL);

	if (json_is_object(o)) {
		json_object_set_new(req, "attributes", o);
		return CLI_OK;
	}
	json_decref(o);
	return usage_error(c, "--attributes is no JSON object",
	                   "as '{\"vlan\": {\"id\": 100, \"qos\": 0, "
	                   "\"proto\": 33024}, \"trust\": false}'");
}

static int put_place(const struct cli *c, json_t *req)
{
	struct diag d = { 0 };
	struct bdf root;
	uint64_t node;

	if (c->node && parse_u64(c->node, UINT16_MAX, &node))
		return usage_error(c, "--numa is no memory node",
		                   "a number: `numactl -H` lists them");
	if (c->node)
		json_object_set_new(req, "numa",
		                    json_integer((json_int_t)node));
	if (c->pcie_root && cli_parse_bdf(c->pcie_root, &root, &d) < 0)
		return cli_refuse(c, CLI_USAGE, &d);
	if (c->pcie_root)
		json_object_set_new(req, "pcie-root",
		                    json_string(c->pcie_root));
	return CLI_OK;
}

static int print_loan(const struct cli *c, json_t *reply)
{
	const json_t *o = json_object_get(reply, "device");

	if (c->json)
		return cli_print_json(reply);
	cli_warnings(reply);
	printf("%s holds %s (%s%s%s), generation %lld\n",
	       cli_text(reply, "holder", "?"), cli_text(o, "bdf", "?"),
	       cli_text(o, "driver", ""),
	       *cli_text(o, "ifname", "") ? ", " : "",
	       cli_text(o, "ifname", ""),
	       (long long)json_integer_value(
		       json_object_get(reply, "generation")));
	if (*cli_text(reply, "why", ""))
		printf("chosen because: %s\n", cli_text(reply, "why", ""));
	if (*cli_text(reply, "others", ""))
		printf("and not the others: %s\n",
		       cli_text(reply, "others", ""));
	json_decref(reply);
	return CLI_OK;
}

/* The descriptors keep the numbers that they came with. */
static void name_fds(const json_t *reply, const int *fds, size_t n)
{
	const json_t *names = json_object_get(reply, "fds");
	char text[256] = "";

	for (size_t i = 0; i < n; i++) {
		const char *name = json_string_value(json_array_get(names, i));
		size_t at = strlen(text);

		(void)!fcntl(fds[i], F_SETFD, 0);
		snprintf(text + at, sizeof(text) - at, "%s%.32s=%d",
		         at ? " " : "", name ? name : "?", fds[i]);
	}
	setenv("FAIRLEAD_FDS", text, 1);
}

static int become(const struct cli *c, char *const *command, int sock,
                  json_t *reply, const int *fds, size_t n)
{
	const json_t *o = json_object_get(reply, "device");
	_cleanup_free_ char *text = json_dumps(reply, JSON_COMPACT);
	struct diag d = { 0 };

	if (text)
		setenv("FAIRLEAD_LEASE", text, 1);
	setenv("FAIRLEAD_DEVICE", cli_text(o, "bdf", ""), 1);
	setenv("FAIRLEAD_IFNAME", cli_text(o, "ifname", ""), 1);
	name_fds(reply, fds, n);
	(void)!fcntl(sock, F_SETFD, 0);
	execvp(command[0], command);
	diag_fail(&d, -errno, FL_CLI_EXEC, "cannot run %s", command[0]);
	diag_why(&d, "%s", strerror(errno));
	diag_mend(&d, "the lease ended with this; name another command");
	json_decref(reply);
	return cli_refuse(c, CLI_REFUSED, &d);
}

static int borrow(const struct cli *c, json_t *req, char *const *command)
{
	_cleanup_close_ int sock = -1;
	int fds[NETD_FDS_MAX], r;
	struct diag d = { 0 };
	json_t *reply = NULL;
	size_t n = 0;

	sock = cli_connect(c, &d);
	if (sock < 0)
		return cli_refuse(c, CLI_NO_NETD, &d);
	r = cli_ask(sock, req, NULL, 0, &reply, fds, &n, &d);
	if (r < 0)
		return cli_refuse(c, CLI_INTERNAL, &d);
	if (!json_is_true(json_object_get(reply, "ok")))
		return cli_refused_reply(c, reply, NULL);
	if (*command) {
		cli_warnings(reply);
		return become(c, command, sock, reply, fds, n);
	}
	while (n)
		close_fd(&fds[--n]);
	return print_loan(c, reply);
}

int cli_lease(const struct cli *c, char *const *args, unsigned n)
{
	json_t *req = request("borrow");
	int r = CLI_OK;

	if (!!c->hold == (n > 1)) {
		json_decref(req);
		return usage_error(
			c,
			n > 1 ? "--hold and a command exclude one another"
			      : "who is to hold the VF?",
			"fairlead lease POOL --hold NAME, or fairlead lease "
			"POOL -- COMMAND");
	}
	/* Left out, another VF would be lent, or to another. */
	if (put_text(req, "pool", args[0]) ||
	    put_text(req, "holder", c->hold) ||
	    put_text(req, "device", c->device)) {
		json_decref(req);
		return cli_refuse_name(c);
	}
	if (c->attributes)
		r = put_attributes(c, req);
	if (r == CLI_OK)
		r = put_place(c, req);
	if (r == CLI_OK)
		r = borrow(c, req, args + 1);
	json_decref(req);
	return r;
}

/* ---- release, scrub ------------------------------------------------------ */

int cli_release(const struct cli *c, char *const *args, unsigned n)
{
	json_t *req = request("return"), *reply = NULL;
	char *end = NULL;
	long long generation = n > 1 ? strtoll(args[1], &end, 10) : 1;
	int r;

	if ((end && *end) || generation <= 0) {
		json_decref(req);
		return usage_error(c, "the generation is no number",
		                   "the one that `fairlead lease` printed");
	}
	json_object_set_new(req, "holder", json_string(args[0]));
	if (n > 1)
		json_object_set_new(req, "generation",
		                    json_integer(generation));
	r = cli_transact(c, req, -1, NULL, &reply);
	if (r)
		return r;
	if (c->json)
		return cli_print_json(reply);
	cli_warnings(reply);
	if (json_is_true(json_object_get(reply, "released")))
		printf("%s: released, %s\n", cli_text(reply, "device", "?"),
		       cli_text(reply, "state", "unknown"));
	json_decref(reply);
	return CLI_OK;
}

int cli_scrub(const struct cli *c, char *const *args, unsigned n)
{
	json_t *req = request("scrub"), *reply = NULL;
	int r;

	(void)n;
	json_object_set_new(req, "device", json_string(args[0]));
	r = cli_transact(c, req, -1, NULL, &reply);
	if (r)
		return r;
	if (c->json)
		return cli_print_json(reply);
	printf("%s: clean\n", args[0]);
	json_decref(reply);
	return CLI_OK;
}
