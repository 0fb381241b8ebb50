/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the machine cost and what it has, as one line of JSON, and as netd's
 * answer to a query (netd/netd-proto.h).
 */

#include <stdio.h>
#include <unistd.h>

#include "vmm/hotplug.h"
#include "vmm/own.h"
#include "vmm/storm.h"

struct totals {
	uint64_t cls[EXIT_CLASSES];
	uint64_t pio, mmio, signals, total;
	uint32_t resets, set_irqs, vectors, faults;
};

static void add_cpu(struct totals *t, const struct vcpu *c)
{
	for (unsigned i = 0; i < EXIT_CLASSES; i++)
		t->cls[i] += vcpu_exits(c, (enum exit_class)i);
	t->pio += atomic_load_explicit(&c->pio, memory_order_relaxed);
	t->mmio += atomic_load_explicit(&c->mmio, memory_order_relaxed);
	t->signals += atomic_load_explicit(&c->signals, memory_order_relaxed);
	t->total += atomic_load_explicit(&c->total, memory_order_relaxed);
}

static void add_device(struct totals *t, struct vm *vm, unsigned i)
{
	struct vfio_dev *v = assign_device(vm, i);
	struct vfio_stats *s = &vm->seen[i];

	/* A guest may keep it busy: then the figures of the last time. What
	 * was released counts on, and holds nothing. */
	if (v)
		(void)!vfio_dev_stats_soon(v, s);
	else
		s->vectors = s->windows = 0;
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

/* ---- as JSON ------------------------------------------------------------- */

static void number(json_t *to, const char *key, uint64_t value)
{
	json_object_set_new(to, key, json_integer((json_int_t)value));
}

static json_t *exits_of(const struct totals *t)
{
	json_t *o = json_object();

	number(o, "total", t->total);
	number(o, "pio", t->pio);
	number(o, "mmio", t->mmio);
	number(o, "serial", t->cls[EXIT_SERIAL]);
	number(o, "config", t->cls[EXIT_CONFIG]);
	number(o, "bar", t->cls[EXIT_BAR]);
	number(o, "own", t->cls[EXIT_OWN]);
	number(o, "power", t->cls[EXIT_POWER]);
	number(o, "other", t->cls[EXIT_OTHER]);
	number(o, "signal", t->signals);
	return o;
}

static json_t *hotplug_of(const struct vm *vm)
{
	struct hotplug_stats s = hotplug_stats(vm->hotplug);
	json_t *o = json_object();

	number(o, "adds", s.adds);
	number(o, "removes", s.removes);
	number(o, "forced", s.forced);
	number(o, "errors", s.errors);
	number(o, "requests", s.requests);
	number(o, "dma_faults", s.dma_faults);
	return o;
}

static json_t *device_of(struct vm *vm, unsigned i)
{
	const struct vm_device *c = &vm->cfg.device[i];
	const struct vfio_stats *s = &vm->seen[i];
	json_t *o = json_object();

	json_object_set_new(o, "name", json_string(c->name));
	json_object_set_new(o, "bdf", json_string(c->bdf));
	number(o, "slot", c->slot);
	number(o, "function", c->function);
	json_object_set_new(o, "state",
	                    json_string(slot_phase_name(
				    hotplug_phase(vm->hotplug, c->slot))));
	number(o, "windows", s->windows);
	number(o, "vectors", s->vectors);
	number(o, "resets", s->resets);
	number(o, "set_irqs", s->set_irqs);
	number(o, "faults", s->faults);
	json_object_set_new(o, "dynamic_msix", json_boolean(s->dynamic_msix));
	return o;
}

/* Those that the guest has, or will have again. */
static json_t *devices_of(struct vm *vm)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < vm->cfg.n_devices; i++)
		if (assign_device(vm, i))
			json_array_append_new(list, device_of(vm, i));
	return list;
}

static json_t *own_of(const struct vm *vm)
{
	json_t *list = json_array();

	for (uint8_t s = 1; s <= VM_SLOTS_MAX; s++)
		if (own_has(vm, s))
			json_array_append_new(
				list, json_pack("{s:s, s:i, s:s}", "name",
			                        own_name_at(vm, s), "slot", s,
			                        "state",
			                        slot_phase_name(hotplug_phase(
							vm->hotplug, s))));
	return list;
}

static void kernel_counts(json_t *o, struct vm *vm)
{
	struct iommu_stats s = { .maps = 0 };

	if (vm->space)
		s = iommu_space_stats(vm->space);
	number(o, "dma_maps", s.maps);
	number(o, "peer_maps", s.peer_maps);
	number(o, "ram_regions", vm->mem.n);
	number(o, "route_commits",
	       vm->irqs ? irq_table_stats(vm->irqs).commits : 0);
}

json_t *report_of(struct vm *vm, const char *event, const char *reason)
{
	struct totals t = { .total = 0 };
	json_t *o = json_object();

	for (unsigned i = 0; i < vm->cfg.cpus; i++)
		add_cpu(&t, &vm->cpu[i]);
	for (unsigned i = 0; i < vm->cfg.n_devices; i++)
		add_device(&t, vm, i);
	json_object_set_new(o, "event", json_string(event));
	json_object_set_new(o, "reason", json_string(reason));
	json_object_set_new(o, "exits", exits_of(&t));
	kernel_counts(o, vm);
	number(o, "resets", t.resets);
	number(o, "set_irqs", t.set_irqs);
	number(o, "vectors", t.vectors);
	number(o, "faults", t.faults);
	number(o, "guest_resets", vm->guest_resets);
	number(o, "console_dropped",
	       vm->console ? console_dropped(vm->console) : 0);
	number(o, "netd_dropped", conn_dropped(hotplug_conn(vm->hotplug)));
	number(o, "throttled", storms_masked(vm->storms));
	number(o, "ram_bytes", ram_bytes(vm));
	number(o, "ram_page", vm->cfg.ram.page);
	number(o, "prefault_ns", vm->mem.prefault.ns);
	number(o, "prefault_threads", vm->mem.prefault.threads);
	number(o, "uptime_ns", now_ns() - vm->started_ns);
	json_object_set_new(o, "hotplug", hotplug_of(vm));
	json_object_set_new(o, "devices", devices_of(vm));
	json_object_set_new(o, "own", own_of(vm));
	return o;
}

void report_write(struct vm *vm, const char *event, const char *reason)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *line = NULL;
	json_t *o;
	int n;

	if (vm->cfg.report_fd < 0)
		return;
	o = report_of(vm, event, reason);
	text = json_dumps(o, 0);
	json_decref(o);
	n = text ? asprintf(&line, "%s\n", text) : -1;
	/* A reader that is gone misses a report, no more. */
	if (n > 0)
		(void)!write(vm->cfg.report_fd, line, (size_t)n);
}
