/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any access of any width, by port, in memory and in configuration space, to a
 * whole machine: buses, host bridge, ports of slots, two devices of its own
 * whose BARs the guest moves about, serial port, clock, power, panic.
 *
 * Always true: an access that arrives at a device lies wholly in one of its
 * BARs, and has a width that a device knows; what is read is no wider than what
 * was asked for; no BAR lies over RAM, the low megabyte or what is above the
 * BARs' window; there are never more ranges than BARs, and after a reset no
 * BAR decodes.
 *
 * Input: orders of a byte, and their operands.
 * fuzz: runs=20000 time=120
 */

#include <fcntl.h>
#include <stdarg.h>
#include <sys/eventfd.h>

#include "guarded.h"
#include "vmm/own.h"
#include "vmm/rtc.h"

#define CHECK(cond)                                                            \
	do {                                                                   \
		if (!(cond))                                                   \
			abort();                                               \
	} while (0)

#define RAM (1u << 20)
#define DEVICES 2u
#define BARS 3u /* that each of them has */
#define FIRST_SLOT 2u
#define PORTS 0x1eu /* slots 1 to 4 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct device {
	struct own *own;
	uint64_t at[CFG_BARS]; /* where it decodes; 0 = not, or port 0 */
};
struct rig {
	struct vm vm;
	struct device dev[DEVICES];
	unsigned fixed_ports, fixed_memory; /* ranges that stay */
	const uint8_t *p;
	size_t left;
};

static const struct cfg_bar bars[CFG_BARS] = {
	[0] = { CFG_BAR_MEM64, true, 0x4000 },
	[1] = { CFG_BAR_UPPER, false, 0 },
	[2] = { CFG_BAR_MEM32, false, 0x1000 },
	[4] = { CFG_BAR_IO, false, 64 },
};

/* KVM's: nobody refuses. */
int ioctl(int fd, unsigned long request, ...)
{
	const struct kvm_irq_level *irq;
	va_list ap;

	(void)fd;
	va_start(ap, request);
	irq = va_arg(ap, const struct kvm_irq_level *);
	va_end(ap);
	CHECK(request != KVM_IRQ_LINE || irq->irq < GSI_PINS);
	return 0;
}

/* ---- the devices --------------------------------------------------------- */

static void check_access(unsigned bar, uint64_t off, unsigned width)
{
	CHECK(bar < CFG_BARS && is_power_of_2(width) && width <= 8);
	CHECK(range_inside(off, width, bars[bar].size));
}

static uint64_t dev_read(void *ctx, unsigned bar, uint64_t off, unsigned width)
{
	(void)ctx;
	check_access(bar, off, width);
	return 0x1122334455667788ull * (off + 1);
}

static void dev_write(void *ctx, unsigned bar, uint64_t off, unsigned width,
                      uint64_t value)
{
	struct device *v = ctx;

	check_access(bar, off, width);
	own_raise(v->own, (unsigned)value % 128);
	own_intx(v->own, value & 128);
}

static void dev_moved(void *ctx, unsigned bar, uint64_t addr, bool decodes)
{
	struct device *v = ctx;

	CHECK(bar < CFG_BARS && bars[bar].size);
	v->at[bar] = decodes ? addr : 0;
	if (!decodes || bars[bar].kind == CFG_BAR_IO)
		return;
	CHECK(addr % bars[bar].size == 0 && addr >= RAM);
	CHECK(addr + bars[bar].size <= MAP_MMIO32_END || addr >= MAP_HIGH_RAM);
}

static void dev_reset(void *ctx)
{
	struct device *v = ctx;

	for (unsigned i = 0; i < CFG_BARS; i++)
		CHECK(!v->at[i]);
}

static void dev_free(void *ctx)
{
	(void)ctx;
}

static const struct own_ops ops = {
	.read = dev_read,
	.write = dev_write,
	.moved = dev_moved,
	.reset = dev_reset,
	.free = dev_free,
};

static void add_device(struct rig *r, unsigned i)
{
	struct own_desc c = {
		.name = "probe",
		.slot = (uint8_t)(FIRST_SLOT + i),
		.vendor = 0x1af4,
		.device = 1,
		.class = 0xff0000,
		.vectors = 70,
		.msix_bar = 2,
		.pba_off = 0x800,
		.intx = true,
		.ops = &ops,
		.ctx = &r->dev[i],
	};
	struct diag d;

	memcpy(c.bar, bars, sizeof(bars));
	CHECK(own_add(&r->vm, &c, &r->dev[i].own, &d) == 0);
}

/* ---- the machine --------------------------------------------------------- */

static int set_routes(void *ctx, const struct irq_route *routes, size_t n)
{
	(void)ctx;
	(void)routes;
	(void)n;
	return 0;
}

static const struct irq_sink_ops sink = {
	.set_routes = set_routes,
};

static void build(struct rig *r)
{
	struct vm *vm = &r->vm;
	struct diag d;

	guarded_ram(vm, RAM);
	vm->fd = -1;
	vm->cfg.in_fd = vm->cfg.out_fd = -1; /* nobody looks at its console */
	vm->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	vm->ports = PORTS;
	pthread_mutex_init(&vm->pins.lock, NULL);
	CHECK(bus_new(&vm->pio) == 0 && bus_new(&vm->mmio) == 0);
	CHECK(irq_table_new(&sink, NULL, GSI_PINS, 100, &vm->irqs) == 0);
	CHECK(own_init(vm) == 0);
	for (unsigned i = 0; i < DEVICES; i++)
		add_device(r, i);
	CHECK(pci_host_new(vm, &vm->pci, &d) == 0);
	CHECK(console_new(vm, &vm->console, &d) == 0);
	CHECK(serial_new(vm, &vm->serial) == 0 && rtc_new(vm, &vm->rtc) == 0);
	CHECK(power_init(vm) == 0 && panic_init(vm) == 0);
	r->fixed_ports = bus_count(vm->pio, 0, UINT64_MAX);
	r->fixed_memory = bus_count(vm->mmio, 0, UINT64_MAX);
}

