/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a BAR may lie, and who answers there: the same for assigned functions
 * and for our own.
 *
 * Order: the range goes on the bus, which refuses what another has; then a
 * window that shows the rest of its page to another function's guest memory
 * goes away.
 */

#include "vmm/assign.h"

/* Of the system, below 4G and above the 32-bit BARs: IOAPIC, local APICs, the
 * pages KVM keeps for itself, the reset vector. */
#define SYSTEM MAP_MMIO32_END
#define SYSTEM_SIZE (MAP_HIGH_RAM - MAP_MMIO32_END)
#define LOW_MEGABYTE 0x100000u

/* The bus knows other BARs and the ECAM; RAM and the interrupt controllers are
 * the kernel's, not on it. */
static bool is_taken(const struct vm *vm, uint64_t addr, uint64_t size)
{
	for (unsigned i = 0; i < vm->mem.n; i++) {
		const struct mem_region *r = &vm->mem.region[i];

		if (ranges_overlap(addr, size, r->gpa.v, r->size))
			return true;
	}
	return ranges_overlap(addr, size, SYSTEM, SYSTEM_SIZE) ||
	       ranges_overlap(addr, size, 0, LOW_MEGABYTE);
}

bool trap_fits(const struct vm *vm, bool io, uint64_t addr, uint64_t size)
{
	return io ? range_inside(addr, size, 0x10000)
	          : !is_taken(vm, addr, size);
}

int trap_add(struct vm *vm, bool io, uint64_t addr, uint64_t size, unsigned tag,
             const struct bus_ops *ops, void *ctx)
{
	struct bus *bus = io ? vm->pio : vm->mmio;
	int r = bus_add(bus, addr, size, tag, ops, ctx);

	if (r < 0 || io || !vm->windows)
		return r;
	r = windows_evict(vm, addr, size);
	if (r < 0)
		bus_del(bus, addr, size);
	return r;
}

void trap_del(struct vm *vm, bool io, uint64_t addr, uint64_t size)
{
	bus_del(io ? vm->pio : vm->mmio, addr, size);
}
