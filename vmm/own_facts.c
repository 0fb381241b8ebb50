/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of functions of our own, and where their BARs go: apart from
 * the rest, for who knows nothing of accesses (place.c, topology.c). */

#include "vmm/own_priv.h"

bool own_dma(const struct own *o)
{
	return atomic_load_explicit(&o->dma, memory_order_acquire);
}

struct vm *own_vm(const struct own *o)
{
	return o->vm;
}

const char *own_name(const struct own *o)
{
	return o->desc.name;
}

static bool is_pluggable(const struct vm_config *c, uint8_t slot)
{
	for (unsigned i = 0; i < c->n_disks; i++)
		if (c->disk[i].slot == slot)
			return true;
	/* A standby is what the guest's pair hangs on: it goes with it. */
	for (unsigned i = 0; i < c->n_nics; i++)
		if (c->nic[i].slot == slot)
			return !c->nic[i].standby;
	return false;
}

/* A port that takes part costs a guest's boot accesses and a vector: a guest
 * without a slot for hot plug has none of it. */
bool own_may_go(const struct vm *vm, uint8_t slot)
{
	return vm->cfg.spare_slots && own_has(vm, slot) &&
	       is_pluggable(&vm->cfg, slot);
}

const char *own_name_at(const struct vm *vm, uint8_t slot)
{
	const struct own *o = own_at(vm, slot);

	return o ? o->desc.name : NULL;
}

const struct cfg_bar *own_bars(const struct vm *vm, uint8_t slot)
{
	const struct own *o = own_at(vm, slot);

	return o ? o->desc.bar : NULL;
}

int own_bar_place(struct vm *vm, uint8_t slot, unsigned bar, uint64_t addr)
{
	struct own *o = own_at(vm, slot);
	int r;

	if (!o || bar >= CFG_BARS)
		return -ENOENT;
	pthread_mutex_lock(&o->lock);
	r = cfg_bar_place(&o->cfg, bar, addr);
	if (r == 0)
		o->bar[bar].home = addr;
	pthread_mutex_unlock(&o->lock);
	return r;
}

/* In the order of docs/control.md. */
static const struct stats_def interrupt_defs[] = {
	{ "messages", STATS_COUNT, offsetof(struct own_counts, messages) },
	{ "held", STATS_COUNT, offsetof(struct own_counts, held) },
	{ "coalesced", STATS_COUNT, offsetof(struct own_counts, coalesced) },
	{ "pin", STATS_COUNT, offsetof(struct own_counts, pin) },
};

bool own_counters(const struct vm *vm, uint8_t slot, unsigned i,
                  struct stats_set *ret)
{
	const struct own *o = own_at(vm, slot);

	if (!o)
		return false;
	if (i)
		return o->desc.ops->counters &&
		       o->desc.ops->counters(o->desc.ctx, i - 1, ret);
	*ret = (struct stats_set){
		.what = "interrupts",
		.def = interrupt_defs,
		.n = ARRAY_SIZE(interrupt_defs),
		.base = &o->v.counts,
	};
	return true;
}
