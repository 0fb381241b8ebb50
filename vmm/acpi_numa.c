/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guest is told of its memory nodes, ACPI 6.5: SRAT (5.2.16), which
 * processor and which memory is of which, and SLIT (5.2.17), how far they are
 * from one another. Proximity domain = index of the node.
 *
 * An affinity structure of a processor is of the kind that its entry in the
 * MADT is of: Linux looks for the APIC's id, and the small one has 8 bits.
 */

#include "vmm/acpi.h"
#include "vmm/cpus.h"

enum {
	SRAT_REVISION = 3,
	SLIT_REVISION = 1,
	SRAT_LAPIC = 0,
	SRAT_MEMORY = 1,
	SRAT_X2APIC = 2,
	SRAT_ENABLED = 1,
	/* 5.2.17: 10 is here, 255 is out of reach. */
	DISTANCE_HERE = 10,
	DISTANCE_ELSEWHERE = 20,
};

static void add_lapic(struct aml *a, uint32_t id, unsigned node)
{
	aml_le(a, SRAT_LAPIC, 1);
	aml_le(a, 16, 1);
	aml_le(a, node, 1); /* bits 7:0 */
	aml_le(a, id, 1);
	aml_le(a, SRAT_ENABLED, 4);
	aml_le(a, 0, 1); /* SAPIC's */
	aml_le(a, 0, 3); /* bits 31:8 */
	aml_le(a, 0, 4); /* clock domain */
}

static void add_x2apic(struct aml *a, uint32_t id, unsigned node)
{
	aml_le(a, SRAT_X2APIC, 1);
	aml_le(a, 24, 1);
	aml_le(a, 0, 2);
	aml_le(a, node, 4);
	aml_le(a, id, 4);
	aml_le(a, SRAT_ENABLED, 4);
	aml_le(a, 0, 4); /* clock domain */
	aml_le(a, 0, 4);
}

static void add_memory(struct aml *a, const struct numa_range *r)
{
	aml_le(a, SRAT_MEMORY, 1);
	aml_le(a, 40, 1);
	aml_le(a, r->node, 4);
	aml_le(a, 0, 2);
	aml_le(a, r->start, 8);
	aml_le(a, r->size, 8);
	aml_le(a, 0, 4);
	aml_le(a, SRAT_ENABLED, 4);
	aml_le(a, 0, 8);
}

uint64_t acpi_srat(struct aml *a, const struct acpi_machine *m)
{
	size_t at = acpi_table_begin(a, "SRAT", SRAT_REVISION);

	aml_le(a, 1, 4); /* for older readers, 5.2.16 */
	aml_le(a, 0, 8);
	for (unsigned i = 0; i < m->n_nodes; i++)
		for (unsigned cpu = 0; cpu < m->cpus; cpu++) {
			uint32_t id = cpu_id(&m->shape, cpu);

			if (!(m->node[i].cpus & VM_CPU(cpu)))
				continue;
			if (id < ACPI_LAPIC_END)
				add_lapic(a, id, i);
			else
				add_x2apic(a, id, i);
		}
	for (unsigned i = 0; i < m->n_ranges; i++)
		add_memory(a, &m->range[i]);
	return acpi_table_end(a, at);
}

/* A distance that says "here" of elsewhere has Linux ignore the whole table. */
static unsigned distance(const struct acpi_machine *m, unsigned from,
                         unsigned to)
{
	unsigned told = m->node[from].distance[to];

	if (from == to)
		return DISTANCE_HERE;
	return told > DISTANCE_HERE ? told : DISTANCE_ELSEWHERE;
}

uint64_t acpi_slit(struct aml *a, const struct acpi_machine *m)
{
	size_t at = acpi_table_begin(a, "SLIT", SLIT_REVISION);

	aml_le(a, m->n_nodes, 8);
	for (unsigned i = 0; i < m->n_nodes; i++)
		for (unsigned k = 0; k < m->n_nodes; k++)
			aml_le(a, distance(m, i, k), 1);
	return acpi_table_end(a, at);
}
