/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why a guest's nic has this VF and no other. netd is asked for the plan of the
 * applied policy, which says so of every nic; a plan that is refused, or a
 * device that is no nic, has nothing to tell.
 */

#include "cli/cli.h"

#include <string.h>

static json_t *find(const json_t *reply, const char *guest, const char *nic)
{
	const json_t *list = json_object_get(reply, "placement");

	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *o = json_array_get(list, i);

		if (!strcmp(cli_text(o, "guest", ""), guest) &&
		    !strcmp(cli_text(o, "nic", ""), nic))
			return json_incref(o);
	}
	return NULL;
}

json_t *cli_chosen(int sock, const char *guest, const char *nic)
{
	json_t *ask, *reply = NULL, *found;
	struct diag d = { 0 };

	ask = json_pack("{s:i, s:s}", "version", NETD_PROTO_VERSION, "verb",
	                "plan");
	(void)!cli_ask(sock, ask, NULL, 0, &reply, NULL, NULL, &d);
	json_decref(ask);
	found = find(reply, guest, nic);
	json_decref(reply);
	return found;
}
