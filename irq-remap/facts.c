/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does the host remap interrupts? The IOMMU's capability bits say only what
 * hardware could do. What the kernel does shows in proc/interrupts: the chip
 * of every remapped interrupt is named "IR-..." ("IR-PCI-MSI", "IR-IO-APIC"),
 * and a bare "PCI-MSI" or "IO-APIC" is one that goes past the IOMMU. The
 * IOMMU's own interrupts ("DMAR-MSI", "AMD-Vi...") are never remapped and
 * count for nothing.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "irq-remap/priv.h"

#define VTD_ECAP_IR BIT64(3)        /* VT-d 4.1 11.4.3 */
#define VTD_CAP_PI BIT64(59)        /* VT-d 4.1 11.4.2 */
#define AMD_EFR_GA BIT64(7)         /* AMD IOMMU 3.08 3.4.1: GASup */
#define AMD_EFR_GAM_VAPIC BIT64(21) /* ... GAMSup = 1: virtual APIC */
#define AMD_EFR_POST (AMD_EFR_GA | AMD_EFR_GAM_VAPIC)

const char *irq_fact_name(enum irq_fact f)
{
	static const char *const name[] = {
		[IRQ_FACT_NO] = "no",
		[IRQ_FACT_YES] = "yes",
		[IRQ_FACT_UNKNOWN] = "unknown",
	};

	return (size_t)f < ARRAY_SIZE(name) ? name[f] : "unknown";
}

/* ---- the IOMMU's units ---- */

struct unit_walk {
	int root_fd;
	struct irq_units *u;
};

/* Hex without 0x; AMD prints "efr:efr2" since 6.7, and the first is ours. */
static bool read_hex(int root_fd, const char *unit, const char *attr,
                     uint64_t *ret)
{
	char path[160], buf[64], *end;

	if (snprintf(path, sizeof(path), "sys/class/iommu/%s/%s", unit, attr) >=
	    (int)sizeof(path))
		return false;
	if (sysfs_read(root_fd, path, buf, sizeof(buf)) < 0)
		return false;
	*ret = strtoull(buf, &end, 16);
	return end != buf;
}

static int visit_unit(const char *name, void *arg)
{
	struct unit_walk *w = arg;
	struct irq_units *u = w->u;
	uint64_t cap, ecap = 0, features = 0;
	bool posts;

	if (read_hex(w->root_fd, name, "intel-iommu/cap", &cap)) {
		u->intel++;
		if (read_hex(w->root_fd, name, "intel-iommu/ecap", &ecap))
			u->ir_capable += !!(ecap & VTD_ECAP_IR);
		posts = cap & VTD_CAP_PI;
	} else if (read_hex(w->root_fd, name, "amd-iommu/features",
	                    &features)) {
		u->amd++;
		posts = (features & AMD_EFR_POST) == AMD_EFR_POST;
	} else {
		return 0;
	}
	if (!posts && !u->no_posting[0])
		snprintf(u->no_posting, sizeof(u->no_posting), "%s", name);
	return 0;
}

/* ---- proc/interrupts ---- */

/* A chip that would be "IR-" were it remapped. The names end where a
 * device's begin ("PCI-MSIX-0000:01:00.0" since 6.2). */
static bool is_bare_chip(const char *word)
{
	static const char *const bare[] = { "PCI-MSI", "IO-APIC", "HPET-MSI" };

	for (size_t i = 0; i < ARRAY_SIZE(bare); i++)
		if (!strncmp(word, bare[i], strlen(bare[i])))
			return true;
	return false;
}

static void count_line(char *line, struct irq_units *u)
{
	char *save = NULL;
	char *word = strtok_r(line, " \t", &save);

	/* Only lines of numbered interrupts have a chip. */
	if (!word || word[0] < '0' || word[0] > '9')
		return;
	while ((word = strtok_r(NULL, " \t", &save))) {
		bool remapped = !strncmp(word, "IR-", 3);

		if (!remapped && !is_bare_chip(word))
			continue;
		/* The example: a bare chip, once there is one. */
		if (!remapped ? !u->bare : !u->remapped && !u->bare)
			snprintf(u->chip, sizeof(u->chip), "%s", word);
		if (remapped)
			u->remapped++;
		else
			u->bare++;
		return;
	}
}

/* With many CPUs the file has lines of kilobytes and no size: by getline. */
static void read_interrupts(int root_fd, struct irq_units *u)
{
	int fd = openat(root_fd, "proc/interrupts", O_RDONLY | O_CLOEXEC);
	char *line = NULL;
	size_t room = 0;
	FILE *f;

	if (fd < 0)
		return;
	f = fdopen(fd, "r");
	if (!f) {
		close_fd(&fd);
		return;
	}
	while (getline(&line, &room, f) > 0)
		count_line(line, u);
	u->interrupts_read = !ferror(f);
	free(line);
	fclose(f);
}

/* ---- the verdict ---- */

static const char *hardware_says(const struct irq_units *u)
{
	if (!u->intel)
		return "an IOMMU is there";
	if (u->ir_capable < u->intel)
		return "hardware cannot (ecap.IR = 0)";
	return "hardware could (ecap.IR = 1)";
}

static void decide_remapping(const struct irq_units *u, struct irq_facts *f)
{
	char *why = f->remapping_evidence;
	size_t size = sizeof(f->remapping_evidence);
	unsigned units = u->intel + u->amd;

	f->remapping = IRQ_FACT_UNKNOWN;
	if (!u->interrupts_read) {
		snprintf(why, size, "/proc/interrupts cannot be read");
	} else if (u->remapped && !u->bare) {
		f->remapping = IRQ_FACT_YES;
		snprintf(why, size,
		         "/proc/interrupts: %u interrupts of chips such as %s, "
		         "none past the IOMMU",
		         u->remapped, u->chip);
	} else if (u->remapped) {
		snprintf(why, size,
		         "/proc/interrupts: %u interrupts remapped, but %u not "
		         "(%s)",
		         u->remapped, u->bare, u->chip);
	} else if (!units) {
		f->remapping = IRQ_FACT_NO;
		snprintf(why, size, "no IOMMU in /sys/class/iommu");
	} else if (u->bare) {
		f->remapping = IRQ_FACT_NO;
		snprintf(why, size,
		         "/proc/interrupts: %u interrupts of chips such as %s, "
		         "none IR-; %s",
		         u->bare, u->chip, hardware_says(u));
	} else {
		snprintf(why, size,
		         "/proc/interrupts shows no interrupt that would tell");
	}
}

int irq_facts_read(int root_fd, struct irq_facts *ret)
{
	struct irq_facts f = { 0 };
	struct irq_units u = { 0 };
	struct unit_walk w = { .root_fd = root_fd, .u = &u };
	struct stat st;
	int r;

	if (fstat(root_fd, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	/* No such directory: no IOMMU. */
	r = sysfs_each(root_fd, "sys/class/iommu", visit_unit, &w);
	if (r < 0 && r != -ENOENT)
		return r;
	read_interrupts(root_fd, &u);
	decide_remapping(&u, &f);
	irq_posting_decide(root_fd, &u, &f);
	*ret = f;
	return 0;
}
