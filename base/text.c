/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words, numbers and MAC addresses from text. Numbers are parsed here by
 * hand: strtoull() skips blanks, takes a sign and depends on the locale.
 */

#include <stdio.h>
#include <string.h>

#include "base/base.h"

#define WORD_MAX 63

/*
 * Edit distance (insert, delete, replace, each 1), with one row kept. Words
 * longer than WORD_MAX are nobody's misspelling.
 */
static size_t edit_distance(const char *a, const char *b)
{
	size_t an = strlen(a), bn = strlen(b);
	unsigned row[WORD_MAX + 1];

	if (an > WORD_MAX || bn > WORD_MAX)
		return SIZE_MAX;
	for (unsigned j = 0; j <= bn; j++)
		row[j] = j;
	for (unsigned i = 1; i <= an; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= bn; j++) {
			unsigned replace =
				diagonal + (a[i - 1] != b[j - 1] ? 1 : 0);

			diagonal = row[j];
			row[j] = MIN(replace, MIN(row[j], row[j - 1]) + 1);
		}
	}
	return row[bn];
}

const char *nearest_word(const char *word, const char *const *candidates,
                         size_t n)
{
	const char *found = NULL;
	/* Beyond a third of the word a guess would only mislead; a short
	 * word may have one slip. */
	size_t best = MAX(strlen(word) / 3, (size_t)1) + 1;

	for (size_t i = 0; i < n; i++) {
		size_t d = edit_distance(word, candidates[i]);

		if (d < best) {
			best = d;
			found = candidates[i];
		}
	}
	return found;
}

static int digit_value(char c, unsigned base)
{
	unsigned v;

	if (c >= '0' && c <= '9')
		v = (unsigned)(c - '0');
	else if (c >= 'a' && c <= 'f')
		v = (unsigned)(c - 'a') + 10;
	else if (c >= 'A' && c <= 'F')
		v = (unsigned)(c - 'A') + 10;
	else
		return -1;
	return v < base ? (int)v : -1;
}

/* Digits of `base` from *s on, at least one; *s is left behind the last. */
static int digits(const char **s, unsigned base, uint64_t *ret)
{
	const char *p = *s;
	uint64_t v = 0;

	if (digit_value(*p, base) < 0)
		return -EINVAL;
	for (; digit_value(*p, base) >= 0; p++)
		if (__builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, (unsigned)digit_value(*p, base),
		                           &v))
			return -ERANGE;
	*s = p;
	*ret = v;
	return 0;
}

int parse_u64(const char *s, uint64_t max, uint64_t *ret)
{
	unsigned base = 10;
	uint64_t v;
	int r;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
	}
	r = digits(&s, base, &v);
	if (r)
		return r;
	if (*s)
		return -EINVAL;
	if (v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int parse_size(const char *s, uint64_t *ret_bytes)
{
	static const char suffixes[] = "KMGT";
	uint64_t v;
	int r = digits(&s, 10, &v);

	if (r)
		return r;
	if (*s) {
		const char *suffix = strchr(suffixes, *s);

		if (!suffix || s[1])
			return -EINVAL;
		if (__builtin_mul_overflow(
			    v, 1ull << (10 * (suffix - suffixes + 1)), &v))
			return -ERANGE;
	}
	*ret_bytes = v;
	return 0;
}

int mac_parse(const char *s, uint8_t ret[static 6])
{
	uint8_t mac[6];

	for (unsigned i = 0; i < 6; i++, s += 3) {
		int hi = digit_value(s[0], 16);
		int lo = hi < 0 ? -1 : digit_value(s[1], 16);

		if (lo < 0 || s[2] != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		mac[i] = (uint8_t)(hi << 4 | lo);
	}
	memcpy(ret, mac, sizeof(mac));
	return 0;
}

char *hex_put(char *at, uint32_t v, unsigned digits)
{
	while (digits-- > 0)
		*at++ = "0123456789abcdef"[v >> (4 * digits) & 15];
	return at;
}

const char *mac_format(const uint8_t mac[static 6], char buf[static MAC_STRLEN])
{
	char *at = buf;

	for (unsigned i = 0; i < 6; i++) {
		at = hex_put(at, mac[i], 2);
		*at++ = i < 5 ? ':' : '\0';
	}
	return buf;
}

/* A dash follows these bytes. */
static bool uuid_dash(unsigned byte)
{
	return byte == 3 || byte == 5 || byte == 7 || byte == 9;
}

int uuid_parse(const char *s, uint8_t ret[static 16])
{
	uint8_t uuid[16];

	for (unsigned i = 0; i < 16; i++) {
		int hi = digit_value(s[0], 16);
		int lo = hi < 0 ? -1 : digit_value(s[1], 16);

		if (lo < 0 || (uuid_dash(i) && s[2] != '-'))
			return -EINVAL;
		uuid[i] = (uint8_t)(hi << 4 | lo);
		s += uuid_dash(i) ? 3 : 2;
	}
	if (*s)
		return -EINVAL;
	memcpy(ret, uuid, sizeof(uuid));
	return 0;
}

const char *uuid_format(const uint8_t uuid[static 16],
                        char buf[static UUID_STRLEN])
{
	char *at = buf;

	for (unsigned i = 0; i < 16; i++) {
		at = hex_put(at, uuid[i], 2);
		if (uuid_dash(i))
			*at++ = '-';
	}
	*at = '\0';
	return buf;
}
