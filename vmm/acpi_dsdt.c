/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The DSDT: what the machine has that cannot be found by looking. Everything
 * behind the host bridge enumerates itself, but for where interrupt pins end.
 */

#include <stdio.h>

#include "vmm/acpi.h"
#include "vmm/rtc.h"

/* _OSC, PCI Firmware 3.3, 4.5.1: bits of the control field that the system may
 * have. AER and hot plug are the kernel's business; PME needs an interrupt,
 * which our ports have with hot plug only. */
enum {
	OSC_HOTPLUG = 1 << 0,
	OSC_AER = 1 << 3,
	OSC_CAPABILITY = 1 << 4,
	OSC_GRANTED = OSC_HOTPLUG | OSC_AER | OSC_CAPABILITY,
	/* Of the first dword: what the answer says. */
	OSC_BAD_UUID = 1 << 2,
	OSC_BAD_REVISION = 1 << 3,
	OSC_MASKED = 1 << 4,
};
#define OSC_UUID "33DB4D5B-1FF7-401C-9657-7441C03DD766"

static void name_int(struct aml *a, const char *name, uint64_t v)
{
	aml_name(a, name);
	aml_int(a, v);
}

static void name_eisaid(struct aml *a, const char *name, const char *id)
{
	aml_name(a, name);
	aml_eisaid(a, id);
}

/* dword |= bits */
static void set_bits(struct aml *a, const char *field, unsigned bits)
{
	aml_op(a, AML_OR);
	aml_namestring(a, field);
	aml_int(a, bits);
	aml_namestring(a, field);
}

/* If (!(x == y)) { dword |= bits }, for x and y written by the caller. */
static size_t if_unequal(struct aml *a)
{
	size_t open = aml_if(a);

	aml_op(a, AML_NOT);
	aml_op(a, AML_EQUAL);
	return open;
}

static void osc_control(struct aml *a)
{
	size_t open;

	aml_dword_field(a, 3, 8, "CDW3");
	/* Local0 = CDW3 & granted */
	aml_op(a, AML_AND);
	aml_namestring(a, "CDW3");
	aml_int(a, OSC_GRANTED);
	aml_local(a, 0);

	open = if_unequal(a);
	aml_arg(a, 1);
	aml_int(a, 1);
	set_bits(a, "CDW1", OSC_BAD_REVISION);
	aml_end(a, open);

	open = if_unequal(a);
	aml_local(a, 0);
	aml_namestring(a, "CDW3");
	set_bits(a, "CDW1", OSC_MASKED);
	aml_end(a, open);

	aml_op(a, AML_STORE);
	aml_local(a, 0);
	aml_namestring(a, "CDW3");
}

static void add_osc(struct aml *a)
{
	/* Serialized: it makes names. */
	size_t method = aml_method(a, "_OSC", 4, true), open;

	aml_dword_field(a, 3, 0, "CDW1");
	open = aml_if(a);
	aml_op(a, AML_EQUAL);
	aml_arg(a, 0);
	aml_uuid(a, OSC_UUID);
	osc_control(a);
	aml_end(a, open);
	open = aml_else(a);
	set_bits(a, "CDW1", OSC_BAD_UUID);
	aml_end(a, open);
	aml_op(a, AML_RETURN);
	aml_arg(a, 3);
	aml_end(a, method);
}

/* _PRT, 6.2.13: pins of bus 0's devices. Those of what is behind a port arrive
 * at the port's own, rotated by the device number below (PCI-to-PCI Bridge
 * 1.2, 9.1), which is 0. Without a source the index is a GSI, level, active
 * low. */
static void add_prt(struct aml *a, uint32_t ports)
{
	const unsigned pins = 4;
	size_t open;

	aml_name(a, "_PRT");
	open = aml_package(a, pins * (unsigned)__builtin_popcount(ports));
	for (uint8_t slot = 1; slot <= VM_SLOTS_MAX; slot++)
		for (unsigned pin = 1; ports & BIT(slot) && pin <= pins;
		     pin++) {
			size_t entry = aml_package(a, 4);

			aml_int(a, (uint32_t)slot << 16 | 0xffff);
			aml_int(a, pin - 1);
			aml_int(a, 0);
			aml_int(a, topology_gsi(slot, pin));
			aml_end(a, entry);
		}
	aml_end(a, open);
}

