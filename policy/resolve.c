/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pol_resolve: the policy meets the machine. Each nic finds its PF; then each
 * pool's VFs are given a driver, each guest NIC's VF its MAC and network. The
 * result says nothing about what the policy leaves out.
 *
 * All devices are looked at before giving up, so that every error shows.
 */

#include <stdio.h>
#include <string.h>

#include "policy/plan.h"

/* Is `name` of guest `g` part of what is asked for? */
bool concerns(const struct resolve *r, const struct pol_guest *g,
              const char *name)
{
	return (!r->only || g == r->only) &&
	       (!r->device || !strcmp(name, r->device));
}

/* An emulated one has none. */
static bool has_vf(const struct pol_guest_nic *n)
{
	return n->pool != SIZE_MAX;
}

static bool nic_needed(const struct resolve *r, size_t nic)
{
	const struct pol_guest *g = r->only;

	for (size_t i = 0; g && i < g->n_nics; i++)
		if (has_vf(&g->nic[i]) && g->nic[i].fn.nic == nic &&
		    concerns(r, g, g->nic[i].name))
			return true;
	return !g;
}

/* How many VFs the nic has in the end. */
uint32_t final_count(const struct pol_nic *nic, const struct pol_pf *pf)
{
	return nic->vf_count.given == POL_ABSENT ? pf->num_vfs
	                                         : nic->vf_count.v;
}

/* Its VFs are those seen now, so what was seen of them holds. */
bool keeps_vfs(const struct pol_nic *nic, const struct pol_pf *pf)
{
	return final_count(nic, pf) == pf->num_vfs;
}

/* ---- nics ---------------------------------------------------------------- */

static void check_count(struct resolve *r, const struct pol_nic *nic,
                        const struct pol_pf *pf)
{
	char b[BDF_STRLEN];
	struct diag *d;
	struct bdf last;

	if (!nic->vf_count.v || keeps_vfs(nic, pf))
		return;
	if (nic->vf_count.v > pf->total_vfs) {
		d = pol_err(r->errs, nic->vf_count_pos, FL_POL_TOTAL,
		            "%s %s: %u VFs asked of %s",
		            pol_kind_name(nic->kind), nic->name,
		            nic->vf_count.v, bdf_format(pf->bdf, b));
		diag_why(d, "it has at most %u (sriov_totalvfs)",
		         pf->total_vfs);
		diag_mend(d, "lower virtual-function-count, or raise the "
		             "device's limit in its firmware");
	} else if (vf_address(pf, nic->vf_count.v - 1, &last)) {
		d = pol_err(r->errs, nic->vf_count_pos, FL_POL_ADDRESS,
		            "%s %s: VF %u of %s has no address",
		            pol_kind_name(nic->kind), nic->name,
		            nic->vf_count.v - 1, bdf_format(pf->bdf, b));
		diag_why(d, "offset %u and stride %u lead beyond bus ff",
		         pf->vf_offset, pf->vf_stride);
		diag_mend(d, "lower virtual-function-count");
	}
}

static void check_driver(struct resolve *r, const struct pol_nic *nic,
                         const struct pol_pf *pf)
{
	bool wanted = nic->vf_count.given != POL_ABSENT ||
	              nic->link_up.given != POL_ABSENT ||
	              nic->mtu.given != POL_ABSENT ||
	              nic->autoprobe.given != POL_ABSENT;
	char b[BDF_STRLEN];
	struct diag *d;

	if (!wanted || *pf->driver)
		return;
	d = pol_err(r->errs, nic->match.pos, FL_POL_PF_DRIVER,
	            "%s %s: %s has no driver", pol_kind_name(nic->kind),
	            nic->name, bdf_format(pf->bdf, b));
	diag_why(d, "VFs are made by the driver of the physical function");
	diag_mend(d,
	          "load its driver: `echo %s > "
	          "/sys/bus/pci/drivers_probe`, or see `lspci -k -s %s`",
	          b, b);
}

