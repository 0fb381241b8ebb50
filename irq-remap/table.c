/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of GSIs and what is written to the kernel. Slots are taken lowest
 * first, so the kernel's table stays as short as the number of live vectors.
 */

#include "irq-remap/priv.h"

int irq_table_new(const struct irq_sink_ops *ops, void *ctx, uint32_t gsi_base,
                  uint32_t gsi_max, struct irq_table **ret)
{
	struct irq_table *t;
	uint32_t end;
	int r;

	if (!gsi_max || __builtin_add_overflow(gsi_base, gsi_max, &end))
		return -EINVAL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->slot = calloc(gsi_max, sizeof(*t->slot));
	t->route = calloc(gsi_max, sizeof(*t->route));
	r = t->slot && t->route ? -pthread_mutex_init(&t->lock, NULL) : -ENOMEM;
	if (r < 0) {
		free(t->slot);
		free(t->route);
		free(t);
		return r;
	}
	t->ops = ops;
	t->ctx = ctx;
	t->base = gsi_base;
	t->max = gsi_max;
	*ret = t;
	return 0;
}

void irq_table_free(struct irq_table *t)
{
	if (!t)
		return;
	pthread_mutex_destroy(&t->lock);
	free(t->slot);
	free(t->route);
	free(t);
}

struct irq_stats irq_table_stats(struct irq_table *t)
{
	struct irq_stats s;

	pthread_mutex_lock(&t->lock);
	s = t->stats;
	pthread_mutex_unlock(&t->lock);
	return s;
}

uint32_t irq_slot_take(struct irq_table *t)
{
	for (uint32_t i = 0; i < t->max; i++) {
		if (t->slot[i].used)
			continue;
		t->slot[i].used = true;
		t->stats.routes++;
		return i;
	}
	return NO_SLOT;
}

void irq_slot_put(struct irq_table *t, uint32_t slot)
{
	t->slot[slot] = (struct irq_slot){ 0 };
	t->stats.routes--;
}

int irq_table_write(struct irq_table *t)
{
	size_t n = 0;
	int r;

	for (uint32_t i = 0; i < t->max; i++)
		if (t->slot[i].used)
			t->route[n++] = (struct irq_route){
				.gsi = t->base + i,
				.msg = t->slot[i].msg,
				.devid = t->slot[i].devid,
			};
	r = t->ops->set_routes(t->ctx, t->route, n);
	if (r < 0)
		return r;
	t->stats.commits++;
	return 0;
}
