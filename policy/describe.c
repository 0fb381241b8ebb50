/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What pol_parse() takes, as a JSON Schema (draft 2020-12) for editors and for
 * other people's tests.
 *
 * There is no second list of keys. The tables are walked, and each key's own
 * reader is called with a few nodes of every kind, as it would be with a
 * file's; but `struct read` has a shape in it, and what all readers ask by
 * (want_*(), scalar_*(), read_map(), read_list()) notes there what it was asked
 * for, and says no. So a new key is in the schema when it is in its table, with
 * its words and its range. Only the form of a text that a reader takes apart
 * itself must be told (told_text()); where it is not, the schema takes any
 * text.
 *
 * What a schema cannot say (names that must exist, VFs that two pools want,
 * statements that cannot both hold, quotes) only `fairlead check` says:
 * docs/policy.md has the list, tests/static/schema holds both to it.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

/* ---- text ---------------------------------------------------------------- */

struct out {
	char *text;
	size_t n, size;
	bool failed, comma; /* no memory; one is due before the next member */
};

static void put(struct out *o, const char *s, size_t n)
{
	if (o->n + n + 1 > o->size) {
		size_t size = MAX(2 * o->size, o->n + n + 4096);
		char *more = realloc(o->text, size);

		if (!more) {
			o->failed = true;
			return;
		}
		o->text = more;
		o->size = size;
	}
	memcpy(o->text + o->n, s, n);
	o->n += n;
	o->text[o->n] = '\0';
}

static void put_str(struct out *o, const char *s)
{
	put(o, "\"", 1);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			put(o, "\\", 1);
		put(o, s, 1);
	}
	put(o, "\"", 1);
}

static void begin(struct out *o, const char *bracket)
{
	if (o->comma)
		put(o, ",", 1);
	put(o, bracket, 1);
	o->comma = false;
}

static void end(struct out *o, const char *bracket)
{
	put(o, bracket, 1);
	o->comma = true;
}

/* "name": and what follows; without a name, a member of an array. */
static void member(struct out *o, const char *name)
{
	if (o->comma)
		put(o, ",", 1);
	put_str(o, name);
	put(o, ":", 1);
	o->comma = false;
}

static void string(struct out *o, const char *s)
{
	if (o->comma)
		put(o, ",", 1);
	put_str(o, s);
	o->comma = true;
}

static void number(struct out *o, const char *name, unsigned long long n)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%llu", n);

	member(o, name);
	put(o, text, (size_t)len);
	o->comma = true;
}

static void pair(struct out *o, const char *name, const char *value)
{
	member(o, name);
	string(o, value);
}

/* ---- being told ---------------------------------------------------------- */

static struct told *told_of(struct read *r, const struct node *v)
{
	if (v->kind != NODE_SCALAR)
		return NULL;
	return v->in_list ? &r->shape->item : &r->shape->scalar;
}

bool told_text(struct read *r, const struct node *v, enum told_kind kind,
               const char *pattern)
{
	struct told *t;

	if (!r->shape)
		return false;
	t = told_of(r, v);
	if (!t)
		return true;
	t->kinds |= kind;
	for (size_t i = 0; pattern && i < t->n_patterns; i++)
		if (!strcmp(pattern, t->pattern[i]))
			return true;
	if (pattern && t->n_patterns < TOLD_PATTERNS)
		t->pattern[t->n_patterns++] = pattern;
	return true;
}

bool told_number(struct read *r, const struct node *v, uint64_t min,
                 uint64_t max)
{
	struct told *t;

	if (!told_text(r, v, TOLD_NUMBER, NULL))
		return false;
	t = told_of(r, v);
	if (t) {
		t->min = min;
		t->max = max;
	}
	return true;
}

bool told_words(struct read *r, const struct node *v, const struct words *words)
{
	if (!told_text(r, v, TOLD_WORDS, NULL))
		return false;
	if (told_of(r, v))
		told_of(r, v)->words = words;
	return true;
}

