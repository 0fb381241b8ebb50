/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BARs: kinds and sizes taken, sizing by writing ones, relocation, decode,
 * and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/pci-config/recorded.h"

static struct cfg_space space;
static struct cfg_layout layout;

static const struct cfg_place place = { .behind_port = true };

static void compose(const char *name)
{
	assert_int_equal(recorded_layout(name, &layout), 0);
	cfg_compose_endpoint(&space, &layout, &place);
}

static uint32_t bar(unsigned i)
{
	return cfg_read(&space, 0x10 + 4 * i, 4).value;
}

static struct cfg_write set_bar(unsigned i, uint32_t v)
{
	return cfg_write(&space, 0x10 + 4 * i, 4, v);
}

/* What each register of hidden-middle reads after all ones: the size, with
 * the flags of its kind. */
static void sizing(void **state)
{
	static const uint32_t mask[CFG_BARS] = {
		0x0000000c, /* 16 GiB, 64-bit: nothing below bit 34 */
		0xfffffffc, 0xfe00000c, /* 32 MiB, 64-bit, prefetchable */
		0xffffffff, 0xffff0000, /* 64 KiB, 32-bit */
		0xffffff81,             /* 128 I/O ports */
	};
	static const uint32_t flags[CFG_BARS] = { 0xc, 0, 0xc, 0, 0, 1 };

	(void)state;
	compose("hidden-middle");
	for (unsigned i = 0; i < CFG_BARS; i++) {
		const struct cfg_write w = set_bar(i, UINT32_MAX);

		assert_int_equal(bar(i), mask[i]);
		assert_false(w.forward);
		assert_int_equal(w.events,
		                 mask[i] == flags[i] ? 0 : CFG_EV_BAR);
		set_bar(i, 0);
		assert_int_equal(bar(i), flags[i]);
	}
}

static void sizing_by_bytes(void **state)
{
	(void)state;
	compose("hidden-middle");
	for (unsigned off = 0x10; off < 0x28; off++)
		cfg_write(&space, off, 1, 0xff);
	assert_int_equal(bar(1), 0xfffffffc);
	assert_int_equal(bar(4), 0xffff0000);
	for (unsigned off = 0x10; off < 0x28; off += 2)
		cfg_write(&space, off, 2, 0);
	assert_int_equal(bar(2), 0xc);
	assert_int_equal(bar(5), 1);
}

static void absent_bars_read_0(void **state)
{
	(void)state;
	compose("igb-vf");
	for (unsigned i = 0; i < CFG_BARS; i++) {
		set_bar(i, UINT32_MAX);
		if (layout.bar[i].kind == CFG_BAR_NONE)
			assert_int_equal(bar(i), 0);
		else
			assert_int_not_equal(bar(i), 0);
	}
	/* The ROM's, which is not offered. */
	assert_int_equal(cfg_write(&space, 0x30, 4, UINT32_MAX).events, 0);
	assert_int_equal(cfg_read(&space, 0x30, 4).value, 0);
}

static void relocation(void **state)
{
	(void)state;
	compose("hidden-middle");
	assert_int_equal(set_bar(0, 0xabcdef0f).events, 0);
	assert_int_equal(set_bar(1, 0x00000080).events, CFG_EV_BAR);
	assert_int_equal(set_bar(1, 0x00000080).events, 0);
	assert_true(cfg_bar_addr(&space, 0) == 0x8000000000);
	assert_true(cfg_bar_addr(&space, 1) == 0);
	set_bar(4, 0xe1234567);
	assert_true(cfg_bar_addr(&space, 4) == 0xe1230000);
	set_bar(5, 0x0000c0ff);
	assert_true(cfg_bar_addr(&space, 5) == 0xc080);
	assert_true(cfg_bar_addr(&space, 6) == 0);
	assert_true(cfg_bar_addr(&space, UINT32_MAX) == 0);
	cfg_reset(&space);
	for (unsigned i = 0; i < CFG_BARS; i++)
		assert_true(cfg_bar_addr(&space, i) == 0);
}

