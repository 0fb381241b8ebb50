/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hot plug: netd's part. Each order has one answer: done, or the reason why
 * not. It comes at once, but for what waits: an attach for a slot that has not
 * rested yet, a detach for the guest.
 */

#include <stdio.h>
#include <string.h>

#include "vmm/control.h"
#include "vmm/hotplug_priv.h"

static int refuse(struct diag *d, int err, const char *what, const char *name,
                  const char *why, const char *mend)
{
	diag_fail(d, err, FL_VMM_HOTPLUG, "%s %s", what, name);
	diag_why(d, "%s", why);
	diag_mend(d, "%s", mend);
	return err;
}

/* -1 = no such device is held. */
static int find_assigned(const struct vm *vm, const char *name)
{
	for (unsigned i = 0; i < vm->cfg.n_devices; i++)
		if (vm->cfg.device[i].fd >= 0 &&
		    !strcmp(vm->cfg.device[i].name, name))
			return (int)i;
	return -1;
}

/* Of what is held; 0 = it is not. */
uint8_t hotplug_find(const struct vm *vm, const char *name)
{
	int i = find_assigned(vm, name);

	if (i >= 0)
		return vm->cfg.device[i].slot;
	for (uint8_t s = 1; s <= VM_SLOTS_MAX; s++)
		if (own_has(vm, s) && !strcmp(own_name_at(vm, s), name))
			return s;
	return 0;
}

static uint8_t slot_of(const struct conn_order *o)
{
	return o->own.kind ? o->own.slot : o->device[0].slot;
}

static const char *name_of(const struct conn_order *o)
{
	return o->own.kind ? o->own.name : o->device[0].name;
}

static int may_attach(const struct hotplug *h, const struct conn_order *o,
                      struct diag *d)
{
	const struct vm *vm = h->vm;
	uint8_t slot = slot_of(o);

	if (!pci_host_has(vm->pci, slot))
		return refuse(d, -ENOENT, "attach", name_of(o),
		              "the guest has no such slot",
		              "a slot that had a device, or hotplug-slots: in "
		              "the policy before the guest starts");
	if (h->bay[slot].slot.phase != SLOT_EMPTY || h->bay[slot].next ||
	    own_has(vm, slot))
		return refuse(d, -EBUSY, "attach", name_of(o),
		              "its slot is in use",
		              "detach what is there, or another slot");
	for (unsigned i = 0; i < MAX(o->n, 1u); i++) {
		const char *name = o->n ? o->device[i].name : o->own.name;

		if (hotplug_find(vm, name))
			return refuse(d, -EEXIST, "attach", name,
			              "the guest has a device of this name",
			              "detach it first");
	}
	return 0;
}

/* Functions, function 0 last. */
static int add_functions(struct hotplug *h, struct conn_order *o,
                         struct diag *d)
{
	uint8_t slot = o->device[0].slot;
	int r = 0;

	for (unsigned fn = VM_FUNCTIONS_MAX; r == 0 && fn-- > 0;)
		for (unsigned i = 0; r == 0 && i < o->n; i++) {
			struct vm_device *v = &o->device[i];
			struct vm_device mine = *v;

			if (v->function != fn)
				continue;
			v->fd = v->rom_fd = -1;
			r = assign_add(h->vm, &mine, d);
		}
	if (r == 0)
		return 0;
	for (unsigned i = 0; hotplug_next_in(h->vm, slot, &i); i++)
		assign_release(h->vm, i);
	return r;
}

/* The first device of a guest that has had none brings the address space. */
static void take_iommu(struct vm *vm, struct conn_order *o)
{
	if (vm->cfg.iommu_fd >= 0 || vm->space)
		return;
	vm->cfg.iommu_fd = TAKE_FD(o->iommu_fd);
	vm->cfg.backend = o->backend;
}

static int add_all(struct hotplug *h, struct conn_order *o, struct diag *d)
{
	if (o->own.kind)
		return plug_add(h->vm, &o->own, d);
	take_iommu(h->vm, o);
	return add_functions(h, o, d);
}

int hotplug_add(struct hotplug *h, struct conn_order *o, const char *by,
                struct diag *d)
{
	const uint8_t slot = slot_of(o);
	char text[2 * DIAG_LINE], name[DIAG_LINE];
	int r = may_attach(h, o, d);

