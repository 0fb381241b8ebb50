/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netd's answer to a query: the report, every interrupt vector in use, and the
 * vCPUs' threads, so that whoever sees /proc and sysfs can tell which host
 * interrupt serves which vCPU.
 */

#include "vmm/cpus.h"
#include "vmm/hotplug.h"

/* Each names its device: what is more than this is left out. */
#define VECTORS_MAX 2048u

/* Message address and data of the local APIC, Intel SDM 3A 11.11: physical
 * destination (address bit 2 clear), fixed delivery (data bits 10:8). Bits
 * 63:40 are the destination's upper ones, where they are in use. -1 = it may
 * go to several, or to nobody. */
static int vcpu_of(const struct vm *vm, const struct irq_msg *m)
{
	uint32_t to =
		(m->addr >> 12 & 0xff) | cpu_msi_upper(m->addr, vm->wide_ids);

	if (((uint32_t)m->addr >> 20) != 0xfee || m->addr & BIT(2) ||
	    m->data & BITS(10, 8))
		return -1;
	return cpu_index(&vm->shape, to);
}

static json_t *vector_of(const struct vm *vm, unsigned i,
                         const struct vfio_vector *v)
{
	static const char *const kind[] = {
		[VFIO_KIND_INTX] = "intx",
		[VFIO_KIND_MSI] = "msi",
		[VFIO_KIND_MSIX] = "msix",
	};
	json_t *o = json_pack("{s:s, s:s, s:i, s:b, s:b}", "device",
	                      vm->cfg.device[i].name, "kind", kind[v->kind],
	                      "index", v->index, "armed", v->armed, "throttled",
	                      v->throttled);
	int vcpu = v->kind == VFIO_KIND_INTX ? -1 : vcpu_of(vm, &v->msg);

	if (v->kind == VFIO_KIND_INTX)
		json_object_set_new(o, "gsi", json_integer(v->gsi));
	else
		json_object_set_new(o, "guest_vector",
		                    json_integer(v->msg.data & 0xff));
	if (vcpu >= 0)
		json_object_set_new(o, "vcpu", json_integer(vcpu));
	return o;
}

static json_t *vectors_of(struct vm *vm)
{
	_cleanup_free_ struct vfio_vector *v = calloc(VECTORS_MAX, sizeof(*v));
	json_t *list = json_array();

	for (unsigned i = 0; v && i < vm->cfg.n_devices; i++) {
		struct vfio_dev *dev = assign_device(vm, i);
		unsigned n = dev ? vfio_dev_vectors(dev, v, VECTORS_MAX) : 0;

		for (unsigned k = 0; k < MIN(n, VECTORS_MAX); k++)
			json_array_append_new(list, vector_of(vm, i, &v[k]));
	}
	return list;
}

json_t *state_of(struct vm *vm)
{
	json_t *o = json_object(), *threads = json_array();

	for (unsigned i = 0; i < vm->cfg.cpus; i++)
		json_array_append_new(
			threads, json_integer(atomic_load(&vm->cpu[i].tid)));
	json_object_set_new(o, "report", report_of(vm, "snapshot", "asked"));
	json_object_set_new(o, "vectors", vectors_of(vm));
	json_object_set_new(o, "vcpus", threads);
	return o;
}
