/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What pools say of their VFs, on the PFs that were found; and whether such a
 * VF can be given to a guest. */

#include <stdio.h>
#include <string.h>

#include "policy/plan.h"

const struct pol_guest_nic *resolve_user(const struct resolve *r,
                                         struct pol_fn fn)
{
	const struct pol_guest *g = r->only;

	for (size_t i = 0; g && i < g->n_nics; i++)
		if (g->nic[i].pool != SIZE_MAX && g->nic[i].fn.nic == fn.nic &&
		    g->nic[i].fn.vf == fn.vf && concerns(r, g, g->nic[i].name))
			return &g->nic[i];
	return NULL;
}

static void check_range(struct resolve *r, const struct pol_pool *pool,
                        struct pol_fn fn)
{
	const struct pol_nic *nic = &r->p->nic[fn.nic];
	const struct pol_pf *pf = r->at[fn.nic];
	struct diag *d;

	if (fn.vf < final_count(nic, pf) || pf->stuck)
		return;
	d = pol_err(r->errs, pool->pos, FL_POL_RANGE, "%s %s: %s has no VF %u",
	            pool_word(pool), pool->name, nic->name, fn.vf);
	diag_why(d, "it has %u, and the policy leaves that as it is",
	         pf->num_vfs);
	if (nic->manage == POL_MANAGE_FULL)
		diag_mend(d, "give %s a virtual-function-count of at least %u",
		          nic->name, fn.vf + 1u);
	else
		diag_mend(d,
		          "have it made by whoever sets %s up, or name VFs "
		          "that are there",
		          nic->name);
}

static void group_blocked(struct resolve *r, const struct pol_pool *pool,
                          unsigned index, struct bdf vf, int group,
                          const char *blocker)
{
	char b[BDF_STRLEN], number[16] = "";
	struct diag *d;

	bdf_format(vf, b);
	d = pol_err(r->errs, pool->pos, FL_POL_GROUP,
	            "%s %s: VF %u (%s) cannot be assigned", pool_word(pool),
	            pool->name, index, b);
	if (!*blocker) {
		diag_why(d, "it is in no IOMMU group");
		diag_mend(d, "see `fairlead doctor %s`", b);
		return;
	}
	if (group >= 0)
		snprintf(number, sizeof(number), " %d", group);
	diag_why(d, "its IOMMU group%s %s %s, bound to a host driver", number,
	         group >= 0 ? "has" : "will have", blocker);
	diag_mend(d,
	          "unbind that too, or put the card behind a port with "
	          "ACS; see `fairlead doctor %s`",
	          b);
}

static void check_group(struct resolve *r, const struct pol_pool *pool,
                        const struct pol_pf *pf, const struct pol_vf *w,
                        const struct pol_vf *seen)
{
	if (!r->seen->iommu)
		return;
	if (seen && (seen->group < 0 || *seen->blocker))
		group_blocked(r, pool, seen->index, seen->bdf, seen->group,
		              seen->group < 0 ? "" : seen->blocker);
	else if (!seen && *pf->blocker)
		group_blocked(r, pool, w->index, w->bdf, -1, pf->blocker);
}

static void check_autoprobe(struct resolve *r, const struct pol_pool *pool,
                            struct pol_fn fn)
{
	const struct pol_nic *nic = &r->p->nic[fn.nic];
	struct diag *d;

	if (nic->autoprobe.given != POL_ABSENT || r->at[fn.nic]->autoprobe ||
	    !(r->at[fn.nic]->set & POL_HAS_AUTOPROBE))
		return;
	d = pol_err(r->errs, pool->pos, FL_POL_CONFLICT,
	            "pool %s: driver netdev, and %s probes no driver",
	            pool->name, nic->name);
	diag_why(d, "sriov_drivers_autoprobe is 0 and the policy leaves it "
	            "so");
	diag_mend(d, "state `drivers-autoprobe` in the nic, true or false, or "
	             "name the driver");
}

