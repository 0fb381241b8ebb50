/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_HOTPLUG_PRIV_H
#define FL_VMM_HOTPLUG_PRIV_H

/*
 * Between hotplug.c, hotplug_orders.c, which has what netd orders, and
 * hotplug_own.c, which takes a device of our own out of
 * the guest once the slot has decided that it goes (SLOT_RELEASE):
 *
 *   FAILING   only by force: what the driver asks for fails at once, what was
 *             under way ends, and is answered, until nothing has been asked for
 *             for a while. A driver of Linux 6.12 forgets its requests as soon
 *             as it sees that the device is gone, and waits for them for ever;
 *             so it should have none by then
 *   LINGER    presence and link are off. Registers still answer, since the
 *             driver waits for its reset to read back 0; until the guest has
 *             switched the slot off, or time is up
 *   DRAIN     as after a polite eject: nothing answers. When nothing is under
 *             way, the device ends, and whoever asked is told
 *
 * Only DRAIN may take as long as a storage does that does not answer; nobody
 * waits for it but who asked.
 */

#include "vmm/hotplug.h"
#include "vmm/own.h"

enum own_step {
	OWN_STAYS,
	OWN_FAILING,
	OWN_LINGER,
	OWN_DRAIN,
};
struct bay {
	struct slot slot;
	bool owed; /* netd waits for an answer to its detach */
	uint64_t id;
	bool told_dark;          /* since it came, or was asked to go */
	struct conn_order *next; /* to be attached once the slot has rested */
	enum own_step step;
	uint64_t least_ns, due_ns, end_ns; /* of the step; due: look again */
};
struct hotplug {
	struct vm *vm;
	struct conn *conn;
	struct hotplug_stats stats;
	_Atomic uint32_t ejected, dark; /* a bit a slot: orders of the guest */
	struct bay bay[VM_SLOTS_MAX + 1];
};

static inline bool hotplug_guest_runs(const struct hotplug *h)
{
	return !atomic_load(&h->vm->park_wanted);
}

/* ---- hotplug.c ---- */

/* A set of slot_act. */
void hotplug_act(struct hotplug *h, uint8_t slot, unsigned acts);
/* The next function of a slot from *i on. */
bool hotplug_next_in(const struct vm *vm, uint8_t slot, unsigned *i);
/* Who is in the slot, for people: valid as long as `buf`. */
const char *hotplug_who(const struct vm *vm, uint8_t slot, char *buf,
                        size_t size);
/* It is taken out of the guest for a fault of its own; `why` for people: "met
 * an error". */
void hotplug_stop(struct hotplug *h, uint8_t slot, const char *why);
/* How long a guest is waited for, in ms: one that does not run, not at all. */
uint64_t hotplug_patience(const struct hotplug *h, uint64_t ms);

/* ---- hotplug_orders.c ---- */

void hotplug_attach_now(struct hotplug *h, struct conn_order *o);
/* The slot of a device that is held; 0 = it is not. May it go? -ENOENT
 * FL_VMM_HOTPLUG, FL_VMM_FIXED. */
uint8_t hotplug_find(const struct vm *vm, const char *name);
_must_check_ int hotplug_may_go(const struct hotplug *h, const char *name,
                                uint8_t slot, struct diag *d);
/* Now, whether the slot has rested or not. `by`: for the control socket's
 * peers. */
_must_check_ int hotplug_add(struct hotplug *h, struct conn_order *o,
                             const char *by, struct diag *d);
/* A device has gone: counted, told. All of a slot have: whoever asked is. */
void hotplug_gone(struct hotplug *h, uint8_t slot, const char *name);
void hotplug_settle(struct hotplug *h, uint8_t slot);

/* ---- hotplug_own.c ---- */

/* A slot that a guest cannot find empty. FL_VMM_FIXED */
_must_check_ int hotplug_own_fixed(const char *name, struct diag *d);
void hotplug_own_go(struct hotplug *h, uint8_t slot);
/* The guest has switched the slot off; or is no more. */
void hotplug_own_ejected(struct hotplug *h, uint8_t slot);
void hotplug_own_serve(struct hotplug *h, uint8_t slot, uint64_t now);
uint64_t hotplug_own_due(const struct bay *b); /* UINT64_MAX = not */

#endif
