/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSI-X table entries whose messages the kernel queues.
 *
 * A guest that rewrites a vector's message (an interrupt that moves to another
 * CPU) masks the entry, writes three dwords, unmasks it and reads one back
 * (Linux, pci_write_msg_msix). The three have no effect before the unmask:
 * PCIe 6.0 7.7.2 leaves a change of an entry that is not masked undefined. So
 * the kernel queues them (KVM_REGISTER_COALESCED_MMIO); the vector control
 * dword exits, and what is queued is written before that exit is handled
 * (coalesce_drain). Three exits remain of six.
 *
 * A zone is made when its entry is unmasked for the first time: most drivers
 * use few of the vectors that a device has, and each zone costs the kernel a
 * new list of its bus and a wait for its readers. Zones move with their BAR,
 * and go with it. A write from another CPU that was queued while the BAR
 * moved away reaches whatever is at its address then, as it would have, had it
 * been later.
 *
 * Limits: the first TABLE_ZONES entries of a function, TABLE_ZONES_VM of the
 * machine, for KVM's bus holds 1000 (NR_IOBUS_DEVS). Other entries exit at
 * each write: slower, not wrong.
 */

#include <sys/ioctl.h>

#include "vmm/assign.h"

#define TABLE_ZONES_VM 512u
#define MESSAGE_SIZE 12u /* address, upper address, data */

/* Of the zone of entry `i`. */
static struct kvm_coalesced_mmio_zone zone_of(const struct assigned *a,
                                              unsigned i)
{
	return (struct kvm_coalesced_mmio_zone){
		.addr = a->table.at + (uint64_t)i * CFG_MSIX_ENTRY,
		.size = MESSAGE_SIZE,
	};
}

static void add_zone(struct assigned *a, unsigned i)
{
	struct kvm_coalesced_mmio_zone zone = zone_of(a, i);
	struct coalesced *c = &a->vm->coalesced;

	/* Without a ring nobody would drain it. */
	if (!c->ring || a->table.refused)
		return;
	if (atomic_fetch_add(&c->zones, 1) >= TABLE_ZONES_VM ||
	    ioctl(a->vm->fd, KVM_REGISTER_COALESCED_MMIO, &zone) < 0) {
		atomic_fetch_sub(&c->zones, 1);
		/* Not asked again for each unmask. */
		a->table.refused = true;
		return;
	}
	a->table.queued |= BIT64(i);
}

void table_placed(struct assigned *a, unsigned bar, uint64_t addr)
{
	const struct cfg_msix_facts *m;

	/* While it is being opened nothing decodes. */
	if (!a->dev)
		return;
	m = &vfio_dev_layout(a->dev)->msix;
	if (!m->cap || bar != m->table_bar)
		return;
	a->table = (struct assigned_table){
		.at = addr + m->table_off,
		.bar = bar,
	};
}

void table_withdrawn(struct assigned *a, unsigned bar)
{
	struct coalesced *c = &a->vm->coalesced;

	if (!a->table.at || bar != a->table.bar)
		return;
	for (unsigned i = 0; i < TABLE_ZONES; i++) {
		struct kvm_coalesced_mmio_zone zone = zone_of(a, i);

		if (!(a->table.queued & BIT64(i)))
			continue;
		/* Fails only where there is none: the aim. */
		(void)!ioctl(a->vm->fd, KVM_UNREGISTER_COALESCED_MMIO, &zone);
		atomic_fetch_sub(&c->zones, 1);
	}
	a->table = (struct assigned_table){ 0 };
}

void table_unmasked(struct assigned *a, unsigned vector)
{
	if (a->table.at && vector < TABLE_ZONES &&
	    !(a->table.queued & BIT64(vector)))
		add_zone(a, vector);
}
