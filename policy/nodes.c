/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's memory in a host's nodes: is it there, when the guest starts? A
 * page that a bound node has not got ends some process of the host's choice, so
 * it is refused before. What the guest holds whole (assigned devices, pages of
 * a pool, prefault, lock) must be free; else it must be there at all.
 *
 * And of a policy: huge pages of the guests that start with the machine. They
 * all run at once, while one that a person starts may take another's turn; and
 * what is free now tells nothing of them, so it is all pages that count.
 */

#include <inttypes.h>
#include <stdio.h>
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

/* `node` -1: of the host, wherever. */
static void mend_pages(struct diag *d, int node, uint64_t page, uint64_t lack)
{
	char where[48] = "kernel/mm";

	if (node >= 0)
		snprintf(where, sizeof(where), "devices/system/node/node%d",
		         node);
	diag_mend(d,
	          "/sys/%s/hugepages/hugepages-%" PRIu64
	          "kB/nr_hugepages must grow by %" PRIu64,
	          where, page >> 10, lack);
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
	mend_pages(d, node, g->page, (need - have) / g->page);
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

/* ---- huge pages of a policy ---------------------------------------------- */

uint64_t pol_page_size(unsigned i)
{
	static const uint64_t size[POL_PAGE_SIZES] = {
		[POL_PAGE_2M] = 2ull << 20,
		[POL_PAGE_1G] = 1ull << 30,
	};

	return size[i];
}

/* What guests up to one need of pages of one size, by node and in all. */
struct pages_needed {
	unsigned size;
	uint64_t node[POL_SOCKET_NODES], all;
	bool said; /* the first that is too much */
};

/* Of the host, by the node; -1 = of all. */
static uint64_t pages_of(const struct pol_machine *m, unsigned size, int node)
{
	uint64_t n = 0;

	for (size_t i = 0; i < m->n_pages; i++)
		if (node < 0 || i == (size_t)node)
			n += m->pages[i].n[size];
	return n;
}

static void need_pages(struct resolve *r, struct pages_needed *need,
                       const struct pol_guest *g, int node, uint64_t n)
{
	uint64_t *sum = node < 0 ? &need->all : &need->node[node];
	uint64_t has = pages_of(&r->seen->machine, need->size, node);
	char where[32] = "the host";
	struct diag *d;

	*sum += n;
	if (need->said || *sum <= has)
		return;
	need->said = true;
	if (node >= 0)
		snprintf(where, sizeof(where), "memory node %d", node);
	d = pol_err(r->errs, g->pos, FL_POL_PAGES,
	            "guest %s: %s has too few pages of %" PRIu64 " MiB for it",
	            g->name, where, g->page >> 20);
	diag_why(d,
	         "it has %" PRIu64 ", and this guest and those of `boot: auto` "
	         "before it need %" PRIu64,
	         has, *sum);
	mend_pages(d, node, g->page, *sum - has);
}

static void need_of_guest(struct resolve *r, struct pages_needed *need,
                          const struct pol_guest *g)
{
	struct pol_memory_node node[POL_MEMORY_NODES_MAX];
	size_t n = g->numa == POL_NUMA_REQUIRED ? pol_guest_nodes(g, node) : 0;

	for (size_t i = 0; i < n; i++)
		if (node[i].host >= 0 && node[i].host < POL_SOCKET_NODES)
			need_pages(r, need, g, node[i].host,
			           node[i].size / g->page);
	need_pages(r, need, g, -1, g->memory / g->page);
}

void check_pages(struct resolve *r)
{
	if (r->only || !r->seen->machine.n_pages)
		return;
	for (unsigned i = 0; i < POL_PAGE_SIZES; i++) {
		struct pages_needed need = { .size = i };

		for (size_t k = 0; k < r->p->n_guests; k++)
			if (r->p->guest[k].boot_auto &&
			    r->p->guest[k].page == pol_page_size(i))
				need_of_guest(r, &need, &r->p->guest[k]);
	}
}
