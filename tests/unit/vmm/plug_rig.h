/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine that devices of our own come into and leave as it runs: netd's
 * orders over a real socket, the data path's loop in its thread, the real
 * io_uring, ports and registers. KVM and assigned functions are played. To be
 * included by one file of a test.
 */
#ifndef FL_TESTS_PLUG_RIG_H
#define FL_TESTS_PLUG_RIG_H

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/vmm/fake_pci.h"
#include "tests/unit/vmm/virtio_driver.h"
#include "vmm/devices.h"
#include "vmm/hotplug.h"
#include "vmm/uring.h"

#include <linux/virtio_blk.h>

#define PORTS 4u /* slots 1 to 4; at the start 4 is an rng's */
#define DISK (1u << 20)
#define BAR0 0xc0000000ull
#define BAR2 0xc0100000ull
#define NO_CHECK 0xffffffffu

enum {
	STATUS = 20,
	QUEUE_SELECT = 22,
	NOTIFY = 0x3000,
};

/* ---- what is around ---- */

void kvm_irq_line(struct vm *vm, unsigned gsi, bool level)
{
	(void)vm;
	(void)gsi;
	(void)level;
}

int windows_evict(struct vm *vm, uint64_t at, uint64_t size)
{
	(void)vm;
	(void)at;
	(void)size;
	return 0;
}

void assign_offer_all(struct vm *vm)
{
	(void)vm;
}

uint32_t assign_cfg_read(struct vm *vm, uint8_t slot, uint8_t fn, unsigned off,
                         unsigned width)
{
	(void)vm;
	(void)slot;
	(void)fn;
	(void)off;
	(void)width;
	return UINT32_MAX;
}

void assign_cfg_write(struct vm *vm, uint8_t slot, uint8_t fn, unsigned off,
                      unsigned width, uint32_t value)
{
	(void)vm;
	(void)slot;
	(void)fn;
	(void)off;
	(void)width;
	(void)value;
}

int assign_add(struct vm *vm, struct vm_device *device, struct diag *d)
{
	(void)vm;
	(void)device;
	(void)d;
	fail();
	return -EINVAL;
}

void assign_release(struct vm *vm, unsigned i)
{
	(void)vm;
	(void)i;
	fail();
}

struct vfio_dev *assign_device(struct vm *vm, unsigned i)
{
	(void)vm;
	(void)i;
	return NULL;
}

json_t *state_of(struct vm *vm)
{
	(void)vm;
	return json_object();
}

/* ---- a machine ---- */

struct rig {
	struct drv_machine m;
	int netd, image;
	char path[64];
	struct vcpu cpu;
	struct kvm_run run;
	_Atomic unsigned accesses;
	unsigned seed;
	uint64_t id;
	struct drv g;
	unsigned fds; /* at the start */
	unsigned patience_ms;
};

static inline unsigned count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static inline void make_machine(struct rig *r)
{
	static const struct irq_sink_ops none;
	struct vm *vm = &r->m.vm;
	struct diag d;
	int s[2];

	assert_int_equal(drv_vm_init(&r->m), 0);
	assert_int_equal(bus_new(&vm->mmio), 0);
	assert_int_equal(bus_new(&vm->pio), 0);
	assert_int_equal(irq_table_new(&none, NULL, GSI_PINS, 200, &vm->irqs),
	                 0);
	vm->fd = vm->cfg.iommu_fd = -1;
	vm->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	vm->cfg.spare_slots = 3;
	vm->cfg.rng_slot = PORTS;
	vm->ports = BITS(PORTS, 1);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s), 0);
	r->netd = s[0];
	vm->cfg.conn_fd = s[1];
	assert_int_equal(own_init(vm), 0);
	assert_int_equal(io_new(vm, &vm->io, &d), 0);
	assert_int_equal(devices_add(vm, &d), 0);
	assert_int_equal(pci_host_new(vm, &vm->pci, &d), 0);
	assert_int_equal(hotplug_new(vm, &vm->hotplug), 0);
	assert_int_equal(io_start(vm->io, &d), 0);
	vcpus_unpark(vm);
}

static inline int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	make_machine(r);
	strcpy(r->path, "/tmp/fl-plug-XXXXXX");
	r->image = mkstemp(r->path);
	assert_int_equal(ftruncate(r->image, DISK), 0);
	r->fds = count_fds();
	r->patience_ms = 2000;
	*state = r;
	return 0;
}

