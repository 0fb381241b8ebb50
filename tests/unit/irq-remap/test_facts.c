/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt facts from trees recorded in the lab (tests/golden/sysfs), and
 * from trees made here: the lab's IOMMU cannot post, so the posting chain is
 * tested on files only, and a "yes" has been seen on no machine.
 */

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "irq-remap/irq-remap.h"

static struct irq_facts read_tree(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY);
	struct irq_facts f;

	assert_true(fd >= 0);
	assert_int_equal(irq_facts_read(fd, &f), 0);
	return f;
}

static struct irq_facts recorded(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "tests/golden/sysfs/%s", name);
	return read_tree(path);
}

static void says(const char *evidence, const char *part)
{
	if (!strstr(evidence, part))
		fail_msg("\"%s\" does not say \"%s\"", evidence, part);
}

static void test_recorded(void **state)
{
	static const struct {
		const char *tree, *remapping, *posting;
		enum irq_fact ir, pi;
	} row[] = {
		{ "intel-ir", "IR-", "dmar0 cannot post", IRQ_FACT_YES,
		  IRQ_FACT_NO },
		{ "intel-no-ir", "hardware cannot", "interrupt remapping: no",
		  IRQ_FACT_NO, IRQ_FACT_NO },
		{ "no-iommu", "no IOMMU", "interrupt remapping: no",
		  IRQ_FACT_NO, IRQ_FACT_NO },
		{ "amd", "IR-", "ivhd0 cannot post", IRQ_FACT_YES,
		  IRQ_FACT_NO },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct irq_facts f = recorded(row[i].tree);

		assert_int_equal(f.remapping, row[i].ir);
		assert_int_equal(f.posting, row[i].pi);
		says(f.remapping_evidence, row[i].remapping);
		says(f.posting_evidence, row[i].posting);
	}
}

/* ---- trees made here ---- */

#define FILES_MAX 12
struct file {
	const char *path, *text;
};

static void make_dirs(int root, const char *path)
{
	char dir[256];

	for (const char *s = strchr(path, '/'); s; s = strchr(s + 1, '/')) {
		snprintf(dir, sizeof(dir), "%.*s", (int)(s - path), path);
		mkdirat(root, dir, 0755);
	}
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static struct irq_facts of_files(const struct file *files)
{
	char dir[] = P_tmpdir "/fairlead-facts-XXXXXX";
	struct irq_facts f;
	int root;

	assert_non_null(mkdtemp(dir));
	root = open(dir, O_RDONLY | O_DIRECTORY);
	assert_true(root >= 0);
	for (; files->path; files++) {
		int fd;

		make_dirs(root, files->path);
		fd = openat(root, files->path, O_WRONLY | O_CREAT, 0644);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, files->text, strlen(files->text)),
		                 (ssize_t)strlen(files->text));
		close(fd);
	}
	close(root);
	f = read_tree(dir);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return f;
}

#define IR_LINES "  24:  0  0  IR-PCI-MSIX-0000:00:01.0  0-edge  x\n"
#define CAP "sys/class/iommu/dmar0/intel-iommu/cap"
#define ECAP "sys/class/iommu/dmar0/intel-iommu/ecap"
#define CAP1 "sys/class/iommu/dmar1/intel-iommu/cap"
#define APICV "sys/module/kvm_intel/parameters/enable_apicv"
#define POSTED "sys/module/kvm_intel/parameters/enable_device_posted_irqs"
#define CAP_PI "8d2008c222f0606\n"
#define CAP_NO_PI "d2008c222f0606\n"

