/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of the kernel's log, as several of its versions write them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "iommu/iommu.h"

#define R IOMMU_FAULT_READ
#define W IOMMU_FAULT_WRITE
#define I IOMMU_FAULT_INTERRUPT

static const struct {
	const char *line, *bdf, *words;
	enum iommu_fault_kind kind;
	uint64_t addr;
	unsigned reason;
} good[] = {
	/* 5.14 and later */
	{ "DMAR: [DMA Write NO_PASID] Request device [02:00.0] fault addr "
	  "0x7000000 [fault reason 0x05] PTE Write access is not set",
	  "0000:02:00.0", "PTE Write access is not set", W, 0x7000000, 5 },
	{ "DMAR: [DMA Read NO_PASID] Request device [ff:1f.7] fault addr "
	  "0xfffffffffffff000 [fault reason 0x71] SM: Present bit in "
	  "first-level paging entry is clear",
	  "0000:ff:1f.7",
	  "SM: Present bit in first-level paging entry is clear", R,
	  0xfffffffffffff000, 0x71 },
	{ "DMAR: [DMA Read PASID 0x1] Request device [01:00.0] fault addr "
	  "0x1000 [fault reason 0x06] PTE Read access is not set",
	  "0000:01:00.0", "PTE Read access is not set", R, 0x1000, 6 },
	{ "DMAR: [INTR-REMAP] Request device [02:00.0] fault index 0x8000 "
	  "[fault reason 0x25] Blocked a compatibility format interrupt "
	  "request",
	  "0000:02:00.0", "Blocked a compatibility format interrupt request", I,
	  0x8000, 0x25 },
	/* with a segment */
	{ "DMAR: [DMA Write NO_PASID] Request device [10000:02:00.0] fault "
	  "addr 0x7000000 [fault reason 0x05] PTE Write access is not set",
	  "10000:02:00.0", "PTE Write access is not set", W, 0x7000000, 5 },
	/* 5.0 to 5.13 */
	{ "DMAR: [DMA Write] Request device [02:00.0] PASID ffffffff fault "
	  "addr 7000000 [fault reason 05] PTE Write access is not set",
	  "0000:02:00.0", "PTE Write access is not set", W, 0x7000000, 5 },
	{ "DMAR: [INTR-REMAP] Request device [f0:1f.7] fault index 1f "
	  "[fault reason 34] Present field in the IRTE entry is clear",
	  "0000:f0:1f.7", "Present field in the IRTE entry is clear", I, 0x1f,
	  34 },
	/* 4.10 to 4.20 */
	{ "DMAR: [DMA Read] Request device [00:02.0] fault addr 6df084000 "
	  "[fault reason 06] PTE Read access is not set",
	  "0000:00:02.0", "PTE Read access is not set", R, 0x6df084000, 6 },
	/* before: the reason has a line of its own */
	{ "DMAR:[DMA Write] Request device [00:02.0] fault addr 6df084000 ",
	  "0000:00:02.0", "", W, 0x6df084000, 0 },
	/* AMD-Vi */
	{ "vfio-pci 0000:04:10.0: AMD-Vi: Event logged [IO_PAGE_FAULT "
	  "domain=0x0037 address=0x7b657064 flags=0x0000]",
	  "0000:04:10.0", "IO_PAGE_FAULT, flags 0", R, 0x7b657064, 0 },
	{ "mlx5_vfio_pci 0001:04:10.0: AMD-Vi: Event logged [IO_PAGE_FAULT "
	  "domain=0x0037 address=0xfffffff00f80 flags=0x0020]",
	  "0001:04:10.0", "IO_PAGE_FAULT, flags 0x20", W, 0xfffffff00f80,
	  0x20 },
	{ "AMD-Vi: Event logged [IO_PAGE_FAULT device=07:00.0 domain=0x0007 "
	  "address=0xffffc02000 flags=0x0000]",
	  "0000:07:00.0", "IO_PAGE_FAULT, flags 0", R, 0xffffc02000, 0 },
	{ "AMD-Vi: Event logged [IO_PAGE_FAULT device=0001:07:00.1 "
	  "domain=0x0007 address=0xfdf8020200 flags=0x0008]",
	  "0001:07:00.1", "IO_PAGE_FAULT, flags 0x8", I, 0xfdf8020200, 8 },
};

