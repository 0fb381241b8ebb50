/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The devices with a loop of their own and two CPUs of a guest that means harm:
 * one brings a device up, gives it work and takes it down again in any way
 * there is, in the midst of that; the other one uses all registers meanwhile.
 * Nothing hangs, and nothing else is to be seen here: it is for sanitizers
 * (make check-asan, and CFLAGS=-fsanitize=thread).
 *
 * Guest memory is written while the device is reset only: a race there is the
 * guest's own, and no sanitizer's business.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/vmm/virtio_driver.h"
#include "vmm/assign.h"
#include "vmm/devices.h"
#include "vmm/e1000.h"

#define ROUNDS 600u
#define RING 32u
#define QUEUES 2u
#define MAY_HANG_S 60u
#define BAR0(slot) (0xc0000000ull + 0x200000ull * (slot))
#define BAR2(slot) (BAR0(slot) + 0x100000ull)

enum {
	RNG = 1,
	BLK,
	NET,
	E1000,
	SLOTS,
};

/* Of BAR 0, virtio 1.2 4.1.4.3. */
enum {
	DRIVER_SELECT = 8,
	DRIVER_FEATURE = 12,
	STATUS = 20,
	QUEUE_SELECT = 22,
	QUEUE_VECTOR = 26,
	QUEUE_ENABLE = 28,
	QUEUE_SIZE = 24,
	QUEUE_DESC = 32,
	CONFIG = 0x2000,
	NOTIFY = 0x3000,
};

struct rig {
	struct drv_machine m;
	struct drv g[QUEUES];
	int tap[2], wire[2];
	_Atomic bool over;
	uint32_t seed;
};

/* ---- what is around ---- */

void kvm_signal_msi(struct vm *vm, uint64_t addr, uint32_t data)
{
	(void)vm;
	(void)addr;
	(void)data;
}

void kvm_irq_line(struct vm *vm, unsigned gsi, bool level)
{
	(void)vm;
	(void)gsi;
	(void)level;
}

void assign_offer_all(struct vm *vm)
{
	(void)vm;
}

int windows_evict(struct vm *vm, uint64_t at, uint64_t size)
{
	(void)vm;
	return at && size ? 0 : -EINVAL;
}

/* The tap's and KVM's: nobody refuses. */
int ioctl(int fd, unsigned long request, ...)
{
	(void)fd;
	(void)request;
	return 0;
}

/* ---- the guest's hands ---- */

