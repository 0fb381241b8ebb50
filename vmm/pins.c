/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt pins that functions of our own share. KVM has one level of a pin
 * for all of this process, and another for the irqfds of assigned functions
 * (KVM_IRQFD_FLAG_RESAMPLE); it takes the pin for high while either is. So
 * what is ours is counted here, and the rest is the kernel's.
 *
 * The level is told under the lock, else an older one could come last. COM1's
 * pin is its own: nobody shares it.
 */

#include "vmm/priv.h"

void pin_drive(struct vm *vm, unsigned gsi, bool up)
{
	struct pins *p = &vm->pins;
	unsigned was;

	if (gsi >= GSI_PINS)
		return;
	pthread_mutex_lock(&p->lock);
	was = p->up[gsi];
	p->up[gsi] = (uint8_t)(up ? was + 1 : was - 1);
	if (!was != !p->up[gsi])
		kvm_irq_line(vm, gsi, up);
	pthread_mutex_unlock(&p->lock);
}
