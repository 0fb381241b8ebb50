/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtio functions through their registers, as a driver brings them up: own.c,
 * the transport and the rings are real; KVM and the data path's loop are
 * played here, the latter turn by turn.
 */

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
static unsigned turn(void)
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

static int dev_start(void *ctx, uint64_t features)
{
	struct rig *r = ctx;

	r->starts++;
	r->features = features;
	if (r->take_kick)
		assert_true(virtio_kick_fd(r->v, 0) >= 0);
	return r->start_result;
}

static void dev_stop(void *ctx)
{
	struct rig *r = ctx;

	assert_int_equal(r->starts, ++r->stops);
	assert_false(virtio_queue(r->v, 0)->ready);
}

static void dev_reset(void *ctx)
{
	struct rig *r = ctx;

	r->resets++;
}

static uint32_t dev_read(void *ctx, unsigned off, unsigned width)
{
	struct rig *r = ctx;

	assert_true(range_inside(off, width, CONFIG_LEN));
	return (uint32_t)load_le(r->config + off, width);
}

static void dev_write(void *ctx, unsigned off, unsigned width, uint32_t value)
{
	struct rig *r = ctx;

	assert_true(range_inside(off, width, CONFIG_LEN));
	store_le(r->config + off, width, value);
}

static void dev_kick(void *ctx, unsigned i)
{
	struct rig *r = ctx;

	assert_true(virtio_queue(r->v, i)->ready);
	r->kicks[i]++;
}

static void dev_free(void *ctx)
{
	struct rig *r = ctx;

	r->frees++;
}

static const struct virtio_ops dev_ops = {
	.start = dev_start,
	.stop = dev_stop,
	.reset = dev_reset,
	.config_read = dev_read,
	.config_write = dev_write,
	.kick = dev_kick,
	.free = dev_free,
};

static uint32_t cfg(struct rig *r, unsigned off, unsigned width)
{
	uint32_t v = 0;

	assert_true(own_cfg_read(&r->m.vm, SLOT, off, width, &v));
	return v;
}

static void cfg_put(struct rig *r, unsigned off, unsigned width, uint32_t v)
{
	assert_true(own_cfg_write(&r->m.vm, SLOT, off, width, v));
}

static uint64_t get(struct rig *r, unsigned off, unsigned width)
{
	uint64_t v;

	bus_read(r->m.vm.mmio, BAR0 + off, width, &v);
	return v;
}

static void put(struct rig *r, unsigned off, unsigned width, uint64_t v)
{
	bus_write(r->m.vm.mmio, BAR0 + off, width, v);
}

static struct rig *make(void)
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

static void decode(struct rig *r)
{
	cfg_put(r, 0x10, 4, BAR0);
	cfg_put(r, 0x18, 4, BAR2);
	cfg_put(r, 0x04, 2, 6);
}

static int setup(void **state)
{
	struct rig *r = make();
	struct virtio_desc desc = {
		.name = "dev",
		.slot = SLOT,
		.id = VIRTIO_ID_NET_,
		.class = 0x020000,
		.features = F_DEVICE,
		.queues = 2,
		.queue_size = 64,
		.config_len = CONFIG_LEN,
		.ops = &dev_ops,
		.ctx = r,
	};

	assert_int_equal(virtio_add(&r->m.vm, &desc, &r->v, &r->d), 0);
	decode(r);
	*state = r;
	return 0;
}

static int teardown(void **state)
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

static void msix(struct rig *r, bool on)
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

static void set_features(struct rig *r, uint64_t f)
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

static void set_queue(struct rig *r, unsigned i, const struct vq_setup *s)
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

static void up(struct rig *r, uint64_t f)
{
	drv_init(&r->g, &r->m.vm, 16, f);
	set_features(r, f);
	put(r, CONFIG_VECTOR, 2, 0);
	set_queue(r, 0, &r->g.setup);
	put(r, STATUS, 1, ACK | DRIVER | FEATURES_OK | DRIVER_OK);
}

