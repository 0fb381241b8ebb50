/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What becomes of a guest that is in trouble: its kernel says so (on-panic), or
 * does not say anything any more (watchdog).
 */

#include "policy/priv.h"

static const char *const panic_names[] = {
	[POL_PANIC_IGNORE] = "ignore",
	[POL_PANIC_STOP] = "stop",
	[POL_PANIC_RESET] = "reset",
};

const char *pol_on_panic_name(enum pol_on_panic p)
{
	return panic_names[p];
}

READER(read_on_panic)
{
	static const struct word word[] = {
		{ .text = "ignore", .value = POL_PANIC_IGNORE },
		{ .text = "stop", .value = POL_PANIC_STOP },
		{ .text = "reset", .value = POL_PANIC_RESET },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_guest *g = obj;
	unsigned value;

	if (scalar_word(r, k, v, &words, &value))
		g->on_panic = value;
}

/* ---- watchdog ------------------------------------------------------------ */

static const char *const watchdog_names[] = {
	[POL_WATCHDOG_NONE] = "none",     [POL_WATCHDOG_RESET] = "reset",
	[POL_WATCHDOG_STOP] = "stop",     [POL_WATCHDOG_DUMP] = "dump",
	[POL_WATCHDOG_IGNORE] = "ignore",
};

const char *pol_watchdog_name(enum pol_watchdog_action a)
{
	return watchdog_names[a];
}

static READER(read_action)
{
	static const struct word word[] = {
		{ .text = "reset", .value = POL_WATCHDOG_RESET },
		{ .text = "stop", .value = POL_WATCHDOG_STOP },
		{ .text = "dump", .value = POL_WATCHDOG_DUMP },
		{ .text = "ignore", .value = POL_WATCHDOG_IGNORE },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_watchdog *w = obj;
	unsigned value;

	if (scalar_word(r, k, v, &words, &value))
		w->action = value;
}

// clang-format off
static const struct key watchdog_keys[] = {
	{ .name = "action", .flags = KEY_REQUIRED, .read = read_action },
	{ .name = "slot", .read = read_slot,
	  .at = offsetof(struct pol_watchdog, slot) },
};
static const struct table watchdog_table = {
	.what = "watchdog", .keys = watchdog_keys,
	.n = ARRAY_SIZE(watchdog_keys),
};
// clang-format on

/* "watchdog: reset" and "watchdog: { action: reset }" are the same. */
READER(read_watchdog)
{
	struct pol_watchdog *w = field(k, obj);

	w->pos = v->pos;
	if (v->kind == NODE_SCALAR)
		read_action(r, k, v, w);
	else
		read_map(r, v, &watchdog_table, w);
}
