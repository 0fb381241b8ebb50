/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which VF of its pool a guest's nic gets, and why.
 *
 * Decided from the policy alone, as it is read: guests before this one have
 * theirs, those after it do not matter. So the same policy gives the same
 * answer on every machine and at every time, a plan shows all of it, a guest
 * added at the end moves nobody, and nobody's VF depends on who happens to
 * run. For the same reason a physical function's memory node is the one that
 * the policy states of it (`match: numa`), which the machine must then have;
 * what it does not state is looked at when the machine is known (near.c).
 *
 * Order: VFs at the guest's memory node, then those at another one of the same
 * socket (`host: sockets`), then those of which nothing is stated, then the
 * others, as far as the guest's `numa` lets them; among equals what the pool's
 * `placement` says; among equals still, the order written.
 *
 * `numa: pcie-root` ties a guest's functions to one root port: that of its
 * devices, gpus and nvme, or of the first nic that is placed. What is not
 * stated to be below it is not taken for it.
 */

#include <stdio.h>
#include <string.h>

#include "policy/priv.h"

static bool has_fn(const struct pol_guest_nic *n)
{
	return n->pool != SIZE_MAX || n->idle_pool != SIZE_MAX;
}

/* From the end: the one that is being read is the last. */
static const struct pol_guest *guest_of(const struct pol_policy *p,
                                        const struct pol_guest_nic *nic)
{
	for (size_t g = p->n_guests; g-- > 0;)
		for (size_t i = 0; i < p->guest[g].n_nics; i++)
			if (&p->guest[g].nic[i] == nic)
				return &p->guest[g];
	return NULL;
}

static bool has_given(const struct given *t, struct pol_fn fn)
{
	return t->vf[fn.nic][fn.vf / 32] & BIT(fn.vf % 32);
}

static bool is_others(const struct given *t, size_t nic,
                      const struct pol_policy *p, const struct pol_guest *me)
{
	return t->several[nic] ||
	       (t->guest[nic] && &p->guest[t->guest[nic] - 1] != me);
}

static void give(struct given *t, const struct pol_policy *p,
                 const struct pol_guest *g, struct pol_fn fn)
{
	t->several[fn.nic] = is_others(t, fn.nic, p, g);
	t->vf[fn.nic][fn.vf / 32] |= BIT(fn.vf % 32);
	t->n[fn.nic]++;
	t->guest[fn.nic] = g ? (size_t)(g - p->guest) + 1 : 0;
}

/* To guest NICs before `until`, when that was read. */
static void given_before(const struct pol_policy *p,
                         const struct pol_guest_nic *until, struct given *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (size_t g = 0; g < p->n_guests; g++)
		for (size_t i = 0; i < p->guest[g].n_nics; i++) {
			const struct pol_guest_nic *n = &p->guest[g].nic[i];

			if (n == until)
				return;
			if (has_fn(n))
				give(ret, p, &p->guest[g], n->fn);
		}
}

/* ---- root ports ---------------------------------------------------------- */

static const struct bdf *use_root(const struct pol_guest_use *use, size_t n,
                                  const struct pol_function *list,
                                  size_t n_list)
{
	for (size_t i = 0; i < n; i++) {
		size_t f = use[i].function;

		if (f < n_list && list[f].whole.match.by_root)
			return &list[f].whole.match.root;
	}
	return NULL;
}

/* Of the guest's devices, gpus and nvme, or of its NICs before `until`; NULL =
 * of none yet. */
static const struct bdf *guest_root(const struct pol_policy *p,
                                    const struct pol_guest *g,
                                    const struct pol_guest_nic *until)
{
	const struct bdf *root;

	for (size_t i = 0; i < g->n_devices; i++) {
		size_t d = g->device[i].device;

		if (d < p->n_devices && p->device[d].match.by_root)
			return &p->device[d].match.root;
	}
	root = use_root(g->gpu, g->n_gpus, p->gpu, p->n_gpus);
	if (!root)
		root = use_root(g->nvme, g->n_nvmes, p->nvme, p->n_nvmes);
	for (size_t i = 0; !root && i < g->n_nics && &g->nic[i] != until; i++)
		if (has_fn(&g->nic[i]) &&
		    p->nic[g->nic[i].fn.nic].match.by_root)
			root = &p->nic[g->nic[i].fn.nic].match.root;
	return root;
}

