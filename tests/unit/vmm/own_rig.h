/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A function of our own, made by a device that notes what it is told. Messages
 * and pins are counted here; the bus and irq-remap are real, the latter over a
 * sink that plays KVM. To be included by one file of a test.
 */
#ifndef FL_TESTS_OWN_RIG_H
#define FL_TESTS_OWN_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/assign.h"
#include "vmm/own.h"

#define SLOT 5u
#define VECTORS 70u
#define BAR0 0xc0000000ull
#define BAR2 0xc0100000ull
#define IO_BAR 0x2000u
#define TABLE 0x000u
#define PBA 0x800u
#define MSG 0xfee00000u
enum {
	COMMAND = 0x04,
	STATUS = 0x06,
	IO = 1,
	MEM = 2,
	MASTER = 4,
	INTX_OFF = 1 << 10,
	MSIX_ON = 1 << 15,
	MSIX_MASKED = 1 << 14,
};

/* ---- KVM, and assigned functions ---- */

struct seen {
	unsigned messages, last_data;
	uint64_t last_addr;
	bool pin[GSI_PINS];
	unsigned pin_changes, offers;
	int tied[256];
	unsigned commits;
	bool refuses;
};
static struct seen seen;

void kvm_signal_msi(struct vm *vm, uint64_t addr, uint32_t data)
{
	(void)vm;
	seen.messages++;
	seen.last_addr = addr;
	seen.last_data = data;
}

void kvm_irq_line(struct vm *vm, unsigned gsi, bool level)
{
	(void)vm;
	assert_true(gsi < GSI_PINS);
	seen.pin[gsi] = level;
	seen.pin_changes++;
}

void assign_offer_all(struct vm *vm)
{
	(void)vm;
	seen.offers++;
}

int windows_evict(struct vm *vm, uint64_t at, uint64_t size)
{
	(void)vm;
	assert_true(at && size);
	return 0;
}

static inline int set_routes(void *ctx, const struct irq_route *routes,
                             size_t n)
{
	(void)ctx;
	(void)routes;
	(void)n;
	seen.commits++;
	return seen.refuses ? -ENOMEM : 0;
}

static inline int irqfd_add(void *ctx, int eventfd, uint32_t gsi)
{
	(void)ctx;
	assert_int_equal(seen.tied[gsi], 0);
	seen.tied[gsi] = eventfd;
	return 0;
}

static inline int irqfd_del(void *ctx, int eventfd, uint32_t gsi)
{
	(void)ctx;
	assert_int_equal(seen.tied[gsi], eventfd);
	seen.tied[gsi] = 0;
	return 0;
}

static inline unsigned ties(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(seen.tied); i++)
		n += seen.tied[i] != 0;
	return n;
}

static const struct irq_sink_ops sink = {
	.set_routes = set_routes,
	.irqfd_add = irqfd_add,
	.irqfd_del = irqfd_del,
};

/* ---- the device ---- */

struct device {
	struct own *own;
	unsigned reads, writes, resets, frees, commands, vectors, moves;
	unsigned bar, width;
	uint64_t off, value;
	uint16_t command;
	bool enabled;
	uint64_t at[CFG_BARS]; /* 0 = does not decode */
	unsigned cap, cap_off, cap_writes;
	uint32_t cap_value;
};

static inline uint64_t dev_read(void *ctx, unsigned bar, uint64_t off,
                                unsigned width)
{
	struct device *v = ctx;

	v->reads++;
	v->bar = bar;
	v->off = off;
	v->width = width;
	return 0x1122334455667788ull + off;
}

static inline void dev_write(void *ctx, unsigned bar, uint64_t off,
                             unsigned width, uint64_t value)
{
	struct device *v = ctx;

	v->writes++;
	v->bar = bar;
	v->off = off;
	v->width = width;
	v->value = value;
}

static inline void dev_reset(void *ctx)
{
	struct device *v = ctx;

	v->resets++;
	/* After the view and the BARs. */
	assert_int_equal(v->at[0], 0);
	assert_false(own_msix_enabled(v->own));
	assert_false(own_dma(v->own));
}

static inline void dev_command(void *ctx, uint16_t command)
{
	struct device *v = ctx;

	v->commands++;
	v->command = command;
	assert_int_equal(own_dma(v->own), !!(command & MASTER));
	assert_int_equal(v->at[0] != 0, !!(command & MEM));
}

static inline void dev_moved(void *ctx, unsigned bar, uint64_t addr,
                             bool decodes)
{
	struct device *v = ctx;

	v->moves++;
	if (!decodes)
		assert_int_equal(v->at[bar], addr);
	v->at[bar] = decodes ? addr : 0;
}

static inline void dev_vectors(void *ctx, bool enabled)
{
	struct device *v = ctx;

	v->vectors++;
	v->enabled = enabled;
	assert_int_equal(own_msix_enabled(v->own), enabled);
}

static inline uint32_t cap_read(void *ctx, unsigned cap, unsigned off,
                                unsigned width)
{
	struct device *v = ctx;

	v->cap = cap;
	v->cap_off = off;
	v->width = width;
	return 0xa5a5a5a5u;
}

static inline void cap_write(void *ctx, unsigned cap, unsigned off,
                             unsigned width, uint32_t value)
{
	struct device *v = ctx;

	v->cap_writes++;
	v->cap = cap;
	v->cap_off = off;
	v->width = width;
	v->cap_value = value;
}

