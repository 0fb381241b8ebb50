/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine as a whole: built, run, put back to power-on, taken apart. The
 * order of building is vmm.h's, because the kernel wants it so; taking apart
 * is its reverse: vCPUs, devices (the kernel resets them), interrupts, memory.
 */

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/acpi.h"
#include "vmm/boot.h"
#include "vmm/control.h"
#include "vmm/cpus.h"
#include "vmm/devices.h"
#include "vmm/hotplug.h"
#include "vmm/io.h"
#include "vmm/rtc.h"
#include "vmm/smbios.h"
#include "vmm/stats.h"
#include "vmm/storm.h"
#include "vmm/uring.h"

#define FLUSH_MS 500u

const char *vm_end_name(enum vm_end e)
{
	static const char *const name[] = {
		[VM_END_POWEROFF] = "poweroff", [VM_END_RESET] = "reset",
		[VM_END_STOPPED] = "stopped",   [VM_END_PANIC] = "panic",
		[VM_END_DEVICE] = "device",     [VM_END_WATCHDOG] = "watchdog",
		[VM_END_FAILED] = "failed",
	};

	return (unsigned)e < ARRAY_SIZE(name) ? name[e] : "unknown";
}

static int check(struct vm *vm, struct diag *d)
{
	int r = cpu_shape_of(&vm->cfg, &vm->shape, d);

	/* 255 is everyone's. */
	vm->wide_ids = r == 0 && cpu_id_last(&vm->shape) >= 255;
	return r;
}

static struct vm *vm_alloc(const struct vm_config *c)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	if (!vm)
		return NULL;
	vm->cfg = *c;
	vm->kvm = c->kvm_fd;
	vm->fd = vm->vfio_dev_fd = vm->mem.memfd = -1;
	vm->event_fd = vm->signal_fd = -1;
	vm->started_ns = now_ns();
	pthread_mutex_init(&vm->park_lock, NULL);
	pthread_mutex_init(&vm->coalesced.lock, NULL);
	pthread_mutex_init(&vm->mem.lock, NULL);
	pthread_mutex_init(&vm->pins.lock, NULL);
	pthread_cond_init(&vm->park_cond, NULL);
	return vm;
}

static int not_made(struct diag *d, int err)
{
	diag_fail(d, err, FL_VMM_MEMORY, "the machine");
	diag_why(d, "%s", strerror(-err));
	diag_mend_else(d, "journalctl -k | grep -i kvm");
	return err;
}

static int add_basics(struct vm *vm, struct diag *d)
{
	int r;

	vm->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vm->event_fd < 0)
		return not_made(d, -errno);
	vm->cpu = calloc(vm->cfg.cpus, sizeof(*vm->cpu));
	if (!vm->cpu)
		return not_made(d, -ENOMEM);
	for (unsigned i = 0; i < vm->cfg.cpus; i++)
		vm->cpu[i].fd = -1;
	r = bus_new(&vm->pio);
	if (r == 0)
		r = bus_new(&vm->mmio);
	return r < 0 ? not_made(d, r) : 0;
}

static int add_cpus(struct vm *vm, struct diag *d)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < vm->cfg.cpus; i++)
		r = vcpu_init(vm, i, d);
	if (r == 0)
		r = kvm_counters_open(vm, &vm->kvm_counters, d);
	free(vm->cpuid);
	vm->cpuid = NULL;
	return r;
}

/* What may come later finds it there: no thread is made in the sandbox. */
static bool wants_io(const struct vm_config *c)
{
	return c->spare_slots || c->n_disks || c->n_nics || c->vsock.slot ||
	       c->rng_slot || c->console_slot || c->watchdog.slot;
}

/* Before the assigned ones: those have what is left of the slots, and all are
 * given addresses together. */
static int add_own(struct vm *vm, struct diag *d)
{
	int r = own_init(vm) < 0 ? not_made(d, -ENOMEM) : 0;

	if (r == 0 && wants_io(&vm->cfg))
		r = io_new(vm, &vm->io, d);
	if (r == 0)
		r = devices_add(vm, d);
	return r;
}

/* What each PC has, behind no bus. */
static int add_fixed(struct vm *vm, struct diag *d)
{
	int r = serial_new(vm, &vm->serial);

	if (r == 0)
		r = rtc_new(vm, &vm->rtc);
	if (r == 0)
		r = power_init(vm);
	if (r == 0)
		r = panic_init(vm);
	return r < 0 ? not_made(d, r) : 0;
}

static int add_devices(struct vm *vm, struct diag *d)
{
	int r = irqsink_init(vm, d);

	if (r == 0)
		r = add_own(vm, d);
	if (r == 0)
		r = assign_all(vm, d);
	/* The root ports' windows cover what was assigned behind them. */
	if (r == 0)
		r = pci_host_new(vm, &vm->pci, d);
	if (r == 0 && hotplug_new(vm, &vm->hotplug) < 0)
		r = not_made(d, -ENOMEM);
	return r < 0 ? r : add_fixed(vm, d);
}

static int add_tables(struct vm *vm, struct diag *d)
{
	int r = acpi_build(vm, &vm->rsdp);

	if (r == 0)
		r = smbios_build(vm);
	if (r == 0)
		return 0;
	diag_fail(d, r, FL_VMM_MEMORY, "the ACPI and SMBIOS tables");
	diag_why(d, "%s", strerror(-r));
	diag_mend_else(d, "more memory:, fewer cpus:, shorter texts of smbios: "
	                  "in the policy");
	return r;
}

