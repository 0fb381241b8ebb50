/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host asks for the device back (VF removal, unbind): the kernel signals
 * this eventfd and waits until the device is let go. Without it the writer of
 * sriov_numvfs hangs, and every reader after it.
 */

#include <string.h>
#include <sys/eventfd.h>

#include "vfio/priv.h"

int vfio_request_arm(struct vfio_dev *v)
{
	char buf[sizeof(struct vfio_irq_set) + sizeof(int32_t)]
		__attribute__((aligned(8)));
	struct vfio_irq_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_REQ_IRQ_INDEX,
	};
	struct vfio_irq_set *set = (struct vfio_irq_set *)buf;
	_cleanup_close_ int fd = -1;
	int32_t arg;
	int r;

	/* Kernels before 4.0 know no such index: not an error. */
	r = v->kern->ioctl(v->fd, VFIO_DEVICE_GET_IRQ_INFO, &info);
	if (r == -EINVAL || (r >= 0 && !info.count))
		return 0;
	if (r < 0)
		return r;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	arg = fd;
	*set = (struct vfio_irq_set){
		.argsz = sizeof(buf),
		.flags =
			VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_REQ_IRQ_INDEX,
		.count = 1,
	};
	memcpy(set->data, &arg, sizeof(arg));
	r = vfio_set_irqs(v, set);
	if (r < 0)
		return r;
	v->request_fd = TAKE_FD(fd);
	return 0;
}
