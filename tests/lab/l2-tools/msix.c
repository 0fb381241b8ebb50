/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vector table (PCIe 6.0 7.7.2), beside the driver's back: `toggle` masks
 * and unmasks a vector, `rewrite` masks it, writes its own message again and
 * unmasks it, as Linux does when it moves an interrupt. Ends as it was.
 *
 * Each is timed by itself, and the median is the answer. The host has one
 * processor where instructions are counted: its tick, or a program that looks
 * whether the guest is done, falls on a few of hundreds and would make half
 * of a mean.
 */

#include "tool.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CAP_MSIX 0x11
#define MSIX_STATE 2u /* from the capability: Message Control */
#define MSIX_TABLE 4u
#define STATE_ENABLE 0x8000u
#define MSI_ADDRESS 0xfee00000u /* CPU 0 */
#define MSI_VECTOR 0xeeu
#define ENTRY 16u
#define ENTRY_CONTROL 12u
#define CONTROL_MASK 1u
#define COUNT_MAX 4096u

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void toggle(const struct bar *b, uint64_t entry, uint32_t control)
{
	bar_write(b, entry + ENTRY_CONTROL, 4, control | CONTROL_MASK);
	bar_write(b, entry + ENTRY_CONTROL, 4, control & ~CONTROL_MASK);
}

static void rewrite(const struct bar *b, uint64_t entry, uint32_t control,
                    const uint32_t *message, uint32_t flip)
{
	bar_write(b, entry + ENTRY_CONTROL, 4, control | CONTROL_MASK);
	bar_write(b, entry, 4, message[0]);
	bar_write(b, entry + 4, 4, message[1]);
	bar_write(b, entry + 8, 4, message[2] ^ flip);
	bar_write(b, entry + ENTRY_CONTROL, 4, control & ~CONTROL_MASK);
	(void)bar_read(b, entry + 8, 4);
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void answer(const char *what, uint64_t *ns, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += ns[i];
	qsort(ns, count, sizeof(*ns), by_size);
	say("msix %s %zu times, mean ns %lu, median ns %lu", what, count,
	    sum / count, ns[count / 2]);
}

static void repeat(const struct bar *b, uint64_t entry, const uint32_t *was,
                   const char *what, size_t count)
{
	uint32_t message[3] = { was[0], was[1], was[2] };
	uint64_t ns[COUNT_MAX], began;

	if (!count || count > COUNT_MAX)
		die("msix: 1 to %u times", COUNT_MAX);
	if (!message[0]) {
		message[0] = MSI_ADDRESS;
		message[2] = MSI_VECTOR;
	}
	/* The first has what only a first one has. */
	rewrite(b, entry, was[3], message, 0);
	for (size_t i = 0; i < count; i++) {
		began = now_ns();
		if (!strcmp(what, "toggle"))
			toggle(b, entry, was[3]);
		else
			rewrite(b, entry, was[3], message,
			        !strcmp(what, "move") ? ~i & 1u : 0);
		ns[i] = now_ns() - began;
	}
	answer(what, ns, count);
}

int tool_msix(int argc, char **argv)
{
	const char *fn = argv[0];
	unsigned cap = cfg_find(fn, CAP_MSIX);
	uint32_t table = cfg_read(fn, cap + MSIX_TABLE, 4), was[4], state;
	struct bar b = bar_open(fn, table & 7u);
	uint64_t entry = (table & ~7u) + number(argv[1]) * ENTRY;

	(void)argc;
	state = cfg_read(fn, cap + MSIX_STATE, 2);
	if (!(state & STATE_ENABLE))
		cfg_write(fn, cap + MSIX_STATE, 2, state | STATE_ENABLE);
	for (unsigned i = 0; i < 4; i++)
		was[i] = (uint32_t)bar_read(&b, entry + i * 4, 4);
	repeat(&b, entry, was, argv[2], number(argv[3]));
	bar_write(&b, entry + ENTRY_CONTROL, 4, was[3] | CONTROL_MASK);
	for (unsigned i = 0; i < 4; i++)
		bar_write(&b, entry + i * 4, 4, was[i]);
	if (!(state & STATE_ENABLE))
		cfg_write(fn, cap + MSIX_STATE, 2, state);
	for (unsigned i = 0; i < 4; i++)
		if (bar_read(&b, entry + i * 4, 4) != was[i])
			return 1;
	return 0;
}
