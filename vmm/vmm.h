/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_H
#define FL_VMM_H

/*
 * vmm: one guest, one process, no privilege.
 *
 * Theory of operation
 *   The process is given descriptors (netd/netd-proto.h) and opens nothing by
 *   name: KVM, the kernel image, the IOMMU, the VFIO devices. vm_new() builds
 *   the machine; vm_run() drops into the sandbox, starts the vCPU threads and
 *   serves one event loop until the guest powers off, is told to stop, or
 *   fails in a way that is explained.
 *
 *   The machine: PCIe only. ECAM and 0xCF8, a root port for each slot, of which
 *   some may be empty, full in-kernel irqchip, x2APIC, hardware-reduced ACPI,
 *   one 16550. bzImage by the 64-bit boot protocol, or an ELF kernel by PVH.
 *
 *   Order, each because the kernel wants it so:
 *     VM, irqchip -> RAM slots -> KVM_DEV_VFIO_FILE_ADD -> device attach
 *     (which opens it and resets it, once) -> RAM moves, where the devices
 *     cannot reach some of it -> DMA maps (one a RAM region) ->
 *     BAR placement -> ACPI tables -> kernel image -> vCPU state ->
 *     Landlock, seccomp -> first KVM_RUN.
 *   RAM is brought in from its slots on until the DMA maps, by a thread: the
 *   devices' reset waits 100 ms for nothing else (PCIe 6.0 6.6.2).
 *
 *   Devices come and go while the guest runs, by native PCIe hot plug: netd's
 *   orders on the lease's connection, the host that wants one back, errors
 *   (hotplug.h), those that the VMM itself is too (plug.h). None of that ends
 *   the guest.
 *
 *   Threads: the main thread (event loop: console, signals, hot plug, routes
 *   that waited for a first interrupt, the machine's reset) and one thread a
 *   vCPU. A vCPU thread handles its own exits, a
 *   function's reset among them; the bus is read-mostly under a lock, each
 *   device locks itself. The main thread alone makes and releases devices,
 *   and never waits long for one that a vCPU keeps busy.
 *
 *   Trust: everything from the guest is hostile. A vCPU exit never ends the
 *   process for what the guest put in it; it is answered as hardware would.
 *
 * Limits: VM_CPUS_MAX vCPUs, VM_DEVICES_MAX assigned functions; RAM 16 MiB
 * and up, in at most two regions (below and above the hole). BARs that are not
 * 64-bit and prefetchable share 1004 MiB below 4 GiB. Functions reach one
 * another's memory by DMA only with groups, and only in windows of up to 16 GiB
 * (windows.c).
 */

#include "base/base.h"
#include "iommu/iommu.h"

#define VM_CPUS_MAX 64
#define VM_DEVICES_MAX 16
#define VM_SLOTS_MAX 31    /* device numbers 1 to 31 of bus 0 are root ports */
#define VM_FUNCTIONS_MAX 8 /* of a slot */
#define VM_NAME 32
#define VM_ID_SHIFT_MAX 12 /* of APIC ids */
#define VM_APIC_IDS 32768  /* 15 bits: vmm/cpus.h */
#define VM_HOST_CPUS 1024  /* numbers that CPUs of the host may have */
#define VM_CPU_LIST_MAX 256