static void at_power_on(void **state)
{
	struct rig *r = *state;

	for (unsigned pass = 0; pass < 3; pass++) {
		assert_int_equal(cfg(r, 0, 4), 0x10411af4);
		assert_int_equal(get(r, NUM_QUEUES, 2), 2);
		assert_int_equal(get(r, STATUS, 1), 0);
		assert_int_equal(get(r, CONFIG_VECTOR, 2), 0xffff);
		assert_int_equal(get(r, QUEUE_SIZE, 2), 64);
		assert_int_equal(get(r, QUEUE_VECTOR, 2), 0xffff);
		assert_int_equal(get(r, QUEUE_ENABLE, 2), 0);
		assert_int_equal(get(r, QUEUE_DESC, 4), 0);
		assert_int_equal(get(r, QUEUE_DESC, 8), 0);
		assert_int_equal(get(r, DRIVER_FEATURE, 4), 0);
		assert_int_equal(get(r, ISR, 1), 0);
		for (unsigned i = 0; i < 3; i++) {
			uint64_t all[] = { F_ALL & UINT32_MAX, F_ALL >> 32, 0 };

			put(r, DEVICE_SELECT, 4, i);
			assert_int_equal(get(r, DEVICE_FEATURE, 4), all[i]);
		}
		put(r, QUEUE_SELECT, 2, 1);
		assert_int_equal(get(r, QUEUE_OFF, 2), 1);
		put(r, QUEUE_SELECT, 2, 2);
		assert_int_equal(get(r, QUEUE_SIZE, 2), 0);
		up(r, F_ALL);
		assert_int_equal(r->starts, pass + 1);
		if (pass == 0) {
			put(r, STATUS, 1, 0);
		} else {
			own_reset_all(&r->m.vm);
			decode(r);
		}
		assert_int_equal(r->stops, pass + 1);
	}
}

/* Every width at every offset, reads and writes: nothing but answers. */
static void any_access(void **state)
{
	static const unsigned widths[] = { 1, 2, 3, 4, 8 };
	struct rig *r = *state;

	for (unsigned pass = 0; pass < 4; pass++)
		for (unsigned off = 0; off < 0x3020; off++) {
			if (off == 0x100 || off == 0x1010)
				off += 0xf00 - 0x10;
			for (unsigned w = 0; w < ARRAY_SIZE(widths); w++) {
				(void)get(r, off, widths[w]);
				put(r, off, widths[w],
				    pass & 1 ? UINT64_MAX : off * pass);
			}
		}
	put(r, STATUS, 1, 0);
	/* 4.1.3.1: by its own width only. */
	assert_int_equal(get(r, STATUS, 2), 0xffff);
	put(r, QUEUE_SELECT, 4, 1);
	assert_int_equal(get(r, QUEUE_SELECT, 2), 0);
}

static void features(void **state)
{
	const struct {
		uint64_t f;
		bool fits;
	} rows[] = {
		{ F_ALL, true },
		{ VIRTIO_F(32), true },
		{ 0, false },
		{ F_ALL & ~VIRTIO_F(32), false },
		{ F_ALL | VIRTIO_F(4), false },
		{ F_ALL | VIRTIO_F(40), false },
		{ F_ALL | VIRTIO_F(63), false },
	};
	struct rig *r = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		set_features(r, rows[i].f);
		assert_int_equal(get(r, STATUS, 1),
		                 rows[i].fits ? ACK | DRIVER | FEATURES_OK
		                              : ACK | DRIVER);
		put(r, STATUS, 1, ACK | DRIVER | FEATURES_OK | DRIVER_OK);
		assert_int_equal(!!(get(r, STATUS, 1) & DRIVER_OK),
		                 rows[i].fits);
	}
	/* Not any more afterwards; bits from 64 on. */
	set_features(r, VIRTIO_F(32));
	put(r, DRIVER_SELECT, 4, 0);
	put(r, DRIVER_FEATURE, 4, F_DEVICE);
	assert_int_equal(get(r, DRIVER_FEATURE, 4), 0);
	put(r, STATUS, 1, 0);
	put(r, DRIVER_SELECT, 4, 2);
	put(r, DRIVER_FEATURE, 4, 1);
	put(r, DRIVER_SELECT, 4, 1);
	put(r, DRIVER_FEATURE, 4, 1);
	put(r, STATUS, 1, FEATURES_OK);
	assert_int_equal(get(r, STATUS, 1), 0);
}

