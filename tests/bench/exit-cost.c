/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one trapped access costs in instructions of the VMM's own.
 *
 *   exit-cost KIND COUNT     under a tool that counts instructions
 *
 * The real vCPU thread runs COUNT exits of one kind: bus, locks, vfio,
 * pci-config, devices of the VMM's own, all real. The kernel is played: ioctl()
 * is replaced at link time, KVM_RUN "returns" the next exit, everything else
 * succeeds at once, and the assigned device is the unit tests' (its calls
 * replaced by ones that do nothing). The NICs' taps are sockets.
 * Two runs whose COUNT differ tell the cost of one exit, with everything that
 * happens once taken out; see tests/bench/exits.
 */

#include <linux/pci_regs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/vfio/fake.h"
#include "vmm/assign.h"
#include "vmm/devices.h"
#include "vmm/e1000.h"
#include "vmm/virtio/transport_priv.h"

#define SLOT 1u
#define BAR_AT 0xc0000000ull
#define TABLE_AT (BAR_AT + FAKE_TABLE_OFF)
#define FUNCTION_AT (MAP_ECAM + (1ull << 20)) /* bus 1, behind the port */
#define CONTROL (TABLE_AT + 12)
/* A device that does nothing, for what an exit costs without one. */
#define PLAIN_AT 0xd0000000ull
#define PLAIN_PORT 0x3f8u
#define PLAIN_SIZE 8

/* NICs of the VMM's own. */
#define VIRTIO_SLOT 2u
#define VIRTIO_AT 0xc1000000ull
#define VIRTIO_FUNCTION_AT (MAP_ECAM + (2ull << 20))
#define E1000_SLOT 3u
#define E1000_AT 0xc2000000ull

struct access {
	const char *kind;
	/* Below 64 KiB: a byte of a port; else a dword of memory. */
	uint64_t at;
	bool write;
	uint64_t value, other; /* in turn */
};
static const struct access kinds[] = {
	{ "table-read", TABLE_AT + 8, false, 0, 0 },
	{ "table-message", TABLE_AT + 16 + 8, true, 0x41, 0x42 },
	{ "table-mask-unmask", CONTROL, true, 1, 0 },
	{ "bar-read", BAR_AT + 0x100, false, 0, 0 },
	{ "bar-write", BAR_AT + 0x100, true, 1, 2 },
	{ "config-read", FUNCTION_AT, false, 0, 0 },
	{ "config-write", FUNCTION_AT + 0x3c, true, 1, 2 },
	{ "port-config-read", MAP_ECAM + (SLOT << 15), false, 0, 0 },
	{ "mmio-read", PLAIN_AT, false, 0, 0 },
	{ "mmio-write", PLAIN_AT, true, 1, 2 },
	{ "port-read", PLAIN_PORT, false, 0, 0 },
	{ "port-write", PLAIN_PORT, true, 1, 2 },
	{ "virtio-config-read", VIRTIO_FUNCTION_AT, false, 0, 0 },
	{ "virtio-notify", VIRTIO_AT + BAR_NOTIFY, true, 0, 0 },
	{ "virtio-mac-read", VIRTIO_AT + BAR_CONFIG, false, 0, 0 },
	{ "e1000-status-read", E1000_AT + R_STATUS, false, 0, 0 },
	{ "e1000-icr-read", E1000_AT + R_ICR, false, 0, 0 },
	{ "e1000-ims-write", E1000_AT + R_IMS, true, 0x9d, 0x9d },
	{ "e1000-imc-write", E1000_AT + R_IMC, true, 0x9d, 0x9d },
	{ "e1000-rdt-write", E1000_AT + R_RDT, true, 1, 2 },
	{ "e1000-tdt-write", E1000_AT + R_TDT, true, 0, 0 },
};

static struct vm vm;
static struct fake fake;
static const struct access *kind;
static unsigned long left;

/* ---- the kernel ---- */

/* Where KVM puts a port's data. */
#define PIO_DATA sizeof(struct kvm_run)

static void port_exit(struct kvm_run *run, uint64_t value)
{
	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = kind->write ? KVM_EXIT_IO_OUT : KVM_EXIT_IO_IN;
	run->io.size = 1;
	run->io.port = (uint16_t)kind->at;
	run->io.count = 1;
	run->io.data_offset = PIO_DATA;
	memcpy((uint8_t *)run + PIO_DATA, &value, sizeof(value));
}

static int next_exit(struct kvm_run *run)
{
	uint64_t value = left & 1 ? kind->other : kind->value;

	if (!left--)
		_exit(0);
	if (kind->at <= UINT16_MAX) {
		port_exit(run, value);
		return 0;
	}
	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = kind->at;
	run->mmio.len = 4;
	run->mmio.is_write = kind->write;
	memcpy(run->mmio.data, &value, sizeof(value));
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
	(void)fd;
	return request == KVM_RUN ? next_exit(vm.cpu->run) : 0;
}

static int no_ioctl(int fd, unsigned long request, void *arg)
{
	(void)fd;
	(void)request;
	(void)arg;
	return 0;
}

static int no_read(int fd, void *buf, size_t len, uint64_t off)
{
	(void)fd;
	(void)off;
	memset(buf, 0, len);
	return 0;
}