	if (r == 0)
		r = add_all(h, o, d);
	if (r < 0)
		return r;
	h->stats.adds += o->n ? o->n : 1;
	h->bay[slot].told_dark = false;
	hotplug_act(h, slot, slot_put(&h->bay[slot].slot));
	snprintf(text, sizeof(text), "%s was attached at slot %u",
	         hotplug_who(h->vm, slot, name, sizeof(name)), slot);
	loop_say(text);
	if (!o->n)
		control_device(h->vm->control, "device-added",
		               own_name_at(h->vm, slot), by);
	for (unsigned i = 0; i < o->n; i++)
		control_device(h->vm->control, "device-added",
		               o->device[i].name, by);
	return 0;
}

void hotplug_attach_now(struct hotplug *h, struct conn_order *o)
{
	struct diag d;

	if (hotplug_add(h, o, "netd", &d) < 0)
		conn_refuse(h->conn, o->id, &d);
	else
		conn_done(h->conn, o->id, false);
}

/* Its descriptors are with the copy then. */
static bool put_off(struct hotplug *h, struct conn_order *o)
{
	struct bay *b = &h->bay[slot_of(o)];
	struct conn_order *copy = malloc(sizeof(*copy));

	if (!copy)
		return false;
	*copy = *o;
	o->n = 0;
	o->iommu_fd = -1;
	o->own.kind = PLUG_NONE;
	b->next = copy;
	return true;
}

static void attach(struct hotplug *h, struct conn_order *o)
{
	struct diag d;

	if (may_attach(h, o, &d) < 0)
		conn_refuse(h->conn, o->id, &d);
	else if (slot_free_at(&h->bay[slot_of(o)].slot) <= now_ns() ||
	         !put_off(h, o))
		hotplug_attach_now(h, o);
}

int hotplug_may_go(const struct hotplug *h, const char *name, uint8_t slot,
                   struct diag *d)
{
	if (!slot)
		return refuse(d, -ENOENT, "detach", name,
		              "the guest has no such device",
		              "fairlead status names those it has");
	return pci_host_has(h->vm->pci, slot) ? 0 : hotplug_own_fixed(name, d);
}

static void detach(struct hotplug *h, const struct conn_order *o)
{
	uint8_t slot = hotplug_find(h->vm, o->name);
	struct bay *b = &h->bay[slot];
	struct diag d;

	if (hotplug_may_go(h, o->name, slot, &d) < 0) {
		conn_refuse(h->conn, o->id, &d);
		return;
	}
	/* An order that comes while one is under way shortens its time; the
	 * one before has its answer now, for there is one at the end. */
	if (b->owed) {
		(void)refuse(&d, -EALREADY, "detach", o->name,
		             "another order to detach it has taken over",
		             "wait for that one");
		conn_refuse(h->conn, b->id, &d);
	}
	b->owed = true;
	b->id = o->id;
	b->told_dark = false;
	hotplug_act(h, slot,
	            slot_ask(&b->slot, SLOT_NETD, now_ns(),
	                     hotplug_patience(h, o->deadline_ms)));
}

/* True when the guest is to end. */
static bool dma_fault(struct hotplug *h, const struct conn_order *o)
{
	int i = find_assigned(h->vm, o->name);
	char text[3 * DIAG_LINE];

	h->stats.dma_faults++;
	if (i < 0 || o->action == CONN_GO_ON)
		return false;
	snprintf(text, sizeof(text),
	         "%s (%s) tried DMA outside of the guest's memory%s%s%s",
	         o->name, h->vm->cfg.device[i].bdf, *o->text ? ": " : "",
	         o->text,
	         o->action == CONN_STOP ? "; the guest ends, as the policy says"
	                                : "");
	loop_say(text);
	if (o->action == CONN_STOP)
		return true;
	hotplug_stop(h, h->vm->cfg.device[i].slot, "is stopped for it");
	return false;
}

bool hotplug_order(struct hotplug *h, struct conn_order *o)
{
	bool end = false;

	switch (o->verb) {
	case CONN_ATTACH:
		attach(h, o);
		break;
	case CONN_DETACH:
		detach(h, o);
		break;
	case CONN_QUERY:
		conn_state(h->conn, o->id, state_of(h->vm));
		break;
	case CONN_FAULT:
		end = dma_fault(h, o);
		break;
	case CONN_NOTHING:
		break;
	}
	conn_order_close(o);
	return end;
}
