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
#include <sched.h>
#include <stdatomic.h>

/* ---- the guest physical map ---------------------------------------------
 *
 *   0            640K         RAM
 *   0xa0000      1M           reserved; ACPI tables at 0xe0000, SMBIOS at
 *                             0xf0000, reset vector at the end
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
#define MAP_ACPI_SIZE 0x10000u
#define MAP_SMBIOS 0xf0000u /* DSP0134 5.2.2: from here to 1M it is sought */
#define MAP_SMBIOS_SIZE 0xf000u
#define MAP_RESET 0xffff0u /* the reset vector */
#define MAP_BOOT_GDT 0x500u
#define MAP_BOOT_PARAMS 0x7000u
#define MAP_BOOT_PVH 0x6000u   /* hvm_start_info, PVH */
#define MAP_BOOT_PAGES 0x9000u /* identity page tables, 6 pages */
#define MAP_CMDLINE 0x20000u
#define MAP_KERNEL 0x100000u

#define PORT_COM1 0x3f8
#define PORT_PCI_ADDR 0xcf8
#define PORT_PCI_DATA 0xcfc
#define PORT_ACPI 0x600 /* sleep control, sleep status, reset */
/* Byte registers there: power.c answers, the FADT tells. */
enum {
	ACPI_SLEEP_CONTROL, /* bits 4:2 SLP_TYP, bit 5 SLP_EN */
	ACPI_SLEEP_STATUS,
	ACPI_RESET,
	ACPI_PORTS,
	ACPI_S5 = 5,
	ACPI_RESET_VALUE = 1,
};
#define PORT_PANIC 0x505   /* pvpanic */
#define PORT_PCI_IO 0x1000 /* I/O BARs from here */
#define GSI_COM1 4
#define GSI_EVENTS 9 /* of the Generic Event Device: the power button */
#define GSI_PINS 24  /* of the IOAPIC; MSI routes come behind */

/* ---- bus.c: who answers a port or an address ----------------------------- */

/* What an exit was for: the report counts by it. */
enum exit_class {
	EXIT_OTHER,
	EXIT_SERIAL,
	EXIT_CONFIG, /* 0xCF8, ECAM */
	EXIT_BAR,    /* trapped BAR of an assigned function */
	EXIT_OWN,    /* BAR of a function of our own */
	EXIT_POWER,
	EXIT_CLASSES,
};
/* On the bus it is a tag, by which a vCPU counts: the class, or of a BAR whose
 * it is. */
#define EXIT_PLACES 256u
#define EXIT_TAGS (8 + 2 * EXIT_PLACES)
#define EXIT_AT(cls, slot, bar)                                                \
	(8 + ((cls) == EXIT_OWN ? EXIT_PLACES : 0) + ((slot) << 3 | (bar)))
struct bus_ops {
	uint64_t (*read)(void *ctx, uint64_t off, unsigned width);
	void (*write)(void *ctx, uint64_t off, unsigned width, uint64_t value);
};
#define BUS_RANGES_MAX 256
struct bus;
_must_check_ int bus_new(struct bus **ret);
void bus_free(struct bus *b);
/* -EADDRINUSE on overlap, -ENOSPC beyond BUS_RANGES_MAX. Ranges may come and
 * go while vCPUs run, also from within an op: no lock is held while one runs.
 * So an op may still be called for a short while after bus_del(); its ctx must
 * live until the vCPUs have stopped. */
_must_check_ int bus_add(struct bus *b, uint64_t base, uint64_t size,
                         unsigned tag, const struct bus_ops *ops, void *ctx);
void bus_del(struct bus *b, uint64_t base, uint64_t size);
/* How many ranges lie in [base, base+size), or reach into it. */
unsigned bus_count(struct bus *b, uint64_t base, uint64_t size);
/* Nobody there: reads are all ones, writes vanish. `value` has no more bits
 * than the access. Returns the tag. */
unsigned bus_read(struct bus *b, uint64_t addr, unsigned width, uint64_t *ret);
unsigned bus_write(struct bus *b, uint64_t addr, unsigned width,
                   uint64_t value);

/* ---- trap.c: BARs on the bus --------------------------------------------- */

/* Nothing of the machine's own is there: RAM, interrupt controllers. */
bool trap_fits(const struct vm *vm, bool io, uint64_t addr, uint64_t size);
/* What fits; -EADDRINUSE where another BAR is. */
_must_check_ int trap_add(struct vm *vm, bool io, uint64_t addr, uint64_t size,
                          unsigned tag, const struct bus_ops *ops, void *ctx);
