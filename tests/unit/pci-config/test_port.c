/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our own root port and host bridge, and the SR-IOV capability read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/pci-config/recorded.h"

static struct cfg_space space;

#define EXP 0x40u

static void quiet_port(void **state)
{
	(void)state;
	cfg_compose_root_port(&space,
	                      &(struct cfg_port){ .slot = 5, .port = 6 });
	assert_int_equal(cfg_read(&space, 0x00, 4).value, 0x000c1b36);
	assert_int_equal(cfg_read(&space, 0x08, 4).value, 0x06040000);
	assert_int_equal(cfg_read(&space, 0x0e, 1).value, 1);
	assert_int_equal(cfg_read(&space, 0x34, 1).value, EXP);
	/* The one capability: Express v2, root port, slot; no interrupt. */
	assert_int_equal(cfg_read(&space, EXP, 4).value, 0x01420010);
	assert_int_equal(cfg_read(&space, 0x3d, 1).value, 0);
	assert_false(cfg_msi_state(&space).enabled);
	/* 2.5 GT/s x1, port 6, link active and reported so. */
	assert_int_equal(cfg_read(&space, EXP + 0x0c, 4).value, 0x06100011);
	assert_int_equal(cfg_read(&space, EXP + 0x12, 2).value, 0x2011);
	/* Slot 5, occupied, no hot plug. */
	assert_int_equal(cfg_read(&space, EXP + 0x14, 4).value,
	                 5u << 19 | 1u << 18);
	assert_int_equal(cfg_read(&space, EXP + 0x1a, 2).value, 0x40);
	assert_int_equal(cfg_write(&space, EXP + 0x18, 4, UINT32_MAX).events,
	                 0);
	assert_int_equal(cfg_read(&space, CFG_SIZE_PCI, 4).value, 0);
}

static void hotplug_port(void **state)
{
	struct cfg_msi_state m;

	(void)state;
	cfg_compose_root_port(
		&space, &(struct cfg_port){ .slot = 255, .hotplug = true });
	assert_int_equal(cfg_read(&space, EXP + 0x14, 4).value,
	                 255u << 19 | 1u << 18 | 0x7b);
	/* Slot Control raises its event even when nothing changes. */
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(
			cfg_write(&space, EXP + 0x18, 2, 0x1028).events,
			CFG_EV_SLOT);
	assert_int_equal(cfg_read(&space, EXP + 0x18, 2).value, 0x1028);
	/* Slot Status: RW1C; presence stays. */
	store_le(space.now + EXP + 0x1a, 2, 0x014b);
	assert_int_equal(cfg_write(&space, EXP + 0x1a, 2, 0x0008).events,
	                 CFG_EV_SLOT);
	assert_int_equal(cfg_read(&space, EXP + 0x1a, 2).value, 0x0143);
	cfg_write(&space, EXP + 0x1a, 2, 0xffff);
	assert_int_equal(cfg_read(&space, EXP + 0x1a, 2).value, 0x0040);
	/* All of Slot Control that is there; command completed is not. */
	cfg_write(&space, EXP + 0x18, 2, 0xffff);
	assert_int_equal(cfg_read(&space, EXP + 0x18, 2).value, 0x17eb);
	/* MSI follows Express and ends the chain. */
	assert_int_equal(cfg_read(&space, EXP + 1, 1).value, 0x80);
	assert_int_equal(cfg_read(&space, 0x80, 4).value, 0x00800005);
	cfg_write(&space, 0x84, 4, 0xfee00000);
	cfg_write(&space, 0x8c, 2, 0x30);
	assert_int_equal(cfg_write(&space, 0x82, 2, 1).events, CFG_EV_MSI);
	m = cfg_msi_state(&space);
	assert_true(m.enabled);
	assert_int_equal(m.vectors, 1);
	assert_true(m.addr == 0xfee00000);
	assert_int_equal(m.data, 0x30);
}

/* ---- the slot, as pciehp of Linux uses it
 * ------------------------------------
 */

enum {
	LNKCTL = EXP + 0x10,
	LNKSTA = EXP + 0x12,
	SLTCTL = EXP + 0x18,
	SLTSTA = EXP + 0x1a,
	ABP = 1 << 0,
	PDC = 1 << 3,
	PDS = 1 << 6,
	DLLSC = 1 << 8,
	POWER_OFF = 1 << 10,
	/* Link, hot plug and button; with a button, presence is not asked. */
	ENABLES = 1 << 12 | 1 << 5 | 1 << 0,
};

static uint32_t reg(unsigned off)
{
	return cfg_read(&space, off, 2).value;
}

