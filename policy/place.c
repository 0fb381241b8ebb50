/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which VF of its pool a guest's nic gets, and why.
 *
 * Decided from the policy alone, as it is read: guests before this one have
 * theirs, those after it do not matter. So the same policy gives the same
 * answer on every machine and at every time, a plan shows all of it, a guest
 * added at the end moves nobody, and nobody's VF depends on who happens to
 * run. For the same reason a physical function's memory node is the one that
 * the policy states of it (`match: numa`), which the machine must then have.
 *
 * Order: VFs at the guest's memory node, then those of which nothing is stated,
 * then (not where `numa: required`) the others; among equals what the pool's
 * `placement` says; among equals still, the order written.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

/* Who has what, of the guest NICs read so far. */
struct taken {
	uint32_t vf[POL_NICS_MAX][POL_VFS_MAX / 32];
	uint16_t n[POL_NICS_MAX];
	bool others[POL_NICS_MAX]; /* another guest has one of it */
};

static bool has_fn(const struct pol_guest_nic *n)
{
	return n->pool != SIZE_MAX || n->idle_pool != SIZE_MAX;
}

static const struct pol_guest *guest_of(const struct pol_policy *p,
                                        const struct pol_guest_nic *nic)
{
	for (size_t g = 0; g < p->n_guests; g++)
		for (size_t i = 0; i < p->guest[g].n_nics; i++)
			if (&p->guest[g].nic[i] == nic)
				return &p->guest[g];
	return NULL;
}

static void count(const struct pol_policy *p, const struct pol_guest *me,
                  struct taken *t)
{
	memset(t, 0, sizeof(*t));
	for (size_t g = 0; g < p->n_guests; g++)
		for (size_t i = 0; i < p->guest[g].n_nics; i++) {
			const struct pol_guest_nic *n = &p->guest[g].nic[i];

			if (!has_fn(n))
				continue;
			t->vf[n->fn.nic][n->fn.vf / 32] |= BIT(n->fn.vf % 32);
			t->n[n->fn.nic]++;
			t->others[n->fn.nic] |= &p->guest[g] != me;
		}
}

/* ---- memory nodes ---------------------------------------------------------
 */

static enum pol_near near(const struct pol_nic *nic, const struct pol_guest *g)
{
	bool named = g && g->host_node >= 0;

	for (size_t i = 0; g && i < g->n_nodes; i++)
		named |= g->node[i].host >= 0;
	if (!named || g->numa == POL_NUMA_NONE)
		return POL_NEAR_ANY;
	if (!nic->match.by_node)
		return POL_NEAR_UNKNOWN;
	if (g->host_node == nic->match.node)
		return POL_NEAR_SAME;
	for (size_t i = 0; i < g->n_nodes; i++)
		if (g->node[i].host == nic->match.node)
			return POL_NEAR_SAME;
	return POL_NEAR_OTHER;
}

/* ---- the choice -----------------------------------------------------------
 */

struct choice {
	struct pol_why why;
	struct pol_fn fn;
	bool found;
	bool far, shared; /* free ones were passed over for that */
};

static unsigned rank(const struct pol_why *w)
{
	unsigned r = (unsigned)w->near << 16;

	return w->placement == POL_PLACE_BALANCED ? r + w->used : r;
}

static void consider(const struct pol_policy *p, const struct pol_guest *g,
                     const struct pol_pool *pool, struct pol_fn fn,
                     const struct taken *t, struct choice *c)
{
	const struct pol_why why = {
		.placement = pool->placement,
		.near = near(&p->nic[fn.nic], g),
		.used = t->n[fn.nic],
	};

	if (t->vf[fn.nic][fn.vf / 32] & BIT(fn.vf % 32))
		return;
	if (why.near == POL_NEAR_OTHER && g->numa == POL_NUMA_REQUIRED) {
		c->far = true;
		return;
	}
	if (why.placement == POL_PLACE_ISOLATE && t->others[fn.nic]) {
		c->shared = true;
		return;
	}
	if (c->found && rank(&why) >= rank(&c->why))
		return;
	*c = (struct choice){ why, fn, true, c->far, c->shared };
}

/* No later one can be before it. */
static bool is_best(const struct choice *c)
{
	return c->found && c->why.near <= POL_NEAR_SAME &&
	       (c->why.placement != POL_PLACE_BALANCED || !c->why.used);
}

static void refuse(struct read *r, const struct node *v,
                   const struct pol_pool *pool, const struct choice *c)
{
	const char *where = WHERE(r->policy, pool->pos, v->pos);
	struct diag *d = pol_err(
		r->errs, v->pos,
		c->far      ? FL_POL_FAR
		: c->shared ? FL_POL_SHARED
			    : FL_POL_RANGE,
		c->far      ? "%s %s has no VF left at the guest's memory node"
		: c->shared ? "%s %s has no physical function left that no "
			      "other guest has a VF of"
			    : "%s %s has no VF left",
		pool_word(pool), pool->name);

	if (c->far) {
		diag_why(d, "its other VFs are of nics that are stated to be "
		            "at another (`match: numa`)");
		diag_mend(d, "take another pool, or memory from there; or "
		             "write `numa: preferred` in the guest");
	} else if (c->shared) {
		diag_why(d, "its placement is isolate");
		diag_mend(d,
		          "add VFs of another nic to its 'functions', or "
		          "write `placement: balanced` (%s)",
		          where);
	} else {
		diag_why(d,
		         pool->n_fn ? "its %zu are all taken by guests before "
		                      "this"
		                    : "it has %zu",
		         pool->n_fn);
		diag_mend(d,
		          pool->kind == POL_KIND_NIC
		                  ? "add VFs to its 'functions' (%s)"
		                  : "raise its virtual-function-count (%s)",
		          where);
	}
}

