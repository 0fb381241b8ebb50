/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One scalar, strictly. Other tools read the same file with YAML 1.1 rules:
 * there an unquoted 0000:17:00.0 is 1020.0, 8086 an integer, 01.0 is 1.0,
 * `no` is false and 010 is eight. What they would take for something else is
 * refused here, so that all readers of a policy agree.
 */

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "policy/priv.h"

struct diag *refused_value(struct read *r, const struct key *k,
                           const struct node *v, const char *why)
{
	char text[SHOWN];
	struct diag *d =
		pol_err(r->errs, v->pos, FL_POL_VALUE, "'%s' cannot be '%s'",
	                k->name, node_show(v, text));

	diag_why(d, "%s", why);
	return d;
}

struct diag *wrong_value(struct read *r, const struct key *k,
                         const struct node *v, const char *form)
{
	struct diag *d = refused_value(r, k, v, "");

	diag_why(d, "it must be %s", form);
	return d;
}

void bad_value(struct read *r, const struct key *k, const struct node *v,
               const char *form, const char *example)
{
	struct diag *d = wrong_value(r, k, v, form);

	/* An item of a list stands alone. */
	if (v->key)
		diag_mend(d, "for example `%s: %s`", k->name, example);
	else
		diag_mend(d, "for example `%s`", example);
}

bool want_scalar(struct read *r, const struct key *k, const struct node *v)
{
	if (told_text(r, v, TOLD_LOOSE, NULL))
		return false;
	if (v->kind == NODE_SCALAR)
		return true;
	diag_mend(pol_err(r->errs, v->pos, FL_POL_TYPE,
	                  "'%s' must be one value, not a %s", k->name,
	                  v->kind == NODE_MAP ? "mapping" : "list"),
	          "write `%s: VALUE`", k->name);
	return false;
}

static void must_quote(struct read *r, const struct key *k,
                       const struct node *v)
{
	char text[SHOWN];
	struct diag *d = pol_err(r->errs, v->pos, FL_POL_QUOTE,
	                         "'%s' must be quoted", k->name);

	diag_why(d, "unquoted, YAML tools may read it as another type");
	diag_mend(d, "write `%s: \"%s\"`", k->name, node_show(v, text));
}

bool want_quoted(struct read *r, const struct key *k, const struct node *v)
{
	if (told_text(r, v, TOLD_TEXT, NULL))
		return false;
	if (!want_scalar(r, k, v))
		return false;
	if (!v->quoted)
		must_quote(r, k, v);
	return v->quoted;
}

bool want_plain(struct read *r, const struct key *k, const struct node *v,
                const char *form)
{
	char text[SHOWN];

	if (told_text(r, v, TOLD_LOOSE, NULL))
		return false;

	if (!want_scalar(r, k, v))
		return false;
	if (v->quoted)
		diag_mend(wrong_value(r, k, v, form),
		          "write it without quotes: `%s: %s`", k->name,
		          node_show(v, text));
	return !v->quoted;
}

/* The nearest that it could be; where it is no number, the least. */
static void bad_number(struct read *r, const struct key *k,
                       const struct node *v, const struct range *range,
                       const char *form)
{
	char nearest[12];
	uint64_t n = range->min;

	if (!v->text[strspn(v->text, "0123456789")] && v->text[0] != '0')
		n = strtoull(v->text, NULL, 10);
	n = MIN(MAX(n, (uint64_t)range->min), (uint64_t)range->max);
	snprintf(nearest, sizeof(nearest), "%u", (uint32_t)n);
	bad_value(r, k, v, form, nearest);
}

bool scalar_u32(struct read *r, const struct key *k, const struct node *v,
                const struct range *range, uint32_t *ret)
{
	char form[80];
	uint64_t n;

	if (told_number(r, v, range->min, range->max))
		return false;
	if (range->min == range->max)
		snprintf(form, sizeof(form), "%u", range->min);
	else
		snprintf(form, sizeof(form), "a whole number from %u to %u",
		         range->min, range->max);
	if (!want_plain(r, k, v, form))
		return false;
	/* 0x10 and 010 mean different numbers to different readers. */
	if ((v->text[0] == '0' && v->text[1]) ||
	    parse_u64(v->text, range->max, &n) || n < range->min) {
		bad_number(r, k, v, range, form);
		return false;
	}
	*ret = (uint32_t)n;
	return true;
}

static void list_words(const struct words *words, char *buf, size_t size)
{
	size_t at = (size_t)snprintf(buf, size, "one of:");

	for (size_t i = 0; i < words->n && at < size; i++)
		if (!words->word[i].later)
			at += (size_t)snprintf(buf + at, size - at, " %s",
			                       words->word[i].text);
}

static void bad_word(struct read *r, const struct key *k, const struct node *v,
                     const struct words *words, const char *form)
{
	const char *text[WORDS_MAX], *near;
	size_t n = 0;

	for (size_t i = 0; i < words->n && n < WORDS_MAX; i++)
		if (!words->word[i].later)
			text[n++] = words->word[i].text;
	near = nearest_word(v->text, text, n);
	if (near)
		diag_mend(wrong_value(r, k, v, form), "did you mean '%s'?",
		          near);
	else
		bad_value(r, k, v, form, text[0]);
}

