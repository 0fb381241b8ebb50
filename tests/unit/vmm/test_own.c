/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions of our own as a guest meets them, with a device that notes what it
 * is told. Messages and pins are counted here; the bus and irq-remap are real,
 * the latter over a sink that plays KVM.
 */
#include <poll.h>
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

static int set_routes(void *ctx, const struct irq_route *routes, size_t n)
{
	(void)ctx;
	(void)routes;
	(void)n;
	seen.commits++;
	return seen.refuses ? -ENOMEM : 0;
}

static int irqfd_add(void *ctx, int eventfd, uint32_t gsi)
{
	(void)ctx;
	assert_int_equal(seen.tied[gsi], 0);
	seen.tied[gsi] = eventfd;
	return 0;
}

static int irqfd_del(void *ctx, int eventfd, uint32_t gsi)
{
	(void)ctx;
	assert_int_equal(seen.tied[gsi], eventfd);
	seen.tied[gsi] = 0;
	return 0;
}

static unsigned ties(void)
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

static uint64_t dev_read(void *ctx, unsigned bar, uint64_t off, unsigned width)
{
	struct device *v = ctx;

	v->reads++;
	v->bar = bar;
	v->off = off;
	v->width = width;
	return 0x1122334455667788ull + off;
}

static void dev_write(void *ctx, unsigned bar, uint64_t off, unsigned width,
                      uint64_t value)
{
	struct device *v = ctx;

	v->writes++;
	v->bar = bar;
	v->off = off;
	v->width = width;
	v->value = value;
}

static void dev_reset(void *ctx)
{
	struct device *v = ctx;

	v->resets++;
	/* After the view and the BARs. */
	assert_int_equal(v->at[0], 0);
	assert_false(own_msix_enabled(v->own));
	assert_false(own_dma(v->own));
}

static void dev_command(void *ctx, uint16_t command)
{
	struct device *v = ctx;

	v->commands++;
	v->command = command;
	assert_int_equal(own_dma(v->own), !!(command & MASTER));
	assert_int_equal(v->at[0] != 0, !!(command & MEM));
}

static void dev_moved(void *ctx, unsigned bar, uint64_t addr, bool decodes)
{
	struct device *v = ctx;

	v->moves++;
	if (!decodes)
		assert_int_equal(v->at[bar], addr);
	v->at[bar] = decodes ? addr : 0;
}

static void dev_vectors(void *ctx, bool enabled)
{
	struct device *v = ctx;

	v->vectors++;
	v->enabled = enabled;
	assert_int_equal(own_msix_enabled(v->own), enabled);
}

static uint32_t cap_read(void *ctx, unsigned cap, unsigned off, unsigned width)
{
	struct device *v = ctx;

	v->cap = cap;
	v->cap_off = off;
	v->width = width;
	return 0xa5a5a5a5u;
}

static void cap_write(void *ctx, unsigned cap, unsigned off, unsigned width,
                      uint32_t value)
{
	struct device *v = ctx;

	v->cap_writes++;
	v->cap = cap;
	v->cap_off = off;
	v->width = width;
	v->cap_value = value;
}

static uint32_t area_read(void *ctx, unsigned off, unsigned width)
{
	(void)ctx;
	return off << 8 | width;
}

static void area_write(void *ctx, unsigned off, unsigned width, uint32_t value)
{
	struct device *v = ctx;

	v->cap_writes++;
	v->cap_off = off;
	v->width = width;
	v->cap_value = value;
}

static void dev_free(void *ctx)
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

static void setup_vm(struct fixture *f)
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

static int add(struct fixture *f, struct device *v, uint8_t slot)
{
	struct own_desc c = basic;

	c.slot = slot;
	c.ctx = v;
	return own_add(&f->vm, &c, &v->own, &f->d);
}

