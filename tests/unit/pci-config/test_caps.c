/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Header and capabilities, register by register: what a write changes, raises
 * and sends to the device.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/pci-config/recorded.h"

#include <linux/pci_regs.h>

static struct cfg_space space;
static struct cfg_layout layout;

static const struct cfg_place behind = { .behind_port = true, .intx_pin = 1 };

static void compose(const char *name, const struct cfg_place *place)
{
	assert_int_equal(recorded_layout(name, &layout), 0);
	cfg_compose_endpoint(&space, &layout, place);
}

/* One write and all that comes of it. hidden-middle: PM at 40h, MSI at 48h,
 * Express at 60h, MSI-X at b0h, vendor at c0h, AF at e8h. */
struct write_case {
	const char *name;
	uint16_t off;
	uint8_t width;
	uint32_t value, reads;
	uint32_t events;
	bool forward;
	uint32_t hw_value;
};

static const struct write_case writes[] = {
	// clang-format off
	{ "ids", 0x00, 4, 0xffffffff, 0x1001abcd, 0, false, 0 },
	{ "command: all", 0x04, 2, 0xffff, 0x0547, CFG_EV_COMMAND, true, 0x0407 },
	{ "command: master", 0x04, 2, 0x0004, 0x0004, CFG_EV_COMMAND, true, 4 },
	{ "command: same", 0x04, 2, 0x0000, 0x0000, 0, true, 0 },
	{ "command: lower byte", 0x04, 1, 0xff, 0x47, CFG_EV_COMMAND, true, 7 },
	{ "command: upper byte", 0x05, 1, 0xff, 0x05, CFG_EV_COMMAND, true, 4 },
	{ "command: parity only", 0x04, 2, 0x0040, 0x0040, CFG_EV_COMMAND,
	  true, 0 },
	{ "status", 0x06, 2, 0xffff, 0x0011, 0, false, 0 },
	{ "command and status", 0x04, 4, 0xffff0002, 0x00110002,
	  CFG_EV_COMMAND, true, 0x00100002 },
	{ "revision, class", 0x08, 4, 0xffffffff, 0x03000001, 0, false, 0 },
	{ "cache line .. BIST", 0x0c, 4, 0xffffffff, 0x00000010, 0, false, 0 },
	{ "BIST start", 0x0f, 1, 0x40, 0, 0, false, 0 },
	{ "CardBus CIS", 0x28, 4, 0xffffffff, 0, 0, false, 0 },
	{ "subsystem", 0x2c, 4, 0xffffffff, 0x0001abcd, 0, false, 0 },
	{ "capability pointer", 0x34, 4, 0xffffffff, 0x40, 0, false, 0 },
	{ "interrupt line, pin", 0x3c, 4, 0xffffffff, 0x000001ff, 0, false, 0 },

	{ "PM capabilities", 0x40, 4, 0xffffffff, 0x00234801, 0, false, 0 },
	{ "PM D3hot", 0x44, 2, 0xff03, 0x000b, CFG_EV_POWER, true, 0x810b },
	{ "PM D0 again", 0x44, 1, 0x00, 0x08, CFG_EV_POWER, true, 0x08 },
	{ "PM PME only", 0x45, 1, 0x81, 0x00, 0, false, 0 },

	{ "MSI control", 0x4a, 2, 0xffff, 0x01fb, CFG_EV_MSI, false, 0 },
	{ "MSI address", 0x4c, 4, 0xfee0100f, 0xfee0100c, CFG_EV_MSI, false, 0 },
	{ "MSI address, same", 0x4c, 4, 0, 0, 0, false, 0 },
	{ "MSI data", 0x54, 4, 0xffffffff, 0x0000ffff, CFG_EV_MSI, false, 0 },
	{ "MSI mask", 0x58, 4, 0x80000001, 0x80000001, CFG_EV_MSI, false, 0 },
	{ "MSI pending", 0x5c, 4, 0xffffffff, 0, 0, false, 0 },

	{ "Express header", 0x60, 4, 0xffffffff, 0x0002b010, 0, false, 0 },
	{ "device capabilities", 0x64, 4, 0, 0x10008fe2, 0, false, 0 },
	/* MRRS, No Snoop, Relaxed Ordering go; MPS, errors and tags stay, and
	 * the host's own MPS, tags and errors go out again (593fh). */
	{ "device control: ones but FLR", 0x68, 2, 0x7fff, 0x79ff, 0, true,
	  0x793f },
	{ "device control: 0", 0x68, 2, 0, 0, 0, true, 0x012f },
	{ "device control: FLR", 0x68, 2, 0xd810, 0x5810, CFG_EV_FLR, true,
	  0x593f },
	{ "device control: FLR byte", 0x69, 1, 0x80, 0x00, CFG_EV_FLR, true,
	  0x01 },
	{ "device control: lower byte", 0x68, 1, 0xff, 0xff, 0, true, 0x3f },
	{ "device status: clear all", 0x6a, 2, 0xffff, 0, 0, true, 0x001f },
	{ "device status: clear one", 0x6a, 2, 0x0004, 0, 0, true, 0x0014 },
	{ "device control and status", 0x68, 4, 0x00055810, 0x00005810, 0,
	  true, 0x0015593f },
	{ "link capabilities", 0x6c, 4, 0, 0x00400103, 0, false, 0 },
	{ "link control", 0x70, 2, 0xffff, 0x01cb, 0, false, 0 },
	{ "link status", 0x72, 2, 0xffff, 0x0103, 0, false, 0 },
	{ "slot control", 0x78, 4, 0xffffffff, 0, 0, false, 0 },
	{ "device capabilities 2", 0x84, 4, 0, 0x0000039f, 0, false, 0 },
	/* LTR (10) and atomics (6) of the host's stay on. */
	{ "device control 2", 0x88, 2, 0xffff, 0x001f, 0, true, 0x741f },
	{ "link control 2", 0x90, 2, 0xffff, 0x0004, 0, false, 0 },

	{ "MSI-X control", 0xb2, 2, 0xffff, 0xc01f, CFG_EV_MSIX, false, 0 },
	{ "MSI-X control, size bits", 0xb2, 1, 0xff, 0x1f, 0, false, 0 },
	{ "MSI-X table place", 0xb4, 4, 0, 0x00002004, 0, false, 0 },
	{ "MSI-X PBA place", 0xb8, 4, 0, 0x00003004, 0, false, 0 },
	{ "vendor", 0xc4, 4, 0, 0x35343332, 0, false, 0 },
	{ "gap", 0xd4, 4, 0xffffffff, 0, 0, false, 0 },
	{ "unknown", 0xe0, 4, 0xffffffff, 0, 0, false, 0 },
	{ "AF reset", 0xec, 1, 0xff, 0, CFG_EV_FLR, false, 0 },
	{ "AF no reset", 0xec, 2, 0xfffe, 0, 0, false, 0 },

	{ "AER status", 0x14c, 4, 0xffffffff, 0, 0, false, 0 },
	{ "AER mask", 0x150, 4, 0, 0xe1e1e1e1, 0, false, 0 },
	{ "VSEC", 0x1d8, 4, 0, 0xe5e5e5e5, 0, false, 0 },
	{ "SR-IOV control", 0x180, 4, 0xffffffff, 0, 0, false, 0 },
	{ "ATS control", 0x1cc, 4, 0xffffffff, 0, 0, false, 0 },
	{ "Resizable BAR", 0x208, 4, 0xffffffff, 0, 0, false, 0 },
	// clang-format on
};

