/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host: which machine the policy is for, and how the daemon goes about it.
 * All of it has defaults, which host_init() sets before anything is read: a
 * policy without `host` is one with an empty one.
 *
 * Times have their unit beside them, since a plain number would leave it to be
 * guessed.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

#define SECOND 1000u
#define DAY (24u * 60 * 60 * SECOND)

void host_init(struct pol_host *h)
{
	*h = (struct pol_host){
		.mode = POL_MODE_ENFORCE,
		.reconcile = { .on_event = true,
		               .interval_ms = 30 * SECOND,
		               .safe = POL_DRIFT_REPAIR,
		               .disruptive = POL_DRIFT_REPORT },
		.apply = { .budget = POL_BUDGET_NONE_IN_USE, .parallel = true },
	};
}

/* ---- values -------------------------------------------------------------- */

struct span {
	uint32_t min, max; /* milliseconds */
	const char *form, *example;
};

/* "30s" in milliseconds. */
static bool span_parse(const char *text, uint32_t max, uint32_t *ret)
{
	static const struct {
		const char *unit;
		uint32_t ms;
	} unit[] = { { "ms", 1 },
		     { "s", SECOND },
		     { "m", 60 * SECOND },
		     { "h", 60 * 60 * SECOND } };
	size_t digits = strspn(text, "0123456789");
	char number[12];
	uint64_t n;

	if (!digits || digits >= sizeof(number) ||
	    (text[0] == '0' && digits > 1))
		return false;
	snprintf(number, sizeof(number), "%.*s", (int)digits, text);
	for (size_t i = 0; i < ARRAY_SIZE(unit); i++) {
		if (strcmp(text + digits, unit[i].unit) != 0)
			continue;
		if (parse_u64(number, max / unit[i].ms, &n))
			return false;
		*ret = (uint32_t)n * unit[i].ms;
		return true;
	}
	return false;
}

static bool read_span(struct read *r, const struct key *k, const struct node *v,
                      uint32_t *ret)
{
	const struct span *span = k->arg;
	uint32_t ms;

	if (told_text(r, v, TOLD_TEXT, "^(0|[1-9][0-9]*)(ms|s|m|h)$") ||
	    !want_plain(r, k, v, span->form))
		return false;
	if (!span_parse(v->text, span->max, &ms) || ms < span->min) {
		bad_value(r, k, v, span->form, span->example);
		return false;
	}
	*ret = ms;
	return true;
}

static READER(read_ms)
{
	read_span(r, k, v, field(k, obj));
}

static READER(read_given_ms)
{
	struct pol_u32 *f = field(k, obj);

	if (read_span(r, k, v, &f->v))
		f->given = POL_GIVEN;
}

/* An enum, whose words are the key's arg. */
static READER(read_choice)
{
	unsigned value;

	if (scalar_word(r, k, v, k->arg, &value))
		memcpy(field(k, obj), &value, sizeof(value));
}
_Static_assert(sizeof(enum pol_mode) == sizeof(unsigned) &&
                       sizeof(enum pol_drift) == sizeof(unsigned) &&
                       sizeof(enum pol_budget) == sizeof(unsigned) &&
                       sizeof(enum pol_metric_names) == sizeof(unsigned),
               "read_choice() writes them as unsigned");

/* ---- match --------------------------------------------------------------- */

static bool name_char(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (!first && (c == '-' || c == '.'));
}

/* hostname(7): what the kernel may be told, and so what it may be. */
static READER(read_hostname)
{
	struct pol_host *h = obj;
	bool ok = v->len && v->len < sizeof(h->hostname);

	if (told_text(r, v, TOLD_LOOSE, "^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$") ||
	    !want_scalar(r, k, v))
		return;
	for (size_t i = 0; ok && i < v->len; i++)
		ok = name_char(v->text[i], !i);
	if (ok)
		memcpy(h->hostname, v->text, v->len + 1);
	else
		bad_value(r, k, v,
		          "a host's name: letters, digits, '-' and '.', at "
		          "most 64",
		          "host1");
}

static READER(read_machine_id)
{
	struct pol_host *h = obj;

	if (told_text(r, v, TOLD_TEXT, "^[0-9A-Fa-f]{32}$") ||
	    !want_quoted(r, k, v))
		return;
	if (!pol_machine_id(v->text, h->machine_id))
		diag_mend(wrong_value(r, k, v, "32 hex digits"),
		          "see `cat /etc/machine-id` of the host meant");
}

