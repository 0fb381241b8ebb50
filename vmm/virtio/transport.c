/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtio device as a PCI function (virtio 1.2 4.1): its life, when its queues
 * are served, and its interrupts. transport_regs.c has the registers.
 *
 * Order of a start: rings' positions, ops->start, then kicks are watched, and
 * each ready queue gets one, for chains that came before. Of a stop: kicks are
 * no longer watched, `serving` is false (which waits for one that is under
 * way), queues are not ready, ops->stop. A kick that comes later than that
 * finds `serving` false, or the next life of the device.
 *
 * Bus master off stops a device as a reset does, but keeps its rings: they go
 * on when it comes back. Who had a kick leaves the ring's position with stop;
 * it is stopped and started so where its vector changes, too.
 */

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "vmm/virtio/transport_priv.h"

#define VENDOR 0x1af4u
#define DEVICE_BASE 0x1040u /* 4.1.2.1 */
#define MSIX_BAR 2
#define MSIX_BAR_SIZE 0x2000u
#define MSIX_PBA 0x1000u

/* cfg_type, 4.1.4. */
enum {
	CAP_VENDOR = 0x09,
	CAP_COMMON = 1,
	CAP_NOTIFY = 2,
	CAP_ISR = 3,
	CAP_DEVICE = 4,
	CAP_PCI_CFG = 5,
	CAP_LEN = 16,
	CAP_LEN_MORE = 20, /* with the multiplier, or the window's data */
	CAP_LIVE = 4,      /* of PCI_CFG: from its BAR number on */
};

enum {
	ISR_QUEUE = 1,
	ISR_CONFIG = 2,
};

/* A guest can break its device as fast as it likes. */
#define SAY_INTERVAL_NS 10000000000ull
#define SAY_BURST 5

/* ---- interrupts ---------------------------------------------------------- */

static void raise(struct virtio *v, uint16_t vector, uint8_t isr)
{
	if (own_msix_enabled(v->own)) {
		own_raise(v->own, vector);
		return;
	}
	pthread_mutex_lock(&v->isr_lock);
	/* Whoever comes too late for a reset would leave the pin high, and
	 * nobody reads the ISR. */
	if (v->status & STATUS_DRIVER_OK) {
		v->isr |= isr;
		own_intx(v->own, true);
	}
	pthread_mutex_unlock(&v->isr_lock);
}

uint8_t virtio_isr_take(struct virtio *v)
{
	uint8_t isr;

	pthread_mutex_lock(&v->isr_lock);
	isr = v->isr;
	v->isr = 0;
	own_intx(v->own, false);
	pthread_mutex_unlock(&v->isr_lock);
	return isr;
}

void virtio_interrupt(struct virtio *v, unsigned i)
{
	struct virtio_q *q = &v->queue[i];

	if (!q->foreign && !vq_wants_interrupt(&q->vq)) {
		stats_add(&q->suppressed, 1);
		return;
	}
	stats_add(&q->interrupts, 1);
	raise(v, q->vector, ISR_QUEUE);
}

void virtio_config_changed(struct virtio *v)
{
	atomic_fetch_add(&v->generation, 1);
	if (v->status & STATUS_DRIVER_OK)
		raise(v, v->config_vector, ISR_CONFIG);
}

void virtio_broken(struct virtio *v, const char *why)
{
	uint8_t was = atomic_fetch_or(&v->status, STATUS_NEEDS_RESET);
	char text[256];
	bool say;

	if (was & STATUS_NEEDS_RESET)
		return;
	pthread_mutex_lock(&v->isr_lock);
	say = ratelimit_pass(&v->limit, now_ns());
	pthread_mutex_unlock(&v->isr_lock);
	if (say) {
		snprintf(text, sizeof(text),
		         "device \"%s\": %s; it stands still until its driver "
		         "resets it",
		         v->desc.name, why);
		loop_say(text);
	}
	/* 2.1.2: the driver is told as of a change of configuration. */
	if (was & STATUS_DRIVER_OK)
		raise(v, v->config_vector, ISR_CONFIG);
}

/* ---- start and stop; under the lock -------------------------------------- */

static void set_ready(struct virtio *v, bool to)
{
	for (unsigned i = 0; i < v->desc.queues; i++)
		v->queue[i].vq.ready = to && v->queue[i].enabled;
}

static void watch(struct virtio *v, bool on)
{
	for (unsigned i = 0; v->desc.ops->kick && i < v->desc.queues; i++) {
		struct virtio_q *q = &v->queue[i];

		if (q->foreign || !q->enabled)
			continue;
		if (!on) {
			io_del(v->vm->io, &q->kick);
			continue;
		}
		if (io_add(v->vm->io, &q->kick, EPOLLIN) < 0)
			virtio_broken(v, "its kicks cannot be watched");
		(void)!eventfd_write(q->kick.fd, 1);
	}
}