static void test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		char bdf[BDF_STRLEN];
		struct iommu_fault f;

		if (!iommu_fault_parse(good[i].line, &f))
			fail_msg("not understood: %s", good[i].line);
		assert_string_equal(bdf_format(f.bdf, bdf), good[i].bdf);
		assert_int_equal(f.kind, good[i].kind);
		assert_int_equal(f.addr, good[i].addr);
		/* Where the line has an address with one. */
		assert_int_equal(f.segment,
		                 strstr(good[i].line, good[i].bdf) != NULL);
		assert_int_equal(f.reason, good[i].reason);
		assert_string_equal(f.words, good[i].words);
	}
}

static void test_bad(void **state)
{
	static const char *const line[] = {
		"",
		"DMAR:",
		"DMAR: DRHD: handling fault status reg 3",
		"DMAR: [DMA Write NO_PASID] Request device [02:00.0] fault addr",
		"DMAR: [DMA Write NO_PASID] Request device [02:00.8] fault addr "
		"0x7000000 [fault reason 0x05] x",
		"DMAR: [DMA Write NO_PASID] Request device [02:00.0 fault addr "
		"0x7000000",
		"DMAR: [DMA Write NO_PASID] Request device [] fault addr 0x7",
		"DMAR: [DMA Write NO_PASID] Request device [02:00.0] fault addr "
		"0x12345678123456789 [fault reason 0x05] x",
		"DMAR: [DMA Write NO_PASID] Request device [02:00.0] fault addr "
		"-7 [fault reason 0x05] x",
		"DMAR: [DMA Write NO_PASID] Request device [02:00.0] fault addr "
		"0x7 [fault",
		"DMAR: [INTR-REMAP] Request device [02:00.0] fault addr 0x7",
		" DMAR: [DMA Write] Request device [00:02.0] fault addr 6df",
		"AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0007 "
		"address=0xffffc02000 flags=0x0000]", /* whose? */
		"AMD-Vi: Event logged [IO_PAGE_FAULT device=07:00.0 "
		"address=0xffffc02000 flags=0x0000]",
		/* what a device says of itself */
		"usb 1-1: Product: DMAR: [DMA Write] Request device [00:02.0] "
		"fault addr 6df084000",
		"usb 1-1: Product: AMD-Vi: Event logged [IO_PAGE_FAULT "
		"device=07:00.0 domain=0x0007 address=0xffffc02000 "
		"flags=0x0000]",
		"usb 0000:07:00.0: Product: AMD-Vi: Event logged "
		"[IO_PAGE_FAULT domain=0x0007 address=0xff flags=0x0000]",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(line); i++) {
		struct iommu_fault f = { .addr = 99 };

		if (iommu_fault_parse(line[i], &f))
			fail_msg("taken for a fault: %s", line[i]);
		assert_int_equal(f.addr, 99);
	}
}

/* Cut anywhere, a line is a fault without its words or none at all. */
static void test_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		char *copy = strdup(good[i].line);

		for (size_t n = strlen(copy); n-- > 0;) {
			struct iommu_fault f;

			copy[n] = '\0';
			if (iommu_fault_parse(copy, &f))
				assert_int_equal(f.kind, good[i].kind);
		}
		free(copy);
	}
}

/* The kernel's words are as long as they are; a terminal gets no control
 * characters. */
static void test_words(void **state)
{
	static const char head[] = "DMAR: [DMA Read NO_PASID] Request device "
				   "[02:00.0] fault addr 0x0 "
				   "[fault reason 0x05] ";
	char line[512];
	struct iommu_fault f;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, head, sizeof(head) - 1);
	line[sizeof(head)] = '\033';
	line[sizeof(line) - 1] = '\0';
	assert_true(iommu_fault_parse(line, &f));
	assert_int_equal(strlen(f.words), sizeof(f.words) - 1);
	assert_null(strchr(f.words, '\033'));
	assert_string_equal(iommu_fault_kind_name(IOMMU_FAULT_READ), "read");
	assert_string_equal(iommu_fault_kind_name(99), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
