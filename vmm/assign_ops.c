/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What vfio/ is lent for an assigned function: where its BARs may lie, who
 * answers there, and what a refusal on the way is told as.
 *
 * Host ops are called under the function's lock and vfio's, and take neither;
 * trapped accesses take the function's, so that it is not released meanwhile.
 */

#include <sys/eventfd.h>

#include "vmm/assign.h"
#include "vmm/own.h"

/* A guest can cause refusals as fast as it likes: five in ten seconds. */
#define FAULT_INTERVAL_NS 10000000000ull
#define FAULT_BURST 5

/* ---- refusals, for people ------------------------------------------------ */

void assign_keep_fault(struct assigned *a, const struct diag *d)
{
	pthread_mutex_lock(&a->fault_lock);
	a->limit.interval_ns = FAULT_INTERVAL_NS;
	a->limit.burst = FAULT_BURST;
	if (ratelimit_pass(&a->limit, now_ns())) {
		a->fault = *d;
		a->has_fault = true;
		/* It fails when the count is full: the loop is awake then. */
		(void)!eventfd_write(a->vm->event_fd, 1);
	}
	pthread_mutex_unlock(&a->fault_lock);
}

/* After each access, under the lock. */
static __attribute__((noinline)) void collect_fault(struct assigned *a)
{
	struct diag d;

	if (vfio_dev_take_fault(a->dev, &d))
		assign_keep_fault(a, &d);
}

/* Apart from the taking: a diag is cleared where it is declared, which costs
 * more than the access. */
void assign_collect_fault(struct assigned *a)
{
	if (a->dev && vfio_dev_has_fault(a->dev))
		collect_fault(a);
}

bool assign_take_fault(struct vm *vm, unsigned i, struct diag *ret)
{
	struct assigned *a;
	bool has;

	if (!vm->assigned || i >= vm->cfg.n_devices)
		return false;
	a = &vm->assigned[i];
	pthread_mutex_lock(&a->fault_lock);
	has = a->has_fault;
	if (has)
		*ret = a->fault;
	a->has_fault = false;
	pthread_mutex_unlock(&a->fault_lock);
	return has;
}

/* ---- trapped accesses ---------------------------------------------------- */

/* The range may have been deleted, and the function closed, since the bus
 * looked it up. */
static uint64_t trap_read(void *ctx, uint64_t off, unsigned width)
{
	struct assigned_bar *b = ctx;
	struct assigned *a = b->owner;
	uint64_t value = UINT64_MAX;

	pthread_mutex_lock(&a->lock);
	if (a->dev)
		value = vfio_dev_bar_read(a->dev, b->index, off, width);
	pthread_mutex_unlock(&a->lock);
	return value;
}

static void trap_write(void *ctx, uint64_t off, unsigned width, uint64_t value)
{
	struct assigned_bar *b = ctx;
	struct assigned *a = b->owner;

	pthread_mutex_lock(&a->lock);
	if (a->dev && !vfio_dev_bar_write(a->dev, b->index, off, width, value))
		assign_collect_fault(a);
	pthread_mutex_unlock(&a->lock);
}

static const struct bus_ops trap_ops = {
	.read = trap_read,
	.write = trap_write,
};

/* ---- what vfio is lent --------------------------------------------------- */

static int trap(struct assigned *a, unsigned bar, bool io, uint64_t addr,
                uint64_t size)
{
	const unsigned slot = a->vm->cfg.device[a->index].slot;
	int r = trap_add(a->vm, io, addr, size, EXIT_AT(EXIT_BAR, slot, bar),
	                 &trap_ops, &a->bar[bar]);

	if (r == 0 && !io)
		table_placed(a, bar, addr);
	return r;
}

/* `refused` is true from before the attempt: whoever frees the range meanwhile
 * sees it. It stays when a range was refused, until all are offered again. */
static int host_trap_add(void *ctx, unsigned bar, bool io, uint64_t addr,
                         uint64_t size)
{
	struct assigned *a = ctx;
	bool before = a->refused;
	int r;

	if (!trap_fits(a->vm, io, addr, size))
		return -EADDRINUSE;
	a->refused = true;
	r = trap(a, bar, io, addr, size);
	if (r == 0)
		a->refused = before;
	return r;
}

static void host_trap_del(void *ctx, unsigned bar, bool io, uint64_t addr,
                          uint64_t size)
{
	struct assigned *a = ctx;

	if (!io)
		table_withdrawn(a, bar);
	trap_del(a->vm, io, addr, size);
	a->moved = true;
}

static int host_window_add(void *ctx, struct gpa gpa, void *hva, uint64_t size,
                           bool device)
{
	return windows_add(ctx, gpa, hva, size, device);
}

static int host_window_del(void *ctx, struct gpa gpa, void *hva, uint64_t size)
{
	struct assigned *a = ctx;

	(void)hva;
	return windows_del(a->vm, gpa, size);
}

/* ---- what has become free ------------------------------------------------ */

/* Offering takes nothing away, so that it has no end of its own to wait for. */
void assign_offer(struct assigned *a)
{
	a->refused = false;
	a->due = false;
	if (a->dev)
		vfio_dev_offer(a->dev);
	assign_collect_fault(a);
}

/* All but `a`. */
static void offer_all(struct vm *vm, const struct assigned *a)
{
	for (unsigned i = 0; vm->assigned && i < VM_DEVICES_MAX; i++) {
		struct assigned *b = &vm->assigned[i];

		if (b == a || !b->refused)
			continue;
		pthread_mutex_lock(&b->lock);
		assign_offer(b);
		pthread_mutex_unlock(&b->lock);
	}
}

void assign_offer_all(struct vm *vm)
{
	offer_all(vm, NULL);
}

void assign_offer_others(struct assigned *a)
{
	offer_all(a->vm, a);
	own_offer_all(a->vm);
}

void assign_offer_others_soon(struct assigned *a)
{
	for (unsigned i = 0; i < VM_DEVICES_MAX; i++) {
		struct assigned *b = &a->vm->assigned[i];

		if (b == a || !b->refused)
			continue;
		b->due = true;
		if (pthread_mutex_trylock(&b->lock) != 0)
			continue;
		assign_offer(b);
		pthread_mutex_unlock(&b->lock);
	}
	own_offer_all(a->vm);
}

static void host_vector_unmasked(void *ctx, unsigned vector)
{
	table_unmasked(ctx, vector);
}

const struct vfio_host_ops assign_host_ops = {
	.window_add = host_window_add,
	.window_del = host_window_del,
	.trap_add = host_trap_add,
	.trap_del = host_trap_del,
	.vector_unmasked = host_vector_unmasked,
};
