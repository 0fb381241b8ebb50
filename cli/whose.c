/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which function `explain` is asked for, and why whoever has it has that one:
 * by its address, of which nobody is asked; by a guest and a device of it; by
 * the holder of a loan. netd is asked for who has what, and of a guest's nic
 * for the plan of the applied policy, which says why; so it does of one that
 * does not run. Of one that runs, a plan that is refused has nothing to tell,
 * nor has it of a device that is no nic.
 */

#include "cli/function.h"

#include <string.h>

/* -> the reply; NULL: none, or a refusal. */
static json_t *ask(int sock, const char *verb, struct diag *d)
{
	json_t *req = json_pack("{s:i, s:s}", "version", NETD_PROTO_VERSION,
	                        "verb", verb);
	json_t *reply = NULL;

	(void)!cli_ask(sock, req, NULL, 0, &reply, NULL, NULL, d);
	json_decref(req);
	return reply;
}

/* ---- a guest's ----------------------------------------------------------- */

static int not_leased(const char *guest, const char *device,
                      const json_t *lease, struct diag *d)
{
	const json_t *names = json_object_get(lease, "names");
	char list[DIAG_LINE] = "";
	size_t at = 0;

	for (size_t i = 0; i < json_array_size(names) && at < sizeof(list); i++)
		at += (size_t)snprintf(
			list + at, sizeof(list) - at, " %s",
			json_string_value(json_array_get(names, i)));
	diag_fail(d, -ENOENT, FL_CLI_LEASED, "the guest %s has no device %s",
	          guest, device);
	if (lease)
		diag_why(d, "its devices are:%s", *list ? list : " none");
	else
		diag_why(d, "it is not running, and no nic of its policy is "
		            "called so");
	diag_mend(d, "fairlead status; fairlead explain ADDRESS");
	return -ENOENT;
}

static const json_t *find_lease(const json_t *status, const char *guest)
{
	const json_t *leases = json_object_get(status, "leases");

	for (size_t i = 0; i < json_array_size(leases); i++) {
		const json_t *lease = json_array_get(leases, i);

		if (!strcmp(cli_text(lease, "guest", ""), guest))
			return lease;
	}
	return NULL;
}

static const char *find_device(const json_t *lease, const char *device)
{
	const json_t *names = json_object_get(lease, "names");
	const json_t *at = json_object_get(lease, "devices");

	for (size_t i = 0; i < json_array_size(at); i++) {
		const char *name = json_string_value(json_array_get(names, i));

		if (name && !strcmp(name, device))
			return json_string_value(json_array_get(at, i));
	}
	return NULL;
}

/* NULL = the policy chooses none for it. */
static json_t *find_placement(const json_t *plan, const char *guest,
                              const char *nic)
{
	const json_t *list = json_object_get(plan, "placement");

	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *o = json_array_get(list, i);

		if (!strcmp(cli_text(o, "guest", ""), guest) &&
		    !strcmp(cli_text(o, "nic", ""), nic))
			return o;
	}
	return NULL;
}

static int in_plan(const json_t *lease, const json_t *plan, char *const *args,
                   struct bdf *ret, json_t **ret_chosen, struct diag *d)
{
	json_t *chosen = find_placement(plan, args[0], args[1]);
	const char *bdf = lease ? find_device(lease, args[1])
	                        : cli_text(chosen, "bdf", NULL);
	int r = bdf ? cli_parse_bdf(bdf, ret, d)
	            : not_leased(args[0], args[1], lease, d);

	if (r < 0 || !chosen)
		return r;
	json_object_set_new(chosen, "runs", json_boolean(!!lease));
	*ret_chosen = json_incref(chosen);
	return 0;
}

/* Exit status. */
static int of_guest(const struct cli *c, int sock, const json_t *status,
                    char *const *args, struct bdf *ret, json_t **ret_chosen)
{
	const json_t *lease = find_lease(status, args[0]);
	struct diag d = { 0 };
	json_t *plan = ask(sock, "plan", &d);
	int r;

	/* Of one that does not run it is all that there is. */
	if (!lease && !plan)
		return cli_refuse(c, CLI_INTERNAL, &d);
	if (!lease && !json_is_true(json_object_get(plan, "ok")))
		return cli_refused_reply(c, plan, NULL);
	r = in_plan(lease, plan, args, ret, ret_chosen, &d);
	json_decref(plan);
	return r < 0 ? cli_refuse(c, CLI_REFUSED, &d) : CLI_OK;
}

/* ---- a loan's ------------------------------------------------------------ */

/* Else it is an address, or meant to be. */
static bool is_holder(const char *name)
{
	return *name == '@' || !strchr(name, ':');
}

static void no_holder(const char *name, struct diag *d)
{
	diag_fail(d, -ENOENT, FL_CLI_LEASED, "nobody called %s has a VF", name);
	diag_why(d, "it is no PCI address, and holds no loan");
	diag_mend(d, "fairlead status; fairlead explain ADDRESS; of a guest: "
	             "fairlead explain GUEST DEVICE");
}

/* Exit status. */
static int of_holder(const struct cli *c, const json_t *status,
                     const char *name, struct bdf *ret, json_t **ret_chosen)
{
	const json_t *list = json_object_get(status, "functions");
	struct diag d = { 0 };
	int r;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *f = json_array_get(list, i);
		json_t *loan = json_object_get(f, "loan");

		if (strcmp(cli_text(loan, "holder", ""), name) != 0)
			continue;
		*ret_chosen = json_incref(loan);
		r = cli_parse_bdf(cli_text(f, "bdf", ""), ret, &d);
		return r < 0 ? cli_refuse(c, CLI_REFUSED, &d) : CLI_OK;
	}
	no_holder(name, &d);
	return cli_refuse(c, CLI_REFUSED, &d);
}

/* ---- who is asked -------------------------------------------------------- */

int cli_whose(const struct cli *c, char *const *args, unsigned n,
              struct bdf *ret, json_t **ret_chosen)
{
	_cleanup_close_ int sock = -1;
	struct diag d = { 0 };
	json_t *status;
	int r;

	if (n == 1 && !is_holder(args[0])) {
		r = cli_parse_bdf(args[0], ret, &d);
		return r < 0 ? cli_refuse(c, CLI_REFUSED, &d) : CLI_OK;
	}
	sock = cli_connect(c, &d);
	if (sock < 0)
		return cli_refuse(c, CLI_NO_NETD, &d);
	status = ask(sock, "status", &d);
	if (!status)
		return cli_refuse(c, CLI_INTERNAL, &d);
	if (!json_is_true(json_object_get(status, "ok")))
		return cli_refused_reply(c, status, NULL);
	r = n == 1 ? of_holder(c, status, args[0], ret, ret_chosen)
	           : of_guest(c, sock, status, args, ret, ret_chosen);
	json_decref(status);
	return r;
}