static void decode(void **state)
{
	(void)state;
	compose("hidden-middle");
	set_bar(1, 0x80);
	set_bar(4, 0xe0000000);
	set_bar(5, 0xc000);
	for (unsigned i = 0; i < 8; i++)
		assert_false(cfg_bar_decodes(&space, i));
	cfg_write(&space, 0x04, 2, 0x0002);
	assert_true(cfg_bar_decodes(&space, 0));
	assert_false(cfg_bar_decodes(&space, 1));
	assert_true(cfg_bar_decodes(&space, 4));
	assert_false(cfg_bar_decodes(&space, 5));
	cfg_write(&space, 0x04, 2, 0x0001);
	assert_false(cfg_bar_decodes(&space, 4));
	assert_true(cfg_bar_decodes(&space, 5));
	/* In D3hot nothing decodes, whatever Command says (5.3.1.4.1). */
	cfg_write(&space, 0x04, 2, 0x0003);
	cfg_write(&space, layout.pm + 4u, 2, 3);
	for (unsigned i = 0; i < CFG_BARS; i++)
		assert_false(cfg_bar_decodes(&space, i));
	cfg_write(&space, layout.pm + 4u, 2, 0);
	assert_true(cfg_bar_decodes(&space, 4));
	/* The last block of the address space has no end that can be said. */
	set_bar(1, UINT32_MAX);
	assert_false(cfg_bar_decodes(&space, 0));
	/* A 32-bit one at the top of 4 GiB has. */
	set_bar(4, UINT32_MAX);
	assert_true(cfg_bar_decodes(&space, 4));
}

static void placing(void **state)
{
	static const struct {
		unsigned i;
		uint64_t addr;
		int r;
	} cases[] = {
		{ 0, 0x400000000, 0 },
		{ 0, 0x200000000, -EINVAL },
		{ 1, 0, -EINVAL },
		{ 2, 0x4002000000, 0 },
		{ 2, 0x4001000000, -EINVAL },
		{ 4, 0xe0000000, 0 },
		{ 4, 0xe0001000, -EINVAL },
		{ 4, 0x1e0000000, -EINVAL },
		{ 5, 0xc000, 0 },
		{ 5, 0xc001, -EINVAL },
		{ 6, 0, -EINVAL },
		{ UINT32_MAX, 0, -EINVAL },
	};

	(void)state;
	compose("hidden-middle");
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(
			cfg_bar_place(&space, cases[i].i, cases[i].addr),
			cases[i].r);
		if (!cases[i].r)
			assert_true(cfg_bar_addr(&space, cases[i].i) ==
			            cases[i].addr);
	}
	assert_int_equal(bar(0), 0x0000000c);
	assert_int_equal(bar(1), 0x4);
	assert_int_equal(bar(5), 0xc001);
	compose("igb-vf");
	assert_int_equal(cfg_bar_place(&space, 2, 0), -EINVAL);
}

static void rom(void **state)
{
	uint64_t addr = 7;

	(void)state;
	assert_int_equal(recorded_layout("e1000e", &layout), 0);
	layout.rom_size = 256 << 10;
	cfg_compose_endpoint(&space, &layout, &place);
	cfg_write(&space, 0x30, 4, 0xfffffffe);
	assert_int_equal(cfg_read(&space, 0x30, 4).value, 0xfffc0000);
	cfg_write(&space, 0x30, 4, 0xd0000001);
	assert_false(cfg_rom_decodes(&space, &addr));
	assert_true(addr == 7);
	cfg_write(&space, 0x04, 2, 2);
	assert_true(cfg_rom_decodes(&space, &addr));
	assert_true(addr == 0xd0000000);
	/* Enable is bit 0 alone; the ten above it are no address. */
	assert_int_equal(cfg_write(&space, 0x30, 2, 0x07ff).events, 0);
	assert_int_equal(cfg_read(&space, 0x30, 4).value, 0xd0000001);
	assert_int_equal(cfg_write(&space, 0x30, 1, 0).events, CFG_EV_BAR);
	assert_false(cfg_rom_decodes(&space, &addr));
	assert_int_equal(cfg_write(&space, 0x30, 1, 1).events, CFG_EV_BAR);
	/* In D3hot nothing decodes; back in D0 it does where it was. */
	assert_true(space.pm != 0);
	cfg_write(&space, space.pm + 4u, 1, 3);
	assert_false(cfg_rom_decodes(&space, &addr));
	cfg_write(&space, space.pm + 4u, 1, 0);
	assert_true(cfg_rom_decodes(&space, &addr));
	/* Nothing of it reaches the device, and a reset takes it back. */
	assert_false(cfg_write(&space, 0x30, 4, 0xd0000001).forward);
	cfg_reset(&space);
	assert_int_equal(cfg_read(&space, 0x30, 4).value, 0);
	cfg_write(&space, 0x04, 2, 2);
	assert_false(cfg_rom_decodes(&space, &addr));
	/* Not a size a ROM can have: not offered. */
	for (uint64_t bad = 1; bad; bad <<= 1) {
		if (bad >= 2048 && bad <= 16 << 20)
			continue;
		layout.rom_size = bad;
		cfg_compose_endpoint(&space, &layout, &place);
		cfg_write(&space, 0x30, 4, UINT32_MAX);
		cfg_write(&space, 0x04, 2, 2);
		assert_int_equal(cfg_read(&space, 0x30, 4).value, 0);
		assert_false(cfg_rom_decodes(&space, &addr));
	}
}

