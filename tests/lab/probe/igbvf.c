/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An igb VF: its memory, its MSI-X with interrupts that it raises itself, its
 * reset. The PF must be up: the VF's interrupts are off otherwise. */

#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lab/probe/probe.h"

/* 82576 VF, datasheet 7.10.3: in BAR 0. */
#define VF_STATUS 0x8u
#define VF_EICS 0x1520u /* raise */
#define VF_EIMS 0x1524u /* enable */
#define VF_EIAC 0x152cu /* clear by itself on the message */

#define RAM_SIZE (64ull << 20)

static void check_maps(struct probe *p)
{
	int memfd = memfd_create("ram", MFD_CLOEXEC);
	struct iommu_range range[IOMMU_RANGES_MAX];
	struct iommu_region r = { .size = RAM_SIZE, .writable = true };
	struct diag d = { 0 };
	int n;

	CHECK(memfd >= 0 && ftruncate(memfd, RAM_SIZE) == 0, "memfd");
	r.memfd = memfd;
	r.hva = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd,
	             0);
	CHECK(r.hva != MAP_FAILED, "mmap");
	n = iommu_usable(p->space, range);
	CHECK(n >= 2, "usable ranges: %d, the MSI window must be a hole", n);
	MUST(iommu_map(p->space, &r, &d), &d);
	n = iommu_map(p->space, &r, &d);
	CHECK(n == -EEXIST && d.code == FL_IOMMU_MAP, "mapped twice: %d", n);
	r.iova.v = 0xfee00000;
	n = iommu_map(p->space, &r, &d);
	CHECK(n == -EADDRNOTAVAIL && d.code == FL_IOMMU_RESERVED,
	      "mapped over the MSI window: %d", n);
	r.iova.v = 1ull << 32;
	MUST(iommu_map(p->space, &r, &d), &d);
	n = iommu_unmap(p->space, r.iova, RAM_SIZE);
	CHECK(n == 0, "unmap: %s", strerror(-n));
	n = (int)iommu_space_stats(p->space).maps;
	CHECK(n == 2, "maps: %d", n);
	ok("maps: one call a region, by file: %s; twice is EEXIST, the MSI "
	   "window is refused",
	   iommu_space_stats(p->space).by_file ? "yes" : "no");
	munmap(r.hva, RAM_SIZE);
	close(memfd);
}

static uint32_t bar0(struct probe *p, unsigned off)
{
	return *(volatile uint32_t *)(void *)(p->play.hva0 + off);
}

static void set_bar0(struct probe *p, unsigned off, uint32_t value)
{
	*(volatile uint32_t *)(void *)(p->play.hva0 + off) = value;
}

