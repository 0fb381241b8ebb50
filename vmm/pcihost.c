/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host bridge: configuration cycles by ECAM (PCIe 6.0 7.2.2) and by
 * 0xCF8/0xCFC (PCI 3.0 3.2.2.3.2), both onto one cycle(bus, devfn, offset).
 * Bus 0 has the host bridge at device 0 and a root port at the device number of
 * each slot; what is in the slot is device 0 of the port's secondary bus,
 * functions 0 to 7, whatever number the guest gives that bus.
 *
 * Bus numbers and windows are set before the guest runs (a guest that finds a
 * tree that is consistent renumbers nothing), again at each reset of the
 * machine. Where a function decodes is the function's own matter (vfio/): the
 * windows are registers, what lies outside of them is forwarded all the same.
 *
 * Order of a Secondary Bus Reset: while the bit is held nothing answers below;
 * the function is reset once, as the bit goes on.
 *
 * The kernel queues writes to 0xCF8 and hands them on before the next exit is
 * handled (coalesce_add): they change the latch and do nothing else.
 *
 * Locks: `lock` is of the latch and the ports' registers; the function behind
 * has its own, taken after `lock` is released. A cycle to a function takes
 * only that: who is behind a bus is looked up without.
 */

#include <string.h>

#include "vmm/own.h"
#include "vmm/port.h"

#define BUSES 256u
#define DEVICES 32u
_Static_assert(VM_SLOTS_MAX < DEVICES, "a slot is a device number of bus 0");
#define NOBODY UINT32_MAX

/* CONFIG_ADDRESS: enable, bus, device and function, dword. Bits 30:24 and 1:0
 * are reserved and read 0. */
#define ADDR_ENABLE BIT(31)
#define ADDR_BITS (ADDR_ENABLE | BITS(23, 2))

/* Type 1 header, PCIe 6.0 7.5.1.3. */
enum {
	REG_BUSES = 0x18,
	REG_IO = 0x1c,
	REG_MEM = 0x20,
	REG_PREF = 0x24,
	REG_PREF_BASE_HI = 0x28,
	REG_PREF_LIMIT_HI = 0x2c,
};

struct pci_host {
	struct vm *vm;
	pthread_mutex_t lock;
	uint32_t address; /* 0xCF8 */
	struct cfg_space bridge;
	/* Bus 0 by device number; NULL = nobody, or the bridge. */
	struct port *at[DEVICES];
	/* By bus, the slot that cycles to it reach; 0 = none. Worked out when a
	 * port's registers change, read in each cycle, without the lock. */
	_Atomic uint8_t behind[BUSES];
	uint8_t bus[DEVICES]; /* the port's, as `behind` knows it */
	unsigned n;
	struct port port[]; /* one for each slot, by ascending number */
};

/* ---- who answers --------------------------------------------------------- */

/* Several ports may have been given one bus: the first has it. Both under the
 * lock. */
static void work_out(struct pci_host *h, uint8_t bus)
{
	uint8_t slot = 0;

	/* 0 is the host bridge's own, and what a port has that forwards
	 * nothing. */
	if (!bus)
		return;
	for (unsigned i = h->n; i--;)
		if (port_forwards(&h->port[i], bus))
			slot = h->port[i].slot;
	atomic_store_explicit(&h->behind[bus], slot, memory_order_release);
}

/* After a register of the port may have changed. */
static void follow(struct pci_host *h, const struct port *p)
{
	const uint8_t was = h->bus[p->slot];

	if (p->bus == was)
		return;
	h->bus[p->slot] = p->bus;
	work_out(h, was);
	work_out(h, p->bus);
}

/* The slot that a cycle to another bus than 0 goes to; 0 = none. */
static inline uint8_t find_behind(const struct pci_host *h, unsigned bdf)
{
	if (bdf >> 3 & (DEVICES - 1))
		return 0;
	return atomic_load_explicit(&h->behind[bdf >> 8], memory_order_acquire);
}

/* ---- cycles --------------------------------------------------------------
 * `bdf` is bus, device and function, 16 bits.
 */

/* Of the host bridge and the ports: on bus 0, where only functions 0 are.
 * Under the lock. */
static struct cfg_space *find_own(struct pci_host *h, unsigned bdf)
{
	struct port *p = h->at[bdf >> 3];