/* ---- what the parser takes and refuses ----------------------------------- */

struct parse_case {
	const char *name;
	uint32_t reg[CFG_BARS];
	uint64_t size[CFG_BARS];
	int code; /* 0 = taken */
	enum cfg_bar_kind kind0;
};
static const struct parse_case cases[] = {
	// clang-format off
	{ "none", { 0xf0000000 }, { 0 }, 0, CFG_BAR_NONE },
	{ "mem32", { 0xf0000000 }, { 4096 }, 0, CFG_BAR_MEM32 },
	{ "mem64", { 0xf000000c }, { 4096 }, 0, CFG_BAR_MEM64 },
	{ "io", { 0xc001 }, { 32 }, 0, CFG_BAR_IO },
	{ "largest mem64", { 4 }, { 1ull << 63 }, 0, CFG_BAR_MEM64 },
	{ "largest mem32", { 0 }, { 1ull << 31 }, 0, CFG_BAR_MEM32 },
	{ "not a power of two", { 0 }, { 4095 }, FL_CFG_BAR, 0 },
	{ "mem32 of 4 GiB", { 0 }, { 1ull << 32 }, FL_CFG_BAR, 0 },
	{ "mem of 8", { 0 }, { 8 }, FL_CFG_BAR, 0 },
	{ "io of 2", { 1 }, { 2 }, FL_CFG_BAR, 0 },
	{ "io of 128 KiB", { 1 }, { 1 << 17 }, FL_CFG_BAR, 0 },
	{ "mem64 in the last", { 0, 0, 0, 0, 0, 4 }, { 0, 0, 0, 0, 0, 16 },
	  FL_CFG_BAR, 0 },
	{ "upper half with a size", { 4 }, { 16, 16 }, FL_CFG_BAR, 0 },
	// clang-format on
};

static void parsing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct parse_case *c = &cases[i];
		uint8_t raw[CFG_SIZE_PCI] = { 0x34, 0x12, 0x78, 0x56 };
		struct diag d = { 0 };
		int r;

		for (unsigned b = 0; b < CFG_BARS; b++)
			store_le(raw + 0x10 + 4 * b, 4, c->reg[b]);
		print_message("  %s\n", c->name);
		memset(&layout, 0x5a, sizeof(layout));
		r = cfg_layout_parse(raw, sizeof(raw), c->size, &layout, &d);
		assert_int_equal(r, c->code ? -EINVAL : 0);
		assert_int_equal(d.code, c->code);
		if (r) {
			assert_int_equal(layout.size, 0x5a5a);
			assert_true(d.what[0] && d.why[0]);
			continue;
		}
		assert_int_equal(layout.bar[0].kind, c->kind0);
		assert_true(layout.bar[0].size == c->size[0]);
		if (c->kind0 == CFG_BAR_MEM64)
			assert_int_equal(layout.bar[1].kind, CFG_BAR_UPPER);
	}
}

static void headers_refused(void **state)
{
	static const uint64_t none[CFG_BARS];
	uint8_t raw[CFG_SIZE_PCI];
	struct diag d = { 0 };

	(void)state;
	memset(raw, 0xff, sizeof(raw));
	assert_int_equal(cfg_layout_parse(raw, sizeof(raw), none, &layout, &d),
	                 -EINVAL);
	assert_int_equal(d.code, FL_CFG_HEADER);
	memset(raw, 0, sizeof(raw));
	raw[0x0e] = 0x81; /* a bridge, multi-function */
	d = (struct diag){ 0 };
	assert_int_equal(cfg_layout_parse(raw, sizeof(raw), none, &layout, &d),
	                 -EINVAL);
	assert_int_equal(d.code, FL_CFG_HEADER);
	raw[0x0e] = 0x80;
	for (size_t size = 0; size < CFG_SIZE_PCI; size += 64)
		assert_int_equal(cfg_layout_parse(raw, size, none, &layout, &d),
		                 -EINVAL);
	assert_int_equal(
		cfg_layout_parse(raw, sizeof(raw), none, &layout, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizing),
		cmocka_unit_test(sizing_by_bytes),
		cmocka_unit_test(absent_bars_read_0),
		cmocka_unit_test(relocation),
		cmocka_unit_test(decode),
		cmocka_unit_test(placing),
		cmocka_unit_test(rom),
		cmocka_unit_test(parsing),
		cmocka_unit_test(headers_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
