/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's memory nodes, and which nodes of the host its memory is from:
 * `memory: numa`, `memory: nodes`, `numa`. What the host has is nodes.c's to
 * look at, when the guest starts.
 */

#include <string.h>

#include "policy/priv.h"

READER(read_host_node)
{
	static const struct range range = { 0, POL_HOST_NODES - 1 };
	uint32_t node;

	if (scalar_u32(r, k, v, &range, &node))
		memcpy(field(k, obj), &(int){ (int)node }, sizeof(int));
}

static int parse_vcpus(const struct node *v, uint64_t *ret)
{
	uint16_t cpu[POL_CPUS_MAX];
	size_t n = 0;

	if (strlen(v->text) != v->len || strchr(v->text, '\n') ||
	    pol_cpus_parse(v->text, cpu, POL_CPUS_MAX, &n) < 0)
		return -EINVAL;
	*ret = 0;
	for (size_t i = 0; i < n; i++) {
		if (cpu[i] >= POL_CPUS_MAX)
			return -EINVAL;
		*ret |= 1ull << cpu[i];
	}
	return 0;
}

static READER(read_node_cpus)
{
	struct pol_memory_node *n = obj;
	uint64_t cpus;

	if (told_text(r, v, TOLD_TEXT, LIST_OF_CPUS) || !want_quoted(r, k, v))
		return;
	if (!parse_vcpus(v, &cpus))
		n->cpus = cpus;
	else
		bad_value(r, k, v, "vCPUs of the guest, from 0 on, each once",
		          "\"0-3,8\"");
}

static void node_init(void *item)
{
	struct pol_memory_node *n = item;

	n->host = -1;
}

static READER(read_node_size)
{
	struct pol_memory_node *n = obj;

	read_memory_bytes(r, k, v, &n->size);
}

CHECK_NAMED(pol_memory_node);
// clang-format off
static const struct key node_keys[] = {
	{ .name = "size", .flags = KEY_REQUIRED, .read = read_node_size },
	{ .name = "cpus", .read = read_node_cpus },
	{ .name = "host", .read = read_host_node,
	  .at = offsetof(struct pol_memory_node, host) },
};
static const struct table node_table = {
	.what = "memory node", .keys = node_keys, .n = ARRAY_SIZE(node_keys),
};
const struct list list_memory_nodes = {
	.item = &node_table, .size = sizeof(struct pol_memory_node),
	.count = offsetof(struct pol_guest, n_nodes),
	.max = POL_MEMORY_NODES_MAX, .init = node_init,
};
// clang-format on

READER(read_numa)
{
	static const struct word word[] = {
		{ .text = "required", .value = 0 },
		{ .text = "preferred", .value = 1 },
		{ .text = "none", .value = 2 },
		{ .text = "socket", .value = 3 },
		{ .text = "pcie-root", .value = 4 },
	};
	static const struct {
		enum pol_numa numa;
		enum pol_reach reach;
	} meaning[] = {
		{ POL_NUMA_REQUIRED, POL_REACH_NODE },
		{ POL_NUMA_PREFERRED, POL_REACH_NODE },
		{ POL_NUMA_NONE, POL_REACH_NODE },
		{ POL_NUMA_REQUIRED, POL_REACH_SOCKET },
		{ POL_NUMA_REQUIRED, POL_REACH_ROOT },
	};
	static const struct words words = { word, ARRAY_SIZE(word) };
	struct pol_guest *g = obj;
	unsigned value;

	if (!scalar_word(r, k, v, &words, &value))
		return;
	g->numa = meaning[value].numa;
	g->reach = meaning[value].reach;
}

/* ---- what concerns several of them --------------------------------------- */

static void bad_pages(struct read *r, const struct node *item)
{
	struct diag *d =
		pol_err(r->errs, node_get(item, "size")->pos, FL_POL_CONFLICT,
	                "the size is no whole number of such pages");

	diag_mend(d, "make it a multiple of 1G, or write `pages: 2M`");
}

