/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VFIO_H
#define FL_VFIO_H

/*
 * vfio: one assigned PCI function.
 *
 * Theory of operation
 *   vfio_dev_open() attaches the function to the guest's DMA address space
 *   (iommu/), takes its layout once (pci-config/), maps its BARs into this
 *   process where the kernel allows, and arms the request interrupt. From
 *   then on the VMM calls in for trapped accesses only:
 *     - configuration cycles: decided by pci-config, performed here;
 *     - BAR accesses outside the mapped windows: the MSI-X table (kept here,
 *       the device never sees guest messages), the Pending Bit Array (read
 *       from the device), registers that share their pages.
 *   Everything else the guest reaches directly: a BAR that decodes is mapped
 *   into the guest with the fewest windows that leave out the pages of the
 *   MSI-X table and PBA, through the ops that the VMM lends.
 *
 *   Interrupts: the guest's table entries become routes (irq-remap/). On
 *   MSI-X enable, one SET_IRQS brings up all unmasked vectors, after one
 *   route commit. A masked vector is SET_IRQS with fd -1: the device's
 *   pending bit then stays set and is read through. A vector the guest never
 *   unmasked is never allocated where the kernel allows dynamic MSI-X.
 *
 *   Order: window removal -> command register off; command on -> window
 *   mapping. Routes -> irqfds -> SET_IRQS. Close: interrupts off -> windows
 *   -> device -> (the kernel resets the function).
 *
 * Threads: every function locks the device; calls for two devices do not
 * wait for one another.
 * Trust: off, width and value come from the guest; any value is answered.
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
};

/*
 * Lent by the VMM; all are called with the device's lock held, never on the
 * fast path.
 */
struct vfio_host_ops {
	/* Make `size` bytes at `hva` the guest's memory at `gpa`, and take
	 * them away again. Page aligned. */
	int (*window_add)(void *ctx, struct gpa gpa, void *hva, uint64_t size);
	int (*window_del)(void *ctx, struct gpa gpa, void *hva, uint64_t size);
	/* Send accesses of [addr, addr+size) that no window answers to
	 * vfio_dev_bar_read/write(dev, bar, ...). -EADDRINUSE where that range
	 * is RAM or something else's: the BAR then does not decode. */
	int (*trap_add)(void *ctx, unsigned bar, bool io, uint64_t addr,
	                uint64_t size);
	void (*trap_del)(void *ctx, unsigned bar, bool io, uint64_t addr,
	                 uint64_t size);
};

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
};
/* Errors: those of iommu_attach, and FL-04xx. */
_must_check_ int vfio_dev_open(const struct vfio_open *o, struct vfio_dev **ret,
                               struct diag *d);
void vfio_dev_close(struct vfio_dev *v);

/* Configuration cycles; `width` 1, 2, 4. */
uint32_t vfio_dev_cfg_read(struct vfio_dev *v, unsigned off, unsigned width);
void vfio_dev_cfg_write(struct vfio_dev *v, unsigned off, unsigned width,
                        uint32_t value);

/* Trapped BAR accesses; `width` 1, 2, 4, 8. Reads of nothing are all ones. */
uint64_t vfio_dev_bar_read(struct vfio_dev *v, unsigned bar, uint64_t off,
                           unsigned width);
void vfio_dev_bar_write(struct vfio_dev *v, unsigned bar, uint64_t off,
                        unsigned width, uint64_t value);

/* For placing BARs before the guest runs. */
const struct cfg_bar *vfio_dev_bars(const struct vfio_dev *v);
_must_check_ int vfio_dev_bar_place(struct vfio_dev *v, unsigned bar,
                                    uint64_t addr);
const struct cfg_layout *vfio_dev_layout(const struct vfio_dev *v);

/* Reset with the guest's (VFIO_DEVICE_RESET); the view goes back to reset
 * values, interrupts off, no BAR decodes. */
_must_check_ int vfio_dev_reset(struct vfio_dev *v, struct diag *d);

/*
 * Readable when the host wants the device back (VFIO_PCI_REQ_IRQ_INDEX). The
 * VMM must then let go: vfio_dev_close(). -1 where the kernel has no such
 * interrupt. Borrowed.
 */
int vfio_dev_request_fd(const struct vfio_dev *v);

struct vfio_stats {
	uint32_t resets; /* resets we caused: 1 by opening, + vfio_dev_reset */
	uint32_t set_irqs; /* SET_IRQS calls */
	uint32_t vectors;  /* with an eventfd armed now */
	uint32_t windows;  /* mapped into the guest now */
	uint64_t cfg_reads, cfg_writes, bar_reads, bar_writes; /* trapped */
	bool dynamic_msix;
};
struct vfio_stats vfio_dev_stats(struct vfio_dev *v);

#endif
