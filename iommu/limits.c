/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel would refuse in the middle of an attach, told before it.
 *
 *   pinned memory   RLIMIT_MEMLOCK, where the process has no CAP_IPC_LOCK.
 *                   type1 counts what the process has locked; iommufd what
 *                   the user's processes have pinned through it, or what the
 *                   process has where IOMMU_OPTION_RLIMIT_MODE says so, as
 *                   netd makes it. Device memory counts for none.
 *   maps            type1: dma_entry_limit a container (65535 as it comes,
 *                   read when the container is made). iommufd has none.
 */

#include <inttypes.h>

#include "iommu/priv.h"

int iommu_pin_check(uint64_t bytes, struct diag *d)
{
	struct iommu_memlock m = iommu_memlock_read();

	return iommu_memlock_check(&m, 0, bytes, d);
}

int iommu_entries_check(const struct iommu_facts *f, unsigned maps,
                        struct diag *d)
{
	if (f->cdev || !f->dma_entry_limit || maps <= f->dma_entry_limit)
		return 0;
	diag_fail(d, -ENOSPC, FL_IOMMU_MAP, "map a guest's memory for DMA");
	diag_why(d,
	         "it takes %u maps, and vfio_iommu_type1's dma_entry_limit is "
	         "%" PRIu64,
	         maps, f->dma_entry_limit);
	diag_mend(d, "echo 65535 > "
	             "/sys/module/vfio_iommu_type1/parameters/dma_entry_limit");
	return -ENOSPC;
}
