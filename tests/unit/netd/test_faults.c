/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DMA faults: what a record of the kernel's log is, whose fault it is, and
 * that nothing grows. The daemon on a log of our own is test_server's. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "netd/priv.h"

#define LINE                                                                   \
	"DMAR: [DMA Write NO_PASID] Request device [02:00.0] fault addr "      \
	"0x7000000 [fault reason 0x05] PTE Write access is not set"

static void test_record(void **state)
{
	static const char *const none[] = {
		"",
		";",
		"3,1,2,-",
		"x,1,2,-;" LINE,
		"11,1,2,-;" LINE, /* LOG_USER: somebody wrote it to /dev/kmsg */
		"-3,1,2,-;" LINE,
		"3,1,2,-;x\n " LINE,
		"3,1,2,-; " LINE,
	};
	struct iommu_fault f;

	(void)state;
	assert_true(faults_record("3,1234,5678901,-;" LINE "\n", &f));
	assert_int_equal(f.addr, 0x7000000);
	assert_string_equal(f.words, "PTE Write access is not set");
	assert_true(faults_record(
		"3,1,2,c;" LINE "\n SUBSYSTEM=pci\n DEVICE=+pci:x\n", &f));
	assert_string_equal(f.words, "PTE Write access is not set");
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		assert_false(faults_record(none[i], &f));
}

static void lease(struct leases *all, size_t i, const char *guest,
                  const char *bdf)
{
	struct lease *l = &all->l[i];

	all->used = LEASES_MAX;
	*l = (struct lease){ .n = 1 };
	snprintf(l->guest, sizeof(l->guest), "%s", guest);
	snprintf(l->device[0].name, sizeof(l->device[0].name), "wan");
	assert_int_equal(bdf_parse(bdf, &l->device[0].bdf), 0);
}

static struct iommu_fault fault(const char *bdf, uint64_t addr)
{
	struct iommu_fault f = { .kind = IOMMU_FAULT_WRITE,
		                 .addr = addr,
		                 .words = "no" };

	assert_int_equal(bdf_parse(bdf, &f.bdf), 0);
	return f;
}

/* Blame stays with the guest that had the function. */
static void test_whose(void **state)
{
	struct leases *leases = calloc(1, sizeof(*leases));
	struct faults *all = calloc(1, sizeof(*all));
	struct iommu_fault f = fault("0000:01:10.0", 0x1000);
	const struct fault_count *c;
	json_t *doc;

	(void)state;
	all->watched = true;
	lease(leases, 0, "a", "0000:01:10.2");
	lease(leases, 1, "b", "0000:01:10.0");
	(void)faults_note(all, leases, &f, 10);
	f.addr = 0x2000;
	c = faults_note(all, leases, &f, 11);
	assert_string_equal(c->guest, "b");
	assert_string_equal(c->device, "wan");
	assert_int_equal(c->count, 2);
	assert_int_equal(c->last.addr, 0x2000);
	lease(leases, 1, "c", "0000:01:10.0");
	c = faults_note(all, leases, &f, 12);
	assert_string_equal(c->guest, "c");
	assert_int_equal(c->count, 1);
	memset(leases, 0, sizeof(*leases));
	c = faults_note(all, leases, &f, 13);
	assert_string_equal(c->guest, "");
	assert_int_equal(all->n, 3);
	doc = faults_json(all);
	assert_non_null(doc);
	assert_int_equal(json_array_size(json_object_get(doc, "by-function")),
	                 3);
	json_decref(doc);
	free(all);
	free(leases);
}

static void test_bound(void **state)
{
	const struct leases *leases = calloc(1, sizeof(*leases));
	struct faults *all = calloc(1, sizeof(*all));
	struct iommu_fault f = fault("0000:00:00.0", 0);

	(void)state;
	for (int i = 0; i < 10 * FAULTS_MAX; i++) {
		f.bdf.bus = (uint8_t)(i % 256);
		f.bdf.dev = (uint8_t)(i / 256);
		assert_int_equal(faults_note(all, leases, &f, 100 + i)->count,
		                 1);
	}
	assert_int_equal(all->n, FAULTS_MAX);
	/* The newest are there. */
	assert_int_equal(faults_note(all, leases, &f, 2000)->count, 2);
	free(all);
	free((void *)(uintptr_t)leases);
}

static void test_unknown(void **state)
{
	const struct faults all = { .why = "/dev/kmsg: no" };
	json_t *doc = faults_json(&all);

	(void)state;
	assert_true(json_is_null(json_object_get(doc, "by-function")));
	assert_string_equal(
		json_string_value(json_object_get(doc, "unknown-because")),
		"/dev/kmsg: no");
	json_decref(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_whose),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