void trap_del(struct vm *vm, bool io, uint64_t addr, uint64_t size);

/* ---- memory.c: guest RAM, and KVM memory slots --------------------------- */

/* layout.c: where RAM and 64-bit BARs lie, in the host that is given. */
struct layout_host {
	const struct iommu_range *usable; /* as IOVA, ascending */
	size_t n;     /* 0 = no device, or the kernel does not say */
	uint64_t end; /* of what the guest's CPUs can address */
};
struct layout_ram {
	uint64_t gpa, size, off; /* off: in the memfd */
};
#define LAYOUT_WINDOWS 8
struct layout {
	struct layout_ram ram[2]; /* below 4 GiB, above */
	unsigned n_ram;
	/* For 64-bit BARs, the first to be tried first. The last one may have
	 * holes, where a BAR is no target for DMA of other functions. */
	struct iommu_range window[LAYOUT_WINDOWS];
	unsigned n_windows;
};
/* `bytes`: whole pages of `page` (0: of 2 MiB). -EADDRNOTAVAIL
 * FL_IOMMU_RESERVED, naming the hole. */
_must_check_ int layout_ram(const struct layout_host *host, uint64_t bytes,
                            uint64_t page, struct layout *ret, struct diag *d);

/* prefault.c */
#define PREFAULT_CPUS_MAX 64
struct prefault_stats {
	uint64_t bytes, ns;
	unsigned threads;
};
struct prefault_part {
	uint64_t off, size;
	int node; /* of the host, that it is bound to; -1 = none */
};
/* Brings in all of it, by huge pages where they can be had; `page` 0: they are
 * to be made. Parts, where there are any, make up the whole. The calling thread
 * keeps its CPUs. -ENOMEM, -EFAULT (a hugetlb
 * pool that is empty after all), -EHWPOISON: memory that is broken. */
_must_check_ int prefault(void *hva, uint64_t bytes, uint64_t page,
                          const struct prefault_part *part, unsigned n_parts,
                          struct prefault_stats *ret);
unsigned prefault_parts(const unsigned *node, unsigned n, unsigned *ret_part);

struct mem_region {
	struct gpa gpa;
	uint64_t size;
	void *hva;
	uint64_t memfd_off;
};
/* Below 4 GiB, above; the others are for memory that is plugged in, of which
 * there is none yet. */
#define MEM_REGIONS_MAX 8
#define MEM_SLOTS_MAX 128
struct mem_slot {
	uint64_t gpa, size; /* size 0 = free */
};
struct memory {
	int memfd;
	pthread_mutex_t lock; /* of slot[] */
	struct mem_slot slot[MEM_SLOTS_MAX];
	struct mem_region region[MEM_REGIONS_MAX];
	unsigned n;
	/* Where 64-bit BARs begin, and the windows they may lie in. */
	uint64_t mmio64;
	struct iommu_range window[LAYOUT_WINDOWS];
	unsigned n_windows;
	struct prefault_stats prefault;
	pthread_t filler;
	bool filling; /* the thread is there, and to be joined */
	int filled;   /* its result, */
	int locked;   /* and mlock's */
};
/* RAM is brought in while devices are opened and wait for their reset; it is
 * whole, and pinned or written to, only after memory_wait(). */
_must_check_ int memory_init(struct vm *vm, uint64_t bytes, struct diag *d);
_must_check_ int memory_wait(struct vm *vm, struct diag *d);
/* Once the devices are attached, before anything is mapped for DMA or has an
 * address: RAM and windows go around what the devices cannot reach. */
_must_check_ int memory_settle(struct vm *vm, struct diag *d);
/* End of what guests of this host can address (place.c). */
uint64_t address_end(void);
/* After the vCPUs and devices are gone. */
void memory_fini(struct vm *vm);
/* Host address of [gpa, gpa+len) when all of it is RAM, else NULL. */
void *memory_at(const struct vm *vm, struct gpa gpa, uint64_t len);
/* KVM slots for device windows: add finds a free slot, del by address. Where
 * the guest may only read, its writes are exits. */
_must_check_ int slot_add(struct vm *vm, struct gpa gpa, void *hva,
                          uint64_t size, bool writable);
_must_check_ int slot_del(struct vm *vm, struct gpa gpa, uint64_t size);

