/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_ASSIGN_H
#define FL_VMM_ASSIGN_H

/* Between assign.c (life, cycles), assign_ops.c (BARs) and place.c (addresses).
 */

#include "vmm/priv.h"

struct assigned;
/* What a trapped range of the bus belongs to. */
struct assigned_bar {
	struct assigned *owner;
	unsigned index;
};
struct assigned {
	struct vm *vm;
	unsigned index;       /* of cfg.device */
	pthread_mutex_t lock; /* of `dev`: release against accesses */
	struct vfio_dev *dev; /* NULL once released */
	/* A refusal to be told. Its lock is never held for long: `lock` is,
	 * through a reset, and the main thread must not wait for that. */
	pthread_mutex_t fault_lock;
	struct diag fault;
	bool has_fault;
	struct ratelimit limit; /* of what a guest may cause to be told */
	struct assigned_bar bar[CFG_BARS];
	uint64_t at[CFG_BARS]; /* where its BARs go; 0 = nowhere */
	struct assign_window window;
};

extern const struct vfio_host_ops assign_host_ops;
/* Under the function's lock: a refusal to be told, its own or vfio's latest. */
void assign_keep_fault(struct assigned *a, const struct diag *d);
void assign_collect_fault(struct assigned *a);

/* Gives every BAR of every function its address: at[] and window. -ENOSPC
 * FL_VMM_SLOT. */
_must_check_ int place_all(struct vm *vm, struct diag *d);
/* Writes them into the function's BARs. */
_must_check_ int place_apply(struct assigned *a, struct diag *d);

#endif