static uint32_t draw(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void put(struct rig *r, uint64_t at, unsigned width, uint64_t v)
{
	bus_write(r->m.vm.mmio, at, width, v);
}

static uint64_t get(struct rig *r, uint64_t at, unsigned width)
{
	uint64_t v;

	bus_read(r->m.vm.mmio, at, width, &v);
	return v;
}

static void command(struct rig *r, uint8_t slot, uint16_t v)
{
	(void)own_cfg_write(&r->m.vm, slot, 4, 2, v);
}

static void decode(struct rig *r, uint8_t slot)
{
	(void)own_cfg_write(&r->m.vm, slot, 0x10, 4, (uint32_t)BAR0(slot));
	(void)own_cfg_write(&r->m.vm, slot, 0x18, 4, (uint32_t)BAR2(slot));
	command(r, slot, 7);
}

static void msix(struct rig *r, uint8_t slot, bool on)
{
	uint32_t cap = own_cfg_read(&r->m.vm, slot, 0x34, 1);

	while (cap && own_cfg_read(&r->m.vm, slot, cap, 1) != 0x11)
		cap = own_cfg_read(&r->m.vm, slot, cap + 1, 1);
	for (unsigned i = 0; on && i < QUEUES + 1; i++)
		put(r, BAR2(slot) + 16ull * i + 12, 4, 0);
	if (cap)
		(void)own_cfg_write(&r->m.vm, slot, cap + 2, 2,
		                    on ? 0x8000 : 0);
}

/* ---- work ---- */

static uint64_t data_at(unsigned i)
{
	return DRV_DATA + 0x1000ull * i;
}

static void add_disk(struct rig *r, struct drv *g, unsigned i)
{
	struct drv_buf b[] = {
		{ data_at(i), 16, false },
		{ data_at(i) + 512, 1024, i % 3 == 0 },
		{ data_at(i) + 2048, 1, true },
	};

	memset(drv_ram(&r->m.vm, data_at(i)), 0, 16);
	store_le(drv_ram(&r->m.vm, data_at(i)), 4, i % 3 == 0 ? 0 : 1);
	(void)drv_add(g, b, 3, 0);
}

static void add_work(struct rig *r, uint8_t slot, unsigned queue)
{
	struct drv *g = &r->g[queue];

	for (unsigned i = 0; i < RING; i++) {
		struct drv_buf b = { data_at(i), 1600, true };

		if (slot == BLK) {
			add_disk(r, g, i);
			continue;
		}
		if (slot == NET && queue == 1) {
			b.write = false;
			b.len = 100;
			memset(drv_ram(&r->m.vm, b.gpa), 0, b.len);
		}
		(void)drv_add(g, &b, 1, 0);
	}
}

static void set_queue(struct rig *r, uint8_t slot, unsigned i, uint64_t f)
{
	const uint64_t bar = BAR0(slot);
	const struct vq_setup *s = &r->g[i].setup;
	const uint64_t area[] = { s->desc, s->driver, s->device };

	drv_init_nth(&r->g[i], &r->m.vm, i, RING, f);
	add_work(r, slot, i);
	put(r, bar + QUEUE_SELECT, 2, i);
	put(r, bar + QUEUE_SIZE, 2, RING);
	put(r, bar + QUEUE_VECTOR, 2, i + 1);
	for (unsigned k = 0; k < 3; k++)
		put(r, bar + QUEUE_DESC + 8ull * k, 8, area[k]);
	put(r, bar + QUEUE_ENABLE, 2, 1);
}

static void up(struct rig *r, uint8_t slot)
{
	const uint64_t f = VIRTIO_F(32) | (draw(&r->seed) & 1) << 29 |
	                   (uint64_t)(draw(&r->seed) & 1) << 34;
	const uint64_t bar = BAR0(slot);

	put(r, bar + STATUS, 1, 0);
	put(r, bar + STATUS, 1, 3);
	for (unsigned i = 0; i < 2; i++) {
		put(r, bar + DRIVER_SELECT, 4, i);
		put(r, bar + DRIVER_FEATURE, 4, f >> 32 * i & UINT32_MAX);
	}
	put(r, bar + STATUS, 1, 11);
	for (unsigned i = 0; i < (slot == NET ? 2 : 1); i++)
		set_queue(r, slot, i, f);
	put(r, bar + STATUS, 1, 15);
}

static void up_e1000(struct rig *r)
{
	const uint64_t bar = BAR0(E1000);

	put(r, bar + R_CTRL, 4, CTRL_RST);
	for (unsigned i = 0; i < RING; i++) {
		uint8_t *d = drv_ram(&r->m.vm, DRV_HIGH + 16ull * i);

		store_le(d, 8, data_at(i));
		store_le(d + 8, 8, 0x0b000000ull | 100);
		store_le(d + 0x1000, 8, DRV_HIGH + 0x10000 + 0x800ull * i);
	}
	put(r, bar + R_CTRL, 4, CTRL_SLU | CTRL_FD);
	put(r, bar + R_TDBAH, 4, DRV_HIGH >> 32);
	put(r, bar + R_TDLEN, 4, RING * 16);
	put(r, bar + R_RDBAL, 4, 0x1000);
	put(r, bar + R_RDBAH, 4, DRV_HIGH >> 32);
	put(r, bar + R_RDLEN, 4, RING * 16);
	put(r, bar + R_TCTL, 4, TCTL_EN);
	put(r, bar + R_RCTL, 4, RCTL_EN | RCTL_UPE);
	put(r, bar + R_RDT, 4, RING - 1);
	put(r, bar + R_TDT, 4, RING - 1);
}

/* ---- the two CPUs, and the wire ---- */

static void disturb(struct rig *r, uint8_t slot)
{
	switch (draw(&r->seed) % 7) {
	case 0:
		command(r, slot, 2);
		sched_yield();
		command(r, slot, 7);
		break;
	case 1:
		command(r, slot, 0);
		command(r, slot, 7);
		break;
	case 2:
		(void)own_bus_reset(&r->m.vm, slot);
		decode(r, slot);
		break;
	case 3:
		msix(r, slot, true);
		break;
	case 4:
		msix(r, slot, false);
		break;
	case 5:
		io_park(r->m.vm.io);
		own_reset_all(&r->m.vm);
		io_unpark(r->m.vm.io);
		decode(r, slot);
		break;
	default:
		break;
	}
}

static void drive(struct rig *r)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint8_t slot = (uint8_t)(1 + draw(&r->seed) % (SLOTS - 1));
		uint32_t naps = draw(&r->seed) % 8;

		decode(r, slot);
		if (slot == E1000)
			up_e1000(r);
		else
			up(r, slot);
		while (naps--)
			sched_yield();
		disturb(r, slot);
		/* Memory is written again when it is nobody's. */
		(void)own_bus_reset(&r->m.vm, slot);
	}
}

