/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The quirk table: which made-up functions match which rows. The hardware that
 * the rows speak of was not here; recorded functions of the lab match none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/pci-config/recorded.h"

static uint8_t raw[CFG_SIZE];
static struct cfg_layout layout;

/* BAR registers as given; sizes 0 = not there. */
static void make(uint32_t id, uint32_t class, const uint32_t reg[CFG_BARS],
                 const uint64_t size[CFG_BARS])
{
	static const uint64_t none[CFG_BARS];

	memset(raw, 0, sizeof(raw));
	store_le(raw, 4, id);
	store_le(raw + 8, 4, class << 8 | 0xa1);
	for (unsigned i = 0; reg && i < CFG_BARS; i++)
		store_le(raw + 0x10 + 4 * i, 4, reg[i]);
	assert_int_equal(cfg_layout_parse(raw, CFG_SIZE, size ? size : none,
	                                  &layout, NULL),
	                 0);
}

static unsigned count(enum cfg_quirk_effect e)
{
	const struct cfg_quirk *q = NULL;
	unsigned n = 0;

	while ((q = cfg_quirk_next(&layout, q)))
		n += q->effect == e;
	assert_int_equal(n != 0, cfg_quirk_find(&layout, e) != NULL);
	return n;
}

static unsigned count_all(void)
{
	unsigned n = 0;

	for (unsigned e = 0; e < CFG_QUIRK_EFFECTS; e++)
		n += count((enum cfg_quirk_effect)e);
	return n;
}

/* BAR 0 of 16 MiB; 1, 3: 64-bit prefetchable; 5: ports. */
static const uint32_t gpu_reg[CFG_BARS] = { 0, 0xc, 0, 0xc, 0, 1 };
static const uint64_t gpu_size[CFG_BARS] = { 16 << 20, 1ull << 34, 0,
	                                     32 << 20, 0,          128 };

static void nvidia(void **state)
{
	const struct cfg_quirk *q;

	(void)state;
	make(0x1b8010de, 0x030000, gpu_reg, gpu_size); /* GTX 1080 */
	assert_int_equal(count(CFG_QUIRK_MIRROR), 1);
	assert_int_equal(count(CFG_QUIRK_WINDOW), 1);
	assert_int_equal(count(CFG_QUIRK_PASS), 2);
	q = cfg_quirk_find(&layout, CFG_QUIRK_MIRROR);
	assert_int_equal(q->off, 0x88000);
	assert_int_equal(q->size, CFG_SIZE);
	while ((q = cfg_quirk_next(&layout, q)))
		if (q->effect == CFG_QUIRK_PASS) /* lies in the mirror */
			assert_true(range_inside(q->off - 0x88000, q->size,
			                         CFG_SIZE));

	/* A 3D controller has no legacy ports; its HD audio nothing at all. */
	make(0x20b010de, 0x030200, gpu_reg, gpu_size); /* A100 */
	assert_int_equal(count(CFG_QUIRK_MIRROR), 1);
	assert_int_equal(count(CFG_QUIRK_WINDOW), 0);
	make(0x01d110de, 0x030000, gpu_reg, gpu_size); /* 7300 LE */
	assert_int_equal(count(CFG_QUIRK_MIRROR), 2);
	assert_int_equal(count(CFG_QUIRK_WINDOW), 2);
	make(0x10f010de, 0x040300, gpu_reg, gpu_size);
	assert_int_equal(count_all(), 0);

	/* Hopper and Blackwell have it elsewhere. */
	make(0x233010de, 0x030200, gpu_reg, gpu_size); /* H100 */
	assert_int_equal(count(CFG_QUIRK_MIRROR), 1);
	assert_int_equal(cfg_quirk_find(&layout, CFG_QUIRK_MIRROR)->off,
	                 0x92000);
	assert_int_equal(count(CFG_QUIRK_PASS), 0);
	make(0x268410de, 0x030000, gpu_reg, gpu_size); /* RTX 4090 */
	assert_int_equal(cfg_quirk_find(&layout, CFG_QUIRK_MIRROR)->off,
	                 0x88000);
	make(0x2b8510de, 0x030000, gpu_reg, gpu_size); /* RTX 5090 */
	assert_int_equal(cfg_quirk_find(&layout, CFG_QUIRK_MIRROR)->off,
	                 0x92000);
}