static uint32_t control(uint32_t set, uint32_t clear)
{
	return cfg_write(&space, SLTCTL, 2, (reg(SLTCTL) & ~clear) | set)
	        .events;
}

/* An interrupt's handler: clears what it finds until nothing is left. */
static uint32_t isr(void)
{
	uint32_t all = 0, now;

	while ((now = reg(SLTSTA) & (ABP | 2 | PDC | 0x10 | DLLSC))) {
		all |= now;
		cfg_write(&space, SLTSTA, 2, now);
	}
	assert_false(cfg_port_interrupt(&space));
	return all;
}

static void compose_slot(bool empty)
{
	cfg_compose_root_port(&space, &(struct cfg_port){ .slot = 1,
	                                                  .hotplug = true,
	                                                  .empty = empty,
	                                                  .link_speed = 3,
	                                                  .link_width = 4 });
}

static void slot_at_reset(void **state)
{
	struct cfg_slot t;

	(void)state;
	compose_slot(false);
	t = cfg_port_slot(&space);
	assert_true(t.present && t.link && t.powered);
	assert_int_equal(t.power_led, 1);
	assert_int_equal(t.attention_led, 3);
	assert_int_equal(reg(LNKSTA), 0x2043);
	assert_int_equal(reg(SLTSTA), PDS);

	compose_slot(true);
	t = cfg_port_slot(&space);
	assert_false(t.present || t.link || t.powered);
	assert_int_equal(t.power_led, 3);
	assert_int_equal(t.attention_led, 3);
	assert_int_equal(reg(LNKSTA), 0);
	assert_int_equal(reg(SLTSTA), 0);
	assert_int_equal(cfg_read(&space, EXP + 0x0c, 4).value & 0x3ff, 0x043);
	assert_false(cfg_port_interrupt(&space));
}

/* What is in the slot outlives a reset of the machine; its events do not. */
static void slot_over_reset(void **state)
{
	(void)state;
	compose_slot(true);
	cfg_port_set_link(&space, &(struct cfg_port){ .link_speed = 4,
	                                              .link_width = 16 });
	cfg_port_set_present(&space, true);
	assert_int_equal(reg(SLTSTA), PDS | PDC);
	cfg_reset(&space);
	assert_int_equal(reg(SLTSTA), PDS);
	assert_int_equal(reg(LNKSTA), 0x2104);
	assert_true(cfg_port_slot(&space).powered);

	cfg_port_set_present(&space, false);
	assert_int_equal(reg(SLTSTA), PDC | DLLSC);
	cfg_reset(&space);
	assert_int_equal(reg(SLTSTA), 0);
	assert_int_equal(reg(LNKSTA), 0);
	assert_false(cfg_port_slot(&space).powered);
}

static void slot_add(void **state)
{
	(void)state;
	compose_slot(true);
	control(ENABLES, 0);
	cfg_port_set_link(
		&space, &(struct cfg_port){ .link_speed = 1, .link_width = 1 });
	assert_int_equal(reg(LNKSTA), 0);
	cfg_port_set_present(&space, true);
	/* No power: no link; and its presence alone is not asked for. */
	assert_int_equal(reg(LNKSTA), 0);
	assert_false(cfg_port_interrupt(&space));
	cfg_port_press(&space);
	assert_true(cfg_port_interrupt(&space));
	assert_int_equal(isr(), ABP | PDC);
	/* Power on, and the link comes. */
	assert_int_equal(control(0, POWER_OFF), CFG_EV_SLOT);
	assert_true(cfg_port_slot(&space).link);
	assert_int_equal(reg(LNKSTA), 0x2011);
	assert_true(cfg_port_interrupt(&space));
	assert_int_equal(isr(), DLLSC);
	/* The same again is no event. */
	cfg_port_set_present(&space, true);
	assert_int_equal(reg(SLTSTA), PDS);
}

static void slot_asked(void **state)
{
	(void)state;
	compose_slot(false);
	control(ENABLES, 0);
	assert_false(cfg_port_interrupt(&space));
	cfg_port_press(&space);
	assert_true(cfg_port_interrupt(&space));
	assert_int_equal(isr(), ABP);
	control(2 << 8, 1 << 8); /* blinks */
	assert_int_equal(cfg_port_slot(&space).power_led, 2);
	assert_true(cfg_port_slot(&space).link);
	assert_int_equal(control(POWER_OFF, 0), CFG_EV_SLOT);
	assert_false(cfg_port_slot(&space).powered);
	assert_false(cfg_port_slot(&space).link);
	assert_true(cfg_port_slot(&space).present);
	assert_int_equal(isr(), DLLSC);
	cfg_port_set_present(&space, false);
	assert_int_equal(reg(SLTSTA), PDC);
	assert_false(cfg_port_interrupt(&space));
}

