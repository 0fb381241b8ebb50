/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_STORM_H
#define FL_VMM_STORM_H

/* storm.c: a limit to each vector's interrupts. All of it is the main
 * thread's. */

#include "vmm/priv.h"

struct storms;
/* *ret stays NULL where the guest has no limit; every function takes NULL. */
_must_check_ int storms_new(struct vm *vm, struct storms **ret, struct diag *d);
void storms_free(struct storms *s);
/* Readable once a second: storms_tick(). -1 = never. */
int storms_fd(const struct storms *s);
void storms_tick(struct storms *s);
/* How often a vector was masked. */
uint32_t storms_masked(const struct storms *s);

#endif