static void check_vcpus(struct read *r, const struct node *nodes,
                        const struct pol_guest *g)
{
	const struct node *item = nodes->first;
	uint64_t left = g->cpus < 64 ? (1ull << g->cpus) - 1 : UINT64_MAX;
	struct diag *d;

	for (size_t i = 0; i < g->n_nodes; i++, item = item->next) {
		if (node_get(item, "cpus") && !g->node[i].cpus)
			return; /* it could not be read */
	}
	item = nodes->first;
	for (size_t i = 0; i < g->n_nodes; i++, item = item->next) {
		uint64_t wrong = g->node[i].cpus & ~left;

		left &= ~g->node[i].cpus;
		if (!wrong)
			continue;
		d = pol_err(r->errs, node_get(item, "cpus")->pos,
		            FL_POL_CONFLICT, "vCPU %d cannot be in this node",
		            __builtin_ctzll(wrong));
		if ((uint32_t)__builtin_ctzll(wrong) >= g->cpus)
			diag_why(d, "the guest has %u, numbered from 0",
			         g->cpus);
		else
			diag_why(d, "it is in another already");
		diag_mend(d, "name each vCPU in the `cpus` of one node");
	}
	if (!left)
		return;
	d = pol_err(r->errs, nodes->pos, FL_POL_CONFLICT,
	            "vCPU %d is in no node", __builtin_ctzll(left));
	diag_mend(d, "name each of the guest's %u in the `cpus` of one node",
	          g->cpus);
}

/* The sum of their sizes is the guest's memory. */
static void check_sizes(struct read *r, const struct node *nodes,
                        struct pol_guest *g)
{
	const struct node *item = nodes->first;
	bool whole = true;

	for (size_t i = 0; i < g->n_nodes; i++, item = item->next) {
		const struct pol_memory_node *n = &g->node[i];

		whole = whole && n->size;
		g->memory += n->size; /* 8 of at most 4T */
		if (g->page && !IS_ALIGNED(n->size, g->page))
			bad_pages(r, item);
	}
	if (whole && g->memory > POL_MEMORY_MAX)
		diag_mend(pol_err(r->errs, nodes->pos, FL_POL_VALUE,
		                  "the nodes have more than 4T together"),
		          "smaller nodes");
}

static void given_twice(struct read *r, const struct node *v, const char *why)
{
	struct diag *d = pol_err(r->errs, v->pos, FL_POL_CONFLICT,
	                         "'%s' cannot be beside 'nodes'", v->key->text);

	diag_why(d, "%s", why);
	diag_mend(d, "remove one of the two");
}

void check_nodes(struct read *r, const struct node *map, struct pol_guest *g)
{
	const struct node *nodes = node_get(map, "nodes"), *v;

	if (!nodes)
		return;
	if ((v = node_get(map, "size")))
		given_twice(r, v, "it is the sum of the nodes' sizes");
	if ((v = node_get(map, "numa")))
		given_twice(r, v, "each node says by 'host' where it is from");
	if (nodes->kind == NODE_LIST && !nodes->n)
		diag_mend(pol_err(r->errs, nodes->pos, FL_POL_MISSING,
		                  "'nodes' has none"),
		          "add one, or write 'size' instead");
	if (!g->n_nodes)
		return;
	g->memory = 0;
	check_sizes(r, nodes, g);
	if (g->cpus)
		check_vcpus(r, nodes, g);
}

void check_numa(struct read *r, const struct node *map,
                const struct pol_guest *g)
{
	const struct node *v = node_get(map, "numa");
	bool named = g->host_node >= 0;

	for (size_t i = 0; i < g->n_nodes; i++)
		named = named || g->node[i].host >= 0;
	if (v && g->reach == POL_REACH_ROOT)
		check_roots(r, v, g);
	if (!v || g->reach == POL_REACH_ROOT)
		return;
	if (named) {
		check_reach(r, v, g);
		return;
	}
	diag_mend(pol_err(r->errs, v->pos, FL_POL_CONFLICT,
	                  "'numa' without a node of the host"),
	          "add `numa: N` to memory, or `host: N` to its nodes");
}