/* A guest that runs keeps the vfio driver that it began with. */
static const char *vfio_driver(const struct pol_pf *pf,
                               const struct pol_vf *seen)
{
	return seen && plan_held(seen) && pol_driver_is_vfio(seen->driver)
	               ? seen->driver
	               : pol_driver_vfio(pf);
}

/* The driver, and the override that keeps others off; see policy.h. */
static void want_driver(struct pol_vf *w, const char *driver)
{
	w->set |= POL_HAS_DRIVER | POL_HAS_OVERRIDE;
	if (!strcmp(driver, POL_DRIVER_DEFAULT)) {
		copy_text(w->driver, sizeof(w->driver), driver);
		return;
	}
	copy_text(w->driver, sizeof(w->driver), driver);
	copy_text(w->override, sizeof(w->override), driver);
}

/* True when more of the pool would only say the same again. */
static bool resolve_function(struct resolve *r, const struct pol_pool *pool,
                             struct pol_fn fn)
{
	const struct pol_pf *pf = r->at[fn.nic];
	struct pol_vf *w;
	size_t errors = r->errs->n + r->errs->dropped;
	const struct pol_vf *seen =
		keeps_vfs(&r->p->nic[fn.nic], pf) ? state_vf(pf, fn.vf) : NULL;

	check_range(r, pool, fn);
	w = want_add_vf(r, fn);
	if (!strcmp(pool->driver, POL_DRIVER_VFIO))
		want_driver(w, vfio_driver(pf, seen));
	else if (*pool->driver)
		want_driver(w, pool->driver);
	want_resources(r, fn.nic, w);
	if (!strcmp(pool->driver, POL_DRIVER_DEFAULT))
		check_autoprobe(r, pool, fn);
	if (pol_driver_is_vfio(pool->driver))
		check_group(r, pool, pf, w, seen);
	return errors != r->errs->n + r->errs->dropped;
}

/* Said once: it is the host that has to change. */
static void check_host(struct resolve *r, struct pol_pos pos, const char *kind,
                       const char *name, const char *driver)
{
	struct diag *d;

	if (!r->seen->iommu) {
		d = pol_err(r->errs, pos, FL_POL_NO_IOMMU,
		            "%s %s: driver %s needs an IOMMU", kind, name,
		            driver);
		diag_why(d, "this host has none, or it is off");
		diag_mend(d, "turn VT-d or AMD-Vi on in the firmware, add "
		             "intel_iommu=on to the kernel's command line; "
		             "see `fairlead doctor`");
	} else if (!r->seen->remapping) {
		d = pol_err(r->errs, pos, FL_POL_NO_IR,
		            "%s %s: driver %s needs interrupt remapping", kind,
		            name, driver);
		diag_why(d, "without it a guest's device could raise any "
		            "interrupt of the host");
		diag_mend(d, "turn interrupt remapping (x2APIC) on in the "
		             "firmware, remove intremap=off; see `fairlead "
		             "doctor`");
	}
}

void resolve_pools(struct resolve *r)
{
	const struct pol_pool *vfio = NULL;

	for (size_t i = 0; i < r->p->n_pools; i++) {
		const struct pol_pool *pool = &r->p->pool[i];
		bool said = false;

		if (!vfio && !r->only && pol_driver_is_vfio(pool->driver))
			vfio = pool;
		for (size_t j = 0; !said && j < pool->n_fn; j++)
			if (r->at[pool->fn[j].nic] &&
			    (!r->only || resolve_user(r, pool->fn[j])))
				said = resolve_function(r, pool, pool->fn[j]);
	}
	if (vfio)
		check_host(r, vfio->pos, pool_word(vfio), vfio->name,
		           vfio->driver);
	else if (r->p->n_devices && !r->only)
		check_host(r, r->p->device[0].pos,
		           pol_kind_name(r->p->device[0].kind),
		           r->p->device[0].name, "vfio-pci");
}
