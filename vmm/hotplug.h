/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_HOTPLUG_H
#define FL_VMM_HOTPLUG_H

/*
 * Devices that come and go while the guest runs: slot.h decides, this does.
 *
 *   who                         how it is known             what follows
 *   netd adds one, be it the    an order (conn.h)           attached, shown
 *   VMM itself (plug.h)
 *   netd wants one away         an order with a deadline    asked, then forced
 *   the host wants one back     VFIO's request interrupt    the same
 *   a device met an error       VFIO's error interrupt      away, reset, back
 *   netd saw a DMA fault        an order with an action     nothing, the same
 *                                                           as an error, or the
 *                                                           guest ends
 *   the guest ejects one        slot power and indicator    released
 *   the guest's driver let go   slot power                  netd is told: a
 *                                                           standby takes over
 *
 * Order of adding: functions attached, function 0 last, then presence: the
 * guest never finds half a device. Of removing: presence, then the functions
 * are closed; the guest's accesses find nobody meanwhile, so that a vCPU that
 * resets the device over and over cannot keep it.
 *
 * A device of our own goes in steps: hotplug_priv.h.
 *
 * Threads: all of this is the main thread's, but for hotplug_eject() and
 * hotplug_dark(). The main thread waits for the kernel to attach or let go of a
 * device, and for an access of a vCPU to it that is under way; for the guest,
 * never.
 */

#include "vmm/conn.h"
#include "vmm/priv.h"
#include "vmm/slot.h"

/* A guest's driver takes up to seconds to let go: Linux waits five after the
 * button, and one for the power. The kernel asks again every ten seconds, and
 * its writer waits: less than that. */
#define HOTPLUG_REQUEST_MS 9500u

struct hotplug_stats {
	uint32_t adds, removes;
	uint32_t forced; /* of the removes: the guest did not agree */
	uint32_t errors, requests;
	uint32_t dma_faults;
};

_must_check_ int hotplug_new(struct vm *vm, struct hotplug **ret);
void hotplug_free(struct hotplug *h);

/* What the guest has let go of, and what is due. */
void hotplug_serve(struct hotplug *h);
/* For poll(): until hotplug_serve() is due; -1 = nothing is under way. */
int hotplug_wait_ms(const struct hotplug *h);
/* The guest is being reset: nobody is left to be asked. vCPUs are parked. */
void hotplug_guest_dead(struct hotplug *h);

/* cfg.device[i]: the host wants it back; it met an error. */
void hotplug_request(struct hotplug *h, unsigned i);
void hotplug_error(struct hotplug *h, unsigned i);
/* An order; its descriptors are taken. True when the guest is to end. */
_must_check_ bool hotplug_order(struct hotplug *h, struct conn_order *o);

/* For the control socket; `h` NULL = not yet. A device of our own comes at
 * once, its descriptors are taken, on failure too; one of any kind goes, when
 * it has that is an event. FL_VMM_HOTPLUG, FL_VMM_FIXED, FL_VMM_PLUG. */
_must_check_ int hotplug_plug(struct hotplug *h, struct plug *p,
                              struct diag *d);
_must_check_ int hotplug_unplug(struct hotplug *h, const char *name,
                                uint64_t ms, struct diag *d);

/* For poll(), and to serve what it found. True when the guest is to end. */
struct conn *hotplug_conn(struct hotplug *h);
struct hotplug_stats hotplug_stats(const struct hotplug *h);
enum slot_phase hotplug_phase(const struct hotplug *h, uint8_t slot);

/* report.c, state.c: what the VMM has and counts, for people and for netd. */
json_t *report_of(struct vm *vm, const char *event, const char *reason);
json_t *state_of(struct vm *vm);

#endif