/* MAC, VLAN and the like travel over the PF's netdev. */
void need_ifname(struct resolve *r, size_t i, struct pol_pos pos,
                 const char *what)
{
	const struct pol_nic *nic = &r->p->nic[i];
	const struct pol_pf *pf = r->at[i];
	char b[BDF_STRLEN];
	struct diag *d;

	if (*pf->ifname || !*pf->driver)
		return;
	d = pol_err(r->errs, pos, FL_POL_PF_DRIVER,
	            "%s %s: %s cannot be set on %s", pol_kind_name(nic->kind),
	            nic->name, what, bdf_format(pf->bdf, b));
	diag_why(d, "its driver %s has no network interface", pf->driver);
	diag_mend(d, "bind the network driver, or leave the statement out");
}

static void check_same(struct resolve *r, size_t i)
{
	const struct pol_policy *p = r->p;
	char b[BDF_STRLEN];

	for (size_t j = 0; j < i; j++) {
		if (r->at[j] != r->at[i])
			continue;
		struct diag *d =
			pol_err(r->errs, p->nic[i].match.pos, FL_POL_CONFLICT,
		                "%s %s and %s %s are both %s",
		                pol_kind_name(p->nic[j].kind), p->nic[j].name,
		                pol_kind_name(p->nic[i].kind), p->nic[i].name,
		                bdf_format(r->at[i]->bdf, b));
		diag_mend(d, "make one of both, or match more closely");
	}
}

/* Of each nic, in one walk: so many VFs do pools and overrides name at most. */
static void count_vfs(const struct pol_policy *p,
                      size_t ret[static POL_NICS_MAX])
{
	for (size_t i = 0; i < p->n_pools; i++)
		for (size_t j = 0; j < p->pool[i].n_fn; j++)
			ret[p->pool[i].fn[j].nic]++;
	for (size_t i = 0; i < p->n_overrides; i++)
		ret[p->override[i].nic] += p->override[i].n_vfs;
}

/* What the policy says of the PF itself. */
static void want_itself(struct resolve *r, size_t i, const struct pol_pf *pf,
                        struct pol_pf *w)
{
	const struct pol_nic *nic = &r->p->nic[i];

	check_same(r, i);
	check_driver(r, nic, pf);
	check_count(r, nic, pf);
	if (nic->link_up.given)
		need_ifname(r, i, nic->pos, "link");
	if (nic->mtu.given)
		need_ifname(r, i, nic->pos, "mtu");
	w->set |= nic->vf_count.given ? POL_HAS_NUMVFS : 0;
	/* null is the kernel's default: drivers are probed. */
	w->autoprobe = nic->autoprobe.given == POL_DEFAULT || nic->autoprobe.v;
	w->set |= nic->autoprobe.given ? POL_HAS_AUTOPROBE : 0;
	w->link_up = nic->link_up.v;
	w->set |= nic->link_up.given ? POL_HAS_LINK : 0;
	w->mtu = nic->mtu.v;
	w->set |= nic->mtu.given ? POL_HAS_MTU : 0;
	resolve_switch(r, i, pf, w);
}

/* The rest of the policy can be done without it; a guest cannot. */
static void check_stuck(struct resolve *r, const struct pol_nic *nic,
                        const struct pol_pf *pf)
{
	char b[BDF_STRLEN];
	struct diag *d;

	if (!r->only || !pf->stuck)
		return;
	d = pol_err(r->errs, nic->pos, FL_POL_STUCK,
	            "%s %s: %s is stuck, and so are its VFs",
	            pol_kind_name(nic->kind), nic->name,
	            bdf_format(pf->bdf, b));
	diag_why(d, "a write to it has not come back from its driver");
	diag_mend(d,
	          "see `dmesg | grep %s`, and `fairlead status` for what "
	          "hangs; when it has come back: fairlead apply FILE",
	          b);
}

static size_t errors_of(const struct resolve *r)
{
	return r->errs->n + r->errs->dropped;
}

