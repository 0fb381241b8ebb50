/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One vCPU: its thread, and what its exits are for.
 *
 * An exit with a result (a read) is completed by the next KVM_RUN. That is why
 * the loop looks at requests only after KVM_RUN said EINTR: with
 * immediate_exit set, KVM finishes the pending access and comes back, and the
 * registers are then whole, to be reset or inspected.
 *
 * A guest cannot end the process here. A triple fault is a reset, as on a
 * board; an exit that KVM itself cannot go on from ends the machine in order,
 * with the state said.
 */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/cpus.h"

/* A lone writer needs no locked instruction. */
static void count(_Atomic uint64_t *v)
{
	atomic_store_explicit(v,
	                      atomic_load_explicit(v, memory_order_relaxed) + 1,
	                      memory_order_relaxed);
}

static void exit_io(struct vcpu *c, struct kvm_run *run)
{
	struct bus *bus = c->vm->pio;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	unsigned width = run->io.size;
	unsigned tag = EXIT_OTHER;
	uint64_t v;

	count(&c->pio);
	/* `count` is more than 1 for a repeated string instruction. */
	for (uint32_t i = 0; i < run->io.count; i++, data += width) {
		if (run->io.direction == KVM_EXIT_IO_OUT) {
			tag = bus_write(bus, run->io.port, width,
			                load_le(data, width));
		} else {
			tag = bus_read(bus, run->io.port, width, &v);
			store_le(data, width, v);
		}
	}
	count(&c->exits[tag]);
}

static void exit_mmio(struct vcpu *c, struct kvm_run *run)
{
	struct bus *bus = c->vm->mmio;
	unsigned width = run->mmio.len;
	unsigned tag;
	uint64_t v;

	count(&c->mmio);
	if (run->mmio.is_write) {
		tag = bus_write(bus, run->mmio.phys_addr, width,
		                load_le(run->mmio.data, width));
	} else {
		tag = bus_read(bus, run->mmio.phys_addr, width, &v);
		store_le(run->mmio.data, width, v);
	}
	count(&c->exits[tag]);
}

/* Where the guest was, for a complaint. */
static uint64_t guest_rip(const struct vcpu *c)
{
	struct kvm_regs regs;

	return ioctl(c->fd, KVM_GET_REGS, &regs) < 0 ? 0 : regs.rip;
}

/* A guest can bring it about: an SMI, by its APIC or a device's message, with
 * no memory where the processor's state is to be saved (kernel: enter_smm()).
 */
static void fail_dead(struct diag *d)
{
	diag_why(d,
	         "KVM_RUN: %s: KVM has given this machine up, because the "
	         "guest drove a processor to where none can go on, or for a "
	         "fault of KVM's own, which it then warns of",
	         strerror(EIO));
}

static void fail_run(struct vcpu *c, int err)
{
	const struct kvm_run *run = c->run;
	struct diag d;

	diag_fail(&d, -EIO, FL_VMM_RUN, "running vCPU %u, at rip 0x%llx",
	          c->index, (unsigned long long)guest_rip(c));
	if (err == EIO)
		fail_dead(&d);
	else if (err)
		diag_why(&d, "KVM_RUN: %s (exit reason %u)", strerror(err),
		         run->exit_reason);
	else if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR)
		diag_why(&d,
		         "KVM internal error, suberror %u (1 = an "
		         "instruction it cannot emulate)",
		         run->internal.suberror);
	else if (run->exit_reason == KVM_EXIT_FAIL_ENTRY)
		diag_why(&d, "the processor refused the state, reason 0x%llx",
		         (unsigned long long)
		                 run->fail_entry.hardware_entry_failure_reason);
	else
		diag_why(&d, "KVM exit reason %u is not known here",
		         run->exit_reason);
	diag_mend(&d, "journalctl -k | grep -i kvm; then look at what the "
	              "guest ran at that address");
	vm_request_fail(c->vm, &d);
}

static void exit_system_event(struct vcpu *c)
{
	vm_request(c->vm, c->run->system_event.type == KVM_SYSTEM_EVENT_SHUTDOWN
	                          ? VM_REQ_POWEROFF
	                          : VM_REQ_RESET);
}

static void exit_rare(struct vcpu *c)
{
	count(&c->exits[EXIT_OTHER]);
	switch (c->run->exit_reason) {
	case KVM_EXIT_SHUTDOWN:
		vm_request(c->vm, VM_REQ_SHUTDOWN);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		exit_system_event(c);
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		return;
	default:
		fail_run(c, 0);
		break;
	}
}

