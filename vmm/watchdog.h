/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_WATCHDOG_H
#define FL_VMM_WATCHDOG_H

/*
 * The guest's watchdog: the timer of Intel's 6300ESB (datasheet 300641),
 * because Linux has had its driver for ever, and other VMMs offer it.
 *
 * Theory of operation
 *   A PCI function (own.h) with three registers in the configuration space and
 *   four in BAR 0. The guest's driver writes how long two stages last, enables
 *   the timer, and reloads it before they are over. Who does not is taken for
 *   hung: the second stage's end does what the policy says.
 *
 *     reset    the machine's, as by its button; the driver then reads that it
 *              was this timer
 *     stop     the end of the VMM, with an exit status of its own
 *     dump     its memory to a file (core.c), then reset
 *     ignore   an event on the control socket, no more
 *
 *   The end of the first stage raises an interrupt on hardware, on a pin of
 *   the chipset's own that nothing here has; drivers turn it off.
 *
 *   No timer runs while the guest's does not: there is one timerfd in the data
 *   path's loop (io.h), armed for the stage that is under way. A pause stops
 *   the clock (pause.c): a guest that does not run does not hang.
 *
 * Order: an enabled timer that is written to keeps its stage until it is
 * reloaded. What runs out while the vCPUs are parked is looked at when they
 * run again.
 *
 * Threads: registers are written by vCPUs, the timer runs out on the loop's
 * thread, a pause is the main thread's, with all of them parked. One lock;
 * nothing else is taken inside it.
 *
 * Trust: values are the guest's. It can have the timer run out as often as it
 * likes, but no sooner than WATCHDOG_MIN_NS a stage, and what is said of it is
 * limited (loop.c).
 */

#include <stdbool.h>
#include <stdint.h>

#include "vmm/vmm.h"

#define WATCHDOG_MIN_NS 10000000ull

struct watchdog;

/* The main thread, vCPUs and loop parked. NULL: nothing to do. */
void watchdog_pause(struct watchdog *w);
void watchdog_resume(struct watchdog *w);
/* The main thread: has it run out since the last call? */
bool watchdog_take(struct watchdog *w);
/* How often it has, since the guest's begin. */
uint64_t watchdog_count(const struct watchdog *w);
/* core.c; the main thread. Of VM_REQ_DUMP, the next slice; with the last one it
 * becomes VM_REQ_RESET. Of another: nothing. */
void core_go_on(struct vm *vm);
const char *watchdog_action_name(enum vm_watchdog_action a);

#endif
