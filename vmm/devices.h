/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_DEVICES_H
#define FL_VMM_DEVICES_H

/*
 * The devices that the VMM itself is, by kind: each takes its part of the
 * configuration (whose descriptors stay the configuration's, and open for the
 * device's life) and puts itself into its slot. Nobody runs: before the guest
 * does devices.c calls them in the order of struct vm_config, later plug.c.
 */

#include "vmm/own.h"

_must_check_ int devices_add(struct vm *vm, struct diag *d); /* all of them */

_must_check_ int blk_add(struct vm *vm, const struct vm_disk *c,
                         struct diag *d);
_must_check_ int net_add(struct vm *vm, const struct vm_nic *c, struct diag *d);
/* One of the two, by its model. */
_must_check_ int nic_add(struct vm *vm, const struct vm_nic *c, struct diag *d);
_must_check_ int e1000_add(struct vm *vm, const struct vm_nic *c,
                           struct diag *d);
_must_check_ int vsock_add(struct vm *vm, const struct vm_vsock *c,
                           struct diag *d);
_must_check_ int rng_add(struct vm *vm, uint8_t slot, struct diag *d);
/* A virtio console on the same console as the serial port. */
_must_check_ int vconsole_add(struct vm *vm, uint8_t slot, struct diag *d);
_must_check_ int watchdog_add(struct vm *vm, const struct vm_watchdog *c,
                              struct diag *d);

#endif
