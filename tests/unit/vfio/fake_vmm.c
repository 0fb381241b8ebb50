/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VMM and the guest of fake.h. */
#include "tests/unit/vfio/fake.h"

#include <linux/pci_regs.h>

/* ---- the VMM ---- */

static int set_routes(void *ctx, const struct irq_route *r, size_t n)
{
	struct fake *f = ctx;

	assert_true(n <= FAKE_VECTORS_MAX);
	memcpy(f->route, r, n * sizeof(*r));
	f->n_routes = n;
	fake_note(f, "routes %zu\n", n);
	return 0;
}

static int irqfd_add(void *ctx, int eventfd, uint32_t gsi)
{
	struct fake *f = ctx;
	bool routed = false;

	for (size_t i = 0; i < f->n_routes; i++)
		routed |= f->route[i].gsi == gsi;
	assert_true(routed);
	f->eventfd[gsi] = eventfd;
	fake_note(f, "irqfd %u\n", gsi);
	return 0;
}

static int irqfd_del(void *ctx, int eventfd _unused_, uint32_t gsi)
{
	fake_note(ctx, "-irqfd %u\n", gsi);
	return 0;
}

static int line_add(void *ctx, int trigger, int resample, uint32_t gsi)
{
	struct fake *f = ctx;

	assert_true(trigger >= 0 && resample >= 0);
	if (f->refuse_line)
		return -EINVAL;
	f->trigger = trigger;
	f->resample = resample;
	fake_note(f, "line %u\n", gsi);
	return 0;
}

static int line_del(void *ctx, int trigger, uint32_t gsi)
{
	struct fake *f = ctx;

	assert_int_equal(trigger, f->trigger);
	f->trigger = -1;
	f->resample = -1;
	fake_note(f, "-line %u\n", gsi);
	return 0;
}

const struct irq_sink_ops fake_sink = {
	.set_routes = set_routes,
	.irqfd_add = irqfd_add,
	.irqfd_del = irqfd_del,
	.line_add = line_add,
	.line_del = line_del,
};

static int window_add(void *ctx, struct gpa gpa, void *hva, uint64_t size,
                      bool device)
{
	struct fake *f = ctx;

	assert_non_null(hva);
	if (f->refuse_window)
		return -f->window_error;
	f->hva = hva;
	fake_note(f, "+%s %llx %llx\n", device ? "win" : "rom",
	          (unsigned long long)gpa.v, (unsigned long long)size);
	return 0;
}

static int window_del(void *ctx, struct gpa gpa, void *hva, uint64_t size)
{
	const struct fake *f = ctx;

	assert_non_null(hva);
	if (f->keep_window)
		return -ENOMEM;
	fake_note(ctx, "-win %llx %llx\n", (unsigned long long)gpa.v,
	          (unsigned long long)size);
	return 0;
}

static uint64_t range_size(const struct fake *f, unsigned bar)
{
	return bar == VFIO_ROM ? vfio_dev_layout(f->dev)->rom_size
	       : bar == 4      ? f->bar4_size
	       : bar == 2      ? f->bar2_size
	                       : f->bar0_size;
}

static int trap_add(void *ctx, unsigned bar, bool io, uint64_t addr,
                    uint64_t size)
{
	struct fake *f = ctx;

	assert_int_equal(io, bar == 4);
	assert_int_equal(size, range_size(f, bar));
	if (addr == f->refuse_trap)
		return -EADDRINUSE;
	fake_note(f, "+trap %u %llx\n", bar, (unsigned long long)addr);
	return 0;
}

static void trap_del(void *ctx, unsigned bar, bool io, uint64_t addr,
                     uint64_t size)
{
	assert_int_equal(io, bar == 4);
	assert_int_equal(size, range_size(ctx, bar));
	fake_note(ctx, "-trap %u %llx\n", bar, (unsigned long long)addr);
}

static void vector_unmasked(void *ctx, unsigned vector)
{
	struct fake *f = ctx;

	f->unmasked[vector]++;
}

const struct vfio_host_ops fake_host = {
	.window_add = window_add,
	.window_del = window_del,
	.trap_add = trap_add,
	.trap_del = trap_del,
	.vector_unmasked = vector_unmasked,
};

/* ---- the guest ---- */

void guest_command(struct fake *f, uint16_t value)
{
	vfio_dev_cfg_write(f->dev, PCI_COMMAND, 2, value);
}

void guest_msix(struct fake *f, bool enable, bool mask)
{
	vfio_dev_cfg_write(f->dev, FAKE_MSIX_CAP + PCI_MSIX_FLAGS, 2,
	                   (enable ? PCI_MSIX_FLAGS_ENABLE : 0u) |
	                           (mask ? PCI_MSIX_FLAGS_MASKALL : 0u));
}

void guest_mask(struct fake *f, unsigned vector, bool mask)
{
	vfio_dev_bar_write(f->dev, 0,
	                   FAKE_TABLE_OFF + vector * 16 +
	                           PCI_MSIX_ENTRY_VECTOR_CTRL,
	                   4, mask);
}

void guest_entry(struct fake *f, unsigned vector, uint32_t data, bool mask)
{
	uint64_t at = FAKE_TABLE_OFF + vector * 16;

	vfio_dev_bar_write(f->dev, 0, at + PCI_MSIX_ENTRY_LOWER_ADDR, 4,
	                   0xfee00000);
	vfio_dev_bar_write(f->dev, 0, at + PCI_MSIX_ENTRY_UPPER_ADDR, 4, 0);
	vfio_dev_bar_write(f->dev, 0, at + PCI_MSIX_ENTRY_DATA, 4, data);
	guest_mask(f, vector, mask);
}
