/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers as JSON (netd-proto.h). A NULL from jansson is out of memory; the
 * *_new functions pass it on, and worker.c ends such an answer as an error. */

#include <stdarg.h>
#include <stdio.h>

#include "netd/priv.h"

json_t *reply_error(const struct diag *d)
{
	/* Kernel words may be no UTF-8; jansson would refuse the document. */
	json_t *what = json_string(d->what), *why = json_string(d->why),
	       *mend = json_string(d->mend);

	return json_pack("{s:i, s:i, s:o, s:o, s:o}", "code", d->code, "errno",
	                 -d->err, "what", what ? what : json_string("?"), "why",
	                 why ? why : json_string("?"), "mend",
	                 mend ? mend : json_string("?"));
}

static json_t *policy_errors(const struct pol_errors *errs)
{
	json_t *list = json_array();

	for (size_t i = 0; i < errs->n; i++) {
		json_t *e = reply_error(&errs->e[i].diag);

		json_object_set_new(e, "line",
		                    json_integer(errs->e[i].pos.line));
		json_object_set_new(e, "column",
		                    json_integer(errs->e[i].pos.column));
		if (*errs->e[i].file)
			json_object_set_new(e, "file",
			                    json_string(errs->e[i].file));
		json_array_append_new(list, e);
	}
	return list;
}

json_t *reply_refusal(const struct diag *d, const struct pol_errors *errs)
{
	bool listed = errs && errs->n;

	json_t *r = json_pack("{s:i, s:b, s:o}", "version", NETD_PROTO_VERSION,
	                      "ok", 0, "error",
	                      reply_error(listed ? &errs->e[0].diag : d));

	if (listed)
		json_object_set_new(r, "errors", policy_errors(errs));
	return r;
}

void reply_warn(json_t *reply, const char *fmt, ...)
{
	json_t *list = json_object_get(reply, "warnings");
	char text[DIAG_LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!list) {
		list = json_array();
		json_object_set_new(reply, "warnings", list);
	}
	json_array_append_new(list, json_string(text));
}
