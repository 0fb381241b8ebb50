/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices of our own come and go: plug.h. */

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "vmm/devices.h"
#include "vmm/plug.h"

/* ---- nobody runs --------------------------------------------------------- */

/* False where that was so already: a pause, a reset. */
static bool hold(struct vm *vm)
{
	if (atomic_load(&vm->park_wanted))
		return false;
	vcpus_park(vm);
	return true;
}

static void let_go(struct vm *vm, bool held)
{
	if (held)
		vcpus_unpark(vm);
}

/* ---- its place in the configuration -------------------------------------- */

static int no_room(const struct plug *p, struct diag *d, const char *why,
                   const char *mend)
{
	diag_fail(d, -ENOSPC, FL_VMM_PLUG, "attach %s", p->name);
	diag_why(d, "%s", why);
	diag_mend(d, "%s", mend);
	return -ENOSPC;
}

/* Entries of those that are gone have no descriptor. */
static struct vm_disk *free_disk(struct vm_config *c)
{
	for (unsigned i = 0; i < c->n_disks; i++)
		if (c->disk[i].fd < 0)
			return &c->disk[i];
	return c->n_disks < VM_DISKS_MAX ? &c->disk[c->n_disks] : NULL;
}

static struct vm_nic *free_nic(struct vm_config *c)
{
	for (unsigned i = 0; i < c->n_nics; i++)
		if (c->nic[i].tap_fd[0] < 0)
			return &c->nic[i];
	return c->n_nics < VM_NICS_MAX ? &c->nic[c->n_nics] : NULL;
}

static void drop_disk(struct vm_disk *v)
{
	const struct flock all = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	(void)!fcntl(v->fd, F_OFD_SETLK, &all);
	close_fd(&v->fd);
	v->slot = 0;
}

static void drop_nic(struct vm_nic *v)
{
	for (unsigned k = 0; k < VM_NIC_PAIRS_MAX; k++) {
		close_fd(&v->tap_fd[k]);
		close_fd(&v->vhost_fd[k]);
	}
	v->slot = 0;
}

/* ---- it comes ------------------------------------------------------------ */

static int add_disk(struct vm *vm, struct plug *p, struct diag *d)
{
	struct vm_disk *v = free_disk(&vm->cfg);
	int r;

	if (!v)
		return no_room(p, d, "the guest has 8 disks",
		               "detach one of them");
	if (!vm->uring)
		return no_room(p, d,
		               "the guest was started where no io_uring could "
		               "be had",
		               "sysctl kernel.io_uring_disabled=0, and start "
		               "the guest anew");
	*v = p->disk;
	vm->cfg.n_disks =
		MAX(vm->cfg.n_disks, (unsigned)(v - vm->cfg.disk) + 1);
	p->kind = PLUG_NONE;
	r = blk_add(vm, v, d);
	if (r < 0)
		drop_disk(v);
	return r;
}

static int add_nic(struct vm *vm, struct plug *p, struct diag *d)
{
	struct vm_nic *v = free_nic(&vm->cfg);
	int r;

	if (!v)
		return no_room(p, d, "the guest has 8 emulated NICs",
		               "detach one of them");
	*v = p->nic;
	vm->cfg.n_nics = MAX(vm->cfg.n_nics, (unsigned)(v - vm->cfg.nic) + 1);
	p->kind = PLUG_NONE;
	r = nic_add(vm, v, d);
	if (r < 0)
		drop_nic(v);
	return r;
}

static int add_vsock(struct vm *vm, struct plug *p, struct diag *d)
{
	struct vm_vsock *v = &vm->cfg.vsock;
	int r;

	if (v->slot)
		return no_room(p, d, "the guest has a vsock", "detach it");
	*v = p->vsock;
	p->kind = PLUG_NONE;
	r = vsock_add(vm, v, d);
	if (r == 0)
		return 0;
	close_fd(&v->fd);
	v->slot = 0;
	return r;
}

static int add_rng(struct vm *vm, const struct plug *p, struct diag *d)
{
	int r;

	if (vm->cfg.rng_slot)
		return no_room(p, d, "the guest has an rng", "detach it");
	r = rng_add(vm, p->slot, d);
	if (r == 0)
		vm->cfg.rng_slot = p->slot;
	return r;
}

static int add(struct vm *vm, struct plug *p, struct diag *d)
{
	/* Where it would be too late to make one. */
	if (!vm->io)
		return no_room(p, d,
		               "the guest was started without slots for hot "
		               "plug",
		               "hotplug-slots: in the policy, and start the "
		               "guest anew");
	switch (p->kind) {
	case PLUG_DISK:
		return add_disk(vm, p, d);
	case PLUG_NIC:
		return add_nic(vm, p, d);
	case PLUG_VSOCK:
		return add_vsock(vm, p, d);
	case PLUG_RNG:
		return add_rng(vm, p, d);
	case PLUG_NONE:
		break;
	}
	return no_room(p, d, "it is nothing", "attach something");
}

int plug_add(struct vm *vm, struct plug *p, struct diag *d)
{
	bool held = hold(vm);
	int r = add(vm, p, d);

	let_go(vm, held);
	plug_close(p);
	return r;
}

/* ---- it goes ------------------------------------------------------------- */

static void drop_entry(struct vm_config *c, uint8_t slot)
{
	for (unsigned i = 0; i < c->n_disks; i++)
		if (c->disk[i].slot == slot && c->disk[i].fd >= 0)
			drop_disk(&c->disk[i]);
	for (unsigned i = 0; i < c->n_nics; i++)
		if (c->nic[i].slot == slot && c->nic[i].tap_fd[0] >= 0)
			drop_nic(&c->nic[i]);
	if (c->vsock.slot == slot) {
		close_fd(&c->vsock.fd);
		c->vsock.slot = 0;
	}
	if (c->rng_slot == slot)
		c->rng_slot = 0;
}

void plug_remove(struct vm *vm, uint8_t slot)
{
	bool held = hold(vm);

	own_remove(vm, slot);
	let_go(vm, held);
	drop_entry(&vm->cfg, slot);
}
