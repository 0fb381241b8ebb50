/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The function under test: opened, closed, and what a guest does to it. */

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/lab/probe/probe.h"

/* ---- open and close ---- */

void open_device(struct probe *p)
{
	struct diag d = { 0 };
	int fd = open(p->space_node, O_RDWR | O_CLOEXEC);
	static const uint32_t gsi[4] = { 16, 17, 18, 19 };
	struct vfio_open o = {
		.intx_gsi = gsi,
		.rom_fd = -1,
		.bdf = p->bdf,
		.guest_devid = 0x0100,
		.place = { .behind_port = true },
		.host = &play_host,
		.host_ctx = &p->play,
		.late_routes = true,
	};
	uint64_t begin;

	CHECK(fd >= 0, "%s: %s", p->space_node, strerror(errno));
	MUST(iommu_space_open(p->backend, fd, &p->space, &d), &d);
	p->fd = open(p->device_node, O_RDWR | O_CLOEXEC);
	CHECK(p->fd >= 0, "%s: %s", p->device_node, strerror(errno));
	MUST(irq_table_new(&play_sink, &p->play, 32, VECTORS_MAX, &p->irqs),
	     &d);
	o.fd = p->fd;
	o.space = p->space;
	o.irqs = p->irqs;
	begin = now_ns();
	MUST(vfio_dev_open(&o, &p->dev, &d), &d);
	ok("opened by %s in %" PRIu64 " ms: %s, dynamic MSI-X: %s, "
	   "request interrupt: %s",
	   iommu_backend_name(p->backend), (now_ns() - begin) / 1000000,
	   vfio_dev_resets_alone(p->dev) ? "one reset" : "no reset of its own",
	   vfio_dev_stats(p->dev).dynamic_msix ? "yes" : "no",
	   vfio_dev_request_fd(p->dev) >= 0 ? "armed" : "none");
}

void close_device(struct probe *p)
{
	vfio_dev_close(p->dev);
	irq_table_free(p->irqs);
	iommu_space_close(p->space);
	close(p->fd);
	CHECK(!p->play.irqfds && !p->play.windows && !p->play.traps &&
	              !p->play.lines,
	      "closed, and %u irqfds, %u windows, %u traps, %u lines are left",
	      p->play.irqfds, p->play.windows, p->play.traps, p->play.lines);
}

/* ---- the guest ---- */

int vector_fd(struct probe *p, unsigned vector)
{
	return irq_bank_eventfd(p->dev->irq.bank, vector);
}

uint64_t count_of(int fd, int wait_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	uint64_t n = 0;

	if (poll(&pfd, 1, wait_ms) > 0)
		CHECK(read(fd, &n, sizeof(n)) == sizeof(n), "eventfd");
	return n;
}

void expect_no_fault(struct probe *p)
{
	struct diag d = { 0 };

	CHECK(!vfio_dev_take_fault(p->dev, &d), "a fault: %s (%s)", d.what,
	      d.why);
}

void command(struct probe *p, uint16_t value)
{
	vfio_dev_cfg_write(p->dev, PCI_COMMAND, 2, value);
}

void place_all(struct probe *p)
{
	const struct cfg_bar *bar = vfio_dev_bars(p->dev);
	uint64_t at32 = BAR0_AT, at64 = 1ull << 40;

	for (unsigned i = 0; i < CFG_BARS; i++) {
		uint64_t *at = bar[i].kind == CFG_BAR_MEM64 ? &at64 : &at32;
		uint64_t addr;

		if (!bar[i].size || (bar[i].kind != CFG_BAR_MEM32 &&
		                     bar[i].kind != CFG_BAR_MEM64))
			continue;
		addr = ALIGN_UP(*at, bar[i].size);
		*at = addr + bar[i].size;
		CHECK(!vfio_dev_bar_place(p->dev, i, addr), "place BAR %u", i);
		CHECK(IS_ALIGNED((uintptr_t)p->dev->bar[i].base,
		                 MIN(bar[i].size, GIANT_PAGE)),
		      "BAR %u is mapped at %p", i, p->dev->bar[i].base);
		ok("BAR %u: %" PRIu64 " KiB, %u windows", i, bar[i].size >> 10,
		   p->dev->bar[i].n_spans);
	}
}

void msix_control(struct probe *p, uint16_t value)
{
	vfio_dev_cfg_write(p->dev,
	                   vfio_dev_layout(p->dev)->msix.cap + PCI_MSIX_FLAGS,
	                   2, value);
}

static void entry(struct probe *p, unsigned vector, unsigned reg, uint32_t val)
{
	const struct cfg_msix_facts *m = &vfio_dev_layout(p->dev)->msix;

	vfio_dev_bar_write(p->dev, m->table_bar,
	                   m->table_off + vector * 16 + reg, 4, val);
}

void msix_message(struct probe *p, unsigned vector, uint32_t data)
{
	entry(p, vector, PCI_MSIX_ENTRY_LOWER_ADDR, 0xfee00000);
	entry(p, vector, PCI_MSIX_ENTRY_UPPER_ADDR, 0);
	entry(p, vector, PCI_MSIX_ENTRY_DATA, data);
}

void msix_mask(struct probe *p, unsigned vector, bool on)
{
	entry(p, vector, PCI_MSIX_ENTRY_VECTOR_CTRL, on);
}

void msi_control(struct probe *p, uint16_t value, uint32_t data)
{
	const struct cfg_msi_facts *m = &vfio_dev_layout(p->dev)->msi;
	unsigned at = m->addr64 ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32;

	vfio_dev_cfg_write(p->dev, m->cap + PCI_MSI_ADDRESS_LO, 4, 0xfee00000);
	vfio_dev_cfg_write(p->dev, m->cap + at, 2, data);
	vfio_dev_cfg_write(p->dev, m->cap + PCI_MSI_FLAGS, 2, value);
}
