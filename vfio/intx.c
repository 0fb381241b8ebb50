/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * INTx (PCIe 6.0 6.1.2) without userspace: the kernel masks the function's
 * line as it fires and signals the trigger eventfd; the guest's end of
 * interrupt signals the resample eventfd, on which the kernel looks whether
 * the level is still there, and signals again or unmasks.
 *
 * Order at start: the line is tied, then the resample eventfd must be there
 * as soon as the trigger is, but VFIO takes it only after. That is no race:
 * an end of interrupt in between stays counted in the eventfd, and VFIO looks
 * at the count when it is given one. Then the device is asked whether its level
 * stands already. At stop: the source first, so that the pin is not raised
 * again after KVM has lowered it.
 *
 * INTx Disable goes to the kernel with COMMAND (config.c), which masks and
 * unmasks by it and resends a level that it finds.
 */

#include <linux/pci_regs.h>
#include <string.h>

#include "vfio/priv.h"

#define COMMAND_ALIVE (PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)

/* ---- calls ---- */

static int set_eventfd(struct vfio_dev *v, uint32_t action, int fd)
{
	char buf[sizeof(struct vfio_irq_set) + sizeof(int32_t)]
		__attribute__((aligned(8)));
	struct vfio_irq_set *set = (struct vfio_irq_set *)buf;
	int32_t arg = fd;

	*set = (struct vfio_irq_set){
		.argsz = sizeof(buf),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | action,
		.index = VFIO_PCI_INTX_IRQ_INDEX,
		.count = 1,
	};
	memcpy(set->data, &arg, sizeof(arg));
	return vfio_set_irqs(v, set);
}

static int set_none(struct vfio_dev *v, uint32_t action, uint32_t count)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | action,
		.index = VFIO_PCI_INTX_IRQ_INDEX,
		.count = count,
	};

	return vfio_set_irqs(v, &set);
}

static int set_off(struct vfio_dev *v)
{
	return set_none(v, VFIO_IRQ_SET_ACTION_TRIGGER, 0);
}

static void fault_intx(struct vfio_dev *v, int err, const char *what)
{
	struct diag *d = vfio_fault(v);

	diag_fail(d, err, FL_VFIO_IRQ, "%s INTx of %s", what, v->bdf);
	diag_why(d, "VFIO_DEVICE_SET_IRQS: %s",
	         err == -EBUSY
	                 ? "the function cannot mask its INTx, and another "
	                   "device has the same host interrupt"
	                 : strerror(-err));
	if (err == -EBUSY)
		diag_mend(d, "grep vfio-intx /proc/interrupts; unbind the "
		             "other device's driver, or use MSI in the guest");
}

/* A level that stood before the host's pin was armed need not interrupt: the
 * pin may have been edge triggered as it rose. The unmask reads the device's
 * own status. */
static int look(struct vfio_dev *v)
{
	int r = set_none(v, VFIO_IRQ_SET_ACTION_MASK, 1);

	return r < 0 ? r : set_none(v, VFIO_IRQ_SET_ACTION_UNMASK, 1);
}

/* ---- on and off ---- */

static void start(struct vfio_dev *v)
{
	struct vfio_intx *x = &v->intx;
	struct diag d = { 0 };
	int r = irq_line_tie(x->line, &d);

	if (r < 0) {
		*vfio_fault(v) = d;
		return;
	}
	r = set_eventfd(v, VFIO_IRQ_SET_ACTION_TRIGGER,
	                irq_line_trigger_fd(x->line));
	if (r < 0) {
		fault_intx(v, r, "enable");
		irq_line_untie(x->line);
		return;
	}
	x->armed = true;
	r = set_eventfd(v, VFIO_IRQ_SET_ACTION_UNMASK,
	                irq_line_resample_fd(x->line));
	if (r >= 0)
		r = look(v);
	if (r >= 0)
		return;
	/* It would fire once and never again: better not at all. */
	fault_intx(v, r, "take the end of interrupt for");
	vfio_intx_off(v);
}

void vfio_intx_off(struct vfio_dev *v)
{
	int r;

	if (!v->intx.armed)
		return;
	r = set_off(v);
	if (r < 0)
		fault_intx(v, r, "disable");
	irq_line_untie(v->intx.line);
	v->intx.armed = false;
}

/* A function without decode and master has nothing to say; one with MSI or
 * MSI-X on is forbidden INTx (PCIe 6.0 6.1.4), whether the host had vectors
 * for it or not. */
static bool wanted(const struct vfio_dev *v)
{
	return v->intx.line && (cfg_command(&v->cfg) & COMMAND_ALIVE) &&
	       v->irq.index == IRQ_OFF && !cfg_msi_state(&v->cfg).enabled &&
	       !cfg_msix_state(&v->cfg).enabled;
}

void vfio_intx_withdraw(struct vfio_dev *v)
{
	if (!wanted(v))
		vfio_intx_off(v);
}

void vfio_intx_offer(struct vfio_dev *v)
{
	if (!v->intx.armed && wanted(v))
		start(v);
}

/* ---- open and close ---- */

int vfio_intx_init(struct vfio_dev *v, const uint32_t *gsi, uint8_t *ret_pin,
                   struct diag *d)
{
	struct vfio_irq_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_INTX_IRQ_INDEX,
	};
	uint8_t pin = v->layout.raw[PCI_INTERRUPT_PIN];
	int r;

	*ret_pin = 0;
	if (!gsi || pin < 1 || pin > 4)
		return 0;
	r = v->kern->ioctl(v->fd, VFIO_DEVICE_GET_IRQ_INFO, &info);
	if (r < 0)
		return vfio_fail_info(v, r, "read INTx facts of",
		                      "VFIO_DEVICE_GET_IRQ_INFO", d);
	/* The host has not connected the pin: neither has the guest. */
	if (!info.count)
		return 0;
	r = irq_line_new(v->table, gsi[pin - 1], &v->intx.line, d);
	if (r >= 0)
		*ret_pin = pin;
	return r;
}

void vfio_intx_fini(struct vfio_dev *v)
{
	vfio_intx_off(v);
	irq_line_free(v->intx.line);
}