static void bad_queues(void **state)
{
	static const struct vq_setup rows[] = {
		{ 0x1008, 0x2000, 0x3000, 16 },
		{ 0x1000, 0x2001, 0x3000, 16 },
		{ 0x1000, 0x2000, 0x3002, 16 },
		{ DRV_LOW_SIZE, 0x2000, 0x3000, 16 },
		{ 0x1000, UINT64_MAX - 1, 0x3000, 16 },
		{ 0x1000, 0x2000, 0x3000, 15 },
	};
	struct rig *r = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		set_features(r, VIRTIO_F(32));
		set_queue(r, 0, &rows[i]);
		assert_int_equal(get(r, QUEUE_ENABLE, 2), 0);
		assert_true(get(r, STATUS, 1) & NEEDS_RESET);
		put(r, STATUS, 1, ACK | DRIVER | FEATURES_OK | DRIVER_OK);
		assert_int_equal(r->starts, 0);
	}
	/* Too large: as if not written. Enabled: fixed. */
	drv_init(&r->g, &r->m.vm, 16, VIRTIO_F(32));
	set_features(r, VIRTIO_F(32));
	put(r, QUEUE_SIZE, 2, 128);
	put(r, QUEUE_SIZE, 2, 0);
	assert_int_equal(get(r, QUEUE_SIZE, 2), 64);
	set_queue(r, 0, &r->g.setup);
	put(r, QUEUE_SIZE, 2, 8);
	put(r, QUEUE_DESC, 4, 0);
	put(r, QUEUE_ENABLE, 2, 0);
	assert_int_equal(get(r, QUEUE_SIZE, 2), 16);
	assert_int_equal(get(r, QUEUE_DESC, 4), r->g.setup.desc);
	assert_int_equal(get(r, QUEUE_ENABLE, 2), 1);
	put(r, QUEUE_VECTOR, 2, 3);
	assert_int_equal(get(r, QUEUE_VECTOR, 2), 0xffff);
}

static void kicked(void **state)
{
	struct rig *r = *state;
	struct stats_set s;

	up(r, F_ALL);
	assert_int_equal(r->features, F_ALL);
	assert_int_equal(turn(), 1); /* what came before */
	put(r, NOTIFY, 2, 0);
	put(r, NOTIFY, 4, 0);
	put(r, NOTIFY + 4, 2, 1); /* not enabled */
	put(r, NOTIFY + 8, 2, 2); /* nobody */
	assert_int_equal(turn(), 1);
	assert_int_equal(r->kicks[0], 2);
	assert_true(own_counters(&r->m.vm, SLOT, 1, &s));
	assert_string_equal(s.what, "queue");
	assert_string_equal(s.def[0].name, "kicks");
	assert_int_equal(
		*(const uint64_t *)((const char *)s.base + s.def[0].at), 2);
	assert_true(own_counters(&r->m.vm, SLOT, 2, &s));
	assert_int_equal(s.index, 1);
	put(r, NOTIFY, 2, 0);
	put(r, STATUS, 1, 0);
	assert_int_equal(turn(), 0);
	/* Somebody else's. */
	r->take_kick = true;
	up(r, F_ALL);
	put(r, NOTIFY, 2, 0);
	assert_int_equal(turn(), 0);
	assert_int_equal(virtio_call_fd(r->v, 0), -ENOENT);
	cfg_put(r, 4, 2, 2);
	cfg_put(r, 4, 2, 6);
	/* It left the ring's position, and goes on there. */
	assert_false(get(r, STATUS, 1) & NEEDS_RESET);
}

