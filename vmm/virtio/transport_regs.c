/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registers of a virtio function: virtio 1.2 4.1.4.
 *
 * A field is read and written by its own width (4.1.3.1), a 64-bit one by its
 * halves, or whole; any other access reads ones and writes nothing. What the
 * driver may not change any more (a queue that is enabled, features after
 * FEATURES_OK) it does not change.
 */

#include <string.h>
#include <sys/eventfd.h>

#include "vmm/virtio/transport_priv.h"

/* 4.1.4.3; the 64-bit fields by their halves. */
enum {
	DEVICE_FEATURE_SELECT = 0,
	DEVICE_FEATURE = 4,
	DRIVER_FEATURE_SELECT = 8,
	DRIVER_FEATURE = 12,
	CONFIG_VECTOR = 16,
	NUM_QUEUES = 18,
	DEVICE_STATUS = 20,
	CONFIG_GENERATION = 21,
	QUEUE_SELECT = 22,
	QUEUE_SIZE = 24,
	QUEUE_VECTOR = 26,
	QUEUE_ENABLE = 28,
	QUEUE_NOTIFY_OFF = 30,
	QUEUE_DESC = 32,
	QUEUE_DRIVER = 40,
	QUEUE_DEVICE = 48,
	QUEUE_NOTIFY_DATA = 56, /* not offered, nor is the next */
	QUEUE_RESET = 58,
};

static unsigned field_width(unsigned off)
{
	if (off >= QUEUE_DESC && off < QUEUE_NOTIFY_DATA)
		return off % 4 ? 0 : 4;
	if (off == DEVICE_STATUS || off == CONFIG_GENERATION)
		return 1;
	if (off >= CONFIG_VECTOR)
		return off % 2 ? 0 : 2;
	return off % 4 ? 0 : 4;
}

static uint32_t half_of(uint64_t v, unsigned off)
{
	return (uint32_t)(off % 8 ? v >> 32 : v);
}

static void put_half(uint64_t *v, unsigned off, uint32_t value)
{
	if (off % 8)
		*v = (*v & UINT32_MAX) | (uint64_t)value << 32;
	else
		*v = (*v & ~(uint64_t)UINT32_MAX) | value;
}

/* ---- queues -------------------------------------------------------------- */

/* NULL = there is none of that number. */
static struct virtio_q *selected(struct virtio *v)
{
	return v->queue_select < v->desc.queues ? &v->queue[v->queue_select]
	                                        : NULL;
}

static uint64_t *area_of(struct virtio_q *q, unsigned off)
{
	if (off < QUEUE_DRIVER)
		return &q->setup.desc;
	return off < QUEUE_DEVICE ? &q->setup.driver : &q->setup.device;
}

/* 4.1.4.3.2: of a queue that is not there the size is 0. */
static uint32_t queue_read(struct virtio *v, unsigned off)
{
	struct virtio_q *q = selected(v);

	if (!q)
		return off == QUEUE_VECTOR ? VIRTIO_NO_VECTOR : 0;
	switch (off) {
	case QUEUE_SIZE:
		return q->setup.size;
	case QUEUE_VECTOR:
		return q->vector;
	case QUEUE_ENABLE:
		return q->enabled;
	case QUEUE_NOTIFY_OFF:
		return v->queue_select;
	case QUEUE_NOTIFY_DATA:
	case QUEUE_RESET:
		return 0;
	default:
		return half_of(*area_of(q, off), off);
	}
}

/* What will be served must be right now: nobody asks the driver later. */
static void queue_enable(struct virtio *v, struct virtio_q *q)
{
	struct vq probe = { 0 };

	if (!(v->status & STATUS_FEATURES_OK) || (v->status & STATUS_DRIVER_OK))
		return;
	if (vq_start(&probe, v->vm, &q->setup, v->driver_features) < 0)
		virtio_broken(v, "a queue that is no power of two, not "
		                 "aligned or outside of memory");
	else
		q->enabled = true;
}

static uint16_t a_vector(const struct virtio *v, uint32_t value)
{
	return value <= v->desc.queues ? (uint16_t)value : VIRTIO_NO_VECTOR;
}