/* A range that the BAR has not, or a BAR of another kind: no row. */
static void bars(void **state)
{
	uint64_t size[CFG_BARS];
	uint32_t reg[CFG_BARS];

	(void)state;
	memcpy(size, gpu_size, sizeof(size));
	memcpy(reg, gpu_reg, sizeof(reg));
	size[0] = 512 << 10;
	make(0x01d110de, 0x030000, reg, size);
	assert_int_equal(count(CFG_QUIRK_MIRROR), 1); /* at 0x1800 */
	size[0] = 4096;
	make(0x01d110de, 0x030000, reg, size);
	assert_int_equal(count(CFG_QUIRK_MIRROR), 0);
	reg[5] = 0;
	make(0x01d110de, 0x030000, reg, size);
	assert_int_equal(count(CFG_QUIRK_WINDOW), 0);
	make(0x01d110de, 0x030000, NULL, NULL);
	assert_int_equal(count_all(), 0);
}

static const struct cfg_quirk *window(unsigned nth)
{
	const struct cfg_quirk *q = NULL;

	while ((q = cfg_quirk_next(&layout, q)))
		if ((q->effect == CFG_QUIRK_WINDOW ||
		     q->effect == CFG_QUIRK_MSIX_WINDOW) &&
		    !nth--)
			return q;
	return NULL;
}

static void windows(void **state)
{
	static const uint32_t ati_reg[CFG_BARS] = { 0xc, 0, 4, 0, 1, 0 };
	static const uint64_t ati_size[CFG_BARS] = { 256 << 20, 0,   256 << 10,
		                                     0,         256, 0 };
	static const uint32_t nic_reg[CFG_BARS] = { 1, 0, 4, 0, 4, 0 };
	static const uint64_t nic_size[CFG_BARS] = { 256, 0, 4096, 0, 4096, 0 };

	(void)state;
	make(0x01d110de, 0x030000, gpu_reg, gpu_size);
	assert_int_equal(cfg_quirk_window(window(0), 0x1800), 0);
	assert_int_equal(cfg_quirk_window(window(0), 0x18fc), 0xfc);
	assert_int_equal(cfg_quirk_window(window(0), 0x1900), -1);
	assert_int_equal(cfg_quirk_window(window(0), 0x88000), -1);
	assert_int_equal(cfg_quirk_window(window(1), 0x88ffc), 0xffc);
	assert_int_equal(cfg_quirk_window(window(1), 0x89000), -1);
	assert_int_equal(cfg_quirk_window(window(1), 0x87fff), -1);

	make(0x683f1002, 0x030000, ati_reg, ati_size);
	assert_int_equal(count(CFG_QUIRK_MIRROR), 1);
	assert_int_equal(cfg_quirk_window(window(0), 0x4004), 4);
	assert_int_equal(cfg_quirk_window(window(0), 4), -1);
	/* Of a mirror, nothing is an address. */
	assert_int_equal(
		cfg_quirk_window(cfg_quirk_find(&layout, CFG_QUIRK_MIRROR), 0),
		-1);

	make(0x816810ec, 0x020000, nic_reg, nic_size);
	assert_int_equal(count_all(), 1);
	assert_int_equal(cfg_quirk_window(window(0), 0x8001f00c), 0xc);
	assert_int_equal(cfg_quirk_window(window(0), 0x1f00c), 0xc);
	assert_int_equal(cfg_quirk_window(window(0), 0x8002f00c), -1);
	assert_int_equal(cfg_quirk_window(window(0), 0xc), -1);
}

static void intel_graphics(void **state)
{
	static const uint64_t none[CFG_BARS];

	(void)state;
	make(0x59168086, 0x030000, NULL, NULL);
	assert_int_equal(count(CFG_QUIRK_OPREGION), 0);
	store_le(raw + 0xfc, 4, 0x7b2a3018);
	store_le(raw + 0x5c, 4, 0x7c000001);
	assert_int_equal(cfg_layout_parse(raw, CFG_SIZE, none, &layout, NULL),
	                 0);
	assert_int_equal(count(CFG_QUIRK_OPREGION), 2);
	assert_int_equal(cfg_quirk_find(&layout, CFG_QUIRK_OPREGION)->off,
	                 0xfc);
	/* All ones is nothing; a capability there is a discrete card's. */
	store_le(raw + 0xfc, 4, UINT32_MAX);
	raw[6] = 0x10;
	raw[0x34] = 0x5c;
	raw[0x5c] = 0x01;
	assert_int_equal(cfg_layout_parse(raw, CFG_SIZE, none, &layout, NULL),
	                 0);
	assert_int_equal(count(CFG_QUIRK_OPREGION), 0);
	/* Another maker's register of that place. */
	make(0x59161234, 0x030000, NULL, NULL);
	store_le(layout.raw + 0xfc, 4, 0x7b2a3018);
	assert_int_equal(count_all(), 0);
}

