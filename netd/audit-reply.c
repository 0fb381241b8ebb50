/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the end of a request says of functions and loans: netd-proto.h has the
 * replies. */

#include <stdio.h>
#include <string.h>

#include "netd/audit.h"

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* Of a loan: an object when it begins, an address when it has ended. */
static const char *lent(const json_t *reply)
{
	const json_t *device = json_object_get(reply, "device");

	return json_is_string(device) ? json_string_value(device)
	                              : text_of(device, "bdf");
}

void audit_reply(struct audit *a, const json_t *reply)
{
	const json_t *list = json_object_get(reply, "devices");

	/* A field may be there many times. */
	for (size_t i = 0; i < json_array_size(list); i++)
		audit_field(a, "BDF", "%s",
		            text_of(json_array_get(list, i), "bdf"));
	audit_field(a, "BDF", "%s", lent(reply));
	audit_field(a, "HOLDER", "%s", text_of(reply, "holder"));
	audit_field(a, "POOL", "%s", text_of(reply, "pool"));
}

void audit_subject(const json_t *reply, const char *name,
                   char ret[static AUDIT_SUBJECT])
{
	const char *pool = text_of(reply, "pool"), *bdf = lent(reply);
	size_t n;

	if (!name || !*name)
		name = text_of(reply, "holder");
	n = (size_t)snprintf(ret, AUDIT_SUBJECT, "%s%.120s", *name ? " " : "",
	                     name);
	if (*bdf && *pool)
		snprintf(ret + n, AUDIT_SUBJECT - n, " (%.12s of pool %.40s)",
		         bdf, pool);
}