static void vector_write(struct virtio *v, struct virtio_q *q, uint32_t value)
{
	uint16_t was = q->vector;

	q->vector = a_vector(v, value);
	if (q->vector != was && q->foreign)
		virtio_follow_vectors(v);
}

static void queue_write(struct virtio *v, unsigned off, uint32_t value)
{
	struct virtio_q *q = selected(v);

	if (!q)
		return;
	if (off == QUEUE_VECTOR)
		vector_write(v, q, value);
	if (q->enabled)
		return;
	if (off == QUEUE_SIZE && value && value <= v->desc.queue_size)
		q->setup.size = (uint16_t)value;
	else if (off == QUEUE_ENABLE && value == 1)
		queue_enable(v, q);
	else if (off >= QUEUE_DESC && off < QUEUE_NOTIFY_DATA)
		put_half(area_of(q, off), off, value);
}

/* ---- the device ---------------------------------------------------------- */

static void driver_feature(struct virtio *v, uint32_t value)
{
	if (v->status & STATUS_FEATURES_OK)
		return;
	if (v->driver_select < 2)
		put_half(&v->driver_features, 4 * v->driver_select, value);
	else if (value)
		v->unknown_features = true;
}

/* 2.2.2, 6.2: only what was offered, and VERSION_1 always. */
static bool features_fit(const struct virtio *v)
{
	return !v->unknown_features && !(v->driver_features & ~v->offered) &&
	       (v->driver_features & VIRTIO_F_VERSION_1_);
}

/* 2.1, 3.1.1: bits are only added, but for the reset. */
static void status_write(struct virtio *v, uint8_t value)
{
	uint8_t status = v->status, fresh = value & (uint8_t)~status;

	if (!value) {
		virtio_reset(v);
		return;
	}
	fresh &= (uint8_t)~STATUS_NEEDS_RESET;
	if ((fresh & STATUS_FEATURES_OK) && !features_fit(v))
		fresh &= (uint8_t)~STATUS_FEATURES_OK;
	if (!((status | fresh) & STATUS_FEATURES_OK))
		fresh &= (uint8_t)~STATUS_DRIVER_OK;
	atomic_fetch_or(&v->status, fresh);
	virtio_try_start(v);
}

static uint32_t common_read(struct virtio *v, unsigned off)
{
	switch (off) {
	case DEVICE_FEATURE_SELECT:
		return v->device_select;
	case DEVICE_FEATURE:
		return v->device_select < 2
		               ? half_of(v->offered, 4 * v->device_select)
		               : 0;
	case DRIVER_FEATURE_SELECT:
		return v->driver_select;
	case DRIVER_FEATURE:
		return v->driver_select < 2 ? half_of(v->driver_features,
		                                      4 * v->driver_select)
		                            : 0;
	case CONFIG_VECTOR:
		return v->config_vector;
	case NUM_QUEUES:
		return v->desc.queues;
	case DEVICE_STATUS:
		return v->status;
	case CONFIG_GENERATION:
		return v->generation;
	case QUEUE_SELECT:
		return v->queue_select;
	default:
		return queue_read(v, off);
	}
}

static void common_write(struct virtio *v, unsigned off, uint32_t value)
{
	switch (off) {
	case DEVICE_FEATURE_SELECT:
		v->device_select = value;
		break;
	case DRIVER_FEATURE_SELECT:
		v->driver_select = value;
		break;
	case DRIVER_FEATURE:
		driver_feature(v, value);
		break;
	case CONFIG_VECTOR:
		v->config_vector = a_vector(v, value);
		break;
	case DEVICE_STATUS:
		status_write(v, (uint8_t)value);
		break;
	case QUEUE_SELECT:
		v->queue_select = (uint16_t)value;
		break;
	case DEVICE_FEATURE:
	case NUM_QUEUES:
	case CONFIG_GENERATION:
		break;
	default:
		queue_write(v, off, value);
	}
}

/* ---- BAR 0, by 1, 2 or 4 bytes; under the lock --------------------------- */

static bool in_config(const struct virtio *v, uint64_t off, unsigned width)
{
	return off >= BAR_CONFIG &&
	       range_inside(off - BAR_CONFIG, width, v->desc.config_len);
}

