/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Can this host, this function's group, be given to a guest? The last look
 * before devices are opened; the kernel would refuse with less to say. */

#include "iommu/iommu.h"
#include "irq-remap/irq-remap.h"
#include "netd/priv.h"

static int check_interrupts(struct work *w)
{
	struct irq_facts f = { 0 };
	int e = irq_facts_read(w->env->root_fd, &f);

	if (!e && f.remapping == IRQ_FACT_NO) {
		diag_fail(&w->diag, -EPERM, FL_IOMMU_NO_IR,
		          "guest %s: the host has no interrupt remapping",
		          w->req.guest);
		diag_why(&w->diag, "%s", f.remapping_evidence);
		diag_mend(&w->diag, "turn it on (firmware; remove "
		                    "intremap=off): see `fairlead doctor`");
		return -EPERM;
	}
	if (e || f.remapping == IRQ_FACT_UNKNOWN)
		reply_warn(w->reply, "interrupt remapping: not known; the "
		                     "kernel refuses the device if it is off");
	return 0;
}

int grant_group(struct work *w, struct bdf vf)
{
	_cleanup_free_ struct iommu_group *g = calloc(1, sizeof(*g));
	int e = g ? iommu_group_read(w->env->root_fd, vf, g, &w->diag)
	          : -ENOMEM;

	return e ? e : iommu_group_check(g, vf, &w->diag);
}

int grant_host(struct work *w)
{
	_cleanup_free_ struct iommu_facts *f = calloc(1, sizeof(*f));
	int e = f ? iommu_facts_read(w->env->root_fd, f) : -ENOMEM;

	if (!e)
		e = iommu_facts_check(f, &w->diag);
	if (!e)
		e = iommu_entries_check(f, IOMMU_RAM_REGIONS, &w->diag);
	/* These are not missed until one function writes to another. */
	if (!e &&
	    iommu_entries_check(f, IOMMU_RAM_REGIONS + IOMMU_PEERS_MAX, NULL))
		reply_warn(w->reply,
		           "vfio_iommu_type1's dma_entry_limit leaves little "
		           "room for DMA between the guest's devices");
	return e ? e : check_interrupts(w);
}
