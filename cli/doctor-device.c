/* SPDX-License-Identifier: GPL-2.0-or-later */

/* One function: what it is, and what stands between it and a guest. */

#include "cli/doctor.h"
#include "iommu/iommu.h"
#include "pci-config/pci-config.h"
#include "sriov/sriov.h"

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

/* As much of the configuration space as the kernel shows us: 64 bytes to a
 * user, all of it to root. */
static size_t read_config(int root_fd, struct bdf b, uint8_t raw[CFG_SIZE])
{
	char path[128], name[BDF_STRLEN];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/config",
	         bdf_format(b, name));
	fd = openat(root_fd, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : pread(fd, raw, CFG_SIZE, 0);
	if (n < (ssize_t)CFG_SIZE_PCI)
		return 0;
	return n < (ssize_t)CFG_SIZE ? CFG_SIZE_PCI : CFG_SIZE;
}

/* A line a BAR in sysfs: first and last address, flags. */
static void read_bar_sizes(int root_fd, struct bdf b, uint64_t size[CFG_BARS])
{
	char path[128], name[BDF_STRLEN], text[SYSFS_MAX];
	const char *line = text;

	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/resource",
	         bdf_format(b, name));
	if (sysfs_read(root_fd, path, text, sizeof(text)) < 0)
		return;
	for (unsigned i = 0; i < CFG_BARS && line; i++) {
		char *end;
		uint64_t first = strtoull(line, &end, 16);
		uint64_t last = strtoull(end, NULL, 16);

		size[i] = last > first ? last - first + 1 : 0;
		line = strchr(line, '\n');
		if (line)
			line++;
	}
}

/* A VF's own IDs read as all ones (PCIe 6.0 9.3.4.1.1, 9.3.4.1.2), which is no
 * sign that it is gone; the kernel has them from its PF. */
static void put_ids(const struct sriov_fn *f, uint8_t raw[CFG_SIZE])
{
	static const uint8_t none[] = { 0xff, 0xff, 0xff, 0xff };
	const uint8_t ids[] = { (uint8_t)f->vendor, (uint8_t)(f->vendor >> 8),
		                (uint8_t)f->device, (uint8_t)(f->device >> 8) };

	if (!memcmp(raw, none, sizeof(none)) &&
	    memcmp(raw + 8, none, sizeof(none)) != 0)
		memcpy(raw, ids, sizeof(ids));
}

static void tell_vectors(int root_fd, const struct sriov_fn *f, json_t *list)
{
	_cleanup_free_ struct cfg_layout *l = calloc(1, sizeof(*l));
	uint64_t bar_size[CFG_BARS] = { 0 };
	uint8_t raw[CFG_SIZE];
	size_t size = read_config(root_fd, f->bdf, raw);
	struct diag d = { 0 };

	if (!l)
		return;
	if (!size) {
		finding_add(list, FINDING_NOTE, "interrupts",
		            "run the doctor as root to see them",
		            "unknown: the configuration space cannot be read");
		return;
	}
	put_ids(f, raw);
	read_bar_sizes(root_fd, f->bdf, bar_size);
	if (cfg_layout_parse(raw, size, bar_size, l, &d) < 0) {
		finding_add_diag(list, "configuration", &d);
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

/* Base class 06h: host bridges, switches and ports hold a topology together;
 * VFIO refuses them. */
static bool is_bridge(const struct sriov_fn *f)
{
	return f->class_code >> 16 == 0x06;
}

int doctor_device(int root_fd, struct bdf b, json_t *list, struct diag *d)
{
	char name[BDF_STRLEN];
	struct sriov_fn f;
	int r = sriov_fn_read(root_fd, b, &f);

	if (r < 0) {
		diag_fail(d, r, FL_CLI_DEVICE, "there is no PCI function %s",
		          bdf_format(b, name));
		diag_mend(d, "lspci -D lists them");
		return r;
	}
	tell_identity(&f, list);
	if (is_bridge(&f)) {
		finding_add(list, FINDING_NO, "kind",
		            "name a function behind it: lspci -tv",
		            "a bridge is never assigned");
		return 0;
	}
	tell_sriov(root_fd, b, list);
	tell_vectors(root_fd, &f, list);
	check_group(root_fd, b, list);
	check_holder(root_fd, b, list);
	check_reset(root_fd, b, list);
	return 0;
}