/* Each tree lacks one link of the chain; only the whole is a yes. */
static void test_posting_intel(void **state)
{
	static const struct {
		struct file file[FILES_MAX];
		enum irq_fact want;
		const char *says;
	} row[] = {
		{ { { "proc/interrupts", IR_LINES },
		    { "proc/cmdline", "quiet\n" },
		    { CAP, CAP_PI },
		    { APICV, "Y\n" } },
		  IRQ_FACT_YES,
		  "every IOMMU unit can post" },
		{ { { "proc/interrupts", IR_LINES },
		    { "proc/cmdline", "quiet\n" },
		    { CAP, CAP_PI },
		    { APICV, "Y\n" },
		    { POSTED, "Y\n" } },
		  IRQ_FACT_YES,
		  "enable_device_posted_irqs=Y" },
		{ { { "proc/interrupts", IR_LINES },
		    { "proc/cmdline", "quiet\n" },
		    { CAP, CAP_PI },
		    { APICV, "Y\n" },
		    { POSTED, "N\n" } },
		  IRQ_FACT_NO,
		  "enable_device_posted_irqs=N" },
		{ { { "proc/interrupts", IR_LINES },
		    { "proc/cmdline", "quiet\n" },
		    { CAP, CAP_PI },
		    { CAP1, CAP_NO_PI },
		    { APICV, "Y\n" } },
		  IRQ_FACT_NO,
		  "dmar1 cannot post" },
		{ { { "proc/interrupts", IR_LINES },
		    { "proc/cmdline", "intremap=nopost\n" },
		    { CAP, CAP_PI },
		    { APICV, "Y\n" } },
		  IRQ_FACT_NO,
		  "nopost" },
		{ { { "proc/interrupts", IR_LINES },
		    { CAP, CAP_PI },
		    { APICV, "Y\n" } },
		  IRQ_FACT_UNKNOWN,
		  "/proc/cmdline" },
		{ { { "proc/interrupts", IR_LINES },
		    { "proc/cmdline", "quiet\n" },
		    { CAP, CAP_PI },
		    { APICV, "N\n" } },
		  IRQ_FACT_NO,
		  "enable_apicv=N" },
		{ { { "proc/interrupts", IR_LINES },
		    { "proc/cmdline", "quiet\n" },
		    { CAP, CAP_PI } },
		  IRQ_FACT_UNKNOWN,
		  "kvm_intel is not loaded" },
		{ { { "proc/cmdline", "quiet\n" },
		    { CAP, CAP_PI },
		    { APICV, "Y\n" } },
		  IRQ_FACT_UNKNOWN,
		  "interrupt remapping: unknown" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct irq_facts f = of_files(row[i].file);

		if (f.posting != row[i].want)
			fail_msg("row %zu: %s (%s)", i,
			         irq_fact_name(f.posting), f.posting_evidence);
		says(f.posting_evidence, row[i].says);
	}
}

#define FEATURES "sys/class/iommu/ivhd0/amd-iommu/features"
#define AVIC "sys/module/kvm_amd/parameters/avic"

static void test_posting_amd(void **state)
{
	static const struct {
		struct file file[FILES_MAX];
		enum irq_fact want;
		const char *says;
	} row[] = {
		{ { { "proc/interrupts", IR_LINES },
		    { "proc/cmdline", "quiet\n" },
		    { FEATURES, "246577efa2254afa:0\n" },
		    { AVIC, "Y\n" } },
		  IRQ_FACT_YES,
		  "avic=Y" },
		{ { { "proc/interrupts", IR_LINES },
		    { "proc/cmdline", "amd_iommu_intr=legacy\n" },
		    { FEATURES, "246577efa2254afa\n" },
		    { AVIC, "Y\n" } },
		  IRQ_FACT_NO,
		  "legacy" },
		{ { { "proc/interrupts", IR_LINES },
		    { "proc/cmdline", "quiet\n" },
		    { FEATURES, "80\n" },
		    { AVIC, "Y\n" } },
		  IRQ_FACT_NO,
		  "ivhd0 cannot post" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct irq_facts f = of_files(row[i].file);

		if (f.posting != row[i].want)
			fail_msg("row %zu: %s (%s)", i,
			         irq_fact_name(f.posting), f.posting_evidence);
		says(f.posting_evidence, row[i].says);
	}
}

/* What the capability allows and the kernel does not do is a no; what is
 * mixed, or shows nothing, is no yes. */
static void test_remapping(void **state)
{
	static const struct {
		struct file file[FILES_MAX];
		enum irq_fact want;
		const char *says;
	} row[] = {
		{ { { "proc/interrupts", " 9: 0 IO-APIC 9-fasteoi acpi\n" },
		    { CAP, CAP_PI },
		    { ECAP, "f00f4a\n" } },
		  IRQ_FACT_NO,
		  "hardware could" },
		{ { { "proc/interrupts", IR_LINES " 9: 0 PCI-MSI 9-edge x\n" },
		    { CAP, CAP_PI } },
		  IRQ_FACT_UNKNOWN,
		  "but 1 not (PCI-MSI)" },
		{ { { "proc/interrupts", " 24: 0 DMAR-MSI 0-edge dmar0\n"
		                         "NMI: 0 PCI-MSI no, a name\n" },
		    { CAP, CAP_PI } },
		  IRQ_FACT_UNKNOWN,
		  "no interrupt that would tell" },
		{ { { "proc/interrupts", "" }, { CAP, CAP_PI } },
		  IRQ_FACT_UNKNOWN,
		  "no interrupt that would tell" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct irq_facts f = of_files(row[i].file);

		if (f.remapping != row[i].want)
			fail_msg("row %zu: %s (%s)", i,
			         irq_fact_name(f.remapping),
			         f.remapping_evidence);
		says(f.remapping_evidence, row[i].says);
	}
}

static void test_not_a_root(void **state)
{
	struct irq_facts f;
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(irq_facts_read(fd, &f), -ENOTDIR);
	close(fd);
	assert_int_equal(irq_facts_read(-1, &f), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_posting_intel),
		cmocka_unit_test(test_posting_amd),
		cmocka_unit_test(test_remapping),
		cmocka_unit_test(test_not_a_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
