/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_SLOT_H
#define FL_VMM_SLOT_H

/*
 * A slot of the guest as a device comes and goes: decisions only (slot.c). No
 * descriptor, no clock: the time is passed in, and what is to be done is the
 * return value. hotplug.c does it.
 *
 *                  put                 ask                 due: forced
 *        EMPTY ----------->   ON   ----------->  ASKED  -----------------+
 *          ^                  | ^                  |                     |
 *          |  eject (guest)   | | check: good      |  eject: as asked    |
 *          +------------------+ |                  +---------------------+
 *          |            error | |                                        |
 *          |                  v |                                        |
 *          +----------------- AWAY                                       |
 *          |  check: bad, ask                                            |
 *          +-------------------------------------------------------------+
 *
 *   ASKED  the attention button was pressed: the guest is to power the slot
 *          off. It may refuse, cancel, or have no driver for it: `due` ends it
 *   AWAY   taken from the guest after an error, still ours: it is checked when
 *          the guest has powered the slot off, or when `due` comes, and offered
 *          again
 *
 * All functions of a slot go together: it is one adapter.
 *
 * A guest from which an adapter was taken unasked powers the slot off seconds
 * later, when its driver has let go. That order means the old adapter, and
 * would throw out a new one: the slot rests until it has come (`rest_ns`), or
 * will not come any more.
 */

#include <stdbool.h>
#include <stdint.h>

enum slot_phase {
	SLOT_EMPTY,
	SLOT_ON,
	SLOT_ASKED,
	SLOT_AWAY,
};
const char *slot_phase_name(enum slot_phase p);

/* Who wanted it away. */
enum slot_why {
	SLOT_NETD,
	SLOT_HOST,
	SLOT_GUEST,
	SLOT_ERROR,
	SLOT_CONTROL, /* its control socket's peer */
};

/* What the caller does, in this order. */
enum slot_act {
	SLOT_PRESS = 1 << 0,   /* the attention button */
	SLOT_HIDE = 1 << 1,    /* presence and link off */
	SLOT_QUIET = 1 << 2,   /* reset: no DMA, interrupt or BAR is left */
	SLOT_RELEASE = 1 << 3, /* close all functions; why, forced */
	SLOT_CHECK = 1 << 4,   /* reset, look, slot_checked() */
	SLOT_SHOW = 1 << 5,    /* presence and link on */
};

#define SLOT_ERRORS_MAX 3 /* in */
#define SLOT_ERRORS_NS 600000000000ull
/* A guest that is told of a surprise needs that long at most to let go of its
 * driver: Linux waits a second with the power off. */
#define SLOT_OFFER_NS 10000000000ull
/* After the power off, Linux looks once more whether the slot is empty; what it
 * finds then it turns on, and takes the button that announces it for an order
 * to turn it off again. */
#define SLOT_CALM_NS 250000000ull

struct slot {
	enum slot_phase phase;
	enum slot_why why;
	bool forced;                        /* without the guest's consent */
	uint64_t due_ns;                    /* of ASKED and AWAY */
	uint64_t rest_ns;                   /* of EMPTY: no put before */
	uint64_t error_ns[SLOT_ERRORS_MAX]; /* the latest ones, 0 = none */
};

/* Each returns a set of slot_act. */

/* The functions are attached; before, slot_free_at() must have come. */
unsigned slot_put(struct slot *s);
/* They are to go; by force after `ms`, at once where that is 0. Asking again
 * shortens the time, never extends it; the host's wish outranks netd's. */
unsigned slot_ask(struct slot *s, enum slot_why why, uint64_t now_ns,
                  uint64_t ms);
/* The guest has powered the slot off: its adapter may be taken out. */
unsigned slot_eject(struct slot *s, uint64_t now_ns);
/* A function met an error that stopped it. */
unsigned slot_error(struct slot *s, uint64_t now_ns);
/* What SLOT_CHECK found. */
unsigned slot_checked(struct slot *s, bool good);
/* The guest neither runs nor answers: what waits for it need not. */
unsigned slot_dead(struct slot *s);
/* Time has passed. */
unsigned slot_tick(struct slot *s, uint64_t now_ns);
/* When slot_tick() is due; UINT64_MAX = nothing is under way. */
uint64_t slot_due(const struct slot *s);
/* When something may be put into it; UINT64_MAX = it is in use. */
uint64_t slot_free_at(const struct slot *s);

#endif
