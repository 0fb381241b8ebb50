/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host bridge: which function a cycle reaches, whatever bus numbers a guest
 * gives the ports. The functions are played; the bus and the ports are real. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/vmm/fake_pci.h"
#include "vmm/own.h"

#define PORTS 4u
#define BUSES_REG 0x18
#define BUSES_TRIED 6u

/* ---- what is behind the ports, played ---- */

struct seen {
	uint8_t slot, fn;
	unsigned off, width, cycles;
	uint32_t value;
};
static struct seen seen;

static void see(uint8_t slot, uint8_t fn, unsigned off, unsigned width)
{
	seen.slot = slot;
	seen.fn = fn;
	seen.off = off;
	seen.width = width;
	seen.cycles++;
}

uint32_t assign_cfg_read(struct vm *vm, uint8_t slot, uint8_t fn, unsigned off,
                         unsigned width)
{
	(void)vm;
	see(slot, fn, off, width);
	return (uint32_t)slot << 16 | off;
}

void assign_cfg_write(struct vm *vm, uint8_t slot, uint8_t fn, unsigned off,
                      unsigned width, uint32_t value)
{
	(void)vm;
	see(slot, fn, off, width);
	seen.value = value;
}

void hotplug_eject(struct vm *vm, uint8_t slot)
{
	(void)vm;
	(void)slot;
}

void hotplug_dark(struct vm *vm, uint8_t slot)
{
	(void)vm;
	(void)slot;
}

uint32_t own_cfg_read(struct vm *vm, uint8_t slot, unsigned off, unsigned width)
{
	(void)vm;
	(void)slot;
	(void)off;
	(void)width;
	return UINT32_MAX;
}

bool own_cfg_write(struct vm *vm, uint8_t slot, unsigned off, unsigned width,
                   uint32_t value)
{
	(void)vm;
	(void)slot;
	(void)off;
	(void)width;
	(void)value;
	return false;
}

bool own_bus_reset(struct vm *vm, uint8_t slot)
{
	(void)vm;
	(void)slot;
	return false;
}

/* ---- a machine with ports 1 to PORTS, all of them with something behind ----
 */

static int setup(void **state)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	struct diag d;

	if (!vm || bus_new(&vm->mmio) < 0 || bus_new(&vm->pio) < 0)
		return -1;
	for (unsigned i = 0; i < PORTS; i++) {
		vm->cfg.device[i].slot = (uint8_t)(i + 1);
		vm->ports |= BIT(i + 1);
	}
	vm->cfg.n_devices = PORTS;
	*state = vm;
	seen = (struct seen){ 0 };
	return pci_host_new(vm, &vm->pci, &d);
}

static int teardown(void **state)
{
	struct vm *vm = *state;

	pci_host_free(vm->pci);
	bus_free(vm->mmio);
	bus_free(vm->pio);
	free(vm);
	return 0;
}

static uint64_t ecam(unsigned bus, unsigned dev, unsigned fn, unsigned off)
{
	return MAP_ECAM + (bus << 20 | dev << 15 | fn << 12 | off);
}

static uint32_t get(struct vm *vm, uint64_t at, unsigned width)
{
	uint64_t v;

	assert_int_equal(bus_read(vm->mmio, at, width, &v), EXIT_CONFIG);
	return (uint32_t)v;
}

static void set_bus(struct vm *vm, unsigned slot, unsigned bus)
{
	bus_write(vm->mmio, ecam(0, slot, 0, BUSES_REG), 4,
	          bus << 16 | bus << 8);
}

/* ---- tests ---- */

/* The first port that has the bus, asked of the ports' own registers. */
static unsigned whose(struct vm *vm, unsigned bus)
{
	for (unsigned slot = 1; slot <= PORTS; slot++) {
		uint32_t v = get(vm, ecam(0, slot, 0, BUSES_REG), 4);

		if (bus && (v >> 8 & 0xff) == bus && (v >> 16 & 0xff) >= bus)
			return slot;
	}
	return 0;
}

static void expect(struct vm *vm, unsigned bus)
{
	const unsigned slot = whose(vm, bus);
	uint32_t v;

	seen = (struct seen){ 0 };
	v = get(vm, ecam(bus, 0, 3, 0x44), 2);
	assert_int_equal(seen.cycles, slot != 0);
	if (slot) {
		assert_int_equal(seen.slot, slot);
		assert_int_equal(seen.fn, 3);
		assert_int_equal(seen.off, 0x44);
		assert_int_equal(seen.width, 2);
		assert_int_equal(v, 0x44);
	} else {
		assert_int_equal(v, 0xffff);
	}
	/* A link leads to device 0 and to no other. */
	seen = (struct seen){ 0 };
	bus_write(vm->mmio, ecam(bus, 1, 0, 0x44), 2, 1);
	assert_int_equal(seen.cycles, 0);
}

