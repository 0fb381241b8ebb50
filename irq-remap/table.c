/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of GSIs and what is written to the kernel. Slots are taken lowest
 * first, so the kernel's table, whose size is that of its highest GSI, stays as
 * short as the number of live vectors. A bit a slot says which are used.
 */

#include "irq-remap/priv.h"

#define WORD 64u

static uint32_t words(uint32_t slots)
{
	return (slots + WORD - 1) / WORD;
}

static void free_arrays(struct irq_table *t)
{
	free(t->slot);
	free(t->route);
	free(t->used);
}

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
	t->used = calloc(words(gsi_max), sizeof(*t->used));
	r = t->slot && t->route && t->used ? -pthread_mutex_init(&t->lock, NULL)
	                                   : -ENOMEM;
	if (r < 0) {
		free_arrays(t);
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
	free_arrays(t);
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

static bool is_used(const struct irq_table *t, uint32_t i)
{
	return t->used[i / WORD] >> i % WORD & 1;
}

/* The lowest free slot from `from` on; max when there is none. */
static uint32_t next_free(const struct irq_table *t, uint32_t from)
{
	uint64_t low = (1ull << from % WORD) - 1;

	for (uint32_t w = from / WORD; w < words(t->max); w++) {
		uint64_t free_bits = ~t->used[w] & ~low;

		low = 0;
		if (free_bits)
			return MIN(w * WORD +
			                   (uint32_t)__builtin_ctzll(free_bits),
			           t->max);
	}
	return t->max;
}

uint32_t irq_slot_take(struct irq_table *t)
{
	uint32_t i;

	if (t->first_free >= t->max)
		return NO_SLOT;
	i = next_free(t, t->first_free);
	t->first_free = i;
	if (i >= t->max)
		return NO_SLOT;
	t->used[i / WORD] |= 1ull << i % WORD;
	t->first_free = i + 1;
	t->end_used = MAX(t->end_used, i + 1);
	t->stats.routes++;
	return i;
}

void irq_slot_put(struct irq_table *t, uint32_t slot)
{
	t->slot[slot] = (struct irq_slot){ 0 };
	t->used[slot / WORD] &= ~(1ull << slot % WORD);
	t->first_free = MIN(t->first_free, slot);
	while (t->end_used && !is_used(t, t->end_used - 1))
		t->end_used--;
	t->stats.routes--;
}

int irq_table_write(struct irq_table *t)
{
	size_t n = 0;
	int r;

	for (uint32_t i = 0; i < t->end_used; i++)
		if (is_used(t, i))
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
