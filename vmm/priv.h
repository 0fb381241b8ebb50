/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_PRIV_H
#define FL_VMM_PRIV_H

/*
 * The joints inside the VMM. Each block belongs to the file named in its
 * head; the machine as a whole is struct vm.
 */

#include "irq-remap/irq-remap.h"
#include "pci-config/pci-config.h"
#include "vfio/vfio.h"
#include "vmm/vmm.h"

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>

/* ---- the guest physical map ---------------------------------------------
 *
 *   0            640K         RAM
 *   0xa0000      1M           reserved; ACPI tables at 0xe0000
 *   1M           <= 2.75G     RAM
 *   0xb0000000   256M         ECAM, 256 buses (PCI Firmware 3.3, 4.1)
 *   0xc0000000   0xfebfffff   32-bit BARs
 *   0xfec00000   IOAPIC, 0xfee00000 local APIC and MSI window
 *   4G           ..           RAM beyond 2.75G
 *   above RAM, 1G aligned     64-bit BARs
 */
#define MAP_LOW_RAM_END 0xb0000000ull
#define MAP_ECAM 0xb0000000ull
#define MAP_ECAM_SIZE 0x10000000ull
#define MAP_MMIO32 0xc0000000ull
#define MAP_MMIO32_END 0xfec00000ull
#define MAP_IOAPIC 0xfec00000ull
#define MAP_LAPIC 0xfee00000ull
#define MAP_HIGH_RAM 0x100000000ull
#define MAP_MMIO64_SIZE (64ull << 30)
#define MAP_ACPI 0xe0000u /* RSDP and tables, below 1M */
#define MAP_ACPI_SIZE 0x20000u
#define MAP_BOOT_GDT 0x500u
#define MAP_BOOT_PARAMS 0x7000u
#define MAP_BOOT_PVH 0x6000u   /* hvm_start_info, PVH */
#define MAP_BOOT_PAGES 0x9000u /* identity page tables, 6 pages */
#define MAP_CMDLINE 0x20000u
#define MAP_KERNEL 0x100000u

#define PORT_COM1 0x3f8
#define PORT_PCI_ADDR 0xcf8
#define PORT_PCI_DATA 0xcfc
#define PORT_ACPI 0x600    /* sleep control, sleep status, reset */
#define PORT_PCI_IO 0xc000 /* I/O BARs from here */
#define GSI_COM1 4
#define GSI_PINS 24 /* of the IOAPIC; MSI routes come behind */

/* ---- bus.c: who answers a port or an address ----------------------------- */

/* What an exit was for: the report counts by it. */
enum exit_class {
	EXIT_OTHER,
	EXIT_SERIAL,
	EXIT_CONFIG, /* 0xCF8, ECAM */
	EXIT_BAR,    /* trapped BAR of an assigned function */
	EXIT_POWER,
	EXIT_CLASSES,
};
struct bus_ops {
	uint64_t (*read)(void *ctx, uint64_t off, unsigned width);
	void (*write)(void *ctx, uint64_t off, unsigned width, uint64_t value);
};
struct bus;
_must_check_ int bus_new(struct bus **ret);
void bus_free(struct bus *b);
/* -EADDRINUSE on overlap. Ranges may come and go while vCPUs run. */
_must_check_ int bus_add(struct bus *b, uint64_t base, uint64_t size,
                         enum exit_class cls, const struct bus_ops *ops,
                         void *ctx);
void bus_del(struct bus *b, uint64_t base, uint64_t size);
/* Nobody there: reads are all ones, writes vanish. Returns the class. */
enum exit_class bus_read(struct bus *b, uint64_t addr, unsigned width,
                         uint64_t *ret);
enum exit_class bus_write(struct bus *b, uint64_t addr, unsigned width,
                          uint64_t value);

/* ---- memory.c: guest RAM, and KVM memory slots ----------------------------
 */

struct mem_region {
	struct gpa gpa;
	uint64_t size;
	void *hva;
	uint64_t memfd_off;
};
struct memory {
	int memfd;
	struct mem_region region[2];
	unsigned n;
	uint64_t mmio64; /* where 64-bit BARs begin */
};
_must_check_ int memory_init(struct vm *vm, uint64_t bytes, struct diag *d);
void memory_fini(struct vm *vm);
/* Host address of [gpa, gpa+len) when all of it is RAM, else NULL. */
void *memory_at(const struct vm *vm, struct gpa gpa, uint64_t len);
/* KVM slots for device windows: add finds a free slot, del by address. */
_must_check_ int slot_add(struct vm *vm, struct gpa gpa, void *hva,
                          uint64_t size);
_must_check_ int slot_del(struct vm *vm, struct gpa gpa, uint64_t size);

struct boot_entry;

/* ---- kvm.c, vcpu.c ---------------------------------------------------------
 */