static inline int teardown(void **state)
{
	struct rig *r = *state;
	struct vm *vm = &r->m.vm;

	vcpus_stop(vm);
	hotplug_free(vm->hotplug);
	own_free_all(vm);
	uring_end(vm);
	assert_null(vm->uring);
	pci_host_free(vm->pci);
	io_free(vm->io);
	irq_table_free(vm->irqs);
	bus_free(vm->mmio);
	bus_free(vm->pio);
	unlink(r->path);
	close(vm->event_fd);
	close(vm->cfg.conn_fd);
	close(r->netd);
	close(r->image);
	drv_vm_fini(&r->m);
	free(r);
	return 0;
}

/* ---- netd ---- */

static inline void order(struct rig *r, const char *text, const int *fds,
                         size_t n)
{
	struct conn_order o;

	assert_int_equal(fd_send(r->netd, text, strlen(text), fds, n), 0);
	assert_int_equal(conn_input(hotplug_conn(r->m.vm.hotplug), &o), 1);
	assert_false(hotplug_order(r->m.vm.hotplug, &o));
}

/* Serves until there is an answer to the order before, or `ms` are over: NULL.
 */
static inline json_t *answer(struct rig *r, unsigned ms)
{
	const uint64_t end = now_ns() + ms * 1000000ull;
	struct pollfd p = { .fd = r->netd, .events = POLLIN };
	char buf[4096];
	int fds[1];
	ssize_t len;
	size_t n;

	while (poll(&p, 1, 1) == 0) {
		if (now_ns() >= end)
			return NULL;
		hotplug_serve(r->m.vm.hotplug);
	}
	len = fd_recv(r->netd, buf, sizeof(buf), fds, 1, &n);
	assert_true(len > 0);
	return json_loadb(buf, (size_t)len, 0, NULL);
}

static inline int result(struct rig *r, unsigned ms, bool forced)
{
	json_t *o = answer(r, ms);
	int code = (int)json_integer_value(
		json_object_get(json_object_get(o, "error"), "code"));

	assert_non_null(o);
	assert_int_equal(json_integer_value(json_object_get(o, "id")), r->id);
	if (!code)
		assert_int_equal(json_is_true(json_object_get(o, "forced")),
		                 forced);
	json_decref(o);
	return code;
}

static inline int attach_disk(struct rig *r, const char *name, unsigned slot)
{
	int fd = open(r->path, O_RDWR | O_CLOEXEC);
	struct flock all = { .l_type = F_WRLCK };
	char text[256];

	/* As netd locks it: nobody has it. */
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &all), 0);
	snprintf(text, sizeof(text),
	         "{\"event\": \"attach\", \"id\": %llu, \"disks\": [{\"name\": "
	         "\"%s\", \"slot\": %u}], \"fds\": [\"disk:%s\"]}",
	         (unsigned long long)++r->id, name, slot, name);
	order(r, text, &fd, 1);
	close(fd);
	return result(r, 10000, false);
}

static inline int attach_plain(struct rig *r, const char *members, int fd,
                               const char *name)
{
	char text[512];

	snprintf(text, sizeof(text),
	         "{\"event\": \"attach\", \"id\": %llu, %s, \"fds\": [%s]}",
	         (unsigned long long)++r->id, members, name);
	order(r, text, &fd, *name ? 1 : 0);
	close_fd(&fd);
	return result(r, 10000, false);
}

static inline void detach(struct rig *r, const char *name, unsigned ms)
{
	char text[256];

	snprintf(text, sizeof(text),
	         "{\"event\": \"detach\", \"id\": %llu, \"device\": \"%s\", "
	         "\"deadline_ms\": %u}",
	         (unsigned long long)++r->id, name, ms);
	order(r, text, NULL, 0);
}

/* ---- the guest: ports and configuration space ---- */

static inline uint64_t ecam(unsigned bus, unsigned dev, unsigned off)
{
	return MAP_ECAM + (bus << 20) + (dev << 15) + off;
}

static inline uint32_t get(struct rig *r, uint64_t at, unsigned width)
{
	uint64_t v;

	bus_read(r->m.vm.mmio, at, width, &v);
	return (uint32_t)v;
}

