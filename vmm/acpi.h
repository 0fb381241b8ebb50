/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_ACPI_H
#define FL_VMM_ACPI_H

/* Between acpi.c (tables), acpi_dsdt.c and acpi_numa.c, and for their tests. */

#include "vmm/aml.h"
#include "vmm/numa.h"

/* What the tables depend on. */
struct acpi_machine {
	unsigned cpus;             /* processor UID = index */
	struct cpu_shape shape;    /* ... its APIC id */
	uint64_t mem64, mem64_end; /* window of 64-bit BARs */
	/* Linux asks for every device of every bus up to here that it has not
	 * found, by 0xCF8: 255 would be 8192 exits. */
	uint8_t last_bus;
	uint32_t ports; /* a bit a device number: those with pins below */
	/* Told from two nodes on. */
	const struct vm_node *node;
	unsigned n_nodes;
	unsigned pci_node; /* as struct vm_config has it */
	struct numa_range range[NUMA_RANGES_MAX];
	unsigned n_ranges;
};

/* Ids from here on are for an x2APIC only; 255 is everyone. */
#define ACPI_LAPIC_END 255u

/* Writes all tables from address MAP_ACPI on into `buf`, which stands for the
 * guest's memory there; the RSDP is first. -ENOSPC when they do not fit. */
_must_check_ int acpi_write(const struct acpi_machine *m, uint8_t *buf,
                            size_t size);
/* A table opened: its place, for acpi_table_end(), which gives it length and
 * checksum and returns its address; 0 = it did not fit. */
size_t acpi_table_begin(struct aml *a, const char *signature,
                        unsigned revision);
uint64_t acpi_table_end(struct aml *a, size_t at);
/* acpi_numa.c */
uint64_t acpi_srat(struct aml *a, const struct acpi_machine *m);
uint64_t acpi_slit(struct aml *a, const struct acpi_machine *m);
/* The DSDT's definition block, without its header. */
void acpi_dsdt(struct aml *a, const struct acpi_machine *m);

struct vm;
struct gpa;
/* Writes the machine's tables into guest memory at MAP_ACPI; *ret_rsdp for the
 * kernel. */
_must_check_ int acpi_build(struct vm *vm, struct gpa *ret_rsdp);

#endif
