/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel's place, and its code corrected for it; see boot_direct.h. What the
 * kernel's own decompressor does (arch/x86/boot/compressed/kaslr.c, misc.c of
 * Linux), by our bounds. No system call here: random numbers are given.
 */

#include <string.h>

#include "vmm/boot_direct.h"

/* ---- where --------------------------------------------------------------- */

static uint64_t pick(uint64_t first, uint64_t room, uint64_t align,
                     uint64_t random)
{
	uint64_t places = room / align + 1;

	return first + random % places * align;
}

uint64_t kaslr_physical(const struct kaslr_place *p, uint64_t random)
{
	return pick(p->link, p->ceiling - p->link - p->span, p->align, random);
}

/* The kernel and its modules share 2 GiB; the first half is for the kernel. */
uint64_t kaslr_virtual(const struct kaslr_place *p, uint64_t random)
{
	if (p->link + p->span > KASLR_IMAGE_SIZE)
		return p->link;
	return pick(p->link, KASLR_IMAGE_SIZE - p->link - p->span, p->align,
	            random);
}

/* Calls `is` with each word, which is not terminated, until it says yes. */
static bool any_word(const char *text, bool (*is)(const char *, size_t))
{
	while (*text) {
		size_t n = 0;

		while (text[n] && text[n] > ' ')
			n++;
		if (n && is(text, n))
			return true;
		text += n ? n : 1;
	}
	return false;
}

static bool is_nokaslr(const char *word, size_t n)
{
	return n == strlen("nokaslr") && !memcmp(word, "nokaslr", n);
}

/* Each begins a word that reserves memory, or takes it away. */
static bool takes_memory(const char *word, size_t n)
{
	static const char *const begins[] = {
		"mem=",
		"memmap=",
		"hugepages=",
		"hugepagesz=",
		"default_hugepagesz=",
		"movable_node",
	};

	for (size_t i = 0; i < ARRAY_SIZE(begins); i++)
		if (n >= strlen(begins[i]) &&
		    !memcmp(word, begins[i], strlen(begins[i])))
			return true;
	return false;
}

bool kaslr_wanted(const char *cmdline)
{
	return !any_word(cmdline, is_nokaslr);
}

bool kaslr_may_move(const char *cmdline)
{
	return !any_word(cmdline, takes_memory);
}

/* ---- relocations --------------------------------------------------------- */

static uint32_t word(const struct kaslr_table *t, size_t i)
{
	return (uint32_t)load_le(t->words + 4 * i, 4);
}

int kaslr_table(const uint8_t *bytes, size_t len, struct kaslr_table *ret)
{
	struct kaslr_table t = { .words = bytes, .n = len / 4 };

	if (!len || len % 4 || len > KASLR_TABLE_MAX)
		return -ENOEXEC;
	for (size_t i = 0; i < t.n && t.lists < 4; i++)
		t.lists += !word(&t, i);
	if (word(&t, 0) || t.lists < 2 || t.lists > 3)
		return -ENOEXEC;
	*ret = t;
	return 0;
}

enum kind {
	ADD_32,
	LESS_32,
	ADD_64,
};

static int correct(enum kind kind, const struct kaslr_place *p, uint8_t *kernel,
                   uint32_t entry, uint64_t delta)
{
	int64_t address = (int32_t)entry; /* the sign goes all the way up */
	uint64_t at = (uint64_t)address - KASLR_MAP - p->link;
	unsigned width = kind == ADD_64 ? 8 : 4;
	uint64_t v;

	if (!range_inside(at, width, p->span))
		return -ENOEXEC;
	if (kind == ADD_64) {
		memcpy(&v, kernel + at, 8);
		v = htole64(le64toh(v) + delta);
		memcpy(kernel + at, &v, 8);
		return 0;
	}
	v = load_le(kernel + at, 4);
	store_le(kernel + at, 4, kind == ADD_32 ? v + delta : v - delta);
	return 0;
}

/* Of the list `at`, counted from the end. */
static enum kind kind_of(const struct kaslr_table *t, unsigned at)
{
	if (at + 1 == t->lists)
		return ADD_64;
	return at ? LESS_32 : ADD_32;
}

int kaslr_apply(const struct kaslr_table *t, const struct kaslr_place *p,
                uint8_t *kernel, uint64_t delta)
{
	unsigned at = 0;

	for (size_t i = t->n; i-- > 0;) {
		uint32_t entry = word(t, i);
		int r;

		if (!entry) {
			at++;
			continue;
		}
		/* Before the first zero of all there is nothing. */
		if (at >= t->lists)
			return -ENOEXEC;
		r = correct(kind_of(t, at), p, kernel, entry, delta);
		if (r < 0)
			return r;
	}
	return 0;
}
