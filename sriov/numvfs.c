/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The number of VFs. Order: who uses them; 0, because the kernel refuses
 * n -> m (EBUSY); the new number; then a wait for the entries, which the
 * kernel adds one by one.
 */

#include <stdio.h>
#include <string.h>

#include "sriov/priv.h"

#define IFF_UP 0x1

struct job {
	int root_fd;
	struct bdf pf;
	unsigned n;
	const struct patience *p;
	struct diag *d;
};

/* Sees the state that is waited for; arg is a struct job. */
static bool vfs_are_there(const void *arg)
{
	const struct job *j = arg;
	struct sriov_pf *pf = calloc(1, sizeof(*pf));
	bool yes = pf && !sriov_pf_read(j->root_fd, j->pf, pf, NULL) &&
	           pf->num_vfs == j->n;
	char path[SRIOV_PATH], first[SRIOV_NAME];

	for (unsigned i = 0; yes && i < j->n; i++)
		yes = sysfs_exists(j->root_fd, fn_path(path, pf->vf[i], ""));
	/* virtfnN outlive the count by a moment when VFs go. */
	snprintf(first, sizeof(first), "virtfn%u", j->n);
	if (yes)
		yes = !sysfs_exists(j->root_fd, fn_path(path, j->pf, first));
	free(pf);
	return yes;
}

static void explain_refusal(const struct job *j, int err)
{
	char name[BDF_STRLEN];

	bdf_format(j->pf, name);
	if (err == -ENOENT)
		diag_mend(j->d,
		          "the driver of %s offers no SR-IOV, or none is "
		          "bound: see `lspci -ks %s`",
		          name, name);
	else if (err == -EBUSY)
		diag_mend(j->d,
		          "somebody else changed the VFs of %s at the "
		          "same time; try again",
		          name);
	else if (err == -ENOMEM || err == -ENOSPC)
		diag_mend(j->d, "the bus has no room for the VFs: pci=realloc "
		                "on the kernel command line, or firmware "
		                "options for SR-IOV and large BARs");
	else
		diag_mend(j->d, "see what the driver says: dmesg | grep %s",
		          name);
}

static int write_number(struct job *j, unsigned n)
{
	char path[SRIOV_PATH], value[16], what[96], name[BDF_STRLEN];
	int r;

	bdf_format(j->pf, name);
	snprintf(value, sizeof(value), "%u", n);
	snprintf(what, sizeof(what), "cannot set the number of VFs of %s to %u",
	         name, n);
	r = write_attr(j->root_fd, fn_path(path, j->pf, "sriov_numvfs"), value,
	               j->p, FL_SRIOV_NUMVFS, what, j->d);
	if (r < 0) {
		if (r != -ETIMEDOUT)
			explain_refusal(j, r);
		return r;
	}
	j->n = n;
	r = wait_until(j->p, vfs_are_there, j);
	if (r < 0) {
		diag_fail(j->d, r, FL_SRIOV_WAIT, "%s", what);
		diag_why(j->d,
		         "the driver took the number, but the VFs are "
		         "not so after %u ms",
		         j->p->wait_ms);
		diag_mend(j->d, "see `dmesg | grep %s`", name);
	}
	return r;
}

/* A VF whose interface is up serves the host: taking it away would cut that
 * off. */
static int refuse_up(const struct job *j, struct bdf vf)
{
	char path[SRIOV_PATH], attr[2 * SRIOV_NAME], name[BDF_STRLEN];
	struct sriov_fn f;
	uint64_t flags;

	if (sriov_fn_read(j->root_fd, vf, &f) || !*f.ifname)
		return 0;
	snprintf(attr, sizeof(attr), "net/%s/flags", f.ifname);
	if (sysfs_read_u64(j->root_fd, fn_path(path, vf, attr), &flags) < 0 ||
	    !(flags & IFF_UP))
		return 0;
	diag_fail(j->d, -EBUSY, FL_SRIOV_IN_USE, "VF %s is in use",
	          bdf_format(vf, name));
	diag_why(j->d, "its network interface %s is up", f.ifname);
	diag_mend(j->d, "ip link set dev %s down", f.ifname);
	return -EBUSY;
}

/* A disk of the host's, behind a VF of its controller: what is not written yet
 * would be lost. */
static int refuse_host(const struct job *j, const struct sriov_uses *u,
                       struct bdf vf)
{
	char name[BDF_STRLEN];
	size_t at = 0;
	const char *text = sriov_uses_next(u, vf, &at);

	if (!text)
		return 0;
	diag_fail(j->d, -EBUSY, FL_SRIOV_IN_USE, "VF %s is in use",
	          bdf_format(vf, name));
	diag_why(j->d, "%s", text);
	diag_mend(j->d, "end that first (umount, swapoff), or the process that "
	                "is named");
	return -EBUSY;
}

static int refuse_users(const struct job *j, const struct sriov_pf *pf)
{
	struct sriov_holders *h;
	struct sriov_uses *u = NULL;
	int r = sriov_holders_read(j->root_fd, &h);

	if (r)
		return users_unknown(r, "cannot remove the VFs", j->d);
	r = sriov_uses_read(j->root_fd, &u);
	if (r)
		users_unknown(r, "cannot remove the VFs", j->d);
	for (unsigned i = 0; !r && i < pf->num_vfs; i++) {
		r = refuse_held(h, j->root_fd, pf->vf[i],
		                "cannot remove the VFs", j->d);
		if (!r)
			r = refuse_up(j, pf->vf[i]);
		if (!r)
			r = refuse_host(j, u, pf->vf[i]);
	}
	sriov_uses_free(u);
	sriov_holders_free(h);
	return r;
}

static int refuse_many(const struct job *j, const struct sriov_pf *pf,
                       unsigned n)
{
	char name[BDF_STRLEN];

	if (n <= pf->total_vfs && n <= SRIOV_VFS_MAX)
		return 0;
	diag_fail(j->d, -ERANGE, FL_SRIOV_TOO_MANY, "%u VFs asked of %s", n,
	          bdf_format(j->pf, name));
	diag_why(j->d, "it has at most %u",
	         MIN(pf->total_vfs, (unsigned)SRIOV_VFS_MAX));
	diag_mend(j->d, "ask for fewer, or raise the limit in the device's "
	                "firmware");
	return -ERANGE;
}

int set_numvfs(int root_fd, struct bdf b, unsigned n, const struct patience *p,
               struct diag *d)
{
	struct patience more = *p;
	struct job j = {
		.root_fd = root_fd, .pf = b, .n = n, .p = &more, .d = d
	};
	_cleanup_free_ struct sriov_pf *pf = calloc(1, sizeof(*pf));
	int r;

	if (!pf)
		return diag_fail(d, -ENOMEM, FL_SRIOV_NUMVFS, "no memory");
	r = sriov_pf_read(root_fd, b, pf, d);
	if (!r)
		r = refuse_many(&j, pf, n);
	if (r || pf->num_vfs == n)
		return r;
	more.write_ms += p->vf_ms * MAX(n, pf->num_vfs);
	if (pf->num_vfs) {
		r = refuse_users(&j, pf);
		if (!r)
			r = write_number(&j, 0);
	}
	return r || !n ? r : write_number(&j, n);
}