struct vcpu {
	struct vm *vm;
	unsigned index;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	bool started;
	/* Exits to this process, by class; written by its own thread only. */
	_Atomic uint64_t exits[EXIT_CLASSES];
	_Atomic uint64_t pio, mmio, signals, total;
};
_must_check_ int kvm_vm_init(struct vm *vm, struct diag *d); /* VM, irqchip */
_must_check_ int kvm_vfio_add(struct vm *vm, int fd, struct diag *d);
_must_check_ int vcpu_init(struct vm *vm, unsigned i, struct diag *d);
void vcpu_fini(struct vcpu *c);
/* Register state for the boot entry; APs wait for INIT. */
_must_check_ int vcpu_reset(struct vcpu *c, const struct boot_entry *e);
_must_check_ int vcpus_start(struct vm *vm, struct diag *d);
/* Ask all vCPUs to leave KVM_RUN and wait until they are parked. */
void vcpus_park(struct vm *vm);
void vcpus_unpark(struct vm *vm);
void vcpus_stop(struct vm *vm);
/* From any thread: why the machine should stop running, to the main loop. */
enum vm_request {
	VM_REQ_NONE,
	VM_REQ_RESET,
	VM_REQ_POWEROFF,
	VM_REQ_FAIL
};
void vm_request(struct vm *vm, enum vm_request r);

/* ---- boot*.c: kernel images ------------------------------------------------
 */

enum boot_mode {
	BOOT_LINUX64,
	BOOT_PVH
};
struct boot_entry {
	enum boot_mode mode;
	uint64_t rip;
	uint64_t arg; /* RSI: boot_params, or EBX: hvm_start_info */
};
/* Loads kernel, initrd, command line, memory map; again at each reset. */
_must_check_ int boot_load(struct vm *vm, struct boot_entry *ret,
                           struct diag *d);

/* ---- acpi.c: tables from the machine as it is -------------------------------
 */

/* Writes all tables into guest memory at MAP_ACPI; *ret_rsdp for the kernel. */
_must_check_ int acpi_build(struct vm *vm, struct gpa *ret_rsdp,
                            struct diag *d);

/* ---- serial.c, console.c, power.c -------------------------------------------
 */

struct serial;
_must_check_ int serial_new(struct vm *vm, struct serial **ret);
void serial_free(struct serial *s);
/* Console input for the guest; returns how much was taken. */
size_t serial_input(struct serial *s, const uint8_t *buf, size_t len);
void serial_reset(struct serial *s);
_must_check_ int power_init(struct vm *vm);

struct console;
_must_check_ int console_new(struct vm *vm, struct console **ret,
                             struct diag *d);
void console_free(struct console *c); /* restores the terminal */
void console_output(struct console *c, const uint8_t *buf, size_t len);

/* ---- pcihost.c: host bridge, root ports, config cycles ----------------------
 */

struct pci_host;
_must_check_ int pci_host_new(struct vm *vm, struct pci_host **ret,
                              struct diag *d);
void pci_host_free(struct pci_host *h);
void pci_host_reset(struct pci_host *h);

/* ---- assign.c: the assigned functions; lends vfio its ops
 * -------------------- */

struct assigned;
/* Attach every device of the configuration, map RAM for DMA, place BARs. */
_must_check_ int assign_all(struct vm *vm, struct diag *d);
_must_check_ int assign_reset_all(struct vm *vm, struct diag *d);
void assign_free_all(struct vm *vm);
/* Configuration cycles of the function behind root port `slot` (NULL = none).
 */
struct vfio_dev *assign_find(struct vm *vm, uint8_t slot);
/* Memory that devices behind `slot` decode, for the root port's windows. */
struct assign_window {
	uint64_t mem32, mem32_size, mem64, mem64_size;
	uint32_t io, io_size;
};
struct assign_window assign_window(struct vm *vm, uint8_t slot);

/* ---- irqsink.c: irq-remap's ops over KVM
 * -------------------------------------- */

_must_check_ int irqsink_init(struct vm *vm, struct diag *d);
void irqsink_fini(struct vm *vm);

/* ---- sandbox.c, report.c, loop.c
 * ----------------------------------------------- */

_must_check_ int sandbox_enter(struct vm *vm, struct diag *d);
void report_write(struct vm *vm, const char *event, const char *reason);

struct vm {
	struct vm_config cfg;
	int kvm, fd;     /* /dev/kvm, the VM */
	int vfio_dev_fd; /* KVM_DEV_TYPE_VFIO */
	struct memory mem;
	struct bus *pio, *mmio;
	struct vcpu *cpu;
	struct irq_table *irqs;
	struct iommu_space *space;
	struct pci_host *pci;
	struct assigned *assigned; /* array of cfg.n_devices */
	struct serial *serial;
	struct console *console;
	struct boot_entry entry;
	uint64_t started_ns;
	/* parking: see vcpu.c */
	pthread_mutex_t park_lock;
	pthread_cond_t park_cond;
	unsigned parked;
	_Atomic bool park_wanted, stopping;
	int event_fd;        /* wakes the main loop */
	_Atomic int request; /* enum vm_request */
	struct diag fail;    /* of VM_REQ_FAIL, under park_lock */
};

#endif