static void slot_surprise(void **state)
{
	(void)state;
	compose_slot(false);
	control(ENABLES, 0);
	cfg_port_set_present(&space, false);
	assert_false(cfg_port_slot(&space).link);
	assert_true(cfg_port_slot(&space).powered);
	assert_true(cfg_port_interrupt(&space));
	/* Each event with its own enable, and none without Hot-Plug's. */
	control(0, 1 << 12);
	assert_false(cfg_port_interrupt(&space));
	control(PDC, 0);
	assert_true(cfg_port_interrupt(&space));
	control(0, 1 << 5);
	assert_false(cfg_port_interrupt(&space));
	/* Power stayed on, so a function that comes has a link at once. */
	cfg_port_set_present(&space, true);
	assert_true(cfg_port_slot(&space).link);
}

static void slot_link_disabled(void **state)
{
	(void)state;
	compose_slot(false);
	assert_int_equal(cfg_write(&space, LNKCTL, 2, 0x10).events,
	                 CFG_EV_SLOT);
	assert_false(cfg_port_slot(&space).link);
	assert_int_equal(reg(SLTSTA), PDS | DLLSC);
	assert_int_equal(isr(), DLLSC);
	/* A byte, and beside others. */
	cfg_write(&space, LNKCTL, 1, 0);
	assert_true(cfg_port_slot(&space).link);
	cfg_write(&space, LNKCTL, 4, 0xffff0010);
	assert_false(cfg_port_slot(&space).link);
}

/* A port that takes nothing in and out, an endpoint, the host bridge. */
static void slot_of_others(void **state)
{
	static const struct cfg_place place = { .behind_port = true };
	static struct cfg_space was;
	struct cfg_layout l;

	(void)state;
	for (unsigned k = 0; k < 3; k++) {
		if (k == 0)
			cfg_compose_root_port(&space, &(struct cfg_port){ 0 });
		else if (k == 1)
			cfg_compose_host_bridge(&space);
		else if (recorded_layout("nvme", &l) == 0)
			cfg_compose_endpoint(&space, &l, &place);
		was = space;
		cfg_port_set_present(&space, false);
		cfg_port_press(&space);
		if (k)
			cfg_port_set_link(&space, &(struct cfg_port){ 0 });
		assert_memory_equal(&space, &was, sizeof(was));
		assert_false(cfg_port_interrupt(&space));
		assert_int_equal(cfg_port_slot(&space).present, k == 0);
		assert_int_equal(cfg_port_slot(&space).link, k == 0);
	}
}

static void links(void **state)
{
	static const struct {
		uint16_t speed, width, cap, speeds;
	} cases[] = { { 0, 0, 0x011, 0x02 },  { 1, 1, 0x011, 0x02 },
		      { 3, 8, 0x083, 0x0e },  { 5, 16, 0x105, 0x3e },
		      { 6, 32, 0x206, 0x7e }, { 99, 99, 0x206, 0x7e } };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct cfg_port port = { .link_speed = cases[i].speed,
			                       .link_width = cases[i].width };

		cfg_compose_root_port(&space, &port);
		assert_int_equal(cfg_read(&space, EXP + 0x0c, 2).value,
		                 cases[i].cap);
		assert_int_equal(cfg_read(&space, EXP + 0x12, 2).value,
		                 cases[i].cap | 0x2000);
		assert_int_equal(cfg_read(&space, EXP + 0x2c, 4).value,
		                 cases[i].speeds);
	}
}

static void buses_and_windows(void **state)
{
	struct cfg_bridge b;

	(void)state;
	cfg_compose_root_port(&space, &(struct cfg_port){ 0 });
	assert_int_equal(cfg_write(&space, 0x18, 4, 0xff070503).events,
	                 CFG_EV_BRIDGE);
	assert_int_equal(cfg_write(&space, 0x18, 4, 0x00070503).events, 0);
	b = cfg_bridge_buses(&space);
	assert_int_equal(b.primary, 3);
	assert_int_equal(b.secondary, 5);
	assert_int_equal(b.subordinate, 7);
	assert_false(b.reset);
	assert_int_equal(cfg_read(&space, 0x1b, 1).value, 0);
	cfg_write(&space, 0x1c, 4, UINT32_MAX);
	cfg_write(&space, 0x20, 4, UINT32_MAX);
	cfg_write(&space, 0x24, 4, UINT32_MAX);
	assert_int_equal(cfg_read(&space, 0x1c, 4).value, 0x0000f0f0);
	assert_int_equal(cfg_read(&space, 0x20, 4).value, 0xfff0fff0);
	assert_int_equal(cfg_read(&space, 0x24, 4).value, 0xfff1fff1);
	assert_int_equal(cfg_write(&space, 0x3e, 2, 0xffff).events,
	                 CFG_EV_BRIDGE);
	assert_true(cfg_bridge_buses(&space).reset);
	assert_int_equal(cfg_read(&space, 0x3e, 2).value, 0x5f);
	cfg_reset(&space);
	b = cfg_bridge_buses(&space);
	assert_int_equal(b.secondary, 0);
	assert_false(b.reset);
}