static void match_done(struct read *r, const struct node *map, void *obj)
{
	struct pol_host *h = obj;

	h->match_pos = map->pos;
	if (!map->n)
		diag_mend(pol_err(r->errs, map->pos, FL_POL_MISSING,
		                  "match says nothing"),
		          "add 'hostname' or 'machine-id', or remove it");
}

// clang-format off
static const struct key match_keys[] = {
	{ .name = "hostname",   .read = read_hostname },
	{ .name = "machine-id", .read = read_machine_id },
};
static const struct table match_table = {
	.what = "match", .keys = match_keys, .n = ARRAY_SIZE(match_keys),
	.done = match_done,
};

/* ---- reconcile ------------------------------------------------------------ */

static const struct word safe_word[] = {
	{ .text = "repair", .value = POL_DRIFT_REPAIR },
	{ .text = "report", .value = POL_DRIFT_REPORT },
	{ .text = "ignore", .value = POL_DRIFT_IGNORE },
};
static const struct words safe_words = { safe_word, ARRAY_SIZE(safe_word) };
static const struct words disruptive_words = { safe_word + 1, 2 };
static const struct key drift_keys[] = {
	{ .name = "safe", .read = read_choice, .arg = &safe_words,
	  .at = offsetof(struct pol_host, reconcile.safe) },
	{ .name = "disruptive", .read = read_choice, .arg = &disruptive_words,
	  .at = offsetof(struct pol_host, reconcile.disruptive) },
};
static const struct table drift_table = {
	.what = "drift", .keys = drift_keys, .n = ARRAY_SIZE(drift_keys),
};
static const struct span interval_span = {
	0, DAY, "a time from 0s (no sweep) to 24h", "30s",
};
static const struct key reconcile_keys[] = {
	{ .name = "on-event", .read = read_flag,
	  .at = offsetof(struct pol_host, reconcile.on_event) },
	{ .name = "interval", .read = read_ms, .arg = &interval_span,
	  .at = offsetof(struct pol_host, reconcile.interval_ms) },
	{ .name = "drift", .read = read_nested, .arg = &drift_table },
};
static const struct table reconcile_table = {
	.what = "reconcile", .keys = reconcile_keys,
	.n = ARRAY_SIZE(reconcile_keys),
};

/* ---- apply ---------------------------------------------------------------- */

static const struct word budget_word[] = {
	{ .text = "none", .value = POL_BUDGET_NONE },
	{ .text = "none-in-use", .value = POL_BUDGET_NONE_IN_USE },
	{ .text = "allow", .value = POL_BUDGET_ALLOW },
};
static const struct words budget_words = {
	budget_word, ARRAY_SIZE(budget_word),
};
const char *pol_budget_name(enum pol_budget b)
{
	return budget_word[b].text;
}

bool pol_budget_find(const char *name, enum pol_budget *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(budget_word); i++)
		if (!strcmp(budget_word[i].text, name)) {
			*ret = (enum pol_budget)budget_word[i].value;
			return true;
		}
	return false;
}

static const struct span confirm_span = {
	0, DAY, "a time from 0s (never asked for) to 24h", "120s",
};
static const struct span sysfs_span = {
	SECOND, 600 * SECOND, "a time from 1s to 600s", "120s",
};
static const struct key apply_keys[] = {
	{ .name = "confirm-within", .read = read_given_ms, .arg = &confirm_span,
	  .at = offsetof(struct pol_host, apply.confirm_ms) },
	{ .name = "disruption-budget", .read = read_choice,
	  .arg = &budget_words, .at = offsetof(struct pol_host, apply.budget) },
	{ .name = "sysfs-timeout", .read = read_given_ms, .arg = &sysfs_span,
	  .at = offsetof(struct pol_host, apply.sysfs_ms) },
	{ .name = "per-pf-parallel", .read = read_flag,
	  .at = offsetof(struct pol_host, apply.parallel) },
};
static const struct table apply_table = {
	.what = "apply", .keys = apply_keys, .n = ARRAY_SIZE(apply_keys),
};
// clang-format on

/* ---- metrics ------------------------------------------------------------- */

/* "127.0.0.1": four numbers, each without a leading zero. */
static bool dotted_parse(const char *text, uint8_t ret[static 4])
{
	for (size_t i = 0; i < 4; i++) {
		size_t len = strspn(text, "0123456789");
		char one[4];
		uint64_t n;

		if (!len || len >= sizeof(one) || (len > 1 && *text == '0'))
			return false;
		snprintf(one, sizeof(one), "%.*s", (int)len, text);
		if (parse_u64(one, 255, &n) || text[len] != (i < 3 ? '.' : 0))
			return false;
		ret[i] = (uint8_t)n;
		text += len + 1;
	}
	return true;
}

