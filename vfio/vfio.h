/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VFIO_H
#define FL_VFIO_H

/*
 * vfio: one assigned PCI function.
 *
 * Theory of operation
 *   vfio_dev_open() attaches the function to the guest's DMA address space
 *   (iommu/), takes its layout once (pci-config/), maps its BARs into this
 *   process where the kernel allows, and listens to what the host says of it
 *   (wanted back, has met an error). From then on the VMM calls in for trapped
 *   accesses only:
 *     - configuration cycles: decided by pci-config, performed here;
 *     - BAR accesses outside the mapped windows: the MSI-X table (kept here,
 *       the device never sees guest messages), back doors to configuration
 *       space (quirk.c) and registers that share their pages.
 *   Everything else the guest reaches directly: a BAR that decodes is mapped
 *   into the guest with the fewest windows that leave out the pages of the
 *   MSI-X table, through the ops that the VMM lends. The Pending Bit Array is
 *   the device's own and needs no trap, because of how masking works:
 *
 *   Mapping a BAR costs address space only, however large it is: the kernel
 *   fills in pages as they are touched. Each lies as it does in physical memory
 *   below 1 GiB, so that huge pages can back it. A BAR smaller than a page that
 *   the kernel lets be mapped has its page to itself; it is shown where the
 *   guest gives it a page to itself, too.
 *
 *   The expansion ROM is a copy in this process, of the device's own or of a
 *   file, taken when the guest first enables it; no smaller than a page.
 *
 *   Interrupts: the guest's table entries become routes (irq-remap/). A
 *   masked vector is SET_IRQS with fd -1: the kernel masks it in the device,
 *   whose pending bit then stays set. On MSI-X enable, one SET_IRQS brings up
 *   all unmasked vectors, after one route commit. A vector the guest never
 *   unmasked is never allocated where the kernel allows dynamic MSI-X.
 *
 *   INTx (intx.c): the kernel masks the function's line as it fires, signals
 *   an eventfd that raises the guest's pin, and looks again when the guest's
 *   end of interrupt signals another: no step of ours. It is on while COMMAND
 *   has decode or bus master and neither MSI nor MSI-X is enabled.
 *
 *   D3hot: nothing decodes, so the windows go before the device sleeps and come
 *   after it woke; vectors and the line stay, for the kernel saves what the
 *   device loses. On waking COMMAND is written anew: the guest's, not what the
 *   kernel saved.
 *
 *   Resets: the function's own (FLR, PM) by vfio_dev_reset(), or a guest's FLR;
 *   where there is none, or it is known to do nothing, the bus's by
 *   vfio_hot_reset(), with everybody on it. Around each: interrupts off ->
 *   windows away -> reset -> the view at its reset values.
 *
 *   Late routes (vfio_open.late_routes): Linux writes a vector's real message
 *   only when its driver requests that vector, then unmasks it, one vector
 *   after the other; a commit at each unmask makes n of them. With late
 *   routes a vector that is unmasked for the first time is armed in VFIO at
 *   once, but its route waits until its first interrupt makes
 *   vfio_dev_late_fd() readable; vfio_dev_late_settle() then commits all that
 *   wait, once. The eventfd keeps the interrupt meanwhile: none is lost, the
 *   first is some tens of microseconds late. A vector that is live and gets
 *   another message is committed at its unmask in either mode.
 *
 *   Order: window removal -> command register off; command on -> window
 *   mapping. Routes -> irqfds -> SET_IRQS (late: SET_IRQS -> routes ->
 *   irqfds). INTx: tied -> SET_IRQS; SET_IRQS off -> untied -> MSI or MSI-X
 *   on, since VFIO has one kind at a time. Close: interrupts off -> windows
 *   -> device -> (the kernel resets the function).
 *
 * Threads: every function that changes or reads a device's state locks it;
 * calls for two devices do not wait for one another, but in vfio_hot_reset(),
 * which locks all of them, by address. A reset keeps the lock for its whole
 * length; vfio_dev_take_fault(), vfio_dev_late_settle(), vfio_dev_vectors(),
 * vfio_dev_throttle() and vfio_dev_stats_soon() give up after 10 ms, for a
 * thread with other duties.
 * What is fixed at open (bars, layout, the two descriptors) is read without.
 * Nobody else may be in a call when the device is closed.
 * Trust: off, width and value come from the guest; any value is answered.
 * What the kernel refuses on the guest's behalf meanwhile is kept for
 * vfio_dev_take_fault(); the guest sees a device that does not interrupt.
 * Limits:
 *   - a BAR that trap_add refused, because another function's lay there, is
 *     offered again when its own function's COMMAND, BARs or power state
 *     change, and by vfio_dev_offer();
 *   - where the host has fewer vectors than the guest enables, FL-0405 is said
 *     at the enabling and whenever one beyond them is unmasked; that one stays
 *     silent until the guest toggles MSI or MSI-X;
 *   - several MSI vectors of which the host has only some: the device folds its
 *     messages into those, by numbers that the guest does not expect;
 *   - MSI without mask bits cannot be held back without loss: one interrupt is
 *     sent when vfio_dev_throttle() lets go.
 */