static void add_host_bridge(struct aml *a, const struct acpi_machine *m)
{
	size_t dev = aml_device(a, "PCI0"), crs;

	name_eisaid(a, "_HID", "PNP0A08"); /* PCI Express */
	name_eisaid(a, "_CID", "PNP0A03");
	name_int(a, "_SEG", 0);
	name_int(a, "_BBN", 0);
	name_int(a, "_UID", 0);
	if (m->n_nodes > 1 && m->pci_node)
		name_int(a, "_PXM", m->pci_node - 1);
	/* DMA is coherent: with no _CCA it would be so as well on x86. */
	crs = aml_crs(a);
	aml_res_buses(a, 0, m->last_bus);
	aml_res_io(a, PORT_PCI_ADDR, 8);
	aml_res_ports(a, 0, PORT_PCI_ADDR - 1);
	aml_res_ports(a, PORT_PCI_ADDR + 8, 0xffff);
	aml_res_window32(a, (uint32_t)MAP_MMIO32, (uint32_t)MAP_MMIO32_END - 1);
	aml_res_window64(a, m->mem64, m->mem64_end - 1, true);
	aml_crs_end(a, crs);
	add_osc(a);
	add_prt(a, m->ports);
	aml_end(a, dev);
}

/* The ECAM must be reserved here, outside the host bridge (PCI Firmware 3.3,
 * 4.1.2), else Linux does not use it; our own ports likewise. */
static void add_board(struct aml *a)
{
	size_t dev = aml_device(a, "MBRD"), crs;

	name_eisaid(a, "_HID", "PNP0C02");
	name_int(a, "_UID", 0);
	crs = aml_crs(a);
	aml_res_memory(a, (uint32_t)MAP_ECAM, (uint32_t)MAP_ECAM_SIZE);
	aml_res_io(a, PORT_ACPI, ACPI_PORTS);
	aml_crs_end(a, crs);
	aml_end(a, dev);
}

static void add_serial(struct aml *a)
{
	size_t dev = aml_device(a, "COM1"), crs;

	name_eisaid(a, "_HID", "PNP0501");
	name_int(a, "_UID", 0);
	crs = aml_crs(a);
	aml_res_io(a, PORT_COM1, 8);
	aml_res_irq(a, GSI_COM1);
	aml_crs_end(a, crs);
	aml_end(a, dev);
}

static void add_rtc(struct aml *a)
{
	size_t dev = aml_device(a, "RTC0"), crs;

	name_eisaid(a, "_HID", "PNP0B00");
	crs = aml_crs(a);
	aml_res_io(a, PORT_RTC, 2);
	aml_res_irq(a, GSI_RTC);
	aml_crs_end(a, crs);
	aml_end(a, dev);
}

/* 5.6.9: an event is an interrupt, and what it is for is _EVT's to say. There
 * is one, so its argument is not looked at. The button is PNP0C0C
 * (4.8.2.2.1.2), 0x80 that it was pressed. */
static void add_button(struct aml *a)
{
	enum {
		PRESSED = 0x80
	};
	size_t dev = aml_device(a, "PWRB"), open;

	name_eisaid(a, "_HID", "PNP0C0C");
	name_int(a, "_UID", 0);
	aml_end(a, dev);

	dev = aml_device(a, "GED0");
	aml_name(a, "_HID");
	aml_string(a, "ACPI0013");
	name_int(a, "_UID", 0);
	open = aml_crs(a);
	aml_res_irq(a, GSI_EVENTS);
	aml_crs_end(a, open);
	open = aml_method(a, "_EVT", 1, true);
	aml_op(a, AML_NOTIFY);
	aml_namestring(a, "PWRB");
	aml_int(a, PRESSED);
	aml_end(a, open);
	aml_end(a, dev);
}

/* panic.c; the name is QEMU's, which kernels know. */
static void add_panic(struct aml *a)
{
	size_t dev = aml_device(a, "PEVT"), crs;

	aml_name(a, "_HID");
	aml_string(a, "QEMU0001");
	crs = aml_crs(a);
	aml_res_io(a, PORT_PANIC, 1);
	aml_crs_end(a, crs);
	aml_end(a, dev);
}

static void add_cpus(struct aml *a, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char name[5];
		size_t dev;

		snprintf(name, sizeof(name), "CP%02X", i & 0xff);
		dev = aml_device(a, name);
		aml_name(a, "_HID");
		aml_string(a, "ACPI0007");
		name_int(a, "_UID", i); /* as in the MADT */
		aml_end(a, dev);
	}
}

void acpi_dsdt(struct aml *a, const struct acpi_machine *m)
{
	size_t open = aml_scope(a, "\\_SB");

	add_host_bridge(a, m);
	add_board(a);
	add_serial(a);
	add_rtc(a);
	add_button(a);
	add_panic(a);
	add_cpus(a, m->cpus);
	aml_end(a, open);
	/* SLP_TYP for soft off; the second value is of hardware we have not. */
	aml_name(a, "\\_S5");
	open = aml_package(a, 2);
	aml_int(a, ACPI_S5);
	aml_int(a, 0);
	aml_end(a, open);
}