static inline void put(struct rig *r, uint64_t at, unsigned width, uint64_t v)
{
	bus_write(r->m.vm.mmio, at, width, v);
}

static inline uint64_t find_cap(struct rig *r, uint64_t space, uint8_t id)
{
	unsigned at = get(r, space + 0x34, 1);

	/* It may go in the middle of it: all ones. */
	for (unsigned i = 0; i < 48 && get(r, space + at, 1) != id; i++)
		at = get(r, space + at + 1, 1);
	return space + at;
}

/* Slot Status, PCIe 6.0 7.5.3.11. */
enum {
	PRESSED = 1,
	PRESENT = 1 << 6
};
static inline unsigned slot_status(struct rig *r, unsigned slot)
{
	return get(r, find_cap(r, ecam(0, slot, 0), 0x10) + 0x1a, 2);
}

/* Slot Control: the power controller and its indicator. */
static inline void power(struct rig *r, unsigned slot, bool on)
{
	put(r, find_cap(r, ecam(0, slot, 0), 0x10) + 0x18, 2,
	    on ? 1u << 8 : 1u << 10 | 3u << 8);
}

/* ---- and the driver of a disk ---- */

static inline void set_queue(struct rig *r, const struct vq_setup *s)
{
	const uint64_t area[] = { s->desc, s->driver, s->device };

	put(r, BAR0 + QUEUE_SELECT, 2, 0);
	put(r, BAR0 + QUEUE_SELECT + 2, 2, s->size);
	put(r, BAR0 + QUEUE_SELECT + 4, 2, 0);
	for (unsigned k = 0; k < 3; k++)
		put(r, BAR0 + 32 + 8 * k, 8, area[k]);
	put(r, BAR0 + 28, 2, 1);
}

static inline void start_driver(struct rig *r, unsigned slot)
{
	const uint64_t dev = ecam(slot, 0, 0);
	uint64_t msix;

	put(r, dev + 0x10, 4, BAR0);
	put(r, dev + 0x18, 4, BAR2);
	put(r, dev + 4, 2, 6);
	msix = find_cap(r, dev, 0x11);
	put(r, BAR2, 4, 0xfee00000);
	put(r, BAR2 + 12, 4, 0);
	put(r, msix + 2, 2, 0x8000);
	put(r, BAR0 + STATUS, 1, 0);
	drv_init(&r->g, &r->m.vm, 16, VIRTIO_F(32));
	for (unsigned s = 0; s < 4; s++)
		put(r, BAR0 + STATUS, 1, (uint64_t[]){ 0, 1, 3, 3 }[s]);
	put(r, BAR0 + 8, 4, 1);
	put(r, BAR0 + 12, 4, 1);
	put(r, BAR0 + STATUS, 1, 11);
	set_queue(r, &r->g.setup);
	put(r, BAR0 + STATUS, 1, 15);
}

static inline void bring_up(struct rig *r, unsigned slot)
{
	power(r, slot, true);
	assert_int_equal(get(r, ecam(slot, 0, 0), 4), 0x10421af4);
	start_driver(r, slot);
}

/* One sector; the status, or -1: no answer in time. */
static inline int request(struct rig *r, uint32_t type, uint64_t sector,
                          uint8_t fill)
{
	const struct drv_buf buf[] = {
		{ DRV_DATA, 16, false },
		{ DRV_DATA + 0x1000, 512, type == VIRTIO_BLK_T_IN },
		{ DRV_DATA + 0x2000, 1, true },
	};
	uint8_t *ram = drv_ram(&r->m.vm, DRV_DATA);
	const uint64_t end = now_ns() + r->patience_ms * 1000000ull;
	struct drv_used used;

	memset(ram, 0, 16);
	store_le(ram, 4, type);
	store_le(ram + 8, 8, sector);
	memset(ram + 0x1000, fill, 512);
	ram[0x2000] = 0xff;
	(void)drv_add(&r->g, buf, 3, 0);
	put(r, BAR0 + NOTIFY, 2, 0);
	while (!drv_used(&r->g, &used))
		if (now_ns() >= end)
			return -1;
	return ((volatile uint8_t *)ram)[0x2000];
}

static inline uint8_t byte_at(struct rig *r, off_t off)
{
	uint8_t c;

	assert_int_equal(pread(r->image, &c, 1, off), 1);
	return c;
}

#endif