static void bus_master(void **state)
{
	struct rig *r = *state;

	cfg_put(r, 4, 2, 2);
	up(r, F_ALL);
	assert_int_equal(r->starts, 0);
	r->resets = 0;
	cfg_put(r, 4, 2, 6);
	assert_int_equal(r->starts, 1);
	virtio_queue(r->v, 0)->next_avail = 7;
	cfg_put(r, 4, 2, 2);
	assert_int_equal(r->stops, 1);
	cfg_put(r, 4, 2, 6);
	assert_int_equal(r->starts, 2);
	assert_int_equal(virtio_queue(r->v, 0)->next_avail, 7);
	assert_int_equal(r->resets, 0);
	put(r, STATUS, 1, 0);
	assert_int_equal(r->resets, 1);
	assert_true(own_bus_reset(&r->m.vm, SLOT));
	assert_int_equal(r->resets, 2);
}

static void cannot_start(void **state)
{
	struct rig *r = *state;

	r->start_result = -EIO;
	up(r, F_ALL);
	assert_int_equal(get(r, STATUS, 1),
	                 ACK | DRIVER | FEATURES_OK | DRIVER_OK | NEEDS_RESET);
	put(r, STATUS, 1, 0);
	assert_int_equal(get(r, STATUS, 1), 0);
	assert_int_equal(r->stops, 0);
	r->stops = r->starts;
}

static void interrupts(void **state)
{
	struct rig *r = *state;

	msix(r, true);
	up(r, F_ALL);
	virtio_config_changed(r->v);
	assert_int_equal(get(r, GENERATION, 1), 1);
	assert_int_equal(seen.messages, 1);
	assert_int_equal(seen.data, 0x40);
	virtio_broken(r->v, "a test");
	virtio_broken(r->v, "a test");
	assert_int_equal(seen.messages, 2);
	assert_int_equal(get(r, ISR, 1), 0);
	put(r, STATUS, 1, 0);
	msix(r, false);
	up(r, F_ALL & ~VIRTIO_F(29));
	virtio_config_changed(r->v);
	assert_true(seen.pin[topology_gsi(SLOT, 1)]);
	virtio_interrupt(r->v, 0);
	assert_int_equal(get(r, ISR, 1), 3);
	assert_false(seen.pin[topology_gsi(SLOT, 1)]);
	assert_int_equal(get(r, ISR, 1), 0);
	assert_int_equal(seen.messages, 2);
}

/* Whoever was about to tell of the life before, when it ended: nobody would
 * ever let the pin go. */
static void none_after_a_reset(void **state)
{
	struct rig *r = *state;

	up(r, F_ALL & ~VIRTIO_F(29));
	put(r, STATUS, 1, 0);
	virtio_interrupt(r->v, 0);
	assert_false(seen.pin[topology_gsi(SLOT, 1)]);
	assert_int_equal(get(r, ISR, 1), 0);
	up(r, F_ALL & ~VIRTIO_F(29));
	virtio_interrupt(r->v, 0);
	assert_true(seen.pin[topology_gsi(SLOT, 1)]);
}

/* Who has a queue's kick was given a call with it, which follows the vector. */
static void calls_follow_the_vector(void **state)
{
	struct rig *r = *state;

	r->take_kick = true;
	msix(r, true);
	up(r, F_ALL);
	assert_int_equal(r->starts, 1);
	put(r, QUEUE_VECTOR, 2, 1);
	assert_int_equal(r->starts, 1);
	put(r, QUEUE_VECTOR, 2, 2);
	assert_int_equal(r->starts, 2);
	/* What came by the old one may not have been seen. */
	assert_int_equal(seen.messages, 1);
	assert_int_equal(seen.data, 0x42);
	msix(r, false);
	assert_int_equal(r->starts, 3);
	assert_true(seen.pin[topology_gsi(SLOT, 1)]);
	msix(r, true);
	assert_int_equal(r->starts, 4);
	assert_int_equal(seen.messages, 2);
	/* Of our own queues nothing is to follow. */
	put(r, STATUS, 1, 0);
	r->take_kick = false;
	up(r, F_ALL);
	put(r, QUEUE_VECTOR, 2, 2);
	msix(r, false);
	assert_int_equal(r->starts, 5);
}

