/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pause: the vCPUs are parked, and the guest's clocks stand still with them.
 *
 * Two clocks are to be stopped, because guests choose: KVM's own is set back by
 * KVM_SET_CLOCK; the time stamp counter by its offset, the same step on every
 * vCPU, so that they stay as synchronous as KVM made them. Where the kernel
 * has no such attribute (before 5.16) it goes on, as it does on a laptop that
 * sleeps. KVM_KVMCLOCK_CTRL tells the guest's watchdogs that it was not their
 * CPU that hung.
 *
 * Assigned devices are not stopped: what they do by DMA goes on, and their
 * interrupts wait.
 */

#include <sys/ioctl.h>
#include <x86intrin.h>

#include "vmm/control.h"
#include "vmm/priv.h"
#include "vmm/watchdog.h"

static int tsc_offset(const struct vcpu *c, unsigned long verb, uint64_t *v)
{
	struct kvm_device_attr a = {
		.group = KVM_VCPU_TSC_CTRL,
		.attr = KVM_VCPU_TSC_OFFSET,
		.addr = (uintptr_t)v,
	};

	return ioctl(c->fd, verb, &a);
}

void pause_begin(struct vm *vm)
{
	struct pause *p = &vm->pause;

	if (p->on)
		return;
	vcpus_park(vm);
	p->clock = (struct kvm_clock_data){ .flags = 0 };
	p->has_clock = ioctl(vm->fd, KVM_GET_CLOCK, &p->clock) == 0;
	p->tsc = __rdtsc();
	watchdog_pause(vm->watchdog);
	p->on = true;
}

/* Guests run at the host's rate, or KVM scales: then the step is too large or
 * small by the ratio, which is said in docs/control.md. */
static void set_back(struct vcpu *c, uint64_t step)
{
	uint64_t offset;

	if (tsc_offset(c, KVM_GET_DEVICE_ATTR, &offset) < 0)
		return;
	offset -= step;
	(void)!tsc_offset(c, KVM_SET_DEVICE_ATTR, &offset);
}

void pause_end(struct vm *vm)
{
	struct pause *p = &vm->pause;
	uint64_t step = __rdtsc() - p->tsc;

	if (!p->on)
		return;
	for (unsigned i = 0; i < vm->cfg.cpus; i++)
		set_back(&vm->cpu[i], step);
	p->clock.flags = 0;
	if (p->has_clock)
		(void)!ioctl(vm->fd, KVM_SET_CLOCK, &p->clock);
	/* Refused where the guest does not use it. */
	for (unsigned i = 0; i < vm->cfg.cpus; i++)
		(void)!ioctl(vm->cpu[i].fd, KVM_KVMCLOCK_CTRL, 0);
	p->on = false;
	watchdog_resume(vm->watchdog);
	vcpus_unpark(vm);
}

void pause_forget(struct vm *vm)
{
	vm->pause.on = false;
	watchdog_resume(vm->watchdog);
}