static void each_write(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(writes); i++) {
		const struct write_case *c = &writes[i];
		struct cfg_write w;

		compose("hidden-middle", &behind);
		w = cfg_write(&space, c->off, c->width, c->value);
		print_message("  %s\n", c->name);
		assert_int_equal(cfg_read(&space, c->off, c->width).value,
		                 c->reads);
		assert_int_equal(w.events, c->events);
		assert_int_equal(w.forward, c->forward);
		assert_int_equal(w.hw_value, c->hw_value);
	}
}

/* Only these bits come from the device. */
static void live_bits(void **state)
{
	static const struct {
		uint16_t off;
		uint32_t mask;
	} live[] = { { 0x04, 0x00080000 },
		     { 0x5c, 0xffffffff },
		     { 0x68, 0x002f0000 },
		     { 0x70, 0x03ff0000 },
		     { 0xec, 0x00000100 } };

	(void)state;
	compose("hidden-middle", &behind);
	for (unsigned off = 0; off < CFG_SIZE; off += 4) {
		uint32_t want = 0;

		for (unsigned i = 0; i < ARRAY_SIZE(live); i++)
			if (live[i].off == off)
				want = live[i].mask;
		assert_int_equal(cfg_read(&space, off, 4).hw_mask, want);
	}
}

static void places(void **state)
{
	static const struct {
		const char *name;
		struct cfg_place place;
		unsigned type, pin, header;
	} cases[] = {
		{ "nvme", { true, false, 0 }, 0, 0, 0x00 },
		{ "nvme", { true, true, 4 }, 0, 4, 0x80 },
		{ "nvme", { true, false, 5 }, 0, 0, 0x00 },
		{ "nvme", { false, false, 1 }, 9, 1, 0x00 },
		{ "igb-vf", { true, false, 0 }, 0, 0, 0x00 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned flags;

		compose(cases[i].name, &cases[i].place);
		flags = cfg_read(&space, layout.express + 2u, 2).value;
		assert_int_equal(flags >> 4 & 15, cases[i].type);
		assert_int_equal(flags >> 8 & 1, 0); /* no slot */
		assert_int_equal(cfg_read(&space, 0x3d, 1).value, cases[i].pin);
		assert_int_equal(cfg_read(&space, 0x0e, 1).value,
		                 cases[i].header);
	}
}

static void type_and_link(void **state)
{
	const unsigned exp = 0x60;
	struct cfg_port port = { 0 };

	(void)state;
	/* An integrated endpoint has no link, behind a port it gets one. */
	assert_int_equal(recorded_layout("hidden-middle", &layout), 0);
	layout.raw[exp + 2] = 0x92;
	store_le(layout.raw + exp + 0x12, 2, 0);
	cfg_compose_endpoint(&space, &layout, &behind);
	assert_int_equal(cfg_read(&space, exp + 2, 2).value, 0x0002);
	assert_int_equal(cfg_read(&space, exp + 0x0c, 4).value, 0x11);
	assert_int_equal(cfg_read(&space, exp + 0x12, 2).value, 0x11);
	assert_int_equal(cfg_read(&space, exp + 0x12, 2).hw_mask, 0);
	cfg_port_match_link(&port, &layout);
	assert_int_equal(port.link_speed | port.link_width, 0);
	/* Not behind a port there is none. */
	compose("hidden-middle", &(struct cfg_place){ 0 });
	assert_int_equal(cfg_read(&space, exp + 0x0c, 4).value, 0);
	assert_int_equal(cfg_read(&space, exp + 0x10, 4).value, 0);
	assert_int_equal(cfg_read(&space, exp + 0x10, 4).hw_mask, 0);
	cfg_port_match_link(&port, &layout);
	assert_int_equal(port.link_speed, 3);
	assert_int_equal(port.link_width, 16);
	/* A VF's Link Status is 0: the least link, as its port has. */
	compose("igb-vf", &behind);
	assert_int_equal(cfg_read(&space, layout.express + 0x12u, 2).value,
	                 0x11);
	/* A legacy endpoint stays one; a port is not an endpoint. */
	for (unsigned type = 0; type < 16; type++) {
		struct recorded r;

		assert_int_equal(recorded_read("nvme", &r), 0);
		r.raw[0x82] = (uint8_t)(type << 4 | 2);
		assert_int_equal(cfg_layout_parse(r.raw, r.size, r.bar_size,
		                                  &layout, NULL),
		                 0);
		cfg_compose_endpoint(&space, &layout, &behind);
		assert_int_equal(layout.express,
		                 type < 2 || type == 9 ? 0x80 : 0);
		if (layout.express)
			assert_int_equal(cfg_read(&space, 0x82, 1).value,
			                 type == 1 ? 0x12 : 0x02);
	}
}

static void version_1_is_short(void **state)
{
	const struct cfg_cap *c;

	(void)state;
	compose("e1000e", &behind);
	c = cfg_layout_find(&layout, false, 0x10);
	assert_non_null(c);
	assert_int_equal(c->len, 0x14);
	/* Device Control 2 would be there: nothing is. */
	assert_int_equal(cfg_write(&space, c->off + 0x28u, 2, 0xffff).forward,
	                 false);
}

static void msi_state(void **state)
{
	struct cfg_msi_state m;

	(void)state;
	compose("hidden-middle", &behind);
	assert_int_equal(layout.msi.vectors, 32);
	cfg_write(&space, 0x4c, 4, 0xfee01000);
	cfg_write(&space, 0x50, 4, 0x00000012);
	cfg_write(&space, 0x54, 2, 0x4041);
	cfg_write(&space, 0x58, 4, 0x0000f000);
	cfg_write(&space, 0x4a, 2, 0x0001 | 3 << 4);
	m = cfg_msi_state(&space);
	assert_true(m.enabled);
	assert_int_equal(m.vectors, 8);
	assert_true(m.addr == 0x12fee01000);
	assert_int_equal(m.data, 0x4041);
	assert_int_equal(m.mask, 0xf000);
	/* More than 32: reserved values. */
	cfg_write(&space, 0x4a, 2, 0x0001 | 7 << 4);
	assert_int_equal(cfg_msi_state(&space).vectors, 32);
	/* One vector offered, 32 asked for. */
	compose("e1000e", &behind);
	assert_int_equal(layout.msi.vectors, 1);
	cfg_write(&space, layout.msi.cap + 2u, 2, 0x0071);
	assert_int_equal(cfg_msi_state(&space).vectors, 1);
	cfg_reset(&space);
	assert_false(cfg_msi_state(&space).enabled);
	/* No MSI at all. */
	compose("igb-vf", &behind);
	m = cfg_msi_state(&space);
	assert_false(m.enabled);
	assert_int_equal(m.vectors, 0);
}

/* All four shapes: registers where each has them, nothing behind. */
static void msi_shapes(void **state)
{
	static const struct {
		uint16_t control;
		uint8_t len, data, mask;
	} shape[] = { { 0x0000, 0x0a, 0x08, 0 },
		      { 0x0080, 0x0e, 0x0c, 0 },
		      { 0x0104, 0x14, 0x08, 0x0c },
		      { 0x0184, 0x18, 0x0c, 0x10 } };
	static const uint64_t none[CFG_BARS];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(shape); i++) {
		uint8_t raw[CFG_SIZE_PCI] = { 1, 1, 1, 1, 0, 0, 0x10 };

		raw[0x34] = 0x50;
		raw[0x50] = 5;
		store_le(raw + 0x52, 2, shape[i].control);
		assert_int_equal(
			cfg_layout_parse(raw, sizeof(raw), none, &layout, NULL),
			0);
		assert_int_equal(layout.cap[0].len, shape[i].len);
		cfg_compose_endpoint(&space, &layout, &behind);
		for (unsigned off = 0x52; off < 0x100; off += 2)
			cfg_write(&space, off, 2, 0xffff);
		assert_int_equal(cfg_msi_state(&space).data, 0xffff);
		assert_int_equal(
			cfg_read(&space, 0x50u + shape[i].data, 2).value,
			0xffff);
		assert_int_equal(cfg_msi_state(&space).mask,
		                 shape[i].mask ? 0xf : 0);
		for (unsigned off = 0x50u + shape[i].len; off < 0x100; off++)
			assert_int_equal(cfg_read(&space, off, 1).value, 0);
	}
}

