/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A function's own reset (FLR or PM reset, as the kernel chose), and what
 * every reset has around it. Order: interrupts, windows, the reset, the view.
 * hotreset.c is the other rung of the ladder.
 */

#include <linux/pci_regs.h>
#include <poll.h>
#include <string.h>

#include "vfio/priv.h"

#define RETRIES 10
#define RETRY_MS 10

/* The kernel only tries for the locks of a reset (pci_try_reset_function:
 * EAGAIN; a bus reset meets page faults: EBUSY), and somebody else may have one
 * for a moment. By poll: the VMM's sandbox has no sleep. */
int vfio_reset_call(const struct vfio_dev *v, unsigned long request, void *arg)
{
	int r = v->kern->ioctl(v->fd, request, arg);

	for (int i = 0; (r == -EAGAIN || r == -EBUSY) && i < RETRIES; i++) {
		(void)poll(NULL, 0, RETRY_MS);
		r = v->kern->ioctl(v->fd, request, arg);
	}
	return r;
}

void vfio_quiesce(struct vfio_dev *v)
{
	vfio_intx_off(v);
	vfio_irqs_off(v);
	vfio_windows_withdraw_all(v);
}

void vfio_view_reset(struct vfio_dev *v)
{
	cfg_reset(&v->cfg);
	cfg_msix_reset(&v->msix);
	vfio_command_write(v);
	v->rom_failed = false;
}

/* Without a reset the next guest could read what this one left. */
static int fail_no_reset(const struct vfio_dev *v, struct diag *d)
{
	diag_fail(d, -EOPNOTSUPP, FL_VFIO_NO_RESET, "reset %s", v->bdf);
	diag_why(d, "the kernel has no way to reset this function alone");
	diag_mend(d,
	          "cat /sys/bus/pci/devices/%s/reset_method; give the guest "
	          "every function of its bus, which is then reset as a whole",
	          v->bdf);
	return -EOPNOTSUPP;
}

int vfio_reset_locked(struct vfio_dev *v, struct diag *d)
{
	int r = 0;

	vfio_quiesce(v);
	if (v->resets_alone)
		r = vfio_reset_call(v, VFIO_DEVICE_RESET, NULL);
	vfio_view_reset(v);
	if (!v->resets_alone)
		return fail_no_reset(v, d);
	if (r < 0) {
		diag_fail(d, r, FL_VFIO_RESET, "reset %s", v->bdf);
		diag_why(d, "VFIO_DEVICE_RESET: %s", strerror(-r));
		diag_mend(d,
		          "journalctl -k | grep %s says why the function did "
		          "not come back",
		          v->bdf);
		return r;
	}
	v->stats.resets++;
	return 0;
}

int vfio_dev_reset(struct vfio_dev *v, struct diag *d)
{
	int r;

	pthread_mutex_lock(&v->lock);
	r = vfio_reset_locked(v, d);
	v->stats.faults += r < 0;
	pthread_mutex_unlock(&v->lock);
	return r;
}

/* ---- is it still there ---- */

/* VFIO shows a VF's ids from its own memory; Status always lives. */
static bool answers(struct vfio_dev *v, const uint8_t *head)
{
	return load_le(head + PCI_STATUS, 2) != 0xffff &&
	       memcmp(head, v->layout.raw, 4) == 0 &&
	       memcmp(head + PCI_CLASS_REVISION,
	              v->layout.raw + PCI_CLASS_REVISION, 4) == 0;
}

int vfio_dev_check(struct vfio_dev *v, struct diag *d)
{
	uint8_t head[16];
	int r;

	pthread_mutex_lock(&v->lock);
	r = v->kern->read(v->fd, head, sizeof(head), v->config_off);
	if (r >= 0 && !answers(v, head))
		r = -ENODEV;
	pthread_mutex_unlock(&v->lock);
	if (r >= 0)
		return 0;
	diag_fail(d, -ENODEV, FL_VFIO_GONE, "find %s again", v->bdf);
	diag_why(d, "%s",
	         r == -ENODEV ? "it does not answer, or another device is there"
	                      : strerror(-r));
	diag_mend(d, "lspci -s %s; dmesg; it may need a power cycle", v->bdf);
	return -ENODEV;
}
