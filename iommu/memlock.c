/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RLIMIT_MEMLOCK against what a DMA map pins. type1 counts the process's
 * locked memory, iommufd the user's; neither counts with CAP_IPC_LOCK. By
 * system calls alone: this runs in the VMM, which sees no /proc.
 */

#include <inttypes.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "iommu/priv.h"

static bool has_ipc_lock(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &head, data) < 0)
		return false;
	return data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective &
	       CAP_TO_MASK(CAP_IPC_LOCK);
}

struct iommu_memlock iommu_memlock_read(void)
{
	struct iommu_memlock m = { .limit = UINT64_MAX };
	struct rlimit lim;

	m.exempt = has_ipc_lock();
	if (getrlimit(RLIMIT_MEMLOCK, &lim) == 0 &&
	    lim.rlim_cur != RLIM_INFINITY)
		m.limit = lim.rlim_cur;
	return m;
}

int iommu_memlock_fail(uint64_t needed, uint64_t limit, struct diag *d)
{
	diag_fail(d, -ENOMEM, FL_IOMMU_MEMLOCK,
	          "pin %" PRIu64 " MiB of guest memory for DMA",
	          ALIGN_UP(needed, 1ull << 20) >> 20);
	diag_why(d,
	         "RLIMIT_MEMLOCK is %" PRIu64 " bytes, this guest needs "
	         "%" PRIu64 ", and its user's other guests count as well",
	         limit, needed);
	diag_mend(d,
	          "prlimit --memlock=%" PRIu64 " before the command, "
	          "LimitMEMLOCK= of the unit, or memlock in "
	          "/etc/security/limits.conf",
	          needed);
	return -ENOMEM;
}

int iommu_memlock_check(const struct iommu_memlock *m, uint64_t pinned,
                        uint64_t size, struct diag *d)
{
	uint64_t needed;

	if (__builtin_add_overflow(pinned, size, &needed))
		needed = UINT64_MAX;
	if (m->exempt || needed <= m->limit)
		return 0;
	return iommu_memlock_fail(needed, m->limit, d);
}