/* By itself: another's name is a file, which Landlock forbids. */
static void set_name(const struct vcpu *c)
{
	char name[16];

	snprintf(name, sizeof(name), "vcpu%u", c->index);
	pthread_setname_np(pthread_self(), name);
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *c = arg;
	struct vm *vm = c->vm;
	struct kvm_run *run = c->run;

	atomic_store(&c->tid, gettid());
	set_name(c);
	if (!vcpu_park_point(c))
		return NULL;
	for (;;) {
		int r = ioctl(c->fd, KVM_RUN, 0);

		count(&c->total);
		coalesce_drain(vm);
		if (r < 0) {
			int err = errno;

			count(&c->signals);
			if (err != EINTR && err != EAGAIN)
				fail_run(c, err);
			if (!vcpu_park_point(c))
				return NULL;
		} else if (run->exit_reason == KVM_EXIT_IO) {
			exit_io(c, run);
		} else if (run->exit_reason == KVM_EXIT_MMIO) {
			exit_mmio(c, run);
		} else {
			exit_rare(c);
		}
		/* The exit may have been a power off: go no further, a kernel
		 * polls until it takes effect. */
		if (atomic_load_explicit(&vm->request, memory_order_relaxed) !=
		    VM_REQ_NONE)
			run->immediate_exit = 1;
	}
}

/* Only there so that KVM_RUN returns. */
static void on_kick(int sig)
{
	(void)sig;
}

static int start_one(struct vcpu *c)
{
	pthread_attr_t attr;
	int r;

	pthread_attr_init(&attr);
	/* Handlers are shallow; what is not touched costs nothing. */
	pthread_attr_setstacksize(&attr, 256 << 10);
	r = pthread_create(&c->thread, &attr, vcpu_thread, c);
	pthread_attr_destroy(&attr);
	if (r)
		return -r;
	c->started = true;
	return 0;
}

int vcpus_start(struct vm *vm, struct diag *d)
{
	struct sigaction kick = { .sa_handler = on_kick };

	sigaction(SIGRTMIN, &kick, NULL);
	vm->park_wanted = true;
	for (unsigned i = 0; i < vm->cfg.cpus; i++) {
		int r = start_one(&vm->cpu[i]);

		if (r < 0) {
			diag_fail(d, r, FL_VMM_CPUS, "a thread for vCPU %u", i);
			diag_why(d, "%s", strerror(-r));
			diag_mend(d, "ulimit -u; or fewer cpus: in the policy");
			return r;
		}
	}
	vcpus_park(vm);
	return 0;
}

static int vcpu_fail(struct diag *d, unsigned i, int err, const char *call)
{
	diag_fail(d, err, FL_VMM_CPUS, "vCPU %u", i);
	diag_why(d, "%s: %s", call, strerror(-err));
	diag_mend_else(d, "fewer cpus: in the policy");
	return err;
}

static void find_ring(struct vcpu *c)
{
	struct coalesced *co = &c->vm->coalesced;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (!co->page || c->index)
		return;
	co->max = (uint32_t)((page - sizeof(struct kvm_coalesced_mmio_ring)) /
	                     sizeof(struct kvm_coalesced_mmio));
	co->ring = (void *)((char *)c->run + co->page * page);
}

int vcpu_init(struct vm *vm, unsigned i, struct diag *d)
{
	struct vcpu *c = &vm->cpu[i];
	int r, size = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	c->vm = vm;
	c->index = i;
	c->fd = ioctl(vm->fd, KVM_CREATE_VCPU,
	              (unsigned long)cpu_id(&vm->shape, i));
	if (c->fd < 0)
		return vcpu_fail(d, i, -errno, "KVM_CREATE_VCPU");
	c->run = size < 0 ? MAP_FAILED
	                  : mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE,
	                         MAP_SHARED, c->fd, 0);
	if (c->run == MAP_FAILED) {
		c->run = NULL;
		return vcpu_fail(d, i, -errno, "mmap of its state");
	}
	find_ring(c);
	/* KVM lets a vCPU into x2APIC mode whose CPUID has it. */
	r = cpuid_set(c, d);
	if (r < 0)
		return r;
	r = vcpu_take_lapic(c);
	return r < 0 ? vcpu_fail(d, i, r, "its local APIC") : 0;
}

void vcpu_fini(struct vcpu *c)
{
	int size;

	if (!c->vm)
		return;
	size = ioctl(c->vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (c->run && size > 0)
		munmap(c->run, (size_t)size);
	c->run = NULL;
	close_fd(&c->fd);
}