/* `root` NULL: below the one that it states itself. */
static bool is_below(const struct pol_match *m, const struct bdf *root)
{
	return m->by_root && (!root || bdf_equal(*root, m->root));
}

void check_roots(struct read *r, const struct node *v,
                 const struct pol_guest *g)
{
	const struct pol_policy *p = r->policy;
	const struct bdf *root = guest_root(p, g, NULL);
	const struct pol_match *m;
	const char *name = NULL;
	struct diag *d;

	for (size_t i = 0; i < g->n_devices; i++) {
		size_t k = g->device[i].device;

		m = k < p->n_devices ? &p->device[k].match : NULL;
		if (m && !is_below(m, root))
			name = g->device[i].name;
	}
	for (size_t i = 0; i < g->n_nics; i++)
		if (has_fn(&g->nic[i]) &&
		    !is_below(&p->nic[g->nic[i].fn.nic].match, root))
			name = g->nic[i].name;
	if (!name)
		return;
	d = pol_err(r->errs, v->pos, FL_POL_ROOT,
	            "'%s' is not below the root port of the guest's others",
	            name);
	diag_why(d, "its `match: pcie-root` states another, or nothing");
	diag_mend(d, "state it (`lspci -PP`), or write `numa: required`");
}

static bool is_apart(const struct pol_policy *p, const struct pol_guest *g,
                     const struct pol_guest_nic *n, const struct pol_nic *nic)
{
	return g && g->reach == POL_REACH_ROOT &&
	       !is_below(&nic->match, guest_root(p, g, n));
}

/* The memory node that the policy has it at; -1 = it does not say. */
static int stated(const struct pol_nic *nic)
{
	return nic->match.by_node ? nic->match.node : -1;
}

/* ---- the choice ---------------------------------------------------------- */

enum verdict { /* on a VF of the pool */
	VF_TAKEN,
	VF_APART, /* not below the guest's root port */
	VF_FAR,   /* too far from its memory */
	VF_SHARED,
	/* It can be had; beside the one that was taken: */
	VF_FARTHER,
	VF_FULLER,
	VF_FREE,
	VERDICTS,
};
struct choice {
	struct pol_why why;
	struct pol_fn fn;
	bool found;
	bool passed[VERDICTS]; /* some were passed over for that */
};
/* For whom, and what is left for him. */
struct asking {
	const struct pol_policy *p;
	const struct pol_guest *g;
	const struct pol_guest_nic *n;
	const struct pol_pool *pool;
	const struct given *t;
};

static unsigned rank(const struct pol_why *w)
{
	unsigned r = (unsigned)w->near << 16;

	return w->placement == POL_PLACE_BALANCED ? r + w->used : r;
}

static enum verdict judge(const struct asking *a, struct pol_fn fn,
                          struct pol_why *ret)
{
	const struct pol_nic *nic = &a->p->nic[fn.nic];

	*ret = (struct pol_why){ .placement = a->pool->placement,
		                 .near = near_guest(a->p, a->g, stated(nic)),
		                 .root = a->g && a->g->reach == POL_REACH_ROOT,
		                 .used = a->t->n[fn.nic] };
	if (has_given(a->t, fn))
		return VF_TAKEN;
	if (is_apart(a->p, a->g, a->n, nic))
		return VF_APART;
	if (a->g && is_far(a->g, ret->near))
		return VF_FAR;
	if (ret->placement == POL_PLACE_ISOLATE &&
	    is_others(a->t, fn.nic, a->p, a->g))
		return VF_SHARED;
	return VF_FREE;
}

static void consider(const struct asking *a, struct pol_fn fn, struct choice *c)
{
	struct pol_why why;
	enum verdict v = judge(a, fn, &why);

	c->passed[v] = true;
	if (v != VF_FREE || (c->found && rank(&why) >= rank(&c->why)))
		return;
	c->why = why;
	c->fn = fn;
	c->found = true;
}