/* Also after a reset: the guest may have written over all of it. */
static int load(struct vm *vm, struct diag *d)
{
	int r = add_tables(vm, d);

	if (r == 0)
		r = boot_load(vm, &vm->entry, d);
	for (unsigned i = 0; r == 0 && i < vm->cfg.cpus; i++)
		r = vcpu_reset(&vm->cpu[i], &vm->entry, d);
	return r;
}

int vm_new(const struct vm_config *c, struct vm **ret, struct diag *d)
{
	struct vm *vm = vm_alloc(c);
	int r;

	if (!vm)
		return not_made(d, -ENOMEM);
	r = check(vm, d);
	if (r == 0)
		r = add_basics(vm, d);
	if (r == 0)
		r = kvm_vm_init(vm, d);
	if (r == 0)
		r = memory_init(vm, c->memory, d);
	if (r == 0)
		r = placement_begin(vm, d);
	if (r == 0)
		r = add_cpus(vm, d);
	if (r == 0)
		r = add_devices(vm, d);
	/* Nothing to do where devices were attached: they needed it. */
	if (r == 0)
		r = memory_wait(vm, d);
	if (r == 0)
		r = load(vm, d);
	if (r < 0) {
		vm_free(vm);
		return r;
	}
	*ret = vm;
	return 0;
}

int vm_reset(struct vm *vm, struct diag *d)
{
	int r, done = VM_REQ_RESET;

	vcpus_park(vm);
	vm->guest_resets++;
	hotplug_guest_dead(vm->hotplug);
	/* First: their BARs get the places that all are given next. */
	own_reset_all(vm);
	r = assign_reset_all(vm, d);
	if (r < 0)
		return r;
	/* Address writes of the guest that was. */
	coalesce_drain(vm);
	pci_host_reset(vm->pci);
	serial_reset(vm->serial);
	rtc_reset(vm->rtc);
	r = kvm_vm_reset(vm, d);
	if (r == 0)
		r = load(vm, d);
	if (r < 0)
		return r;
	/* A vCPU that failed on its way to the parking place stays so. */
	(void)atomic_compare_exchange_strong(&vm->request, &done, VM_REQ_NONE);
	/* With clocks of their own: a pause is over. */
	pause_forget(vm);
	vcpus_unpark(vm);
	return 0;
}

/* vCPU threads and the data path's are made after Landlock, which is a thread's
 * own and inherited, and before seccomp, so that the filter need not allow new
 * threads. */
static int start(struct vm *vm, struct diag *d)
{
	int r = loop_init(vm, d);

	if (r == 0)
		r = console_new(vm, &vm->console, d);
	if (r == 0)
		r = storms_new(vm, &vm->storms, d);
	if (r == 0)
		r = control_new(vm, &vm->control, d);
	if (r == 0)
		r = sandbox_files(vm, d);
	if (r == 0 && vm->io)
		r = io_start(vm->io, d);
	if (r == 0)
		r = vcpus_start(vm, d);
	if (r == 0)
		r = placement_vcpus(vm, d);
	if (r == 0)
		r = sandbox_syscalls(vm, d);
	return r;
}

enum vm_end vm_run(struct vm *vm, struct diag *d)
{
	enum vm_end end = VM_END_FAILED;

	if (start(vm, d) == 0) {
		vcpus_unpark(vm);
		end = loop_run(vm, d);
		vcpus_stop(vm);
		console_flush(vm->console, FLUSH_MS);
		control_end(vm->control, vm_end_name(end));
	}
	report_write(vm, "exit", vm_end_name(end));
	return end;
}

static void close_all(struct vm *vm)
{
	struct vm_config *c = &vm->cfg;

	for (unsigned i = 0; i < c->n_devices; i++) {
		close_fd(&c->device[i].fd);
		close_fd(&c->device[i].rom_fd);
	}
	close_fd(&c->iommu_fd);
	close_fd(&c->kernel_fd);
	close_fd(&c->initrd_fd);
	close_fd(&c->unpacked_fd);
	close_fd(&c->report_fd);
	close_fd(&c->interrupts_fd);
	close_fd(&c->control_fd);
	close_fd(&c->watchdog.core_fd);
	/* Last: with it netd takes the lease back. */
	close_fd(&c->conn_fd);
}

void vm_free(struct vm *vm)
{
	if (!vm)
		return;
	vcpus_stop(vm);
	control_free(vm->control);
	dump_free(vm->core);
	console_free(vm->console);
	vm->console = NULL;
	storms_free(vm->storms);
	hotplug_free(vm->hotplug);
	own_free_all(vm);
	uring_end(vm);
	assign_free_all(vm);
	pci_host_free(vm->pci);
	serial_free(vm->serial);
	rtc_free(vm->rtc);
	irqsink_fini(vm);
	io_free(vm->io);
	kvm_counters_free(vm->kvm_counters);
	for (unsigned i = 0; vm->cpu && i < vm->cfg.cpus; i++)
		vcpu_fini(&vm->cpu[i]);
	free(vm->cpu);
	kvm_vm_fini(vm);
	memory_fini(vm);
	bus_free(vm->pio);
	bus_free(vm->mmio);
	close_fd(&vm->event_fd);
	close_fd(&vm->signal_fd);
	close_all(vm);
	free(vm);
}
