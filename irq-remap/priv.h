/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_IRQ_REMAP_PRIV_H
#define FL_IRQ_REMAP_PRIV_H

/* Inside irq-remap: a table of GSI slots, and banks of vectors over it. */

#include "irq-remap/irq-remap.h"

#include <pthread.h>

#define NO_SLOT UINT32_MAX

struct irq_slot {
	struct irq_msg msg;
	uint32_t devid;
};
struct irq_table {
	pthread_mutex_t lock;
	const struct irq_sink_ops *ops;
	void *ctx;
	uint32_t base, max;
	struct irq_slot *slot;   /* max of them; GSI = base + index */
	uint64_t *used;          /* a bit each */
	uint32_t first_free;     /* no slot below it is free */
	uint32_t end_used;       /* no slot from it on is used */
	struct irq_route *route; /* room for max: what a commit writes */
	struct irq_stats stats;
};

struct irq_vector {
	bool staged; /* the owner wants it; `msg` is what the guest wrote */
	bool held;   /* ... and is to have no irqfd */
	bool tied;   /* the irqfd exists */
	struct irq_msg msg;
	uint32_t slot; /* NO_SLOT, or the index of its GSI in the table */
	int eventfd;   /* -1 until first need */
};
struct irq_bank {
	struct irq_table *table;
	uint32_t devid;
	unsigned n;
	struct irq_vector v[];
};

static inline bool irq_msg_equal(struct irq_msg a, struct irq_msg b)
{
	return a.addr == b.addr && a.data == b.data;
}

/* table.c; all but init with the lock held. */
/* Index of the lowest free slot, now used; NO_SLOT when the table is full. A
 * full table is found at once, and so is the next free slot while a driver
 * enables its vectors; otherwise at most a 64th of the slots is looked at. */
uint32_t irq_slot_take(struct irq_table *t);
void irq_slot_put(struct irq_table *t, uint32_t slot);
/* Writes every used slot to the sink. */
int irq_table_write(struct irq_table *t);

/* commit.c; with the table's lock held. Unties and gives the GSI back. */
void irq_vector_drop(struct irq_table *t, struct irq_vector *v);

/* facts.c */

/* What sys/class/iommu and proc/interrupts say. */
struct irq_units {
	unsigned intel, amd;     /* how many of each */
	unsigned ir_capable;     /* Intel: ecap.IR, VT-d 11.4.3 */
	char no_posting[24];     /* a unit that cannot post, "" = none */
	unsigned remapped, bare; /* lines by chip name */
	char chip[48];           /* an example of the deciding kind */
	bool interrupts_read;
};
void irq_posting_decide(int root_fd, const struct irq_units *u,
                        struct irq_facts *f);

#endif