/* Who had it before; two of one guest are told as two of one name. */
static void refuse_named(struct read *r, const struct node *v,
                         const struct pol_pool *pool, struct pol_fn fn,
                         const struct pol_guest *me)
{
	const struct pol_policy *p = r->policy;
	struct diag *d;

	for (size_t g = 0; g < p->n_guests; g++)
		for (size_t i = 0; i < p->guest[g].n_nics; i++) {
			const struct pol_guest_nic *n = &p->guest[g].nic[i];

			if (&p->guest[g] == me || !has_fn(n) ||
			    n->fn.nic != fn.nic || n->fn.vf != fn.vf)
				continue;
			d = pol_err(r->errs, v->pos, FL_POL_RANGE,
			            "VF %u of %s %s is guest %s's", fn.vf,
			            pool_word(pool), pool->name,
			            p->guest[g].name);
			diag_why(d,
			         "guests take theirs in the order of the "
			         "file (%s)",
			         WHERE(p, n->pos, v->pos));
			diag_mend(d, "name another, or name one there, too");
		}
}

void place_nic(struct read *r, const struct node *v, struct pol_guest_nic *nic,
               size_t index)
{
	const struct pol_pool *pool = &r->policy->pool[index];
	const struct pol_guest *g = guest_of(r->policy, nic);
	struct choice c = { .found = false };
	struct taken t;

	if (!pool->n_fn && pool->kind == POL_KIND_NIC)
		return; /* an error of the pool, said there */
	count(r->policy, g, &t);
	for (size_t i = 0; i < pool->n_fn && !is_best(&c); i++)
		consider(r->policy, g, pool, pool->fn[i], &t, &c);
	if (!c.found) {
		refuse(r, v, pool, &c);
		return;
	}
	nic->fn = c.fn;
	nic->why = c.why;
	nic->pool = index;
}

void place_named(struct read *r, const struct node *v,
                 struct pol_guest_nic *nic, size_t index, uint16_t vf)
{
	const struct pol_pool *pool = &r->policy->pool[index];
	const struct pol_guest *g = guest_of(r->policy, nic);
	struct taken t;

	if (vf >= pool->n_fn)
		return; /* said where it is named */
	count(r->policy, g, &t);
	if (t.vf[pool->fn[vf].nic][vf / 32] & BIT(vf % 32)) {
		refuse_named(r, v, pool, pool->fn[vf], g);
		return;
	}
	nic->fn = pool->fn[vf];
	nic->why.placement = POL_PLACE_NAMED;
	nic->pool = index;
}

/* ---- another instead -------------------------------------------------------
 */

static bool same(struct pol_fn a, struct pol_fn b)
{
	return a.nic == b.nic && a.vf == b.vf;
}

void pol_nic_move(struct pol_guest_nic *n, struct pol_fn to)
{
	if (!n->moved)
		n->home = n->fn;
	n->fn = to;
	n->moved = !same(to, n->home);
}

const struct pol_guest_nic *pol_fn_nic(const struct pol_policy *p,
                                       struct pol_fn fn,
                                       const struct pol_guest_nic *but)
{
	for (size_t g = 0; g < p->n_guests; g++)
		for (size_t i = 0; i < p->guest[g].n_nics; i++) {
			const struct pol_guest_nic *n = &p->guest[g].nic[i];

			if (n != but && n->pool != SIZE_MAX &&
			    (same(n->fn, fn) ||
			     (n->moved && same(n->home, fn))))
				return n;
		}
	return NULL;
}

/* ---- in words --------------------------------------------------------------
 */

int pol_why_text(const struct pol_policy *p, const struct pol_guest_nic *n,
                 char *buf, size_t size)
{
	const struct pol_nic *nic = &p->nic[n->fn.nic];
	char node[64] = "";

	if (n->moved)
		return snprintf(buf, size,
		                "since a failover, in place of VF %u of %s",
		                n->home.vf, p->nic[n->home.nic].name);
	if (n->why.near == POL_NEAR_SAME)
		snprintf(node, sizeof(node), "at the guest's memory node %u, ",
		         nic->match.node);
	else if (n->why.near == POL_NEAR_OTHER)
		snprintf(node, sizeof(node),
		         "none is free at the guest's memory node, ");
	switch (n->why.placement) {
	case POL_PLACE_BALANCED:
		return snprintf(buf, size,
		                "%sbalanced: guests before this have %u VF(s) "
		                "of %s, and of no other less",
		                node, n->why.used, nic->name);
	case POL_PLACE_ISOLATE:
		return snprintf(buf, size,
		                "%sisolate: no other guest has a VF of %s",
		                node, nic->name);
	case POL_PLACE_NAMED:
		return snprintf(buf, size, "the guest names it");
	default:
		return snprintf(buf, size,
		                "%sthe first that guests before this left, in "
		                "the order written",
		                node);
	}
}