static uint32_t read_small(struct virtio *v, uint64_t off, unsigned width)
{
	if (off < BAR_COMMON_LEN && field_width((unsigned)off) == width)
		return common_read(v, (unsigned)off);
	if (in_config(v, off, width))
		return v->desc.ops->config_read(
			v->desc.ctx, (unsigned)off - BAR_CONFIG, width);
	/* The ISR's byte; what is read with it is 0. */
	return off == BAR_ISR ? virtio_isr_take(v) : UINT32_MAX;
}

static void write_small(struct virtio *v, uint64_t off, unsigned width,
                        uint32_t value)
{
	if (off < BAR_COMMON_LEN && field_width((unsigned)off) == width)
		common_write(v, (unsigned)off, value);
	else if (in_config(v, off, width) && v->desc.ops->config_write)
		v->desc.ops->config_write(
			v->desc.ctx, (unsigned)off - BAR_CONFIG, width, value);
}

/* Where there is no ioeventfd for it: it does the same. */
static bool notify(struct virtio *v, uint64_t off)
{
	uint64_t i = (off - BAR_NOTIFY) / BAR_NOTIFY_STEP;

	if (off < BAR_NOTIFY)
		return false;
	if (i < v->desc.queues)
		(void)!eventfd_write(v->queue[i].kick.fd, 1);
	return true;
}

uint64_t virtio_bar_read(void *ctx, unsigned bar, uint64_t off, unsigned width)
{
	struct virtio *v = ctx;
	uint64_t value;

	if (bar != 0)
		return UINT64_MAX;
	pthread_mutex_lock(&v->lock);
	value = read_small(v, off, MIN(width, 4u));
	if (width == 8)
		value |= (uint64_t)read_small(v, off + 4, 4) << 32;
	pthread_mutex_unlock(&v->lock);
	return value;
}

void virtio_bar_write(void *ctx, unsigned bar, uint64_t off, unsigned width,
                      uint64_t value)
{
	struct virtio *v = ctx;

	if (bar != 0 || notify(v, off))
		return;
	pthread_mutex_lock(&v->lock);
	write_small(v, off, MIN(width, 4u), (uint32_t)value);
	if (width == 8)
		write_small(v, off + 4, 4, (uint32_t)(value >> 32));
	pthread_mutex_unlock(&v->lock);
}

/* ---- the window in configuration space, 4.1.4.9 -------------------------- */

enum {
	WINDOW_BAR = 4,
	WINDOW_OFFSET = 8,
	WINDOW_LENGTH = 12,
	WINDOW_DATA = 16,
};

/* Where it points to, and how wide: 0 = nowhere. Only BAR 0, and aligned
 * (4.1.4.9.1). */
static unsigned window_at(const struct virtio *v, uint64_t *ret_off)
{
	uint32_t width = (uint32_t)load_le(v->window + WINDOW_LENGTH, 4);
	uint64_t off = load_le(v->window + WINDOW_OFFSET, 4);

	*ret_off = off;
	if (v->window[WINDOW_BAR] || (width != 1 && width != 2 && width != 4) ||
	    off % width || !range_inside(off, width, BAR_SIZE))
		return 0;
	return width;
}

/* `lock` is not held over the access, which takes it; the function's is. */
uint32_t virtio_cap_read(void *ctx, unsigned cap, unsigned off, unsigned width)
{
	struct virtio *v = ctx;
	uint64_t at, value;
	unsigned n = window_at(v, &at);

	(void)cap;
	if (off >= WINDOW_DATA && n) {
		value = virtio_bar_read(v, 0, at, n);
		store_le(v->window + WINDOW_DATA, n, value);
	}
	return (uint32_t)load_le(v->window + off, width);
}

void virtio_cap_write(void *ctx, unsigned cap, unsigned off, unsigned width,
                      uint32_t value)
{
	struct virtio *v = ctx;
	uint64_t at;
	unsigned n;

	(void)cap;
	/* The id and the padding behind the BAR's number stay 0. */
	if (off > WINDOW_BAR && off < WINDOW_OFFSET)
		return;
	if (off == WINDOW_BAR)
		width = 1;
	store_le(v->window + off, width, value);
	n = window_at(v, &at);
	if (off >= WINDOW_DATA && n)
		virtio_bar_write(v, 0, at, n,
		                 load_le(v->window + WINDOW_DATA, n));
}
