/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What differed, how often, and what became of it. Pure; main's. */

#include <stdio.h>
#include <string.h>

#include "netd/reconcile.h"

static const char *const names[] = {
	[DRIFT_REPAIRED] = "repaired", [DRIFT_REPORTED] = "reported",
	[DRIFT_REFUSED] = "refused",   [DRIFT_FAILED] = "failed",
	[DRIFT_FOUGHT] = "fought",
};

const char *drift_state_name(enum drift_state s)
{
	return names[s];
}

static bool same_key(const struct drift_key *a, const struct drift_key *b)
{
	return a->op == b->op && bdf_equal(a->pf, b->pf) && a->vf == b->vf &&
	       !strcmp(a->bridge, b->bridge) && !strcmp(a->part, b->part);
}

const struct drift *drift_find(const struct reconcile *r,
                               const struct drift_key *k)
{
	for (size_t i = 0; i < r->n; i++)
		if (same_key(&r->d[i].of, k))
			return &r->d[i];
	return NULL;
}

static struct drift_key key_of(const struct pol_action *a)
{
	struct drift_key k = { .op = a->op, .pf = a->pf, .vf = a->vf };

	if (a->over)
		memcpy(k.bridge, a->over->o.bridge, sizeof(k.bridge));
	if (a->op == POL_OP_PARAM)
		snprintf(k.part, sizeof(k.part), "%s", a->param.name);
	if (a->op == POL_OP_GROUP)
		snprintf(k.part, sizeof(k.part), "%s", a->group.name);
	return k;
}

/* A bout lasts as long as it goes on, and FIGHT_SECONDS after that. */
static bool bout_is_over(const struct drift *d, int64_t now)
{
	return now - d->touched > FIGHT_SECONDS ||
	       (d->repairs < FIGHT_MAX && d->failures < FIGHT_MAX &&
	        now - d->bout > FIGHT_SECONDS);
}

bool drift_is_fight(const struct reconcile *r, const struct pol_action *a,
                    int64_t now)
{
	const struct drift_key k = key_of(a);
	const struct drift *d = drift_find(r, &k);

	return d && d->repairs >= FIGHT_MAX && !bout_is_over(d, now);
}

const char *drift_is_hopeless(const struct reconcile *r,
                              const struct pol_action *a, int64_t now)
{
	const struct drift_key k = key_of(a);
	const struct drift *d = drift_find(r, &k);

	return d && d->state == DRIFT_FAILED && d->failures >= FIGHT_MAX &&
	                       !bout_is_over(d, now)
	               ? d->why
	               : NULL;
}

json_t *drift_json(const struct pol_action *a, enum drift_state state,
                   const char *why)
{
	const struct drift_key k = key_of(a);
	char b[BDF_STRLEN], text[DIAG_LINE];
	json_t *w = json_string(why);

	pol_action_text(a, text, sizeof(text));
	return json_pack("{s:s, s:i, s:i, s:s, s:s, s:i, s:s, s:o}", "pf",
	                 bdf_format(k.pf, b), "vf", k.vf, "op", (int)k.op,
	                 "bridge", k.bridge, "part", k.part, "state",
	                 (int)state, "text", text, "why",
	                 w ? w : json_string("?"));
}

/* ---- into the memory ----------------------------------------------------- */

/* Its place, a new one, or that of what was over longest ago. */
static struct drift *place(struct reconcile *r, const struct drift_key *k)
{
	struct drift *old = (struct drift *)(uintptr_t)drift_find(r, k);

	if (old)
		return old;
	if (r->n < DRIFT_MAX) {
		old = &r->d[r->n++];
	} else {
		for (size_t i = 0; i < r->n; i++)
			if (!r->d[i].open && (!old || r->d[i].last < old->last))
				old = &r->d[i];
		r->lost++;
	}
	if (old)
		*old = (struct drift){ .of = *k };
	return old;
}

static void count(struct reconcile *r, const struct drift_key *k, bool repaired)
{
	size_t i = 0;

	while (i < r->n_counts &&
	       (!bdf_equal(r->count[i].pf, k->pf) || r->count[i].op != k->op))
		i++;
	if (i == DRIFT_COUNTS)
		return;
	if (i == r->n_counts)
		r->count[r->n_counts++] =
			(struct drift_count){ .pf = k->pf, .op = k->op };
	r->count[i].seen++;
	r->count[i].repaired += repaired;
}

static void copy_member(const json_t *o, const char *key, char *to, size_t size)
{
	const char *s = json_string_value(json_object_get(o, key));

	snprintf(to, size, "%s", s ? s : "");
}

/* It stays as it was left, and netd leaves it so: nobody touches it. */
static bool is_left(const struct drift *d, const json_t *o,
                    enum drift_state state)
{
	const char *text = json_string_value(json_object_get(o, "text"));

	return d->open && d->state == state && text &&
	       !strncmp(text, d->text, sizeof(d->text) - 1) &&
	       (state == DRIFT_FOUGHT ||
	        (state == DRIFT_FAILED && d->failures >= FIGHT_MAX));
}

/* True = to be told: it is new, or was repaired again. */
static bool take(struct reconcile *r, struct drift *d, const json_t *o,
                 enum drift_state state, int64_t now)
{
	bool repaired = state == DRIFT_REPAIRED;
	bool fresh = !d->open || repaired || d->state != state;

