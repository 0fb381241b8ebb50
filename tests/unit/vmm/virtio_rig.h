/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtio functions through their registers, as a driver brings them up: own.c,
 * the transport and the rings are real; KVM and the data path's loop are
 * played here, the latter turn by turn. To be included by one file of a test.
 */
#ifndef FL_TESTS_VIRTIO_RIG_H
#define FL_TESTS_VIRTIO_RIG_H

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/unit/vmm/virtio_driver.h"
#include "vmm/assign.h"
#include "vmm/devices.h"

#define SLOT 5u
#define BAR0 0xc0000000ull
#define BAR2 0xc0100000ull
#define CONFIG_LEN 12u
#define F_DEVICE VIRTIO_F(3)
#define F_ALL (F_DEVICE | VIRTIO_RING_FEATURES)

enum {
	DEVICE_SELECT = 0,
	DEVICE_FEATURE = 4,
	DRIVER_SELECT = 8,
	DRIVER_FEATURE = 12,
	CONFIG_VECTOR = 16,
	NUM_QUEUES = 18,
	STATUS = 20,
	GENERATION = 21,
	QUEUE_SELECT = 22,
	QUEUE_SIZE = 24,
	QUEUE_VECTOR = 26,
	QUEUE_ENABLE = 28,
	QUEUE_OFF = 30,
	QUEUE_DESC = 32,
	ISR = 0x1000,
	CONFIG = 0x2000,
	NOTIFY = 0x3000,
	ACK = 1,
	DRIVER = 2,
	DRIVER_OK = 4,
	FEATURES_OK = 8,
	NEEDS_RESET = 64,
};

/* ---- what is around ---- */

struct seen {
	unsigned messages, data;
	bool pin[GSI_PINS];
	struct io_watch *watched[8];
	struct io_watch *again;
};
static struct seen seen;

void kvm_signal_msi(struct vm *vm, uint64_t addr, uint32_t data)
{
	(void)vm;
	(void)addr;
	seen.messages++;
	seen.data = data;
}

