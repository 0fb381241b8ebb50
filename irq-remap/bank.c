/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One function's vectors: their messages as staged, their eventfds. What the
 * kernel is told of them is commit.c's.
 */

#include <sys/eventfd.h>

#include "irq-remap/priv.h"

int irq_bank_new(struct irq_table *t, uint32_t devid, unsigned vectors,
                 struct irq_bank **ret)
{
	struct irq_bank *b;

	if (!vectors || vectors > IRQ_VECTORS_MAX)
		return -EINVAL;
	b = calloc(1, sizeof(*b) + vectors * sizeof(b->v[0]));
	if (!b)
		return -ENOMEM;
	b->table = t;
	b->devid = devid;
	b->n = vectors;
	for (unsigned i = 0; i < vectors; i++) {
		b->v[i].slot = NO_SLOT;
		b->v[i].eventfd = -1;
	}
	*ret = b;
	return 0;
}

void irq_bank_free(struct irq_bank *b)
{
	if (!b)
		return;
	irq_bank_clear(b);
	free(b);
}

int irq_bank_stage(struct irq_bank *b, unsigned vector, struct irq_msg msg)
{
	if (vector >= b->n)
		return -EINVAL;
	b->v[vector].staged = true;
	b->v[vector].msg = msg;
	return 0;
}

void irq_bank_unstage(struct irq_bank *b, unsigned vector)
{
	if (vector < b->n)
		b->v[vector].staged = false;
}

void irq_bank_hold(struct irq_bank *b, unsigned vector, bool hold)
{
	if (vector < b->n)
		b->v[vector].held = hold;
}

/* The table's lock is not taken: a vector's own slot changes only under its
 * device's lock, which the caller holds. */
enum irq_vector_state irq_bank_state(const struct irq_bank *b, unsigned vector)
{
	const struct irq_vector *v = &b->v[vector];

	if (vector >= b->n || !v->staged)
		return IRQ_VECTOR_UNUSED;
	if (!v->tied)
		return IRQ_VECTOR_NEW;
	if (!irq_msg_equal(b->table->slot[v->slot].msg, v->msg))
		return IRQ_VECTOR_STALE;
	return IRQ_VECTOR_LIVE;
}

int irq_bank_eventfd(struct irq_bank *b, unsigned vector)
{
	struct irq_vector *v = &b->v[vector];

	if (vector >= b->n)
		return -EINVAL;
	if (v->eventfd < 0)
		v->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return v->eventfd < 0 ? -errno : v->eventfd;
}

/* Eventfds go last, and all of them: a count left in one would become an
 * interrupt of the guest's next driver. */
void irq_bank_clear(struct irq_bank *b)
{
	pthread_mutex_lock(&b->table->lock);
	for (unsigned i = 0; i < b->n; i++)
		irq_vector_drop(b->table, &b->v[i]);
	pthread_mutex_unlock(&b->table->lock);
	for (unsigned i = 0; i < b->n; i++) {
		close_fd(&b->v[i].eventfd);
		b->v[i].eventfd = -1;
		b->v[i].staged = b->v[i].held = false;
	}
}

unsigned irq_bank_live(const struct irq_bank *b)
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->n; i++)
		n += b->v[i].tied;
	return n;
}
