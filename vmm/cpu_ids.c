/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets, cores, threads, and the APIC ids that follow from them: cpus.h.
 * Pure.
 */

#include "vmm/cpus.h"
#include "vmm/numa.h"

/* A field that holds 0 to n - 1. */
static unsigned bits_for(unsigned n)
{
	unsigned bits = 0;

	while (1u << bits < n)
		bits++;
	return bits;
}

/* Where nothing is said, a socket has the vCPUs of one memory node, since it
 * has a last level cache. First Zens take that cache's number from bits 3 and
 * up of the id, whatever CPUID says of it. */
static void sockets_of_nodes(const struct vm_config *c, struct cpu_shape *s)
{
	const unsigned zen_shift = 3;

	s->cores = numa_group(c);
	s->sockets = c->cpus / s->cores;
	if (s->sockets > 1)
		s->socket_shift = zen_shift;
}

int cpu_shape_of(const struct vm_config *c, struct cpu_shape *ret,
                 struct diag *d)
{
	const struct vm_cpus *v = &c->cpu;
	struct cpu_shape s = {
		.sockets = v->sockets ? v->sockets : 1,
		.cores = v->cores ? v->cores : c->cpus,
		.threads = v->threads ? v->threads : 1,
	};

	if (c->cpus < 1 || c->cpus > VM_CPUS_MAX) {
		diag_fail(d, -EINVAL, FL_VMM_CPUS, "a guest with %u CPUs",
		          c->cpus);
		diag_why(d, "from 1 to %d are possible", VM_CPUS_MAX);
		diag_mend(d, "cpus: in the policy");
		return -EINVAL;
	}
	if (!v->sockets && c->n_nodes > 1)
		sockets_of_nodes(c, &s);
	if ((uint64_t)s.sockets * s.cores * s.threads != c->cpus ||
	    v->id_shift > VM_ID_SHIFT_MAX) {
		diag_fail(d, -EINVAL, FL_VMM_CPUS,
		          "%u sockets of %u cores of %u threads", s.sockets,
		          s.cores, s.threads);
		diag_why(d, "that is not the guest's %u CPUs", c->cpus);
		diag_mend(d, "sockets, cores, threads: of cpus: in the policy");
		return -EINVAL;
	}
	s.thread_bits = bits_for(s.threads);
	s.socket_shift = MAX(s.socket_shift, v->id_shift);
	s.socket_shift = MAX(s.thread_bits + bits_for(s.cores), s.socket_shift);
	*ret = s;
	return 0;
}

uint32_t cpu_id(const struct cpu_shape *s, unsigned index)
{
	const unsigned thread = index % s->threads;
	const unsigned core = index / s->threads % s->cores;
	const unsigned socket = index / s->threads / s->cores;

	return socket << s->socket_shift | core << s->thread_bits | thread;
}

static unsigned count(const struct cpu_shape *s)
{
	return s->sockets * s->cores * s->threads;
}

uint32_t cpu_id_last(const struct cpu_shape *s)
{
	return cpu_id(s, count(s) - 1);
}

int cpu_index(const struct cpu_shape *s, uint32_t id)
{
	const uint64_t socket = id >> s->socket_shift;
	const uint64_t in = id & ((1u << s->socket_shift) - 1);
	const uint64_t core = in >> s->thread_bits;
	const uint64_t thread = in & ((1u << s->thread_bits) - 1);

	if (socket >= s->sockets || core >= s->cores || thread >= s->threads)
		return -1;
	return (int)((socket * s->cores + core) * s->threads + thread);
}

int cpu_ids_check(const struct cpu_shape *s, unsigned max_cpus,
                  unsigned max_ids, struct diag *d)
{
	if (count(s) > max_cpus) {
		diag_fail(d, -ERANGE, FL_VMM_APIC_ID, "a guest with %u CPUs",
		          count(s));
		diag_why(d, "this host's KVM makes %u at most", max_cpus);
		diag_mend(d, "fewer cpus: in the policy");
		return -ERANGE;
	}
	/* Bits 14:8 are all that a message has beyond the first 8. */
	max_ids = MIN(max_ids, VM_APIC_IDS);
	if (cpu_id_last(s) < max_ids)
		return 0;
	diag_fail(d, -ERANGE, FL_VMM_APIC_ID, "APIC ids up to %u",
	          cpu_id_last(s));
	diag_why(d, "this host's KVM knows ids below %u", max_ids);
	diag_mend(d, "a smaller apic-id-shift:, or fewer sockets: of cpus: in "
	             "the policy");
	return -ERANGE;
}