/* 32 vectors are the most; the two larger codes are reserved. */
static void msi_vectors(void **state)
{
	static const uint8_t want[8] = { 1, 2, 4, 8, 16, 32, 32, 32 };

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		struct recorded r;

		assert_int_equal(recorded_read("hidden-middle", &r), 0);
		r.raw[0x4a] = (uint8_t)(0x80 | i << 1);
		assert_int_equal(cfg_layout_parse(r.raw, r.size, r.bar_size,
		                                  &layout, NULL),
		                 0);
		assert_int_equal(layout.msi.vectors, want[i]);
		cfg_compose_endpoint(&space, &layout, &behind);
		cfg_write(&space, 0x58, 4, UINT32_MAX);
		assert_int_equal(cfg_msi_state(&space).mask,
		                 UINT32_MAX >> (32 - want[i]));
	}
}

/* The host's pending errors are not cleared by what goes out beside the
 * guest's bits. */
static void errors_are_not_sent_back(void **state)
{
	struct recorded r;
	struct cfg_write w;

	(void)state;
	assert_int_equal(recorded_read("hidden-middle", &r), 0);
	store_le(r.raw + 0x06, 2, 0xf910);
	store_le(r.raw + 0x68, 4, 0x000fd93f);
	assert_int_equal(
		cfg_layout_parse(r.raw, r.size, r.bar_size, &layout, NULL), 0);
	cfg_compose_endpoint(&space, &layout, &behind);
	assert_int_equal(cfg_read(&space, 0x06, 2).value, 0x0011);
	w = cfg_write(&space, 0x04, 4, 0x00000002);
	assert_int_equal(w.hw_value, 0x00100002);
	/* Nor is a reset begun by a bit that the snapshot happened to hold. */
	w = cfg_write(&space, 0x68, 4, 0);
	assert_true(w.forward);
	assert_int_equal(w.hw_value, 0x0000012f);
}