/* No later one can be before it. */
static bool is_best(const struct choice *c)
{
	return c->found && c->why.near <= POL_NEAR_SAME &&
	       (c->why.placement != POL_PLACE_BALANCED || !c->why.used);
}

static void refuse_root(const struct asking *a, struct diag *d)
{
	const struct bdf *root = guest_root(a->p, a->g, a->n);
	char b[BDF_STRLEN];

	diag_why(d,
	         "%s%s; of its other VFs' nics `match: pcie-root` states "
	         "another, or nothing",
	         root ? "the guest has functions below "
	              : "the first of them "
	                "decides which",
	         root ? bdf_format(*root, b) : "");
	diag_mend(d, "state `pcie-root` of the nics (`lspci -PP`), take "
	             "another pool, or write `numa: required`");
}

static void refuse_far(const struct asking *a, struct diag *d)
{
	diag_why(d, "its other VFs are of nics that are stated to be at "
	            "another (`match: numa`)");
	mend_far(d, a->g, "take another pool");
}

static void refuse(struct read *r, const struct node *v, const struct asking *a,
                   const struct choice *c)
{
	const struct pol_pool *pool = a->pool;
	const char *where = WHERE(r->policy, pool->pos, v->pos);
	const bool *passed = c->passed;
	struct diag *d = pol_err(
		r->errs, v->pos,
		passed[VF_APART]    ? FL_POL_ROOT
		: passed[VF_FAR]    ? FL_POL_FAR
		: passed[VF_SHARED] ? FL_POL_SHARED
				    : FL_POL_RANGE,
		passed[VF_APART] ? "%s %s has no VF left below the guest's "
				   "PCIe root port"
		: passed[VF_FAR]
			? "%s %s has no VF left at the guest's memory node"
		: passed[VF_SHARED] ? "%s %s has no physical function left "
				      "that no other guest has a VF of"
				    : "%s %s has no VF left",
		pool_word(pool), pool->name);

	if (passed[VF_APART]) {
		refuse_root(a, d);
	} else if (passed[VF_FAR]) {
		refuse_far(a, d);
	} else if (passed[VF_SHARED]) {
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
	const struct pol_policy *p = r->policy;
	const struct pol_pool *pool = &p->pool[index];
	const struct asking a = { p, guest_of(p, nic), nic, pool, r->given };
	struct choice c = { .found = false };

	if (!pool->n_fn && pool->kind == POL_KIND_NIC)
		return; /* an error of the pool, said there */
	for (size_t i = 0; i < pool->n_fn && !is_best(&c); i++)
		consider(&a, pool->fn[i], &c);
	if (!c.found) {
		refuse(r, v, &a, &c);
		return;
	}
	nic->fn = c.fn;
	nic->why = c.why;
	nic->pool = index;
	give(r->given, p, a.g, nic->fn);
}

static void refuse_named_far(struct read *r, const struct node *v,
                             const struct pol_guest *g,
                             const struct pol_pool *pool, uint16_t vf)
{
	const struct pol_nic *nic = &r->policy->nic[pool->fn[vf].nic];
	struct diag *d = pol_err(r->errs, v->pos, FL_POL_FAR,
	                         "VF %u of %s %s is not at the guest's memory "
	                         "node",
	                         vf, pool_word(pool), pool->name);

	diag_why(d, "`match: numa` of it states node %u", nic->match.node);
	mend_far(d, g, "name one that is");
}

void place_named(struct read *r, const struct node *v,
                 struct pol_guest_nic *nic, size_t index, uint16_t vf)
{
	const struct pol_pool *pool = &r->policy->pool[index];
	const struct pol_guest *g = guest_of(r->policy, nic);

	if (vf >= pool->n_fn)
		return; /* said where it is named */
	if (has_given(r->given, pool->fn[vf])) {
		refuse_named(r, v, pool, pool->fn[vf], g);
		return;
	}
	if (is_far(g, near_guest(r->policy, g,
	                         stated(&r->policy->nic[pool->fn[vf].nic])))) {
		refuse_named_far(r, v, g, pool, vf);
		return;
	}
	nic->fn = pool->fn[vf];
	nic->why.placement = POL_PLACE_NAMED;
	nic->pool = index;
	give(r->given, r->policy, g, nic->fn);
}

/* ---- another instead ----------------------------------------------------- */

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

/* ---- in words ------------------------------------------------------------ */

int pol_why_text(const struct pol_policy *p, const struct pol_guest_nic *n,
                 char *buf, size_t size)
{
	const struct pol_nic *nic = &p->nic[n->fn.nic];
	char at[96] = "", b[BDF_STRLEN];

	if (n->moved)
		return snprintf(buf, size,
		                "since a failover, in place of VF %u of %s",
		                n->home.vf, p->nic[n->home.nic].name);
	if (n->why.near == POL_NEAR_SAME)
		snprintf(at, sizeof(at), "at the guest's memory node %u, ",
		         nic->match.node);
	else if (n->why.near == POL_NEAR_SOCKET)
		snprintf(at, sizeof(at), "in its socket, at memory node %u, ",
		         nic->match.node);
	else if (n->why.near == POL_NEAR_OTHER)
		snprintf(at, sizeof(at),
		         "none is free at the guest's memory node, ");
	if (n->why.root)
		snprintf(at + strlen(at), sizeof(at) - strlen(at),
		         "below root port %s, ",
		         bdf_format(nic->match.root, b));
	switch (n->why.placement) {
	case POL_PLACE_BALANCED:
		return snprintf(buf, size,
		                "%sbalanced: guests before this have %u VF(s) "
		                "of %s, and of no other less",
		                at, n->why.used, nic->name);
	case POL_PLACE_ISOLATE:
		return snprintf(buf, size,
		                "%sisolate: no other guest has a VF of %s", at,
		                nic->name);
	case POL_PLACE_NAMED:
		return snprintf(buf, size, "the guest names it");
	default:
		return snprintf(buf, size,
		                "%sthe first that guests before this left, in "
		                "the order written",
		                at);
	}
}

int tally_text(const char *const *words, const unsigned *n, size_t n_words,
               char *buf, size_t size)
{
	int at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < n_words; i++)
		if (n[i] && (size_t)at < size)
			at += snprintf(buf + at, size - (size_t)at, "%s%u %s",
			               at ? ", " : "", n[i], words[i]);
	return at;
}

