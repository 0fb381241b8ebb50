/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ACPI 6.5 tables of a hardware-reduced machine (4.1): RSDP, XSDT, FADT, MADT,
 * MCFG, DSDT; and, with several memory nodes, SRAT and SLIT. There is no PIC,
 * no PM timer, no SCI, no FACS; power goes by the sleep and reset registers of
 * power.c.
 *
 * Tables are written one behind the other; a table is opened, filled, and gets
 * its length and checksum when it is closed. The XSDT is last, when the
 * addresses of the others are known; the RSDP has the first place kept for it.
 */

#include <string.h>

#include "vmm/acpi.h"
#include "vmm/cpus.h"
#include "vmm/rtc.h"

#define OEM_ID "FAIRLD"
#define OEM_TABLE "FAIRLEAD"
#define CREATOR "FLRD"
#define HEADER 36 /* bytes, 5.2.6 */
#define RSDP 36
#define ALIGN 16

enum {
	XSDT_REVISION = 1,
	FADT_REVISION = 6,
	FADT_MINOR = 5,
	MADT_REVISION = 6,
	MCFG_REVISION = 1,
	DSDT_REVISION = 2, /* integers of 64 bits */
};

size_t acpi_table_begin(struct aml *a, const char *signature, unsigned revision)
{
	static const uint8_t zero[ALIGN];
	size_t at;

	aml_bytes(a, zero, ALIGN_UP(a->len, (size_t)ALIGN) - a->len);
	at = a->len;
	aml_bytes(a, signature, 4);
	aml_le(a, 0, 4); /* length, later */
	aml_le(a, revision, 1);
	aml_le(a, 0, 1); /* checksum, later */
	aml_bytes(a, OEM_ID, 6);
	aml_bytes(a, OEM_TABLE, 8);
	aml_le(a, 1, 4);
	aml_bytes(a, CREATOR, 4);
	aml_le(a, 1, 4);
	return at;
}

static uint8_t checksum(const uint8_t *p, size_t n)
{
	uint8_t sum = 0;

	while (n--)
		sum = (uint8_t)(sum + *p++);
	return (uint8_t)-sum;
}

uint64_t acpi_table_end(struct aml *a, size_t at)
{
	if (a->full)
		return 0;
	store_le(a->buf + at + 4, 4, a->len - at);
	a->buf[at + 9] = checksum(a->buf + at, a->len - at);
	return MAP_ACPI + at;
}

/* ---- FADT, 5.2.9 --------------------------------------------------------- */

enum {
	FADT_SIZE = 276,
	FADT_DSDT32 = 40,
	FADT_PROFILE = 45,
	FADT_CENTURY = 108,
	FADT_BOOT_ARCH = 109,
	FADT_FLAGS = 112,
	FADT_RESET_REG = 116,
	FADT_RESET_VALUE = 128,
	FADT_MINOR_VERSION = 131,
	FADT_DSDT = 140,
	FADT_SLEEP_CONTROL = 244,
	FADT_SLEEP_STATUS = 256,
	FADT_HYPERVISOR = 268,

	PROFILE_SERVER = 4,
	/* 5.2.9.3; no legacy devices, no 8042. */
	BOOT_NO_VGA = 1 << 2,
	BOOT_NO_ASPM = 1 << 4,
	/* 5.2.9, table 5.10 */
	FLAG_WBINVD = 1 << 0,
	FLAG_PROC_C1 = 1 << 2,
	FLAG_NO_POWER_BUTTON = 1 << 4,
	FLAG_NO_SLEEP_BUTTON = 1 << 5,
	FLAG_NO_FIXED_RTC = 1 << 6,
	FLAG_RESET_REG = 1 << 10,
	FLAG_HW_REDUCED = 1 << 20,

	GAS_IO = 1,
	GAS_BYTE = 1,
};