enum boot_mode {
	BOOT_LINUX64,
	BOOT_PVH
};
struct boot_entry {
	enum boot_mode mode;
	uint64_t rip;
	uint64_t arg; /* RSI: boot_params, or EBX: hvm_start_info */
};

/* cpus.h */
struct cpuid_leaves;
struct cpu_shape {
	unsigned sockets, cores, threads;
	unsigned thread_bits, socket_shift; /* of an APIC id */
};
struct placement {
	bool moved; /* the main thread, away from where it was: */
	cpu_set_t process;
};

/* ---- kvm.c, vcpu.c ------------------------------------------------------- */

struct vcpu {
	struct vm *vm;
	unsigned index;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	_Atomic int tid; /* of the thread, 0 = not running yet */
	bool started;
	struct kvm_lapic_state lapic; /* as created, for resets */
	/* Exits to this process, by tag; written by its own thread only. */
	_Atomic uint64_t exits[EXIT_TAGS];
	_Atomic uint64_t pio, mmio, signals, total;
};
/* Of a class, BARs by all their places. */
uint64_t vcpu_exits(const struct vcpu *c, enum exit_class cls);
_must_check_ int kvm_vm_init(struct vm *vm, struct diag *d); /* VM, irqchip */
/* Before the first function, and before the sandbox, which knows no making of
 * devices. */
_must_check_ int kvm_vfio_init(struct vm *vm, struct diag *d);
_must_check_ int kvm_vfio_add(struct vm *vm, int fd, struct diag *d);
void kvm_vfio_del(struct vm *vm, int fd);
/* Interrupt controllers, timer and clock as they were when the machine was
 * made; vCPUs must be parked. */
_must_check_ int kvm_vm_reset(struct vm *vm, struct diag *d);
void kvm_vm_fini(struct vm *vm);
/* Writes to [port, port+size) are queued by the kernel without an exit, and
 * handed to the bus in order before the next exit of any vCPU is handled. For
 * registers whose write has no effect by itself. */
_must_check_ int coalesce_add(struct vm *vm, uint16_t port, uint16_t size);
void coalesce_drain_ring(struct vm *vm); /* the below; also when empty */
/* The upper half of a message's address, as KVM wants it: destination bits 31:8
 * in place, all else zero. `wide`: bits 11:5 have 14:8 of it, cpus.h. */
static inline uint32_t cpu_msi_upper(uint64_t addr, bool wide)
{
	uint32_t upper = (uint32_t)(addr >> 32) & ~0xffu;

	return wide ? upper | (uint32_t)(addr >> 5 & 0x7f) << 8 : upper;
}
/* A message of a function of our own. */
void kvm_signal_msi(struct vm *vm, uint64_t addr, uint32_t data);
/* Level of an interrupt pin. */
void kvm_irq_line(struct vm *vm, unsigned gsi, bool level);
_must_check_ int cpuid_set(struct vcpu *c, struct diag *d);
_must_check_ int vcpu_init(struct vm *vm, unsigned i, struct diag *d);
void vcpu_fini(struct vcpu *c);
/* c->lapic, as at power-on. After cpuid_set(). */
_must_check_ int vcpu_take_lapic(struct vcpu *c);
/* Register state for the boot entry; APs wait for INIT. */
_must_check_ int vcpu_reset(struct vcpu *c, const struct boot_entry *e,
                            struct diag *d);
/* Threads are made and wait, parked: no guest code runs before unpark. */
_must_check_ int vcpus_start(struct vm *vm, struct diag *d);
/* Ask all vCPUs to leave KVM_RUN and wait until they are parked. */
void vcpus_park(struct vm *vm);
/* The vCPU thread's side: waits here while parking is wanted. False when the
 * thread is to end. */
bool vcpu_park_point(struct vcpu *c);
void vcpus_unpark(struct vm *vm);
void vcpus_stop(struct vm *vm);
/* From any thread: why the machine should stop running, to the main loop. */
enum vm_request {
	VM_REQ_NONE,
	VM_REQ_RESET,
	VM_REQ_SHUTDOWN, /* of a processor, which resets the machine */
	VM_REQ_POWEROFF,
	VM_REQ_PANIC,    /* it crashed, and that is to be its end */
	VM_REQ_WATCHDOG, /* it hangs, and that is to be its end */
	VM_REQ_DUMP,     /* it hangs, and is to be written to a file first */
	VM_REQ_FAIL
};
void vm_request(struct vm *vm, enum vm_request r);
/* VM_REQ_FAIL with the reason; the first one is kept. */
void vm_request_fail(struct vm *vm, const struct diag *why);

