/* SPDX-License-Identifier: GPL-2.0-or-later */

/* One function: what it is, and what stands between it and a guest. */

#include "cli/doctor.h"
#include "cli/function.h"
#include "iommu/iommu.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void tell_identity(const struct sriov_fn *f, json_t *list)
{
	char text[DIAG_LINE], numa[24] = "unknown";

	sriov_describe(f, text, sizeof(text));
	if (f->numa >= 0)
		snprintf(numa, sizeof(numa), "%d", f->numa);
	finding_add(list, FINDING_OK, "device", NULL,
	            "%s [%04x:%04x], class %06x, NUMA node %s", text, f->vendor,
	            f->device, f->class_code, numa);
	finding_add(list, FINDING_OK, "driver", NULL, "%s%s%s",
	            *f->driver ? f->driver : "none",
	            *f->ifname ? ", interface " : "", f->ifname);
}

static void tell_members(const struct iommu_group *g, json_t *list)
{
	char text[DIAG_LINE] = "", name[BDF_STRLEN];
	size_t at = 0;

	for (size_t i = 0; i < g->n && at < sizeof(text) - 1; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, " %s (%s)",
		                       bdf_format(g->member[i].bdf, name),
		                       *g->member[i].driver
		                               ? g->member[i].driver
		                               : "no driver");
	finding_add(list, FINDING_OK, "IOMMU group", NULL, "%u, type %s:%s",
	            g->id, g->type, text);
}

/* The device's own host driver is no obstacle: binding it over is what a
 * policy's pool does. Its neighbours' are. */
static void check_group(int root_fd, struct bdf b, json_t *list)
{
	_cleanup_free_ struct iommu_group *g = calloc(1, sizeof(*g));
	struct diag d = { 0 };

	if (!g)
		return;
	if (iommu_group_read(root_fd, b, g, &d) < 0) {
		finding_add_diag(list, "IOMMU group", &d);
		return;
	}
	tell_members(g, list);
	for (size_t i = 0; i < g->n; i++)
		if (bdf_equal(g->member[i].bdf, b))
			g->member[i].driver[0] = '\0';
	if (iommu_group_check(g, b, &d) < 0)
		finding_add_diag(list, "group members", &d);
}

static void check_holder(int root_fd, struct bdf b, json_t *list)
{
	struct sriov_holder h = { 0 };
	int r = sriov_holder(root_fd, b, &h);

	if (r == 1)
		finding_add(list, FINDING_NO, "in use",
		            "end that process, or the guest it runs",
		            "held through VFIO by %s (pid %d)", h.comm, h.pid);
	else if (r < 0)
		finding_add(list, FINDING_NOTE, "in use",
		            "run the doctor as root to see it", "unknown: %s",
		            strerror(-r));
}

static void check_owners(int root_fd, struct bdf b, json_t *list)
{
	struct sriov_owner o[SRIOV_OWNERS];
	struct sriov_fn f = { 0 };
	size_t n;

	if (sriov_fn_look(root_fd, b, &f))
		f.ifname[0] = '\0';
	n = sriov_owners(root_fd, b, f.ifname, o, ARRAY_SIZE(o));
	for (size_t i = 0; i < n; i++)
		finding_add(list, FINDING_NOTE, "other owner", o[i].mend,
		            "%s %s: %s", o[i].who, o[i].what, o[i].file);
}

static void tell_sriov(int root_fd, struct bdf b, json_t *list)
{
	_cleanup_free_ struct sriov_pf *pf = calloc(1, sizeof(*pf));
	char name[BDF_STRLEN];
	struct bdf parent;

	if (pf && sriov_pf_read(root_fd, b, pf, NULL) == 0)
		finding_add(list, FINDING_OK, "SR-IOV", NULL,
		            "physical function, %u of %u VFs, autoprobe %s",
		            pf->num_vfs, pf->total_vfs,
		            pf->autoprobe ? "on" : "off");
	else if (sriov_pf_of(root_fd, b, &parent) == 0)
		finding_add(list, FINDING_OK, "SR-IOV", NULL,
		            "virtual function of %s", bdf_format(parent, name));
}

static void check_reset(int root_fd, struct bdf b, json_t *list)
{
	char path[128], name[BDF_STRLEN], text[SYSFS_MAX];

	bdf_format(b, name);
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/reset_method",
	         name);
	if (sysfs_read(root_fd, path, text, sizeof(text)) > 0) {
		finding_add(list, FINDING_OK, "reset", NULL, "by %s", text);
		return;
	}
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/reset", name);
	if (sysfs_exists(root_fd, path))
		finding_add(list, FINDING_OK, "reset", NULL,
		            "the kernel can reset it");
	else
		finding_add(list, FINDING_NO, "reset",
		            "assign another device, or the whole slot",
		            "the kernel has no way to reset it: one guest's "
		            "state would leak to the next");
}

static void tell_vectors(const struct cli_function *f, json_t *list)
{
	const struct cfg_layout *l = &f->layout;

	if (f->read < CFG_SIZE_PCI) {
		finding_add(list, FINDING_NOTE, "interrupts",
		            "run the doctor as root to see them",
		            "unknown: the configuration space cannot be read");
		return;
	}
	if (l->chain_cut)
		finding_add(list, FINDING_NOTE, "capabilities", NULL,
		            "the device's list is broken; a guest sees what "
		            "comes before the break");
	if (l->msix.cap)
		finding_add(list, FINDING_OK, "interrupts", NULL,
		            "MSI-X, %u vectors", l->msix.vectors);
	else if (l->msi.cap)
		finding_add(list, FINDING_OK, "interrupts", NULL,
		            "MSI, %u vectors", l->msi.vectors);
	else
		finding_add(list, FINDING_NOTE, "interrupts", NULL,
		            "no message-signalled ones");
}

/* What is known of the device and may surprise: reset, ROM, back doors. */
static void tell_quirks(const struct cfg_layout *l, json_t *list)
{
	const struct cfg_quirk *q = NULL;

	while ((q = cfg_quirk_next(l, q)))
		if (q->effect != CFG_QUIRK_VF_MEMORY)
			finding_add(list, FINDING_NOTE, "quirk", NULL,
			            "%s: %s (%s)",
			            cfg_quirk_effect_name(q->effect), q->reason,
			            q->source);
}

/* Base class 06h: host bridges, switches and ports hold a topology together;
 * VFIO refuses them. */
static bool is_bridge(const struct sriov_fn *f)
{
	return f->class_code >> 16 == 0x06;
}

int doctor_device(int root_fd, struct bdf b, json_t *list, struct diag *d)
{
	_cleanup_free_ struct cli_function *f = calloc(1, sizeof(*f));
	int r = f ? cli_function_read(root_fd, b, f, d) : -ENOMEM;

	if (r == -ENODEV || r == -ENOMEM)
		return r;
	tell_identity(&f->fn, list);
	if (is_bridge(&f->fn)) {
		finding_add(list, FINDING_NO, "kind",
		            "name a function behind it: lspci -tv",
		            "a bridge is never assigned");
		return 0;
	}
	tell_sriov(root_fd, b, list);
	if (r < 0)
		finding_add_diag(list, "configuration", d);
	else
		tell_vectors(f, list);
	if (r == 0 && f->read >= CFG_SIZE_PCI)
		tell_quirks(&f->layout, list);
	check_group(root_fd, b, list);
	check_holder(root_fd, b, list);
	check_owners(root_fd, b, list);
	check_reset(root_fd, b, list);
	return 0;
}
