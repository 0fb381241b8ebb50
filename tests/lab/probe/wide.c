/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sixty-four vectors that the guest has ready when it turns MSI-X on: what that
 * costs in calls of the kernel, and that each of them interrupts. */

#include <poll.h>

#include "tests/lab/probe/probe.h"

#define WIDE 64u

/* VFIO has one kind of interrupt at a time: a pin that is on is turned off
 * first, by a call of its own. */
static void enable(struct probe *p)
{
	const unsigned wanted = p->play.lines ? 2 : 1;
	unsigned before = vfio_dev_stats(p->dev).set_irqs;

	for (unsigned i = 0; i < WIDE; i++) {
		msix_message(p, i, 0x40 + i);
		msix_mask(p, i, false);
	}
	msix_control(p, PCI_MSIX_FLAGS_ENABLE);
	before = vfio_dev_stats(p->dev).set_irqs - before;
	CHECK(vfio_dev_stats(p->dev).vectors == WIDE, "%u of %u vectors armed",
	      vfio_dev_stats(p->dev).vectors, WIDE);
	CHECK(before == wanted, "%u SET_IRQS, not %u", before, wanted);
}

/* VFIO's own trigger: the kernel signals as if the device had. */
static void fire(struct probe *p, unsigned vector)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_MSIX_IRQ_INDEX,
		.start = vector,
		.count = 1,
	};

	CHECK(vfio_kern_linux.ioctl(p->dev->fd, VFIO_DEVICE_SET_IRQS, &set) >=
	              0,
	      "trigger %u: %s", vector, strerror(errno));
}

static void settle(struct probe *p)
{
	struct pollfd pfd = { .fd = vfio_dev_late_fd(p->dev),
		              .events = POLLIN };

	fire(p, WIDE / 2);
	CHECK(poll(&pfd, 1, 2000) == 1, "the first interrupt did not come");
	vfio_dev_late_settle(p->dev);
	CHECK(p->play.commits == 1 && p->play.irqfds == WIDE,
	      "%u commits, %u irqfds", p->play.commits, p->play.irqfds);
	CHECK(count_of(vector_fd(p, WIDE / 2), 0) == 1,
	      "the first interrupt was lost");
}

void probe_wide(struct probe *p)
{
	unsigned n = vfio_dev_layout(p->dev)->msix.vectors;

	CHECK(n > WIDE, "%u vectors are not enough", n);
	place_all(p);
	command(p, MEM_MASTER);
	enable(p);
	settle(p);
	for (unsigned i = 0; i < WIDE; i++) {
		fire(p, i);
		CHECK(count_of(vector_fd(p, i), 2000) == 1,
		      "vector %u: no interrupt", i);
	}
	CHECK(p->play.commits == 1, "%u commits", p->play.commits);
	ok("%u vectors enabled: 1 SET_IRQS, 1 route commit, each interrupts",
	   WIDE);
	msix_control(p, 0);
	CHECK(!p->play.irqfds, "MSI-X off: %u irqfds", p->play.irqfds);
	expect_no_fault(p);
	close_device(p);
	ok("closed");
}
