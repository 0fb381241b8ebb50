/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The chains as a guest walks them: well formed, ending, and with nothing on
 * them that was hidden. And the parser on chains that are not well formed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/pci-config/recorded.h"

static struct cfg_space space;
static struct cfg_layout layout;

static const struct cfg_place place = { .behind_port = true };

static const struct cfg_cap *cap_at(bool ext, unsigned off)
{
	for (unsigned i = 0; i < layout.n_caps; i++)
		if (layout.cap[i].ext == ext && layout.cap[i].off == off)
			return &layout.cap[i];
	return NULL;
}

static unsigned shown(bool ext)
{
	unsigned n = 0;

	for (unsigned i = 0; i < layout.n_caps; i++)
		n += layout.cap[i].ext == ext &&
		     layout.cap[i].verdict != CFG_HIDDEN;
	return n;
}

/* As Linux does: a bound on steps, pointers in range and aligned. */
static unsigned walk_std(void)
{
	unsigned n = 0, off = cfg_read(&space, 0x34, 1).value;

	assert_int_equal(off & 3, 0);
	assert_int_equal(!!off, cfg_read(&space, 0x06, 2).value >> 4 & 1);
	for (; off; off = cfg_read(&space, off + 1, 1).value) {
		const struct cfg_cap *c = cap_at(false, off);

		assert_in_range(off, 0x40, 0xfc);
		assert_int_equal(off & 3, 0);
		assert_in_range(++n, 1, 48);
		assert_non_null(c);
		assert_int_not_equal(c->verdict, CFG_HIDDEN);
		assert_int_equal(cfg_read(&space, off, 1).value, c->id);
	}
	return n;
}

static unsigned walk_ext(void)
{
	unsigned n = 0, off = CFG_SIZE_PCI;

	do {
		const uint32_t head = cfg_read(&space, off, 4).value;
		const struct cfg_cap *c = cap_at(true, off);

		assert_in_range(off, CFG_SIZE_PCI, CFG_SIZE - 4);
		if (!head)
			return n;
		if (head & 0xffff) {
			assert_non_null(c);
			assert_int_not_equal(c->verdict, CFG_HIDDEN);
			assert_int_equal(head & 0xffff, c->id);
			assert_int_equal(head >> 16 & 15, c->version);
			assert_in_range(++n, 1, CFG_MAX_CAPS);
		} else {
			/* The Null capability: only where the chain begins. */
			assert_int_equal(off, CFG_SIZE_PCI);
		}
		assert_int_equal(head >> 20 & 3, 0);
		off = head >> 20;
	} while (off);
	return n;
}

static void guest_walk(void **state)
{
	assert_int_equal(recorded_layout(*state, &layout), 0);
	cfg_compose_endpoint(&space, &layout, &place);
	assert_int_equal(walk_std(), shown(false));
	assert_int_equal(walk_ext(), shown(true));
	assert_true(shown(false) > 0);
}

/* No byte of a hidden capability is left for those who do not walk. */
static void hidden_bytes_are_gone(void **state)
{
	assert_int_equal(recorded_layout(*state, &layout), 0);
	cfg_compose_endpoint(&space, &layout, &place);
	for (unsigned i = 0; i < layout.n_caps; i++) {
		const struct cfg_cap *c = &layout.cap[i];
		/* A Null header may stand at 100h. */
		const unsigned from = c->off == CFG_SIZE_PCI ? 4 : 0;

		if (c->verdict != CFG_HIDDEN)
			continue;
		for (unsigned b = from; b < c->len; b++)
			assert_int_equal(space.now[c->off + b], 0);
	}
}

/* Bytes between capabilities belong to nobody: 0 and never written. */
static void gaps_are_shut(void **state)
{
	assert_int_equal(recorded_layout(*state, &layout), 0);
	cfg_compose_endpoint(&space, &layout, &place);
	for (unsigned off = 0x40; off < CFG_SIZE; off++) {
		bool owned = off >= CFG_SIZE_PCI && off < CFG_SIZE_PCI + 4;

		for (unsigned i = 0; i < layout.n_caps; i++)
			owned |= off - layout.cap[i].off < layout.cap[i].len;
		if (owned)
			continue;
		assert_int_equal(space.now[off], 0);
		assert_int_equal(space.rw[off] | space.w1c[off] |
		                         space.hw[off] | space.fwd[off],
		                 0);
	}
}