/* ---- serial.c, console.c, power.c ---------------------------------------- */

struct serial;
_must_check_ int serial_new(struct vm *vm, struct serial **ret);
void serial_free(struct serial *s);
/* Console input for the guest; returns how much was taken. */
size_t serial_input(struct serial *s, const uint8_t *buf, size_t len);
/* How many bytes serial_input() would take now. */
size_t serial_room(struct serial *s);
void serial_reset(struct serial *s);
_must_check_ int power_init(struct vm *vm);
/* Pressed and let go of. What comes of it is the guest's affair. */
void power_button(struct vm *vm);

/* pause.c; the main thread. pause_end() where there is none does nothing. */
struct pause {
	bool on, has_clock;
	struct kvm_clock_data clock; /* as it began, as is: */
	uint64_t tsc;                /* the host's */
};
void pause_begin(struct vm *vm);
void pause_end(struct vm *vm);
/* A reset has started the vCPUs anew, with clocks of their own. */
void pause_forget(struct vm *vm);

/* panic.c: the guest says that it has crashed. */
_must_check_ int panic_init(struct vm *vm);
/* The main thread: has it said so since the last call? */
bool panic_take(struct vm *vm);

struct console;
_must_check_ int console_new(struct vm *vm, struct console **ret,
                             struct diag *d);
void console_free(struct console *c); /* restores the terminal */
/* From a vCPU thread; never waits. A reader that does not read loses the
 * oldest bytes. */
void console_output(struct console *c, const uint8_t *buf, size_t len);
/* From the guest's second port, vconsole.c's; and it can take no more input. */
void console_output_second(struct console *c, const uint8_t *buf, size_t len);
void console_second_gone(struct console *c);
/* For the event loop: is in_fd to be watched now, is out_fd; and the two ways
 * to serve them. console_read() is true when the user asked to end. */
bool console_wants_input(struct console *c);
bool console_wants_output(struct console *c);
bool console_read(struct console *c);
void console_write(struct console *c);
/* Readable when output has lingered long enough; console_timer() then. */
int console_timer_fd(const struct console *c);
void console_timer(struct console *c);
/* Writes what is queued, waiting at most `ms` for the reader. */
void console_flush(struct console *c, unsigned ms);
uint64_t console_dropped(struct console *c);
/* The main thread, for other viewers. Places in the output are counts of bytes
 * since the beginning. console_look() copies from *at on what is there; where
 * that is gone already, *at moves up, by *ret_lost. */
#define CONSOLE_KEPT 65536u /* bytes that can be looked at again */
uint64_t console_end(struct console *c);
size_t console_look(struct console *c, uint64_t *at, uint8_t *buf, size_t size,
                    uint64_t *ret_lost);
/* How many bytes the guest takes now, and giving it some; what was taken. */
size_t console_room(struct console *c);
size_t console_type(struct console *c, const uint8_t *buf, size_t n);

/* virtio/vconsole.c, as serial_room() and serial_input(). */
struct vconsole;
size_t vconsole_room(struct vconsole *c);
size_t vconsole_input(struct vconsole *c, const uint8_t *buf, size_t len);

/* ---- pcihost.c: host bridge, root ports, config cycles ------------------- */

struct pci_host;
_must_check_ int pci_host_new(struct vm *vm, struct pci_host **ret,
                              struct diag *d);
void pci_host_free(struct pci_host *h);
void pci_host_reset(struct pci_host *h);
/* The main thread, while vCPUs run: a device has come into the slot, or gone,
 * and the guest is told; the slot's attention button. */
bool pci_host_has(struct pci_host *h, uint8_t slot); /* with hot plug */
void pci_host_insert(struct pci_host *h, uint8_t slot);
void pci_host_remove(struct pci_host *h, uint8_t slot);
void pci_host_press(struct pci_host *h, uint8_t slot);

/* ---- hotplug.c: devices that come and go; the main thread's -------------- */

struct hotplug;
/* From any thread: the guest has let go of what is in the slot. */
void hotplug_eject(struct vm *vm, uint8_t slot);
/* From any thread: the guest has switched the slot off. */
void hotplug_dark(struct vm *vm, uint8_t slot);

/* ---- assign.c: the assigned functions; lends vfio its ops
 * -------------------- */

struct assigned;
/* Attach every device of the configuration, map RAM for DMA, place BARs. After
 * irqsink_init(), before pci_host_new(). */