/* ---- asking -------------------------------------------------------------- */

/* Nobody reads more of an object than this. */
#define SCRATCH (64u << 10)
_Static_assert(sizeof(struct pol_guest) <= SCRATCH / 2, "room for a guest");

struct describe {
	struct out out;
	struct pol_policy nothing;
	struct pol_errors errs;
	char *scratch;
};

static void ask(struct describe *d, const struct key *k, const struct node *v,
                struct shape *shape)
{
	struct read r = { .policy = &d->nothing,
		          .errs = &d->errs,
		          .shape = shape };

	memset(d->scratch, 0, SCRATCH);
	d->errs.n = d->errs.dropped = 0;
	k->read(&r, k, v, d->scratch);
}

static void probe(struct describe *d, const struct key *k, struct shape *shape)
{
	char text[] = "x";
	struct node key = { .text = text, .len = 1 };
	struct node plain = { .text = text, .len = 1, .key = &key };
	struct node quoted = plain, item = plain, item_quoted = plain;
	struct node map = { .kind = NODE_MAP, .key = &key };
	struct node list = { .kind = NODE_LIST, .key = &key, .n = 2 };
	const struct node empty = { .kind = NODE_LIST, .key = &key };

	quoted.quoted = item_quoted.quoted = true;
	item.in_list = item_quoted.in_list = true;
	item.next = &item_quoted;
	list.first = &item;
	*shape = (struct shape){ .table = NULL };
	ask(d, k, &plain, shape);
	ask(d, k, &quoted, shape);
	ask(d, k, &map, shape);
	ask(d, k, &list, shape);
	if (shape->item.kinds) {
		ask(d, k, &empty, shape);
		shape->some = d->errs.n > 0;
	}
}

/* ---- saying -------------------------------------------------------------- */

/* The tables are no deeper than a policy may be. */
// NOLINTBEGIN(misc-no-recursion)
static void say_table(struct describe *d, const struct table *t);

static void say_type(struct out *o, const char *type)
{
	begin(o, "{");
	pair(o, "type", type);
}

/* Case does not matter to scalar_word(); a completion wants them as they are
 * usually written. */
static void say_words(struct out *o, const struct words *w)
{
	char text[256];
	size_t n;

	begin(o, "{");
	member(o, "enum");
	begin(o, "[");
	for (size_t i = 0; i < w->n; i++)
		if (!w->word[i].later)
			string(o, w->word[i].text);
	end(o, "]");
	end(o, "}");
	for (size_t i = 0; i < w->n; i++) {
		n = (size_t)snprintf(text, sizeof(text), "^");
		for (const char *c = w->word[i].text;
		     *c && n < sizeof(text) - 8; c++) {
			bool letter = (*c >= 'a' && *c <= 'z') ||
			              (*c >= 'A' && *c <= 'Z');

			n += (size_t)snprintf(text + n, sizeof(text) - n,
			                      letter ? "[%c%c]" : "[%c]",
			                      letter ? *c & ~0x20 : *c,
			                      *c | 0x20);
		}
		if (w->word[i].later)
			continue;
		snprintf(text + n, sizeof(text) - n, "$");
		say_type(o, "string");
		pair(o, "pattern", text);
		end(o, "}");
	}
}

static void say_text(struct out *o, const struct told *t)
{
	for (size_t i = 0; i < t->n_patterns; i++) {
		say_type(o, "string");
		pair(o, "pattern", t->pattern[i]);
		end(o, "}");
	}
	if (!t->n_patterns) {
		say_type(o, "string");
		end(o, "}");
	}
	if (!(t->kinds & TOLD_LOOSE))
		return;
	/* 1.0 and true are texts where no quotes are asked for. */
	say_type(o, "number");
	end(o, "}");
	say_type(o, "boolean");
	end(o, "}");
}

