/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel logs of a DMA that the IOMMU refused. Pure: one line of
 * text in, without its line end. No interface reports these faults to
 * userspace for devices of VFIO; the log is all there is.
 *
 * The whole of a line must be of one of the forms, from its first byte:
 * strings that a device brought (a product name, say) are logged too, and
 * must not pass for a fault.
 */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iommu/iommu.h"

/* Flags of AMD's IO_PAGE_FAULT (AMD I/O Virtualization 48882, 2.5.3). */
#define AMD_FLAG_INTERRUPT 0x008u
#define AMD_FLAG_WRITE 0x020u

const char *iommu_fault_kind_name(enum iommu_fault_kind k)
{
	static const char *const name[] = {
		[IOMMU_FAULT_READ] = "read",
		[IOMMU_FAULT_WRITE] = "write",
		[IOMMU_FAULT_INTERRUPT] = "interrupt",
	};

	return (unsigned)k < ARRAY_SIZE(name) ? name[k] : "?";
}

/* ---- a line, from its left
 * ---------------------------------------------------
 */

/* Each step is false where the line is not so; *at moves on where it is. */
static bool skip(const char **at, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(*at, word, n) != 0)
		return false;
	*at += n;
	return true;
}

static bool number(const char **at, int base, uint64_t *ret)
{
	char *end;

	if (!isxdigit((unsigned char)**at))
		return false;
	errno = 0;
	*ret = strtoull(*at, &end, base);
	if (end == *at || errno)
		return false;
	*at = end;
	return true;
}

/* "02:00.0" or "0000:02:00.0", up to `end`, which is passed over. VT-d's lines
 * name no segment, AMD's of old neither: 0 then. */
static bool address(const char **at, char end, struct iommu_fault *f)
{
	const char *to = strchr(*at, end);
	char text[BDF_STRLEN + 8];
	size_t n = to ? (size_t)(to - *at) : 0;

	if (!n || n >= BDF_STRLEN)
		return false;
	/* A segment is there when the address has two colons. */
	f->segment = memchr(*at, ':', n) != memrchr(*at, ':', n);
	snprintf(text, sizeof(text), "%s%.*s",
	         f->segment ? "" : "0000:", (int)n, *at);
	if (bdf_parse(text, &f->bdf) < 0)
		return false;
	*at = to + 1;
	return true;
}

static void keep_words(const char *from, struct iommu_fault *f)
{
	size_t n = 0;

	while (*from == ' ')
		from++;
	for (; *from && n + 1 < sizeof(f->words); from++)
		if (*from >= ' ' && *from <= '~')
			f->words[n++] = *from;
	f->words[n] = '\0';
}

/* ---- VT-d
 * ----------------------------------------------------------------------
 */

/* "[fault reason 0x05] words", decimal and without 0x before Linux 5.14; on a
 * line of its own, and so not here, before 4.10. */
static bool vtd_reason(const char *at, struct iommu_fault *f)
{
	uint64_t reason = 0;

	while (*at == ' ')
		at++;
	if (!*at)
		return true;
	if (!skip(&at, "[fault reason ") ||
	    !number(&at, strncmp(at, "0x", 2) == 0 ? 16 : 10, &reason) ||
	    !skip(&at, "]"))
		return false;
	f->reason = (unsigned)reason;
	keep_words(at, f);
	return true;
}

static bool vtd_kind(const char **at, struct iommu_fault *f)
{
	if (skip(at, "[DMA Read"))
		f->kind = IOMMU_FAULT_READ;
	else if (skip(at, "[DMA Write"))
		f->kind = IOMMU_FAULT_WRITE;
	else if (skip(at, "[INTR-REMAP"))
		f->kind = IOMMU_FAULT_INTERRUPT;
	else
		return false;
	return true;
}

/* "DMAR: [DMA Write NO_PASID] Request device [02:00.0] fault addr 0x7000000
 * [fault reason 0x05] ..."; the PASID, if any, in the first brackets or, from
 * 5.0 to 5.13, behind the device. */
static bool vtd(const char *at, struct iommu_fault *f)
{
	uint64_t pasid;

	if (!skip(&at, "DMAR:"))
		return false;
	(void)skip(&at, " ");
	if (!vtd_kind(&at, f))
		return false;
	if (!skip(&at, " NO_PASID") && skip(&at, " PASID ") &&
	    !number(&at, 16, &pasid))
		return false;
	if (!skip(&at, "] Request device [") || !address(&at, ']', f))
		return false;
	if (skip(&at, " PASID ") && !number(&at, 16, &pasid))
		return false;
	if (!skip(&at, f->kind == IOMMU_FAULT_INTERRUPT ? " fault index "
	                                                : " fault addr "))
		return false;
	return number(&at, 16, &f->addr) && vtd_reason(at, f);
}

/* ---- AMD-Vi
 * --------------------------------------------------------------------
 */

/* "vfio-pci 0000:01:10.0: ", before what is logged of a device that Linux
 * knows. */
static bool driver_prefix(const char **at, struct iommu_fault *f)
{
	const char *name = *at, *from, *to;
	char text[BDF_STRLEN + 1];

	while (isalnum((unsigned char)*name) || *name == '-' || *name == '_')
		name++;
	from = name + 1;
	to = name > *at && *name == ' ' ? strstr(from, ": ") : NULL;
	if (!to || to - from >= BDF_STRLEN)
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)(to - from), from);
	if (bdf_parse(text, &f->bdf) < 0)
		return false;
	f->segment = true;
	*at = to + 2;
	return true;
}

/* "AMD-Vi: Event logged [IO_PAGE_FAULT device=02:00.0 domain=0x0010
 * address=0x7000000 flags=0x0020]"; without "device=" where the prefix names
 * it. */
static bool amd(const char *at, struct iommu_fault *f)
{
	bool known = driver_prefix(&at, f);
	uint64_t domain, flags;

	if (!skip(&at, "AMD-Vi: Event logged [IO_PAGE_FAULT "))
		return false;
	if (skip(&at, "device=") ? !address(&at, ' ', f) : !known)
		return false;
	if (!skip(&at, "domain=") || !number(&at, 16, &domain) ||
	    !skip(&at, " address=") || !number(&at, 16, &f->addr) ||
	    !skip(&at, " flags=") || !number(&at, 16, &flags) ||
	    !skip(&at, "]"))
		return false;
	f->reason = (unsigned)flags;
	f->kind = flags & AMD_FLAG_INTERRUPT ? IOMMU_FAULT_INTERRUPT
	          : flags & AMD_FLAG_WRITE   ? IOMMU_FAULT_WRITE
	                                     : IOMMU_FAULT_READ;
	snprintf(f->words, sizeof(f->words), "IO_PAGE_FAULT, flags %#x",
	         f->reason);
	return true;
}

bool iommu_fault_parse(const char *line, struct iommu_fault *ret)
{
	struct iommu_fault f = { 0 };

	if (!vtd(line, &f)) {
		f = (struct iommu_fault){ 0 };
		if (!amd(line, &f))
			return false;
	}
	*ret = f;
	return true;
}