static inline void dev_free(void *ctx)
{
	struct device *v = ctx;

	v->frees++;
}

static const struct own_ops dev_ops = {
	.read = dev_read,
	.write = dev_write,
	.reset = dev_reset,
	.command = dev_command,
	.moved = dev_moved,
	.vectors = dev_vectors,
	.cap_read = cap_read,
	.cap_write = cap_write,
	.free = dev_free,
};

static const struct own_desc basic = {
	.name = "lan",
	.slot = SLOT,
	.vendor = 0x1af4,
	.device = 0x1041,
	.subvendor = 0x1af4,
	.subdevice = 0x1100,
	.class = 0x020000,
	.revision = 1,
	.bar = { [0] = { CFG_BAR_MEM64, true, 0x4000 },
	         [1] = { CFG_BAR_UPPER, false, 0 },
	         [2] = { CFG_BAR_MEM32, false, 0x1000 },
	         [4] = { CFG_BAR_IO, false, 64 } },
	.vectors = VECTORS,
	.msix_bar = 2,
	.table_off = TABLE,
	.pba_off = PBA,
	.intx = true,
	.cap = { { .bytes = { 9, 0, 16, 1, 0x11 }, .len = 16 },
	         { .bytes = { 9, 0, 20, 5 },
	           .rw = { [4] = 0xff, [8] = 0xff },
	           .len = 20,
	           .live = 16 } },
	.n_caps = 2,
	.ops = &dev_ops,
};

struct fixture {
	struct vm vm;
	struct device dev, second;
	struct diag d;
};

static inline void setup_vm(struct fixture *f)
{
	memset(&seen, 0, sizeof(seen));
	memset(f, 0, sizeof(*f));
	f->vm.fd = -1;
	assert_int_equal(bus_new(&f->vm.mmio), 0);
	assert_int_equal(bus_new(&f->vm.pio), 0);
	assert_int_equal(irq_table_new(&sink, NULL, GSI_PINS, 100, &f->vm.irqs),
	                 0);
	f->vm.mem.region[0].size = 512 << 20;
	f->vm.mem.n = 1;
	assert_int_equal(own_init(&f->vm), 0);
}

static inline int add(struct fixture *f, struct device *v, uint8_t slot)
{
	struct own_desc c = basic;

	c.slot = slot;
	c.ctx = v;
	return own_add(&f->vm, &c, &v->own, &f->d);
}

static inline int setup(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	assert_non_null(f);
	setup_vm(f);
	assert_int_equal(add(f, &f->dev, SLOT), 0);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	own_free_all(&f->vm);
	own_free_all(&f->vm);
	assert_int_equal(f->dev.frees, 1);
	for (unsigned i = 0; i < GSI_PINS; i++)
		assert_int_equal(f->vm.pins.up[i], 0);
	assert_int_equal(ties(), 0);
	irq_table_free(f->vm.irqs);
	assert_int_equal(bus_count(f->vm.mmio, 0, UINT64_MAX), 0);
	bus_free(f->vm.mmio);
	bus_free(f->vm.pio);
	free(f);
	return 0;
}

static inline uint32_t get(struct fixture *f, unsigned off, unsigned width)
{
	return own_cfg_read(&f->vm, SLOT, off, width);
}

static inline void put(struct fixture *f, unsigned off, unsigned width,
                       uint32_t v)
{
	assert_true(own_cfg_write(&f->vm, SLOT, off, width, v));
}

static inline unsigned find_cap(struct fixture *f, uint8_t id, unsigned which)
{
	unsigned at = get(f, 0x34, 1);

	for (unsigned i = 0; at && i < 48; i++, at = get(f, at + 1, 1))
		if (get(f, at, 1) == id && !which--)
			return at;
	return 0;
}

/* As firmware leaves it: placed, and on. */
static inline void turn_on(struct fixture *f, uint32_t command)
{
	put(f, 0x10, 4, (uint32_t)BAR0);
	put(f, 0x18, 4, (uint32_t)BAR2);
	put(f, 0x20, 4, IO_BAR);
	put(f, COMMAND, 2, command);
}

static inline uint64_t mem_read(struct fixture *f, uint64_t at, unsigned width)
{
	uint64_t v = 0;

	bus_read(f->vm.mmio, at, width, &v);
	return v;
}

static inline void mem_write(struct fixture *f, uint64_t at, unsigned width,
                             uint64_t v)
{
	bus_write(f->vm.mmio, at, width, v);
}

static inline void set_vector(struct fixture *f, unsigned i, uint32_t data,
                              bool mask)
{
	const uint64_t at = BAR2 + TABLE + i * 16ull;

	/* Behind the mask, as a driver does it. */
	mem_write(f, at + 12, 4, 1);
	mem_write(f, at, 4, MSG);
	mem_write(f, at + 4, 4, 0);
	mem_write(f, at + 8, 4, data);
	mem_write(f, at + 12, 4, mask);
}

static inline void msix(struct fixture *f, uint32_t control)
{
	put(f, find_cap(f, 0x11, 0) + 2, 2, control);
}

static inline uint64_t pending(struct fixture *f, unsigned word)
{
	return mem_read(f, BAR2 + PBA + 8ull * word, 8);
}

#endif
