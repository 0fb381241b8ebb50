/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_CLI_IRQ_H
#define FL_CLI_IRQ_H

/* Between irq.c, which asks and prints, and irq-judge.c, which decides how a
 * vector reaches its guest. */

#include "cli/cli.h"
#include "irq-remap/irq-remap.h"

/* What was seen of one vector. */
struct irq_row {
	char device[64], bdf[BDF_STRLEN];
	enum irq_host_kind kind;
	uint16_t index;
	bool armed, throttled;
	int vcpu, guest_vector, gsi; /* -1 = not told */
	/* the host's line, twice */
	bool found, found_again;
	unsigned irq;
	uint64_t before, after;
	char cpus[64]; /* that take it; "" = not known */
};
enum irq_how {
	IRQ_HOW_UNKNOWN,
	IRQ_HOW_POSTED,
	IRQ_HOW_REMAPPED,
	IRQ_HOW_UNREMAPPED, /* past the IOMMU: allow_unsafe_interrupts */
	IRQ_HOW_EMULATED,   /* a pin of KVM's IOAPIC */
};
const char *irq_how_name(enum irq_how h);
struct irq_verdict {
	enum irq_how how;
	char evidence[256];
	double rate; /* a second, as the host counts; negative = not known */
};
/* Pure. `seconds` lie between the samples. */
struct irq_verdict irq_judge(const struct irq_row *r,
                             const struct irq_facts *host, double seconds);

#endif