static void set_serving(struct virtio *v, bool to)
{
	pthread_mutex_lock(&v->serve_lock);
	v->serving = to;
	pthread_mutex_unlock(&v->serve_lock);
}

static void stop(struct virtio *v)
{
	if (!v->started)
		return;
	v->started = false;
	watch(v, false);
	set_serving(v, false);
	set_ready(v, false);
	v->desc.ops->stop(v->desc.ctx);
}

/* Queues from their beginning, or from where they were. */
static int position(struct virtio *v)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < v->desc.queues; i++) {
		struct virtio_q *q = &v->queue[i];

		if (!v->begun && q->enabled)
			r = vq_start(&q->vq, v->vm, &q->setup,
			             v->driver_features);
		q->foreign = false;
	}
	v->begun = true;
	return r;
}

void virtio_try_start(struct virtio *v)
{
	const uint8_t want = STATUS_DRIVER_OK;
	int r;

	if (v->started || !own_dma(v->own) ||
	    (v->leaving && !v->desc.ops->leave) ||
	    (v->status & (want | STATUS_NEEDS_RESET)) != want)
		return;
	r = position(v);
	if (r < 0) {
		virtio_broken(v, "its rings cannot go on");
		return;
	}
	set_ready(v, true);
	r = v->desc.ops->start(v->desc.ctx, v->driver_features);
	if (r < 0) {
		set_ready(v, false);
		virtio_broken(v, "it cannot be started as it was set up");
		return;
	}
	v->started = true;
	set_serving(v, true);
	watch(v, true);
}

static bool has_foreign(const struct virtio *v)
{
	for (unsigned i = 0; i < v->desc.queues; i++)
		if (v->queue[i].foreign)
			return true;
	return false;
}

/* An interrupt of each of them may just have been lost with the old call. */
void virtio_follow_vectors(struct virtio *v)
{
	if (!v->started || !has_foreign(v))
		return;
	stop(v);
	virtio_try_start(v);
	for (unsigned i = 0; v->started && i < v->desc.queues; i++)
		if (v->queue[i].foreign)
			raise(v, v->queue[i].vector, ISR_QUEUE);
}

static void reset_queue(struct virtio *v, struct virtio_q *q)
{
	eventfd_t count;

	q->setup = (struct vq_setup){ .size = v->desc.queue_size };
	q->vector = VIRTIO_NO_VECTOR;
	q->enabled = false;
	q->foreign = false;
	(void)!eventfd_read(q->kick.fd, &count);
}

void virtio_reset(struct virtio *v)
{
	stop(v);
	if (v->desc.ops->reset)
		v->desc.ops->reset(v->desc.ctx);
	v->device_select = v->driver_select = 0;
	v->driver_features = 0;
	v->unknown_features = false;
	v->queue_select = 0;
	v->config_vector = VIRTIO_NO_VECTOR;
	v->begun = false;
	for (unsigned i = 0; i < v->desc.queues; i++)
		reset_queue(v, &v->queue[i]);
	/* First, for raise(). */
	atomic_fetch_and(&v->status, (uint8_t)~STATUS_DRIVER_OK);
	virtio_isr_take(v);
	/* Last: the driver waits for it (4.1.4.3.2). */
	v->status = 0;
}

/* The loop's thread; another turn has no event. */
static void kick_ready(void *ctx, uint32_t events)
{
	struct virtio_q *q = ctx;
	struct virtio *v = q->v;
	eventfd_t count;

	if (events) {
		(void)!eventfd_read(q->kick.fd, &count);
		stats_add(&q->kicks, 1);
	}
	pthread_mutex_lock(&v->serve_lock);
	if (v->serving && q->vq.ready)
		v->desc.ops->kick(v->desc.ctx, q->index);
	pthread_mutex_unlock(&v->serve_lock);
}

/* ---- own.h --------------------------------------------------------------- */

static void on_reset(void *ctx)
{
	struct virtio *v = ctx;

	pthread_mutex_lock(&v->lock);
	virtio_reset(v);
	memset(v->window, 0, sizeof(v->window));
	pthread_mutex_unlock(&v->lock);
}

static void on_command(void *ctx, uint16_t command)
{
	struct virtio *v = ctx;

	(void)command;
	pthread_mutex_lock(&v->lock);
	if (own_dma(v->own))
		virtio_try_start(v);
	else
		stop(v);
	pthread_mutex_unlock(&v->lock);
}

static void on_vectors(void *ctx, bool enabled)
{
	struct virtio *v = ctx;

	(void)enabled;
	pthread_mutex_lock(&v->lock);
	virtio_follow_vectors(v);
	pthread_mutex_unlock(&v->lock);
}