	if (bdf & 7)
		return NULL;
	if (p)
		return &p->cfg;
	return bdf ? NULL : &h->bridge;
}

static __attribute__((noinline)) uint32_t
bus0_read(struct pci_host *h, unsigned bdf, unsigned off, unsigned width)
{
	const struct cfg_space *own;
	uint32_t value = NOBODY;

	pthread_mutex_lock(&h->lock);
	own = find_own(h, bdf);
	if (own)
		value = cfg_read(own, off, width).value;
	pthread_mutex_unlock(&h->lock);
	return value;
}

/* What is in a slot is one function of ours, or assigned ones. Only the main
 * thread changes which, with presence off: a guest that asks meanwhile reads
 * nobody, of either. */
static uint32_t behind_read(const struct port *p, uint8_t fn, unsigned off,
                            unsigned width)
{
	if (!fn && own_has(p->vm, p->slot))
		return own_cfg_read(p->vm, p->slot, off, width);
	return assign_cfg_read(p->vm, p->slot, fn, off, width);
}

static void behind_write(const struct port *p, uint8_t fn, unsigned off,
                         unsigned width, uint32_t value)
{
	if (!fn && own_has(p->vm, p->slot))
		(void)own_cfg_write(p->vm, p->slot, off, width, value);
	else
		assign_cfg_write(p->vm, p->slot, fn, off, width, value);
}

static uint32_t cycle_read(struct pci_host *h, unsigned bdf, unsigned off,
                           unsigned width)
{
	uint8_t slot;

	if (bdf < 1u << 8)
		return bus0_read(h, bdf, off, width);
	slot = find_behind(h, bdf);
	return slot ? behind_read(h->at[slot], bdf & 7, off, width) : NOBODY;
}

static __attribute__((noinline)) void bus0_write(struct pci_host *h,
                                                 unsigned bdf, unsigned off,
                                                 unsigned width, uint32_t value)
{
	struct port *p = h->at[bdf >> 3];
	struct port_order order = { .reset = false };

	if (bdf & 7)
		return;
	pthread_mutex_lock(&h->lock);
	if (p) {
		order = port_write(p, off, width, value);
		follow(h, p);
	} else if (!bdf) {
		(void)cfg_write(&h->bridge, off, width, value);
	}
	pthread_mutex_unlock(&h->lock);
	if (order.reset && !own_bus_reset(h->vm, p->slot))
		assign_bus_reset(h->vm, p->slot);
	if (order.dark)
		hotplug_dark(h->vm, p->slot);
	if (order.eject)
		hotplug_eject(h->vm, p->slot);
}

static void cycle_write(struct pci_host *h, unsigned bdf, unsigned off,
                        unsigned width, uint32_t value)
{
	uint8_t slot;

	if (bdf < 1u << 8) {
		bus0_write(h, bdf, off, width, value);
		return;
	}
	slot = find_behind(h, bdf);
	if (slot)
		behind_write(h->at[slot], bdf & 7, off, width, value);
}

/* ---- ECAM ---------------------------------------------------------------- */

/* A bridge may refuse more than a dword (PCIe 6.0 7.2.2); two dwords are what
 * others do with it. */
static __attribute__((noinline)) uint64_t
wide_read(struct pci_host *h, unsigned bdf, unsigned off, unsigned width)
{
	uint64_t value = cycle_read(h, bdf, off, 4);

	if (width == 8)
		value |= (uint64_t)cycle_read(h, bdf, off + 4, 4) << 32;
	return value;
}

static __attribute__((noinline)) void wide_write(struct pci_host *h,
                                                 unsigned bdf, unsigned off,
                                                 unsigned width, uint64_t value)
{
	cycle_write(h, bdf, off, 4, (uint32_t)value);
	if (width == 8)
		cycle_write(h, bdf, off + 4, 4, (uint32_t)(value >> 32));
}

static uint64_t ecam_read(void *ctx, uint64_t off, unsigned width)
{
	const unsigned bdf = (unsigned)(off >> 12), reg = off & (CFG_SIZE - 1);

	return width <= 4 ? cycle_read(ctx, bdf, reg, width)
	                  : wide_read(ctx, bdf, reg, width);
}