static void device_config(void **state)
{
	struct rig *r = *state;

	put(r, CONFIG, 8, 0x1122334455667788);
	put(r, CONFIG + 8, 2, 0x99aa);
	put(r, CONFIG + 11, 2, 0xffff); /* behind its end */
	assert_int_equal(get(r, CONFIG, 8), 0x1122334455667788);
	assert_int_equal(get(r, CONFIG + 5, 1), 0x33);
	assert_int_equal(get(r, CONFIG + 8, 4), 0x99aa);
	assert_int_equal(get(r, CONFIG + 12, 1), 0xff);
}

/* 4.1.4.9: without BARs that decode. */
static void config_window(void **state)
{
	struct rig *r = *state;
	unsigned cap = (unsigned)cfg(r, 0x34, 1);

	while (cfg(r, cap, 1) != 9 || cfg(r, cap + 3, 1) != 5)
		cap = (unsigned)cfg(r, cap + 1, 1);
	cfg_put(r, 4, 2, 0);
	cfg_put(r, cap + 4, 1, 0);
	cfg_put(r, cap + 8, 4, NUM_QUEUES);
	cfg_put(r, cap + 12, 4, 2);
	assert_int_equal(cfg(r, cap + 16, 2), 2);
	cfg_put(r, cap + 8, 4, STATUS);
	cfg_put(r, cap + 12, 4, 1);
	cfg_put(r, cap + 16, 1, ACK);
	assert_int_equal(cfg(r, cap + 16, 4) & 0xff, ACK);
	for (unsigned off = 0; off < 20; off++)
		for (unsigned w = 1; w <= 4; w *= 2)
			if (off % w == 0) {
				cfg_put(r, cap + off, w, UINT32_MAX);
				(void)cfg(r, cap + off, w);
			}
	cfg_put(r, cap + 4, 1, 0);
	cfg_put(r, cap + 8, 4, 0x3ffe);
	cfg_put(r, cap + 12, 4, 4);
	cfg_put(r, cap + 16, 4, 0);
}

/* ---- the entropy device, and the console ---- */

static int setup_rng(void **state)
{
	struct rig *r = make();

	assert_int_equal(rng_add(&r->m.vm, SLOT, &r->d), 0);
	decode(r);
	*state = r;
	return 0;
}

static void random_bytes(void **state)
{
	static const uint8_t zero[64];
	struct drv_buf b = { DRV_DATA, 64, true };
	struct rig *r = *state;
	struct drv_used u;
	unsigned n = 0;

	msix(r, true);
	for (unsigned pass = 0; pass < 2; pass++) {
		up(r, VIRTIO_RING_FEATURES & ~(pass ? VIRTIO_F(34) : 0));
		turn();
		assert_int_equal(drv_add(&r->g, &b, 1, 0) >= 0, true);
		assert_true(drv_wants_kick(&r->g));
		put(r, NOTIFY, 2, 0);
		seen.messages = 0;
		turn();
		assert_int_equal(seen.messages, 1);
		assert_int_equal(seen.data, 0x41);
		assert_true(drv_used(&r->g, &u));
		assert_int_equal(u.len, 64);
		assert_memory_not_equal(drv_ram(&r->m.vm, DRV_DATA), zero, 64);
		memset(drv_ram(&r->m.vm, DRV_DATA), 0, 64);
		/* One that lasts: no more than a part of it. */
		b.len = 0x10000;
		drv_add(&r->g, &b, 1, DRV_INDIRECT);
		put(r, NOTIFY, 2, 0);
		turn();
		assert_true(drv_used(&r->g, &u));
		assert_in_range(u.len, 1, 4096);
		/* What breaks it, and how that ends. */
		b.gpa = DRV_LOW_SIZE;
		drv_add(&r->g, &b, 1, 0);
		put(r, NOTIFY, 2, 0);
		n = seen.messages;
		turn();
		assert_int_equal(seen.messages, n + 1);
		assert_true(get(r, STATUS, 1) & NEEDS_RESET);
		b = (struct drv_buf){ DRV_DATA, 64, true };
		put(r, NOTIFY, 2, 0);
		turn();
		assert_false(drv_used(&r->g, &u));
		put(r, STATUS, 1, 0);
		assert_int_equal(get(r, STATUS, 1), 0);
	}
}