/* Any width and value, for a driver may write a dword (4.1.5.2). */
static bool ioeventfd(struct virtio_q *q, uint64_t bar, uint32_t flags)
{
	struct kvm_ioeventfd e = {
		.addr = bar + BAR_NOTIFY + (uint64_t)BAR_NOTIFY_STEP * q->index,
		.fd = q->kick.fd,
		.flags = flags,
	};

	return ioctl(q->v->vm->fd, KVM_IOEVENTFD, &e) == 0;
}

/* Without one a kick is an exit, and arrives all the same. */
static void on_moved(void *ctx, unsigned bar, uint64_t addr, bool decodes)
{
	struct virtio *v = ctx;

	for (unsigned i = 0; bar == 0 && i < v->desc.queues; i++) {
		struct virtio_q *q = &v->queue[i];

		if (decodes) {
			q->bound = ioeventfd(q, addr, 0);
		} else if (q->bound) {
			(void)ioeventfd(q, addr, KVM_IOEVENTFD_FLAG_DEASSIGN);
			q->bound = false;
		}
	}
}

#define DEF(name, unit, field)                                                 \
	{                                                                      \
		name, unit, offsetof(struct virtio_q, field)                   \
	}
/* In the order of docs/control.md. */
static const struct stats_def queue_defs[] = {
	DEF("kicks", STATS_COUNT, kicks),
	DEF("chains", STATS_COUNT, vq.chains),
	DEF("out_bytes", STATS_BYTES, vq.out_bytes),
	DEF("in_bytes", STATS_BYTES, vq.in_bytes),
	DEF("interrupts", STATS_COUNT, interrupts),
	DEF("suppressed", STATS_COUNT, suppressed),
};
#undef DEF

static bool on_counters(void *ctx, unsigned i, struct stats_set *ret)
{
	const struct virtio *v = ctx;

	if (i >= v->desc.queues)
		return v->desc.ops->counters &&
		       v->desc.ops->counters(v->desc.ctx, i - v->desc.queues,
		                             ret);
	*ret = (struct stats_set){
		.what = "queue",
		.index = i,
		.def = queue_defs,
		.n = ARRAY_SIZE(queue_defs),
		.base = &v->queue[i],
	};
	return true;
}

/* A vCPU has the lock for as long as a stop waits for a device's storage. */
static enum own_left on_leave(void *ctx)
{
	struct virtio *v = ctx;
	enum own_left left = OWN_QUIET;

	if (pthread_mutex_trylock(&v->lock))
		return OWN_BUSY;
	v->leaving = true;
	if (v->desc.ops->leave)
		left = v->desc.ops->leave(v->desc.ctx);
	else
		stop(v);
	pthread_mutex_unlock(&v->lock);
	return left;
}

/* A kick that was under way at the stop may have asked for another turn. */
static void free_virtio(struct virtio *v)
{
	for (unsigned i = 0; i < v->desc.queues; i++) {
		io_del(v->vm->io, &v->queue[i].kick);
		close_fd(&v->queue[i].kick.fd);
	}
	pthread_mutex_destroy(&v->lock);
	pthread_mutex_destroy(&v->serve_lock);
	pthread_mutex_destroy(&v->isr_lock);
	free(v);
}

static void on_free(void *ctx)
{
	struct virtio *v = ctx;

	stop(v);
	v->desc.ops->free(v->desc.ctx);
	free_virtio(v);
}

static const struct own_ops own_ops = {
	.read = virtio_bar_read,
	.write = virtio_bar_write,
	.reset = on_reset,
	.command = on_command,
	.vectors = on_vectors,
	.moved = on_moved,
	.cap_read = virtio_cap_read,
	.cap_write = virtio_cap_write,
	.counters = on_counters,
	.leave = on_leave,
	.free = on_free,
};

/* ---- made ---------------------------------------------------------------- */

static struct own_cap *add_cap(struct own_desc *o, uint8_t type, uint8_t len,
                               uint32_t off, uint32_t size)
{
	struct own_cap *c = &o->cap[o->n_caps++];

	c->len = len;
	c->bytes[0] = CAP_VENDOR;
	c->bytes[2] = len;
	c->bytes[3] = type;
	store_le(c->bytes + 8, 4, off);
	store_le(c->bytes + 12, 4, size);
	return c;
}

static void add_caps(const struct virtio *v, struct own_desc *o)
{
	struct own_cap *c;

	add_cap(o, CAP_COMMON, CAP_LEN, BAR_COMMON, BAR_COMMON_LEN);
	add_cap(o, CAP_ISR, CAP_LEN, BAR_ISR, 1);
	if (v->desc.config_len)
		add_cap(o, CAP_DEVICE, CAP_LEN, BAR_CONFIG, v->desc.config_len);
	c = add_cap(o, CAP_NOTIFY, CAP_LEN_MORE, BAR_NOTIFY,
	            BAR_NOTIFY_STEP * v->desc.queues);
	store_le(c->bytes + 16, 4, BAR_NOTIFY_STEP);
	c = add_cap(o, CAP_PCI_CFG, CAP_LEN_MORE, 0, 0);
	c->live = CAP_LIVE;
}

