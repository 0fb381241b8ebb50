/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * failover: the VF of a nic with a standby, taken away and given back. netd
 * does it as one request (netd/failover.h). Said is what is so afterwards, as
 * the kernel tells it: also when it was refused, since whoever reads that at
 * night wants to know whether the guest has its network.
 */

#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

/* What the guest has for the nic now; NULL and "" = it has none. */
struct state {
	bool known;
	const char *bdf;     /* of the VF */
	const char *standby; /* its tap */
	const char *link, *bridge;
};

static const json_t *find_lease(const json_t *status, const char *guest)
{
	const json_t *list = json_object_get(status, "leases");

	for (size_t i = 0; i < json_array_size(list); i++)
		if (!strcmp(cli_text(json_array_get(list, i), "guest", ""),
		            guest))
			return json_array_get(list, i);
	return NULL;
}

/* Its strings are the document's. */
static struct state state_of(const json_t *status, char *const *args)
{
	const json_t *lease = find_lease(status, args[0]), *list;
	struct state s = { .known = lease, .standby = "" };
	char name[256];

	list = json_object_get(lease, "names");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *n = json_string_value(json_array_get(list, i));

		if (n && !strcmp(n, args[1]))
			s.bdf = json_string_value(json_array_get(
				json_object_get(lease, "devices"), i));
	}
	snprintf(name, sizeof(name), "%s:standby", args[1]);
	list = json_object_get(lease, "own");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *o = json_array_get(list, i);

		if (strcmp(cli_text(o, "name", ""), name) != 0)
			continue;
		s.standby = cli_text(o, "tap", "");
		s.link = cli_text(o, "state", "unknown");
		s.bridge = cli_text(o, "bridge", "");
	}
	return s;
}

/* "on its standby fl-g-wan (up, bridge br0)". To standard error where it went
 * wrong. */
static void print_state(FILE *out, const struct state *s, char *const *args)
{
	fprintf(out, "%s: %s: ", args[0], args[1]);
	if (!s->known)
		fprintf(out, "the guest is not leased any more\n");
	else if (s->bdf)
		fprintf(out, "VF %s is the guest's", s->bdf);
	else
		fprintf(out, "its VF is away");
	if (s->known && *s->standby)
		fprintf(out, "; %s standby %s (%s%s%s)\n",
		        s->bdf ? "beside it" : "the guest is on its",
		        s->standby, s->link, *s->bridge ? ", bridge " : "",
		        s->bridge);
	else if (s->known)
		fprintf(out, "; it has no standby\n");
}

/* -> exit status. `failed`: the request was refused. */
static int report(const struct cli *c, char *const *args, bool failed)
{
	json_t *status = NULL;
	struct state s;
	int r = cli_transact(c,
	                     json_pack("{s:i, s:s}", "version",
	                               NETD_PROTO_VERSION, "verb", "status"),
	                     -1, NULL, &status);

	if (r != CLI_OK)
		return failed ? CLI_REFUSED : r;
	s = state_of(status, args);
	if (!c->json)
		print_state(failed ? stderr : stdout, &s, args);
	r = !failed                           ? CLI_OK
	    : s.known && !s.bdf && *s.standby ? CLI_STANDBY
	                                      : CLI_REFUSED;
	if (r == CLI_STANDBY && !c->json)
		fprintf(stderr,
		        "  mend: when the reason is mended: fairlead "
		        "failover %s %s --back\n",
		        args[0], args[1]);
	json_decref(status);
	return r;
}

static json_t *request(const struct cli *c, char *const *args)
{
	json_t *req = json_pack("{s:i, s:s, s:s, s:s, s:s}", "version",
	                        NETD_PROTO_VERSION, "verb", "failover", "guest",
	                        args[0], "device", args[1], "way",
	                        c->to_standby ? "to-standby"
	                        : c->back     ? "back"
	                                      : "cycle");

	if (req && c->now)
		json_object_set_new(req, "now", json_true());
	/* Without it another VF would be taken than the one that was named. */
	if (req && c->device &&
	    json_object_set_new(req, "function", json_string(c->device))) {
		json_decref(req);
		return NULL;
	}
	return req;
}

int cli_failover(const struct cli *c, char *const *args, unsigned n)
{
	json_t *reply = NULL, *req;
	int r;

	(void)n;
	if (c->to_standby && (c->back || c->device)) {
		fprintf(stderr,
		        "fairlead: %s and --to-standby are two things; without "
		        "either, both are done\n",
		        c->back ? "--back" : "--device");
		return CLI_USAGE;
	}
	req = request(c, args);
	if (!req)
		return cli_refuse_name(c);
	r = cli_transact(c, req, -1, NULL, &reply);
	if (r == CLI_NO_NETD || r == CLI_INTERNAL)
		return r;
	if (r == CLI_OK && c->json)
		return cli_print_json(reply);
	cli_warnings(reply);
	if (r == CLI_OK && json_is_true(json_object_get(reply, "already")))
		printf("%s: %s: nothing to do\n", args[0], args[1]);
	if (r == CLI_OK && json_is_true(json_object_get(reply, "forced")))
		printf("%s: %s: by force: the guest did not let go in time\n",
		       args[0], args[1]);
	json_decref(reply);
	return report(c, args, r != CLI_OK);
}