static bool listen_parse(const char *text, struct pol_metrics *m, bool *ret_far)
{
	const char *colon = strrchr(text, ':');
	char address[24] = "";
	uint64_t port;
	size_t len;

	len = colon ? (size_t)(colon - text) : 0;
	if (!len || len >= sizeof(address) || colon[1] == '0' ||
	    parse_u64(colon + 1, 65535, &port) || !port)
		return false;
	memcpy(address, text, len);
	m->v6 = !strcmp(address, "[::1]");
	m->port = (uint16_t)port;
	if (m->v6)
		return true;
	*ret_far = address[0] == '[' || !strcmp(address, "*");
	if (!dotted_parse(address, m->v4))
		return false;
	*ret_far = m->v4[0] != 127; /* RFC 6890 2.2.2 */
	return !*ret_far;
}

static READER(read_listen)
{
	struct pol_metrics *m = field(k, obj);
	struct pol_metrics got = *m;
	bool far = false;
	struct diag *d;

	if (told_text(r, v, TOLD_TEXT,
	              "^(127([.][0-9]{1,3}){3}|\\[::1\\]):[1-9][0-9]{0,4}$") ||
	    !want_quoted(r, k, v))
		return;
	if (listen_parse(v->text, &got, &far)) {
		got.given = true;
		*m = got;
		return;
	}
	if (!far) {
		bad_value(r, k, v, "an address and a port",
		          "\"127.0.0.1:9808\"");
		return;
	}
	d = refused_value(r, k, v,
	                  "the figures tell who uses which device, and nothing "
	                  "there asks who reads them: only this host may");
	diag_mend(d, "write \"127.0.0.1:9808\" or \"[::1]:9808\", and let a "
	             "proxy that knows its users pass it on");
}

// clang-format off
static const struct word names_word[] = {
	{ .text = "sriov-exporter", .value = POL_METRICS_EXPORTER },
	{ .text = "fairlead", .value = POL_METRICS_OWN },
};
static const struct words names_words = { names_word, ARRAY_SIZE(names_word) };
static const struct key metrics_keys[] = {
	{ .name = "listen", .flags = KEY_REQUIRED, .read = read_listen,
	  .at = offsetof(struct pol_host, metrics) },
	{ .name = "names", .read = read_choice, .arg = &names_words,
	  .at = offsetof(struct pol_host, metrics.names) },
};
static const struct table metrics_table = {
	.what = "metrics", .keys = metrics_keys, .n = ARRAY_SIZE(metrics_keys),
};

/* ---- host ----------------------------------------------------------------- */

static const struct word mode_word[] = {
	{ .text = "enforce", .value = POL_MODE_ENFORCE },
	{ .text = "observe", .value = POL_MODE_OBSERVE },
};
static const struct words mode_words = { mode_word, ARRAY_SIZE(mode_word) };
static const struct word unlisted_word[] = {
	{ .text = "leave", .value = 0 },
	{ .text = "deny", .value = 1 },
};
static const struct words unlisted_words = {
	unlisted_word, ARRAY_SIZE(unlisted_word),
};
// clang-format on

static READER(read_unlisted)
{
	struct pol_host *h = obj;
	unsigned deny;

	if (!scalar_word(r, k, v, &unlisted_words, &deny))
		return;
	h->deny_unlisted = deny;
	h->unlisted_pos = v->pos;
}

// clang-format off
static const struct key host_keys[] = {
	{ .name = "match", .read = read_nested, .arg = &match_table },
	{ .name = "mode", .read = read_choice, .arg = &mode_words,
	  .at = offsetof(struct pol_host, mode) },
	{ .name = "unlisted-devices", .read = read_unlisted },
	{ .name = "sockets", .read = read_sockets },
	{ .name = "reconcile", .read = read_nested, .arg = &reconcile_table },
	{ .name = "apply", .read = read_nested, .arg = &apply_table },
	{ .name = "metrics", .read = read_nested, .arg = &metrics_table },
};
// clang-format on
static const struct table host_table = {
	.what = "host",
	.keys = host_keys,
	.n = ARRAY_SIZE(host_keys),
};

READER(read_the_host)
{
	struct pol_host *h = field(k, obj);

	h->pos = v->pos;
	read_map(r, v, &host_table, h);
}
