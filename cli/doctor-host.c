/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What this host offers: one function a subject, in the order in which a
 * missing one should be mended. */

#include "cli/doctor.h"
#include "iommu/iommu.h"
#include "irq-remap/irq-remap.h"

#include <stdio.h>
#include <string.h>

static void check_iommu(const struct iommu_facts *f, json_t *list)
{
	struct diag d = { 0 };

	if (iommu_facts_check(f, &d) < 0) {
		finding_add_diag(list, "IOMMU", &d);
		return;
	}
	finding_add(list, FINDING_OK, "IOMMU", NULL,
	            "on: %zu unit(s) (%s ...), %zu groups", f->n_units,
	            f->unit[0].name, f->n_groups);
}

static void check_remapping(const struct irq_facts *f, json_t *list)
{
	static const char mend[] =
		"remove intremap=off from the kernel command line, and turn on "
		"x2APIC or interrupt remapping in the firmware";

	switch (f->remapping) {
	case IRQ_FACT_YES:
		finding_add(list, FINDING_OK, "interrupt remapping", NULL,
		            "on: %s", f->remapping_evidence);
		break;
	case IRQ_FACT_NO:
		finding_add(list, FINDING_NO, "interrupt remapping", mend,
		            "off: %s; a guest could forge interrupts by DMA",
		            f->remapping_evidence);
		break;
	default:
		finding_add(list, FINDING_NOTE, "interrupt remapping", NULL,
		            "unknown: %s", f->remapping_evidence);
	}
}

static void check_posting(const struct irq_facts *f, json_t *list)
{
	finding_add(list,
	            f->posting == IRQ_FACT_YES ? FINDING_OK : FINDING_NOTE,
	            "posted interrupts", NULL, "%s: %s",
	            f->posting == IRQ_FACT_YES  ? "available"
	            : f->posting == IRQ_FACT_NO ? "not available"
	                                        : "unknown",
	            f->posting_evidence);
}

static void check_vfio(int root_fd, const struct iommu_facts *f, json_t *list)
{
	static const char mend[] = "modprobe vfio-pci";

	if (f->cdev)
		finding_add(list, FINDING_OK, "VFIO interface", NULL,
		            "iommufd and character devices");
	else if (f->type1)
		finding_add(list, FINDING_OK, "VFIO interface", NULL,
		            "groups and type1 (this kernel has no iommufd "
		            "character devices)");
	else
		finding_add(list, FINDING_NO, "VFIO interface", mend,
		            "neither /dev/iommu nor /dev/vfio/vfio is there");
	if (sysfs_exists(root_fd, "sys/bus/pci/drivers/vfio-pci"))
		finding_add(list, FINDING_OK, "vfio-pci", NULL, "loaded");
	else
		finding_add(list, FINDING_NO, "vfio-pci", mend,
		            "the driver is not loaded");
	if (f->unsafe_interrupts)
		finding_add(list, FINDING_NO, "unsafe interrupts",
		            "remove allow_unsafe_interrupts=1 from "
		            "/etc/modprobe.d and the kernel command line",
		            "somebody allowed them: guests could forge "
		            "interrupts of the host");
}

static void check_kvm(int root_fd, json_t *list)
{
	if (sysfs_exists(root_fd, "dev/kvm"))
		finding_add(list, FINDING_OK, "KVM", NULL, "/dev/kvm is there");
	else
		finding_add(list, FINDING_NO, "KVM",
		            "modprobe kvm_intel or kvm_amd; turn on "
		            "virtualization in the firmware",
		            "/dev/kvm is missing");
}

/* Guest RAM is a memfd: large pages in it are up to this switch. */
static void check_huge_pages(int root_fd, json_t *list)
{
	static const char path[] =
		"sys/kernel/mm/transparent_hugepage/shmem_enabled";
	char text[SYSFS_MAX];

	if (sysfs_read(root_fd, path, text, sizeof(text)) < 0)
		return;
	if (strstr(text, "[never]") || strstr(text, "[deny]"))
		finding_add(list, FINDING_NOTE, "huge pages",
		            "echo advise > /sys/kernel/mm/"
		            "transparent_hugepage/shmem_enabled",
		            "guest memory gets small pages: starting a guest "
		            "and DMA translation take longer");
	else
		finding_add(list, FINDING_OK, "huge pages", NULL,
		            "guest memory may use them");
}

/* Guest memory is pinned. netd raises the limit for those who lease, so this
 * is worth a line only to who starts a VMM without it. */
static void tell_memlock(int root_fd, json_t *list)
{
	static const char key[] = "Max locked memory";
	char text[SYSFS_MAX], soft[32] = "";
	const char *at;

	if (sysfs_read(root_fd, "proc/self/limits", text, sizeof(text)) < 0)
		return;
	at = strstr(text, key);
	if (!at || sscanf(at + strlen(key), "%31s", soft) != 1)
		return;
	if (!strcmp(soft, "unlimited"))
		finding_add(list, FINDING_OK, "locked memory", NULL,
		            "no limit here");
	else
		finding_add(list, FINDING_OK, "locked memory", NULL,
		            "%s bytes here; fairlead-netd raises it for each "
		            "guest",
		            soft);
}

void doctor_host(int root_fd, json_t *list)
{
	_cleanup_free_ struct iommu_facts *iommu = calloc(1, sizeof(*iommu));
	struct irq_facts irq = { 0 };

	if (!iommu || iommu_facts_read(root_fd, iommu) < 0 ||
	    irq_facts_read(root_fd, &irq) < 0) {
		finding_add(
			list, FINDING_NO, "sysfs",
			"mount -t sysfs sysfs /sys; mount -t proc proc /proc",
			"sys or proc cannot be read");
		return;
	}
	check_iommu(iommu, list);
	if (iommu->n_units) {
		check_remapping(&irq, list);
		check_posting(&irq, list);
	}
	check_vfio(root_fd, iommu, list);
	check_kvm(root_fd, list);
	tell_memlock(root_fd, list);
	check_huge_pages(root_fd, list);
}
