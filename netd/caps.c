/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is left of root. netd stays uid 0, which owns sysfs' attributes, the
 * state folder and the nodes of VFIO: opening and writing those needs no
 * capability at all. Each that is kept has its reason here; workers have the
 * same, since they are forks.
 */

#include <cap-ng.h>
#include <sys/prctl.h>

#include "netd/priv.h"

static const unsigned kept[] = {
	CAP_NET_ADMIN, /* RTM_SETLINK: attributes of VFs, the PF's link */
	/* prlimit(2) on a process of another user; IOMMU_OPTION_RLIMIT_MODE */
	CAP_SYS_RESOURCE,
	/* Who holds a VF: proc/PID/fd of another user is closed to its owner
	 * alone (mode 0500), and each link in it to who may trace the process
	 * (PTRACE_MODE_READ_FSCREDS). */
	CAP_DAC_READ_SEARCH,
	CAP_SYS_PTRACE,
};

/* Who lacks one (a container's root) may still do what does not need it. */
static int keep(const struct log *log)
{
	bool had[ARRAY_SIZE(kept)];

	if (capng_get_caps_process())
		return -EPERM;
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		had[i] = capng_have_capability(CAPNG_PERMITTED, kept[i]);
		if (!had[i])
			log_line(log, LOG_LVL_WARN, "capability %s is missing",
			         capng_capability_to_name(kept[i]));
	}
	capng_clear(CAPNG_SELECT_CAPS);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (had[i] &&
		    capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED,
		                 kept[i]))
			return -EPERM;
	return capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
}

int caps_reduce(const struct log *log, struct diag *d)
{
	/* What is executed from here on (tool.h) gains nothing. */
	if (!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !keep(log))
		return 0;
	diag_fail(d, -EPERM, FL_NETD_START, "cannot give up capabilities");
	diag_why(d, "libcap-ng refused");
	diag_mend(d, "start fairlead-netd as root");
	return -EPERM;
}