static void any_bus_numbers(void **state)
{
	struct vm *vm = *state;

	for (unsigned bus = 1; bus <= PORTS; bus++)
		assert_int_equal(whose(vm, bus), bus);
	srandom(1);
	for (unsigned n = 0; n < 20000; n++) {
		unsigned slot = 1 + (unsigned)random() % PORTS;

		/* Two ports on one bus, a bus that nobody has, and 0. */
		set_bus(vm, slot, (unsigned)random() % BUSES_TRIED);
		if (random() % 64 == 0)
			pci_host_reset(vm->pci);
		else if (random() % 8 == 0)
			/* Secondary alone: it may be above subordinate. */
			bus_write(vm->mmio, ecam(0, slot, 0, BUSES_REG + 1), 1,
			          (uint64_t)random() % BUSES_TRIED);
		for (unsigned bus = 1; bus < BUSES_TRIED; bus++)
			expect(vm, bus);
	}
}

/* What has gone is not reached, what comes is, once the guest gives it power.
 */
static void comes_and_goes(void **state)
{
	struct vm *vm = *state;

	assert_true(pci_host_has(vm->pci, 2));
	assert_false(pci_host_has(vm->pci, PORTS + 1));
	assert_false(pci_host_has(vm->pci, 0));
	assert_false(pci_host_has(vm->pci, 255));
	set_bus(vm, 3, 2);
	expect(vm, 2);
	pci_host_remove(vm->pci, 2);
	/* The other port of the bus has it now. */
	get(vm, ecam(2, 0, 0, 0), 4);
	assert_int_equal(seen.slot, 3);
	pci_host_remove(vm->pci, 3);
	seen = (struct seen){ 0 };
	assert_int_equal(get(vm, ecam(2, 0, 0, 0), 4), UINT32_MAX);
	assert_int_equal(seen.cycles, 0);
	pci_host_insert(vm->pci, 2);
	get(vm, ecam(2, 0, 0, 0), 4);
	assert_int_equal(seen.slot, 2);
}

static void own_bus(void **state)
{
	struct vm *vm = *state;

	/* The bridge, the ports, and nobody else. */
	assert_int_not_equal(get(vm, ecam(0, 0, 0, 0), 4), UINT32_MAX);
	for (unsigned dev = 0; dev < 32; dev++)
		for (unsigned fn = 0; fn < 8; fn++)
			assert_int_equal(get(vm, ecam(0, dev, fn, 0), 4) !=
			                         UINT32_MAX,
			                 dev <= PORTS && !fn);
	assert_int_equal(seen.cycles, 0);
}

static void widths(void **state)
{
	struct vm *vm = *state;
	uint64_t v;

	bus_read(vm->mmio, ecam(1, 0, 0, 0x10), 8, &v);
	assert_true(v == 0x0001001400010010);
	bus_write(vm->mmio, ecam(1, 0, 0, 0x10), 8, 0x1122334455667788);
	assert_int_equal(seen.off, 0x14);
	assert_int_equal(seen.width, 4);
	assert_int_equal(seen.value, 0x11223344);
}

/* 0xCF8 and 0xCFC reach the same functions. */
static void by_ports(void **state)
{
	struct vm *vm = *state;
	uint64_t v;

	bus_write(vm->pio, PORT_PCI_ADDR, 4, BIT(31) | 2 << 16 | 5 << 8 | 0x40);
	bus_read(vm->pio, PORT_PCI_DATA + 2, 2, &v);
	assert_int_equal(v, 0x42);
	assert_int_equal(seen.slot, 2);
	assert_int_equal(seen.fn, 5);
	bus_write(vm->pio, PORT_PCI_DATA, 4, 0x12345678);
	assert_int_equal(seen.value, 0x12345678);
	assert_int_equal(seen.off, 0x40);
	/* Without the enable bit nothing is a cycle. */
	seen = (struct seen){ 0 };
	bus_write(vm->pio, PORT_PCI_ADDR, 4, 2 << 16);
	bus_read(vm->pio, PORT_PCI_DATA, 4, &v);
	assert_int_equal(v, UINT32_MAX);
	bus_read(vm->pio, PORT_PCI_ADDR, 4, &v);
	assert_int_equal(v, 2 << 16);
	assert_int_equal(seen.cycles, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(any_bus_numbers, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(comes_and_goes, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(own_bus, setup, teardown),
		cmocka_unit_test_setup_teardown(widths, setup, teardown),
		cmocka_unit_test_setup_teardown(by_ports, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
