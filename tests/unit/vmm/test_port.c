/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A root port as a guest's driver sees it: when a message comes, when what is
 * behind it answers, is reset, or may go. Messages are counted here. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vmm/port.h"

#define BUS 5
/* In the Express capability, PCIe 6.0 7.5.3. */
enum {
	LINK_CONTROL = 0x10,
	SLOT_CONTROL = 0x18,
	SLOT_STATUS = 0x1a,
};
#define BUTTON BIT(0)
#define HOTPLUG_IRQ BIT(5)
#define LINK_CHANGE BIT(12)
#define POWER_OFF BIT(10)
#define LED(v) ((uint32_t)(v) << 8)
enum {
	ON = 1,
	BLINK = 2,
	OFF = 3,
};

static unsigned messages;

void kvm_signal_msi(struct vm *vm, uint64_t addr, uint32_t data)
{
	(void)vm;
	assert_int_equal(addr, 0xfee00000);
	assert_int_equal(data, 0x41);
	messages++;
}

static struct port_order control(struct port *p, uint32_t value)
{
	return port_write(p, p->cfg.express + SLOT_CONTROL, 2, value);
}

static void acknowledge(struct port *p)
{
	(void)port_write(p, p->cfg.express + SLOT_STATUS, 2, 0xffff);
}

#define LISTEN (BUTTON | HOTPLUG_IRQ | LINK_CHANGE)

/* With MSI on and bus mastering, as a driver leaves it. */
static void make(struct port *p, bool empty)
{
	const struct cfg_port c = {
		.slot = 3, .port = 3, .hotplug = true, .empty = empty
	};
	unsigned msi;

	messages = 0;
	port_init(p, NULL, &c);
	msi = p->cfg.msi.cap;
	(void)port_write(p, 0x18, 4, BUS << 16 | BUS << 8);
	(void)port_write(p, 0x04, 2, 0x6);
	(void)port_write(p, msi + 4, 4, 0xfee00000);
	(void)port_write(p, msi + 12, 2, 0x41);
	(void)port_write(p, msi + 2, 2, 1);
	(void)control(p, LISTEN | (empty ? POWER_OFF | LED(OFF) : LED(ON)));
	assert_int_equal(messages, 0);
	assert_int_equal(port_forwards(p, BUS), !empty);
}

static void something_comes(void **state)
{
	const struct cfg_port link = { .link_speed = 3, .link_width = 4 };
	struct port_order o;
	struct port p;

	(void)state;
	make(&p, true);
	port_insert(&p, &link);
	assert_int_equal(messages, 1);
	assert_false(port_forwards(&p, BUS));
	/* A driver that writes the same orders first does not eject it. */
	o = control(&p, LISTEN | POWER_OFF | LED(OFF));
	assert_false(o.eject || o.reset || o.dark);
	acknowledge(&p);
	o = control(&p, LISTEN | LED(BLINK));
	assert_false(o.eject || o.reset);
	assert_true(port_forwards(&p, BUS));
	assert_false(port_forwards(&p, BUS + 1));
	/* The link has come up: the next event, the next message. */
	assert_int_equal(messages, 2);
}

static void asked_and_let_go(void **state)
{
	struct port_order o;
	struct port p;

	(void)state;
	make(&p, false);
	port_press(&p);
	assert_int_equal(messages, 1);
	/* Another event while one stands: no message until it is cleared. */
	port_press(&p);
	assert_int_equal(messages, 1);
	acknowledge(&p);
	o = control(&p, LISTEN | LED(BLINK));
	assert_false(o.eject || o.reset);
	o = control(&p, LISTEN | LED(BLINK) | POWER_OFF);
	assert_true(o.reset && o.dark);
	assert_false(o.eject);
	assert_false(port_forwards(&p, BUS));
	acknowledge(&p);
	o = control(&p, LISTEN | LED(OFF) | POWER_OFF);
	assert_true(o.eject);
	assert_false(o.reset || o.dark);
	o = control(&p, LISTEN | LED(OFF) | POWER_OFF);
	assert_false(o.eject || o.reset);
	port_remove(&p);
	assert_false(port_forwards(&p, BUS));
}

/* Off and on: what is there is reset once, and stays. */
static void power_cycle(void **state)
{
	struct port p;

	(void)state;
	make(&p, false);
	for (int i = 0; i < 1000; i++) {
		struct port_order o = control(&p, LISTEN | LED(ON) | POWER_OFF);

		assert_true(o.reset && !o.eject);
		assert_false(port_forwards(&p, BUS));
		o = control(&p, LISTEN | LED(ON));
		assert_false(o.reset || o.eject);
		assert_true(port_forwards(&p, BUS));
	}
}

static void link_disabled(void **state)
{
	struct port_order o;
	struct port p;

	(void)state;
	make(&p, false);
	o = port_write(&p, p.cfg.express + LINK_CONTROL, 2, BIT(4));
	assert_true(o.reset && !o.eject);
	assert_false(port_forwards(&p, BUS));
	o = port_write(&p, p.cfg.express + LINK_CONTROL, 2, 0);
	assert_false(o.reset || o.eject);
	assert_true(port_forwards(&p, BUS));
}

static void bus_reset(void **state)
{
	struct port p;

	(void)state;
	make(&p, false);
	assert_true(port_write(&p, 0x3e, 2, BIT(6)).reset);
	assert_false(port_write(&p, 0x3e, 2, BIT(6)).reset);
	assert_false(port_forwards(&p, BUS));
	assert_false(port_write(&p, 0x3e, 2, 0).reset);
	assert_true(port_forwards(&p, BUS));
}

/* A guest must not keep busy what it has lost, nor what has no power. */
static void bus_reset_of_nobody(void **state)
{
	struct port p;

	(void)state;
	make(&p, false);
	port_remove(&p);
	assert_false(port_write(&p, 0x3e, 2, BIT(6)).reset);
	assert_false(port_write(&p, 0x3e, 2, 0).reset);
	make(&p, false);
	assert_true(control(&p, LISTEN | POWER_OFF | LED(ON)).reset);
	assert_false(port_write(&p, 0x3e, 2, BIT(6)).reset);
}

static void pulled_out(void **state)
{
	struct port p;

	(void)state;
	make(&p, false);
	port_remove(&p);
	assert_int_equal(messages, 1);
	assert_false(port_forwards(&p, BUS));
	/* The machine's reset finds it as it is now. */
	port_reset(&p);
	assert_false(cfg_port_slot(&p.cfg).present);
	assert_int_equal(messages, 1);
}

static void nobody_listens(void **state)
{
	const struct cfg_port c = { .slot = 3, .port = 3, .hotplug = true };
	struct port p;

	(void)state;
	messages = 0;
	port_init(&p, NULL, &c);
	port_press(&p);
	port_remove(&p);
	port_insert(&p, &c);
	assert_int_equal(messages, 0);
	/* Enabling an interrupt whose event stands is an edge, but without MSI
	 * there is no message, and none later for the same edge. */
	(void)control(&p, LISTEN);
	assert_int_equal(messages, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(something_comes),
		cmocka_unit_test(asked_and_let_go),
		cmocka_unit_test(power_cycle),
		cmocka_unit_test(link_disabled),
		cmocka_unit_test(bus_reset),
		cmocka_unit_test(bus_reset_of_nobody),
		cmocka_unit_test(pulled_out),
		cmocka_unit_test(nobody_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
