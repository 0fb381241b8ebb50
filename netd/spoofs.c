/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What VFs sent under an address that is not theirs, and was dropped for it.
 * No interface of the kernel counts that; drivers say it in the kernel's log,
 * where faults.c reads, each in its words and at its rate. So these are events
 * that were told, and at least that many frames. Each word here is quoted from
 * the driver that says it.
 */

#include <stdio.h>
#include <string.h>

#include "netd/metrics.h"

/* After "DRIVER BDF: " or "DRIVER BDF IFNAME: ". %u is the driver's number: of
 * the VF, or how many. */
static const struct {
	const char *driver, *before, *after;
	bool is_vf;
} words[] = {
	/* igb_main.c, igb_spoof_check() */
	{ "igb", "Spoof event(s) detected on VF ", "", true },
	/* ixgbe_main.c, ixgbe_spoof_check() */
	{ "ixgbe", "", " Spoofed packets detected", false },
};

static bool parse_words(const char *driver, size_t driver_len, const char *text,
                        struct spoof_count *ret)
{
	unsigned long n;
	char *end;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t len = strlen(words[i].before);

		if (strlen(words[i].driver) != driver_len ||
		    strncmp(driver, words[i].driver, driver_len) != 0 ||
		    strncmp(text, words[i].before, len) != 0)
			continue;
		n = strtoul(text + len, &end, 10);
		if (end == text + len || n > INT32_MAX ||
		    strcmp(end, words[i].after) != 0)
			continue;
		ret->vf = words[i].is_vf ? (int)n : -1;
		ret->count = words[i].is_vf ? 1 : n;
		return true;
	}
	return false;
}

bool spoofs_record(const char *record, struct spoof_count *ret)
{
	const char *text = strchr(record, ';'), *at, *said;
	char line[256], address[BDF_STRLEN];
	unsigned long prefix;
	char *end;

	prefix = strtoul(record, &end, 10);
	if (end == record || *end != ',' || prefix > 7 || !text)
		return false;
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(text + 1, "\n"),
	         text + 1);
	at = strchr(line, ' ');
	if (!at)
		return false;
	/* "0000:01:00.0"; the address itself has colons. */
	snprintf(address, sizeof(address), "%.12s", at + 1);
	said = strstr(at + 1, ": ");
	return said && !bdf_parse(address, &ret->pf) &&
	       parse_words(line, (size_t)(at - line), said + 2, ret);
}

void spoofs_note(struct spoofs *all, const struct spoof_count *c)
{
	for (size_t i = 0; i < all->n; i++)
		if (bdf_equal(all->s[i].pf, c->pf) && all->s[i].vf == c->vf) {
			all->s[i].count += c->count;
			return;
		}
	if (all->n < ARRAY_SIZE(all->s))
		all->s[all->n++] = *c;
}

json_t *spoofs_json(const struct spoofs *all)
{
	json_t *list = json_array();
	char b[BDF_STRLEN];

	for (size_t i = 0; i < all->n; i++)
		json_array_append_new(list,
		                      json_pack("{s:s, s:i, s:I}", "pf",
		                                bdf_format(all->s[i].pf, b),
		                                "vf", all->s[i].vf, "count",
		                                (json_int_t)all->s[i].count));
	return list;
}