static int no_write(int fd, const void *buf, size_t len, uint64_t off)
{
	(void)fd;
	(void)buf;
	(void)len;
	(void)off;
	return 0;
}

static const struct vfio_kern silent = {
	.ioctl = no_ioctl,
	.read = no_read,
	.write = no_write,
};

/* ---- the machine ---- */

static uint64_t plain_read(void *ctx, uint64_t off, unsigned width)
{
	(void)ctx;
	(void)width;
	return off;
}

static void plain_write(void *ctx, uint64_t off, unsigned width, uint64_t value)
{
	(void)ctx;
	(void)off;
	(void)width;
	(void)value;
}

static const struct bus_ops plain_ops = {
	.read = plain_read,
	.write = plain_write,
};

static void make_plain(void)
{
	if (bus_add(vm.mmio, PLAIN_AT, PLAIN_SIZE, EXIT_OTHER, &plain_ops,
	            NULL) < 0 ||
	    bus_add(vm.pio, PLAIN_PORT, PLAIN_SIZE, EXIT_OTHER, &plain_ops,
	            NULL) < 0)
		_exit(1);
}

static void make_function(struct assigned *a)
{
	struct diag d;

	fake_init(&fake);
	if (fake_open(&fake, false, &d) < 0)
		_exit(1);
	a->vm = &vm;
	a->dev = fake.dev;
	a->place = ASSIGN_PLACE(SLOT, 0);
	vm.function[a->place] = a;
	pthread_mutex_init(&a->lock, NULL);
	pthread_mutex_init(&a->fault_lock, NULL);
	for (unsigned i = 0; i < VFIO_RANGES; i++)
		a->bar[i] = (struct assigned_bar){ .owner = a, .index = i };
	guest_command(&fake, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	guest_entry(&fake, 0, 0x40, false);
	guest_msix(&fake, true, false);
	fake.dev->kern = &silent;
	if (assign_host_ops.trap_add(a, 0, false, BAR_AT, FAKE_BAR0_SIZE) < 0)
		_exit(1);
}

static int a_tap(void)
{
	int s[2];

	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) < 0
	               ? -1
	               : s[0];
}

static int place_nic(uint8_t slot, uint64_t at)
{
	int r = own_bar_place(&vm, slot, 0, at);

	if (r == 0 && !own_cfg_write(&vm, slot, PCI_COMMAND, 2,
	                             PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER))
		r = -ENODEV;
	return r;
}

static void make_nics(void)
{
	struct vm_nic nic = { .name = "nic", .pairs = 1 };
	struct diag d;

	nic.tap_fd[0] = a_tap();
	nic.vhost_fd[0] = -1;
	nic.slot = VIRTIO_SLOT;
	if (own_init(&vm) < 0 || io_new(&vm, &vm.io, &d) < 0 ||
	    net_add(&vm, &nic, &d) < 0)
		_exit(1);
	nic.tap_fd[0] = a_tap();
	nic.slot = E1000_SLOT;
	if (e1000_add(&vm, &nic, &d) < 0 ||
	    place_nic(VIRTIO_SLOT, VIRTIO_AT) < 0 ||
	    place_nic(E1000_SLOT, E1000_AT) < 0)
		_exit(1);
}

static void make_machine(void)
{
	struct diag d;

	vm.fd = vm.kvm = -1;
	vm.cfg.cpus = 1;
	vm.cfg.n_devices = 1;
	vm.cfg.device[0].slot = SLOT;
	vm.ports = BIT(SLOT) | BIT(VIRTIO_SLOT) | BIT(E1000_SLOT);
	vm.cpu = calloc(1, sizeof(*vm.cpu));
	vm.assigned = calloc(VM_DEVICES_MAX, sizeof(*vm.assigned));
	vm.coalesced.ring = calloc(1, 4096);
	vm.coalesced.max = 170;
	if (!vm.cpu || !vm.assigned || !vm.coalesced.ring ||
	    bus_new(&vm.mmio) < 0 || bus_new(&vm.pio) < 0 ||
	    windows_new(&vm.windows) < 0)
		_exit(1);
	vm.cpu->vm = &vm;
	vm.cpu->run = calloc(1, PIO_DATA + sizeof(uint64_t));
	pthread_mutex_init(&vm.park_lock, NULL);
	pthread_mutex_init(&vm.coalesced.lock, NULL);
	pthread_cond_init(&vm.park_cond, NULL);
	make_plain();
	make_function(&vm.assigned[0]);
	make_nics();
	if (!vm.cpu->run || pci_host_new(&vm, &vm.pci, &d) < 0)
		_exit(1);
}

int main(int argc, char **argv)
{
	struct diag d;

	for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(argv[1], kinds[i].kind))
			kind = &kinds[i];
	if (!kind) {
		for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
			puts(kinds[i].kind);
		return argc == 1 ? 0 : 2;
	}
	left = strtoul(argv[2], NULL, 0);
	make_machine();
	if (vcpus_start(&vm, &d) < 0)
		return 1;
	vcpus_unpark(&vm);
	/* next_exit() ends the process. */
	for (;;)
		pause();
}
