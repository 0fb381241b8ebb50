/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the machine cost, as one line of JSON (netd/netd-proto.h). Built by
 * hand: numbers and fixed words only, nothing to escape, and no allocation
 * after the sandbox is up.
 */

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "vmm/priv.h"

struct totals {
	uint64_t cls[EXIT_CLASSES];
	uint64_t pio, mmio, signals, total;
	uint32_t resets, set_irqs, vectors, faults;
};

static void add_cpu(struct totals *t, const struct vcpu *c)
{
	for (unsigned i = 0; i < EXIT_CLASSES; i++)
		t->cls[i] += atomic_load_explicit(&c->exits[i],
		                                  memory_order_relaxed);
	t->pio += atomic_load_explicit(&c->pio, memory_order_relaxed);
	t->mmio += atomic_load_explicit(&c->mmio, memory_order_relaxed);
	t->signals += atomic_load_explicit(&c->signals, memory_order_relaxed);
	t->total += atomic_load_explicit(&c->total, memory_order_relaxed);
}

static void add_device(struct totals *t, struct vm *vm, unsigned i)
{
	struct vfio_dev *v = assign_device(vm, i);
	struct vfio_stats *s = &vm->seen[i];

	if (!v)
		return;
	/* A guest may keep it busy: then the figures of the last time. */
	(void)!vfio_dev_stats_soon(v, s);
	t->resets += s->resets;
	t->set_irqs += s->set_irqs;
	t->vectors += s->vectors;
	t->faults += s->faults;
}

static uint64_t ram_bytes(const struct vm *vm)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < vm->mem.n; i++)
		sum += vm->mem.region[i].size;
	return sum;
}

static void write_line(struct vm *vm, const struct totals *t, const char *event,
                       const char *reason)
{
	const struct iommu_stats dma = vm->space ? iommu_space_stats(vm->space)
	                                         : (struct iommu_stats){ 0 };
	const struct prefault_stats *ready = &vm->mem.prefault;
	uint32_t commits = vm->irqs ? irq_table_stats(vm->irqs).commits : 0;
	char line[1024];
	int n = snprintf(
		line, sizeof(line),
		"{\"event\": \"%s\", \"reason\": \"%s\", \"exits\": "
		"{\"total\": %" PRIu64 ", \"pio\": %" PRIu64
		", \"mmio\": %" PRIu64 ", \"serial\": %" PRIu64
		", \"config\": %" PRIu64 ", \"bar\": %" PRIu64
		", \"power\": %" PRIu64 ", \"other\": %" PRIu64
		", \"signal\": %" PRIu64 "}, \"dma_maps\": %u"
		", \"ram_regions\": %u, \"resets\": %u, \"route_commits\": %u"
		", \"set_irqs\": %u, \"vectors\": %u, \"faults\": %u"
		", \"guest_resets\": %u"
		", \"console_dropped\": %" PRIu64 ", \"ram_bytes\": %" PRIu64
		", \"ram_page\": %" PRIu64 ", \"prefault_ns\": %" PRIu64
		", \"prefault_threads\": %u, \"peer_maps\": %u"
		", \"uptime_ns\": %" PRIu64 "}\n",
		event, reason, t->total, t->pio, t->mmio, t->cls[EXIT_SERIAL],
		t->cls[EXIT_CONFIG], t->cls[EXIT_BAR], t->cls[EXIT_POWER],
		t->cls[EXIT_OTHER], t->signals, dma.maps, vm->mem.n, t->resets,
		commits, t->set_irqs, t->vectors, t->faults, vm->guest_resets,
		vm->console ? console_dropped(vm->console) : 0, ram_bytes(vm),
		vm->cfg.ram.page, ready->ns, ready->threads, dma.peer_maps,
		now_ns() - vm->started_ns);

	/* A reader that is gone misses a report, no more. */
	if (n > 0 && (size_t)n < sizeof(line))
		(void)!write(vm->cfg.report_fd, line, (size_t)n);
}

void report_write(struct vm *vm, const char *event, const char *reason)
{
	struct totals t = { .total = 0 };

	if (vm->cfg.report_fd < 0)
		return;
	for (unsigned i = 0; i < vm->cfg.cpus; i++)
		add_cpu(&t, &vm->cpu[i]);
	for (unsigned i = 0; i < vm->cfg.n_devices; i++)
		add_device(&t, vm, i);
	write_line(vm, &t, event, reason);
}