#include "base/base.h"
#include "iommu/iommu.h"
#include "irq-remap/irq-remap.h"
#include "pci-config/pci-config.h"

/* ---- errors: FL-04xx ---- */
enum {
	FL_VFIO_INFO = 401,     /* device, region or irq info refused */
	FL_VFIO_NO_RESET = 402, /* function cannot be reset */
	FL_VFIO_CONFIG = 403,   /* configuration space unreadable */
	FL_VFIO_MMAP = 404,
	FL_VFIO_IRQ = 405, /* SET_IRQS refused: host vectors, EINVAL, ENOSPC */
	FL_VFIO_RESET = 406,  /* VFIO_DEVICE_RESET refused */
	FL_VFIO_WINDOW = 407, /* the VMM could not map or take away a window */
	FL_VFIO_HOT_RESET = 408, /* bus reset refused: functions of others */
	FL_VFIO_GONE = 409,      /* device does not answer, or is another */
	FL_VFIO_ROM = 410,       /* ROM file or ROM of the device unreadable */
};

/*
 * Lent by the VMM; all are called with the device's lock held, never on the
 * fast path.
 */
struct vfio_host_ops {
	/* Make `size` bytes at `hva` the guest's memory at `gpa`, and take
	 * them away again. Page aligned. `device`: it is device memory, which
	 * other functions of the guest may want to reach by DMA; else it is
	 * this process's own and the guest may only read it (a ROM). A BAR
	 * smaller than a page shows its whole page, of which trap_add was told
	 * only the BAR: -EADDRINUSE where something else lies in it, and the
	 * BAR stays trapped. */
	int (*window_add)(void *ctx, struct gpa gpa, void *hva, uint64_t size,
	                  bool device);
	int (*window_del)(void *ctx, struct gpa gpa, void *hva, uint64_t size);
	/* Send accesses of [addr, addr+size) that no window answers to
	 * vfio_dev_bar_read/write(dev, bar, ...). -EADDRINUSE where that range
	 * is RAM or something else's: the BAR then does not decode. */
	int (*trap_add)(void *ctx, unsigned bar, bool io, uint64_t addr,
	                uint64_t size);
	void (*trap_del)(void *ctx, unsigned bar, bool io, uint64_t addr,
	                 uint64_t size);
	/* The guest has cleared the mask bit of an MSI-X table entry. */
	void (*vector_unmasked)(void *ctx, unsigned vector);
};

/* `bar` of the ops and of trapped accesses that means the expansion ROM. */
#define VFIO_ROM CFG_BARS
#define VFIO_RANGES (CFG_BARS + 1)

struct vfio_dev;

struct vfio_open {
	const char *bdf; /* host address, "0000:01:10.0" */
	int fd; /* VFIO cdev, or group; borrowed for the device's life */
	struct iommu_space *space;
	struct irq_table *irqs;
	uint32_t guest_devid; /* requester id in the guest */
	struct cfg_place place;
	const struct vfio_host_ops *host;
	void *host_ctx;
	bool late_routes; /* the VMM serves vfio_dev_late_fd(); see above */
	/* GSIs of INTA to INTD at this place; NULL: the machine has no INTx.
	 * place.intx_pin is taken from the function, not from here. */
	const uint32_t *intx_gsi;
	/* The expansion ROM: -1 = the device's own; a file to be read instead
	 * (borrowed while opening), or none at all. */
	int rom_fd;
	bool no_rom;
};
/* Errors: those of iommu_attach, FL-04xx, FL-09xx. On success the function is
 * reset and no bus master, and the guest's view of it decodes nothing. */
_must_check_ int vfio_dev_open(const struct vfio_open *o, struct vfio_dev **ret,
                               struct diag *d);
/* NULL is allowed. With a character device the kernel lets go when `fd` of
 * vfio_open, and KVM's reference (KVM_DEV_VFIO_FILE_DEL), are gone too. */
void vfio_dev_close(struct vfio_dev *v);

/* Configuration cycles; `width` 1, 2, 4. A write is false while a refusal waits
 * to be taken (vfio_dev_take_fault), its own or an earlier one. */
uint32_t vfio_dev_cfg_read(struct vfio_dev *v, unsigned off, unsigned width);
bool vfio_dev_cfg_write(struct vfio_dev *v, unsigned off, unsigned width,
                        uint32_t value);

/* Trapped BAR accesses; `width` 1, 2, 4, 8. Reads of nothing are all ones;
 * writes as above. */
uint64_t vfio_dev_bar_read(struct vfio_dev *v, unsigned bar, uint64_t off,
                           unsigned width);
bool vfio_dev_bar_write(struct vfio_dev *v, unsigned bar, uint64_t off,
                        unsigned width, uint64_t value);

/* For placing BARs before the guest runs. */
const struct cfg_bar *vfio_dev_bars(const struct vfio_dev *v);
_must_check_ int vfio_dev_bar_place(struct vfio_dev *v, unsigned bar,
                                    uint64_t addr);