static void msix_state(void **state)
{
	struct cfg_msix_state m;

	(void)state;
	compose("igb-vf", &behind);
	assert_int_equal(layout.msix.vectors, 3);
	assert_int_equal(layout.msix.table_bar, 3);
	cfg_write(&space, layout.msix.cap + 2u, 2, 0xc000);
	m = cfg_msix_state(&space);
	assert_true(m.enabled && m.masked);
	cfg_write(&space, layout.msix.cap + 3u, 1, 0x80);
	m = cfg_msix_state(&space);
	assert_true(m.enabled && !m.masked);
	compose("bochs-display", &behind);
	m = cfg_msix_state(&space);
	assert_false(m.enabled || m.masked);
}

/* A table or PBA that is not inside a memory BAR: no MSI-X. */
static void msix_misplaced(void **state)
{
	static const struct {
		uint32_t control, table, pba;
		bool shown;
	} cases[] = {
		{ 4, 0x2000, 0x3000, true },  { 4, 0x3fb0, 0x3000, true },
		{ 4, 0x3fb8, 0x3000, false }, { 4, 0x2000, 0x3ff8, true },
		{ 4, 0x2000, 0x4000, false }, { 0x7ff, 0x0000, 0x3000, false },
		{ 4, 0x2001, 0x3000, false }, { 4, 0x2006, 0x3000, false },
		{ 4, 0x2000, 0x3007, false }, { 4, 0xfffffff8, 0x3000, false },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct recorded r;

		assert_int_equal(recorded_read("nvme", &r), 0);
		store_le(r.raw + 0x42, 2, cases[i].control);
		store_le(r.raw + 0x44, 4, cases[i].table);
		store_le(r.raw + 0x48, 4, cases[i].pba);
		assert_int_equal(cfg_layout_parse(r.raw, r.size, r.bar_size,
		                                  &layout, NULL),
		                 0);
		assert_int_equal(!!layout.msix.cap, cases[i].shown);
		assert_int_equal(layout.cap[0].verdict,
		                 cases[i].shown ? CFG_SHOWN : CFG_HIDDEN);
	}
}