static void check_windows(struct probe *p)
{
	uint32_t direct, trapped;

	CHECK(!vfio_dev_bar_place(p->dev, 0, BAR0_AT), "place BAR 0");
	CHECK(!vfio_dev_bar_place(p->dev, 3, BAR3_AT), "place BAR 3");
	CHECK(!p->play.windows, "windows before memory decode");
	vfio_dev_cfg_write(p->dev, PCI_COMMAND, 2,
	                   PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	CHECK(p->play.traps == 2 && p->play.windows == 2 && p->play.hva0,
	      "%u traps, %u windows", p->play.traps, p->play.windows);
	direct = bar0(p, VF_STATUS);
	trapped = (uint32_t)vfio_dev_bar_read(p->dev, 0, VF_STATUS, 4);
	CHECK(direct == trapped && direct != UINT32_MAX,
	      "STATUS is %#x by window, %#x by trap", direct, trapped);
	vfio_dev_cfg_write(p->dev, PCI_COMMAND, 2, 0);
	CHECK(!p->play.traps && !p->play.windows, "decode off: %u windows",
	      p->play.windows);
	vfio_dev_cfg_write(p->dev, PCI_COMMAND, 2,
	                   PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	CHECK(p->play.windows == 2, "decode on again");
	ok("windows follow COMMAND; STATUS %#x by window and by trap", direct);
}

static uint32_t pending(struct probe *p)
{
	const struct cfg_msix_facts *m = &vfio_dev_layout(p->dev)->msix;

	return (uint32_t)vfio_dev_bar_read(p->dev, m->pba_bar, m->pba_off, 4);
}

/* As Linux does: enable with all masked, a placeholder message in each entry,
 * the function unmasked, and then the vectors, one by one. */
static void enable_like_linux(struct probe *p, unsigned n)
{
	unsigned set_irqs = vfio_dev_stats(p->dev).set_irqs;

	msix_control(p, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	for (unsigned i = 0; i < n; i++) {
		msix_mask(p, i, true);
		msix_message(p, i, 0xef);
	}
	msix_control(p, PCI_MSIX_FLAGS_ENABLE);
	CHECK(!p->play.commits, "%u commits while all is masked",
	      p->play.commits);
	for (unsigned i = 0; i < n; i++) {
		msix_message(p, i, 0x40 + i);
		msix_mask(p, i, false);
	}
	CHECK(vfio_dev_stats(p->dev).vectors == n, "%u of %u vectors armed",
	      vfio_dev_stats(p->dev).vectors, n);
	ok("%u vectors enabled as Linux does: %u SET_IRQS, no commit yet", n,
	   vfio_dev_stats(p->dev).set_irqs - set_irqs);
}

static void fire(struct probe *p, unsigned vector)
{
	set_bar0(p, VF_EICS, BIT(vector));
}

static void check_late(struct probe *p, unsigned n)
{
	struct pollfd pfd = { .fd = vfio_dev_late_fd(p->dev),
		              .events = POLLIN };
	int r;

	set_bar0(p, VF_EIAC, BITS(2, 0));
	set_bar0(p, VF_EIMS, BITS(2, 0));
	fire(p, 1);
	r = poll(&pfd, 1, 2000);
	CHECK(r == 1, "the device raised vector 1 and nothing came");
	vfio_dev_late_settle(p->dev);
	CHECK(p->play.commits == 1 && p->play.irqfds == n,
	      "%u commits, %u irqfds", p->play.commits, p->play.irqfds);
	CHECK(poll(&pfd, 1, 0) == 0, "the late set is still readable");
	CHECK(count_of(vector_fd(p, 1), 0) == 1,
	      "the first interrupt was lost");
	for (unsigned i = 0; i < n; i++) {
		fire(p, i);
		CHECK(count_of(vector_fd(p, i), 2000) == 1,
		      "vector %u: no interrupt", i);
	}
	CHECK(p->play.commits == 1, "%u commits", p->play.commits);
	ok("%u vectors live: 1 route commit, the first interrupt kept", n);
}

static void check_masking(struct probe *p)
{
	unsigned commits = p->play.commits;

	msix_mask(p, 0, true);
	for (unsigned i = 0; i < 10; i++)
		fire(p, 0);
	CHECK(count_of(vector_fd(p, 0), 100) == 0,
	      "a masked vector interrupted");
	CHECK(pending(p) & 1, "PBA is %#x, bit 0 must be set", pending(p));
	msix_mask(p, 0, false);
	CHECK(count_of(vector_fd(p, 0), 2000) == 1,
	      "the pending interrupt is lost");
	CHECK(!(pending(p) & 1), "PBA is %#x after the unmask", pending(p));
	CHECK(p->play.commits == commits, "an unmask made a route commit");
	msix_control(p, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	fire(p, 2);
	CHECK(count_of(vector_fd(p, 2), 100) == 0,
	      "function mask does not hold");
	msix_control(p, PCI_MSIX_FLAGS_ENABLE);
	CHECK(count_of(vector_fd(p, 2), 2000) == 1,
	      "lost under the function mask");
	ok("masked: the device's pending bit, then exactly one interrupt");
}

static void check_move(struct probe *p)
{
	unsigned commits = p->play.commits;

	msix_mask(p, 1, true);
	msix_message(p, 1, 0x99);
	msix_mask(p, 1, false);
	CHECK(p->play.commits == commits + 1, "message moved: %u commits",
	      p->play.commits - commits);
	ok("a live vector's new message is committed at its unmask");
}

static void check_loopback(struct probe *p)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_MSIX_IRQ_INDEX,
		.start = 2,
		.count = 1,
	};

	CHECK(vfio_kern_linux.ioctl(p->dev->fd, VFIO_DEVICE_SET_IRQS, &set) >=
	              0,
	      "loopback: %s", strerror(errno));
	CHECK(count_of(vector_fd(p, 2), 2000) == 1, "loopback did not arrive");
	ok("VFIO's loopback trigger arrives on vector 2");
}

static void check_reset(struct probe *p)
{
	uint16_t express = vfio_dev_layout(p->dev)->express;
	struct diag d = { 0 };

	msix_control(p, 0);
	CHECK(!p->play.irqfds && !vfio_dev_stats(p->dev).vectors,
	      "MSI-X off: %u irqfds", p->play.irqfds);
	CHECK(express, "no Express capability");
	vfio_dev_cfg_write(p->dev, express + PCI_EXP_DEVCTL, 2,
	                   PCI_EXP_DEVCTL_BCR_FLR);
	CHECK(vfio_dev_stats(p->dev).resets == 2, "FLR by the guest: %u resets",
	      vfio_dev_stats(p->dev).resets);
	CHECK(!p->play.windows &&
	              vfio_dev_cfg_read(p->dev, PCI_COMMAND, 2) == 0,
	      "after FLR the function decodes");
	MUST(vfio_dev_reset(p->dev, &d), &d);
	ok("FLR by the guest and reset by the VMM: windows gone, view reset");
	expect_no_fault(p);
}

void probe_igbvf(struct probe *p)
{
	unsigned n = vfio_dev_layout(p->dev)->msix.vectors;

	CHECK(n == 3, "an igb VF has 3 vectors, not %u", n);
	check_maps(p);
	check_windows(p);
	enable_like_linux(p, n);
	check_late(p, n);
	check_masking(p);
	check_move(p);
	check_loopback(p);
	check_reset(p);
	close_device(p);
	open_device(p);
	close_device(p);
	ok("closed, and open to the next at once");
}
