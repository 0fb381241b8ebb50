/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices of our own into a machine that runs and out of it: netd's orders over
 * a real socket, the data path's loop in its thread, the real io_uring, ports
 * and registers. KVM and assigned functions are played.
 */

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

#include "tests/unit/vmm/virtio_driver.h"
#include "vmm/assign.h"
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

static _Atomic unsigned messages;

void kvm_signal_msi(struct vm *vm, uint64_t addr, uint32_t data)
{
	(void)vm;
	(void)addr;
	(void)data;
	messages++;
}

void kvm_irq_line(struct vm *vm, unsigned gsi, bool level)
{
	(void)vm;
	(void)gsi;
	(void)level;
}

int coalesce_add(struct vm *vm, uint16_t port, uint16_t size)
{
	(void)vm;
	(void)port;
	(void)size;
	return 0;
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

void assign_bus_reset(struct vm *vm, uint8_t slot)
{
	(void)vm;
	(void)slot;
}

void assign_match_link(struct vm *vm, uint8_t slot, struct cfg_port *p)
{
	(void)vm;
	(void)slot;
	(void)p;
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

static unsigned count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void make_machine(struct rig *r)
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

static int setup(void **state)
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

static int teardown(void **state)
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

static void order(struct rig *r, const char *text, const int *fds, size_t n)
{
	struct conn_order o;

	assert_int_equal(fd_send(r->netd, text, strlen(text), fds, n), 0);
	assert_int_equal(conn_input(hotplug_conn(r->m.vm.hotplug), &o), 1);
	assert_false(hotplug_order(r->m.vm.hotplug, &o));
}

/* Serves until there is an answer to the order before, or `ms` are over: NULL.
 */
static json_t *answer(struct rig *r, unsigned ms)
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

static int result(struct rig *r, unsigned ms, bool forced)
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

static int attach_disk(struct rig *r, const char *name, unsigned slot)
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

static int attach_plain(struct rig *r, const char *members, int fd,
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

static void detach(struct rig *r, const char *name, unsigned ms)
{
	char text[256];

	snprintf(text, sizeof(text),
	         "{\"event\": \"detach\", \"id\": %llu, \"device\": \"%s\", "
	         "\"deadline_ms\": %u}",
	         (unsigned long long)++r->id, name, ms);
	order(r, text, NULL, 0);
}

/* ---- the guest: ports and configuration space ---- */

static uint64_t ecam(unsigned bus, unsigned dev, unsigned off)
{
	return MAP_ECAM + (bus << 20) + (dev << 15) + off;
}

static uint32_t get(struct rig *r, uint64_t at, unsigned width)
{
	uint64_t v;

	bus_read(r->m.vm.mmio, at, width, &v);
	return (uint32_t)v;
}

static void put(struct rig *r, uint64_t at, unsigned width, uint64_t v)
{
	bus_write(r->m.vm.mmio, at, width, v);
}

static uint64_t find_cap(struct rig *r, uint64_t space, uint8_t id)
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
static unsigned slot_status(struct rig *r, unsigned slot)
{
	return get(r, find_cap(r, ecam(0, slot, 0), 0x10) + 0x1a, 2);
}

/* Slot Control: the power controller and its indicator. */
static void power(struct rig *r, unsigned slot, bool on)
{
	put(r, find_cap(r, ecam(0, slot, 0), 0x10) + 0x18, 2,
	    on ? 1u << 8 : 1u << 10 | 3u << 8);
}

/* ---- and the driver of a disk ---- */

static void set_queue(struct rig *r, const struct vq_setup *s)
{
	const uint64_t area[] = { s->desc, s->driver, s->device };

	put(r, BAR0 + QUEUE_SELECT, 2, 0);
	put(r, BAR0 + QUEUE_SELECT + 2, 2, s->size);
	put(r, BAR0 + QUEUE_SELECT + 4, 2, 0);
	for (unsigned k = 0; k < 3; k++)
		put(r, BAR0 + 32 + 8 * k, 8, area[k]);
	put(r, BAR0 + 28, 2, 1);
}

static void start_driver(struct rig *r, unsigned slot)
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

static void bring_up(struct rig *r, unsigned slot)
{
	power(r, slot, true);
	assert_int_equal(get(r, ecam(slot, 0, 0), 4), 0x10421af4);
	start_driver(r, slot);
}

/* One sector; the status, or -1: no answer in time. */
static int request(struct rig *r, uint32_t type, uint64_t sector, uint8_t fill)
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

static uint8_t byte_at(struct rig *r, off_t off)
{
	uint8_t c;

	assert_int_equal(pread(r->image, &c, 1, off), 1);
	return c;
}

/* ---- one disk ---- */

static void test_polite(void **state)
{
	struct rig *r = *state;

	assert_false(slot_status(r, 1) & PRESENT);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(attach_disk(r, "data", 1), 0);
		assert_true(slot_status(r, 1) & PRESENT);
		bring_up(r, 1);
		messages = 0;
		assert_int_equal(
			request(r, VIRTIO_BLK_T_OUT, 7, (uint8_t)(0x41 + i)),
			0);
		assert_int_equal(byte_at(r, (off_t)7 * 512), 0x41 + i);
		assert_true(messages > 0);
		detach(r, "data", 60000);
		assert_true(slot_status(r, 1) & PRESSED);
		/* Its driver works on until it lets go. */
		assert_null(answer(r, 20));
		assert_int_equal(
			request(r, VIRTIO_BLK_T_OUT, 8, (uint8_t)(0x61 + i)),
			0);
		put(r, BAR0 + STATUS, 1, 0);
		power(r, 1, false);
		assert_int_equal(result(r, 1000, false), 0);
		assert_false(slot_status(r, 1) & PRESENT);
		assert_int_equal(get(r, BAR0 + STATUS, 1), 0xff);
		assert_int_equal(get(r, ecam(1, 0, 0), 4), NO_CHECK);
		assert_int_equal(count_fds(), r->fds);
		usleep(260000); /* SLOT_CALM_NS */
	}
	assert_int_equal(hotplug_stats(r->m.vm.hotplug).adds, 3);
	assert_int_equal(hotplug_stats(r->m.vm.hotplug).removes, 3);
	assert_int_equal(hotplug_stats(r->m.vm.hotplug).forced, 0);
}

/* By force: errors first, then it is away, then its registers. */
static void test_forced(void **state)
{
	struct rig *r = *state;

	assert_int_equal(attach_disk(r, "data", 2), 0);
	bring_up(r, 2);
	assert_int_equal(request(r, VIRTIO_BLK_T_OUT, 1, 0x55), 0);
	detach(r, "data", 0);
	assert_true(slot_status(r, 2) & PRESENT);
	assert_int_equal(request(r, VIRTIO_BLK_T_OUT, 1, 0x66),
	                 VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(r, VIRTIO_BLK_T_IN, 1, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(byte_at(r, 512), 0x55);
	assert_null(answer(r, 300));
	assert_false(slot_status(r, 2) & PRESENT);
	assert_int_equal(get(r, ecam(2, 0, 0), 4), NO_CHECK);
	/* A request that it had on its way all the same; then its reset. */
	assert_int_equal(request(r, VIRTIO_BLK_T_FLUSH, 0, 0),
	                 VIRTIO_BLK_S_IOERR);
	put(r, BAR0 + STATUS, 1, 0);
	assert_int_equal(get(r, BAR0 + STATUS, 1), 0);
	power(r, 2, false);
	assert_int_equal(result(r, 1000, true), 0);
	assert_int_equal(get(r, BAR0 + STATUS, 1), 0xff);
	assert_int_equal(count_fds(), r->fds);
}

/* A guest that does nothing about it keeps nothing. */
static void test_deaf(void **state)
{
	struct rig *r = *state;

	assert_int_equal(attach_disk(r, "data", 2), 0);
	bring_up(r, 2);
	detach(r, "data", 50);
	assert_int_equal(result(r, 20000, true), 0);
	assert_int_equal(get(r, BAR0 + STATUS, 1), 0xff);
	/* It rests until the guest must have noticed. */
	assert_int_equal(count_fds(), r->fds);
}

/* While the guest stands still, and as it is reset: at once. */
static void test_still(void **state)
{
	struct rig *r = *state;
	struct vm *vm = &r->m.vm;

	assert_int_equal(attach_disk(r, "data", 2), 0);
	bring_up(r, 2);
	vcpus_park(vm);
	detach(r, "data", 60000);
	assert_int_equal(result(r, 100, true), 0);
	assert_true(atomic_load(&vm->park_wanted));
	hotplug_guest_dead(vm->hotplug);
	assert_int_equal(attach_disk(r, "data", 2), 0);
	vcpus_unpark(vm);
	detach(r, "data", 60000);
	assert_null(answer(r, 20));
	vcpus_park(vm);
	hotplug_guest_dead(vm->hotplug);
	own_reset_all(vm);
	assert_int_equal(result(r, 100, true), 0);
	vcpus_unpark(vm);
	assert_int_equal(count_fds(), r->fds);
}

static void test_ejected(void **state)
{
	struct rig *r = *state;
	json_t *o;

	assert_int_equal(attach_disk(r, "data", 3), 0);
	power(r, 3, true);
	power(r, 3, false);
	o = answer(r, 1000);
	assert_string_equal(json_string_value(json_object_get(o, "event")),
	                    "gone");
	assert_string_equal(json_string_value(json_object_get(o, "device")),
	                    "data");
	assert_string_equal(json_string_value(json_object_get(o, "reason")),
	                    "guest");
	json_decref(o);
	assert_int_equal(count_fds(), r->fds);
}

/* ---- others, and refusals ---- */

#define RNG "\"rng\": {\"slot\": 1}"
#define E1000                                                                  \
	"\"nics\": [{\"name\": \"lan\", \"slot\": 2, \"model\": \"e1000\", "   \
	"\"mac\": \"02:00:00:00:00:01\", \"pairs\": 1}]"

static int datagrams(void)
{
	int s[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, s),
	                 0);
	close(s[1]);
	return s[0];
}

static void test_kinds(void **state)
{
	struct rig *r = *state;

	assert_int_equal(attach_plain(r, E1000, datagrams(), "\"tap:lan:0\""),
	                 0);
	power(r, 2, true);
	assert_int_equal(get(r, ecam(2, 0, 0), 4), 0x100e8086);
	detach(r, "lan", 1);
	assert_int_equal(result(r, 20000, true), 0);
	assert_int_equal(count_fds(), r->fds);
	/* The one that the guest began with stays. */
	assert_int_equal(attach_plain(r, RNG, -1, ""), FL_VMM_HOTPLUG);
	detach(r, "rng", 1000);
	assert_int_equal(result(r, 1000, false), FL_VMM_FIXED);
}

static void test_refused(void **state)
{
	struct rig *r = *state;

	assert_int_equal(attach_disk(r, "data", 9), FL_VMM_HOTPLUG);
	assert_int_equal(attach_disk(r, "data", PORTS), FL_VMM_HOTPLUG);
	assert_int_equal(attach_disk(r, "rng", 1), FL_VMM_HOTPLUG);
	detach(r, "data", 0);
	assert_int_equal(result(r, 1000, false), FL_VMM_HOTPLUG);
	/* A tap that is none; and a file that holds nothing. */
	assert_int_equal(ftruncate(r->image, 0), 0);
	assert_int_equal(attach_disk(r, "data", 1), FL_VMM_DISK);
	assert_int_equal(ftruncate(r->image, DISK), 0);
	assert_false(slot_status(r, 1) & PRESENT);
	assert_int_equal(count_fds(), r->fds);
	assert_int_equal(attach_disk(r, "data", 1), 0);
	/* Unlocked nowhere: it is the slot that is refused. */
	r->path[0] = '/';
	assert_int_equal(attach_plain(r, RNG, -1, ""), FL_VMM_HOTPLUG);
}

static void test_words(void **state)
{
	static const char *const bad[] = {
		"\"event\": \"attach\"",
		"\"event\": \"attach\", \"fds\": []",
		"\"event\": \"attach\", \"disks\": [], \"fds\": []",
		"\"event\": \"attach\", \"disks\": [{\"name\": \"a\", \"slot\":"
		" 1}], \"fds\": []",
		"\"event\": \"attach\", \"vconsole\": {\"slot\": 1}, "
		"\"fds\": []",
		"\"event\": \"attach\", \"rng\": {\"slot\": 1}, \"fds\": "
		"[\"disk:a\"]",
		"\"event\": \"attach\", \"rng\": {\"slot\": 0}, \"fds\": []",
		"\"event\": \"attach\", \"rng\": {\"slot\": 1}, \"vsock\": "
		"{\"slot\": 2, \"cid\": 9}, \"fds\": []",
		"\"event\": \"attach\", \"rng\": {\"slot\": 1}",
	};
	struct rig *r = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		char text[512];
		struct conn_order o;

		snprintf(text, sizeof(text), "{\"id\": %llu, %s}",
		         (unsigned long long)++r->id, bad[i]);
		assert_int_equal(fd_send(r->netd, text, strlen(text), NULL, 0),
		                 0);
		assert_int_equal(conn_input(hotplug_conn(r->m.vm.hotplug), &o),
		                 0);
		assert_int_equal(result(r, 100, false), FL_VMM_CONN);
	}
}

/* By the control socket: at once; netd is told when it has gone. */
static void test_control(void **state)
{
	struct rig *r = *state;
	struct hotplug *h = r->m.vm.hotplug;
	struct plug p = { .kind = PLUG_RNG, .name = "rng", .slot = 1 };
	struct diag d;
	json_t *o;

	assert_int_equal(hotplug_plug(NULL, &p, &d), -EBUSY);
	p = (struct plug){ .kind = PLUG_RNG, .name = "rng", .slot = 1 };
	assert_int_equal(hotplug_plug(h, &p, &d), -EEXIST);
	p = (struct plug){ .kind = PLUG_DISK, .name = "data", .slot = 1 };
	p.disk = (struct vm_disk){ .name = "data", .slot = 1 };
	p.disk.fd = open(r->path, O_RDWR | O_CLOEXEC);
	assert_int_equal(hotplug_plug(h, &p, &d), 0);
	assert_true(slot_status(r, 1) & PRESENT);
	assert_int_equal(hotplug_unplug(h, "rng", 0, &d), -EOPNOTSUPP);
	assert_int_equal(hotplug_unplug(h, "none", 0, &d), -ENOENT);
	assert_int_equal(hotplug_unplug(NULL, "data", 0, &d), -EBUSY);
	assert_int_equal(hotplug_unplug(h, "data", 0, &d), 0);
	o = answer(r, 20000);
	assert_string_equal(json_string_value(json_object_get(o, "reason")),
	                    "control");
	json_decref(o);
	assert_int_equal(count_fds(), r->fds);
}

/* ---- a CPU that never stops ---- */

static void nothing(int sig)
{
	(void)sig;
}

static unsigned any(struct rig *r, unsigned below)
{
	r->seed = r->seed * 1103515245u + 12345u;
	return (r->seed >> 8) % below;
}

/* Registers, rings, power: whatever may be there. */
static void access_one(struct rig *r)
{
	static const unsigned offs[] = { STATUS, 22, 24, 26, 28, 32, NOTIFY };
	unsigned slot = 1 + any(r, 3);
	uint64_t dev = ecam(slot, 0, 0);

	switch (any(r, 8)) {
	case 0:
		power(r, slot, any(r, 4));
		break;
	case 1:
		put(r, dev + 4, 2, any(r, 8));
		break;
	case 2:
		put(r, dev + 0x10, 4, BAR0);
		put(r, dev + 0x18, 4, BAR2);
		put(r, dev + 4, 2, 6);
		break;
	case 3:
		put(r, BAR0 + offs[any(r, ARRAY_SIZE(offs))], 2, any(r, 256));
		break;
	case 4:
		(void)get(r, dev + any(r, 256), 1);
		(void)get(r, BAR2 + any(r, 64), 4);
		break;
	case 5:
		put(r, BAR2 + 4ull * any(r, 12), 4, any(r, 2));
		break;
	default:
		if (get(r, dev, 4) == 0x10421af4) {
			start_driver(r, slot);
			(void)request(r, any(r, 2), any(r, 64), 1);
		}
	}
	r->accesses++;
}

static void *run_cpu(void *arg)
{
	struct rig *r = arg;
	struct vm *vm = &r->m.vm;

	while (!atomic_load(&vm->stopping)) {
		if (r->run.immediate_exit || atomic_load(&vm->park_wanted))
			(void)vcpu_park_point(&r->cpu);
		else
			access_one(r);
	}
	return NULL;
}

static void start_cpu(struct rig *r)
{
	struct vm *vm = &r->m.vm;

	signal(SIGRTMIN, nothing);
	vm->cpu = &r->cpu;
	vm->cfg.cpus = 1;
	r->cpu.vm = vm;
	r->cpu.run = &r->run;
	r->cpu.started = true;
	assert_int_equal(pthread_create(&r->cpu.thread, NULL, run_cpu, r), 0);
}

/* What was begun has an end, whoever had the last word; until the slot has
 * rested, it is refused. */
static void test_stress(void **state)
{
	struct rig *r = *state;
	unsigned done = 0;

	r->seed = 1;
	r->patience_ms = 5;
	start_cpu(r);
	for (unsigned i = 0; i < 24; i++) {
		json_t *o;

		if (attach_disk(r, "data", 1 + i % 3))
			continue;
		usleep(1000u * (i % 7));
		detach(r, "data", i % 2 ? 0 : 30);
		hotplug_eject(&r->m.vm, (uint8_t)(1 + i % 3));
		o = answer(r, 20000);
		assert_non_null(o);
		json_decref(o);
		while ((o = answer(r, 1)))
			json_decref(o);
		done++;
	}
	vcpus_stop(&r->m.vm);
	print_message("%u cycles, %u accesses beside them\n", done,
	              r->accesses);
	assert_true(done >= 12);
	assert_int_equal(count_fds(), r->fds);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_polite),  TEST(test_forced),  TEST(test_deaf),
		TEST(test_still),   TEST(test_ejected), TEST(test_kinds),
		TEST(test_refused), TEST(test_words),   TEST(test_control),
		TEST(test_stress),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