bool scalar_word(struct read *r, const struct key *k, const struct node *v,
                 const struct words *words, unsigned *ret)
{
	static const char not_yet[] = "not supported by this version";
	char form[120];

	if (told_words(r, v, words))
		return false;
	list_words(words, form, sizeof(form));
	if (!want_scalar(r, k, v))
		return false;
	for (size_t i = 0; i < words->n; i++) {
		const struct word *w = &words->word[i];

		/* "802.1Q" and "802.1q" are both usual. */
		if (strcasecmp(v->text, w->text) != 0)
			continue;
		if (w->later) {
			diag_mend(refused_value(r, k, v,
			                        w->why ? w->why : not_yet),
			          "write %s", form);
			return false;
		}
		*ret = w->value;
		return true;
	}
	bad_word(r, k, v, words, form);
	return false;
}

static bool name_char(char c, bool first)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		return true;
	return !first &&
	       ((c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.');
}

/* Words that YAML 1.1 takes for a boolean or null when unquoted. */
static bool is_yaml_word(const char *s)
{
	static const char *const words[] = {
		"y", "n", "yes", "no", "on", "off", "true", "false", "null",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcasecmp(s, words[i]))
			return true;
	return false;
}

bool scalar_name(struct read *r, const struct key *k, const struct node *v,
                 char ret[static POL_NAME])
{
	bool ok = v->len && v->len < POL_NAME;

	if (told_text(r, v, TOLD_TEXT, "^[A-Za-z][A-Za-z0-9_.-]{0,30}$"))
		return false;
	if (!want_scalar(r, k, v))
		return false;
	for (size_t i = 0; ok && i < v->len; i++)
		ok = name_char(v->text[i], !i);
	if (!ok) {
		bad_value(r, k, v,
		          "a letter, then letters, digits, '-', '_' or '.', "
		          "at most 31 in all",
		          "a-name");
		return false;
	}
	if (!v->quoted && is_yaml_word(v->text)) {
		must_quote(r, k, v);
		return false;
	}
	memcpy(ret, v->text, v->len + 1);
	return true;
}

READER(read_name)
{
	scalar_name(r, k, v, field(k, obj));
}

READER(read_u32)
{
	struct pol_u32 *f = field(k, obj);

	if (node_is_null(v))
		f->given = POL_DEFAULT;
	else if (scalar_u32(r, k, v, k->arg, &f->v))
		f->given = POL_GIVEN;
}

READER(read_bool)
{
	struct pol_bool *f = field(k, obj);
	bool yes;

	if (told_text(r, v, TOLD_BOOL, NULL))
		return;
	if (node_is_null(v)) {
		f->given = POL_DEFAULT;
		return;
	}
	if (!want_plain(r, k, v, "true or false"))
		return;
	yes = !strcmp(v->text, "true");
	if (!yes && strcmp(v->text, "false") != 0) {
		bad_value(r, k, v, "true or false",
		          strchr("yYtT1", v->text[0]) ||
		                          !strcasecmp(v->text, "on")
		                  ? "true"
		                  : "false");
		return;
	}
	*f = (struct pol_bool){ POL_GIVEN, yes };
}

/* The daemon opens it by name, so it may not depend on where it stands. */
READER(read_path)
{
	if (told_text(r, v, TOLD_TEXT, "^(?!.*/[.][.]/)/.{0,254}$"))
		return;
	if (!want_scalar(r, k, v))
		return;
	if (v->text[0] != '/' || v->len >= POL_PATH || strstr(v->text, "/../"))
		bad_value(r, k, v,
		          "an absolute path without '/../', at most 255 bytes",
		          "/srv/vmlinuz");
	else
		memcpy(field(k, obj), v->text, v->len + 1);
}

READER(read_cmdline)
{
	bool ok = v->len < POL_CMDLINE;

	if (told_text(r, v, TOLD_LOOSE, "^[ -~]{0,2047}$"))
		return;
	if (!want_scalar(r, k, v))
		return;
	for (size_t i = 0; ok && i < v->len; i++)
		ok = (unsigned char)v->text[i] < 0x7f;
	if (ok)
		memcpy(field(k, obj), v->text, v->len + 1);
	else
		bad_value(r, k, v, "at most 2047 characters of ASCII",
		          "console=ttyS0");
}

#define EXAMPLE_MAC "\"02:5a:10:00:00:01\""

READER(read_mac)
{
	struct pol_mac *f = field(k, obj);
	const char *refused;
	uint8_t mac[6];

	if (told_text(r, v, TOLD_TEXT,
	              "^(?!00(:00){5}$)[0-9A-Fa-f][02468ACEace]"
	              "(:[0-9A-Fa-f]{2}){5}$"))
		return;
	if (node_is_null(v)) {
		f->given = POL_DEFAULT;
		return;
	}
	if (!want_quoted(r, k, v))
		return;
	if (mac_parse(v->text, mac)) {
		bad_value(r, k, v, "six pairs of hex digits with colons",
		          EXAMPLE_MAC);
		return;
	}
	refused = mac_refused(mac);
	if (refused) {
		diag_mend(refused_value(r, k, v, refused),
		          "for example `%s: " EXAMPLE_MAC "`", k->name);
		return;
	}
	f->given = POL_GIVEN;
	memcpy(f->v, mac, sizeof(mac));
}
