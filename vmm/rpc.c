/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON-RPC 2.0 without batches: a line is a request, an answer or an event. */

#include <string.h>

#include "vmm/control.h"

static int refuse(struct rpc_request *r, const json_t *id, int error)
{
	r->id = id;
	return error;
}

/* Section 4: an id is a string or a number; null is allowed, and pointless. */
static bool is_id(const json_t *v)
{
	return json_is_string(v) || json_is_number(v) || json_is_null(v);
}

int rpc_parse(const char *line, size_t len, struct rpc_request *ret)
{
	const json_t *id, *version, *params;

	*ret = (struct rpc_request){
		.doc = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL),
	};
	if (!ret->doc)
		return RPC_PARSE;
	id = json_object_get(ret->doc, "id");
	if (!json_is_object(ret->doc) || (id && !is_id(id)))
		return RPC_INVALID;
	version = json_object_get(ret->doc, "jsonrpc");
	params = json_object_get(ret->doc, "params");
	ret->method = json_string_value(json_object_get(ret->doc, "method"));
	if (!json_is_string(version) ||
	    strcmp(json_string_value(version), "2.0") != 0 || !ret->method)
		return refuse(ret, id, RPC_INVALID);
	/* Section 4.2 knows positions too: names are what can grow. */
	if (params && !json_is_object(params))
		return refuse(ret, id, RPC_PARAMS);
	ret->params = params;
	ret->id = id;
	return 0;
}

void rpc_free(struct rpc_request *r)
{
	json_decref(r->doc);
	*r = (struct rpc_request){ .doc = NULL };
}

static json_t *answer(const json_t *id)
{
	json_t *o = json_object();

	json_object_set_new(o, "jsonrpc", json_string("2.0"));
	/* It is only looked at; the reference count is jansson's own. */
	if (id)
		json_object_set(o, "id", (json_t *)(uintptr_t)id);
	else
		json_object_set_new(o, "id", json_null());
	return o;
}

json_t *rpc_result(const json_t *id, json_t *result)
{
	json_t *o = answer(id);

	json_object_set_new(o, "result", result);
	return o;
}

json_t *rpc_error(const json_t *id, int error, const char *text)
{
	json_t *o = answer(id);

	json_object_set_new(
		o, "error",
		json_pack("{s:i, s:s}", "code", error, "message", text));
	return o;
}

json_t *rpc_refusal(const json_t *id, const struct diag *d)
{
	json_t *o = answer(id);
	json_t *data = json_pack("{s:i, s:i, s:s, s:s, s:s}", "code", d->code,
	                         "errno", -d->err, "what", d->what, "why",
	                         d->why, "mend", d->mend);

	json_object_set_new(o, "error",
	                    json_pack("{s:i, s:s, s:o}", "code",
	                              (int)RPC_REFUSED, "message", d->what,
	                              "data", data));
	return o;
}

json_t *rpc_event(const char *event, json_t *params)
{
	if (!params)
		params = json_object();
	json_object_set_new(params, "event", json_string(event));
	return json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", "event",
	                 "params", params);
}

int rpc_number(const json_t *params, const char *key, uint64_t max,
               uint64_t fallback, uint64_t *ret)
{
	const json_t *v = json_object_get(params, key);

	*ret = fallback;
	if (!v)
		return 0;
	if (!json_is_integer(v) || json_integer_value(v) < 0 ||
	    (uint64_t)json_integer_value(v) > max)
		return -EBADMSG;
	*ret = (uint64_t)json_integer_value(v);
	return 0;
}

int rpc_bool(const json_t *params, const char *key, bool fallback, bool *ret)
{
	const json_t *v = json_object_get(params, key);

	*ret = v ? json_is_true(v) : fallback;
	return v && !json_is_boolean(v) ? -EBADMSG : 0;
}
