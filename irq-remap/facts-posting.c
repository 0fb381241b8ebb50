/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Are device interrupts posted to running vCPUs? A chain, and each part must
 * be proven: remapping is on; every IOMMU unit can post; the command line has
 * not switched it off; KVM's virtual APIC is on; and, from Linux 6.16, KVM's
 * own verdict enable_device_posted_irqs. The first part that fails is the
 * evidence; one that cannot be read makes the answer unknown.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "irq-remap/priv.h"

struct vendor {
	const char *module;  /* of KVM */
	const char *apic;    /* its parameter for the virtual APIC */
	const char *off;     /* kernel parameter that forbids posting */
	const char *unit_no; /* why a unit cannot */
};
static const struct vendor INTEL = {
	.module = "kvm_intel",
	.apic = "enable_apicv",
	.off = "nopost",
	.unit_no = "cannot post (VT-d cap bit 59 is 0)",
};
static const struct vendor AMD = {
	.module = "kvm_amd",
	.apic = "avic",
	.off = "amd_iommu_intr=legacy",
	.unit_no = "cannot post (GASup or GAMSup is 0)",
};

enum param {
	PARAM_ABSENT,
	PARAM_OFF,
	PARAM_ON
};

static enum param read_param(int root_fd, const char *module, const char *name)
{
	char path[128], buf[16];

	snprintf(path, sizeof(path), "sys/module/%s/parameters/%s", module,
	         name);
	if (sysfs_read(root_fd, path, buf, sizeof(buf)) < 0)
		return PARAM_ABSENT;
	return buf[0] == 'Y' || buf[0] == '1' ? PARAM_ON : PARAM_OFF;
}

/* Fills the evidence; the answer is the caller's. */
_printf_(2, 3) static void say(struct irq_facts *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->posting_evidence, sizeof(f->posting_evidence), fmt, ap);
	va_end(ap);
}

static enum irq_fact judge_hardware(const struct irq_units *u,
                                    const struct vendor *v, struct irq_facts *f)
{
	if (f->remapping != IRQ_FACT_YES) {
		say(f, "interrupt remapping: %s", irq_fact_name(f->remapping));
		return f->remapping;
	}
	if (u->intel && u->amd) {
		say(f, "IOMMUs of two vendors in /sys/class/iommu");
		return IRQ_FACT_UNKNOWN;
	}
	if (!u->intel && !u->amd) {
		say(f, "/sys/class/iommu names no VT-d or AMD-Vi unit");
		return IRQ_FACT_UNKNOWN;
	}
	if (u->no_posting[0]) {
		say(f, "%s %s", u->no_posting, v->unit_no);
		return IRQ_FACT_NO;
	}
	return IRQ_FACT_YES;
}

static enum irq_fact judge_cmdline(int root_fd, const struct vendor *v,
                                   struct irq_facts *f)
{
	char cmdline[SYSFS_MAX];

	if (sysfs_read(root_fd, "proc/cmdline", cmdline, sizeof(cmdline)) < 0) {
		say(f, "/proc/cmdline cannot be read");
		return IRQ_FACT_UNKNOWN;
	}
	if (strstr(cmdline, v->off)) {
		say(f, "the kernel's command line says %s", v->off);
		return IRQ_FACT_NO;
	}
	return IRQ_FACT_YES;
}

static enum irq_fact judge_kvm(int root_fd, const struct vendor *v,
                               struct irq_facts *f)
{
	switch (read_param(root_fd, v->module, v->apic)) {
	case PARAM_ABSENT:
		say(f, "%s is not loaded, or has no parameter %s", v->module,
		    v->apic);
		return IRQ_FACT_UNKNOWN;
	case PARAM_OFF:
		say(f, "%s: %s=N", v->module, v->apic);
		return IRQ_FACT_NO;
	case PARAM_ON:
		break;
	}
	switch (read_param(root_fd, v->module, "enable_device_posted_irqs")) {
	case PARAM_OFF:
		say(f, "%s: enable_device_posted_irqs=N", v->module);
		return IRQ_FACT_NO;
	case PARAM_ON:
		say(f, "%s: enable_device_posted_irqs=Y", v->module);
		return IRQ_FACT_YES;
	case PARAM_ABSENT: /* before Linux 6.16 */
		break;
	}
	say(f,
	    "every IOMMU unit can post, %s: %s=Y, not forbidden on the "
	    "command line",
	    v->module, v->apic);
	return IRQ_FACT_YES;
}

void irq_posting_decide(int root_fd, const struct irq_units *u,
                        struct irq_facts *f)
{
	const struct vendor *v = u->amd ? &AMD : &INTEL;

	f->posting = judge_hardware(u, v, f);
	if (f->posting == IRQ_FACT_YES)
		f->posting = judge_cmdline(root_fd, v, f);
	if (f->posting == IRQ_FACT_YES)
		f->posting = judge_kvm(root_fd, v, f);
}
