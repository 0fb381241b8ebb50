/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host says of the device, each by an eventfd: that it wants it back
 * (VF removal, unbind: without a listener the writer of sriov_numvfs hangs, and
 * every reader after it), and that it has met an uncorrectable error.
 */

#include <string.h>
#include <sys/eventfd.h>

#include "vfio/priv.h"

/* *ret stays -1 where the kernel knows no such index: kernels before 4.0, a
 * function that is not PCI Express. */
static int arm(struct vfio_dev *v, uint32_t index, int *ret)
{
	char buf[sizeof(struct vfio_irq_set) + sizeof(int32_t)]
		__attribute__((aligned(8)));
	struct vfio_irq_info info = { .argsz = sizeof(info), .index = index };
	struct vfio_irq_set *set = (struct vfio_irq_set *)buf;
	_cleanup_close_ int fd = -1;
	int32_t arg;
	int r;

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
		.index = index,
		.count = 1,
	};
	memcpy(set->data, &arg, sizeof(arg));
	r = vfio_set_irqs(v, set);
	if (r < 0)
		return r;
	*ret = TAKE_FD(fd);
	return 0;
}

int vfio_events_arm(struct vfio_dev *v, struct diag *d)
{
	const char *what = "listen to the request interrupt of";
	int r = arm(v, VFIO_PCI_REQ_IRQ_INDEX, &v->request_fd);

	if (r >= 0) {
		what = "listen to the error interrupt of";
		r = arm(v, VFIO_PCI_ERR_IRQ_INDEX, &v->error_fd);
	}
	if (r >= 0)
		return 0;
	return vfio_fail_info(
		v, r, what, "VFIO_DEVICE_GET_IRQ_INFO or VFIO_DEVICE_SET_IRQS",
		d);
}

void vfio_events_fini(struct vfio_dev *v)
{
	close_fd(&v->request_fd);
	close_fd(&v->error_fd);
}

int vfio_dev_request_fd(const struct vfio_dev *v)
{
	return v->request_fd;
}

int vfio_dev_error_fd(const struct vfio_dev *v)
{
	return v->error_fd;
}