/* Generic Address Structure of a byte register at a port, 5.2.3.2. */
static void put_gas(uint8_t *p, uint16_t port)
{
	p[0] = GAS_IO;
	p[1] = 8; /* bits */
	p[2] = 0;
	p[3] = GAS_BYTE;
	store_le(p + 4, 8, port);
}

static uint64_t add_fadt(struct aml *a, uint64_t dsdt)
{
	size_t at = acpi_table_begin(a, "FACP", FADT_REVISION);
	uint8_t *f = a->buf + at;

	aml_bytes(a, NULL, FADT_SIZE - HEADER);
	if (a->full)
		return 0;
	store_le(f + FADT_DSDT32, 4, dsdt);
	f[FADT_PROFILE] = PROFILE_SERVER;
	f[FADT_CENTURY] = RTC_CENTURY;
	store_le(f + FADT_BOOT_ARCH, 2, BOOT_NO_VGA | BOOT_NO_ASPM);
	store_le(f + FADT_FLAGS, 4,
	         FLAG_WBINVD | FLAG_PROC_C1 | FLAG_NO_POWER_BUTTON |
	                 FLAG_NO_SLEEP_BUTTON | FLAG_NO_FIXED_RTC |
	                 FLAG_RESET_REG | FLAG_HW_REDUCED);
	put_gas(f + FADT_RESET_REG, PORT_ACPI + ACPI_RESET);
	f[FADT_RESET_VALUE] = ACPI_RESET_VALUE;
	f[FADT_MINOR_VERSION] = FADT_MINOR;
	store_le(f + FADT_DSDT, 8, dsdt);
	put_gas(f + FADT_SLEEP_CONTROL, PORT_ACPI + ACPI_SLEEP_CONTROL);
	put_gas(f + FADT_SLEEP_STATUS, PORT_ACPI + ACPI_SLEEP_STATUS);
	memcpy(f + FADT_HYPERVISOR, OEM_TABLE, 8);
	return acpi_table_end(a, at);
}

/* ---- MADT, 5.2.12 -------------------------------------------------------- */

enum {
	MADT_LAPIC = 0,
	MADT_IOAPIC = 1,
	MADT_LAPIC_NMI = 4,
	MADT_X2APIC = 9,
	MADT_X2APIC_NMI = 10,
	LAPIC_ENABLED = 1,
};

static void add_processor(struct aml *a, uint32_t uid, uint32_t id)
{
	if (id < ACPI_LAPIC_END) {
		aml_le(a, MADT_LAPIC, 1);
		aml_le(a, 8, 1);
		aml_le(a, uid, 1);
		aml_le(a, id, 1);
		aml_le(a, LAPIC_ENABLED, 4);
	} else {
		aml_le(a, MADT_X2APIC, 1);
		aml_le(a, 16, 1);
		aml_le(a, 0, 2);
		aml_le(a, id, 4);
		aml_le(a, LAPIC_ENABLED, 4);
		aml_le(a, uid, 4);
	}
}

/* NMI is LINT1 on every processor; those of x2APIC entries are told so by a
 * structure of their own, 5.2.12.13. */
static void add_nmi(struct aml *a, bool x2apic)
{
	aml_le(a, MADT_LAPIC_NMI, 1);
	aml_le(a, 6, 1);
	aml_le(a, 0xff, 1);
	aml_le(a, 0, 2);
	aml_le(a, 1, 1);
	if (!x2apic)
		return;
	aml_le(a, MADT_X2APIC_NMI, 1);
	aml_le(a, 12, 1);
	aml_le(a, 0, 2);
	aml_le(a, UINT32_MAX, 4);
	aml_le(a, 1, 1);
	aml_le(a, 0, 3);
}