static void say_scalar(struct out *o, const struct told *t)
{
	if (t->kinds & TOLD_BOOL) {
		say_type(o, "boolean");
		end(o, "}");
	}
	if (t->kinds & TOLD_NUMBER) {
		say_type(o, "integer");
		number(o, "minimum", t->min);
		number(o, "maximum", t->max);
		end(o, "}");
	}
	if (t->kinds & TOLD_WORDS)
		say_words(o, t->words);
	if (t->kinds & (TOLD_TEXT | TOLD_LOOSE))
		say_text(o, t);
}

static void say_any(struct out *o, const struct told *t)
{
	begin(o, "{");
	member(o, "anyOf");
	begin(o, "[");
	say_scalar(o, t);
	end(o, "]");
	end(o, "}");
}

static void say_list(struct describe *d, const struct shape *s)
{
	struct out *o = &d->out;

	say_type(o, "array");
	if (s->list)
		number(o, "maxItems", s->list->max);
	if (s->some)
		number(o, "minItems", 1);
	member(o, "items");
	if (s->list)
		say_table(d, s->list->item);
	else
		say_any(o, &s->item);
	end(o, "}");
}

static void say_key(struct describe *d, const struct key *k)
{
	struct out *o = &d->out;
	struct shape s;

	begin(o, "{");
	if (k->flags & KEY_NEVER) {
		member(o, "const");
		put(o, "false", 5);
		o->comma = true;
		pair(o, "description", k->arg);
		end(o, "}");
		return;
	}
	probe(d, k, &s);
	if (!s.scalar.kinds && !s.table && !s.list && !s.item.kinds) {
		/* A reader that asked for nothing here: anything goes. */
		end(o, "}");
		return;
	}
	member(o, "anyOf");
	begin(o, "[");
	say_scalar(o, &s.scalar);
	if (s.table)
		say_table(d, s.table);
	if (s.list || s.item.kinds)
		say_list(d, &s);
	if (k->flags & KEY_NULL) {
		say_type(o, "null");
		end(o, "}");
	}
	end(o, "]");
	end(o, "}");
}

static void say_members(struct describe *d, const struct table *t)
{
	struct out *o = &d->out;

	pair(o, "title", t->what);
	pair(o, "type", "object");
	member(o, "additionalProperties");
	put(o, "false", 5);
	o->comma = true;
	member(o, "required");
	begin(o, "[");
	for (size_t i = 0; i < t->n; i++)
		if (t->keys[i].flags & KEY_REQUIRED)
			string(o, t->keys[i].name);
	end(o, "]");
	member(o, "properties");
	begin(o, "{");
	for (size_t i = 0; i < t->n; i++) {
		if (t->keys[i].flags & KEY_LATER)
			continue;
		member(o, t->keys[i].name);
		say_key(d, &t->keys[i]);
	}
	end(o, "}");
}

static void say_table(struct describe *d, const struct table *t)
{
	begin(&d->out, "{");
	say_members(d, t);
	end(&d->out, "}");
}
// NOLINTEND(misc-no-recursion)

int pol_schema(char **ret)
{
	struct describe *d = calloc(1, sizeof(*d));
	int r = -ENOMEM;

	if (!d)
		return r;
	d->scratch = malloc(SCRATCH);
	if (d->scratch) {
		begin(&d->out, "{");
		pair(&d->out, "$schema",
		     "https://json-schema.org/draft/2020-12/schema");
		pair(&d->out, "description",
		     "A policy of fairlead. Made by `fairlead schema`; what it "
		     "cannot say, `fairlead check` does.");
		say_members(d, &table_policy);
		end(&d->out, "}");
		r = d->out.failed ? -ENOMEM : 0;
	}
	if (!r) {
		*ret = d->out.text;
		d->out.text = NULL;
	}
	free(d->out.text);
	free(d->scratch);
	free(d);
	return r;
}
