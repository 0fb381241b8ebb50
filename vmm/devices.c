/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The devices that the VMM itself is, by what the configuration has:
 * devices.h. */

#include "vmm/devices.h"
#include "vmm/uring.h"

int nic_add(struct vm *vm, const struct vm_nic *c, struct diag *d)
{
	switch (c->model) {
	case VM_NIC_VIRTIO:
		return net_add(vm, c, d);
	case VM_NIC_E1000:
		break;
	}
	return e1000_add(vm, c, d);
}

int devices_add(struct vm *vm, struct diag *d)
{
	const struct vm_config *c = &vm->cfg;
	int r = 0;

	/* Without a disk a guest goes on where there is no ring; it is told
	 * when one is to come. */
	if (c->spare_slots)
		r = uring_reserve(vm, d);
	if (r < 0 && !c->n_disks)
		r = 0;
	for (unsigned i = 0; r == 0 && i < c->n_disks; i++)
		r = blk_add(vm, &c->disk[i], d);
	for (unsigned i = 0; r == 0 && i < c->n_nics; i++)
		r = nic_add(vm, &c->nic[i], d);
	if (r == 0 && c->vsock.slot)
		r = vsock_add(vm, &c->vsock, d);
	if (r == 0 && c->rng_slot)
		r = rng_add(vm, c->rng_slot, d);
	if (r == 0 && c->console_slot)
		r = vconsole_add(vm, c->console_slot, d);
	if (r == 0 && c->watchdog.slot)
		r = watchdog_add(vm, &c->watchdog, d);
	return r;
}