/* ---- errors: FL-06xx ---- */
enum {
	FL_VMM_LEASE =
		601,       /* lease unreadable: not started by `fairlead run` */
	FL_VMM_ROOT = 602, /* refuses to run as root */
	FL_VMM_KVM = 603,  /* /dev/kvm too old or a capability missing */
	FL_VMM_MEMORY = 604,
	FL_VMM_KERNEL = 605, /* not a bzImage or PVH ELF, or truncated */
	FL_VMM_INITRD = 606,
	FL_VMM_SANDBOX = 607,
	FL_VMM_RUN = 608,  /* KVM_RUN failed: internal error, with the state */
	FL_VMM_SLOT = 609, /* no room for a device or its BARs */
	FL_VMM_CPUS = 610,
	FL_VMM_CONN = 611,    /* a message of netd that is not understood */
	FL_VMM_HOTPLUG = 612, /* cannot be added or removed now */
	FL_VMM_DEVICE = 613,  /* taken away for good: what it met */
	FL_VMM_STORM = 614,   /* a vector above the guest's interrupt-limit */
	FL_VMM_DISK = 616,    /* no disk, or one that does not do its work */
	FL_VMM_URING = 617,   /* no io_uring, or not with restrictions */
	FL_VMM_NIC = 618,     /* its tap is none, or cannot what it must */
	FL_VMM_VHOST = 619,   /* the kernel does not serve a device's queues */
	FL_VMM_CONTROL = 630, /* what a peer of the control socket asked for */
	FL_VMM_DUMP = 631,    /* the core file cannot be written */
	FL_VMM_APIC_ID = 640, /* CPUs or APIC ids that KVM does not make */
	FL_VMM_PIN = 641,     /* a thread may not run where it is to */
	FL_VMM_SCHEDULER = 642,
	FL_VMM_HALT_POLL = 643,
	FL_VMM_NUMA = 645,   /* memory nodes that cannot be, or not there */
	FL_VMM_LOCK = 646,   /* guest memory cannot be locked */
	FL_VMM_DIRECT = 650, /* a decompressed kernel is of no use */
	FL_VMM_WATCHDOG = 655,
	FL_VMM_PLUG = 660,  /* no room for a device of the VMM's own */
	FL_VMM_FIXED = 661, /* a device that stays as long as its guest */
};

struct vm_device {
	char name[VM_NAME];   /* "wan" */
	char bdf[BDF_STRLEN]; /* host address */
	int fd;               /* VFIO cdev or group, vm's */
	uint8_t slot;         /* device number of its root port, 1..31 */
	uint8_t function;     /* of its slot, 0..7; a slot has a function 0 */
	int rom_fd;           /* -1 = the device's own ROM; vm's */
	bool no_rom;
};

/* ---- devices that the VMM itself is: own.h, virtio/ ---- */

#define VM_DISKS_MAX 8
#define VM_NICS_MAX 8
#define VM_NIC_PAIRS_MAX 8 /* of queues: virtio */
#define VM_SERIAL_LEN 20   /* virtio 1.2 5.2.6: without a final zero */

struct vm_disk {
	char name[VM_NAME];
	uint8_t slot;
	int fd; /* raw image or block device, opened and locked by netd */
	bool read_only;
	bool direct; /* `fd` is O_DIRECT: alignment is the file's */
	char serial[VM_SERIAL_LEN + 1]; /* "" = its name */
};

enum vm_nic_model {
	VM_NIC_VIRTIO,
	VM_NIC_E1000, /* 82540EM */
};

struct vm_nic {
	char name[VM_NAME];
	uint8_t slot;
	enum vm_nic_model model;
	uint8_t mac[6];
	uint16_t mtu;   /* 0 = not told */
	bool standby;   /* VIRTIO_NET_F_STANDBY, virtio 1.2 5.1.3 */
	unsigned pairs; /* of queues, 1..; e1000 has 1 */
	int tap_fd[VM_NIC_PAIRS_MAX];   /* one a pair, with vnet headers */
	int vhost_fd[VM_NIC_PAIRS_MAX]; /* -1 = userspace serves */
};

struct vm_vsock {
	uint8_t slot; /* 0 = none */
	uint64_t cid; /* 3 and up */
	int fd;       /* /dev/vhost-vsock */
};

/* What becomes of a guest whose watchdog runs out: watchdog.h. */
enum vm_watchdog_action {
	VM_WATCHDOG_RESET,
	VM_WATCHDOG_STOP,
	VM_WATCHDOG_DUMP,   /* its memory to a file, then reset */
	VM_WATCHDOG_IGNORE, /* told, no more */
};

struct vm_watchdog {
	uint8_t slot; /* 0 = none */
	enum vm_watchdog_action action;
	int core_fd; /* an empty file, for dump; -1 = none */
};

/* The guest's CPUs, beside their number, and where they run: vmm/cpus.h. */
struct vm_cpu_list {
	uint16_t cpu[VM_CPU_LIST_MAX]; /* of the host, as the policy has them */
	unsigned n;
};
struct vm_cpus {
	unsigned sockets, cores, threads; /* 0 = 1, as many as there are, 1 */
	unsigned id_shift; /* APIC id bits below the socket; 0 = as needed */
	struct vm_cpu_list pin;      /* one a vCPU, or else all for all */
	struct vm_cpu_list emulator; /* for the threads that are no vCPU */
	unsigned fifo;               /* SCHED_FIFO, its priority; 0 = no */
	bool has_halt_poll; /* else the kernel's own, kvm's halt_poll_ns */
	uint32_t halt_poll_ns;
};

