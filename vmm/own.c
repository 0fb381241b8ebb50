/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions of our own, from their description to their end: own.h.
 * Accesses are own_access.c's, interrupts own_vector.c's, the bytes of the
 * space own_config.c's.
 *
 * Order of the end: no access arrives any more (the vCPUs are stopped, or
 * parked) -> BARs go -> the device ends, and with it whoever signals its
 * eventfds -> those, and its pin.
 */

#include <string.h>

#include "vmm/own_priv.h"

int own_init(struct vm *vm)
{
	vm->own = calloc(1, sizeof(*vm->own));
	return vm->own ? 0 : -ENOMEM;
}

/* ---- one more ------------------------------------------------------------ */

static int fail(struct diag *d, int err, const struct own_desc *c,
                const char *why)
{
	diag_fail(d, err, FL_VMM_SLOT, "put %s into slot %u", c->name, c->slot);
	diag_why(d, "%s", why);
	diag_mend(d, "slot: in the policy, \"05.0\" for instance");
	return err;
}

static bool is_assigned(const struct vm *vm, uint8_t slot)
{
	for (unsigned i = 0; i < vm->cfg.n_devices; i++)
		if (vm->cfg.device[i].slot == slot && vm->cfg.device[i].fd >= 0)
			return true;
	return false;
}

/* Power management and Express must find room behind them. */
#define AREA_BEGIN 0x40u
#define AREA_END 0x80u

static bool area_fits(const struct own_desc *c)
{
	return !c->area.len || (c->area.at >= AREA_BEGIN &&
	                        c->area.at + c->area.len <= AREA_END &&
	                        c->ops->area_read && c->ops->area_write);
}

static int check(const struct vm *vm, const struct own_desc *c, struct diag *d)
{
	if (c->slot < 1 || c->slot > VM_SLOTS_MAX)
		return fail(d, -EINVAL, c, "slots are 1 to 31");
	if (own_has(vm, c->slot) || is_assigned(vm, c->slot))
		return fail(d, -EBUSY, c, "another device is there");
	if (!area_fits(c) || c->n_caps > OWN_CAPS_MAX ||
	    c->vectors > CFG_MSIX_MAX || !c->ops->read || !c->ops->write ||
	    !c->ops->reset || !c->ops->free)
		return fail(d, -EINVAL, c, "its description is incomplete");
	return 0;
}

static struct own *make(struct vm *vm, const struct own_desc *desc)
{
	struct own *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->vm = vm;
	o->desc = *desc;
	pthread_mutex_init(&o->lock, NULL);
	for (unsigned i = 0; i < CFG_BARS; i++) {
		o->bar[i].owner = o;
		o->bar[i].index = i;
	}
	return o;
}

static void unmake(struct own *o)
{
	own_vectors_fini(o);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

int own_add(struct vm *vm, const struct own_desc *desc, struct own **ret,
            struct diag *d)
{
	struct diag why;
	struct own *o;
	int r = check(vm, desc, d);

	if (r < 0)
		return r;
	o = make(vm, desc);
	if (!o)
		return fail(d, -ENOMEM, desc, strerror(ENOMEM));
	r = own_vectors_init(o);
	if (r == 0)
		r = own_compose(o, &why);
	if (r < 0) {
		unmake(o);
		return fail(d, r, desc,
		            r == -ENOMEM ? strerror(ENOMEM)
		                         : "its registers do not fit into a "
		                           "configuration space");
	}
	vm->own->at[desc->slot] = o;
	*ret = o;
	return 0;
}

/* ---- all of them --------------------------------------------------------- */

static void put_home(struct own *o)
{
	for (unsigned i = 0; i < CFG_BARS; i++)
		if (o->bar[i].home)
			(void)!cfg_bar_place(&o->cfg, i, o->bar[i].home);
}

void own_reset_all(struct vm *vm)
{
	for (uint8_t slot = 1; slot <= VM_SLOTS_MAX; slot++) {
		struct own *o = own_at(vm, slot);

		/* One that leaves may wait for its storage, and has no guest
		 * any more. */
		if (!o || o->leaving)
			continue;
		pthread_mutex_lock(&o->lock);
		own_reset(o);
		put_home(o);
		o->moved = false;
		pthread_mutex_unlock(&o->lock);
	}
}

static void free_one(struct own *o)
{
	own_withdraw(o, true);
	o->desc.ops->free(o->desc.ctx);
	own_vectors_reset(o);
	unmake(o);
}

enum own_left own_leave(struct vm *vm, uint8_t slot)
{
	struct own *o = own_at(vm, slot);

	if (!o)
		return OWN_QUIET;
	o->leaving = true;
	if (o->desc.ops->leave)
		return o->desc.ops->leave(o->desc.ctx);
	o->halted = true;
	o->dma = false;
	return OWN_QUIET;
}

void own_remove(struct vm *vm, uint8_t slot)
{
	struct own *o = own_at(vm, slot);

	if (!o)
		return;
	vm->own->at[slot] = NULL;
	free_one(o);
	own_offer_all(vm);
	assign_offer_all(vm);
}

void own_free_all(struct vm *vm)
{
	for (uint8_t slot = 1; slot <= VM_SLOTS_MAX; slot++)
		if (own_at(vm, slot))
			free_one(vm->own->at[slot]);
	free(TAKE_PTR(vm->own));
}