static void resets_and_roms(void **state)
{
	static const struct {
		uint32_t id, class;
		enum cfg_quirk_effect effect;
	} rows[] = {
		{ 0x168e14e4, 0x020000, CFG_QUIRK_NO_ROM },
		{ 0x149c1022, 0x0c0330, CFG_QUIRK_NO_OWN_RESET },
		{ 0x79011022, 0x010601, CFG_QUIRK_NO_OWN_RESET },
		{ 0x15028086, 0x020000, CFG_QUIRK_NO_OWN_RESET },
		{ 0x061614c3, 0x028000, CFG_QUIRK_NO_OWN_RESET },
		{ 0x66111002, 0x030000, CFG_QUIRK_NO_OWN_RESET }, /* Oland */
		{ 0x003c168c, 0x028000, CFG_QUIRK_NO_BUS_RESET },
		{ 0x11641b21, 0x010601, CFG_QUIRK_NO_BUS_RESET },
		{ 0x234010de, 0x030200, CFG_QUIRK_NO_BUS_RESET },
		{ 0x237f10de, 0x030200, CFG_QUIRK_NO_BUS_RESET },
		{ 0x67df1002, 0x030000, CFG_QUIRK_NO_BUS_RESET }, /* RX 480 */
		{ 0x731f1002, 0x030000, CFG_QUIRK_NO_BUS_RESET }, /* RX 5700 */
		{ 0x687f1002, 0x030000, CFG_QUIRK_NO_BUS_RESET }, /* Vega 64 */
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct cfg_quirk *q;

		make(rows[i].id, rows[i].class, NULL, NULL);
		q = cfg_quirk_find(&layout, rows[i].effect);
		if (!q)
			fail_msg("%08x has no row", rows[i].id);
		assert_true(strlen(q->reason) > 10 && strlen(q->source) > 10);
	}
	make(0x238010de, 0x030200, NULL, NULL);
	assert_int_equal(count_all(), 0);
	/* Revision 1 only (make() says a1). */
	make(0x1000d063, 0x020000, NULL, NULL);
	assert_int_equal(count_all(), 0);
	layout.raw[8] = 1;
	assert_int_equal(count(CFG_QUIRK_NO_OWN_RESET), 1);
	/* The id of an Intel NIC at another maker is another device. */
	make(0x15038087, 0x020000, NULL, NULL);
	assert_int_equal(count_all(), 0);
}

static void virtual_functions(void **state)
{
	struct cfg_space s;
	const struct cfg_place place = { .behind_port = true };

	(void)state;
	assert_int_equal(recorded_layout("igb-vf", &layout), 0);
	assert_int_equal(count_all(), 0);
	layout.vf = true;
	assert_int_equal(count_all(), 1);
	assert_int_equal(count(CFG_QUIRK_VF_MEMORY), 1);
	/* What the row says is what the view does. */
	cfg_compose_endpoint(&s, &layout, &place);
	cfg_write(&s, 4, 2, 2);
	assert_int_equal(cfg_read(&s, 4, 2).value, 2);
	assert_int_equal(cfg_read(&s, 4, 2).hw_mask, 0);
}

/* The lab's devices are emulations that behave. */
static void recorded_ones(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(recorded_names); i++) {
		assert_int_equal(recorded_layout(recorded_names[i], &layout),
		                 0);
		assert_int_equal(count_all(), 0);
	}
}

static void names(void **state)
{
	(void)state;
	for (unsigned e = 0; e < CFG_QUIRK_EFFECTS; e++)
		assert_string_not_equal(
			cfg_quirk_effect_name((enum cfg_quirk_effect)e),
			"unknown");
	assert_string_equal(cfg_quirk_effect_name(CFG_QUIRK_EFFECTS),
	                    "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nvidia),
		cmocka_unit_test(bars),
		cmocka_unit_test(windows),
		cmocka_unit_test(intel_graphics),
		cmocka_unit_test(resets_and_roms),
		cmocka_unit_test(virtual_functions),
		cmocka_unit_test(recorded_ones),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
