/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_ASSIGN_H
#define FL_VMM_ASSIGN_H

/* Between assign.c (life, cycles), assign_ops.c (BARs), place.c (addresses) and
 * topology.c (slots). */

#include "vmm/priv.h"

struct assigned;
/* What a trapped range of the bus belongs to. */
struct assigned_bar {
	struct assigned *owner;
	unsigned index;
};
/* vectors.c: where its MSI-X table is now, and which entries' messages the
 * kernel queues. All zeros: nowhere. */
#define TABLE_ZONES 64u
struct assigned_table {
	uint64_t at; /* guest physical address of entry 0 */
	unsigned bar;
	uint64_t queued; /* a bit an entry */
	bool refused;    /* the kernel has no more */
};
struct assigned {
	struct vm *vm;
	unsigned index; /* of cfg.device */
	/* ASSIGN_PLACE() of what is there, 0 = nobody: for who looks without
	 * `lock`, and must look again with it. */
	_Atomic uint16_t place;
	_Atomic uint64_t bus; /* of the host: domain << 8 | bus */
	/* assign_ops.c. A range of its was refused, and may be free by now;
	 * one of its has gone, so that another's may be. */
	_Atomic bool refused;
	_Atomic bool due;     /* ... and is to be offered by who has `lock` */
	bool moved;           /* under `lock` */
	pthread_mutex_t lock; /* of `dev`: release against accesses */
	struct vfio_dev *dev; /* NULL = not there; written by main only */
	/* A refusal to be told. Its lock is never held for long: `lock` is,
	 * through a reset, and the main thread must not wait for that. */
	pthread_mutex_t fault_lock;
	struct diag fault;
	bool has_fault;
	struct ratelimit limit; /* of what a guest may cause to be told */
	struct assigned_bar bar[VFIO_RANGES];
	uint64_t at[VFIO_RANGES]; /* where its BARs go; 0 = nowhere */
	struct assigned_table table;
};

#define ASSIGN_PLACE(slot, fn) ((uint16_t)((slot) << 3 | (fn)))

extern const struct vfio_host_ops assign_host_ops;
/* Under the function's lock: a refusal to be told, its own or vfio's latest. */
void assign_keep_fault(struct assigned *a, const struct diag *d);
void assign_collect_fault(struct assigned *a);
/* Under the function's lock: has a range of its gone since the last call? Then,
 * without the lock: what others were refused there is offered again. */
static inline bool assign_has_moved(struct assigned *a)
{
	bool moved = a->moved;

	a->moved = false;
	return moved;
}
void assign_offer_others(struct assigned *a);
/* The same for the main thread, which must not queue behind a function that the
 * guest resets over and over: one that is busy is offered its own by the access
 * that has it, or the next. */
void assign_offer_others_soon(struct assigned *a);
/* Under the function's lock: what it was refused, now; and if the above says
 * so. */
void assign_offer(struct assigned *a);
static inline void assign_offer_due(struct assigned *a)
{
	if (atomic_load_explicit(&a->due, memory_order_acquire))
		assign_offer(a);
}

/* assign_reset.c. What has no reset of its own is this guest's only with its
 * whole bus, which is reset now: nothing of the tenant before may be left, and
 * nothing of this guest after. The functions of a slot that has just been
 * filled, or of all (0). -EOPNOTSUPP FL_VFIO_NO_RESET. */
_must_check_ int reset_check(struct vm *vm, uint8_t slot, struct diag *d);

/* windows.c; under the function's lock and vfio's. See vfio_host_ops. */
_must_check_ int windows_add(struct assigned *a, struct gpa gpa, void *hva,
                             uint64_t size, bool device);
_must_check_ int windows_del(struct vm *vm, struct gpa gpa, uint64_t size);
/* The main thread, around what changes the address space itself: no window
 * comes or goes meanwhile (iommu.h, Threads). */
void windows_hold(struct vm *vm);
void windows_unhold(struct vm *vm);
/* Something else answers at [at, at+size) from now on: no window may. */
_must_check_ int windows_evict(struct vm *vm, uint64_t at, uint64_t size);

/* vectors.c; all under the function's lock. A BAR has come to `addr`, has
 * gone. */
void table_placed(struct assigned *a, unsigned bar, uint64_t addr);
void table_withdrawn(struct assigned *a, unsigned bar);
void table_unmasked(struct assigned *a, unsigned vector);

/* Gives every BAR of every function its address, every port its windows: at[]
 * and vm->window; what was there stays where they do not fit: -ENOSPC
 * FL_VMM_SLOT. */
_must_check_ int place_all(struct vm *vm, struct diag *d);
/* Writes them into the function's BARs. */
_must_check_ int place_apply(struct assigned *a, struct diag *d);

#endif