/* What the other VFs of the pool lack, by how many. */
static void tally(const struct asking *a, unsigned n[static VERDICTS])
{
	for (size_t i = 0; i < a->pool->n_fn; i++) {
		struct pol_fn fn = a->pool->fn[i];
		struct pol_why why;
		enum verdict v = judge(a, fn, &why);

		if (fn.nic == a->n->fn.nic && fn.vf == a->n->fn.vf)
			continue;
		if (v == VF_FREE && why.near > a->n->why.near)
			v = VF_FARTHER;
		else if (v == VF_FREE && rank(&why) > rank(&a->n->why))
			v = VF_FULLER;
		n[v]++;
	}
}

int pol_others_text(const struct pol_policy *p, const struct pol_guest_nic *n,
                    char *buf, size_t size)
{
	static const char *const words[VERDICTS] = {
		[VF_TAKEN] = "given to nics before it",
		[VF_APART] = "not below the guest's root port",
		[VF_FAR] = "too far from its memory",
		[VF_SHARED] = "of a nic that serves another guest",
		[VF_FARTHER] = "farther from its memory",
		[VF_FULLER] = "of a nic that serves more",
		[VF_FREE] = "as good, and later in the order written",
	};
	unsigned count_of[VERDICTS] = { 0 };
	struct given before;
	const struct asking a = { p, guest_of(p, n), n, &p->pool[n->pool],
		                  &before };

	buf[0] = '\0';
	/* It was not chosen among them. */
	if (n->moved || n->why.placement == POL_PLACE_NAMED)
		return 0;
	given_before(p, n, &before);
	tally(&a, count_of);
	return tally_text(words, count_of, VERDICTS, buf, size);
}