static struct rig *rig(void)
{
	static struct rig r; /* the fuzzer's process has one guest */

	if (!r.vm.pio)
		build(&r);
	return &r;
}

static void reset(struct rig *r)
{
	struct vm *vm = &r->vm;

	own_reset_all(vm);
	pci_host_reset(vm->pci);
	serial_reset(vm->serial);
	rtc_reset(vm->rtc);
	atomic_store(&vm->request, VM_REQ_NONE);
	CHECK(bus_count(vm->pio, 0, UINT64_MAX) == r->fixed_ports);
	CHECK(bus_count(vm->mmio, 0, UINT64_MAX) == r->fixed_memory);
}

static void check(struct rig *r)
{
	struct vm *vm = &r->vm;

	CHECK(bus_count(vm->pio, 0, UINT64_MAX) <= r->fixed_ports + DEVICES);
	/* The table of vectors is a range of its own at most. */
	CHECK(bus_count(vm->mmio, 0, UINT64_MAX) <=
	      r->fixed_memory + DEVICES * BARS);
	CHECK(bus_count(vm->mmio, 0, RAM) == 0);
	CHECK(bus_count(vm->mmio, MAP_MMIO32_END,
	                MAP_HIGH_RAM - MAP_MMIO32_END) == 0);
}

/* ---- the guest ----------------------------------------------------------- */

static uint64_t take(struct rig *r, unsigned bytes)
{
	uint64_t v = 0;

	for (; bytes && r->left; bytes--, r->left--)
		v = v << 8 | *r->p++;
	return v;
}

static void access_at(struct rig *r, struct bus *bus, uint64_t at, uint8_t how)
{
	/* KVM cuts an access at the end of a page: any width there is. */
	const unsigned width = 1 + (how >> 4 & 7);
	uint64_t v = 0;

	if (how & 0x80) {
		bus_write(bus, at, width, take(r, width));
		return;
	}
	bus_read(bus, at, width, &v);
	CHECK(width == 8 || v >> 8 * width == 0);
}

/* Where somebody is. */
static uint64_t known_port(struct rig *r)
{
	static const uint16_t port[] = {
		PORT_COM1,  PORT_PCI_ADDR, PORT_PCI_DATA, PORT_ACPI,
		PORT_PANIC, PORT_RTC,      0x64,          0xcf9,
	};
	const uint8_t which = (uint8_t)take(r, 1);

	return port[which % ARRAY_SIZE(port)] + (which >> 3) % 8u - 2u;
}

/* Of the bridge, the ports and what is behind them; registers of the header,
 * mostly. */
static uint64_t known_cycle(struct rig *r)
{
	const uint64_t v = take(r, 3);
	const uint64_t off = v & 0x100000 ? v & 0xfff : v & 0x3f;

	return MAP_ECAM + ((v >> 12 & 7) << 20 | (v >> 15 & 7) << 15 |
	                   (v >> 18 & 3) << 12 | off);
}

/* A BAR's, its edges too, where it decodes. */
static void at_bar(struct rig *r, uint8_t how)
{
	const uint8_t which = (uint8_t)take(r, 1);
	const struct device *v = &r->dev[which & 1];
	const unsigned bar = (which >> 1) % BARS * 2;
	const uint64_t off = take(r, 2) % (bars[bar].size + 16) - 8;

	if (v->at[bar])
		access_at(r, bar == 4 ? r->vm.pio : r->vm.mmio,
		          v->at[bar] + off, how);
}

static void step(struct rig *r)
{
	const uint8_t how = (uint8_t)take(r, 1);
	struct vm *vm = &r->vm;

	switch (how & 7) {
	case 0:
		access_at(r, vm->pio, known_port(r), how);
		break;
	case 1:
		access_at(r, vm->pio, take(r, 2), how);
		break;
	case 2:
		access_at(r, vm->mmio, take(r, 8), how);
		break;
	case 3:
		at_bar(r, how);
		break;
	case 4:
		if (how == 4)
			reset(r);
		break;
	default:
		access_at(r, vm->mmio, known_cycle(r), how);
	}
	check(r);
}

/* As firmware leaves them: what follows finds somebody. */
static void place(struct rig *r)
{
	for (unsigned i = 0; i < DEVICES; i++) {
		const uint8_t slot = (uint8_t)(FIRST_SLOT + i);

		own_cfg_write(&r->vm, slot, 0x10, 4,
		              0xc0000000u + i * 0x100000);
		own_cfg_write(&r->vm, slot, 0x18, 4,
		              0xd0000000u + i * 0x100000);
		own_cfg_write(&r->vm, slot, 0x20, 4, 0x2000 + i * 0x100);
		own_cfg_write(&r->vm, slot, 0x04, 2, 7);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rig *r = rig();

	r->p = data;
	r->left = size;
	reset(r);
	place(r);
	for (unsigned i = 0; r->left && i < 1000; i++)
		step(r);
	return 0;
}
