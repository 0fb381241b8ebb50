/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of /proc/interrupts, as Linux 6.1 and 6.12 write them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "irq-remap/irq-remap.h"

static const char TEXT[] =
	"           CPU0       CPU1       \n"
	"   1:          0          9   IO-APIC    1-edge      i8042\n"
	"  10:         70          3   IO-APIC   10-fasteoi   vfio-intx(0000:02:00.0)\n"
	"  11:          4          4   IO-APIC   11-fasteoi   uhci_hcd:usb1, vfio-intx(0000:03:00.0), x\n"
	"  24:          0          0  IR-PCI-MSIX-0000:00:01.0    0-edge      PCIe PME, pciehp\n"
	"  45:          7         12  IR-PCI-MSIX-0000:01:10.0    0-edge      vfio-msix[0](0000:01:10.0)\n"
	"  46:         12 4294967295  IR-PCI-MSIX-0000:01:10.0    1-edge      vfio-msix[17](0000:01:10.0)\n"
	"  47:          1          2   PCI-MSI 1048576-edge      vfio-msi[0](10000:e1:00.0)\n"
	" NMI:          5          5   vfio-msix[1](0000:09:00.0)\n"
	" 131:          1          1   PCI-MSI 9-edge      vfio-msix[](0000:01:10.0)\n"
	" 132:          1          1   PCI-MSI 9-edge      vfio-msix[4096](0000:01:10.0)\n"
	" 133:          1          1   PCI-MSI 9-edge      vfio-msix[1]0000:01:10.0\n"
	" 134:          1          1   PCI-MSI 9-edge      vfio-intx(0000:01:10.0\n"
	" ERR:          0\n";

static const struct irq_host WANT[] = {
	{ IRQ_HOST_INTX, 0, "0000:02:00.0", 10, 73 },
	{ IRQ_HOST_INTX, 0, "0000:03:00.0", 11, 8 },
	{ IRQ_HOST_MSIX, 0, "0000:01:10.0", 45, 19 },
	{ IRQ_HOST_MSIX, 17, "0000:01:10.0", 46, 4294967307 },
	{ IRQ_HOST_MSI, 0, "10000:e1:00.0", 47, 3 },
};

static unsigned seen; /* of WANT */

static void compare(const struct irq_host *h, void *arg)
{
	const struct irq_host *want = &WANT[MIN(seen, ARRAY_SIZE(WANT) - 1)];

	assert_true(seen < ARRAY_SIZE(WANT));
	(void)arg;
	seen++;
	assert_int_equal(h->kind, want->kind);
	assert_int_equal(h->index, want->index);
	assert_string_equal(h->bdf, want->bdf);
	assert_int_equal(h->irq, want->irq);
	assert_int_equal(h->count, want->count);
}

static int file_of(const char *text, size_t len)
{
	int fd = memfd_create("interrupts", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_pwrite_full(fd, text, len, 0), 0);
	return fd;
}

static void test_lines(void **state)
{
	_cleanup_close_ int fd = file_of(TEXT, sizeof(TEXT) - 1);

	(void)state;
	/* Twice: the same file, from its begin. */
	for (unsigned i = 0; i < 2; i++) {
		seen = 0;
		assert_int_equal(irq_host_each(fd, compare, NULL), 0);
		assert_int_equal(seen, ARRAY_SIZE(WANT));
	}
	assert_int_equal(irq_host_each(-1, compare, NULL), -EBADF);
}

static void sum(const struct irq_host *h, void *arg)
{
	*(uint64_t *)arg += h->count;
}

/* 8192 CPUs: longer than any buffer, and its blocks cut words in two. */
static void test_many_cpus(void **state)
{
	_cleanup_free_ char *text = malloc(200000);
	size_t len = 0;
	uint64_t total = 0;
	int fd;

	(void)state;
	assert_non_null(text);
	len += (size_t)sprintf(text, " 45:");
	for (unsigned i = 0; i < 8192; i++)
		len += (size_t)sprintf(text + len, " %10u", i);
	len += (size_t)sprintf(text + len, " IR-PCI-MSI 0-edge "
	                                   "vfio-msix[3](0000:01:10.0)\n");
	fd = file_of(text, len);
	assert_int_equal(irq_host_each(fd, sum, &total), 0);
	assert_int_equal(total, 8192ull * 8191 / 2);
	close(fd);
}

/* A line without its end is not one yet; names of any length are cut. */
static void test_torn(void **state)
{
	static const char text[] =
		" 45: 3 IR-PCI-MSI 0-edge vfio-msix[3](0000:01:10.0)\n"
		" 46: 3 IR-PCI-MSI 0-edge vfio-msix[4](0000:01:10.00000000000000000000000000000000000000000000000)\n"
		" 47: 3 IR-PCI-MSI 0-edge vfio-msix[5](0000:01:10.0)";
	uint64_t total = 0;
	int fd = file_of(text, sizeof(text) - 1);

	(void)state;
	assert_int_equal(irq_host_each(fd, sum, &total), 0);
	assert_int_equal(total, 3);
	close(fd);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(irq_host_kind_name(IRQ_HOST_INTX), "intx");
	assert_string_equal(irq_host_kind_name(IRQ_HOST_MSI), "msi");
	assert_string_equal(irq_host_kind_name(IRQ_HOST_MSIX), "msix");
	assert_string_equal(irq_host_kind_name((enum irq_host_kind)3),
	                    "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_many_cpus),
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
