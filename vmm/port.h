/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_PORT_H
#define FL_VMM_PORT_H

/*
 * A root port's registers (pci-config/) with what they mean here: orders of
 * the guest's, and the port's one interrupt. pcihost.c has the ports and their
 * lock, under which all of this is called.
 *
 * While its link is down nothing answers behind a port; what is there is reset
 * as the link goes, so that DMA and interrupts end as if the current did.
 *
 * An adapter may be taken out when its power is off and the indicator says so
 * too (PCIe 6.0 6.7.1.1.2). Power alone may be a guest's power cycle. The
 * order counts once, as it becomes true: what is put into a slot that is off
 * already stays.
 */

#include "vmm/priv.h"

struct port {
	struct vm *vm;
	uint8_t slot;
	bool hotplug; /* it takes part; pcihost.c's */
	bool raised;  /* as cfg_port_interrupt() was last */
	/* Cycles to this bus reach the slot; 0 = none do. Asked for in each
	 * cycle, so it is worked out when a register changes. */
	uint8_t bus;
	struct cfg_space cfg;
};

/* What a write asks for besides: done without the lock. */
struct port_order {
	bool reset; /* what is behind it; once, as it begins */
	bool dark;  /* what is behind it has no power: Linux' driver is gone */
	bool eject; /* it may go; Linux says so a second later */
};

void port_init(struct port *p, struct vm *vm, const struct cfg_port *c);
/* Power-on state of all registers; what is in the slot stays. */
void port_reset(struct port *p);
struct port_order port_write(struct port *p, unsigned off, unsigned width,
                             uint32_t value);
/* Something has come, whose link is `link`'s: the guest is told, and finds it
 * without waiting (pci-config.h says why that takes the button). */
void port_insert(struct port *p, const struct cfg_port *link);
/* It has gone. */
void port_remove(struct port *p);
/* The attention button. */
void port_press(struct port *p);
/* After `cfg` was written from elsewhere. */
void port_follow(struct port *p);
/* Do cycles to `bus`, which is not 0, go through it to a function? */
static inline bool port_forwards(const struct port *p, uint8_t bus)
{
	return p->bus == bus;
}

#endif
