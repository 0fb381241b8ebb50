/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of a stranger to a request. Pure: no system call, no log. What is not
 * understood is refused whole; unknown keys are, too, so that a client never
 * believes something was heeded that was not.
 */

#include <string.h>

#include "netd/confirm.h"

static int refuse(struct diag *d, const char *why)
{
	diag_fail(d, -EPROTO, FL_NETD_REQUEST, "request not understood");
	diag_why(d, "%s", why);
	diag_mend(d, "use the fairlead and fairlead-netd of one version");
	return -EPROTO;
}

static int take_text(const json_t *v, char *to, size_t size)
{
	size_t len = json_string_length(v);

	if (!json_is_string(v) || len >= size || !len)
		return -EPROTO;
	memcpy(to, json_string_value(v), len + 1);
	/* A name goes to terminals and logs. */
	for (; *to; to++)
		if ((unsigned char)*to < 0x20 || *to == 0x7f)
			return -EPROTO;
	return 0;
}

/* A holder's '@' is netd's own. */
static int take_loan(const char *key, const json_t *v, struct request *r,
                     struct diag *d)
{
	json_int_t generation = json_integer_value(v);

	if (!strcmp(key, "attributes"))
		return pol_vf_from_json(v, &r->attr) < 0 ||
		                       (r->attr.set & POL_HAS_MAC &&
		                        r->attr.mac[0] & 1)
		               ? refuse(d, "\"attributes\" has what is no "
		                           "attribute of a VF, or a wrong "
		                           "value")
		               : 0;
	if (!json_is_integer(v) || generation <= 0)
		return refuse(d, "\"generation\" is no number from 1 on");
	r->generation = (uint64_t)generation;
	return 0;
}

/* -ENOENT: no such key is a number. */
static int take_number(const char *key, const json_t *v, struct request *r)
{
	const struct {
		const char *key;
		json_int_t min, max;
		uint32_t *to;
		bool *given;
	} numbers[] = {
		{ "entry", 1, UINT32_MAX, &r->entry, NULL },
		{ "confirm-within", 0, CONFIRM_MAX_S, &r->confirm_s,
		  &r->has_confirm },
		{ "numa", 0, UINT16_MAX, &r->node, &r->has_node },
	};
	json_int_t n = json_integer_value(v);

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (strcmp(key, numbers[i].key) != 0)
			continue;
		if (!json_is_integer(v) || n < numbers[i].min ||
		    n > numbers[i].max)
			return -EPROTO;
		*numbers[i].to = (uint32_t)n;
		if (numbers[i].given)
			*numbers[i].given = true;
		return 0;
	}
	return -ENOENT;
}

/* -ENOENT: no such key is one of a few words. */
static int take_word(const char *key, const json_t *v, struct request *r)
{
	const struct {
		const char *key;
		bool *to;
	} flags[] = { { "now", &r->now },
		      { "log", &r->log },
		      { "force", &r->force },
		      { "early", &r->early } };

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (!strcmp(key, flags[i].key)) {
			*flags[i].to = json_is_true(v);
			return json_is_boolean(v) ? 0 : -EPROTO;
		}
	if (strcmp(key, "allow-disruption") != 0)
		return -ENOENT;
	r->allow.given = true;
	return json_is_string(v) && pol_budget_find(json_string_value(v),
	                                            &r->allow.budget)
	               ? 0
	               : -EPROTO;
}

/* -ENOENT: no such key is a text. */
static int take_member(const char *key, const json_t *v, struct request *r)
{
	const struct {
		const char *key;
		char *to;
		size_t size;
	} texts[] = {
		{ "verb", r->verb, sizeof(r->verb) },
		{ "guest", r->guest, sizeof(r->guest) },
		{ "device", r->device, sizeof(r->device) },
		{ "file", r->file, sizeof(r->file) },
		{ "pool", r->pool, sizeof(r->pool) },
		{ "holder", r->holder, sizeof(r->holder) },
		{ "way", r->way, sizeof(r->way) },
		{ "function", r->function, sizeof(r->function) },
		{ "pcie-root", r->root, sizeof(r->root) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!strcmp(key, texts[i].key))
			return take_text(v, texts[i].to, texts[i].size);
	return -ENOENT;
}

static int take_members(json_t *o, struct request *r, struct diag *d)
{
	static const struct {
		int (*take)(const char *key, const json_t *v,
		            struct request *r);
		const char *wrong;
	} kinds[] = {
		{ take_word, "a boolean or a word is none" },
		{ take_number, "a number is none, or out of range" },
		{ take_member, "a value is no text, empty, too long, or not "
		               "printable" },
	};
	const char *key;
	json_t *v;

	json_object_foreach(o, key, v)
	{
		int e = -ENOENT;

		if (!strcmp(key, "version"))
			continue;
		if (!strcmp(key, "attributes") || !strcmp(key, "generation")) {
			if (take_loan(key, v, r, d) < 0)
				return -EPROTO;
			continue;
		}
		for (size_t i = 0; e == -ENOENT && i < ARRAY_SIZE(kinds); i++) {
			e = kinds[i].take(key, v, r);
			if (e == -EPROTO)
				return refuse(d, kinds[i].wrong);
		}
		if (e)
			return refuse(d, "it has an unknown key");
	}
	return *r->verb ? 0 : refuse(d, "it has no verb");
}

int frame_parse(const char *buf, size_t len, struct request *ret,
                struct diag *d)
{
	struct request r = { 0 };
	json_t *o, *version;
	int e;

	if (len > NETD_MSG_MAX)
		return refuse(d, "it is too long");
	o = json_loadb(buf, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(o)) {
		json_decref(o);
		return refuse(d, "it is not a JSON object");
	}
	version = json_object_get(o, "version");
	if (!json_is_integer(version) ||
	    json_integer_value(version) != NETD_PROTO_VERSION)
		e = refuse(d, "its version is not 1");
	else
		e = take_members(o, &r, d);
	json_decref(o);
	if (!e)
		*ret = r;
	return e;
}