static int resolve_nic(struct resolve *r, size_t i, size_t n)
{
	const struct pol_nic *nic = &r->p->nic[i];
	struct pol_pf *w = &r->want->pf[i];
	size_t errors = errors_of(r);
	const struct pol_pf *pf;

	if (!nic_needed(r, i))
		return 0;
	pf = match_pf(nic, r->seen, r->errs);
	if (pf && check_nvme(r, nic->kind, nic->name, nic->match.pos, pf->bdf))
		pf = NULL;
	r->at[i] = pf;
	if (!pf)
		return 0;
	w->bdf = pf->bdf;
	w->pos = nic->pos;
	w->manage = nic->manage;
	copy_text(w->name, sizeof(w->name), nic->name);
	w->num_vfs = final_count(nic, pf);
	check_stuck(r, nic, pf);
	check_unasked(r, nic, pf);
	if (!r->only)
		want_itself(r, i, pf, w);
	if (r->part && errors_of(r) != errors) {
		r->at[i] = NULL;
		*w = (struct pol_pf){ 0 };
		return 0;
	}
	if (!n)
		return 0;
	w->vf = calloc(n, sizeof(*w->vf));
	return w->vf ? 0 : -ENOMEM;
}

/* ---- guests -------------------------------------------------------------- */

static void want_mac(const struct pol_policy *p, const struct pol_guest *g,
                     const struct pol_guest_nic *n, struct pol_vf *w)
{
	bool known = pol_guest_nic_mac(p, g, n, w->mac);

	w->mac_draws =
		known || !*g->name ? 0 : (uint8_t)pol_nic_draws(p, n, w->mac);
	if (known || w->mac_draws)
		w->set |= POL_HAS_MAC;
}

static void resolve_guest_nic(struct resolve *r, const struct pol_guest *g,
                              const struct pol_guest_nic *n)
{
	struct pol_vf *w = want_find_vf(r, n->fn);
	struct pol_attributes set;

	if (!w || !r->at[n->fn.nic])
		return;
	snprintf(w->label, sizeof(w->label), "%s/%s", g->name, n->name);
	w->set &= ~(uint32_t)POL_HAS_KNOBS; /* said by its override */
	want_mac(r->p, g, n, w);
	pol_guest_nic_set(r->p, n, &set);
	want_attributes(w, &set);
	want_port(r, n->fn.nic, w, &set.vlan,
	          n->network < r->p->n_networks ? &r->p->network[n->network]
	                                        : NULL);
	want_msix(r, g, n, w);
	check_mtu(r->errs, r->p, n->fn.nic, r->at[n->fn.nic], &set);
	check_cannot(r, n->pos, r->at[n->fn.nic], &set);
	check_near(r, g, n);
	if (w->set & POL_HAS_KNOBS)
		need_ifname(r, n->fn.nic, n->pos, "what this guest nic says");
}

/* A nic that is a tap for now (keys-datapath.c). With its MAC at the VF, too,
 * the device's own switch would keep what is for the tap. */
static void want_idle(struct resolve *r, const struct pol_guest *g,
                      const struct pol_guest_nic *n)
{
	const struct pol_pf *pf = r->at[n->fn.nic];
	struct pol_pf *want = &r->want->pf[n->fn.nic];
	const struct pol_vf *seen = pf && keeps_vfs(&r->p->nic[n->fn.nic], pf)
	                                    ? state_vf(pf, n->fn.vf)
	                                    : NULL;
	uint8_t mac[6];

	if (!seen || !(seen->set & POL_HAS_MAC) ||
	    !pol_guest_nic_mac(r->p, g, n, mac) ||
	    memcmp(mac, seen->mac, sizeof(mac)) != 0)
		return;
	for (size_t i = 0; i < want->n_vfs; i++)
		if (want->vf[i].index == n->fn.vf) {
			want->vf[i].set |= POL_HAS_MAC;
			memset(want->vf[i].mac, 0, sizeof(mac));
		}
}

