/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far a VF is from its guest's memory, and whether that is too far for the
 * guest's `numa`.
 *
 * VFs are chosen by the memory nodes that the policy states (place.c). Of a nic
 * whose `match` states none it is seen here, once the kernel has told, whether
 * the guest can have what it was given: it gets no other instead, since then it
 * would depend on the machine which VF is whose.
 */

#include <stdio.h>

#include "policy/priv.h"

static bool is_at(const struct pol_guest *g, int node)
{
	bool at = g->host_node == node;

	for (size_t i = 0; i < g->n_nodes; i++)
		at |= g->node[i].host == node;
	return at;
}

static bool shares_socket(const struct pol_policy *p, const struct pol_guest *g,
                          int node)
{
	uint8_t socket = pol_socket(&p->host, (unsigned)node);
	bool shared = g->host_node >= 0 &&
	              pol_socket(&p->host, (unsigned)g->host_node) == socket;

	for (size_t i = 0; i < g->n_nodes; i++) {
		int host = g->node[i].host;

		shared |= host >= 0 &&
		          pol_socket(&p->host, (unsigned)host) == socket;
	}
	return socket && shared;
}

enum pol_near near_guest(const struct pol_policy *p, const struct pol_guest *g,
                         int node)
{
	bool named = g && g->host_node >= 0;

	for (size_t i = 0; g && i < g->n_nodes; i++)
		named |= g->node[i].host >= 0;
	if (!named || g->numa == POL_NUMA_NONE)
		return POL_NEAR_ANY;
	if (node < 0)
		return POL_NEAR_UNKNOWN;
	if (is_at(g, node))
		return POL_NEAR_SAME;
	return shares_socket(p, g, node) ? POL_NEAR_SOCKET : POL_NEAR_OTHER;
}

bool is_far(const struct pol_guest *g, enum pol_near near)
{
	if (g->numa != POL_NUMA_REQUIRED)
		return false;
	return near == POL_NEAR_OTHER ||
	       (near == POL_NEAR_SOCKET && g->reach != POL_REACH_SOCKET);
}

void mend_far(struct diag *d, const struct pol_guest *g, const char *first)
{
	diag_mend(d,
	          "%s, or memory from there; or write `numa: %spreferred` in "
	          "the guest",
	          first, g->reach == POL_REACH_NODE ? "socket` or `" : "");
}

/* One that has been moved is where somebody has wanted it (failover). */
void check_near(struct resolve *r, const struct pol_guest *g,
                const struct pol_guest_nic *n)
{
	const struct pol_nic *nic = &r->p->nic[n->fn.nic];
	const struct pol_pf *pf = r->at[n->fn.nic];
	char b[BDF_STRLEN], first[DIAG_LINE];
	struct diag *d;

	if (n->moved || !(pf->set & POL_HAS_NODE) ||
	    !is_far(g, near_guest(r->p, g, pf->id.node)))
		return;
	d = pol_err(r->errs, n->pos, FL_POL_FAR,
	            "guest %s: %s has VF %u of %s %s, which is not at its "
	            "memory node",
	            g->name, n->name, n->fn.vf, pol_kind_name(nic->kind),
	            nic->name);
	diag_why(d, "%s is at node %u, as the kernel tells",
	         bdf_format(pf->bdf, b), pf->id.node);
	snprintf(first, sizeof(first),
	         "state `numa: %u` in the 'match' of %s, so that it gets "
	         "another VF",
	         pf->id.node, nic->name);
	mend_far(d, g, first);
}