static void ecam_write(void *ctx, uint64_t off, unsigned width, uint64_t value)
{
	const unsigned bdf = (unsigned)(off >> 12), reg = off & (CFG_SIZE - 1);

	if (width <= 4)
		cycle_write(ctx, bdf, reg, width, (uint32_t)value);
	else
		wide_write(ctx, bdf, reg, width, value);
}

static const struct bus_ops ecam_ops = {
	.read = ecam_read,
	.write = ecam_write,
};

/* ---- 0xCF8, 0xCFC -------------------------------------------------------- */

#define DATA_OFF (PORT_PCI_DATA - PORT_PCI_ADDR)

/* The latch, where the access is for the data port and the latch has a cycle;
 * else 0. */
static uint32_t data_cycle(struct pci_host *h, uint64_t off, unsigned width)
{
	uint32_t a;

	if (off < DATA_OFF || !range_inside(off - DATA_OFF, width, 4))
		return 0;
	pthread_mutex_lock(&h->lock);
	a = h->address;
	pthread_mutex_unlock(&h->lock);
	return a & ADDR_ENABLE ? a : 0;
}

static unsigned data_bdf(uint32_t address)
{
	return address >> 8 & UINT16_MAX;
}

static unsigned data_off(uint32_t address, uint64_t off)
{
	return (address & 0xfc) + (unsigned)(off - DATA_OFF);
}

static bool is_address(uint64_t off, unsigned width)
{
	return off == 0 && width == 4;
}

static uint64_t ports_read(void *ctx, uint64_t off, unsigned width)
{
	struct pci_host *h = ctx;
	uint32_t a = data_cycle(h, off, width), value = NOBODY;

	if (a)
		return cycle_read(h, data_bdf(a), data_off(a, off), width);
	if (is_address(off, width)) {
		pthread_mutex_lock(&h->lock);
		value = h->address;
		pthread_mutex_unlock(&h->lock);
	}
	return value;
}

static void ports_write(void *ctx, uint64_t off, unsigned width, uint64_t value)
{
	struct pci_host *h = ctx;
	uint32_t a = data_cycle(h, off, width);

	if (a) {
		cycle_write(h, data_bdf(a), data_off(a, off), width,
		            (uint32_t)value);
	} else if (is_address(off, width)) {
		pthread_mutex_lock(&h->lock);
		h->address = (uint32_t)value & ADDR_BITS;
		pthread_mutex_unlock(&h->lock);
	}
}

static const struct bus_ops ports_ops = {
	.read = ports_read,
	.write = ports_write,
};

/* ---- power-on state ------------------------------------------------------ */

static void put(struct cfg_space *s, unsigned off, uint32_t value)
{
	(void)cfg_write(s, off, 4, value);
}

/* Bits 31:20 of an address, as base and limit of a window hold them; a window
 * that is empty has its base above its limit. */
static uint32_t window(uint64_t base, uint64_t size)
{
	uint64_t last = base + size - 1;

	if (!size)
		return 0x0000fff0;
	return (uint32_t)(base >> 16 & 0xfff0) | ((uint32_t)last & 0xfff00000);
}

static void preset(struct cfg_space *s, uint8_t bus,
                   const struct assign_window *w)
{
	uint32_t io_last = w->io + w->io_size - 1;
	uint64_t last = w->mem64_size ? w->mem64 + w->mem64_size - 1 : 0;

	put(s, REG_BUSES, (uint32_t)bus << 16 | (uint32_t)bus << 8);
	(void)cfg_write(s, REG_IO, 2,
	                w->io_size ? (w->io >> 8 & 0xf0) | (io_last & 0xf000)
	                           : 0x00f0);
	put(s, REG_MEM, window(w->mem32, w->mem32_size));
	put(s, REG_PREF, window(w->mem64, w->mem64_size));
	put(s, REG_PREF_BASE_HI, (uint32_t)(w->mem64 >> 32));
	put(s, REG_PREF_LIMIT_HI, (uint32_t)(last >> 32));
}

static void reset_port(struct pci_host *h, struct port *p)
{
	port_reset(p);
	preset(&p->cfg, topology_bus(h->vm, p->slot), &h->vm->window[p->slot]);
	port_follow(p);
	follow(h, p);
}