static int setup(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	assert_non_null(f);
	setup_vm(f);
	assert_int_equal(add(f, &f->dev, SLOT), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
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

static uint32_t get(struct fixture *f, unsigned off, unsigned width)
{
	uint32_t v = 0;

	assert_true(own_cfg_read(&f->vm, SLOT, off, width, &v));
	return v;
}

static void put(struct fixture *f, unsigned off, unsigned width, uint32_t v)
{
	assert_true(own_cfg_write(&f->vm, SLOT, off, width, v));
}

static unsigned find_cap(struct fixture *f, uint8_t id, unsigned which)
{
	unsigned at = get(f, 0x34, 1);

	for (unsigned i = 0; at && i < 48; i++, at = get(f, at + 1, 1))
		if (get(f, at, 1) == id && !which--)
			return at;
	return 0;
}

/* As firmware leaves it: placed, and on. */
static void turn_on(struct fixture *f, uint32_t command)
{
	put(f, 0x10, 4, (uint32_t)BAR0);
	put(f, 0x18, 4, (uint32_t)BAR2);
	put(f, 0x20, 4, IO_BAR);
	put(f, COMMAND, 2, command);
}

static uint64_t mem_read(struct fixture *f, uint64_t at, unsigned width)
{
	uint64_t v = 0;

	bus_read(f->vm.mmio, at, width, &v);
	return v;
}

static void mem_write(struct fixture *f, uint64_t at, unsigned width,
                      uint64_t v)
{
	bus_write(f->vm.mmio, at, width, v);
}

static void set_vector(struct fixture *f, unsigned i, uint32_t data, bool mask)
{
	const uint64_t at = BAR2 + TABLE + i * 16ull;

	/* Behind the mask, as a driver does it. */
	mem_write(f, at + 12, 4, 1);
	mem_write(f, at, 4, MSG);
	mem_write(f, at + 4, 4, 0);
	mem_write(f, at + 8, 4, data);
	mem_write(f, at + 12, 4, mask);
}

static void msix(struct fixture *f, uint32_t control)
{
	put(f, find_cap(f, 0x11, 0) + 2, 2, control);
}

static uint64_t pending(struct fixture *f, unsigned word)
{
	return mem_read(f, BAR2 + PBA + 8ull * word, 8);
}

/* ---- the space ---- */

static void test_space(void **state)
{
	struct fixture *f = *state;
	unsigned express = find_cap(f, 0x10, 0), at;

	assert_int_equal(get(f, 0, 4), 0x10411af4);
	assert_int_equal(get(f, 8, 4), 0x02000001);
	assert_int_equal(get(f, 0x2c, 4), 0x11001af4);
	assert_int_equal(get(f, 0x3d, 1), 1);
	assert_int_equal(get(f, 0x0e, 1), 0);
	assert_true(get(f, STATUS, 2) & 0x10);
	/* Endpoint, version 2; FLR, role-based errors; x1 at 2.5 GT/s. */
	assert_int_equal(get(f, express + 2, 2), 2);
	assert_int_equal(get(f, express + 4, 4), BIT(28) | BIT(15));
	assert_int_equal(get(f, express + 0x12, 2) & 0x3ff, 0x11);
	assert_int_equal(get(f, find_cap(f, 0x01, 0) + 2, 2), 3);
	at = find_cap(f, 0x11, 0);
	assert_int_equal(get(f, at + 2, 2), VECTORS - 1);
	assert_int_equal(get(f, at + 4, 4), TABLE | 2);
	assert_int_equal(get(f, at + 8, 4), PBA | 2);
	at = find_cap(f, 0x09, 0);
	assert_int_equal(get(f, at + 2, 1), 16);
	assert_int_equal(get(f, at + 4, 1), 0x11);
	assert_int_equal(find_cap(f, 0x05, 0), 0);
	assert_int_equal(get(f, 0x100, 4), 0);
	/* Nobody else is there. */
	assert_false(own_cfg_read(&f->vm, SLOT + 1, 0, 4, &at));
	assert_false(own_cfg_write(&f->vm, 200, 0, 4, 0));
	assert_false(own_bus_reset(&f->vm, 0));
}

static void test_sizing(void **state)
{
	struct fixture *f = *state;

	for (unsigned off = 0x10; off <= 0x30; off += 4)
		put(f, off, 4, UINT32_MAX);
	assert_int_equal(get(f, 0x10, 4), 0xffffc00c);
	assert_int_equal(get(f, 0x14, 4), 0xffffffff);
	assert_int_equal(get(f, 0x18, 4), 0xfffff000);
	assert_int_equal(get(f, 0x1c, 4), 0);
	assert_int_equal(get(f, 0x20, 4), 0xffffffc1);
	assert_int_equal(get(f, 0x30, 4), 0);
	assert_int_equal(f->dev.moves, 0);
}

static void test_caps(void **state)
{
	struct fixture *f = *state;
	unsigned a = find_cap(f, 9, 0), b = find_cap(f, 9, 1);

	put(f, a + 4, 4, UINT32_MAX);
	assert_int_equal(get(f, a + 4, 4), 0x11);
	put(f, b, 4, UINT32_MAX);
	assert_int_equal(get(f, b, 1), 9);
	put(f, b + 4, 4, 0x12345678);
	put(f, b + 8, 4, 0x12345678);
	assert_int_equal(get(f, b + 4, 4), 0x78);
	assert_int_equal(get(f, b + 8, 4), 0x78);
	assert_int_equal(f->dev.cap_writes, 0);
	assert_int_equal(get(f, b + 17, 2), 0xa5a5a5a5u);
	assert_int_equal(f->dev.cap, 1);
	assert_int_equal(f->dev.cap_off, 17);
	put(f, b + 16, 4, 0xdeadbeef);
	assert_int_equal(f->dev.cap_writes, 1);
	assert_int_equal(f->dev.cap_value, 0xdeadbeef);
	/* Over its end: nobody's. */
	put(f, b + 18, 4, 1);
	assert_int_equal(f->dev.cap_writes, 1);
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	struct device other = { 0 };
	struct own_desc c = basic;

	c.ctx = &other;
	assert_int_equal(own_add(&f->vm, &c, &other.own, &f->d), -EBUSY);
	assert_int_equal(f->d.code, FL_VMM_SLOT);
	c.slot = 0;
	assert_int_equal(own_add(&f->vm, &c, &other.own, &f->d), -EINVAL);
	c.slot = 7;
	f->vm.cfg.n_devices = 1;
	f->vm.cfg.device[0].slot = 7;
	assert_int_equal(own_add(&f->vm, &c, &other.own, &f->d), -EBUSY);
	f->vm.cfg.n_devices = 0;
	c.pba_off = 0x1000; /* outside its BAR */
	assert_int_equal(own_add(&f->vm, &c, &other.own, &f->d), -EINVAL);
	c = basic;
	c.slot = 7;
	c.bar[2].size = 0x1800;
	assert_int_equal(own_add(&f->vm, &c, &other.own, &f->d), -EINVAL);
	c = basic;
	c.slot = 7;
	c.n_caps = OWN_CAPS_MAX;
	for (unsigned i = 0; i < OWN_CAPS_MAX; i++) {
		c.cap[i] = basic.cap[0];
		c.cap[i].len = 24;
	}
	assert_int_equal(own_add(&f->vm, &c, &other.own, &f->d), -ENOSPC);
	assert_int_equal(other.frees, 0);
	assert_false(own_has(&f->vm, 7));
}

/* ---- BARs ---- */

static void test_bars(void **state)
{
	struct fixture *f = *state;
	struct device *v = &f->dev;
	uint64_t value;

	turn_on(f, MEM | IO);
	assert_int_equal(v->at[0], BAR0);
	assert_int_equal(v->at[2], BAR2);
	assert_int_equal(v->at[4], IO_BAR);
	assert_int_equal(v->command, MEM | IO);
	assert_int_equal(mem_read(f, BAR0 + 8, 4), 0x55667790);
	assert_int_equal(v->bar, 0);
	assert_int_equal(v->width, 4);
	mem_write(f, BAR0 + 0x3ff8, 8, 77);
	assert_int_equal(v->off, 0x3ff8);
	assert_int_equal(v->value, 77);
	assert_int_equal(bus_read(f->vm.pio, IO_BAR + 1, 1, &value),
	                 EXIT_AT(EXIT_OWN, SLOT, 4));
	assert_int_equal(v->bar, 4);
	/* A width that no register has: byte by byte. */
	v->writes = 0;
	mem_write(f, BAR0 + 1, 3, 0x030201);
	assert_int_equal(v->writes, 3);
	assert_int_equal(v->off, 3);
	assert_int_equal(v->value, 3);
	assert_int_equal(mem_read(f, BAR0 + 1, 3), 0x8b8a89);
	/* Above 4 GiB: in two steps, the first of which is RAM. */
	put(f, 0x10, 4, 0x00100000);
	assert_int_equal(v->at[0], 0);
	put(f, 0x14, 4, 0x2);
	assert_int_equal(v->at[0], 0x200100000);
	assert_int_equal(mem_read(f, BAR0, 4), UINT32_MAX);
	assert_int_equal(seen.offers, 1);
	put(f, COMMAND, 2, IO);
	assert_int_equal(v->at[0], 0);
	assert_int_equal(v->at[4], IO_BAR);
	assert_int_equal(v->command, IO);
	assert_int_equal(seen.offers, 2);
}

/* RAM, the first megabyte, interrupt controllers, no port. */
static void test_bars_refused(void **state)
{
	static const uint32_t bad[] = { 0x0,        0x80000,    0x100000,
		                        0x1ff00000, 0xfec00000, 0xfee00000,
		                        0xffff0000 };
	struct fixture *f = *state;

	turn_on(f, MEM | IO);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		put(f, 0x10, 4, bad[i]);
		assert_int_equal(f->dev.at[0], 0);
		put(f, 0x10, 4, (uint32_t)BAR0);
		assert_int_equal(f->dev.at[0], BAR0);
	}
	put(f, 0x10, 4, (uint32_t)BAR2 & ~0x3fffu);
	assert_int_equal(f->dev.at[0], 0);
	put(f, 0x20, 4, 0x10000);
	assert_int_equal(f->dev.at[4], 0);
	put(f, 0x20, 4, 0xffc0);
	assert_int_equal(f->dev.at[4], 0xffc0);
}

/* Two that change places: the first comes where the second leaves. */
static void test_swap(void **state)
{
	struct fixture *f = *state;
	struct device *second = &f->second;

	assert_int_equal(add(f, second, 9), 0);
	turn_on(f, MEM);
	own_cfg_write(&f->vm, 9, 0x10, 4, 0xd0000000);
	own_cfg_write(&f->vm, 9, 0x18, 4, 0xd0100000);
	own_cfg_write(&f->vm, 9, COMMAND, 2, MEM);
	assert_int_equal(second->at[0], 0xd0000000);
	put(f, 0x10, 4, 0xd0000000);
	assert_int_equal(f->dev.at[0], 0);
	own_cfg_write(&f->vm, 9, 0x10, 4, (uint32_t)BAR0);
	assert_int_equal(second->at[0], BAR0);
	assert_int_equal(f->dev.at[0], 0xd0000000);
	assert_int_equal(mem_read(f, 0xd0000000, 1), 0x88);
	assert_int_equal(f->dev.reads, 1);
}

/* ---- messages ---- */

static void test_msix(void **state)
{
	struct fixture *f = *state;
	struct own *o = f->dev.own;

	turn_on(f, MEM | MASTER);
	own_raise(o, 0); /* off: nothing, and nothing later */
	set_vector(f, 0, 0x41, false);
	set_vector(f, 69, 0x51, false);
	assert_false(own_msix_enabled(o));
	msix(f, MSIX_ON);
	assert_true(own_msix_enabled(o));
	assert_true(f->dev.enabled);
	assert_int_equal(seen.messages, 0);
	own_raise(o, 0);
	assert_int_equal(seen.messages, 1);
	assert_int_equal(seen.last_addr, MSG);
	assert_int_equal(seen.last_data, 0x41);
	own_raise(o, 69);
	assert_int_equal(seen.last_data, 0x51);
	own_raise(o, VECTORS);
	own_raise(o, UINT32_MAX);
	assert_int_equal(seen.messages, 2);
	assert_int_equal(mem_read(f, BAR2 + 8, 4), 0x41);
	assert_int_equal(f->dev.reads, 0);
	/* Behind the table, and the pending bits: the device's. */
	mem_read(f, BAR2 + VECTORS * 16, 4);
	mem_read(f, BAR2 + PBA + 16, 4);
	assert_int_equal(f->dev.reads, 2);
	msix(f, 0);
	assert_int_equal(f->dev.vectors, 2);
	own_raise(o, 0);
	assert_int_equal(seen.messages, 2);
}

/* Of the first table: the interrupts. */
static uint64_t counted(const struct fixture *f, const char *name)
{
	struct stats_set s;

	assert_true(own_counters(&f->vm, SLOT, 0, &s));
	assert_false(own_counters(&f->vm, SLOT, 1, &s));
	assert_false(own_counters(&f->vm, SLOT + 1, 0, &s));
	assert_string_equal(s.what, "interrupts");
	for (unsigned i = 0; i < s.n; i++)
		if (!strcmp(s.def[i].name, name))
			return *(const uint64_t *)((const char *)s.base +
			                           s.def[i].at);
	fail_msg("no counter %s", name);
	return 0;
}

static void test_pending(void **state)
{
	struct fixture *f = *state;
	struct own *o = f->dev.own;

	turn_on(f, MEM | MASTER);
	set_vector(f, 1, 0x41, true);
	set_vector(f, 69, 0x42, false);
	msix(f, MSIX_ON);
	own_raise(o, 1);
	own_raise(o, 1);
	assert_int_equal(pending(f, 0), 2);
	assert_int_equal(mem_read(f, BAR2 + PBA, 4), 2);
	mem_write(f, BAR2 + PBA, 8, 0);
	assert_int_equal(pending(f, 0), 2);
	assert_int_equal(seen.messages, 0);
	set_vector(f, 1, 0x43, false);
	assert_int_equal(seen.messages, 1);
	assert_int_equal(seen.last_data, 0x43);
	assert_int_equal(pending(f, 0), 0);
	/* The whole function. */
	msix(f, MSIX_ON | MSIX_MASKED);
	own_raise(o, 69);
	own_raise(o, 1);
	assert_int_equal(pending(f, 0), 2);
	assert_int_equal(pending(f, 1), BIT64(5));
	msix(f, MSIX_ON);
	assert_int_equal(seen.messages, 3);
	/* No bus master, D3hot: it waits. */
	put(f, COMMAND, 2, MEM);
	own_raise(o, 69);
	assert_int_equal(pending(f, 1), BIT64(5));
	put(f, COMMAND, 2, MEM | MASTER);
	assert_int_equal(seen.messages, 4);
	put(f, find_cap(f, 1, 0) + 4, 2, 3);
	own_raise(o, 69);
	assert_int_equal(f->dev.command, 0);
	assert_int_equal(f->dev.at[0], 0);
	assert_int_equal(seen.messages, 4);
	put(f, find_cap(f, 1, 0) + 4, 2, 0);
	assert_int_equal(seen.messages, 5);
	assert_int_equal(counted(f, "messages"), 5);
	assert_int_equal(counted(f, "held"), 5);
	assert_int_equal(counted(f, "coalesced"), 1);
	assert_int_equal(f->dev.command, MEM | MASTER);
	/* What waited ends with MSI-X. */
	msix(f, MSIX_ON | MSIX_MASKED);
	own_raise(o, 69);
	msix(f, 0);
	msix(f, MSIX_ON);
	assert_int_equal(seen.messages, 5);
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void test_vector_fd(void **state)
{
	struct fixture *f = *state;
	struct own *o = f->dev.own;
	int fd = own_vector_fd(o, 2, &f->d), high;

	assert_true(fd >= 0);
	assert_int_equal(own_vector_fd(o, 2, &f->d), fd);
	assert_int_equal(own_vector_fd(o, VECTORS, &f->d), -EINVAL);
	assert_int_equal(ties(), 0);
	turn_on(f, MEM | MASTER);
	/* Signalled while MSI-X is off: no interrupt, ever. */
	eventfd_write(fd, 1);
	set_vector(f, 2, 0x41, false);
	msix(f, MSIX_ON);
	assert_false(readable(fd));
	assert_int_equal(ties(), 1);
	assert_int_equal(seen.commits, 1);
	/* Masked: it stays in the eventfd, and shows. */
	mem_write(f, BAR2 + 2 * 16 + 12, 4, 1);
	assert_int_equal(ties(), 0);
	assert_int_equal(pending(f, 0), 0);
	eventfd_write(fd, 1);
	assert_int_equal(pending(f, 0), 4);
	assert_true(readable(fd));
	mem_write(f, BAR2 + 2 * 16 + 12, 4, 0);
	assert_int_equal(ties(), 1);
	assert_int_equal(seen.commits, 1);
	/* A new message is a new route; a device may use both ways. */
	set_vector(f, 2, 0x42, true);
	assert_int_equal(seen.commits, 1);
	set_vector(f, 2, 0x42, false);
	assert_int_equal(seen.commits, 2);
	own_raise(o, 2);
	assert_int_equal(seen.messages, 1);
	high = own_vector_fd(o, 68, &f->d);
	assert_true(high >= 0);
	assert_int_equal(ties(), 1);
	eventfd_write(high, 1);
	assert_int_equal(pending(f, 1), BIT64(4));
	put(f, COMMAND, 2, MEM);
	assert_int_equal(ties(), 0);
	put(f, COMMAND, 2, MEM | MASTER);
	assert_int_equal(ties(), 1);
	msix(f, 0);
	assert_int_equal(ties(), 0);
	assert_int_equal(own_vector_fd(o, 2, &f->d), fd);
	assert_int_equal(pending(f, 1), 0);
}

/* A device that starts once more is not told that all is well. */
static void test_vector_fd_refused(void **state)
{
	struct fixture *f = *state;
	struct own *o = f->dev.own;

	turn_on(f, MEM | MASTER);
	set_vector(f, 2, 0x41, false);
	msix(f, MSIX_ON);
	seen.refuses = true;
	assert_int_equal(own_vector_fd(o, 2, &f->d), -ENOMEM);
	assert_int_equal(own_vector_fd(o, 2, &f->d), -ENOMEM);
	seen.refuses = false;
	assert_true(own_vector_fd(o, 2, &f->d) >= 0);
	assert_int_equal(ties(), 1);
}

/* ---- the pin ---- */

static void test_intx(void **state)
{
	struct fixture *f = *state;
	const unsigned gsi = topology_gsi(SLOT, 1);
	struct own *o = f->dev.own;

	own_intx(o, true);
	own_intx(o, true);
	assert_true(seen.pin[gsi]);
	assert_int_equal(seen.pin_changes, 1);
	assert_true(get(f, STATUS, 2) & 8);
	assert_true(get(f, STATUS, 1) & 8);
	assert_true(get(f, COMMAND, 4) & 0x80000);
	put(f, COMMAND, 2, INTX_OFF);
	assert_false(seen.pin[gsi]);
	assert_true(get(f, STATUS, 2) & 8);
	put(f, COMMAND, 2, 0);
	assert_true(seen.pin[gsi]);
	msix(f, MSIX_ON);
	assert_false(seen.pin[gsi]);
	msix(f, 0);
	assert_true(seen.pin[gsi]);
	own_intx(o, false);
	assert_false(seen.pin[gsi]);
	assert_false(get(f, STATUS, 2) & 8);
}

static void test_intx_shared(void **state)
{
	struct fixture *f = *state;
	const unsigned gsi = topology_gsi(SLOT, 1);
	struct device *second = &f->second;

	assert_int_equal(add(f, second, SLOT + 8), 0);
	assert_int_equal(topology_gsi(SLOT + 8, 1), gsi);
	own_intx(f->dev.own, true);
	own_intx(second->own, true);
	own_intx(f->dev.own, false);
	assert_true(seen.pin[gsi]);
	assert_true(own_bus_reset(&f->vm, SLOT + 8));
	assert_false(seen.pin[gsi]);
	assert_int_equal(seen.pin_changes, 2);
	/* A reset of one that is high, and an end of one. */
	own_intx(f->dev.own, true);
	own_reset_all(&f->vm);
	assert_false(seen.pin[gsi]);
}

/* ---- resets ---- */

static void check_reset(struct fixture *f, unsigned resets)
{
	struct device *v = &f->dev;

	assert_int_equal(v->resets, resets);
	assert_int_equal(v->at[0] | v->at[2] | v->at[4], 0);
	assert_int_equal(get(f, COMMAND, 2), 0);
	assert_int_equal(ties(), 0);
	assert_int_equal(get(f, find_cap(f, 0x11, 0) + 2, 2), VECTORS - 1);
	own_raise(v->own, 0);
	assert_int_equal(seen.messages, 0);
	turn_on(f, MEM | MASTER);
	assert_int_equal(mem_read(f, BAR2 + 12, 4), 1);
	assert_int_equal(pending(f, 0), 0);
	assert_int_equal(own_vector_fd(v->own, 3, &f->d) < 0, 0);
}

static void dirty(struct fixture *f)
{
	turn_on(f, MEM | MASTER | IO);
	set_vector(f, 0, 0x41, true);
	set_vector(f, 3, 0x41, false);
	assert_true(own_vector_fd(f->dev.own, 3, &f->d) >= 0);
	msix(f, MSIX_ON);
	own_raise(f->dev.own, 0);
	assert_int_equal(ties(), 1);
}

static void test_reset(void **state)
{
	struct fixture *f = *state;
	unsigned express = find_cap(f, 0x10, 0);

	dirty(f);
	put(f, express + 8, 2, BIT(15) | 0x2810);
	assert_int_equal(get(f, 0x10, 4), 0xc);
	check_reset(f, 1);
	assert_int_equal(get(f, express + 8, 2), 0x2810);
	dirty(f);
	assert_true(own_bus_reset(&f->vm, SLOT));
	check_reset(f, 2);
	/* The machine's: addresses as before the guest ran. */
	assert_int_equal(own_bar_place(&f->vm, SLOT, 0, 0x240000000), 0);
	assert_int_equal(own_bar_place(&f->vm, SLOT, 2, 0xc0200000), 0);
	assert_int_equal(own_bar_place(&f->vm, SLOT, 2, 0xc0200001), -EINVAL);
	assert_int_equal(own_bar_place(&f->vm, SLOT + 1, 2, 0), -ENOENT);
	dirty(f);
	own_reset_all(&f->vm);
	assert_int_equal(get(f, 0x10, 4), 0x4000000c);
	assert_int_equal(get(f, 0x14, 4), 2);
	assert_int_equal(get(f, 0x18, 4), 0xc0200000);
	assert_int_equal(f->dev.resets, 3);
}

static const struct own_ops area_ops = {
	.read = dev_read,
	.write = dev_write,
	.reset = dev_reset,
	.area_read = area_read,
	.area_write = area_write,
	.free = dev_free,
};

/* Registers in the configuration space that are no capability's. */
static void with_an_area(void **state)
{
	struct fixture *f = *state;
	struct own_desc c = {
		.name = "timer",
		.slot = SLOT + 1,
		.bar = { [0] = { CFG_BAR_MEM32, false, 16 } },
		.area = { 0x60, 0x10 },
		.ops = &area_ops,
		.ctx = &f->second,
	};
	uint32_t v, at;

	assert_int_equal(own_add(&f->vm, &c, &f->second.own, &f->d), 0);
	for (unsigned off = 0x60; off < 0x70; off++) {
		assert_true(own_cfg_read(&f->vm, SLOT + 1, off, 1, &v));
		assert_int_equal(v, off << 8 | 1);
	}
	assert_true(own_cfg_write(&f->vm, SLOT + 1, 0x68, 1, 2));
	assert_int_equal(f->second.cap_writes, 1);
	assert_int_equal(f->second.cap_off, 0x68);
	assert_int_equal(f->second.cap_value, 2);
	/* Beside it, and across its end, is nobody's. */
	assert_true(own_cfg_write(&f->vm, SLOT + 1, 0x5c, 4, 2));
	assert_true(own_cfg_write(&f->vm, SLOT + 1, 0x6f, 2, 2));
	assert_int_equal(f->second.cap_writes, 1);
	/* The capabilities are behind it, and all there. */
	assert_true(own_cfg_read(&f->vm, SLOT + 1, 0x34, 1, &at));
	assert_int_equal(at, 0x70);
	assert_true(own_cfg_read(&f->vm, SLOT + 1, at, 2, &v));
	assert_int_equal(v & 0xff, 1);
	assert_true(own_cfg_read(&f->vm, SLOT + 1, v >> 8, 2, &v));
	assert_int_equal(v, 0x0010);
	/* Where they would find no room, and where the header is. */
	c.slot++;
	c.area.len = 0x21;
	assert_int_equal(own_add(&f->vm, &c, &f->second.own, &f->d), -EINVAL);
	c.area.at = 0x3c;
	c.area.len = 4;
	assert_int_equal(own_add(&f->vm, &c, &f->second.own, &f->d), -EINVAL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_space),
		T(test_sizing),
		T(test_caps),
		T(test_refused),
		T(test_bars),
		T(test_bars_refused),
		T(test_swap),
		T(test_msix),
		T(test_pending),
		T(test_vector_fd),
		T(test_vector_fd_refused),
		T(test_intx),
		T(test_intx_shared),
		T(test_reset),
		T(with_an_area),
		T(test_space),
		T(test_sizing),
		T(test_caps),
		T(test_refused),
		T(test_bars),
		T(test_bars_refused),
		T(test_swap),
		T(test_msix),
		T(test_pending),
		T(test_vector_fd),
		T(test_intx),
		T(test_intx_shared),
		T(test_reset),
		T(with_an_area),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
