/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_ACPI_H
#define FL_VMM_ACPI_H

/* Between acpi.c (tables) and acpi_dsdt.c, and for their tests. */

#include "vmm/aml.h"
#include "vmm/priv.h"

/* What the tables depend on. */
struct acpi_machine {
	unsigned cpus;             /* APIC id = processor UID = index */
	uint64_t mem64, mem64_end; /* window of 64-bit BARs */
	/* Linux asks for every device of every bus up to here that it has not
	 * found, by 0xCF8: 255 would be 8192 exits. */
	uint8_t last_bus;
	uint32_t ports; /* a bit a device number: those with pins below */
};

/* Writes all tables from address MAP_ACPI on into `buf`, which stands for the
 * guest's memory there; the RSDP is first. -ENOSPC when they do not fit. */
_must_check_ int acpi_write(const struct acpi_machine *m, uint8_t *buf,
                            size_t size);
/* The DSDT's definition block, without its header. */
void acpi_dsdt(struct aml *a, const struct acpi_machine *m);

#endif
