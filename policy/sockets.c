/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host: sockets, the memory nodes of each socket of the machine, for guests of
 * `numa: socket`. Where a card is said to be by `match: numa`, this says what
 * else is as near. It is stated, as that is, so that a policy gives the same
 * VFs on each machine; and so it is held against the machine: nodes that the
 * policy has in one socket are in one, and in different ones if it says so. How
 * sockets are numbered is nobody's business.
 */

#include <string.h>

#include "policy/priv.h"

/* ---- reading ------------------------------------------------------------- */

static void add_node(struct read *r, const struct node *v, uint16_t node,
                     size_t socket, struct pol_host *h)
{
	struct diag *d;

	if (!h->socket[node]) {
		h->socket[node] = (uint8_t)socket;
		return;
	}
	d = pol_err(r->errs, v->pos, FL_POL_CONFLICT,
	            "memory node %u is in two sockets", node);
	diag_mend(d, "see `lscpu`: a node is in one");
}

static void add_socket(struct read *r, const struct key *k,
                       const struct node *v, size_t socket, struct pol_host *h)
{
	uint16_t node[POL_SOCKET_NODES];
	size_t n = 0;

	if (told_text(r, v, TOLD_TEXT, LIST_OF_CPUS) || !want_quoted(r, k, v))
		return;
	if (strlen(v->text) != v->len || strchr(v->text, '\n') ||
	    pol_cpus_parse(v->text, node, ARRAY_SIZE(node), &n) < 0) {
		bad_value(r, k, v, "memory nodes, each once", "\"0-1,4\"");
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (node[i] < POL_SOCKET_NODES)
			add_node(r, v, node[i], socket, h);
		else
			bad_value(r, k, v, "memory nodes up to 127",
			          "\"0-1,4\"");
}

READER(read_sockets)
{
	struct pol_host *h = obj;
	size_t socket = 0;
	struct diag *d;

	if (v->kind != NODE_LIST) {
		d = pol_err(r->errs, v->pos, FL_POL_TYPE, "'%s' must be a list",
		            k->name);
		diag_mend(d,
		          "write the memory nodes of each socket: `%s: "
		          "[\"0-1\", \"2-3\"]`",
		          k->name);
		return;
	}
	/* Each has a node of its own. */
	if (!list_fits(r, k, v, POL_SOCKET_NODES))
		return;
	h->sockets_pos = v->pos;
	for (const struct node *c = v->first; c; c = c->next)
		add_socket(r, k, c, ++socket, h);
}

uint8_t pol_socket(const struct pol_host *h, unsigned node)
{
	return node < POL_SOCKET_NODES ? h->socket[node] : 0;
}

/* ---- what a guest needs of it -------------------------------------------- */

static void node_unknown(struct read *r, const struct node *v,
                         const struct pol_host *h, int node)
{
	struct diag *d;

	if (node < 0 || pol_socket(h, (unsigned)node))
		return;
	d = pol_err(r->errs, v->pos, FL_POL_SOCKET,
	            "'%s' of memory node %d, which is in no socket", v->text,
	            node);
	if (h->sockets_pos.line)
		diag_why(d, "`sockets` of the host (%s) does not have it",
		         WHERE(r->policy, h->sockets_pos, v->pos));
	else
		diag_why(d, "the policy does not say which nodes share one");
	diag_mend(d, "add `sockets: [\"0-1\", \"2-3\"]` to 'host', as `lscpu` "
	             "shows them");
}

void check_reach(struct read *r, const struct node *v,
                 const struct pol_guest *g)
{
	const struct pol_host *h = &r->policy->host;

	if (g->reach != POL_REACH_SOCKET)
		return;
	node_unknown(r, v, h, g->host_node);
	for (size_t i = 0; i < g->n_nodes; i++)
		node_unknown(r, v, h, g->node[i].host);
}

/* ---- the machine --------------------------------------------------------- */

static struct diag *refuse(struct resolve *r)
{
	struct diag *d = pol_err(r->errs, r->p->host.sockets_pos, FL_POL_SOCKET,
	                         "sockets are not as the policy states them");

	diag_mend(d, "see `lscpu`; correct `sockets` of 'host'");
	return d;
}

/* Node b and those before it. */
static bool fits(struct resolve *r, size_t b)
{
	const uint8_t *is = r->seen->machine.socket;
	const uint8_t *stated = r->p->host.socket;

	if (!is[b]) {
		diag_why(refuse(r),
		         "which one memory node %zu is in is not known", b);
		return false;
	}
	for (size_t a = 0; a < b; a++) {
		bool same = is[a] == is[b];

		if (!stated[a] || same == (stated[a] == stated[b]))
			continue;
		diag_why(refuse(r), "memory nodes %zu and %zu are in %s", a, b,
		         same ? "one" : "two");
		return false;
	}
	return true;
}

void check_sockets(struct resolve *r)
{
	for (size_t i = 0; i < POL_SOCKET_NODES; i++)
		if (r->p->host.socket[i] && !fits(r, i))
			return;
}