static void resolve_guest(struct resolve *r, const struct pol_guest *g)
{
	for (size_t i = 0; i < g->n_nics; i++) {
		const struct pol_guest_nic *n = &g->nic[i];

		if (!concerns(r, g, n->name))
			continue;
		if (has_vf(n))
			resolve_guest_nic(r, g, n);
		else if (n->datapath && n->idle_pool != SIZE_MAX && !r->only)
			want_idle(r, g, n);
	}
}

/* ---- all ----------------------------------------------------------------- */

static int compare_vfs(const void *va, const void *vb)
{
	const struct pol_vf *a = va, *b = vb;

	return (int)a->index - (int)b->index;
}

/* What else there is can be told without it. */
static void forgive(struct resolve *r, void (*check)(struct resolve *r))
{
	size_t errors = errors_of(r);

	check(r);
	r->forgiven += errors_of(r) - errors;
}

static int resolve_all(struct resolve *r)
{
	size_t vfs[POL_NICS_MAX] = { 0 };
	int err = 0;

	count_vfs(r->p, vfs);
	for (size_t i = 0; !err && i < r->p->n_nics; i++) {
		r->want->n_pfs = i + 1;
		err = resolve_nic(r, i, vfs[i]);
	}
	if (err)
		return err;
	r->forgiven = errors_of(r);
	check_machine(r);
	check_sockets(r);
	forgive(r, check_pages);
	resolve_pools(r);
	resolve_overrides(r);
	for (size_t g = 0; g < r->p->n_guests; g++)
		resolve_guest(r, &r->p->guest[g]);
	forgive(r, check_rates);
	resolve_uplinks(r);
	forgive(r, check_vectors);
	check_resources(r);
	err = resolve_devices(r);
	if (!err)
		err = resolve_overlays(r);
	if (err)
		return err;
	if (!r->only && !r->errs->n)
		check_unlisted(r);
	for (size_t i = 0; i < r->want->n_pfs; i++)
		if (r->want->pf[i].n_vfs)
			qsort(r->want->pf[i].vf, r->want->pf[i].n_vfs,
			      sizeof(struct pol_vf), compare_vfs);
	return errors_of(r) > (r->part ? r->forgiven : 0) ? -EINVAL : 0;
}

/* A guest's want names its own PFs only. */
static void drop_unneeded(struct resolve *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->want->n_pfs; i++)
		if (r->at[i])
			r->want->pf[n++] = r->want->pf[i];
	r->want->n_pfs = n;
}

static int resolve(struct resolve *r, struct pol_state **ret_want)
{
	size_t n = MAX(r->p->n_nics, (size_t)1);
	int err = -ENOMEM;

	r->errs->n = 0;
	r->errs->dropped = 0;
	r->want = calloc(1, sizeof(*r->want));
	// NOLINTNEXTLINE(bugprone-sizeof-expression): it is a table of pointers
	r->at = calloc(n, sizeof(*r->at));
	if (r->want)
		r->want->pf = calloc(n, sizeof(*r->want->pf));
	if (r->want && r->want->pf && r->at)
		err = resolve_all(r);
	if (!err)
		drop_unneeded(r);
	free(r->at);
	if (err) {
		pol_state_free(r->want);
		pol_errors_sort(r->errs, &r->p->files);
		return err;
	}
	*ret_want = r->want;
	return 0;
}

int pol_resolve(const struct pol_policy *p, const struct pol_state *seen,
                struct pol_state **ret_want, struct pol_errors *errs)
{
	struct resolve r = { .p = p, .seen = seen, .errs = errs };

	return resolve(&r, ret_want);
}

int pol_resolve_part(const struct pol_policy *p, const struct pol_state *seen,
                     struct pol_state **ret_want, struct pol_errors *errs)
{
	struct resolve r = { .p = p, .seen = seen, .errs = errs, .part = true };

	return resolve(&r, ret_want);
}

int pol_resolve_guest(const struct pol_policy *p, const struct pol_guest *g,
                      const char *device, const struct pol_state *seen,
                      struct pol_state **ret_want, struct pol_errors *errs)
{
	struct resolve r = {
		.p = p, .only = g, .device = device, .seen = seen, .errs = errs
	};

	return resolve(&r, ret_want);
}
