/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_OWN_PRIV_H
#define FL_VMM_OWN_PRIV_H

/* Between own.c (life), own_access.c (cycles, BARs), own_config.c (the bytes
 * of the space) and own_vector.c (interrupts). */

#include "vmm/own.h"

struct own_bar {
	struct own *owner;
	unsigned index;
	bool placed; /* its trap is there, at `at` */
	uint64_t at;
	uint64_t home; /* at power-on; 0 = nowhere */
};

/* Written under the vectors' lock. */
struct own_counts {
	uint64_t messages;  /* that left */
	uint64_t held;      /* raised while masked, to leave with the unmask */
	uint64_t coalesced; /* raised while one was held already */
	uint64_t pin;       /* how often the pin went up */
};

/* Under `lock`, which is innermost but for the pins' and irq-remap's. */
struct own_vectors {
	pthread_mutex_t lock;
	struct vm *vm;
	uint8_t slot;
	unsigned n;
	_Atomic bool enabled; /* Message Control bit 15; written under `lock` */
	bool open; /* enabled, not masked as a whole, and messages may leave */
	struct cfg_msix table;
	uint64_t *pending;      /* a bit a vector */
	uint64_t *fds;          /* those that have an eventfd, in `bank` */
	struct irq_bank *bank;  /* NULL until one is wanted */
	struct ratelimit limit; /* of what a guest may cause to be told */
	/* The pin: as the device has it, may it show, does it. */
	_Atomic bool level;
	bool pin_open, driven;
	struct own_counts counts;
};

struct own {
	struct vm *vm;
	struct own_desc desc;
	struct own_bar bar[CFG_BARS];
	struct own_vectors v;
	_Atomic bool dma;    /* own_dma() */
	bool leaving;        /* the main thread's: ops->leave was called */
	_Atomic bool halted; /* no DMA any more: it has no ops->leave */
	/* A range of its was refused, and may be free by now. */
	_Atomic bool refused;
	pthread_mutex_t lock; /* of all below */
	bool moved;           /* a range of its has gone */
	uint16_t command;     /* as the device was told */
	bool vectors;         /* likewise */
	uint8_t cap_at[OWN_CAPS_MAX];
	uint16_t live_from; /* no capability is live below (own_cap.live) */
	struct cfg_space cfg;
};

static inline struct own *own_at(const struct vm *vm, uint8_t slot)
{
	return own_has(vm, slot) ? vm->own->at[slot] : NULL;
}

/* ---- own_config.c ---- */

/* The guest's view, from the description; -EINVAL, -ENOSPC. */
_must_check_ int own_compose(struct own *o, struct diag *d);
/* COMMAND as it takes effect: in D3hot nothing decodes, no request leaves. */
uint16_t own_command(const struct own *o);
bool own_is_awake(const struct own *o);

/* ---- own_access.c; all under the function's lock ---- */

/* BARs that do not decode where they are any more go, those that decode
 * come. */
void own_withdraw(struct own *o, bool all);
void own_offer(struct own *o);
/* Everything at reset values; the device is told last. */
void own_reset(struct own *o);

/* ---- own_vector.c; of the function's, none needs its lock ---- */

_must_check_ int own_vectors_init(struct own *o);
void own_vectors_fini(struct own *o);
void own_vectors_reset(struct own *o);
/* Registers have changed: `dma` and `awake` as they are now. */
void own_vectors_follow(struct own *o);
/* Of the BAR with the table, an access that lies in it or in the pending
 * bits. */
uint64_t own_table_read(struct own *o, uint64_t off, unsigned width);
void own_table_write(struct own *o, uint64_t off, unsigned width,
                     uint64_t value);
static inline bool own_in_table(const struct own_desc *c, uint64_t off)
{
	return off - c->table_off < (uint64_t)c->vectors * CFG_MSIX_ENTRY;
}
static inline bool own_table_has(const struct own_desc *c, unsigned bar,
                                 uint64_t off)
{
	return bar == c->msix_bar && c->vectors &&
	       (own_in_table(c, off) ||
	        off - c->pba_off < cfg_msix_pba_size(c->vectors));
}

#endif