static void verdicts_of_the_hidden_middle(void **state)
{
	static const uint16_t gone[] = { 0x02, 0x10, 0x0f, 0x15, 0x1e,
		                         0x1b, 0x2e, 0x18, 0x13, 0x7777 };
	static const uint16_t kept[] = { 0x01, 0x03, 0x0b };
	const struct cfg_cap *c;

	(void)state;
	assert_int_equal(recorded_layout("hidden-middle", &layout), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(gone); i++) {
		c = cfg_layout_find(&layout, true, gone[i]);
		assert_non_null(c);
		assert_int_equal(c->verdict, CFG_HIDDEN);
		assert_non_null(c->reason);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(kept); i++) {
		c = cfg_layout_find(&layout, true, kept[i]);
		assert_non_null(c);
		assert_int_not_equal(c->verdict, CFG_HIDDEN);
	}
	assert_false(layout.chain_cut);
	/* Two DVSECs: CXL's is hidden, the other is not. */
	assert_int_equal(cap_at(true, 0x240)->verdict, CFG_HIDDEN);
	assert_int_equal(cap_at(true, 0x260)->verdict, CFG_READONLY);
	assert_null(cfg_layout_find(&layout, true, 0x0d));
	assert_string_equal(cfg_cap_name(true, 0x10),
	                    "Single Root I/O Virtualization");
	assert_string_equal(cfg_cap_name(true, 0xffff), "unknown");
	assert_string_equal(cfg_cap_name(false, 0x11), "MSI-X");
	assert_string_equal(cfg_verdict_name(CFG_HIDDEN), "hidden");
}

/* ---- chains that are not well formed ------------------------------------ */

struct chain_case {
	const char *name;
	struct {
		uint16_t off;
		uint32_t dword;
	} put[6];
	unsigned caps;
	bool cut;
};

static const struct chain_case cases[] = {
	// clang-format off
	{ "no list bit", { { 0x34, 0x40 }, { 0x40, 0x0001 } }, 0, false },
	{ "empty", { { 0x04, 1 << 20 } }, 0, false },
	{ "into the header", { { 0x04, 1 << 20 }, { 0x34, 0x20 } }, 0, true },
	{ "to itself", { { 0x04, 1 << 20 }, { 0x34, 0x40 },
	                 { 0x40, 0x4001 } }, 1, true },
	{ "low bits are masked", { { 0x04, 1 << 20 }, { 0x34, 0x43 },
	                           { 0x40, 0x0001 } }, 1, false },
	{ "last dword", { { 0x04, 1 << 20 }, { 0x34, 0xfc },
	                  { 0xfc, 0x0009 } }, 1, false },
	{ "to nothing", { { 0x04, 1 << 20 }, { 0x34, 0x40 },
	                  { 0x40, 0x6001 }, { 0x60, 0xffff } }, 1, true },
	{ "ext: all ones at its head", { { 0x100, 0xffffffff } }, 0, false },
	{ "ext: below its head", { { 0x100, 0x04010003 } }, 1, true },
	{ "ext: to itself", { { 0x100, 0x10010003 } }, 1, true },
	{ "ext: to all ones", { { 0x100, 0x20010003 },
	                        { 0x200, 0xffffffff } }, 1, true },
	{ "ext: last dword", { { 0x100, 0xffc10003 },
	                       { 0xffc, 0x0001000b } }, 2, false },
	{ "ext: null in the middle", { { 0x100, 0x20010003 },
	                               { 0x200, 0x30000000 },
	                               { 0x300, 0x0001000b } }, 3, false },
	// clang-format on
};

