/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Telling the kernel, in two phases. Order: vectors no more wanted are untied;
 * every new or changed message goes into the table; one table write if there
 * was any; then irqfds for vectors that have none. When the write fails, the
 * slots get their old messages back: the kernel still has those. A vector for
 * which the table has no slot keeps no other from being served.
 */

#include <string.h>

#include "irq-remap/priv.h"

static void untie(struct irq_table *t, struct irq_vector *v)
{
	if (!v->tied)
		return;
	/* Fails only when the irqfd is not there: the aim. */
	(void)t->ops->irqfd_del(t->ctx, v->eventfd, t->base + v->slot);
	t->stats.irqfds--;
	v->tied = false;
}

void irq_vector_drop(struct irq_table *t, struct irq_vector *v)
{
	untie(t, v);
	if (v->slot != NO_SLOT)
		irq_slot_put(t, v->slot);
	v->slot = NO_SLOT;
}

static void untie_unwanted(struct irq_bank *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		if (!b->v[i].staged)
			irq_vector_drop(b->table, &b->v[i]);
		else if (b->v[i].held)
			untie(b->table, &b->v[i]);
	}
}

/* What a vector's slot held before this commit. */
struct undo {
	bool changed, fresh;
	struct irq_msg msg;
};

static void undo_all(struct irq_bank *b, const struct undo *undo)
{
	struct irq_table *t = b->table;

	for (unsigned i = 0; i < b->n; i++) {
		if (!undo[i].changed)
			continue;
		if (undo[i].fresh)
			irq_vector_drop(t, &b->v[i]);
		else
			t->slot[b->v[i].slot].msg = undo[i].msg;
	}
}

/* 1 when the slot now differs from what the kernel has, 0 when not, -ENOSPC
 * when there is no slot. */
static int place_vector(struct irq_bank *b, struct irq_vector *v,
                        struct undo *undo)
{
	struct irq_table *t = b->table;
	struct irq_slot *slot;

	undo->fresh = v->slot == NO_SLOT;
	if (undo->fresh)
		v->slot = irq_slot_take(t);
	if (v->slot == NO_SLOT)
		return -ENOSPC;
	slot = &t->slot[v->slot];
	if (!undo->fresh && irq_msg_equal(slot->msg, v->msg))
		return 0;
	undo->changed = true;
	undo->msg = slot->msg;
	slot->msg = v->msg;
	slot->devid = b->devid;
	return 1;
}

static int fail_no_gsi(const struct irq_bank *b, unsigned without,
                       struct diag *d)
{
	diag_fail(d, -ENOSPC, FL_IRQ_NO_GSI,
	          "no interrupt route left for %u vectors of device "
	          "%02x:%02x.%x",
	          without, b->devid >> 8 & 0xff, b->devid >> 3 & 0x1f,
	          b->devid & 7);
	diag_why(d, "all %u routes of this guest are in use", b->table->max);
	diag_mend(d, "give the guest fewer devices, or their drivers fewer "
	             "queues");
	return -ENOSPC;
}

/* How many vectors found no slot; *ret_any when the table is to be written. */
static unsigned place_vectors(struct irq_bank *b, struct undo *undo,
                              bool *ret_any)
{
	unsigned without = 0;
	bool any = false;

	for (unsigned i = 0; i < b->n; i++) {
		int r;

		if (!b->v[i].staged)
			continue;
		r = place_vector(b, &b->v[i], &undo[i]);
		without += r < 0;
		any |= r > 0;
	}
	*ret_any = any;
	return without;
}

static int write_routes(struct irq_bank *b, struct diag *d)
{
	int r = irq_table_write(b->table);

	if (r < 0) {
		diag_fail(d, r, FL_IRQ_ROUTES, "write %u interrupt routes",
		          b->table->stats.routes);
		diag_why(d, "the kernel says: %s", strerror(-r));
		diag_mend_else(d, "journalctl -k | grep -i kvm");
	}
	return r;
}

static int tie_vector(struct irq_bank *b, unsigned i, struct diag *d)
{
	struct irq_table *t = b->table;
	struct irq_vector *v = &b->v[i];
	int fd = irq_bank_eventfd(b, i), r;

	if (fd < 0) {
		diag_fail(d, fd, FL_IRQ_EVENTFD,
		          "make an eventfd for vector %u", i);
		diag_why(d, "the kernel says: %s", strerror(-fd));
		diag_mend_else(d, "journalctl -k");
		return fd;
	}
	r = t->ops->irqfd_add(t->ctx, fd, t->base + v->slot);
	if (r < 0) {
		diag_fail(d, r, FL_IRQ_IRQFD, "tie vector %u to GSI %u", i,
		          t->base + v->slot);
		diag_why(d, "the kernel says: %s", strerror(-r));
		diag_mend_else(d, "journalctl -k | grep -i kvm");
		return r;
	}
	v->tied = true;
	t->stats.irqfds++;
	return 0;
}

static int tie_irqfds(struct irq_bank *b, struct diag *d)
{
	int ret = 0, r;

	/* One vector's failure is no reason to leave the others dead. */
	for (unsigned i = 0; i < b->n; i++) {
		if (!b->v[i].staged || b->v[i].tied || b->v[i].held ||
		    b->v[i].slot == NO_SLOT)
			continue;
		r = tie_vector(b, i, d);
		if (r < 0)
			ret = r;
	}
	return ret;
}

int irq_bank_commit(struct irq_bank *b, struct diag *d)
{
	_cleanup_free_ struct undo *undo = calloc(b->n, sizeof(*undo));
	unsigned without;
	bool any;
	int r = 0;

	if (!undo)
		return diag_fail(d, -ENOMEM, FL_IRQ_ROUTES,
		                 "no memory for %u interrupt routes", b->n);
	pthread_mutex_lock(&b->table->lock);
	untie_unwanted(b);
	without = place_vectors(b, undo, &any);
	if (any)
		r = write_routes(b, d);
	if (r < 0)
		undo_all(b, undo);
	else
		r = tie_irqfds(b, d);
	/* Said, but not in the others' way. */
	if (r == 0 && without)
		r = fail_no_gsi(b, without, d);
	pthread_mutex_unlock(&b->table->lock);
	return r;
}