const struct cfg_layout *vfio_dev_layout(const struct vfio_dev *v);

/* Reset with the guest's (VFIO_DEVICE_RESET); the view goes back to reset
 * values, interrupts off, no BAR decodes. On error (FL_VFIO_RESET) the view
 * is reset all the same, the device is not. */
_must_check_ int vfio_dev_reset(struct vfio_dev *v, struct diag *d);

/*
 * Readable when the host wants the device back (VFIO_PCI_REQ_IRQ_INDEX). The
 * VMM must then let go: vfio_dev_close(). -1 where the kernel has no such
 * interrupt. Borrowed.
 */
int vfio_dev_request_fd(const struct vfio_dev *v);

/* See "late routes"; -1 without them. Borrowed; poll it for input, then
 * settle. Settling without need does nothing. It waits for a busy device (a
 * guest may reset it again and again) 10 ms at most; the descriptor then stays
 * readable. */
int vfio_dev_late_fd(const struct vfio_dev *v);
void vfio_dev_late_settle(struct vfio_dev *v);

/*
 * Readable when the device has met an uncorrectable error and the host's
 * recovery has stopped it (VFIO_PCI_ERR_IRQ_INDEX, PCIe 6.0 6.2). The VMM must
 * take it from the guest, reset it and check it. -1 where the kernel has no
 * such interrupt. Borrowed.
 */
int vfio_dev_error_fd(const struct vfio_dev *v);
/* Does it answer, and is it the function whose layout was taken? -ENODEV
 * FL_VFIO_GONE. */
_must_check_ int vfio_dev_check(struct vfio_dev *v, struct diag *d);

/* Can VFIO_DEVICE_RESET reset this function alone? Where it cannot, the VMM
 * owns it only with all others of its bus, by vfio_hot_reset(). */
bool vfio_dev_resets_alone(const struct vfio_dev *v);
/*
 * Resets a whole bus (PCIe 6.0 6.6.1, VFIO_DEVICE_PCI_HOT_RESET) with all the
 * functions on it: `devs` must be all of them that VFIO names. `group_fds` are
 * the open groups, n_groups 0 with character devices. Each view goes to its
 * reset values. -EPERM FL_VFIO_HOT_RESET names each function that is not
 * accounted for, and nothing is reset.
 */
_must_check_ int vfio_hot_reset(struct vfio_dev *const *devs, unsigned n,
                                const int *group_fds, unsigned n_groups,
                                struct diag *d);

/* Something has moved away in the guest: BARs that trap_add refused are
 * offered again. Must not be called from an op. */
void vfio_dev_offer(struct vfio_dev *v);

/* One interrupt of the device, for people and for the storm limiter. */
enum vfio_irq_kind {
	VFIO_KIND_INTX,
	VFIO_KIND_MSI,
	VFIO_KIND_MSIX
};
struct vfio_vector {
	enum vfio_irq_kind kind;
	uint16_t index;
	bool armed;         /* VFIO has its eventfd */
	bool throttled;     /* held masked by vfio_dev_throttle() */
	uint32_t gsi;       /* INTx only */
	struct irq_msg msg; /* the guest's; not for INTx */
};
/* Those that are in use. Returns how many, none when the device stays busy for
 * 10 ms; writes at most `max`. */
unsigned vfio_dev_vectors(struct vfio_dev *v, struct vfio_vector *ret,
                          unsigned max);
/* Keeps a vector masked in the device whatever the guest says, through resets
 * and from one kind of message to the other, or lets go. False when the device
 * stays busy for 10 ms: nothing has changed then. */
bool vfio_dev_throttle(struct vfio_dev *v, enum vfio_irq_kind kind,
                       unsigned index, bool on);

/* The latest refusal that a guest access met, once: true and *ret filled.
 * False, too, when the device stays busy for 10 ms; a refusal is then kept.
 * The caller limits the rate of what it logs. */
bool vfio_dev_take_fault(struct vfio_dev *v, struct diag *ret);
/* Is there one? Takes no lock: for who asks after every access. */
bool vfio_dev_has_fault(const struct vfio_dev *v);

struct vfio_stats {
	uint32_t resets;   /* resets we caused; the first is by opening */
	uint32_t set_irqs; /* SET_IRQS calls */
	uint32_t vectors;  /* with an eventfd armed now */
	uint32_t windows;  /* mapped into the guest now */
	uint64_t cfg_reads, cfg_writes, bar_reads, bar_writes; /* trapped */
	uint32_t faults; /* refusals met: take_fault's, and vfio_dev_reset's */
	bool dynamic_msix;
};
struct vfio_stats vfio_dev_stats(struct vfio_dev *v);
/* For a thread that must not wait for a reset: false, and *ret untouched, when
 * the device stays busy for 10 ms. */
_must_check_ bool vfio_dev_stats_soon(struct vfio_dev *v,
                                      struct vfio_stats *ret);

#endif
