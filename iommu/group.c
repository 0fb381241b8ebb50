/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IOMMU groups from sysfs: who shares a group, and who of them stands in the
 * way. A group is the smallest set of functions whose DMA the hardware can
 * tell apart; all of it goes to VFIO, or none of it.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "iommu/priv.h"

#define CLASS_BRIDGE_PCI 0x0604 /* PCI Code and ID Assignment 1.11, 1.7 */

bool iommu_driver_is_vfio(const char *driver)
{
	static const char *const tail[] = { "vfio-pci", "vfio_pci" };
	size_t len = strlen(driver), n = strlen(tail[0]);

	if (len < n)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(tail); i++)
		if (!strcmp(driver + len - n, tail[i]))
			return true;
	return false;
}

/* Drivers that do no DMA of their own; the kernel lets the group be used
 * beside them (driver_managed_dma). */
static bool is_harmless(const char *driver)
{
	return !driver[0] || iommu_driver_is_vfio(driver) ||
	       !strcmp(driver, "pci-stub") || !strcmp(driver, "pcieport");
}

struct walk {
	int root_fd;
	struct iommu_group *g;
};

static int visit_member(const char *name, void *arg)
{
	struct walk *w = arg;
	struct iommu_member *m;
	char path[128];
	uint64_t class;
	struct bdf b;

	/* Members that are not PCI functions (platform devices). */
	if (bdf_parse(name, &b) < 0)
		return 0;
	if (w->g->n == IOMMU_GROUP_MAX)
		return -E2BIG;
	m = &w->g->member[w->g->n++];
	m->bdf = b;
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/driver", name);
	if (sysfs_link_name(w->root_fd, path, m->driver, sizeof(m->driver)) < 0)
		m->driver[0] = '\0';
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/class", name);
	if (sysfs_read_u64(w->root_fd, path, &class) == 0)
		m->bridge = class >> 8 == CLASS_BRIDGE_PCI;
	/* Not sriov_numvfs: reading it may hang. */
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/virtfn0", name);
	m->has_vfs = sysfs_exists(w->root_fd, path);
	return 0;
}

/* The group's number, from the function's link. */
static int read_group_id(int root_fd, const char *bdf, unsigned *ret,
                         struct diag *d)
{
	char path[128], name[32];
	uint64_t id;
	int r;

	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s", bdf);
	if (!sysfs_exists(root_fd, path)) {
		diag_fail(d, -ENODEV, FL_IOMMU_GROUP,
		          "find the IOMMU group of %s", bdf);
		diag_why(d, "there is no such PCI function");
		diag_mend(d, "lspci -D lists them");
		return -ENODEV;
	}
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/iommu_group", bdf);
	r = sysfs_link_name(root_fd, path, name, sizeof(name));
	if (r >= 0)
		r = parse_u64(name, UINT32_MAX, &id);
	if (r < 0) {
		diag_fail(d, -ENOENT, FL_IOMMU_NONE,
		          "find the IOMMU group of %s", bdf);
		diag_why(d, "it has none: no IOMMU covers this function");
		diag_mend(d, "enable VT-d or AMD-Vi in the firmware, and boot "
		             "with intel_iommu=on (Intel)");
		return -ENOENT;
	}
	*ret = (unsigned)id;
	return 0;
}

int iommu_group_read(int root_fd, struct bdf b, struct iommu_group *ret,
                     struct diag *d)
{
	struct iommu_group g = { 0 };
	struct walk w = { .root_fd = root_fd, .g = &g };
	char path[128], bdf[BDF_STRLEN];
	int r;

	bdf_format(b, bdf);
	r = read_group_id(root_fd, bdf, &g.id, d);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "sys/kernel/iommu_groups/%u/type", g.id);
	if (sysfs_read(root_fd, path, g.type, sizeof(g.type)) < 0)
		g.type[0] = '\0';
	snprintf(path, sizeof(path), "sys/kernel/iommu_groups/%u/devices",
	         g.id);
	r = sysfs_each(root_fd, path, visit_member, &w);
	if (r < 0) {
		diag_fail(d, r, FL_IOMMU_GROUP, "list IOMMU group %u of %s",
		          g.id, bdf);
		diag_why(d, "%s", strerror(-r));
		diag_mend_else(d, "ls /sys/kernel/iommu_groups/%u/devices",
		               g.id);
		return r;
	}
	*ret = g;
	return 0;
}

/* ---- viability ---- */

/* Text that grows by pieces and, where it would not fit, ends with "...". */
struct words {
	char text[DIAG_LINE - 64];
	size_t len;
	bool full;
};

_printf_(2, 3) static void add_words(struct words *w, const char *fmt, ...)
{
	size_t room = sizeof(w->text) - w->len;
	va_list ap;
	int n;

	if (w->full)
		return;
	va_start(ap, fmt);
	n = vsnprintf(w->text + w->len, room, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < room - sizeof("...")) {
		w->len += (size_t)n;
		return;
	}
	w->full = true;
	memcpy(w->text + w->len, "...", sizeof("..."));
}

static bool blocks(const struct iommu_member *m, struct bdf b)
{
	return !m->bridge && !bdf_equal(m->bdf, b) && !is_harmless(m->driver);
}

/* How to free `first`; a PF is not freed for the sake of its own VF. */
static void mend(struct diag *d, const char *first, bool has_vfs)
{
	if (has_vfs)
		diag_mend(d, "put the card in a slot whose root port and "
		             "switches have ACS, so that its VFs get groups of "
		             "their own; freeing a PF removes its VFs");
	else
		diag_mend(d,
		          "fairlead apply with a policy that has it in a pool; "
		          "or for each: echo vfio-pci > "
		          "/sys/bus/pci/devices/%s/driver_override, then echo "
		          "%s > .../driver/unbind and > "
		          "/sys/bus/pci/drivers_probe",
		          first, first);
}

int iommu_group_check(const struct iommu_group *g, struct bdf b, struct diag *d)
{
	char bdf[BDF_STRLEN], first[BDF_STRLEN] = "";
	struct words w = { 0 };
	bool has_vfs = false;
	unsigned n = 0;

	for (size_t i = 0; i < g->n; i++) {
		const struct iommu_member *m = &g->member[i];

		if (!blocks(m, b))
			continue;
		has_vfs |= m->has_vfs;
		if (!n)
			bdf_format(m->bdf, first);
		add_words(&w, "%s%s (%s)", n ? ", " : "",
		          bdf_format(m->bdf, bdf), m->driver);
		n++;
	}
	if (!n)
		return 0;
	diag_fail(d, -EBUSY, FL_IOMMU_GROUP,
	          "assign %s, which shares IOMMU group %u with %u function%s "
	          "in use",
	          bdf_format(b, bdf), g->id, n, n == 1 ? "" : "s");
	diag_why(d, "bound to host drivers: %s", w.text);
	mend(d, first, has_vfs);
	return -EBUSY;
}
