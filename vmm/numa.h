/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FL_VMM_NUMA_H
#define FL_VMM_NUMA_H

/*
 * numa: the guest's memory nodes, and where on the host each one lies.
 *
 * Theory of operation
 *   RAM is one file, mapped once (memory.c). A node is a stretch of it, one
 *   behind the other in the order of the configuration; the addresses that the
 *   guest sees follow from where the file's parts are shown. A node that lies
 *   across the hole below 4 GiB has two ranges there, and the first one has a
 *   hole of its own from 640K to 1M.
 *
 *   One node with a place on the host is a guest that is told of none: all its
 *   memory comes from there. From two on the guest is told, by SRAT and SLIT
 *   (acpi_numa.c), and has a socket a node where the configuration says nothing
 *   of sockets (cpu_ids.c): Linux warns of a last level cache that spans nodes.
 *
 *   Order: bound after it is mapped and before a page of it is there, since a
 *   policy moves no page that somebody has; before the sandbox, which does not
 *   know the call. The policy is the file's own where that is shmem (whoever
 *   brings a page in, vhost and VFIO too, brings it from there), and of our
 *   mapping where it is hugetlbfs, whose pages are all brought in by us.
 *
 *   Whether the node is there, and has that much free, was netd's to look at:
 *   this process sees no /sys. A page that a bound node has not got is not an
 *   error here but the end of some process, as the kernel chooses.
 *
 * Limits: VM_NODES_MAX nodes, VM_HOST_NODES of the host's. Memory only: the
 * vCPUs of a node run where they may, PCI functions belong to no node.
 */

#include "vmm/priv.h"

/* Each node one, and one more for each hole. */
#define NUMA_RANGES_MAX (VM_NODES_MAX + 2)

struct numa_range {
	uint64_t start, size; /* as the guest addresses it */
	unsigned node;
};

/* Sizes add up to `memory` in whole pages; each vCPU is in one node.
 * -EINVAL FL_VMM_NUMA. */
_must_check_ int numa_check(const struct vm_config *c, struct diag *d);
/* Of RAM as it is shown, in ascending order. */
unsigned numa_ranges(const struct vm_config *c, const struct mem_region *ram,
                     unsigned n_ram,
                     struct numa_range ret[static NUMA_RANGES_MAX]);
/* How many vCPUs, from any multiple of it on, are of one node together: as many
 * as there can be, and a divisor of their number. */
unsigned numa_group(const struct vm_config *c);
/* Each node's stretch of [hva, hva + memory) to its place on the host. */
_must_check_ int numa_bind(const struct vm_config *c, void *hva,
                           struct diag *d);

#endif