/* What a guest's word that it has crashed does: pvpanic. */
enum vm_panic {
	VM_PANIC_IGNORE, /* told, no more: it resets itself, or is looked at */
	VM_PANIC_STOP,
	VM_PANIC_RESET,
};

/* ---- memory nodes: numa.h ---- */

#define VM_NODES_MAX 8
#define VM_HOST_NODES 1024      /* the kernel's most, on x86 */
#define VM_CPU(n) (1ull << (n)) /* in a set of vCPUs */

struct vm_node {
	uint64_t size; /* bytes, whole pages */
	uint64_t cpus; /* a bit a vCPU */
	int host;      /* its memory is from this node; -1 = any */
	uint8_t distance[VM_NODES_MAX]; /* to the others; 0 = 20 */
};

/* What the guest reads of its maker (SMBIOS). "" = fairlead's own, and the
 * guest's name as serial number. */
#define VM_SMBIOS_TEXT 128
struct vm_smbios {
	char manufacturer[VM_SMBIOS_TEXT], product[VM_SMBIOS_TEXT];
	char version[VM_SMBIOS_TEXT], serial[VM_SMBIOS_TEXT];
	uint8_t uuid[16]; /* as it is written; zeros = none */
};

struct vm_config {
	char name[VM_NAME];
	unsigned cpus;
	struct vm_cpus cpu;
	uint64_t memory; /* bytes, multiple of 2 MiB */
	const char *cmdline;
	int kvm_fd, kernel_fd;
	int initrd_fd;     /* -1 = none */
	int unpacked_fd;   /* what the bzImage has compressed; -1 = none */
	int conn_fd;       /* the lease; held open, -1 = none */
	int report_fd;     /* -1 = none */
	int control_fd;    /* a socket that listens for the control protocol;
	                      -1 = none */
	int in_fd, out_fd; /* console; raw mode when in_fd is a terminal */
	enum iommu_backend backend;
	int iommu_fd; /* -1 = no devices */
	struct vm_device device[VM_DEVICES_MAX];
	unsigned n_devices;
	unsigned spare_slots; /* empty root ports, for hot plug */
	struct {
		uint64_t page; /* bytes: 0 = THP where it helps, 2M, 1G */
		bool prefault; /* always, not only with devices */
		bool lock;     /* and never swapped: mlock */
		bool prefer;   /* a host's node that is full is no error */
	} ram;
	/* In the order of guest addresses; 0 = nobody asks. */
	struct vm_node node[VM_NODES_MAX];
	unsigned n_nodes;
	uint8_t pci_node; /* 1 and up: one more than the node that is near the
	                     devices; 0 = not known */
	uint32_t interrupt_limit; /* a second and vector; 0 = none */
	int interrupts_fd;        /* /proc/interrupts, for it; -1 = none */
	struct vm_disk disk[VM_DISKS_MAX];
	unsigned n_disks;
	struct vm_nic nic[VM_NICS_MAX];
	unsigned n_nics;
	struct vm_vsock vsock;
	uint8_t rng_slot, console_slot; /* virtio; 0 = none */
	struct vm_watchdog watchdog;
	enum vm_panic on_panic;
	struct vm_smbios smbios;
	bool no_reboot;   /* guest reset ends the process */
	bool no_sandbox;  /* tests only */
	bool split_rings; /* virtio offers no other: tests only */
};

enum vm_end {
	VM_END_POWEROFF,
	VM_END_RESET,    /* with no_reboot */
	VM_END_STOPPED,  /* SIGTERM, or ^A x on the console */
	VM_END_PANIC,    /* with on_panic: stop */
	VM_END_DEVICE,   /* its DMA left the guest, and the policy says stop */
	VM_END_WATCHDOG, /* it ran out, with the action stop */
	VM_END_FAILED,
};
const char *vm_end_name(enum vm_end e);

struct vm;
/* Takes every descriptor of `c`, on failure too. */
_must_check_ int vm_new(const struct vm_config *c, struct vm **ret,
                        struct diag *d);
/* Returns when the guest has ended; FAILED fills the diag. */
enum vm_end vm_run(struct vm *vm, struct diag *d);
void vm_free(struct vm *vm);

#endif