static int add_function(struct virtio *v, struct diag *d)
{
	struct own_desc o = {
		.slot = v->desc.slot,
		.vendor = VENDOR,
		.device = (uint16_t)(DEVICE_BASE + v->desc.id),
		.subvendor = VENDOR,
		/* 4.1.2.1: any, but none of the transitional ones. */
		.subdevice = (uint16_t)(DEVICE_BASE + v->desc.id),
		.class = v->desc.class,
		.revision = 1,
		.bar = {
			[0] = { .kind = CFG_BAR_MEM32, .size = BAR_SIZE },
			[MSIX_BAR] = { .kind = CFG_BAR_MEM32,
				       .size = MSIX_BAR_SIZE },
		},
		/* One a queue, and one for the configuration. */
		.vectors = (uint16_t)(v->desc.queues + 1),
		.msix_bar = MSIX_BAR,
		.pba_off = MSIX_PBA,
		.intx = true,
		.ops = &own_ops,
		.ctx = v,
	};

	memcpy(o.name, v->desc.name, sizeof(o.name));
	add_caps(v, &o);
	return own_add(v->vm, &o, &v->own, d);
}

static int make_queue(struct virtio *v, unsigned i)
{
	struct virtio_q *q = &v->queue[i];

	q->v = v;
	q->index = i;
	q->vector = VIRTIO_NO_VECTOR;
	q->setup.size = v->desc.queue_size;
	q->kick = (struct io_watch){
		.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.ready = kick_ready,
		.ctx = q,
	};
	return q->kick.fd < 0 ? -errno : 0;
}

static struct virtio *new_virtio(struct vm *vm, const struct virtio_desc *desc)
{
	struct virtio *v =
		calloc(1, sizeof(*v) + desc->queues * sizeof(v->queue[0]));

	if (!v)
		return NULL;
	v->vm = vm;
	v->desc = *desc;
	v->offered = desc->features | (VIRTIO_RING_FEATURES & ~desc->without);
	if (vm->cfg.split_rings)
		v->offered &= ~VIRTIO_F(34);
	v->config_vector = VIRTIO_NO_VECTOR;
	v->limit = (struct ratelimit){ .interval_ns = SAY_INTERVAL_NS,
		                       .burst = SAY_BURST };
	pthread_mutex_init(&v->lock, NULL);
	pthread_mutex_init(&v->serve_lock, NULL);
	pthread_mutex_init(&v->isr_lock, NULL);
	for (unsigned i = 0; i < desc->queues; i++)
		v->queue[i].kick.fd = -1;
	return v;
}

int virtio_add(struct vm *vm, const struct virtio_desc *desc,
               struct virtio **ret, struct diag *d)
{
	struct virtio *v = NULL;
	int r = -EINVAL;

	if (desc->queues && desc->queues <= VQ_MAX &&
	    desc->queue_size <= VQ_SIZE_MAX &&
	    desc->config_len <= BAR_CONFIG_LEN) {
		v = new_virtio(vm, desc);
		r = v ? 0 : -ENOMEM;
	}
	for (unsigned i = 0; r == 0 && i < desc->queues; i++)
		r = make_queue(v, i);
	if (r < 0) {
		diag_fail(d, r, FL_VMM_MEMORY, "the device \"%s\"", desc->name);
		diag_why(d, "%s", strerror(-r));
		diag_mend_else(d, "journalctl -k");
	} else {
		r = add_function(v, d);
	}
	if (r < 0 && v)
		free_virtio(v);
	if (r == 0)
		*ret = v;
	return r;
}

/* ---- for devices --------------------------------------------------------- */

struct vq *virtio_queue(struct virtio *v, unsigned i)
{
	return &v->queue[i].vq;
}

const struct vq_setup *virtio_queue_setup(struct virtio *v, unsigned i)
{
	return &v->queue[i].setup;
}

void virtio_again(struct virtio *v, unsigned i)
{
	io_again(v->vm->io, &v->queue[i].kick);
}

int virtio_kick_fd(struct virtio *v, unsigned i)
{
	v->queue[i].foreign = true;
	return v->queue[i].kick.fd;
}

int virtio_call_fd(struct virtio *v, unsigned i)
{
	uint16_t vector = v->queue[i].vector;

	if (vector == VIRTIO_NO_VECTOR || !own_msix_enabled(v->own))
		return -ENOENT;
	return own_vector_fd(v->own, vector);
}

struct own *virtio_own(struct virtio *v)
{
	return v->own;
}