void pci_host_reset(struct pci_host *h)
{
	pthread_mutex_lock(&h->lock);
	h->address = 0;
	cfg_reset(&h->bridge);
	for (unsigned i = 0; i < h->n; i++)
		reset_port(h, &h->port[i]);
	pthread_mutex_unlock(&h->lock);
}

/* ---- what comes and goes ------------------------------------------------- */

static struct port *find_port(struct pci_host *h, uint8_t slot)
{
	return slot < DEVICES ? h->at[slot] : NULL;
}

bool pci_host_has(struct pci_host *h, uint8_t slot)
{
	const struct port *p = find_port(h, slot);

	return p && p->hotplug;
}

void pci_host_insert(struct pci_host *h, uint8_t slot)
{
	struct port *p = find_port(h, slot);
	struct cfg_port link = { .slot = slot };

	if (!p)
		return;
	assign_match_link(h->vm, slot, &link);
	pthread_mutex_lock(&h->lock);
	port_insert(p, &link);
	follow(h, p);
	pthread_mutex_unlock(&h->lock);
}

static void with_port(struct pci_host *h, uint8_t slot,
                      void (*f)(struct port *))
{
	struct port *p = find_port(h, slot);

	if (!p)
		return;
	pthread_mutex_lock(&h->lock);
	f(p);
	follow(h, p);
	pthread_mutex_unlock(&h->lock);
}

void pci_host_remove(struct pci_host *h, uint8_t slot)
{
	with_port(h, slot, port_remove);
}

void pci_host_press(struct pci_host *h, uint8_t slot)
{
	with_port(h, slot, port_press);
}

/* ---- making it ----------------------------------------------------------- */

static bool is_used(const struct vm *vm, uint8_t slot)
{
	for (unsigned i = 0; i < vm->cfg.n_devices; i++)
		if (vm->cfg.device[i].slot == slot)
			return true;
	return own_has(vm, slot);
}

static void compose(struct pci_host *h)
{
	cfg_compose_host_bridge(&h->bridge);
	for (uint8_t slot = 1; slot <= VM_SLOTS_MAX; slot++) {
		struct cfg_port port = { .slot = slot,
			                 .port = slot,
			                 .hotplug = !own_has(h->vm, slot) ||
			                            own_may_go(h->vm, slot),
			                 .empty = !is_used(h->vm, slot) };

		if (!(h->vm->ports & BIT(slot)))
			continue;
		assign_match_link(h->vm, slot, &port);
		h->at[slot] = &h->port[h->n++];
		h->at[slot]->hotplug = port.hotplug;
		port_init(h->at[slot], h->vm, &port);
	}
	pci_host_reset(h);
}

static int answer(struct pci_host *h)
{
	struct vm *vm = h->vm;
	int r = bus_add(vm->mmio, MAP_ECAM, MAP_ECAM_SIZE, EXIT_CONFIG,
	                &ecam_ops, h);

	if (r < 0)
		return r;
	r = bus_add(vm->pio, PORT_PCI_ADDR, 8, EXIT_CONFIG, &ports_ops, h);
	if (r < 0)
		return r;
	return coalesce_add(vm, PORT_PCI_ADDR, 4);
}

int pci_host_new(struct vm *vm, struct pci_host **ret, struct diag *d)
{
	unsigned n = topology_last_bus(vm); /* one a port */
	struct pci_host *h = calloc(1, sizeof(*h) + n * sizeof(h->port[0]));
	int r = -ENOMEM;

	if (h) {
		h->vm = vm;
		pthread_mutex_init(&h->lock, NULL);
		compose(h);
		r = answer(h);
	}
	if (r < 0) {
		pci_host_free(h);
		diag_fail(d, r, FL_VMM_SLOT, "the PCIe host bridge");
		diag_why(d, "%s", strerror(-r));
		diag_mend_else(d, "journalctl -k | grep -i kvm");
		return r;
	}
	*ret = h;
	return 0;
}

void pci_host_free(struct pci_host *h)
{
	if (!h)
		return;
	bus_del(h->vm->mmio, MAP_ECAM, MAP_ECAM_SIZE);
	bus_del(h->vm->pio, PORT_PCI_ADDR, 8);
	pthread_mutex_destroy(&h->lock);
	free(h);
}
