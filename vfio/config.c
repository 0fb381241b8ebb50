/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration cycles: pci-config decides, this file performs. Order of a
 * write's consequences: see window.c for decode; interrupts are brought up
 * last, when the guest's Message Control and COMMAND both stand. VFIO has one
 * kind of interrupt at a time: INTx goes off before MSI goes on, and comes on
 * after MSI went off.
 */

#include <linux/pci_regs.h>

#include "vfio/priv.h"

/* What decides whether, and where, a BAR decodes. */
#define EV_DECODE (CFG_EV_COMMAND | CFG_EV_BAR | CFG_EV_POWER)
/* What decides whether the function has INTx. */
#define EV_INTX (CFG_EV_COMMAND | CFG_EV_MSI | CFG_EV_MSIX)

static uint32_t device_read(struct vfio_dev *v, unsigned off, unsigned width)
{
	uint8_t buf[4];

	/* A device that is gone reads all ones (PCIe 6.0 2.3.2). */
	if (!range_inside(off, width, v->config_size) ||
	    v->kern->read(v->fd, buf, width, v->config_off + off) < 0)
		return UINT32_MAX;
	return (uint32_t)load_le(buf, width);
}

/* While INTx is held back the kernel is told INTx Disable, in whichever access
 * the byte is: it masks by that, whatever the end of interrupt says. */
static void hold_intx(const struct vfio_dev *v, unsigned off, unsigned width,
                      uint8_t *buf)
{
	const unsigned at = PCI_COMMAND + 1;

	if (v->intx.throttled && off <= at && at < off + width)
		buf[at - off] |= PCI_COMMAND_INTX_DISABLE >> 8;
}

static void fault_write(struct vfio_dev *v, int err, unsigned off,
                        unsigned width)
{
	struct diag *d = vfio_fault(v);

	diag_fail(d, err, FL_VFIO_CONFIG,
	          "write %u bytes at %#x of %s's configuration space", width,
	          off, v->bdf);
	diag_why(d, "%s", strerror(-err));
	vfio_mend(v, d);
}

static bool device_write(struct vfio_dev *v, unsigned off, unsigned width,
                         uint32_t value)
{
	uint8_t buf[4];
	int r;

	if (!range_inside(off, width, v->config_size))
		return true;
	store_le(buf, width, value);
	hold_intx(v, off, width, buf);
	r = v->kern->write(v->fd, buf, width, v->config_off + off);
	if (r < 0)
		fault_write(v, r, off, width);
	return r >= 0;
}

/* The kernel puts COMMAND back as it was after a reset, bus master and all;
 * the guest's view is the truth. */
void vfio_command_write(struct vfio_dev *v)
{
	(void)device_write(v, PCI_COMMAND, 2, cfg_command(&v->cfg));
}

uint32_t vfio_cfg_read(struct vfio_dev *v, unsigned off, unsigned width)
{
	struct cfg_read read = cfg_read(&v->cfg, off, width);

	if (!read.hw_mask)
		return read.value;
	return (read.value & ~read.hw_mask) |
	       (device_read(v, off, width) & read.hw_mask);
}

uint32_t vfio_dev_cfg_read(struct vfio_dev *v, unsigned off, unsigned width)
{
	uint32_t value;

	pthread_mutex_lock(&v->lock);
	v->stats.cfg_reads++;
	value = vfio_cfg_read(v, off, width);
	pthread_mutex_unlock(&v->lock);
	return value;
}

static bool is_awake(const struct vfio_dev *v)
{
	return !(v->cfg.now[v->cfg.pm + PCI_PM_CTRL] & PCI_PM_CTRL_STATE_MASK);
}

/* Apart, for what a diag costs where it is declared. */
static __attribute__((noinline)) void reset(struct vfio_dev *v)
{
	struct diag d;

	if (vfio_reset_locked(v, &d) < 0)
		*vfio_fault(v) = d;
}

/* Most writes change a byte of the view and have no consequence: they do not
 * come here. */
static __attribute__((noinline)) void
perform(struct vfio_dev *v, struct cfg_write w, unsigned off, unsigned width)
{
	bool took = true;

	if (w.events & CFG_EV_FLR) {
		/* The rest of the write is lost in the reset. */
		reset(v);
		return;
	}
	if (w.events & EV_DECODE)
		vfio_windows_withdraw(v);
	if (w.events & EV_INTX)
		vfio_intx_withdraw(v);
	if (w.forward)
		took = device_write(v, off, width, w.hw_value);
	/* Waking, the kernel puts COMMAND back as it was when the device fell
	 * asleep; the guest may have changed its mind since. */
	if ((w.events & CFG_EV_POWER) && is_awake(v))
		vfio_command_write(v);
	/* A device that has gone did not: the kernel answers accesses to its
	 * memory with a fault, which ends KVM_RUN and with it the guest. */
	if ((w.events & EV_DECODE) && took)
		vfio_windows_offer(v);
	if (w.events & CFG_EV_MSIX)
		vfio_msix_update(v);
	/* MSI-X off may be what MSI waited for (PCIe 6.0 6.1.4: one only). */
	if (w.events & (CFG_EV_MSI | CFG_EV_MSIX))
		vfio_msi_update(v);
	if (w.events & EV_INTX)
		vfio_intx_offer(v);
}

void vfio_cfg_write(struct vfio_dev *v, unsigned off, unsigned width,
                    uint32_t value)
{
	struct cfg_write w = cfg_write(&v->cfg, off, width, value);

	if (w.events || w.forward)
		perform(v, w, off, width);
}

bool vfio_dev_cfg_write(struct vfio_dev *v, unsigned off, unsigned width,
                        uint32_t value)
{
	bool good;

	pthread_mutex_lock(&v->lock);
	v->stats.cfg_writes++;
	vfio_cfg_write(v, off, width, value);
	good = !vfio_has_fault(v);
	pthread_mutex_unlock(&v->lock);
	return good;
}

int vfio_dev_bar_place(struct vfio_dev *v, unsigned bar, uint64_t addr)
{
	int r;

	pthread_mutex_lock(&v->lock);
	r = cfg_bar_place(&v->cfg, bar, addr);
	if (r >= 0) {
		vfio_windows_withdraw(v);
		vfio_windows_offer(v);
	}
	pthread_mutex_unlock(&v->lock);
	return r;
}