static uint64_t add_madt(struct aml *a, const struct acpi_machine *m)
{
	size_t at = acpi_table_begin(a, "APIC", MADT_REVISION);

	aml_le(a, MAP_LAPIC, 4);
	aml_le(a, 0, 4); /* flags: PCAT_COMPAT off, there is no 8259 */
	for (uint32_t i = 0; i < m->cpus; i++)
		add_processor(a, i, cpu_id(&m->shape, i));
	aml_le(a, MADT_IOAPIC, 1);
	aml_le(a, 12, 1);
	aml_le(a, 0, 2); /* its id, reserved */
	aml_le(a, MAP_IOAPIC, 4);
	aml_le(a, 0, 4); /* its first GSI */
	add_nmi(a, cpu_id_last(&m->shape) >= ACPI_LAPIC_END);
	return acpi_table_end(a, at);
}

/* ---- MCFG, PCI Firmware 3.3, 4.1.2 --------------------------------------- */

static uint64_t add_mcfg(struct aml *a, const struct acpi_machine *m)
{
	size_t at = acpi_table_begin(a, "MCFG", MCFG_REVISION);

	aml_le(a, 0, 8);
	aml_le(a, MAP_ECAM, 8);
	aml_le(a, 0, 2); /* segment */
	aml_le(a, 0, 1);
	aml_le(a, m->last_bus, 1);
	aml_le(a, 0, 4);
	return acpi_table_end(a, at);
}

/* ---- the rest
 * ----------------------------------------------------------------
 */

static uint64_t add_dsdt(struct aml *a, const struct acpi_machine *m)
{
	size_t at = acpi_table_begin(a, "DSDT", DSDT_REVISION);

	acpi_dsdt(a, m);
	return acpi_table_end(a, at);
}

static uint64_t add_xsdt(struct aml *a, const uint64_t *table, size_t n)
{
	size_t at = acpi_table_begin(a, "XSDT", XSDT_REVISION);

	for (size_t i = 0; i < n; i++)
		aml_le(a, table[i], 8);
	return acpi_table_end(a, at);
}

/* 5.2.5.3: two checksums, over the first 20 bytes and over all. */
static void put_rsdp(uint8_t *p, uint64_t xsdt)
{
	memset(p, 0, RSDP);
	memcpy(p, "RSD PTR ", 8);
	memcpy(p + 9, OEM_ID, 6);
	p[15] = 2;
	store_le(p + 20, 4, RSDP);
	store_le(p + 24, 8, xsdt);
	p[8] = checksum(p, 20);
	p[32] = checksum(p, RSDP);
}

int acpi_write(const struct acpi_machine *m, uint8_t *buf, size_t size)
{
	struct aml a = { .buf = buf, .size = size };
	uint64_t table[5], dsdt, xsdt;
	size_t n = 0;

	aml_bytes(&a, NULL, RSDP);
	dsdt = add_dsdt(&a, m);
	table[n++] = add_fadt(&a, dsdt);
	table[n++] = add_madt(&a, m);
	table[n++] = add_mcfg(&a, m);
	if (m->n_nodes > 1) {
		table[n++] = acpi_srat(&a, m);
		table[n++] = acpi_slit(&a, m);
	}
	xsdt = add_xsdt(&a, table, n);
	if (a.full)
		return -ENOSPC;
	put_rsdp(buf, xsdt);
	return 0;
}

int acpi_build(struct vm *vm, struct gpa *ret_rsdp)
{
	const struct gpa at = { .v = MAP_ACPI };
	struct acpi_machine m = {
		.cpus = vm->cfg.cpus,
		.shape = vm->shape,
		.mem64 = vm->mem.mmio64,
		.mem64_end = topology_mem64_end(vm),
		.last_bus = topology_last_bus(vm),
		.ports = vm->ports,
		.node = vm->cfg.node,
		.n_nodes = vm->cfg.n_nodes,
		.pci_node = vm->cfg.pci_node,
	};
	uint8_t *buf = memory_at(vm, at, MAP_ACPI_SIZE);
	int r;

	m.n_ranges = numa_ranges(&vm->cfg, vm->mem.region, vm->mem.n, m.range);
	r = buf ? acpi_write(&m, buf, MAP_ACPI_SIZE) : -EFAULT;
	if (r == 0)
		*ret_rsdp = at;
	return r;
}
