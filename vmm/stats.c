/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The counters of the machine, put together for who asks: stats.h. In the
 * order of docs/control.md.
 */

#include <string.h>

#include "vmm/hotplug.h"
#include "vmm/own.h"
#include "vmm/stats.h"
#include "vmm/watchdog.h"

static void number(json_t *to, const char *key, uint64_t value)
{
	json_object_set_new(to, key, json_integer((json_int_t)value));
}

static uint64_t get(const _Atomic uint64_t *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

/* ---- exits --------------------------------------------------------------- */

static json_t *exits_of(const struct vcpu *c)
{
	static const char *const name[EXIT_CLASSES] = {
		[EXIT_OTHER] = "other",   [EXIT_SERIAL] = "serial",
		[EXIT_CONFIG] = "config", [EXIT_BAR] = "bar",
		[EXIT_OWN] = "own",       [EXIT_POWER] = "power",
	};
	json_t *o = json_object();

	number(o, "total", get(&c->total));
	number(o, "pio", get(&c->pio));
	number(o, "mmio", get(&c->mmio));
	for (unsigned i = 0; i < EXIT_CLASSES; i++)
		number(o, name[i], vcpu_exits(c, (enum exit_class)i));
	number(o, "signal", get(&c->signals));
	return o;
}

static json_t *vcpus_of(const struct vm *vm)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < vm->cfg.cpus; i++)
		json_array_append_new(list, json_pack("{s:o}", "exits",
		                                      exits_of(&vm->cpu[i])));
	return list;
}

static uint64_t exits_at(const struct vm *vm, unsigned tag)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < vm->cfg.cpus; i++)
		sum += get(&vm->cpu[i].exits[tag]);
	return sum;
}

/* Those that were trapped, by number of the BAR; 6 is the ROM. */
static json_t *bars_of(const struct vm *vm, enum exit_class cls, unsigned slot)
{
	json_t *o = json_object();

	for (unsigned bar = 0; bar <= CFG_BARS; bar++) {
		uint64_t n = exits_at(vm, EXIT_AT(cls, slot, bar));
		const char key[] = { (char)('0' + bar), '\0' };

		if (n)
			number(o, key, n);
	}
	return o;
}

/* ---- devices ------------------------------------------------------------- */

static json_t *set_of(const struct stats_set *s)
{
	json_t *values = json_object();

	for (unsigned i = 0; i < s->n; i++)
		number(values, s->def[i].name,
		       stats_get((const void *)((const char *)s->base +
		                                s->def[i].at)));
	return json_pack("{s:s, s:i, s:o}", "what", s->what, "index",
	                 (int)s->index, "values", values);
}

static json_t *own_of(struct vm *vm, uint8_t slot)
{
	json_t *sets = json_array();
	struct stats_set s;

	for (unsigned i = 0; own_counters(vm, slot, i, &s); i++)
		json_array_append_new(sets, set_of(&s));
	return json_pack("{s:s, s:s, s:i, s:o, s:o}", "name",
	                 own_name_at(vm, slot), "kind", "own", "slot",
	                 (int)slot, "bar_exits", bars_of(vm, EXIT_OWN, slot),
	                 "sets", sets);
}

/* Kept busy by its guest it has the figures of the last time: report.c. */
static json_t *assigned_of(struct vm *vm, unsigned i)
{
	const struct vm_device *c = &vm->cfg.device[i];
	struct vfio_dev *v = assign_device(vm, i);
	struct vfio_stats *s = &vm->seen[i];
	json_t *values = json_object(), *o;

	if (v)
		(void)!vfio_dev_stats_soon(v, s);
	number(values, "config_reads", s->cfg_reads);
	number(values, "config_writes", s->cfg_writes);
	number(values, "bar_reads", s->bar_reads);
	number(values, "bar_writes", s->bar_writes);
	number(values, "resets", s->resets);
	number(values, "set_irqs", s->set_irqs);
	number(values, "faults", s->faults);
	o = json_pack("{s:s, s:s, s:i, s:i}", "name", c->name, "kind",
	              "assigned", "slot", (int)c->slot, "function",
	              (int)c->function);
	/* Functions of a slot are counted together. */
	if (!c->function)
		json_object_set_new(o, "bar_exits",
		                    bars_of(vm, EXIT_BAR, c->slot));
	json_object_set_new(o, "sets",
	                    json_pack("[{s:s, s:i, s:o}]", "what", "function",
	                              "index", 0, "values", values));
	return o;
}

static json_t *devices_of(struct vm *vm)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < vm->cfg.n_devices; i++)
		if (assign_device(vm, i))
			json_array_append_new(list, assigned_of(vm, i));
	for (uint8_t slot = 1; slot <= VM_SLOTS_MAX; slot++)
		if (own_has(vm, slot))
			json_array_append_new(list, own_of(vm, slot));
	return list;
}

/* ---- the rest ------------------------------------------------------------ */

static json_t *machine_of(struct vm *vm)
{
	struct iommu_stats s = { .maps = 0 };
	json_t *o = json_object();

	if (vm->space)
		s = iommu_space_stats(vm->space);
	number(o, "dma_maps", s.maps);
	number(o, "peer_maps", s.peer_maps);
	number(o, "route_commits",
	       vm->irqs ? irq_table_stats(vm->irqs).commits : 0);
	number(o, "resets", vm->guest_resets);
	number(o, "console_dropped",
	       vm->console ? console_dropped(vm->console) : 0);
	if (vm->watchdog)
		number(o, "watchdog", watchdog_count(vm->watchdog));
	return o;
}

static const char *const units[] = {
	[STATS_COUNT] = "count",
	[STATS_BYTES] = "bytes",
	[STATS_NS] = "ns",
};

static void describe_set(json_t *to, const struct stats_set *s)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < s->n; i++)
		json_object_set_new(o, s->def[i].name,
		                    json_string(units[s->def[i].unit]));
	json_object_set_new(to, s->what, o);
}

/* Units of what devices of our own have, by kind of set; and KVM's. */
static json_t *meanings_of(struct vm *vm)
{
	json_t *sets = json_object(), *o, *kvm;
	struct stats_set s;

	for (uint8_t slot = 1; slot <= VM_SLOTS_MAX; slot++)
		for (unsigned i = 0; own_counters(vm, slot, i, &s); i++)
			describe_set(sets, &s);
	o = json_pack("{s:o}", "sets", sets);
	kvm = kvm_counters_describe(vm->kvm_counters);
	if (kvm)
		json_object_set_new(o, "kvm", kvm);
	return o;
}

json_t *stats_of(struct vm *vm, bool describe)
{
	const char *why = NULL;
	json_t *kvm = kvm_counters_of(vm->kvm_counters, &why);
	json_t *o = json_pack("{s:I, s:o, s:o, s:o}", "uptime_ns",
	                      (json_int_t)(now_ns() - vm->started_ns),
	                      "machine", machine_of(vm), "vcpus", vcpus_of(vm),
	                      "devices", devices_of(vm));

	json_object_set_new(o, "kvm", kvm ? kvm : json_null());
	if (!kvm)
		json_object_set_new(o, "kvm_absent", json_string(why));
	if (describe)
		json_object_set_new(o, "describe", meanings_of(vm));
	return o;
}
