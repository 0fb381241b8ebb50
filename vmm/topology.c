/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slots, the root ports they are behind, and their bus numbers. Ports are made
 * once, before the guest runs: what is in a slot comes and goes, its port, bus
 * number and interrupt pins stay. A device of our own has its slot for itself;
 * own_may_go() says which of those that are there from the start may leave it.
 *
 * Bus 1 is behind the first port in the order of device numbers, which is the
 * order in which a guest would number them. Empty ports have a bus, too: a
 * guest that finds none for a port looks for free numbers later, and in the
 * host bridge's range there is none left.
 */

#include "vmm/assign.h"
#include "vmm/own.h"

/* The largest BAR that is common: it finds room, aligned, behind what is there
 * from the start. */
#define MEM64_ROOM MAP_MMIO64_SIZE

static int refuse(const struct vm_device *v, int err, const char *why,
                  struct diag *d)
{
	diag_fail(d, err, FL_VMM_SLOT, "put %s at slot %u, function %u", v->bdf,
	          v->slot, v->function);
	diag_why(d, "%s", why);
	diag_mend(d, "slot: in the policy, \"05.0\" for instance; "
	             "hotplug-slots: for devices that come later");
	return err;
}

static bool is_same(const struct vm_device *a, const struct vm_device *b)
{
	return a->slot == b->slot && a->function == b->function;
}

/* Released devices keep their entry: only those with a descriptor count. */
static bool is_here(const struct vm_device *v)
{
	return v->fd >= 0;
}

static int check_one(const struct vm *vm, const struct vm_device *v,
                     struct diag *d)
{
	const struct vm_config *c = &vm->cfg;

	if (v->slot < 1 || v->slot > VM_SLOTS_MAX ||
	    v->function >= VM_FUNCTIONS_MAX)
		return refuse(v, -EINVAL, "slots are 1 to 31, functions 0 to 7",
		              d);
	if (own_has(vm, v->slot))
		return refuse(v, -EINVAL,
		              "a device of the machine's own is "
		              "there",
		              d);
	for (unsigned i = 0; i < c->n_devices; i++)
		if (v != &c->device[i] && is_here(&c->device[i]) &&
		    is_same(v, &c->device[i]))
			return refuse(v, -EINVAL, "another one is there", d);
	return 0;
}

/* Without a function 0 nobody looks for the others (PCIe 6.0 7.5.1.1.9). */
static bool has_first(const struct vm_config *c, uint8_t slot)
{
	for (unsigned i = 0; i < c->n_devices; i++)
		if (c->device[i].slot == slot && !c->device[i].function)
			return true;
	return false;
}

static int check_slots(const struct vm *vm, struct diag *d)
{
	const struct vm_config *c = &vm->cfg;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < c->n_devices; i++) {
		const struct vm_device *v = &c->device[i];

		r = check_one(vm, v, d);
		if (r == 0 && !has_first(c, v->slot))
			r = refuse(v, -EINVAL, "the slot has no function 0", d);
	}
	return r;
}

/* All device numbers that may be ports. */
#define PORTS_ALL (UINT32_MAX & ~BIT(0))

int topology_init(struct vm *vm, struct diag *d)
{
	const struct vm_config *c = &vm->cfg;
	unsigned spare = c->spare_slots;
	int r = check_slots(vm, d);

	if (r < 0)
		return r;
	vm->ports = 0;
	for (unsigned i = 0; i < c->n_devices; i++)
		vm->ports |= BIT(c->device[i].slot);
	for (uint8_t s = 1; s <= VM_SLOTS_MAX; s++)
		if (own_has(vm, s))
			vm->ports |= BIT(s);
	for (unsigned s = 1; spare && s <= VM_SLOTS_MAX; s++)
		if (!(vm->ports & BIT(s))) {
			vm->ports |= BIT(s);
			spare--;
		}
	if (!spare)
		return 0;
	diag_fail(d, -ENOSPC, FL_VMM_SLOT, "%u empty slots for hot plug",
	          c->spare_slots);
	diag_why(d, "a guest has %u slots, and devices are in %u of them",
	         VM_SLOTS_MAX, VM_SLOTS_MAX - (c->spare_slots - spare));
	diag_mend(d, "hotplug-slots: in the policy");
	return -ENOSPC;
}

int topology_check(const struct vm *vm, const struct vm_device *v,
                   struct diag *d)
{
	int r = check_one(vm, v, d);

	if (r == 0 && !(vm->ports & BIT(v->slot)))
		r = refuse(v, -ENOENT, "the guest was started without it", d);
	return r;
}

bool topology_has_more(const struct vm *vm, const struct vm_device *v)
{
	for (unsigned i = 0; i < vm->cfg.n_devices; i++) {
		const struct vm_device *o = &vm->cfg.device[i];

		if (is_here(o) && o->slot == v->slot &&
		    o->function != v->function)
			return true;
	}
	return false;
}

uint8_t topology_bus(const struct vm *vm, uint8_t slot)
{
	const uint32_t below = vm->ports & (BIT(slot) - 1);

	return (uint8_t)(1 + __builtin_popcount(below));
}

uint8_t topology_last_bus(const struct vm *vm)
{
	return (uint8_t)__builtin_popcount(vm->ports);
}

uint64_t topology_mem64_end(const struct vm *vm)
{
	const struct memory *m = &vm->mem;
	uint64_t end = m->mmio64, limit = address_end();

	for (unsigned s = 1; s <= VM_SLOTS_MAX; s++)
		end = MAX(end, vm->window[s].mem64 + vm->window[s].mem64_size);
	for (unsigned i = m->n_windows; i-- > 0;)
		if (m->window[i].start == m->mmio64 &&
		    m->window[i].last >= end - 1)
			limit = m->window[i].last + 1;
	return MIN(ALIGN_UP(end, MEM64_ROOM) + MEM64_ROOM, limit);
}
