/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_OWN_H
#define FL_VMM_OWN_H

/*
 * PCI functions that the VMM itself is: virtio devices, an 82540EM.
 *
 * Theory of operation
 *   A function of our own is function 0 of a slot, behind that slot's root
 *   port, as an assigned one is. A device describes itself (struct own_desc);
 *   own.c makes the bytes of its configuration space from that, and pci-config
 *   turns them into the guest's view, as it does for an assigned function: the
 *   same tables, the same attributes. A device therefore has no code for BARs
 *   that move, capabilities, COMMAND, power states or the MSI-X table; it has
 *   registers, and the calls below.
 *
 *   Interrupts. own_raise() sends a vector's message with KVM_SIGNAL_MSI, which
 *   needs no route; while the vector or the function is masked it sets the
 *   pending bit instead, and the unmask sends it. Where somebody else raises
 *   the interrupt (vhost), own_vector_fd() gives an eventfd that is tied to the
 *   vector by a route and an irqfd while it is unmasked; what is signalled
 *   while it is masked stays in the eventfd, shows as the pending bit, and
 *   arrives with the unmask. own_intx() is the level of the function's pin;
 *   pins are shared with whatever else is on them.
 *
 *   Reset: FLR, the port's secondary bus reset and the machine's reset all end
 *   in ops->reset(), after the view is back at its reset values.
 *
 * Order: traps of a BAR are removed before ops->moved() says that it does not
 * decode, and added before it says that it does. A device is told of COMMAND
 * (ops->command) after its BARs have moved.
 *
 * Threads: configuration cycles hold the function's lock, and call
 * ops->command, ops->moved, ops->reset, ops->vectors and the cfg hooks with it;
 * BAR accesses hold none: a device locks its own registers. From any thread:
 * own_raise(), own_intx(), own_dma(). A device's lock may be taken inside the
 * function's, never the other way round: own_raise() takes only the vectors'
 * lock, which is innermost.
 *
 *   Hot plug. A function is made, and taken apart, while nobody runs: before
 *   the guest does, or with the vCPUs and the data path's loop parked (plug.h).
 *   One that is to go is told so first (ops->leave) and asked until nothing of
 *   what it began is under way, so that the parking waits for no storage.
 *
 * Trust: offsets, widths and values are the guest's. Reads of nothing are ones.
 *
 * Limits: OWN_MAX functions; one BAR may be 2 GiB at most.
 */

#include "vmm/priv.h"
#include "vmm/stats.h"

#define OWN_MAX VM_SLOTS_MAX
#define OWN_CAPS_MAX 8

struct own;

struct owns {
	/* By slot; changes only while nobody runs. */
	struct own *at[VM_SLOTS_MAX + 1];
};

/* Of a device that is to go: what it began is under way; nothing is, but since
 * the last time its driver has asked for something; nor that. */
enum own_left {
	OWN_BUSY,
	OWN_ASKED,
	OWN_QUIET,
};

struct own_ops {
	/* Registers: [off, off+width) lies in the BAR; width 1, 2, 4 or 8. The
	 * MSI-X table and its pending bits are answered by own.c. */
	uint64_t (*read)(void *ctx, unsigned bar, uint64_t off, unsigned width);
	void (*write)(void *ctx, unsigned bar, uint64_t off, unsigned width,
	              uint64_t value);
	/* All state to power-on. The guest may still run on other CPUs. */
	void (*reset)(void *ctx);
	/* The rest may be NULL. COMMAND has changed, as it takes effect: in
	 * D3hot decode and bus master are off. Not called for a reset. */
	void (*command)(void *ctx, uint16_t command);
	/* BAR `bar` decodes at `addr`, or does not any more (addr is where it
	 * did): for ioeventfds. */
	void (*moved)(void *ctx, unsigned bar, uint64_t addr, bool decodes);
	/* MSI-X was turned on or off: a vhost device switches its call
	 * descriptors. Masks and bus master need no switching: what is
	 * signalled meanwhile stays in the eventfd. Not called for a reset. */
	void (*vectors)(void *ctx, bool enabled);
	/* A dword of a capability of own_desc.cap was written or is read: see
	 * own_cap.live. `off` is from the capability's begin. */
	uint32_t (*cap_read)(void *ctx, unsigned cap, unsigned off,
	                     unsigned width);
	void (*cap_write)(void *ctx, unsigned cap, unsigned off, unsigned width,
	                  uint32_t value);
	/* The registers of own_desc.area; accesses lie wholly in it. `off` is
	 * the configuration space's. */
	uint32_t (*area_read)(void *ctx, unsigned off, unsigned width);
	void (*area_write)(void *ctx, unsigned off, unsigned width,
	                   uint32_t value);
	/* Its `i`th table of counters, false = it has not so many; NULL = none.
	 * The main thread. */
	bool (*counters)(void *ctx, unsigned i, struct stats_set *ret);
	/* It is to be taken out of a guest that runs: it begins nothing more,
	 * and what its driver asks for fails at once. It is asked again until
	 * it is not busy. The main thread, which does not wait: busy also where
	 * a lock is held for long. NULL = it has only its own_dma(), which is
	 * false from then on. */
	enum own_left (*leave)(void *ctx);
	/* Ends it; the vCPUs and the data path's loop do not run. */
	void (*free)(void *ctx);
};

