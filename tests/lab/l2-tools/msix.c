/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vector table (PCIe 6.0 7.7.2), beside the driver's back: `toggle` masks
 * and unmasks a vector, `rewrite` masks it, writes its own message again and
 * unmasks it, as Linux does when it moves an interrupt. Ends as it was.
 */

#include "tool.h"

#include <string.h>
#include <time.h>

#define CAP_MSIX 0x11
#define MSIX_TABLE 4u /* from the capability */
#define ENTRY 16u
#define ENTRY_CONTROL 12u
#define CONTROL_MASK 1u

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
                    const uint32_t *message)
{
	bar_write(b, entry + ENTRY_CONTROL, 4, control | CONTROL_MASK);
	for (unsigned i = 0; i < 3; i++)
		bar_write(b, entry + i * 4, 4, message[i]);
	bar_write(b, entry + ENTRY_CONTROL, 4, control & ~CONTROL_MASK);
}

int tool_msix(int argc, char **argv)
{
	const char *fn = argv[0];
	uint32_t table = cfg_read(fn, cfg_find(fn, CAP_MSIX) + MSIX_TABLE, 4);
	struct bar b = bar_open(fn, table & 7u);
	uint64_t entry = (table & ~7u) + number(argv[1]) * ENTRY;
	uint64_t count = number(argv[3]), began;
	uint32_t message[3], control;

	(void)argc;
	for (unsigned i = 0; i < 3; i++)
		message[i] = (uint32_t)bar_read(&b, entry + i * 4, 4);
	control = (uint32_t)bar_read(&b, entry + ENTRY_CONTROL, 4);
	began = now_ns();
	for (uint64_t i = 0; i < count; i++) {
		if (!strcmp(argv[2], "toggle"))
			toggle(&b, entry, control);
		else
			rewrite(&b, entry, control, message);
	}
	say("msix %s %lu times, ns each %lu", argv[2], count,
	    (now_ns() - began) / (count ? count : 1));
	if (control & CONTROL_MASK)
		bar_write(&b, entry + ENTRY_CONTROL, 4, control);
	return bar_read(&b, entry + ENTRY_CONTROL, 4) != control;
}
