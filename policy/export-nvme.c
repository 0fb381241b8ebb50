/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Controllers of NVMe disks in an export, where they have VFs: one entry with
 * what all of the VFs have of it. A whole disk that vfio-pci has is a device
 * (export-devices.c).
 */

#include <string.h>

#include "policy/export.h"

/* NULL, or why it cannot be one: then nothing of it is said. */
static const char *not_cut(struct export *e, const struct pol_pf *pf)
{
	if (!(pf->set & POL_HAS_AUTOPROBE) || pf->autoprobe)
		return "drivers of the host's may probe its VFs";
	for (size_t i = 0; i < pf->n_vfs; i++) {
		const char *d = export_driver(e, pf, &pf->vf[i], false);

		if (!d || strcmp(d, "vfio") != 0)
			return "vfio-pci has not all of its VFs";
	}
	return NULL;
}

/* False = they have none, or it is not known. */
static bool has_resources(const struct pol_pf *pf)
{
	for (size_t i = 0; i < pf->n_vfs; i++)
		if (pf->vf[i].set & POL_HAS_RESOURCES &&
		    (pf->vf[i].res.queues || pf->vf[i].res.interrupts))
			return true;
	return false;
}

static bool all_same(const struct pol_pf *pf)
{
	const struct pol_resources *first = &pf->vf[0].res;

	for (size_t i = 0; i < pf->n_vfs; i++)
		if (!same_resources(&pf->vf[i].res, first))
			return false;
	return first->online;
}

static void put_controller(struct export *e, const struct pol_pf *pf)
{
	const struct pol_resources *r = &pf->vf[0].res;
	struct bdf b = pf->bdf;

	if (!e->n_nvmes++)
		put(e, "nvme:\n");
	put(e, "  - name: \"nvme-%x-%02x-%02x-%u\"\n", b.domain, b.bus, b.dev,
	    (unsigned)b.fn);
	put_match(e, b, pf->vendor, pf->device);
	put(e, "    share: sriov\n    virtual-function-count: %u\n",
	    pf->num_vfs);
	if (has_resources(pf) && all_same(pf))
		put(e, "    vf-resources: { queues: %u, interrupts: %u }\n",
		    r->queues, r->interrupts);
	else if (has_resources(pf))
		not_said(e, b,
		         "its VFs have not all the same queues, or are "
		         "not online");
}

void export_nvme(struct export *e)
{
	for (size_t i = 0; i < e->s->n_pfs; i++) {
		const struct pol_pf *pf = &e->s->pf[i];
		const char *why;

		if (!pf->num_vfs || !is_nvme(e->s, pf->bdf))
			continue;
		why = not_cut(e, pf);
		if (why)
			not_said(e, pf->bdf, "its %u VFs: %s", pf->num_vfs,
			         why);
		else
			put_controller(e, pf);
	}
}