void kvm_irq_line(struct vm *vm, unsigned gsi, bool level)
{
	(void)vm;
	seen.pin[gsi] = level;
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

int io_add(struct io *io, struct io_watch *w, uint32_t events)
{
	(void)io;
	(void)events;
	for (unsigned i = 0; i < ARRAY_SIZE(seen.watched); i++)
		if (!seen.watched[i]) {
			seen.watched[i] = w;
			return 0;
		}
	return -ENOSPC;
}

void io_del(struct io *io, struct io_watch *w)
{
	(void)io;
	for (unsigned i = 0; i < ARRAY_SIZE(seen.watched); i++)
		if (seen.watched[i] == w)
			seen.watched[i] = NULL;
	if (seen.again == w)
		seen.again = NULL;
}

void io_again(struct io *io, struct io_watch *w)
{
	(void)io;
	seen.again = w;
}

/* The loop, until nothing is left to do; how many callbacks ran. */
static inline unsigned turn(void)
{
	unsigned n = 0;
	bool more = true;

	while (more) {
		struct io_watch *w = seen.again;

		more = false;
		seen.again = NULL;
		if (w) {
			w->ready(w->ctx, 0);
			n++;
			more = true;
		}
		for (unsigned i = 0; i < ARRAY_SIZE(seen.watched); i++) {
			struct pollfd p = { .fd = -1, .events = POLLIN };

			w = seen.watched[i];
			if (w)
				p.fd = w->fd;
			if (poll(&p, 1, 0) != 1)
				continue;
			w->ready(w->ctx, 1);
			n++;
			more = true;
		}
	}
	return n;
}

/* ---- a device ---- */

struct rig {
	struct drv_machine m;
	struct virtio *v;
	struct drv g;
	struct diag d;
	int start_result, in, out;
	unsigned starts, stops, resets, kicks[2], frees;
	uint64_t features;
	uint8_t config[CONFIG_LEN];
	bool take_kick;
};

static inline uint32_t cfg(struct rig *r, unsigned off, unsigned width)
{
	return own_cfg_read(&r->m.vm, SLOT, off, width);
}

static inline void cfg_put(struct rig *r, unsigned off, unsigned width,
                           uint32_t v)
{
	assert_true(own_cfg_write(&r->m.vm, SLOT, off, width, v));
}

static inline uint64_t get(struct rig *r, unsigned off, unsigned width)
{
	uint64_t v;

	bus_read(r->m.vm.mmio, BAR0 + off, width, &v);
	return v;
}

static inline void put(struct rig *r, unsigned off, unsigned width, uint64_t v)
{
	bus_write(r->m.vm.mmio, BAR0 + off, width, v);
}

static inline struct rig *make(void)
{
	static const struct irq_sink_ops none;
	struct rig *r = calloc(1, sizeof(*r));

	memset(&seen, 0, sizeof(seen));
	assert_non_null(r);
	assert_int_equal(drv_vm_init(&r->m), 0);
	assert_int_equal(bus_new(&r->m.vm.mmio), 0);
	assert_int_equal(bus_new(&r->m.vm.pio), 0);
	assert_int_equal(
		irq_table_new(&none, NULL, GSI_PINS, 100, &r->m.vm.irqs), 0);
	r->m.vm.event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	r->in = r->out = -1;
	assert_int_equal(own_init(&r->m.vm), 0);
	return r;
}

static inline void decode(struct rig *r)
{
	cfg_put(r, 0x10, 4, BAR0);
	cfg_put(r, 0x18, 4, BAR2);
	cfg_put(r, 0x04, 2, 6);
}

static inline int teardown(void **state)
{
	struct rig *r = *state;

	own_free_all(&r->m.vm);
	assert_int_equal(r->frees, r->v ? 1 : 0);
	assert_int_equal(r->starts - r->stops, 0);
	console_free(r->m.vm.console);
	serial_free(r->m.vm.serial);
	for (unsigned i = 0; i < ARRAY_SIZE(seen.watched); i++)
		assert_null(seen.watched[i]);
	irq_table_free(r->m.vm.irqs);
	bus_free(r->m.vm.mmio);
	bus_free(r->m.vm.pio);
	close_fd(&r->m.vm.event_fd);
	close_fd(&r->m.vm.cfg.in_fd);
	close_fd(&r->m.vm.cfg.out_fd);
	close_fd(&r->in);
	close_fd(&r->out);
	drv_vm_fini(&r->m);
	free(r);
	return 0;
}

/* ---- a driver ---- */

static inline void msix(struct rig *r, bool on)
{
	unsigned cap = (unsigned)cfg(r, 0x34, 1);

	while (cfg(r, cap, 1) != 0x11)
		cap = (unsigned)cfg(r, cap + 1, 1);
	for (unsigned i = 0; i < 3; i++) {
		bus_write(r->m.vm.mmio, BAR2 + 16 * i, 4, 0xfee00000);
		bus_write(r->m.vm.mmio, BAR2 + 16 * i + 8, 4, 0x40 + i);
		bus_write(r->m.vm.mmio, BAR2 + 16 * i + 12, 4, 0);
	}
	cfg_put(r, cap + 2, 2, on ? 0x8000 : 0);
}

static inline void set_features(struct rig *r, uint64_t f)
{
	put(r, STATUS, 1, 0);
	put(r, STATUS, 1, ACK);
	put(r, STATUS, 1, ACK | DRIVER);
	for (unsigned i = 0; i < 2; i++) {
		put(r, DRIVER_SELECT, 4, i);
		put(r, DRIVER_FEATURE, 4, f >> 32 * i & UINT32_MAX);
	}
	put(r, STATUS, 1, ACK | DRIVER | FEATURES_OK);
}

static inline void set_queue(struct rig *r, unsigned i,
                             const struct vq_setup *s)
{
	const uint64_t area[] = { s->desc, s->driver, s->device };

	put(r, QUEUE_SELECT, 2, i);
	put(r, QUEUE_SIZE, 2, s->size);
	put(r, QUEUE_VECTOR, 2, i + 1);
	assert_int_equal(get(r, QUEUE_VECTOR, 2), i + 1);
	for (unsigned k = 0; k < 3; k++) {
		put(r, QUEUE_DESC + 8 * k, 4, area[k] & UINT32_MAX);
		put(r, QUEUE_DESC + 8 * k + 4, 4, area[k] >> 32);
	}
	put(r, QUEUE_ENABLE, 2, 1);
}

static inline void up(struct rig *r, uint64_t f)
{
	drv_init(&r->g, &r->m.vm, 16, f);
	set_features(r, f);
	put(r, CONFIG_VECTOR, 2, 0);
	set_queue(r, 0, &r->g.setup);
	put(r, STATUS, 1, ACK | DRIVER | FEATURES_OK | DRIVER_OK);
}

#define TEST(f, setup) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