static void reset_brings_all_back(void **state)
{
	static struct cfg_space before;

	(void)state;
	compose("hidden-middle", &behind);
	before = space;
	for (unsigned off = 0; off < CFG_SIZE; off += 4)
		cfg_write(&space, off, 4, 0xa5a5a5a5);
	assert_memory_not_equal(&before, &space, sizeof(space));
	assert_int_equal(cfg_command(&space), 0x0505);
	cfg_reset(&space);
	assert_memory_equal(&before, &space, sizeof(space));
	assert_int_equal(cfg_command(&space), 0);
}

/* Every id that Linux knows has a name here, and a reason. */
static void known_ids(void **state)
{
	(void)state;
	for (uint16_t id = 1; id <= PCI_CAP_ID_MAX; id++)
		assert_string_not_equal(cfg_cap_name(false, id), "unknown");
	for (uint16_t id = 1; id <= PCI_EXT_CAP_ID_MAX; id++)
		assert_string_not_equal(cfg_cap_name(true, id), "unknown");
	assert_string_equal(cfg_cap_name(false, 0xfe), "unknown");
	assert_string_equal(cfg_cap_name(true, 0xfffe), "unknown");
}

/* Pin, its status and DisINTx, with INTx and without. */
static void intx(void **state)
{
	struct cfg_place place = { .behind_port = true };
	static struct cfg_layout l;
	static struct cfg_space s;
	struct cfg_write w;

	(void)state;
	assert_int_equal(recorded_layout("e1000e", &l), 0);
	for (unsigned pin = 0; pin < 8; pin++) {
		const bool has = pin >= 1 && pin <= 4;

		place.intx_pin = (uint8_t)pin;
		cfg_compose_endpoint(&s, &l, &place);
		assert_int_equal(cfg_read(&s, 0x3d, 1).value, has ? pin : 0);
		assert_int_equal(cfg_read(&s, 0x06, 2).hw_mask, has ? 8 : 0);
		cfg_write(&s, 0x3d, 1, 0xff);
		assert_int_equal(cfg_read(&s, 0x3d, 1).value, has ? pin : 0);
		w = cfg_write(&s, 0x04, 2, 0x0400);
		assert_true(w.forward && (w.hw_value & 0x0400));
		assert_int_equal(w.events, CFG_EV_COMMAND);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_write),
		cmocka_unit_test(live_bits),
		cmocka_unit_test(places),
		cmocka_unit_test(type_and_link),
		cmocka_unit_test(version_1_is_short),
		cmocka_unit_test(msi_state),
		cmocka_unit_test(msi_shapes),
		cmocka_unit_test(msi_vectors),
		cmocka_unit_test(errors_are_not_sent_back),
		cmocka_unit_test(msix_state),
		cmocka_unit_test(msix_misplaced),
		cmocka_unit_test(reset_brings_all_back),
		cmocka_unit_test(known_ids),
		cmocka_unit_test(intx),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