static void broken_chains(void **state)
{
	static const uint64_t no_bars[CFG_BARS];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		static uint8_t raw[CFG_SIZE];
		struct diag d = { 0 };

		memset(raw, 0, sizeof(raw));
		store_le(raw, 4, 0x11111111);
		for (unsigned k = 0; k < ARRAY_SIZE(cases[i].put); k++)
			if (cases[i].put[k].off)
				store_le(raw + cases[i].put[k].off, 4,
				         cases[i].put[k].dword);
		print_message("  %s\n", cases[i].name);
		assert_int_equal(
			cfg_layout_parse(raw, CFG_SIZE, no_bars, &layout, &d),
			0);
		assert_int_equal(layout.n_caps, cases[i].caps);
		assert_int_equal(layout.chain_cut, cases[i].cut);
		assert_int_equal(d.code, cases[i].cut ? FL_CFG_LOOP : 0);
		cfg_compose_endpoint(&space, &layout, &place);
		walk_std();
		walk_ext();
	}
}

/* Each kind with one dword less than it needs, because another begins there. */
static void too_short(void **state)
{
	static const uint64_t bars[CFG_BARS] = { 0x1000 };
	static const struct {
		bool ext;
		uint8_t id;
		uint16_t need;
		uint32_t second; /* second dword: lengths */
	} kinds[] = {
		{ false, 0x01, 0x08, 0 },
		{ false, 0x05, 0x0c, 0 },
		{ false, 0x10, 0x14, 0 },
		{ false, 0x11, 0x0c, 0 },
		{ false, 0x13, 0x08, 0 },
		{ true, 0x01, 0x2c, 0 },
		{ true, 0x03, 0x0c, 0 },
		{ true, 0x0b, 0x08, 0x01800000 },
		{ true, 0x23, 0x0c, 0x01800000 },
	};

	(void)state;
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(kinds); i++) {
		const bool fits = i & 1, ext = kinds[i / 2].ext;
		const unsigned at = ext ? 0x100 : 0x40;
		const unsigned next = at + kinds[i / 2].need - (fits ? 0 : 4);
		uint8_t raw[CFG_SIZE] = { 1, 1, 1, 1, 0, 0, 0x10 };

		raw[0x34] = ext ? 0 : 0x40;
		store_le(raw + at, 4,
		         kinds[i / 2].id |
		                 (ext ? next << 20 | 1u << 16 : next << 8));
		store_le(raw + at + 4, 4, kinds[i / 2].second);
		if (!fits && next == at + 4)
			store_le(raw + at + 4, 4, 0);
		store_le(raw + next, 4, 0x0042);
		assert_int_equal(
			cfg_layout_parse(raw, sizeof(raw), bars, &layout, NULL),
			0);
		print_message("  %s\n", cfg_cap_name(ext, kinds[i / 2].id));
		assert_int_equal(layout.n_caps, 2);
		assert_int_equal(layout.cap[0].verdict != CFG_HIDDEN, fits);
		if (!fits)
			assert_non_null(strstr(layout.cap[0].reason, "short"));
	}
}

/* 65 in one chain: the last is not taken. */
static void too_many(void **state)
{
	static const uint64_t no_bars[CFG_BARS];
	static uint8_t raw[CFG_SIZE];

	(void)state;
	memset(raw, 0, sizeof(raw));
	for (unsigned i = 0; i < 65; i++)
		store_le(raw + 0x100 + 12 * i, 4,
		         0x10003u | (0x100 + 12 * (i + 1)) << 20);
	assert_int_equal(
		cfg_layout_parse(raw, CFG_SIZE, no_bars, &layout, NULL), 0);
	assert_int_equal(layout.n_caps, CFG_MAX_CAPS);
	assert_true(layout.chain_cut);
	cfg_compose_endpoint(&space, &layout, &place);
	assert_int_equal(walk_ext(), CFG_MAX_CAPS);
}

#define EACH(fn, name)                                                         \
	{                                                                      \
#fn " " name, fn, NULL, NULL, (void *)(uintptr_t)(name)        \
	}
#define ALL(fn)                                                                \
	EACH(fn, "igb-vf"), EACH(fn, "nvme"), EACH(fn, "e1000e"),              \
		EACH(fn, "bochs-display"), EACH(fn, "multifn-0"),              \
		EACH(fn, "multifn-1"), EACH(fn, "broken-loops"),               \
		EACH(fn, "hidden-middle")

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALL(guest_walk),
		ALL(hidden_bytes_are_gone),
		ALL(gaps_are_shut),
		cmocka_unit_test(verdicts_of_the_hidden_middle),
		cmocka_unit_test(broken_chains),
		cmocka_unit_test(too_short),
		cmocka_unit_test(too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
