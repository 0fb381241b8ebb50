/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's memory nodes: whether they fit together, which addresses they
 * have, and mbind(2) of each to its node of the host; see numa.h.
 */

#include <inttypes.h>
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/numa.h"

#define HUGE (2ull << 20)
#define LOW_END 0xa0000ull /* 640K: what boot_map() tells */

/* ---- do they fit together? ----------------------------------------------- */

static int refuse(struct diag *d, unsigned node, const char *why)
{
	diag_fail(d, -EINVAL, FL_VMM_NUMA, "memory node %u of the guest", node);
	diag_why(d, "%s", why);
	diag_mend(d, "memory: nodes: in the policy");
	return -EINVAL;
}

static const char *node_wrong(const struct vm_config *c,
                              const struct vm_node *n, uint64_t seen)
{
	uint64_t all = c->cpus < 64 ? VM_CPU(c->cpus) - 1 : UINT64_MAX;

	if (!n->size || !IS_ALIGNED(n->size, MAX(c->ram.page, HUGE)))
		return "its size is no whole number of pages";
	if (n->cpus & ~all)
		return "it has a vCPU that the guest has not";
	if (n->cpus & seen)
		return "it has a vCPU that another node has";
	if (n->host < -1 || n->host >= VM_HOST_NODES)
		return "there is no such node of the host";
	return NULL;
}

int numa_check(const struct vm_config *c, struct diag *d)
{
	uint64_t seen = 0, left = c->memory;

	if (!c->n_nodes)
		return 0;
	for (unsigned i = 0; i < c->n_nodes; i++) {
		const struct vm_node *n = &c->node[i];
		const char *wrong = node_wrong(c, n, seen);

		if (!wrong && n->size > left)
			wrong = "with it they have more memory than the guest";
		if (wrong)
			return refuse(d, i, wrong);
		seen |= n->cpus;
		left -= n->size;
	}
	if (left)
		return refuse(d, c->n_nodes - 1,
		              "with it they have less memory than the guest");
	if ((unsigned)__builtin_popcountll(seen) != c->cpus)
		return refuse(d, c->n_nodes - 1,
		              "after it there are vCPUs of no node");
	return 0;
}

/* ---- what the guest is told ---------------------------------------------- */

struct ranges {
	struct numa_range *to;
	unsigned n;
};

static void add(struct ranges *r, unsigned node, uint64_t start, uint64_t end)
{
	if (start < end)
		r->to[r->n++] = (struct numa_range){ start, end - start, node };
}

/* The part of the region that is the file's [off, off + size). */
static void add_part(struct ranges *r, unsigned node,
                     const struct mem_region *ram, uint64_t off, uint64_t size)
{
	uint64_t from = MAX(off, ram->memfd_off);
	uint64_t to = MIN(off + size, ram->memfd_off + ram->size);
	uint64_t start = ram->gpa.v + (from - ram->memfd_off), end;

	if (from >= to)
		return;
	end = start + (to - from);
	add(r, node, start, MIN(end, LOW_END));
	add(r, node, MAX(start, (uint64_t)MAP_KERNEL), end);
}

unsigned numa_ranges(const struct vm_config *c, const struct mem_region *ram,
                     unsigned n_ram,
                     struct numa_range ret[static NUMA_RANGES_MAX])
{
	struct ranges r = { .to = ret };
	uint64_t off = 0;

	for (unsigned i = 0; i < c->n_nodes; i++) {
		for (unsigned k = 0; k < n_ram; k++)
			add_part(&r, i, &ram[k], off, c->node[i].size);
		off += c->node[i].size;
	}
	return r.n;
}

static unsigned node_of(const struct vm_config *c, unsigned cpu)
{
	for (unsigned i = 0; i < c->n_nodes; i++)
		if (c->node[i].cpus & VM_CPU(cpu))
			return i;
	return 0;
}

unsigned numa_group(const struct vm_config *c)
{
	for (unsigned size = c->cpus; size > 1; size--) {
		bool fits = c->cpus % size == 0;

		for (unsigned i = 0; fits && i < c->cpus; i++)
			fits = node_of(c, i) == node_of(c, i - i % size);
		if (fits)
			return size;
	}
	return 1;
}

/* ---- where it lies on the host ------------------------------------------- */

static int bind_fail(struct diag *d, const struct vm_node *n, unsigned i,
                     int err)
{
	diag_fail(d, err, FL_VMM_NUMA,
	          "%" PRIu64 " MiB of memory node %u from node %d of the host",
	          n->size >> 20, i, n->host);
	if (err == -EINVAL)
		diag_why(d, "mbind: the node is not online, or outside of the "
		            "cpuset that this process is in");
	else
		diag_why(d, "mbind: %s", strerror(-err));
	diag_mend(d,
	          "cat /sys/devices/system/node/online, and Mems_allowed_list "
	          "in /proc/self/status (AllowedMemoryNodes= of a unit)");
	return err;
}

static int bind_node(const struct vm_node *n, void *hva, bool prefer)
{
	unsigned long mask[VM_HOST_NODES / (8 * sizeof(long))] = { 0 };
	const unsigned bits = 8 * sizeof(long), host = (unsigned)n->host;

	mask[host / bits] = 1ul << host % bits;
	/* The kernel reads one bit less than it is told of. */
	return syscall(SYS_mbind, hva, n->size,
	               prefer ? MPOL_PREFERRED : MPOL_BIND, mask,
	               VM_HOST_NODES + 1, 0) < 0
	               ? -errno
	               : 0;
}

int numa_bind(const struct vm_config *c, void *hva, struct diag *d)
{
	char *at = hva;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < c->n_nodes; i++) {
		const struct vm_node *n = &c->node[i];

		if (n->host >= 0)
			r = bind_node(n, at, c->ram.prefer);
		if (r < 0)
			bind_fail(d, n, i, r);
		/* What is only wished for is told, and done without. */
		if (r < 0 && c->ram.prefer) {
			loop_say_diag(d);
			r = 0;
		}
		at += n->size;
	}
	return r;
}