static int setup_console(void **state)
{
	struct rig *r = make();
	int in[2], out[2];

	assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
	r->m.vm.cfg.in_fd = in[0];
	r->m.vm.cfg.out_fd = out[1];
	r->in = in[1];
	r->out = out[0];
	assert_int_equal(serial_new(&r->m.vm, &r->m.vm.serial), 0);
	assert_int_equal(console_new(&r->m.vm, &r->m.vm.console, &r->d), 0);
	assert_int_equal(vconsole_add(&r->m.vm, SLOT, &r->d), 0);
	decode(r);
	*state = r;
	return 0;
}

static void type(struct rig *r, const char *text)
{
	assert_int_equal(write(r->in, text, strlen(text)), strlen(text));
	assert_false(console_read(r->m.vm.console));
}

static void two_ports(void **state)
{
	struct drv_buf in = { DRV_DATA, 4, true };
	struct drv_buf out = { DRV_DATA + 64, 6, false };
	struct rig *r = *state;
	struct drv_used u;
	struct drv tx;
	char got[64] = "";

	drv_init_nth(&r->g, &r->m.vm, 0, 16, VIRTIO_RING_FEATURES);
	drv_init_nth(&tx, &r->m.vm, 1, 16, VIRTIO_RING_FEATURES);
	set_features(r, VIRTIO_RING_FEATURES);
	set_queue(r, 0, &r->g.setup);
	set_queue(r, 1, &tx.setup);
	put(r, STATUS, 1, ACK | DRIVER | FEATURES_OK | DRIVER_OK);
	type(r, "s"); /* the serial line's */
	assert_int_equal(serial_room(r->m.vm.serial), 0);
	memcpy(drv_ram(&r->m.vm, DRV_DATA + 64), "hello\n", 6);
	drv_add(&tx, &out, 1, 0);
	put(r, NOTIFY + 4, 2, 1);
	turn();
	assert_true(drv_used(&tx, &u));
	console_write(r->m.vm.console);
	assert_int_equal(read(r->out, got, sizeof(got)), 6);
	assert_string_equal(got, "hello\n");
	/* No buffer, no input. */
	assert_false(console_wants_input(r->m.vm.console));
	drv_add(&r->g, &in, 1, 0);
	assert_true(drv_wants_kick(&r->g));
	put(r, NOTIFY, 2, 0);
	turn();
	assert_true(console_wants_input(r->m.vm.console));
	type(r, "abcdef");
	assert_true(drv_used(&r->g, &u));
	assert_int_equal(u.len, 4);
	assert_memory_equal(drv_ram(&r->m.vm, DRV_DATA), "abcd", 4);
	assert_false(console_wants_input(r->m.vm.console));
	drv_add(&r->g, &in, 1, 0);
	(void)console_wants_input(r->m.vm.console);
	assert_true(drv_used(&r->g, &u));
	assert_int_equal(u.len, 2);
	/* Its driver goes: the serial line's again. */
	put(r, STATUS, 1, 0);
	assert_false(console_wants_input(r->m.vm.console));
	serial_reset(r->m.vm.serial);
	assert_true(console_wants_input(r->m.vm.console));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(at_power_on, setup, teardown),
		cmocka_unit_test_setup_teardown(any_access, setup, teardown),
		cmocka_unit_test_setup_teardown(features, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_queues, setup, teardown),
		cmocka_unit_test_setup_teardown(kicked, setup, teardown),
		cmocka_unit_test_setup_teardown(bus_master, setup, teardown),
		cmocka_unit_test_setup_teardown(cannot_start, setup, teardown),
		cmocka_unit_test_setup_teardown(interrupts, setup, teardown),
		cmocka_unit_test_setup_teardown(none_after_a_reset, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(calls_follow_the_vector, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(device_config, setup, teardown),
		cmocka_unit_test_setup_teardown(config_window, setup, teardown),
		cmocka_unit_test_setup_teardown(random_bytes, setup_rng,
		                                teardown),
		cmocka_unit_test_setup_teardown(two_ports, setup_console,
		                                teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
