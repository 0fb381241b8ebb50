/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any device: its BARs, its vectors by VFIO's loopback, its ROM, its reset. */

#include <inttypes.h>
#include <stdlib.h>

#include "tests/lab/probe/probe.h"

/* Every vector by VFIO's loopback; none is lost while its route waits. */
static void loopback_all(struct probe *p, uint32_t index, unsigned n)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = index,
		.count = n,
	};

	CHECK(vfio_dev_stats(p->dev).vectors == n, "%u of %u vectors armed",
	      vfio_dev_stats(p->dev).vectors, n);
	CHECK(vfio_kern_linux.ioctl(p->dev->fd, VFIO_DEVICE_SET_IRQS, &set) >=
	              0,
	      "loopback");
	for (unsigned i = 0; i < n; i++)
		CHECK(count_of(vector_fd(p, i), 2000) == 1,
		      "vector %u: nothing", i);
	vfio_dev_late_settle(p->dev);
	CHECK(p->play.commits == 1 && p->play.irqfds == n,
	      "%u commits, %u irqfds", p->play.commits, p->play.irqfds);
	ok("%s: %u vectors, 1 commit, loopback on each, %u SET_IRQS in all",
	   index == VFIO_PCI_MSIX_IRQ_INDEX ? "MSI-X" : "MSI", n,
	   vfio_dev_stats(p->dev).set_irqs);
}

static void check_vectors(struct probe *p)
{
	const struct cfg_layout *l = vfio_dev_layout(p->dev);

	if (l->msix.cap) {
		unsigned n = MIN((unsigned)l->msix.vectors, VECTORS_MAX);

		for (unsigned i = 0; i < n; i++) {
			msix_message(p, i, 0x40 + i);
			msix_mask(p, i, false);
		}
		msix_control(p, PCI_MSIX_FLAGS_ENABLE);
		loopback_all(p, VFIO_PCI_MSIX_IRQ_INDEX, n);
		msix_control(p, 0);
	} else if (l->msi.cap) {
		msi_control(p, PCI_MSI_FLAGS_ENABLE, 0x40);
		loopback_all(p, VFIO_PCI_MSI_IRQ_INDEX, 1);
	}
	CHECK(!p->play.irqfds || !l->msix.cap, "irqfds are left");
}

/* As a guest's sysfs does: enabled, and its signature looked at. */
static void check_rom(struct probe *p)
{
	uint64_t size = vfio_dev_layout(p->dev)->rom_size;
	uint32_t at = 0xf0000000;

	if (!size)
		return;
	vfio_dev_cfg_write(p->dev, PCI_ROM_ADDRESS, 4,
	                   at | PCI_ROM_ADDRESS_ENABLE);
	CHECK(vfio_dev_bar_read(p->dev, VFIO_ROM, 0, 2) == 0xaa55,
	      "the ROM begins with %#" PRIx64,
	      vfio_dev_bar_read(p->dev, VFIO_ROM, 0, 2));
	vfio_dev_cfg_write(p->dev, PCI_ROM_ADDRESS, 4, 0);
	ok("ROM of %" PRIu64 " KiB", size >> 10);
}

void probe_any(struct probe *p)
{
	struct diag d = { 0 };

	place_all(p);
	vfio_dev_cfg_write(p->dev, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	CHECK(p->play.windows == vfio_dev_stats(p->dev).windows, "%u windows",
	      p->play.windows);
	check_vectors(p);
	check_rom(p);
	if (!vfio_dev_resets_alone(p->dev)) {
		close_device(p);
		ok("closed");
		return;
	}
	MUST(vfio_dev_reset(p->dev, &d), &d);
	CHECK(!p->play.windows && !p->play.irqfds, "left after the reset");
	expect_no_fault(p);
	close_device(p);
	ok("closed");
}
