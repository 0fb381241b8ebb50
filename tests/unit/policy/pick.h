/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_TEST_POLICY_PICK_H
#define FL_TEST_POLICY_PICK_H

/* Chance that is the same on every run (xorshift64). */

#include <stdint.h>

static uint64_t pick_seed;

/* 0 to n - 1. */
static inline unsigned pick(unsigned n)
{
	pick_seed ^= pick_seed << 13;
	pick_seed ^= pick_seed >> 7;
	pick_seed ^= pick_seed << 17;
	return (unsigned)(pick_seed >> 33) % n;
}

#endif
