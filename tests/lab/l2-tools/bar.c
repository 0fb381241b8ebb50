/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BARs as memory, and single registers. */

#include "tool.h"

#include <string.h>

int tool_reg(int argc, char **argv)
{
	struct bar b = bar_open(argv[0], (unsigned)number(argv[1]));
	uint64_t off = number(argv[2]);
	unsigned width = (unsigned)number(argv[3]);

	if (argc > 4)
		bar_write(&b, off, width, number(argv[4]));
	else
		say("reg 0x%0*lx", (int)width * 2, bar_read(&b, off, width));
	return 0;
}

/*
 * Eight bytes at each multiple of the stride and at the very end: all are
 * written before one is read, so that two places which are one show.
 */
int tool_bar(int argc, char **argv)
{
	struct bar b = bar_open(argv[0], (unsigned)number(argv[1]));
	uint64_t stride = number(argv[2]), seed = number(argv[3]);
	uint64_t last = b.size - 8, words = 0;

	if (argc < 5 || strcmp(argv[4], "check") != 0) {
		for (uint64_t o = 0; o < last; o += stride)
			bar_write(&b, o, 8, pattern(seed, o));
		bar_write(&b, last, 8, pattern(seed, last));
	}
	for (uint64_t o = 0; o <= last; words++) {
		uint64_t got = bar_read(&b, o, 8);

		if (got != pattern(seed, o)) {
			say("bar wrong at %#lx: %#lx, not %#lx", o, got,
			    pattern(seed, o));
			return 1;
		}
		if (o == last)
			break;
		o = o + stride < last ? o + stride : last;
	}
	say("bar ok %lu words of %#lx bytes at %#lx", words + 1, b.size, b.bus);
	return 0;
}