/* A vendor-specific capability, PCIe 6.0 7.9.4: its bytes from `id` on (the
 * next pointer is filled in), read-only but for those of `rw`. */
struct own_cap {
	uint8_t bytes[24];
	uint8_t rw[24]; /* bits that the guest may change */
	uint8_t len;
	/* From this offset on the device answers (ops->cap_read, cap_write);
	 * 0 = nowhere. */
	uint8_t live;
};

struct own_desc {
	char name[VM_NAME]; /* in the policy: "lan" */
	uint8_t slot;       /* device number of its root port */
	uint16_t vendor, device, subvendor, subdevice;
	uint32_t class; /* base, sub, interface */
	uint8_t revision;
	/* Sizes are powers of two: 16 bytes to 2 GiB, I/O up to 256. A 64-bit
	 * one takes the next index too (CFG_BAR_UPPER). */
	struct cfg_bar bar[CFG_BARS];
	/* MSI-X; 0 vectors = none. Table and pending bits in one BAR. */
	uint16_t vectors;
	uint8_t msix_bar;
	uint32_t table_off, pba_off;
	bool intx; /* INTA */
	struct own_cap cap[OWN_CAPS_MAX];
	unsigned n_caps;
	/* Registers of the device's own in the configuration space, outside of
	 * any capability, at a place that its drivers know (PCI 3.0 6.1): from
	 * 0x40 on. Capabilities come behind them. */
	struct {
		uint8_t at, len; /* len 0 = none */
	} area;
	const struct own_ops *ops;
	void *ctx;
};

/* Nobody runs; in any order; after own_init(). Takes a copy of `desc`. On
 * failure the device stays the caller's; else ops->free ends it. -EBUSY
 * FL_VMM_SLOT: the slot is taken. */
_must_check_ int own_add(struct vm *vm, const struct own_desc *desc,
                         struct own **ret, struct diag *d);

/* ---- for devices --------------------------------------------------------- */

/* Vector 0..vectors-1; others, and all while MSI-X is off, do nothing. */
void own_raise(struct own *o, unsigned vector);
bool own_msix_enabled(struct own *o);
/* Made on first need, borrowed; negative errno. Any thread. */
_must_check_ int own_vector_fd(struct own *o, unsigned vector);
/* Level of INTA; the guest's INTx Disable (COMMAND bit 10) holds it down. */
void own_intx(struct own *o, bool level);
/* Bus Master Enable, in D0: without it a device must not touch guest memory. */
#define OWN_COMMAND_MASTER (1u << 2)
bool own_dma(const struct own *o);
struct vm *own_vm(const struct own *o);
const char *own_name(const struct own *o);

/* ---- for the machine ----------------------------------------------------- */

_must_check_ int own_init(struct vm *vm);
void own_free_all(struct vm *vm);
/* vCPUs are parked. */
void own_reset_all(struct vm *vm);
/* Configuration cycles of function 0 in `slot`; UINT32_MAX, as the bus has it,
 * and false = nobody of ours there. */
uint32_t own_cfg_read(struct vm *vm, uint8_t slot, unsigned off,
                      unsigned width);
bool own_cfg_write(struct vm *vm, uint8_t slot, unsigned off, unsigned width,
                   uint32_t value);
/* False = nobody of ours there. */
bool own_bus_reset(struct vm *vm, uint8_t slot);
/* Asked in each configuration cycle to a function. */
static inline bool own_has(const struct vm *vm, uint8_t slot)
{
	return vm->own && slot <= VM_SLOTS_MAX && vm->own->at[slot];
}
/* Of what is there from the start: does its port take part in hot plug? */
bool own_may_go(const struct vm *vm, uint8_t slot);
/* ops->leave; quiet where nobody is there. */
enum own_left own_leave(struct vm *vm, uint8_t slot);
/* Ends it, after own_leave() was not busy; nobody runs. */
void own_remove(struct vm *vm, uint8_t slot);
/* Something has moved away in the guest: BARs that were refused are offered
 * again. Without any function's lock. */
void own_offer_all(struct vm *vm);
/* The `i`th table of the function in `slot`: its interrupts first. False = it
 * has not so many, or nobody of ours is there. The main thread. */
bool own_counters(const struct vm *vm, uint8_t slot, unsigned i,
                  struct stats_set *ret);
/* For place.c; NULL = nobody of ours there. A place is kept, for the machine's
 * resets. */
const char *own_name_at(const struct vm *vm, uint8_t slot);
const struct cfg_bar *own_bars(const struct vm *vm, uint8_t slot);
_must_check_ int own_bar_place(struct vm *vm, uint8_t slot, unsigned bar,
                               uint64_t addr);

#endif
