/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lease's words about the guest's CPUs: their shape and their places. */

#include "vmm/lease.h"

static int take_u32(const json_t *g, const char *key, uint32_t max,
                    unsigned *ret)
{
	uint64_t n;
	int r = lease_number(g, key, max, 0, &n);

	if (r == 0)
		*ret = (unsigned)n;
	return r;
}

static int take_list(const json_t *g, const char *key, struct vm_cpu_list *ret)
{
	const json_t *list = json_object_get(g, key);
	size_t n = json_array_size(list);

	if (n > VM_CPU_LIST_MAX || (list && !json_is_array(list)))
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_array_get(list, i);
		json_int_t cpu = json_integer_value(v);

		if (!json_is_integer(v) || cpu < 0 || cpu >= VM_HOST_CPUS)
			return -EBADMSG;
		ret->cpu[i] = (uint16_t)cpu;
	}
	ret->n = (unsigned)n;
	return 0;
}

int lease_cpus(const json_t *g, struct vm_cpus *ret)
{
	struct vm_cpus c = { 0 };
	int r = take_u32(g, "sockets", VM_CPUS_MAX, &c.sockets);

	if (r == 0)
		r = take_u32(g, "cores", VM_CPUS_MAX, &c.cores);
	if (r == 0)
		r = take_u32(g, "threads", VM_CPUS_MAX, &c.threads);
	if (r == 0)
		r = take_u32(g, "apic_id_shift", VM_ID_SHIFT_MAX, &c.id_shift);
	if (r == 0)
		r = take_list(g, "pin", &c.pin);
	if (r == 0)
		r = take_list(g, "emulator", &c.emulator);
	if (r == 0)
		r = take_u32(g, "fifo", 99, &c.fifo);
	if (r == 0)
		r = take_u32(g, "halt_poll_ns", UINT32_MAX, &c.halt_poll_ns);
	if (r < 0)
		return r;
	c.has_halt_poll = json_object_get(g, "halt_poll_ns");
	*ret = c;
	return 0;
}