	if (!d->bout || bout_is_over(d, now)) {
		d->bout = now;
		d->repairs = 0;
		d->failures = 0;
	}
	if (!is_left(d, o, state)) {
		d->touched = now;
		d->failures += state == DRIFT_FAILED;
	}
	if (!d->open)
		d->since = now;
	if (!d->open || repaired)
		count(r, &d->of, repaired);
	d->repairs += repaired;
	d->state = state;
	d->last = now;
	d->open = !repaired;
	copy_member(o, "text", d->text, sizeof(d->text));
	copy_member(o, "why", d->why, sizeof(d->why));
	return fresh;
}

static void merge_one(struct reconcile *r, const json_t *o, int64_t now,
                      bool still[DRIFT_MAX],
                      void (*say)(const struct drift *d, void *arg), void *arg)
{
	const char *pf = json_string_value(json_object_get(o, "pf"));
	json_int_t op = json_integer_value(json_object_get(o, "op"));
	json_int_t state = json_integer_value(json_object_get(o, "state"));
	json_int_t vf = json_integer_value(json_object_get(o, "vf"));
	struct drift_key k = { .op = (enum pol_op)op, .vf = (int)vf };
	struct drift *d;

	if (!pf || bdf_parse(pf, &k.pf) || op < 0 || op >= POL_OP_MAX ||
	    state < 0 || state > DRIFT_FOUGHT || vf < -1 || vf >= POL_VFS_MAX)
		return;
	copy_member(o, "bridge", k.bridge, sizeof(k.bridge));
	copy_member(o, "part", k.part, sizeof(k.part));
	d = place(r, &k);
	if (!d)
		return;
	still[d - r->d] = true;
	if (take(r, d, o, (enum drift_state)state, now) && say)
		say(d, arg);
}

static void take_links(struct reconcile *r, const json_t *list)
{
	r->n_ifindex = 0;
	for (size_t i = 0; i < json_array_size(list) && i < DRIFT_LINKS_MAX;
	     i++)
		r->ifindex[r->n_ifindex++] =
			(int)json_integer_value(json_array_get(list, i));
}

void drift_merge(struct reconcile *r, const json_t *reply, int64_t now,
                 void (*say)(const struct drift *d, void *arg), void *arg)
{
	const json_t *found = json_object_get(reply, "found");
	bool partial = json_is_true(json_object_get(reply, "partial"));
	bool still[DRIFT_MAX] = { false };

	r->active = json_is_true(json_object_get(reply, "active"));
	r->repairs = json_is_true(json_object_get(reply, "repairs"));
	r->on_event = json_is_true(json_object_get(reply, "on-event"));
	r->interval_ms = (uint32_t)json_integer_value(
		json_object_get(reply, "interval-ms"));
	r->last = now;
	r->looks++;
	copy_member(reply, "why", r->why, sizeof(r->why));
	take_links(r, json_object_get(reply, "ifindex"));
	if (*r->why && !partial)
		return;
	for (size_t i = 0; i < json_array_size(found); i++)
		merge_one(r, json_array_get(found, i), now, still, say, arg);
	/* A look that could not tell all closes nothing. */
	for (size_t i = 0; i < r->n && !*r->why; i++)
		if (!still[i])
			r->d[i].open = false;
}

/* ---- for status ---------------------------------------------------------- */

static const char *pf_of(enum pol_op op, struct bdf pf,
                         char buf[static BDF_STRLEN])
{
	return op == POL_OP_OVERLAY ? "" : bdf_format(pf, buf);
}

static json_t *one_json(const struct drift *d)
{
	char b[BDF_STRLEN];

	return json_pack(
		"{s:s, s:i, s:s, s:s, s:s, s:b, s:s, s:s, s:I, s:I, s:i}", "pf",
		pf_of(d->of.op, d->of.pf, b), "vf", d->of.vf, "bridge",
		d->of.bridge, "attribute", pol_op_name(d->of.op), "state",
		drift_state_name(d->state), "open", d->open, "text", d->text,
		"why", d->why, "since", (json_int_t)d->since, "last",
		(json_int_t)d->last, "repairs", (int)d->repairs);
}

json_t *reconcile_json(const struct reconcile *r)
{
	json_t *counters = json_array(), *drift = json_array();
	char b[BDF_STRLEN];

	for (size_t i = 0; i < r->n_counts; i++)
		json_array_append_new(
			counters,
			json_pack("{s:s, s:s, s:I, s:I}", "pf",
		                  pf_of(r->count[i].op, r->count[i].pf, b),
		                  "attribute", pol_op_name(r->count[i].op),
		                  "seen", (json_int_t)r->count[i].seen,
		                  "repaired",
		                  (json_int_t)r->count[i].repaired));
	for (size_t i = 0; i < r->n; i++)
		json_array_append_new(drift, one_json(&r->d[i]));
	return json_pack("{s:b, s:b, s:I, s:I, s:I, s:I, s:s, s:o, s:o}",
	                 "active", r->active, "repairs", r->repairs, "looks",
	                 (json_int_t)r->looks, "events", (json_int_t)r->events,
	                 "overruns", (json_int_t)r->overruns, "last",
	                 (json_int_t)r->last, "why", r->why, "counters",
	                 counters, "drift", drift);
}