_must_check_ int assign_all(struct vm *vm, struct diag *d);
/* All devices as after power-on, by whatever reset each has; vCPUs are
 * parked. */
_must_check_ int assign_reset_all(struct vm *vm, struct diag *d);
void assign_free_all(struct vm *vm);
/* A function for a guest that runs: into cfg.device, where it has an index from
 * then on. Its descriptors are taken, on failure too. Of a slot's functions,
 * function 0 comes last: it tells the guest whether there are others. Nothing
 * of it decodes: the guest places its BARs. The main thread. */
_must_check_ int assign_add(struct vm *vm, struct vm_device *device,
                            struct diag *d);
/* Lets go of cfg.device[i] at once: all its descriptors are closed, the guest
 * reads all ones. The vCPUs may run. */
void assign_release(struct vm *vm, unsigned i);
/* The main thread, which alone makes and releases devices: cfg.device[i]; NULL
 * = released, or none. */
struct vfio_dev *assign_device(struct vm *vm, unsigned i);
/* vfio_dev_request_fd() of cfg.device[i]; -1 = none. */
int assign_request_fd(struct vm *vm, unsigned i);
/* What the host refused a guest's access to cfg.device[i], once; the loop is
 * woken for it, at a limited rate. */
bool assign_take_fault(struct vm *vm, unsigned i, struct diag *ret);
/* vfio_dev_late_fd(); the loop polls it for input, then settles. */
int assign_late_fd(struct vm *vm, unsigned i);
void assign_late_settle(struct vm *vm, unsigned i);

/* Any thread: configuration cycles of function `fn` behind root port `slot`;
 * all ones = nobody there. And the reset of all of them by the port's Secondary
 * Bus Reset. */
uint32_t assign_cfg_read(struct vm *vm, uint8_t slot, uint8_t fn, unsigned off,
                         unsigned width);
void assign_cfg_write(struct vm *vm, uint8_t slot, uint8_t fn, unsigned off,
                      unsigned width, uint32_t value);
void assign_bus_reset(struct vm *vm, uint8_t slot);
/* A range of another's has gone: what was refused is offered again. Without any
 * function's lock. */
void assign_offer_all(struct vm *vm);
void assign_match_link(struct vm *vm, uint8_t slot, struct cfg_port *p);

/* ---- windows.c: device memory that the guest reaches by itself ----------- */

struct windows;
_must_check_ int windows_new(struct windows **ret);
void windows_free(struct windows *s);
/* The main thread: functions have come or gone. */
void windows_share(struct vm *vm);

/* ---- topology.c: slots, ports, buses ------------------------------------- */

/* What the root port `slot` forwards to the functions behind it. */
struct assign_window {
	uint64_t mem32, mem32_size, mem64, mem64_size;
	uint32_t io, io_size;
};
/* vm->ports: a bit for each device number that is a root port; one for each
 * slot that is in use, and spare ones at the lowest numbers that are free.
 * -EINVAL, -ENOSPC FL_VMM_SLOT. */
_must_check_ int topology_init(struct vm *vm, struct diag *d);
/* A device may be put there now: -EINVAL, -ENOENT FL_VMM_SLOT. */
_must_check_ int topology_check(const struct vm *vm, const struct vm_device *v,
                                struct diag *d);
/* Is another function of cfg.device in the slot? */
bool topology_has_more(const struct vm *vm, const struct vm_device *v);
/* Secondary bus of the port, before the guest renumbers; the last one. */
uint8_t topology_bus(const struct vm *vm, uint8_t slot);
uint8_t topology_last_bus(const struct vm *vm);
/* End of what 64-bit BARs may take, for the host bridge's window: with room
 * for what comes later. */
uint64_t topology_mem64_end(const struct vm *vm);
/* GSI of pin 1..4 of device 0 behind the port; the same as the port's own,
 * were it to have one (PCI-to-PCI Bridge 1.2, 9.1). */
static inline uint32_t topology_gsi(uint8_t slot, unsigned pin)
{
	return 16 + ((slot + pin - 1) & 7);
}

/* ---- pins.c: interrupt pins of the functions of our own ------------------ */

struct pins {
	pthread_mutex_t lock;
	uint8_t up[GSI_PINS]; /* how many want the pin high */
};
/* Each of them tells its changes, beginning with low. Any thread. */
void pin_drive(struct vm *vm, unsigned gsi, bool up);

/* ---- irqsink.c: irq-remap's ops over KVM
 * -------------------------------------- */

