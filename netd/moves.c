/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a guest's nic is not where the policy puts it: moves.h. */

#include <stdio.h>
#include <string.h>

#include "netd/ledger.h"
#include "netd/moves.h"

/* ---- what the ledger says, in the policy's terms ------------------------- */

/* "guest/nic" */
static struct pol_guest_nic *find_nic(struct pol_policy *p, const char *tenant)
{
	char label[2 * POL_NAME];

	for (size_t g = 0; g < p->n_guests; g++)
		for (size_t i = 0; i < p->guest[g].n_nics; i++) {
			struct pol_guest_nic *n = &p->guest[g].nic[i];

			snprintf(label, sizeof(label), "%s/%s",
			         p->guest[g].name, n->name);
			if (n->pool != SIZE_MAX && !strcmp(label, tenant))
				return n;
		}
	return NULL;
}

/* The VF, if the nic's pool has it. */
static bool find_fn(const struct pol_policy *p, const struct pol_guest_nic *n,
                    const struct ledger_moved *m, struct pol_fn *ret)
{
	const struct pol_pool *pool = &p->pool[n->pool];

	for (size_t i = 0; i < pool->n_fn; i++) {
		*ret = pool->fn[i];
		if (ret->vf == m->vf && !strcmp(p->nic[ret->nic].name, m->nic))
			return true;
	}
	return false;
}

static bool is_held(const struct pol_state *seen, struct bdf b)
{
	for (size_t i = 0; seen && i < seen->n_pfs; i++)
		for (size_t k = 0; k < seen->pf[i].n_vfs; k++) {
			const struct pol_vf *v = &seen->pf[i].vf[k];

			if (bdf_equal(v->bdf, b))
				return v->holder_pid || *v->label;
		}
	return false;
}

static int refused(const struct ledger_fn *f, bool is_others, struct diag *d)
{
	size_t guest = strcspn(f->tenant, "/");
	const char *nic = f->tenant + guest + (f->tenant[guest] == '/');

	diag_fail(d, -EBUSY, FL_NETD_MOVED,
	          "%.60s has VF %u of %s since a failover", f->tenant,
	          f->moved.vf, f->moved.nic);
	diag_why(d, "the policy %s",
	         is_others ? "gives that one to another guest"
	                   : "has no such VF in that nic's pool");
	diag_mend(d,
	          "give it its own back: fairlead failover %.*s %s; or stop "
	          "the guest",
	          (int)guest, f->tenant, nic);
	return -EBUSY;
}

static int apply_one(struct pol_policy *p, const struct ledger_fn *f,
                     const struct pol_state *seen, struct diag *d)
{
	struct pol_guest_nic *n = find_nic(p, f->tenant);
	struct pol_fn fn;
	bool there;

	if (!n || (seen && !is_held(seen, f->bdf)))
		return 0;
	there = find_fn(p, n, &f->moved, &fn);
	if (there && !pol_fn_nic(p, fn, n)) {
		pol_nic_move(n, fn);
		return 0;
	}
	return seen ? refused(f, there, d) : 0;
}

int moves_apply(const struct env *e, struct pol_policy *p,
                const struct pol_state *seen, struct diag *d)
{
	struct ledger book = { 0 };
	int r = ledger_read(e, &book, d);

	for (size_t i = 0; !r && i < book.n; i++)
		if (book.fn[i].state == LEDGER_GIVEN && *book.fn[i].moved.nic)
			r = apply_one(p, &book.fn[i], seen, d);
	ledger_free(&book);
	return r;
}

/* ---- one MAC, one VF ----------------------------------------------------- */

static int zero_mac(struct guest_run *r, const struct pol_pf *pf,
                    const struct pol_vf *v, struct diag *d)
{
	struct pol_action a = { .op = POL_OP_VF_MAC,
		                .pf = pf->bdf,
		                .vf = v->index,
		                .vf_bdf = v->bdf };

	snprintf(a.ifname, sizeof(a.ifname), "%s", pf->ifname);
	return machine_ops.act[a.op](&r->m, &a, d);
}

int moves_take_mac(struct work *w, struct guest_run *r,
                   const uint8_t mac[static 6], struct bdf keep)
{
	int e = 0;

	for (size_t i = 0; !e && i < r->seen->n_pfs; i++)
		for (size_t k = 0; !e && k < r->seen->pf[i].n_vfs; k++) {
			const struct pol_vf *v = &r->seen->pf[i].vf[k];

			if (v->set & POL_HAS_MAC && !memcmp(v->mac, mac, 6) &&
			    !bdf_equal(v->bdf, keep))
				e = zero_mac(r, &r->seen->pf[i], v, &w->diag);
		}
	return e;
}
