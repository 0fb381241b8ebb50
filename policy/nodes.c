/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's memory in a host's nodes: is it there, when the guest starts? A
 * page that a bound node has not got ends some process of the host's choice, so
 * it is refused before. What the guest holds whole (assigned devices, pages of
 * a pool, prefault, lock) must be free; else it must be there at all.
 */

#include <inttypes.h>
#include <string.h>

#include "policy/priv.h"

size_t pol_guest_nodes(const struct pol_guest *g,
                       struct pol_memory_node ret[static POL_MEMORY_NODES_MAX])
{
	size_t n = MIN(g->n_nodes, (size_t)POL_MEMORY_NODES_MAX);

	for (size_t i = 0; i < n; i++)
		ret[i] = g->node[i];
	if (!n && g->host_node >= 0) {
		ret[n] = (struct pol_memory_node){ .size = g->memory,
			                           .host = g->host_node };
		ret[n++].cpus =
			g->cpus < 64 ? (1ull << g->cpus) - 1 : UINT64_MAX;
	}
	for (size_t i = 0; g->numa == POL_NUMA_NONE && i < n; i++)
		ret[i].host = -1;
	return n;
}

static int no_node(const struct pol_guest *g, int node, struct diag *d)
{
	diag_fail(d, -ENODEV, FL_POL_NODE,
	          "guest %s: its memory is to be from node %d of the host",
	          g->name, node);
	diag_why(d, "there is no such node, or it is offline or without "
	            "memory");
	diag_mend(d, "see `cat /sys/devices/system/node/has_memory`; another "
	             "number in 'numa' or 'host' of its memory, or `numa: "
	             "none`");
	return -ENODEV;
}

static int no_pages(const struct pol_guest *g, int node, uint64_t need,
                    uint64_t have, struct diag *d)
{
	diag_fail(d, -ENOMEM, FL_POL_NODE_MEMORY,
	          "guest %s: %" PRIu64 " MiB from node %d of the host, by "
	          "pages of %" PRIu64 " MiB",
	          g->name, need >> 20, node, g->page >> 20);
	diag_why(d,
	         "it has %" PRIu64 " of them free, and %" PRIu64 " are needed",
	         have / g->page, need / g->page);
	diag_mend(d,
	          "/sys/devices/system/node/node%d/hugepages/hugepages-%" PRIu64
	          "kB/nr_hugepages must grow by %" PRIu64,
	          node, g->page >> 10, (need - have) / g->page);
	return -ENOMEM;
}

static int no_memory(const struct pol_guest *g, int node, uint64_t need,
                     uint64_t have, const char *free, struct diag *d)
{
	diag_fail(d, -ENOMEM, FL_POL_NODE_MEMORY,
	          "guest %s: %" PRIu64 " MiB from node %d of the host", g->name,
	          need >> 20, node);
	diag_why(d, "it has %" PRIu64 " MiB%s", have >> 20, free);
	diag_mend(d, "see `numastat -m`; less memory, another node, or `numa: "
	             "preferred`");
	return -ENOMEM;
}

int pol_nodes_check(const struct pol_guest *g, bool held,
                    const struct pol_host_node *host, size_t n_host,
                    struct diag *d)
{
	struct pol_memory_node node[POL_MEMORY_NODES_MAX];
	size_t n = pol_guest_nodes(g, node);

	for (size_t i = 0; i < n; i++) {
		const struct pol_host_node *h;
		uint64_t need = 0;

		if (node[i].host < 0)
			continue;
		if ((size_t)node[i].host >= n_host || !host[node[i].host].there)
			return no_node(g, node[i].host, d);
		/* Of all that are to be from there. */
		for (size_t k = 0; k < n; k++)
			if (node[k].host == node[i].host)
				need += node[k].size;
		h = &host[node[i].host];
		if (g->page && h->free_pages < need)
			return no_pages(g, node[i].host, need, h->free_pages,
			                d);
		if (!g->page && need > h->total)
			return no_memory(g, node[i].host, need, h->total,
			                 " in all", d);
		if (!g->page && held && need > h->free)
			return no_memory(g, node[i].host, need, h->free,
			                 " free, or to be freed", d);
	}
	return 0;
}