_must_check_ int irqsink_init(struct vm *vm, struct diag *d);
void irqsink_fini(struct vm *vm);

/* ---- sandbox.c, report.c, say.c, loop.c
 * ----------------------------------------------- */

/* No new privileges, no files. A thread's own: before any other is made. */
_must_check_ int sandbox_files(struct vm *vm, struct diag *d);
/* The system call filter, for all threads: before the first KVM_RUN. */
_must_check_ int sandbox_syscalls(struct vm *vm, struct diag *d);
/* One JSON line on cfg.report_fd: netd/netd-proto.h. */
void report_write(struct vm *vm, const char *event, const char *reason);
/* Messages of the machine's, on standard error. */
void loop_say(const char *text);
void loop_say_diag(const struct diag *d);
/* Signals become a descriptor, in every thread made after it. */
_must_check_ int loop_init(struct vm *vm, struct diag *d);
/* Serves the machine until it ends. */
enum vm_end loop_run(struct vm *vm, struct diag *d);
/* vm.c: parks, puts the whole machine back to power-on, loads the kernel
 * again, unparks. */
_must_check_ int vm_reset(struct vm *vm, struct diag *d);

#define VM_PLACES ((VM_SLOTS_MAX + 1) * 8)
struct vm {
	struct vm_config cfg;
	int kvm, fd;     /* /dev/kvm, the VM */
	int vfio_dev_fd; /* KVM_DEV_TYPE_VFIO */
	struct memory mem;
	struct bus *pio, *mmio;
	struct vcpu *cpu;
	struct cpu_shape shape;
	bool wide_ids;              /* some are beyond 254 */
	struct cpuid_leaves *cpuid; /* KVM's, while vCPUs are made */
	struct placement placement;
	struct irqsink *sink; /* irqsink.c */
	struct irq_table *irqs;
	struct iommu_space *space;
	bool mapped; /* RAM, in it */
	struct pci_host *pci;
	struct hotplug *hotplug;
	struct assigned *assigned; /* array of VM_DEVICES_MAX */
	/* By place behind the ports (ASSIGN_PLACE); NULL = nobody. For who
	 * looks without the function's lock, and must look again with it. */
	_Atomic(struct assigned *) function[VM_PLACES];
	struct windows *windows;
	struct owns *own; /* own.c */
	struct io *io;    /* NULL = no device of our own wants it */
	struct pins pins;
	uint32_t ports;                                /* topology.c */
	struct assign_window window[VM_SLOTS_MAX + 1]; /* by slot */
	struct serial *serial;
	struct rtc *rtc; /* rtc.h */
	struct console *console;
	struct vconsole *vconsole; /* NULL = none */
	struct storms *storms;     /* NULL = no limit to interrupts */
	struct uring *uring;       /* NULL = no disk */
	struct gpa rsdp;           /* acpi_build()'s, for the kernel */
	struct boot_entry entry;
	unsigned guest_resets;
	struct vfio_stats seen[VM_DEVICES_MAX]; /* by the last report */
	uint64_t started_ns;
	struct kvm_saved *saved;           /* kvm.c: state at power-on */
	struct kvm_counters *kvm_counters; /* stats.h */
	struct coalesced {
		pthread_mutex_t lock;                 /* held by who drains */
		struct kvm_coalesced_mmio_ring *ring; /* in vCPU 0's mapping */
		unsigned page; /* of the ring in that mapping, 0 = none */
		uint32_t max;
		_Atomic unsigned zones; /* of MSI-X tables: vectors.c */
	} coalesced;
	/* parking: see park.c */
	pthread_mutex_t park_lock;
	pthread_cond_t park_cond;
	unsigned parked;
	_Atomic bool park_wanted, stopping;
	int event_fd; /* wakes the main loop */
	int signal_fd;
	_Atomic int request;       /* enum vm_request */
	struct diag fail;          /* of VM_REQ_FAIL, under park_lock */
	_Atomic bool panicked;     /* panic.c */
	struct watchdog *watchdog; /* watchdog.h; NULL = none */
	struct dump *core;         /* under way: core.c */
	struct pause pause;
	struct control *control; /* control.h; NULL = nobody looks after it */
};

/* Asked at every exit. */
static inline void coalesce_drain(struct vm *vm)
{
	const struct kvm_coalesced_mmio_ring *ring = vm->coalesced.ring;

	if (ring && __atomic_load_n(&ring->first, __ATOMIC_ACQUIRE) !=
	                    __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE))
		coalesce_drain_ring(vm);
}

#endif
