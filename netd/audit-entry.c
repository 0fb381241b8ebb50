/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An entry of the history as messages: one for each action that was tried, then
 * one of the change as a whole. */

#include <stdio.h>
#include <string.h>

#include "netd/audit.h"

struct teller {
	const struct log *log;
	const char *socket;
	const json_t *entry;
	char who[64];
	struct audit a;
};

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* "" where it is null or absent: no field then. */
static const char *number_of(const json_t *o, const char *key,
                             char ret[static 24])
{
	const json_t *n = json_object_get(o, key);

	ret[0] = '\0';
	if (json_is_integer(n))
		snprintf(ret, 24, "%" JSON_INTEGER_FORMAT,
		         json_integer_value(n));
	return ret;
}

static void find_who(struct teller *t)
{
	const json_t *who = json_object_get(t->entry, "who");
	char uid[24], pid[24];

	if (json_is_object(who))
		snprintf(t->who, sizeof(t->who), "uid %s, pid %s",
		         number_of(who, "uid", uid),
		         number_of(who, "pid", pid));
	else
		snprintf(t->who, sizeof(t->who), "fairlead-netd itself");
}

static void add_who(struct teller *t)
{
	static const struct {
		const char *key, *field;
	} f[] = { { "uid", "UID" },
		  { "pid", "PID" },
		  { "loginuid", "LOGINUID" } };
	const json_t *who = json_object_get(t->entry, "who");
	char text[24];

	audit_field(&t->a, "VERB", "%s", text_of(t->entry, "verb"));
	audit_field(&t->a, "CHANGE", "%s", number_of(t->entry, "id", text));
	audit_field(&t->a, "HOLDER", "%s", text_of(t->entry, "holder"));
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		audit_field(&t->a, f[i].field, "%s",
		            number_of(who, f[i].key, text));
}

/* An attribute as a line: what it is of is in the action's own text. */
static char *attribute(const json_t *action, const char *key)
{
	const json_t *v = json_object_get(action, key);

	if (json_is_string(v))
		return strdup(*json_string_value(v) ? json_string_value(v)
		                                    : "none");
	return v && !json_is_null(v)
	               ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY)
	               : strdup("unknown");
}

static void tell_action(struct teller *t, const json_t *x)
{
	_cleanup_free_ char *before = attribute(x, "before");
	_cleanup_free_ char *after = attribute(x, "after");
	const char *label = text_of(x, "label"),
		   *outcome = text_of(x, "outcome");
	bool failed = !strcmp(outcome, "failed");
	char vf[24];

	if (!before || !after)
		return;
	audit_begin(&t->a, t->log, t->socket, AUDIT_ACTION,
	            failed ? LOG_LVL_WARN : LOG_LVL_INFO,
	            "%s by %s: %s: was %s, is %s, %s",
	            text_of(t->entry, "verb"), t->who, text_of(x, "text"),
	            before, after, outcome);
	add_who(t);
	audit_field(&t->a, "OP", "%s", text_of(x, "op"));
	audit_field(&t->a, "BDF", "%s", text_of(x, "pf"));
	audit_field(&t->a, "VF", "%s", number_of(x, "vf", vf));
	audit_field(&t->a, "GUEST", "%.*s", (int)strcspn(label, "/"), label);
	audit_field(&t->a, "OUTCOME", "%s", outcome);
	audit_field(&t->a, "BEFORE", "%s", before);
	audit_field(&t->a, "AFTER", "%s", after);
	audit_send(&t->a);
}

static void tell_change(struct teller *t, size_t n)
{
	const json_t *error = json_object_get(t->entry, "error");
	const char *result = text_of(t->entry, "result");
	bool done = !strcmp(result, "done");
	json_int_t code = json_integer_value(json_object_get(error, "code"));
	char id[24];

	audit_begin(&t->a, t->log, t->socket, AUDIT_CHANGE,
	            done ? LOG_LVL_INFO : LOG_LVL_WARN,
	            "%s by %s: %s, %zu action(s)%s%s; fairlead history %s",
	            text_of(t->entry, "verb"), t->who, result, n,
	            json_is_object(error) ? ": " : "", text_of(error, "what"),
	            number_of(t->entry, "id", id));
	add_who(t);
	audit_field(&t->a, "RESULT", "%s", result);
	audit_field(&t->a, "POLICY", "%s", text_of(t->entry, "policy"));
	if (code)
		audit_field(&t->a, "CODE", "FL-%04d", (int)code);
	audit_send(&t->a);
}

void audit_entry(const struct log *log, const char *socket, const json_t *entry)
{
	struct teller *t = calloc(1, sizeof(*t));
	const json_t *actions = json_object_get(entry, "actions");
	size_t n = json_array_size(actions);

	if (!t)
		return;
	t->log = log;
	t->socket = socket;
	t->entry = entry;
	find_who(t);
	for (size_t i = 0; i < MIN(n, (size_t)AUDIT_ACTIONS); i++) {
		const json_t *x = json_array_get(actions, i);

		if (strcmp(text_of(x, "outcome"), "not-tried") != 0)
			tell_action(t, x);
	}
	tell_change(t, n);
	free(t);
}