/* Nothing of ours ever asks for a device that is not there. */
static void nothing_forwarded(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 3; k++) {
		const struct cfg_port port = { .hotplug = k == 1 };

		if (k == 2)
			cfg_compose_host_bridge(&space);
		else
			cfg_compose_root_port(&space, &port);
		for (unsigned off = 0; off < CFG_SIZE; off++) {
			assert_false(cfg_write(&space, off, 4, ~0u).forward);
			assert_int_equal(cfg_read(&space, off, 1).hw_mask, 0);
		}
	}
}

static void host_bridge(void **state)
{
	(void)state;
	cfg_compose_host_bridge(&space);
	assert_int_equal(cfg_read(&space, 0x00, 4).value, 0x00081b36);
	assert_int_equal(cfg_read(&space, 0x08, 4).value, 0x06000000);
	assert_int_equal(cfg_read(&space, 0x0e, 1).value, 0);
	assert_int_equal(cfg_read(&space, 0x06, 2).value, 0);
	for (unsigned off = 0; off < CFG_SIZE; off += 4)
		assert_int_equal(cfg_write(&space, off, 4, ~0u).events, 0);
	for (unsigned off = 0x10; off < 0x3c; off += 4)
		assert_int_equal(cfg_read(&space, off, 4).value, 0);
}

/* ---- SR-IOV -------------------------------------------------------------- */

static void sriov(void **state)
{
	struct cfg_sriov v = { .total_vfs = 77 };
	struct recorded r;

	(void)state;
	assert_int_equal(recorded_read("hidden-middle", &r), 0);
	assert_int_equal(cfg_sriov_decode(r.raw, r.size, &v), 0);
	assert_true(v.enabled);
	assert_int_equal(v.initial_vfs, 8);
	assert_int_equal(v.total_vfs, 16);
	assert_int_equal(v.num_vfs, 4);
	assert_int_equal(v.offset, 0x80);
	assert_int_equal(v.stride, 2);
	assert_int_equal(v.vf_device, 0x1002);
	assert_int_equal(v.page_size, 4096);

	assert_int_equal(recorded_read("nvme", &r), 0);
	assert_int_equal(cfg_sriov_decode(r.raw, r.size, &v), 0);
	assert_int_equal(v.total_vfs, 4);
	assert_false(v.enabled);
}

static void sriov_absent(void **state)
{
	struct cfg_sriov v = { .total_vfs = 77 };
	struct recorded r;

	(void)state;
	assert_int_equal(recorded_read("e1000e", &r), 0);
	assert_int_equal(cfg_sriov_decode(r.raw, r.size, &v), -ENOENT);
	assert_int_equal(cfg_sriov_decode(r.raw, CFG_SIZE_PCI, &v), -ENOENT);
	/* Too near the end to be one. */
	memset(r.raw + 0x100, 0, CFG_SIZE - 0x100);
	store_le(r.raw + 0x100, 4, 0xfc410003);
	store_le(r.raw + 0xfc4, 4, 0x00010010);
	assert_int_equal(cfg_sriov_decode(r.raw, r.size, &v), -ENOENT);
	store_le(r.raw + 0x100, 4, 0xfc010003);
	store_le(r.raw + 0xfc0, 4, 0x00010010);
	store_le(r.raw + 0xfe0, 4, 3); /* two page sizes: neither */
	assert_int_equal(v.total_vfs, 77);
	assert_int_equal(cfg_sriov_decode(r.raw, r.size, &v), 0);
	assert_int_equal(v.page_size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quiet_port),
		cmocka_unit_test(hotplug_port),
		cmocka_unit_test(slot_at_reset),
		cmocka_unit_test(slot_over_reset),
		cmocka_unit_test(slot_add),
		cmocka_unit_test(slot_asked),
		cmocka_unit_test(slot_surprise),
		cmocka_unit_test(slot_link_disabled),
		cmocka_unit_test(slot_of_others),
		cmocka_unit_test(links),
		cmocka_unit_test(buses_and_windows),
		cmocka_unit_test(nothing_forwarded),
		cmocka_unit_test(host_bridge),
		cmocka_unit_test(sriov),
		cmocka_unit_test(sriov_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