static uint32_t a_register(uint8_t slot, uint32_t n)
{
	if (slot == E1000)
		return n % (E1000_REGS_END / 4) * 4;
	return n & 1 ? n % 60 : CONFIG + n / 2 % 60;
}

/* Of the e1000 all but what says where its rings are, or turns it on. */
static void write_some(struct rig *r, uint8_t slot, uint32_t n)
{
	static const uint16_t of_e1000[] = {
		R_IMS, R_IMC, R_ICS, R_ITR, R_TDT, R_RDT, R_MDIC, R_EECD,
	};

	if (slot == E1000)
		put(r, BAR0(slot) + of_e1000[n % ARRAY_SIZE(of_e1000)], 4, n);
	else if (n & 1)
		put(r, BAR0(slot) + NOTIFY + 4 * (n % QUEUES), 2, 0);
	else
		put(r, BAR0(slot) + CONFIG + n % 60, 1, n);
}

static void *other_cpu(void *arg)
{
	uint32_t seed = 7, n;
	struct rig *r = arg;

	while (!atomic_load(&r->over)) {
		uint8_t slot = (uint8_t)(1 + draw(&seed) % (SLOTS - 1));

		n = draw(&seed);
		if (n % 16 == 0)
			command(r, slot, n & 64 ? 7 : 3);
		else if (n % 4 == 0)
			write_some(r, slot, n / 16);
		else
			(void)get(r, BAR0(slot) + a_register(slot, n / 16), 4);
		for (int i = 0; i < 2; i++) {
			uint8_t buf[128] = { 0 };

			(void)!recv(r->wire[i], buf, sizeof(buf), MSG_DONTWAIT);
			(void)!send(r->wire[i], buf, 100, MSG_DONTWAIT);
		}
	}
	return NULL;
}

/* ---- */

static void add_devices(struct rig *r)
{
	struct vm *vm = &r->m.vm;
	struct diag d = { 0 };

	vm->cfg.n_disks = 1;
	vm->cfg.disk[0] = (struct vm_disk){
		.name = "disk",
		.slot = BLK,
		.fd = memfd_create("disk", MFD_CLOEXEC),
	};
	assert_int_equal(ftruncate(vm->cfg.disk[0].fd, 1 << 20), 0);
	vm->cfg.n_nics = 2;
	for (unsigned i = 0; i < 2; i++)
		vm->cfg.nic[i] = (struct vm_nic){
			.name = "nic",
			.slot = (uint8_t)(NET + i),
			.model = i ? VM_NIC_E1000 : VM_NIC_VIRTIO,
			.pairs = 1,
			.tap_fd = { r->tap[i] },
			.vhost_fd = { -1 },
		};
	vm->cfg.rng_slot = RNG;
	if (devices_add(vm, &d) < 0) {
		print_message("not here: %s: %s\n", d.what, d.why);
		skip();
	}
}

static int setup(void **state)
{
	static const struct irq_sink_ops none;
	struct rig *r = calloc(1, sizeof(*r));
	struct diag d;

	assert_non_null(r);
	*state = r;
	r->seed = 1;
	assert_int_equal(drv_vm_init(&r->m), 0);
	assert_int_equal(bus_new(&r->m.vm.mmio), 0);
	assert_int_equal(bus_new(&r->m.vm.pio), 0);
	pthread_mutex_init(&r->m.vm.pins.lock, NULL);
	assert_int_equal(
		irq_table_new(&none, NULL, GSI_PINS, 100, &r->m.vm.irqs), 0);
	for (int i = 0; i < 2; i++) {
		int s[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
		r->tap[i] = s[0];
		r->wire[i] = s[1];
	}
	assert_int_equal(own_init(&r->m.vm), 0);
	assert_int_equal(io_new(&r->m.vm, &r->m.vm.io, &d), 0);
	assert_int_equal(io_start(r->m.vm.io, &d), 0);
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	io_stop(r->m.vm.io);
	own_free_all(&r->m.vm);
	io_free(r->m.vm.io);
	irq_table_free(r->m.vm.irqs);
	bus_free(r->m.vm.mmio);
	bus_free(r->m.vm.pio);
	close_fd(&r->m.vm.cfg.disk[0].fd);
	for (int i = 0; i < 2; i++) {
		close_fd(&r->tap[i]);
		close_fd(&r->wire[i]);
	}
	drv_vm_fini(&r->m);
	free(r);
	return 0;
}

static void test_all(void **state)
{
	struct rig *r = *state;
	pthread_t other;

	add_devices(r);
	alarm(MAY_HANG_S);
	io_unpark(r->m.vm.io);
	assert_int_equal(pthread_create(&other, NULL, other_cpu, r), 0);
	drive(r);
	atomic_store(&r->over, true);
	pthread_join(other, NULL);
	alarm(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
