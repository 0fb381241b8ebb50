/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests by verb: how many, how many refused, how long they took. */

#include <stdio.h>
#include <string.h>

#include "netd/metrics.h"

/* There are fewer verbs than entries (permit.c); were there more, the last
 * would stand for the rest. */
static struct tally_one *entry_of(struct verb_tally *t, const char *verb)
{
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->v[i].verb, verb))
			return &t->v[i];
	if (t->n == ARRAY_SIZE(t->v))
		return &t->v[t->n - 1];
	snprintf(t->v[t->n].verb, sizeof(t->v[0].verb), "%s", verb);
	return &t->v[t->n++];
}

void tally_note(struct verb_tally *t, const char *verb, bool ok, uint64_t ms)
{
	struct tally_one *v = entry_of(t, verb);

	if (ok)
		v->done++;
	else
		v->refused++;
	v->ms += ms;
}

json_t *tally_json(const struct verb_tally *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->n; i++) {
		const struct tally_one *v = &t->v[i];

		json_array_append_new(
			list, json_pack("{s:s, s:I, s:I, s:I}", "verb", v->verb,
		                        "done", (json_int_t)v->done, "refused",
		                        (json_int_t)v->refused, "ms",
		                        (json_int_t)v->ms));
	}
	return list;
}
